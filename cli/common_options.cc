// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/common_options.h"

#include <algorithm>

#include "bitnet/base/error.h"
#include "bitnet/base/isa.h"
#include "bitnet/generate/layout_probe.h"
#include "bitnet/generate/session.h"
#include "bitnet/generate/tokenizer/pre_tokenizer.h"
#include "bitnet/runtime/machine_limits.h"
#include "cli/command_line.h"
#include "cli/format.h"
#include "cli/model_path.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr std::int64_t kDefaultContext = 4096;
constexpr const char* kReading = "How to read what a file leaves open";

LoadedModel load(const std::string& path, const ModelOptions& options, TernaryPacking packing,
                 Runtime& runtime) {
  Progress progress("loading");
  OpenOptions open = options.open_options();
  open.packing = packing;
  open.progress = [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); };
  return open_model(path, open, runtime);
}

}  // namespace

void ModelOptions::add_model(CLI::App& app) {
  app.add_option("-m,--model", model,
                 "GGUF file or Hugging Face folder (default: the model that comes with the tool)")
      ->envname("BITNET_MODEL")
      ->type_name("PATH");
}

void ModelOptions::add_threads(CLI::App& app) {
  app.add_option("-t,--threads", threads,
                 "Threads to compute with (default: what 'bitnet tune' found best, or all CPUs)")
      ->envname("BITNET_THREADS")
      ->check(CLI::Range(0, ThreadPool::kMaxThreads))
      ->type_name("N");
}

void ModelOptions::add_speed(CLI::App& app) {
  head = "screened";
  app.add_option(
         "--head", head,
         "How the likeliest tokens are found: screened (a sketch of the head says which rows "
         "to compute; same result, faster) or full (all rows, less memory)")
      ->check(CLI::IsMember({"screened", "full"}))
      ->type_name("HOW")
      ->capture_default_str();
  app.add_option(
         "--packing", packing,
         "Ternary weights in memory: 2bit, 1.6bit, or auto (what 'bitnet tune' found faster "
         "on this machine, or a short measurement does); same result")
      ->check(CLI::IsMember({"auto", "2bit", "1.6bit"}))
      ->type_name("HOW")
      ->capture_default_str();
}

void ModelOptions::add_kv(CLI::App& app) {
  app.add_option(
         "--kv", kv,
         "Numbers of the KV cache: f32, or with less memory and other results bf16 (a half) "
         "or int8 (a quarter); 'bitnet perplexity --kv' shows what that costs")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->type_name("TYPE")
      ->capture_default_str();
}

void ModelOptions::add_overrides(CLI::App& app) {
  app.add_option("--activation", activation, "Activation function: relu2 or silu")
      ->check(CLI::IsMember({"relu2", "silu"}))
      ->type_name("NAME")
      ->group(kReading);
  app.add_option("--scale-meaning", scale_meaning,
                 "Whether stored weight scales multiply or divide")
      ->check(CLI::IsMember({"multiply", "divide"}))
      ->type_name("NAME")
      ->group(kReading);
  app.add_option("--i2s-layout", i2s_layout, "Byte layout of I2_S tensors: x86, arm or rows4")
      ->check(CLI::IsMember({"x86", "arm", "rows4"}))
      ->type_name("NAME")
      ->group(kReading);
  app.add_option("--pre-tokenizer", pre_tokenizer, "Pre-tokenizer of a GGUF file (llama-bpe, …)")
      ->type_name("NAME")
      ->group(kReading);
}

std::string ModelOptions::path() const { return model_path(model); }

TernaryPacking ModelOptions::ternary_packing() const {
  if (packing == "2bit") return TernaryPacking::block128;
  return packing == "1.6bit" ? TernaryPacking::lookup : TernaryPacking::automatic;
}

KvType ModelOptions::kv_type() const { return kv_type_from_name(kv).value_or(KvType::f32); }

OpenOptions ModelOptions::open_options() const {
  OpenOptions open;
  open.overrides.activation = activation_from_name(activation);
  if (!scale_meaning.empty())
    open.overrides.scale_meaning =
        scale_meaning == "divide" ? ScaleMeaning::divide : ScaleMeaning::multiply;
  open.i2s_layout = i2s_layout_from_name(i2s_layout);
  open.pre_tokenizer = pre_tokenizer;
  open.packing = ternary_packing();
  open.keep_dead_neurons = keep_dead_neurons;
  return open;
}

void add_draft(CLI::App& app, std::int64_t& most) {
  app.add_option("--draft", most,
                 "Most tokens to guess from what the text repeats and to check in one step; same "
                 "text, faster where it repeats itself (0: none)")
      ->check(CLI::Range(std::int64_t{0}, GenerateOptions::kMaxDraft))
      ->type_name("N")
      ->capture_default_str();
}

void add_sampling(CLI::App& app, SamplingOptions& o) {
  constexpr const char* kGroup = "Sampling";
  const auto add = [&](const char* name, auto& value, const char* help, const char* type) {
    app.add_option(name, value, help)->type_name(type)->group(kGroup)->capture_default_str();
  };
  add("--temp", o.temperature, "Temperature; 0 always takes the likeliest token", "T");
  add("--top-k", o.top_k, "Keep the K likeliest tokens; 0: all", "K");
  add("--top-p", o.top_p, "Keep the likeliest that add up to P; 1: all", "P");
  add("--min-p", o.min_p, "Keep those at least P times as likely as the best; 0: all", "P");
  add("--repeat-penalty", o.repeat_penalty, "Above 1: recent tokens become less likely", "X");
  add("--repeat-last-n", o.repeat_last_n, "How many tokens are recent; -1: all", "N");
  add("-s,--seed", o.seed, "The same seed gives the same text on every machine", "N");
}

void check_sampling(const SamplingOptions& options) {
  try {
    validate(options);
  } catch (const Error& e) {
    throw UsageError(e.what());
  }
}

OpenedModel::OpenedModel(const ModelOptions& options)
    : path(options.path()),
      speed(speed_choice(options)),
      runtime(speed.threads),
      loaded([&] {
        const Stopwatch watch;
        LoadedModel model = load(path, options, speed.packing, runtime);
        load_seconds = watch.seconds();
        return model;
      }()),
      decoder(loaded.config, loaded.weights, runtime.context()) {
  speed.apply(decoder);
  try {
    decoder.read_rows_from(loaded.source);
    if (options.head == "screened") decoder.screen_head();
  } catch (const Error& error) {
    if (error.code() != Errc::out_of_memory) throw;  // without a sketch it works too
  }
  if (!stored_tuning().ignored.empty()) print_warnings({not_used(stored_tuning())});
  print_warnings(loaded.warnings);
}

void write_profile(ProfileFile& profile, OpenedModel& model, Facts facts) {
  if (!profile.wanted()) return;
  Facts all{{"model", model.path},
            {"shape", describe(model.config())},
            {"machine", isa::cpu_name()},
            {"compute", model.runtime.context().table->name},
            {"threads", std::to_string(model.runtime.threads().size())}};
  all.insert(all.end(), facts.begin(), facts.end());
  profile.write(measure_machine_limits(model.runtime.threads()), std::move(all));
}

Tokenizer tokenizer_of(const std::string& path, const ModelOptions& options) {
  if (!path.ends_with(".json") && !has_tokenizer(path))
    fail(Errc::unsupported, path + ": the model has no tokenizer; give token ids (--ids 1,2,3)");
  return open_tokenizer(path, options.open_options());
}

std::int64_t context_size(std::int64_t asked, const ModelConfig& config) {
  return asked > 0 ? asked : std::min(config.max_positions, kDefaultContext);
}

std::int64_t parameter_count(const ModelConfig& config) {
  std::int64_t layer = 0;
  for (const Linear which : kLinears) {
    const Shape shape = shape_of(which, config);
    layer += shape[0] * shape[1];
  }
  return config.num_layers * layer +
         (config.tied_head ? 1 : 2) * config.vocab_size * config.hidden_size;
}

std::string describe(const ModelConfig& c) {
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  const double millions = static_cast<double>(parameter_count(c)) / 1e6;
  return c.architecture + ", " +
         (millions < 1000 ? fixed(millions, 1) + " M" : fixed(millions / 1000, 2) + " G") +
         " parameters, " + number(c.num_layers) + " layers of " + number(c.hidden_size) + "/" +
         number(c.intermediate_size) + ", " + number(c.num_heads) + "/" + number(c.num_kv_heads) +
         " heads of " + number(c.head_dim) + ", vocabulary " + number(c.vocab_size) + ", " +
         std::string(to_string(c.activation));
}

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings)
    print_error_text("bitnet: warning: " + warning + "\n");
}

}  // namespace bitnet::cli
