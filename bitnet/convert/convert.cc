// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/convert/convert.h"

#include <array>
#include <bit>
#include <cmath>
#include <filesystem>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"
#include "bitnet/convert/exports.h"
#include "bitnet/convert/source_files.h"
#include "bitnet/io/safetensors_folder.h"
#include "bitnet/model/hf_names.h"
#include "bitnet/model/tensor_builder.h"
#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

struct Target {
  std::string_view name;
  ConvertTarget target;
  GgmlType type;  // of ternary matrices in a GGUF file
};
constexpr std::array kTargets{
    Target{"i2_s", ConvertTarget::gguf_i2_s, GgmlType::i2_s},
    Target{"tq1_0", ConvertTarget::gguf_tq1_0, GgmlType::tq1_0},
    Target{"tq2_0", ConvertTarget::gguf_tq2_0, GgmlType::tq2_0},
    Target{"lt1_6", ConvertTarget::gguf_lt1_6, GgmlType::lt1_6},
    Target{"hf", ConvertTarget::hf_folder, GgmlType::f32},
};

GgmlType type_of(ConvertTarget target) {
  for (const Target& t : kTargets)
    if (t.target == target) return t.type;
  return GgmlType::f32;
}

std::uint64_t size_on_disk(const std::string& path) {
  if (os::is_regular_file(path)) return fs::file_size(path);
  std::uint64_t total = 0;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_regular_file()) total += entry.file_size();
  return total;
}

// The stored scales of a folder, in the order of layers and kLinears.
std::vector<float> stored_scales(const std::string& folder, const ModelConfig& config) {
  const SafetensorsFolder weights(folder);
  std::vector<float> scales;
  for (std::int64_t i = 0; i < config.num_layers; ++i)
    for (const Linear which : kLinears) {
      const auto* entry = weights.find(hf_names::linear(i, which, ".weight_scale"));
      if (!entry) return {};
      scales.push_back(read_float(entry->bytes().data(), *entry->tensor->dtype));
    }
  return scales;
}

// What is kept of the source. Masters are quantized for good, and tensors that the model does not
// use are dropped: such a folder cannot be made again, so nothing is kept but what is composed
// anew.
SourceFiles source_files_of(const std::string& in, const LoadedModel& model) {
  if (detect_model_file(in) == ModelFileKind::gguf) return read_source_files(GgufFile(in));
  if (model.config.online || !model.warnings.empty()) return {};
  SourceFiles files = read_source_files(in);
  files.weight_scales = stored_scales(in, model.config);
  return files;
}

// Ids for the check: a fixed walk through the vocabulary.
std::vector<std::int32_t> check_ids(const ModelConfig& config) {
  const std::int64_t count = std::min<std::int64_t>(24, config.max_positions);
  std::vector<std::int32_t> ids;
  std::uint64_t state = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(
        static_cast<std::int32_t>((state >> 33) % static_cast<std::uint64_t>(config.vocab_size)));
  }
  return ids;
}

std::vector<float> check_logits(const LoadedModel& model, Runtime& runtime,
                                HybridMemoryPool& pool) {
  Decoder decoder(model.config, model.weights, runtime.context(), pool);
  const std::vector<std::int32_t> ids = check_ids(model.config);
  KvCache cache(model.config, static_cast<std::int64_t>(ids.size()), KvType::f32, pool);
  const auto hidden = decoder.forward(ids, cache);
  const std::int64_t vocab = model.config.vocab_size;
  std::vector<float> logits(ids.size() * static_cast<std::size_t>(vocab));
  decoder.logits(hidden, {logits.data(), hidden.rows, vocab, vocab});
  return logits;
}

void compare(const std::vector<float>& a, const std::vector<float>& b, ConvertReport& report) {
  report.checked = true;
  report.identical = a.size() == b.size();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) continue;
    report.identical = false;
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(difference <= report.max_logit_difference)) report.max_logit_difference = difference;
  }
}

void count_ternary(const LoadedModel& model, ConvertTarget target, ConvertReport& report) {
  std::uint64_t bytes = 0;
  const PackedFormat format =
      target == ConvertTarget::hf_folder ? PackedFormat::hf_packed : *info(type_of(target)).packed;
  for (const LayerWeights& layer : model.weights->layers)
    for (const TernaryMatrix& m : layer.linears) {
      report.ternary_weights += m.rows() * m.cols();
      report.zero_weights += block128::count_zeros(
          reinterpret_cast<const std::uint8_t*>(m.codes.data()), m.rows(), m.cols());
      bytes += packed_bytes(format, m.rows(), m.cols()).value_or(0);
      bytes += target == ConvertTarget::hf_folder ? 2u : info(type_of(target)).trailer_bytes;
    }
  report.ternary_bits_per_weight =
      8.0 * static_cast<double>(bytes) / static_cast<double>(report.ternary_weights);
}

std::string model_name(const std::string& path) {
  const fs::path p = fs::path(path).lexically_normal();
  return p.has_filename() ? p.stem().string() : p.parent_path().filename().string();
}

}  // namespace

std::optional<ConvertTarget> convert_target_from_name(std::string_view name) noexcept {
  for (const Target& t : kTargets)
    if (t.name == name) return t.target;
  return std::nullopt;
}

ConvertReport convert(const std::string& in, const std::string& out, const ConvertOptions& options,
                      Runtime& runtime) {
  const auto step = [&](const char* name, std::uint64_t done, std::uint64_t total) {
    if (options.progress) options.progress(name, done, total);
  };
  std::error_code error;
  if (fs::exists(out, error) && fs::equivalent(in, out, error))
    fail(Errc::invalid_argument, "convert: " + out + " is the source itself");

  OpenOptions open = options.open;
  open.progress = [&](std::uint64_t done, std::uint64_t total) { step("read", done, total); };
  open.packing = TernaryPacking::block128;
  open.keep_dead_neurons = true;
  LoadedModel source = open_model(in, open, runtime);
  ExportExtras extras;
  extras.name = model_name(in);
  if (has_tokenizer(in)) extras.tokenizer = open_tokenizer(in, open);
  extras.chat_template = read_chat_template(in);
  extras.source = source_files_of(in, source);

  ConvertReport report;
  count_ternary(source, options.target, report);
  if (options.target == ConvertTarget::gguf_lt1_6)
    pack_weights(source, runtime.context(), TernaryPacking::lookup, *open.pool);

  step("write", 0, 1);
  if (options.target == ConvertTarget::hf_folder)
    export_hf_folder(out, source, extras);
  else
    export_gguf(out, source, extras, type_of(options.target), options.table_type);
  step("write", 1, 1);

  report.warnings = source.warnings;
  report.source_bytes = size_on_disk(in);
  report.result_bytes = size_on_disk(out);
  if (!options.check) return report;

  step("check", 0, 2);
  const std::vector<float> expected = check_logits(source, runtime, *open.pool);
  step("check", 1, 2);
  OpenOptions again;  // the result must say all about itself, but for the layout, which is known
  again.i2s_layout = PackedFormat::i2_s_x86;
  again.pool = open.pool;
  compare(expected, check_logits(open_model(out, again, runtime), runtime, *open.pool), report);
  step("check", 2, 2);
  if (!report.identical && !options.table_type)
    fail(Errc::internal, "convert: the logits of " + out +
                             " differ from those of the source by up to " +
                             std::to_string(report.max_logit_difference));
  return report;
}

}  // namespace bitnet
