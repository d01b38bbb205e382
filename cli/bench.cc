// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet bench: how fast, and how near to what this machine can do.
#include <algorithm>

#include "bitnet/base/isa.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/model/dead_neurons.h"
#include "bitnet/model/memory_plan.h"
#include "bitnet/model/random_model.h"
#include "bitnet/runtime/machine_limits.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/format.h"
#include "cli/memory_publisher.h"
#include "cli/profile_file.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Measures prefill (reading a prompt) and decode (writing, token by token), each from an empty\n"
    "context: the median of the repeats, with the slowest and the fastest. Decode reads all "
    "weights\n"
    "for every token, so memory bounds it; prefill is bound by 8-bit products. Both limits are\n"
    "measured on this machine, on the same threads, and the figures are shown as a part of them.\n"
    "With --batch texts are also written side by side: one reading of the weights for all of them.";
constexpr const char* kExamples =
    "  bitnet bench                             the model that comes with the tool\n"
    "  bitnet bench -m model.gguf -t 4\n"
    "  bitnet bench --shape 2b4t                random weights in the shape of BitNet b1.58 2B4T\n"
    "  bitnet bench --shape 2b4t --decode 32 --batch 8      eight texts at once\n"
    "  bitnet bench --shape 8b --prefill 512 --decode 16 --repeat 1 --json\n"
    "  bitnet bench --shape 2b4t --prefill 128 --profile 2b4t.html    op by op, on a page";

struct Options {
  ModelOptions model;
  ProfileFile profile;
  std::string shape;
  std::vector<std::int64_t> prefill{128, 512}, decode{64}, batch;
  int repeat = 3;
  std::uint64_t seed = 1;
  bool json = false;
};

struct Measurement {
  const char* kind;           // "prefill", "decode"
  std::int64_t tokens;        // of each text
  std::int64_t texts;         // read or written at once
  KvType kv;                  // of the cache
  std::vector<double> rates;  // tokens a second, of all texts together, ascending

  double median() const {
    const std::size_t n = rates.size();
    return (rates[(n - 1) / 2] + rates[n / 2]) / 2;
  }
};

struct Machine {
  profile::Roof limits;
  std::string op_table;
  int threads;
  std::uint64_t peak_bytes;
  SpeedChoice speed;
  std::string packing;  // of the matrices as they are
};

// What a token costs.
struct Cost {
  double weight_bytes;  // packed weights, scales and norms not counted
  double likely_bytes;  // what is read of the head for the likeliest token: of a screened head the
                        // sketch; the rows that are read beside it are some thousandths
  std::int64_t removed_neurons;
  double prefill_ops;  // ternary products and additions

  explicit Cost(const Decoder& decoder)
      : weight_bytes(static_cast<double>(ternary_bytes(decoder.weights()))),
        likely_bytes(static_cast<double>(decoder.head_screen()
                                             ? decoder.head_screen()->sketch_bytes()
                                             : decoder.weights().head.size_bytes())),
        removed_neurons(bitnet::removed_neurons(decoder.config(), decoder.weights())),
        prefill_ops(2 * static_cast<double>(ternary_weights(decoder.config()) -
                                            3 * decoder.config().hidden_size * removed_neurons)) {}

  double decode_bytes() const { return weight_bytes + likely_bytes; }
  // Bytes of a written token, operations of a token that is read.
  double of(const Measurement& m) const;
};

bool is_decode(const Measurement& m) { return m.kind[0] == 'd'; }

// "decode 64", "decode 64 x 8", "decode 64, int8 cache"
std::string name(const Measurement& m) {
  return std::string(m.kind) + " " + std::to_string(m.tokens) +
         (m.texts > 1 ? " x " + std::to_string(m.texts) : "") +
         (m.kv != KvType::f32 ? ", " + std::string(to_string(m.kv)) + " cache" : "");
}

double Cost::of(const Measurement& m) const {
  if (!is_decode(m)) return prefill_ops;
  return decode_bytes() / static_cast<double>(m.texts);  // texts side by side share them
}

class Bench {
 public:
  Bench(Decoder& decoder, const Options& options)
      : decoder_(decoder),
        options_(options),
        logits_(static_cast<std::size_t>(decoder.config().vocab_size)) {}

  // Up to the likeliest next token.
  Measurement prefill(std::int64_t tokens) {
    finish_sketch();
    return measure("prefill", tokens, 1, [&](std::vector<KvCache>& caches) {
      const std::vector<std::int32_t> ids = prompt(tokens);
      caches[0].reserve(tokens);
      for (std::int64_t at = 0; at < tokens; at += Decoder::kPromptChunk) {
        const auto count = std::min(Decoder::kPromptChunk, tokens - at);
        const auto hidden = decoder_.forward(
            std::span(ids).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count)),
            caches[0]);
        if (at + count == tokens)
          decoder_.top_logits(hidden.rows_from(count - 1, 1), 1, {}, logits_);
      }
    });
  }

  Measurement decode(std::int64_t tokens) {
    finish_sketch();
    return measure("decode", tokens, 1, [&](std::vector<KvCache>& caches) {
      for (const std::int32_t id : prompt(tokens))
        decoder_.top_logits(decoder_.forward({&id, 1}, caches[0]), 1, {}, logits_);
    });
  }

  // `texts` texts of as many tokens, one token of each in a step.
  Measurement batch(std::int64_t tokens, std::int64_t texts) {
    finish_sketch();
    const std::int64_t vocab = decoder_.config().vocab_size;
    logits_.resize(static_cast<std::size_t>(texts * vocab));
    const std::vector<WantedLogits> likeliest(static_cast<std::size_t>(texts));
    const std::vector<std::int32_t> ids = prompt(tokens * texts);
    Measurement m = measure("decode", tokens, texts, [&](std::vector<KvCache>& caches) {
      for (std::int64_t at = 0; at < tokens; ++at) {
        std::vector<TextPart> parts;
        for (KvCache& cache : caches)
          parts.push_back(
              {std::span(ids).subspan(static_cast<std::size_t>(at * texts) + parts.size(), 1),
               &cache});
        decoder_.top_logits(decoder_.forward(parts), likeliest,
                            {logits_.data(), texts, vocab, vocab});
      }
    });
    logits_.resize(static_cast<std::size_t>(vocab));
    return m;
  }

 private:
  std::vector<std::int32_t> prompt(std::int64_t tokens) const {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens));
    for (std::size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<std::int32_t>((i * 7919 + options_.seed) %
                                         static_cast<std::uint64_t>(decoder_.config().vocab_size));
    return ids;
  }

  // The first tokens of a process make the head's sketch.
  void finish_sketch() {
    const HeadScreen* screen = decoder_.head_screen();
    if (!screen) return;
    KvCache cache(decoder_.config(), 1);
    const std::int32_t id = 0;
    const auto hidden = decoder_.forward({&id, 1}, cache);
    while (screen->sketched_rows() < decoder_.config().vocab_size)
      decoder_.top_logits(hidden, 1, {}, logits_);
  }

  // One run ahead of the clock: pages, caches and working memory are as in a long run then.
  template <class Work>
  Measurement measure(const char* kind, std::int64_t tokens, std::int64_t texts, const Work& work) {
    const KvType kv = options_.model.kv_type();
    Measurement m{kind, tokens, texts, kv, {}};
    std::vector<KvCache> caches;
    for (std::int64_t i = 0; i < texts; ++i) caches.emplace_back(decoder_.config(), tokens, kv);
    Progress progress(name(m));
    const auto rounds = static_cast<std::uint64_t>(options_.repeat) + 1;
    for (std::uint64_t i = 0; i < rounds; ++i) {
      for (KvCache& cache : caches) cache.clear();
      const Stopwatch watch;
      work(caches);
      if (i > 0) m.rates.push_back(static_cast<double>(tokens * texts) / watch.seconds());
      progress.update(i + 1, rounds);
    }
    std::sort(m.rates.begin(), m.rates.end());
    return m;
  }

  Decoder& decoder_;
  const Options& options_;
  std::vector<float> logits_;
};

// 0 where the machine's limit is not known.
double part_of_limit(const Measurement& m, const Cost& cost, const profile::Roof& limits) {
  const double limit = is_decode(m) ? limits.read_bytes_per_second : limits.int8_ops_per_second;
  const double used = m.median() * cost.of(m);
  return limit > 0 ? used / limit : 0.0;
}

std::string rate(double value) { return fixed(value, value < 100 ? 2 : 0); }

// "2bit", "1.6bit", or both where some matrices cannot be moved.
std::string packing_of(const Weights& weights) {
  bool codes = false, tiles = false;
  for (const LayerWeights& layer : weights.layers)
    for (const TernaryMatrix& m : layer.linears) (m.codes.defined() ? codes : tiles) = true;
  return std::string(codes ? "2bit" : "") + (codes && tiles ? ", " : "") + (tiles ? "1.6bit" : "");
}

// "2 threads (tuned: 1 to write)"
std::string threads_text(const Machine& m) {
  const SpeedChoice& s = m.speed;
  const bool apart = s.decode_threads != s.prompt_threads;
  return counted(m.threads, "thread") + " (" + s.threads_from +
         (apart ? ": " + std::to_string(s.decode_threads) + " to write, " +
                      std::to_string(s.prompt_threads) + " to read prompts"
                : "") +
         ")";
}

void print_results(const std::vector<Measurement>& results, const ModelConfig& config,
                   const Cost& cost, const Machine& machine) {
  const profile::Roof& limits = machine.limits;
  print_text("model     " + config.source + "\n          " + describe(config) + "\nmachine   " +
             isa::cpu_name() + ", " + machine.op_table + ", " + threads_text(machine) +
             "\npacking   " + machine.packing + " (" + machine.speed.packing_from +
             ")\nlimits    reads " + fixed(limits.read_bytes_per_second / 1e9, 1) + " GB/s" +
             (limits.int8_ops_per_second > 0
                  ? ", " + fixed(limits.int8_ops_per_second / 1e12, 2) + " T int8 operations/s"
                  : "") +
             "\n\n");
  Table table({"", "tokens/s", "slowest", "fastest", "of the limit", ""}, {1, 2, 3, 4});
  bool from_caches = false;
  for (const Measurement& m : results) {
    const double part = part_of_limit(m, cost, limits);
    from_caches = from_caches || (is_decode(m) && part > 1);
    const double used = m.median() * cost.of(m);
    table.add({name(m), rate(m.median()), rate(m.rates.front()), rate(m.rates.back()),
               part > 0 ? fixed(100 * part, 1) + " %" : "not known",
               is_decode(m) ? fixed(used / 1e9, 1) + " GB/s of weights"
                            : fixed(used / 1e12, 2) + " T operations/s"});
  }
  print_text(table.text());
  print_text("\nroofline  a token reads " +
             bytes_in_words(static_cast<std::uint64_t>(cost.decode_bytes())) +
             " of weights: decode " + rate(limits.read_bytes_per_second / cost.decode_bytes()) +
             " tokens/s at most from memory" +
             (limits.int8_ops_per_second > 0
                  ? "; prefill " + rate(limits.int8_ops_per_second / cost.prefill_ops) + " at most"
                  : "") +
             (cost.removed_neurons > 0
                  ? "\n          dead neurons left out: " + with_commas(cost.removed_neurons)
                  : "") +
             (from_caches ? "\n          decode is faster than that: the weights stay in the caches"
                          : "") +
             "\nmemory    peak " + bytes_in_words(machine.peak_bytes) + "\n");
}

void print_json(const std::vector<Measurement>& results, const ModelConfig& config,
                const Cost& cost, const Machine& machine) {
  JsonWriter json;
  json.begin_object().member("model", config.source).member("cpu", isa::cpu_name());
  json.member("compute", machine.op_table).member("threads", machine.threads);
  json.member("threads_from", machine.speed.threads_from);
  json.member("packing", machine.packing).member("packing_from", machine.speed.packing_from);
  json.member("read_bytes_per_second", machine.limits.read_bytes_per_second);
  json.member("int8_ops_per_second", machine.limits.int8_ops_per_second);
  json.member("bytes_per_token", cost.decode_bytes()).member("ops_per_token", cost.prefill_ops);
  json.member("removed_neurons", cost.removed_neurons);
  json.member("peak_memory_bytes", machine.peak_bytes);
  json.key("results").begin_array();
  for (const Measurement& m : results) {
    json.begin_object().member("kind", m.kind).member("tokens", m.tokens);
    json.member("texts", m.texts).member("kv", to_string(m.kv));
    json.member("tokens_per_second", m.median()).member("min", m.rates.front());
    json.member("max", m.rates.back()).member("repeats", std::uint64_t{m.rates.size()});
    json.member("part_of_limit", part_of_limit(m, cost, machine.limits)).end_object();
  }
  print_text(json.end_array().end_object().text());
}

ModelConfig shape_named(const std::string& name) {
  if (const auto config = model_shape(name)) return *config;
  std::vector<std::string> names;
  std::string list;
  for (const std::string_view known : model_shape_names()) {
    names.emplace_back(known);
    list += (list.empty() ? "" : ", ") + names.back();
  }
  throw UsageError("no shape '" + printable(name) + "'" + did_you_mean(name, names) +
                   "\nshapes: " + list);
}

LoadedModel make_model(const ModelConfig& config, std::uint64_t seed, ThreadPool& threads) {
  Progress progress("making weights");
  return random_model(
      config, seed, threads, default_pool(), [&](std::int64_t done, std::int64_t total) {
        progress.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
      });
}

void add_options(CommandLine& line, Options& o) {
  o.model.add_model(line.app());
  line->add_option("--shape", o.shape,
                   "Random weights instead of a model: 2b4t, 700m, 3b, 8b, falcon3-1b, falcon3-3b, "
                   "falcon3-7b, falcon3-10b")
      ->type_name("NAME");
  o.model.add_threads(line.app());
  o.model.add_speed(line.app());
  o.model.add_kv(line.app());
  const auto sizes = [&](const char* name, std::vector<std::int64_t>& values, const char* help) {
    return line->add_option(name, values, help)
        ->delimiter(',')
        ->expected(1, 64)
        ->check(integer_from(1))
        ->type_name("N,N")
        ->capture_default_str();
  };
  sizes("--prefill", o.prefill, "Prompts to read, in tokens");
  sizes("--decode", o.decode, "Texts to write, in tokens");
  sizes("--batch", o.batch, "How many texts to write at once as well, each as --decode says")
      ->check(CLI::Range(std::int64_t{1}, Decoder::kMaxChunk));
  line->add_option("--repeat", o.repeat, "How often each is measured")
      ->check(integer_from(1))
      ->type_name("N")
      ->capture_default_str();
  line->add_option("-s,--seed", o.seed, "Seed of random weights")->type_name("N");
  o.profile.add_to(line.app());
  line->add_flag("--json", o.json, "Print one JSON object");
  o.model.add_overrides(line.app());
}

void measure_and_print(Options& o, Decoder& decoder, Runtime& runtime, const SpeedChoice& speed) {
  Bench bench(decoder, o);
  std::vector<Measurement> results;
  o.profile.start();
  for (const std::int64_t tokens : o.prefill) results.push_back(bench.prefill(tokens));
  for (const std::int64_t tokens : o.decode) results.push_back(bench.decode(tokens));
  for (const std::int64_t texts : o.batch)
    for (const std::int64_t tokens : o.decode) results.push_back(bench.batch(tokens, texts));
  o.profile.stop();
  const std::uint64_t peak = os::memory_info().peak_resident_bytes;  // before the limits' buffer
  const Machine machine{measure_machine_limits(runtime.threads()),
                        runtime.context().table->name,
                        runtime.threads().size(),
                        peak,
                        speed,
                        packing_of(decoder.weights())};
  const Cost cost(decoder);
  (o.json ? print_json : print_results)(results, decoder.config(), cost, machine);
  o.profile.write(machine.limits, {{"model", decoder.config().source},
                                   {"shape", describe(decoder.config())},
                                   {"machine", isa::cpu_name()},
                                   {"compute", machine.op_table},
                                   {"threads", std::to_string(machine.threads)}});
}

}  // namespace

int bench_main(int argc, const char* const* argv) {
  Options o;
  CommandLine line("bench", kDescription, kExamples);
  add_options(line, o);
  if (!line.parse(argc, argv)) return 0;
  o.profile.open();
  const MemoryPublisher publisher;
  if (o.shape.empty()) {
    OpenedModel model(o.model);
    measure_and_print(o, model.decoder, model.runtime, model.speed);
    model.loaded.source->check_intact();
    return 0;
  }
  const ModelConfig config = shape_named(o.shape);
  const SpeedChoice speed = speed_choice(o.model);
  Runtime runtime(speed.threads);
  LoadedModel model = make_model(config, o.seed, runtime.threads());
  pack_weights(model, runtime.context(), speed.packing);
  Decoder decoder(config, model.weights, runtime.context());
  speed.apply(decoder);
  if (o.model.head == "screened") decoder.screen_head();
  measure_and_print(o, decoder, runtime, speed);
  return 0;
}

}  // namespace bitnet::cli
