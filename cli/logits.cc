// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet logits: what a model says of every token, as NumPy files.
#include <algorithm>
#include <optional>

#include "bitnet/io/npy.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/format.h"
#include "cli/model_path.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Writes the logits of every token of a text to a NumPy file, float32 [tokens, vocabulary];\n"
    "with --hidden also the hidden states, float32 [layers + 1, tokens, hidden]: the embedding,\n"
    "then the output of each layer, the last one after the final norm. The bits are the same on\n"
    "every machine.";
constexpr const char* kExamples =
    "  bitnet logits -p 'river' --out logits.npy\n"
    "  bitnet logits -m folder --ids 1,42,7 --out logits.npy --hidden hidden.npy";

struct Options {
  ModelOptions model;
  PromptOptions prompt;
  std::string ids, out, hidden;
  bool no_bos = false;
};

// Gathers the residual stream of one text.
class HiddenStates final : public ForwardObserver {
 public:
  HiddenStates(const ModelConfig& config, std::int64_t tokens)
      : tokens_(tokens),
        hidden_(config.hidden_size),
        layers_(config.num_layers),
        values_(static_cast<std::size_t>((layers_ + 1) * tokens * hidden_)) {}

  void begin_chunk(std::int64_t first_token) noexcept { first_ = first_token; }
  void on_hidden(std::int64_t layer, MatrixView<const float> hidden) override {
    for (std::int64_t t = 0; t < hidden.rows; ++t)
      std::copy_n(hidden.row(t), hidden_,
                  values_.data() + ((layer + 1) * tokens_ + first_ + t) * hidden_);
  }
  /// The last layer again, normalized.
  void on_normalized(MatrixView<const float> hidden) { on_hidden(layers_ - 1, hidden); }

  void write(const std::string& path) const {
    const Shape shape{layers_ + 1, tokens_, hidden_};
    write_npy(path, {DType::f32, shape, std::as_bytes(std::span(values_)).data()});
  }

 private:
  std::int64_t tokens_, hidden_, layers_, first_ = 0;
  std::vector<float> values_;
};

std::vector<std::int32_t> read_ids(const Options& o, const std::string& path) {
  if (!o.ids.empty()) return parse_ids(o.ids);
  return tokenizer_of(path, o.model).encode(o.prompt.read(), {.add_special = !o.no_bos});
}

}  // namespace

int logits_main(int argc, const char* const* argv) {
  Options o;
  CommandLine line("logits", kDescription, kExamples);
  o.model.add_model(line.app());
  o.prompt.add_to(line.app());
  line->add_option("--ids", o.ids, "Token ids instead of a text")
      ->type_name("1,2,3")
      ->excludes(o.prompt.text_option)
      ->excludes(o.prompt.file_option);
  line->add_option("-o,--out", o.out, "Where the logits go")->type_name("FILE.npy");
  line->add_option("--hidden", o.hidden, "Where the hidden states go")->type_name("FILE.npy");
  o.model.add_threads(line.app());
  o.model.add_kv(line.app());
  line->add_flag("--no-bos", o.no_bos, "Do not begin with the begin-of-text token");
  o.model.add_overrides(line.app());
  if (!line.parse(argc, argv)) return 0;
  if (o.out.empty() && o.hidden.empty())
    throw UsageError("nothing to write: say --out FILE.npy or --hidden FILE.npy");

  const std::vector<std::int32_t> ids = read_ids(o, o.model.path());
  OpenedModel model(o.model);
  const ModelConfig& config = model.config();
  const auto tokens = static_cast<std::int64_t>(ids.size());
  KvCache cache(config, tokens, o.model.kv_type());
  std::optional<HiddenStates> hidden;
  if (!o.hidden.empty()) hidden.emplace(config, tokens);
  std::vector<float> logits;
  if (!o.out.empty()) logits.resize(ids.size() * static_cast<std::size_t>(config.vocab_size));

  Progress progress("computing");
  for (std::int64_t at = 0; at < tokens; at += Decoder::kPromptChunk) {
    const std::int64_t count = std::min(Decoder::kPromptChunk, tokens - at);
    if (hidden) hidden->begin_chunk(at);
    const auto out = model.decoder.forward(
        std::span(ids).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count)),
        cache, hidden ? &*hidden : nullptr);
    if (hidden) hidden->on_normalized(out);
    if (!logits.empty())
      model.decoder.logits(out, {logits.data() + at * config.vocab_size, count, config.vocab_size,
                                 config.vocab_size});
    progress.update(static_cast<std::uint64_t>(at + count), static_cast<std::uint64_t>(tokens));
  }
  model.loaded.source->check_intact();
  if (!o.out.empty()) {
    const Shape shape{tokens, config.vocab_size};
    write_npy(o.out, {DType::f32, shape, std::as_bytes(std::span(logits)).data()});
  }
  if (hidden) hidden->write(o.hidden);
  return 0;
}

}  // namespace bitnet::cli
