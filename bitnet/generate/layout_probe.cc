// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/layout_probe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bitnet/base/error.h"
#include "bitnet/generate/perplexity.h"

namespace bitnet {
namespace {

constexpr std::string_view kText =
    "dog\n1. (noun) a domestic animal that has been kept by man since prehistoric times.";

// 25 in the vocabularies at hand; a vocabulary that needs more loses nothing by reading less.
constexpr std::size_t kMaxTokens = 26;

// Below this part of ln(vocab) a text is understood: trained models read plain English at 2 to 6
// nats a token, chance is 8.7 (vocabulary of 6,144) to 11.8 (128,256).
constexpr double kUnderstood = 0.75;
constexpr double kClearlyBetter = 1.0;

struct Candidate {
  std::string_view name;
  PackedFormat format;
};
constexpr std::array kLayouts{Candidate{"x86", PackedFormat::i2_s_x86},
                              Candidate{"arm", PackedFormat::i2_s_arm},
                              Candidate{"rows4", PackedFormat::i2_s_act_parallel}};

double read_text(const LoadedModel& model, std::span<const std::int32_t> ids, Runtime& runtime,
                 HybridMemoryPool& pool) {
  Decoder decoder(model.config, model.weights, runtime.context(), pool);
  return perplexity(decoder, ids, static_cast<std::int64_t>(ids.size())).nll;
}

std::string in_words(double nll) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", nll);
  return text;
}

// The NLL under another layout; infinity where the file cannot be read that way.
double try_layout(const std::string& path, LoadOptions load, PackedFormat layout,
                  std::span<const std::int32_t> ids, Runtime& runtime) {
  load.i2s_layout = layout;
  try {
    return read_text(load_model(path, load), ids, runtime, *load.pool);
  } catch (const FileError&) {
    return INFINITY;
  }
}

}  // namespace

std::string_view i2s_layout_name(PackedFormat layout) noexcept {
  for (const Candidate& l : kLayouts)
    if (l.format == layout) return l.name;
  return "";
}

std::optional<PackedFormat> i2s_layout_from_name(std::string_view name) noexcept {
  for (const Candidate& l : kLayouts)
    if (l.name == name) return l.format;
  return std::nullopt;
}

LoadedModel load_with_layout_probe(const std::string& path, const LoadOptions& load,
                                   const OpenOptions& options, Runtime& runtime) {
  std::vector<std::int32_t> ids;
  std::string no_probe;
  try {
    ids = open_tokenizer(path, options).encode(kText);
    ids.resize(std::min(ids.size(), kMaxTokens));
  } catch (const FileError& e) {
    no_probe = e.what();
  }
  LoadedModel model = load_model(path, load);
  if (no_probe.empty() && static_cast<std::int64_t>(ids.size()) > model.config.max_positions)
    no_probe = "the context is shorter than the probe's text";
  if (!no_probe.empty()) {
    model.warnings.push_back("the byte layout of I2_S was not probed: " + no_probe);
    return model;
  }
  for (const std::int32_t id : ids)
    if (id >= model.config.vocab_size)
      return model;  // a tokenizer of another model: reported where it is used
  const double nll = read_text(model, ids, runtime, *load.pool);
  const double chance = std::log(static_cast<double>(model.config.vocab_size));
  if (nll < kUnderstood * chance) return model;

  model = {};  // one layout in memory at a time
  for (const Candidate& other : kLayouts) {
    if (other.format == load.i2s_layout) continue;
    const double other_nll = try_layout(path, load, other.format, ids, runtime);
    if (other_nll < kUnderstood * chance && other_nll < nll - kClearlyBetter)
      throw FileError(Errc::corrupt_file,
                      {"E_LAYOUT", path, 0, "byte layout of the I2_S tensors",
                       "a test text costs " + in_words(nll) + " nats a token read as x86, " +
                           in_words(other_nll) + " read as " + std::string(other.name),
                       "the file was packed in the " + std::string(other.name) +
                           " layout: say --i2s-layout " + std::string(other.name)});
  }
  model = load_model(path, load);
  model.warnings.push_back(
      "a test text costs " + in_words(nll) + " nats a token (chance: " + in_words(chance) +
      ") under every I2_S layout: the model is untrained or of another language");
  return model;
}

}  // namespace bitnet
