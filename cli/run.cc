// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet run: completes a text, or a list of token ids.
#include <memory>
#include <optional>

#include "bitnet/base/os/memory.h"
#include "bitnet/generate/session.h"
#include "bitnet/generate/tokenizer/utf8_stream.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/figures.h"
#include "cli/format.h"
#include "cli/memory_publisher.h"
#include "cli/model_path.h"
#include "cli/profile_file.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Completes a text. The new text goes to standard output, figures to standard error.\n"
    "Greedy by default: the same text every time, on every machine, with any number of threads.\n"
    "The model that comes with the tool is a dictionary: it writes the entry of a word that "
    "stands\n"
    "on a line of its own, so a missing newline after the prompt is added for it.";
constexpr const char* kExamples =
    "  bitnet run -p river                        the dictionary's entry for a word\n"
    "  bitnet run -m model.gguf -p 'Once upon a time' -n 64\n"
    "  bitnet run -m model.gguf -f prompt.txt --temp 0.8 --seed 7\n"
    "  bitnet run -m folder --ids 1,42,7 -n 16    ids in, ids out; needs no tokenizer\n"
    "  echo river | bitnet run --json             one JSON object (-f - reads it too)\n"
    "  bitnet run -p river --profile river.html   where the time went, as a page";

struct Options {
  ModelOptions model;
  PromptOptions prompt;
  SamplingOptions sampling;
  ProfileFile profile;
  std::string ids;
  std::int64_t max_tokens = -1, context = 0, draft = 0;
  bool ignore_eos = false, no_bos = false, verbose = false, json = false, no_perf = false;

  bool with_ids() const { return !ids.empty(); }
};

void add_options(CommandLine& line, Options& o) {
  o.model.add_model(line.app());
  o.prompt.add_to(line.app());
  line->add_option("--ids", o.ids, "Token ids instead of a text; prints the new ids")
      ->type_name("1,2,3")
      ->excludes(o.prompt.text_option)
      ->excludes(o.prompt.file_option);
  line->add_option("-n,--predict", o.max_tokens,
                   "Most tokens to write (default -1: until the model stops)")
      ->check(integer_from(-1))
      ->type_name("N");
  line->add_option("-c,--ctx-size", o.context,
                   "Room for tokens, prompt included (default: the model's maximum, at most 4096)")
      ->check(integer_from(1))
      ->type_name("N");
  o.model.add_threads(line.app());
  o.model.add_speed(line.app());
  o.model.add_kv(line.app());
  add_draft(line.app(), o.draft);
  line->add_flag("--ignore-eos", o.ignore_eos, "Go on after a stop token");
  line->add_flag("--no-bos", o.no_bos, "Do not begin with the begin-of-text token");
  line->add_flag("--json", o.json, "Print one JSON object instead of text");
  line->add_flag("--no-perf", o.no_perf, "Print no figures");
  o.profile.add_to(line.app());
  line->add_flag("-v,--verbose", o.verbose, "Say what is loaded and how it computes");
  add_sampling(line.app(), o.sampling);
  o.model.add_overrides(line.app());
}

// Writes tokens as they come: text, ids, or nothing (--json).
class Output {
 public:
  Output(const Options& options, const Tokenizer* tokenizer)
      : options_(options), tokenizer_(tokenizer) {}

  void token(std::int32_t id) {
    if (!tokenizer_) {
      emit((count_++ ? "," : "") + std::to_string(id));
    } else if (id < tokenizer_->size()) {  // a model's vocabulary may be padded
      emit(stream_.push(tokenizer_->token_bytes(id)));
    }
  }
  void finish() {
    if (tokenizer_) emit(stream_.flush());
    if (!options_.json && !text_.ends_with('\n')) print_text("\n");
    flush_text();
  }
  const std::string& text() const noexcept { return text_; }

 private:
  void emit(const std::string& text) {
    text_ += text;
    if (options_.json || text.empty()) return;
    print_text(text);
    flush_text();
  }

  const Options& options_;
  const Tokenizer* tokenizer_;
  Utf8Stream stream_;
  std::string text_;
  std::int64_t count_ = 0;
};

std::string prompt_text(const Options& o, const std::string& path) {
  std::string text = o.prompt.read();
  if (is_embedded_model(path) && !text.ends_with('\n')) text += '\n';
  return text;
}

void print_verbose(OpenedModel& model, std::int64_t context, KvType kv) {
  print_error_text("model     " + model.path + "\n          " + describe(model.config()) +
                   "\ncompute   " + model.runtime.context().table->name + ", " +
                   counted(model.runtime.threads().size(), "thread") + "\ncontext   " +
                   counted(context, "token") + ", " +
                   bytes_in_words(KvCache::byte_size(model.config(), context, kv)) + " in " +
                   std::string(to_string(kv)) + " when full\n");
}

void print_json(const Options& o, const Output& output, std::span<const std::int32_t> prompt,
                std::span<const std::int32_t> ids, const Figures& figures) {
  JsonWriter json;
  json.begin_object();
  if (!o.with_ids()) json.member("text", output.text());
  json.member("ids", ids).member("prompt_ids", prompt);
  json.member("stop", std::string(to_string(figures.stop)));
  figures.write(json);
  json.end_object();
  print_text(json.text());
}

}  // namespace

int run_main(int argc, const char* const* argv) {
  Options o;
  CommandLine line("run", kDescription, kExamples);
  add_options(line, o);
  if (!line.parse(argc, argv)) return 0;
  const MemoryPublisher publisher;
  check_sampling(o.sampling);

  // What can be refused at once is refused before the model is loaded.
  o.profile.open();
  const std::string path = o.model.path();
  std::optional<Tokenizer> tokenizer;
  std::vector<std::int32_t> prompt;
  if (o.with_ids()) {
    prompt = parse_ids(o.ids);
  } else {
    tokenizer = tokenizer_of(path, o.model);
    prompt = tokenizer->encode(prompt_text(o, path), {.add_special = !o.no_bos});
  }

  OpenedModel model(o.model);
  const std::int64_t context = context_size(o.context, model.config());
  if (o.verbose) print_verbose(model, context, o.model.kv_type());
  Session session(model.decoder, context, o.model.kv_type());
  Output output(o, tokenizer ? &*tokenizer : nullptr);
  GenerateOptions generate{o.sampling, o.max_tokens, {}, o.draft};
  if (!o.ignore_eos)
    generate.stop_tokens = stop_tokens(path, model.config(), tokenizer ? &*tokenizer : nullptr);

  Figures figures(model.load_seconds);
  std::vector<std::int32_t> ids;
  {
    const InterruptGuard interrupt;
    o.profile.start();
    complete(session, prompt, generate, figures, [&](std::int32_t id) {
      ids.push_back(id);
      output.token(id);
    });
    o.profile.stop();
  }
  output.finish();
  if (model.loaded.source) model.loaded.source->check_intact();
  if (o.json) print_json(o, output, prompt, ids, figures);
  if (!o.no_perf && !o.json) print_error_text(figures.line());
  write_profile(o.profile, model,
                {{"prompt", counted(figures.prompt_tokens, "token")},
                 {"text", counted(figures.new_tokens, "token")}});
  return 0;
}

}  // namespace bitnet::cli
