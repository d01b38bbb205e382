// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet perplexity: how well a model predicts a text.
#include "bitnet/generate/perplexity.h"

#include <algorithm>
#include <optional>

#include "bitnet/io/npy.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/format.h"
#include "cli/memory_publisher.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Measures the mean negative log-likelihood (nats a token) and the perplexity, its "
    "exponential,\n"
    "of a text. The text is read in windows, each from an empty context; the figures have the "
    "same\n"
    "bits on every machine. With --kv bf16 or int8 the text is read with an f32 cache too, and "
    "both\n"
    "are shown: what the smaller cache costs.";
constexpr const char* kExamples =
    "  bitnet perplexity -m model.gguf --file wiki.test.raw\n"
    "  bitnet perplexity -m folder --tokens ids.npy --window 512 --json\n"
    "  bitnet perplexity -m model.gguf --file wiki.test.raw --kv int8      beside a cache of f32";

constexpr std::int64_t kDefaultWindow = 1024;

template <class T>
std::vector<std::int32_t> narrow(const NpyFile& file) {
  const std::vector<T> values = file.values<T>();
  std::vector<std::int32_t> ids(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::in_range<std::int32_t>(values[i]))
      fail(Errc::invalid_argument, file.source().name() + ": element " + std::to_string(i) +
                                       " is " + std::to_string(values[i]) + ", not a token id");
    ids[i] = static_cast<std::int32_t>(values[i]);
  }
  return ids;
}

std::vector<std::int32_t> read_tokens(const std::string& path) {
  const NpyFile file(path);
  switch (file.dtype()) {
    case DType::u16:
      return narrow<std::uint16_t>(file);
    case DType::i32:
      return narrow<std::int32_t>(file);
    case DType::i64:
      return narrow<std::int64_t>(file);
    default:
      fail(Errc::unsupported,
           path + ": token ids are u16, i32 or i64, not " + std::string(info(file.dtype()).name));
  }
}

Perplexity measure(OpenedModel& model, std::span<const std::int32_t> ids, std::int64_t window,
                   KvType kv) {
  Progress progress("measuring, " + std::string(to_string(kv)) + " cache");
  return perplexity(model.decoder, ids, window, kv, [&](std::int64_t done, std::int64_t total) {
    progress.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
  });
}

struct Result {
  Perplexity p;
  KvType kv;
  std::optional<Perplexity> exact;  // with a cache of f32, where kv is another
  std::int64_t window;
  double rate;  // tokens a second, of p

  // How many times that of f32.
  double ratio() const { return p.ppl / exact->ppl; }
};

void print_json(const Result& r) {
  JsonWriter out;
  out.begin_object().member("nll", r.p.nll).member("ppl", r.p.ppl);
  out.member("first_window_nll", r.p.first_window_nll).member("window", r.window);
  out.member("kv", to_string(r.kv));
  if (r.exact)
    out.member("f32_nll", r.exact->nll).member("f32_ppl", r.exact->ppl).member("ratio", r.ratio());
  out.member("tokens", r.p.tokens).member("tokens_per_second", r.rate).end_object();
  print_text(out.text());
}

void print_result(const Result& r) {
  const std::string cache = " with a KV cache of ";
  print_text("perplexity " + fixed(r.p.ppl, 6) +
             (r.exact ? cache + std::string(to_string(r.kv)) + "\n           " +
                            fixed(r.exact->ppl, 6) + cache + "f32; ratio " + fixed(r.ratio(), 6)
                      : "") +
             "\nnll        " + fixed(r.p.nll, 6) + " nats a token, first window " +
             fixed(r.p.first_window_nll, 6) + "\n");
  print_error_text(counted(r.p.tokens, "token") + " in windows of " + with_commas(r.window) + ", " +
                   fixed(r.rate, 0) + " tokens/s\n");
}

}  // namespace

int perplexity_main(int argc, const char* const* argv) {
  ModelOptions model_options;
  PromptOptions prompt;
  std::string tokens_file;
  std::int64_t window = 0;
  bool no_bos = false, json = false;
  CommandLine line("perplexity", kDescription, kExamples);
  model_options.add_model(line.app());
  prompt.add_to(line.app());
  line->add_option("--tokens", tokens_file, "Token ids instead of a text: u16, i32 or i64")
      ->type_name("FILE.npy")
      ->excludes(prompt.text_option)
      ->excludes(prompt.file_option);
  line->add_option("-w,--window", window,
                   "Tokens of a window (default: 1024, or the model's maximum where that is less)")
      ->check(integer_from(1))
      ->type_name("N");
  model_options.add_threads(line.app());
  model_options.add_kv(line.app());
  line->add_flag("--no-bos", no_bos, "Do not begin the text with the begin-of-text token");
  line->add_flag("--json", json, "Print one JSON object");
  model_options.add_overrides(line.app());
  if (!line.parse(argc, argv)) return 0;
  const MemoryPublisher publisher;

  const std::vector<std::int32_t> ids = tokens_file.empty()
                                            ? tokenizer_of(model_options.path(), model_options)
                                                  .encode(prompt.read(), {.add_special = !no_bos})
                                            : read_tokens(tokens_file);
  OpenedModel model(model_options);
  if (window == 0) window = std::min(kDefaultWindow, model.config().max_positions);
  const KvType kv = model_options.kv_type();
  const Stopwatch watch;
  Result result{measure(model, ids, window, kv), kv, {}, window, 0};
  result.rate = static_cast<double>(result.p.tokens) / watch.seconds();
  if (kv != KvType::f32) result.exact = measure(model, ids, window, KvType::f32);
  model.loaded.source->check_intact();
  json ? print_json(result) : print_result(result);
  return 0;
}

}  // namespace bitnet::cli
