// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet inspect: what a model file holds, and what it will need.
#include <algorithm>
#include <exception>

#include "bitnet/base/os/memory.h"
#include "bitnet/model/memory_plan.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/format.h"
#include "cli/inspect_arrays.h"
#include "cli/tensor_list.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Shows a model's architecture, the memory that it will need, and every tensor. Then the model\n"
    "is read as 'run' would read it, which finds whatever is wrong with it and gives scales and "
    "the\n"
    "part of zero weights; --quick leaves that out and reads headers only. Files of arrays (.bnt,\n"
    ".npy, .npz) are listed and their checksums verified.";
constexpr const char* kExamples =
    "  bitnet inspect -m model.gguf\n"
    "  bitnet inspect -m folder --quick -c 8192     memory for a context of 8192 tokens\n"
    "  bitnet inspect -m model.gguf --json\n"
    "  bitnet inspect -m tensors.bnt";

struct Plan {
  std::int64_t context;
  std::uint64_t mapped, converted, cache, workspace, sketch;
  os::MemoryInfo memory;

  std::uint64_t total() const { return mapped + converted + cache + workspace + sketch; }
  bool fits() const { return memory.available_bytes == 0 || total() <= memory.available_bytes; }
};

// Of the head, where commands that write text screen it (--head).
std::uint64_t head_sketch_bytes(const TensorList& list) {
  const std::int64_t elements = list.config.vocab_size * list.config.hidden_size;
  for (const ListedTensor& t : list.tensors)
    if (!t.ternary && t.elements() == elements && t.bits_per_weight() >= 16 &&
        t.bytes >= Decoder::kScreenedHeadBytes && list.config.hidden_size % 32 == 0)
      return HeadScreen::memory_bytes(list.config.vocab_size, list.config.hidden_size);
  return 0;
}

Plan make_plan(const TensorList& list, std::int64_t context, KvType kv) {
  const std::int64_t chunk = std::min(context, Decoder::kPromptChunk);
  const auto logits = static_cast<std::uint64_t>(list.config.vocab_size) * sizeof(float);
  return {context,
          list.in_place_bytes(),
          list.converted_bytes(),
          KvCache::byte_size(list.config, context, kv),
          workspace_bytes(list.config, chunk) + logits,
          head_sketch_bytes(list),
          os::memory_info()};
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t dim : shape) text += (text.empty() ? "" : " x ") + std::to_string(dim);
  return text.empty() ? "1" : text;
}

void print_head(const std::string& path, const TensorList& list) {
  const ModelConfig& c = list.config;
  std::string stops;
  for (const std::int32_t id : c.eos_tokens) stops += " " + std::to_string(id);
  print_text(
      "model       " + path + " (" + list.format + ", " + bytes_in_words(list.bytes()) + " in " +
      counted(static_cast<std::int64_t>(list.tensors.size()), "tensor") + ")\n            " +
      describe(c) + "\n            positions " + with_commas(c.max_positions) + ", rope theta " +
      fixed(c.rope_theta, 0) + ", " + (c.sub_norms ? "sub-norms" : "no sub-norms") + ", " +
      (c.tied_head ? "tied head" : "head of its own") + (c.input_norms ? ", input norms" : "") +
      (c.online ? ", masters ternarized at load" : "") + ", bos " + std::to_string(c.bos_token) +
      ", eos" + (stops.empty() ? " none" : stops) + "\n");
}

void print_plan(const Plan& p) {
  print_text("memory      " + bytes_in_words(p.total()) + " for a context of " +
             counted(p.context, "token") + ": weights " + bytes_in_words(p.mapped + p.converted) +
             " (" + bytes_in_words(p.mapped) + " used in the file), KV cache " +
             bytes_in_words(p.cache) + ", workspace " + bytes_in_words(p.workspace) +
             (p.sketch ? ", sketch of the head " + bytes_in_words(p.sketch) : "") +
             "\n            " + (p.fits() ? "fits: " : "DOES NOT FIT: ") +
             bytes_in_words(p.memory.available_bytes) + " available of " +
             bytes_in_words(p.memory.total_bytes) + "\n\n");
}

std::string dead_text(const DeadNeurons& d) {
  return with_commas(d.dead) + " of " + with_commas(d.neurons) + " (zero rows: gate " +
         with_commas(d.zero_gate_rows) + ", up " + with_commas(d.zero_up_rows) +
         "; zero columns of down " + with_commas(d.zero_down_columns) + ")";
}

// Of all layers, then of each that has any.
void print_dead_neurons(const std::vector<DeadNeurons>& layers) {
  if (layers.empty()) return;
  DeadNeurons all;
  for (const DeadNeurons& layer : layers) all += layer;
  print_text("dead        neurons " + dead_text(all) + "\n");
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (layers[i].dead > 0)
      print_text("            layer " + std::to_string(i) + ": " + dead_text(layers[i]) + "\n");
}

void print_tensors(const TensorList& list) {
  Table table({"tensor", "shape", "type", "bits/weight", "scale", "zeros"}, {3, 4, 5});
  double zeros = 0;
  std::int64_t ternary = 0, known = 0;
  std::uint64_t bytes = 0;
  for (const ListedTensor& t : list.tensors) {
    table.add({printable(t.name), shape_text(t.shape), t.type, fixed(t.bits_per_weight(), 2),
               t.scale           ? fixed(*t.scale, 6)
               : t.zero_fraction ? "per 256"
                                 : "",
               t.zero_fraction ? fixed(100 * *t.zero_fraction, 1) + " %" : ""});
    if (!t.ternary) continue;
    ternary += t.elements();
    bytes += t.bytes;
    if (!t.zero_fraction) continue;
    zeros += *t.zero_fraction * static_cast<double>(t.elements());
    known += t.elements();
  }
  print_text(table.text());
  print_text("\nternary     " + with_commas(ternary) + " weights in " + bytes_in_words(bytes) +
             (ternary
                  ? ", " + fixed(8 * static_cast<double>(bytes) / static_cast<double>(ternary), 3) +
                        " bits a weight"
                  : "") +
             (known ? ", " + fixed(100 * zeros / static_cast<double>(known), 1) + " % zero" : "") +
             "\nother       " + bytes_in_words(list.bytes() - bytes) + "\n");
  print_dead_neurons(list.dead_neurons);
}

void write_optional(JsonWriter& json, const char* key, const std::optional<double>& value) {
  json.key(key);
  value ? json.value(*value) : json.null();
}

void print_json(const std::string& path, const TensorList& list, const Plan& p,
                const std::string& error) {
  const ModelConfig& c = list.config;
  JsonWriter json;
  json.begin_object().member("path", path).member("format", list.format);
  json.member("architecture", c.architecture).member("parameters", parameter_count(c));
  json.member("layers", c.num_layers).member("hidden_size", c.hidden_size);
  json.member("intermediate_size", c.intermediate_size).member("heads", c.num_heads);
  json.member("kv_heads", c.num_kv_heads).member("head_dim", c.head_dim);
  json.member("vocab_size", c.vocab_size).member("max_positions", c.max_positions);
  json.member("rope_theta", c.rope_theta).member("activation", to_string(c.activation));
  json.member("sub_norms", c.sub_norms).member("tied_head", c.tied_head);
  json.member("bos_token", std::int64_t{c.bos_token}).key("eos_tokens").value(c.eos_tokens);
  json.key("memory").begin_object().member("context", p.context).member("total_bytes", p.total());
  json.member("mapped_weight_bytes", p.mapped).member("converted_weight_bytes", p.converted);
  json.member("kv_cache_bytes", p.cache).member("workspace_bytes", p.workspace);
  json.member("head_sketch_bytes", p.sketch);
  json.member("available_bytes", p.memory.available_bytes).member("fits", p.fits()).end_object();
  json.key("tensors").begin_array();
  for (const ListedTensor& t : list.tensors) {
    json.begin_object().member("name", t.name).member("type", t.type).key("shape").begin_array();
    for (const std::int64_t dim : t.shape) json.value(dim);
    json.end_array().member("bytes", t.bytes).member("ternary", t.ternary);
    json.member("bits_per_weight", t.bits_per_weight());
    write_optional(json, "scale", t.scale);
    write_optional(json, "zero_fraction", t.zero_fraction);
    json.end_object();
  }
  json.end_array().key("dead_neurons").begin_array();
  for (const DeadNeurons& d : list.dead_neurons) {
    json.begin_object().member("neurons", d.neurons).member("dead", d.dead);
    json.member("zero_gate_rows", d.zero_gate_rows).member("zero_up_rows", d.zero_up_rows);
    json.member("zero_down_columns", d.zero_down_columns).end_object();
  }
  json.end_array().key("error");
  error.empty() ? json.null() : json.value(error);
  print_text(json.end_object().text());
}

}  // namespace

int inspect_main(int argc, const char* const* argv) {
  ModelOptions model;
  std::int64_t context = 0;
  bool quick = false, json = false;
  CommandLine line("inspect", kDescription, kExamples);
  model.add_model(line.app());
  std::string file;
  line->add_option("file", file, "The same without -m")->type_name("PATH");
  line->add_option("-c,--ctx-size", context,
                   "Context to plan memory for (default: the model's maximum, at most 4096)")
      ->check(integer_from(1))
      ->type_name("N");
  model.add_kv(line.app());
  line->add_flag("--quick", quick, "Read headers only");
  line->add_flag("--json", json, "Print one JSON object");
  model.add_threads(line.app());
  model.add_overrides(line.app());
  if (!line.parse(argc, argv)) return 0;
  if (!file.empty()) model.model = file;

  const std::string path = model.path();
  if (is_array_file(path)) {
    inspect_arrays(path, quick, json);
    return 0;
  }
  TensorList list = list_tensors(path, model.open_options());
  context = context_size(context, list.config);
  if (context > list.config.max_positions)
    fail(Errc::invalid_argument, "context of " + std::to_string(context) +
                                     " positions asked for; the model has 1 to " +
                                     std::to_string(list.config.max_positions));
  const Plan plan = make_plan(list, context, model.kv_type());
  if (!json) {
    print_head(path, list);
    print_plan(plan);
    flush_text();
  }
  std::exception_ptr error;
  std::string message;
  try {
    if (!quick) {
      model.packing = "2bit";  // codes are read, of all neurons
      model.keep_dead_neurons = true;
      add_contents(list, OpenedModel(model).loaded);
    }
    if (quick) print_warnings(list.warnings);
  } catch (const Error& e) {
    error = std::current_exception();
    message = e.what();
  }
  if (json) {
    print_json(path, list, plan, message);
  } else {
    print_tensors(list);
  }
  flush_text();
  if (error) std::rethrow_exception(error);
  return 0;
}

}  // namespace bitnet::cli
