// SPDX-License-Identifier: MIT OR Apache-2.0
#include <array>
#include <cstring>
#include <memory>

#include "bitnet/base/error.h"
#include "bitnet/convert/exports.h"
#include "bitnet/io/ggml_blocks.h"
#include "bitnet/io/gguf_writer.h"
#include "bitnet/model/config_gguf.h"
#include "bitnet/model/gguf_names.h"
#include "bitnet/ternary/i2_s.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet {
namespace {

// general.file_type of llama.cpp and its fork (docs/FORMATS.md), which have none for LT1_6.
std::uint32_t file_type(GgmlType type) {
  return type == GgmlType::i2_s ? 40 : type == GgmlType::tq1_0 ? 36 : 37;
}

GgmlType ggml_type_of(DType type) {
  switch (type) {
    case DType::f16:
      return GgmlType::f16;
    case DType::bf16:
      return GgmlType::bf16;
    case DType::q8_0:
      return GgmlType::q8_0;
    case DType::q4_0:
      return GgmlType::q4_0;
    case DType::q6_k:
      return GgmlType::q6_k;
    default:
      return GgmlType::f32;
  }
}

class GgufExport {
 public:
  GgufExport(const LoadedModel& model, const ExportExtras& extras, GgmlType type,
             std::optional<GgmlType> table_type)
      : model_(model),
        config_(model.config),
        extras_(extras),
        type_(type),
        table_type_(table_type),
        family_(gguf_family_for(config_)) {}

  void write(const std::string& path) {
    add_config();
    if (extras_.tokenizer) add_tokenizer(*extras_.tokenizer);
    if (!extras_.chat_template.empty())
      writer_.add_string("tokenizer.chat_template", extras_.chat_template);
    if (!extras_.source.empty()) write_source_files(extras_.source, writer_);
    add_tensors();
    writer_.write(path);
  }

 private:
  std::string key(const char* rest) const { return std::string(family_.name) + "." + rest; }
  void add_size(const char* rest, std::int64_t value) {
    writer_.add_u32(key(rest), static_cast<std::uint32_t>(value));
  }

  void add_config() {
    writer_.add_string("general.architecture", family_.name);
    writer_.add_string("general.name", extras_.name);
    add_size("vocab_size", config_.vocab_size);
    add_size("context_length", config_.max_positions);
    add_size("embedding_length", config_.hidden_size);
    add_size("block_count", config_.num_layers);
    add_size("feed_forward_length", config_.intermediate_size);
    add_size("rope.dimension_count", config_.head_dim);
    add_size("attention.head_count", config_.num_heads);
    add_size("attention.head_count_kv", config_.num_kv_heads);
    add_size("attention.key_length", config_.head_dim);
    add_size("attention.value_length", config_.head_dim);
    writer_.add_f32(key("attention.layer_norm_rms_epsilon"), config_.rms_norm_eps);
    writer_.add_f32(key("rope.freq_base"), static_cast<float>(config_.rope_theta));
    if (type_ == GgmlType::lt1_6)
      writer_.align_tensors(lookup_tiles::kAlignment);
    else
      writer_.add_u32("general.file_type", file_type(type_));
    writer_.add_u32("general.quantization_version", 2);
    writer_.add_string(kHiddenActKey, to_string(config_.activation));
    if (config_.input_norms) writer_.add_f32(kInputNormEpsKey, config_.input_norm_eps);
    if (type_ == GgmlType::tq1_0 || type_ == GgmlType::tq2_0) add_gammas();
    if (extras_.tokenizer) return;
    if (config_.bos_token >= 0)
      writer_.add_u32("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(config_.bos_token));
    if (!config_.eos_tokens.empty())
      writer_.add_u32("tokenizer.ggml.eos_token_id",
                      static_cast<std::uint32_t>(config_.eos_tokens.front()));
  }

  void add_gammas() {
    std::vector<float> gammas;
    for (const LayerWeights& layer : model_.weights->layers)
      for (const TernaryMatrix& matrix : layer.linears) gammas.push_back(matrix.scale);
    writer_.add_f32_array(kGammasKey, gammas);
  }

  void add_tokenizer(const Tokenizer& t) {
    std::vector<std::string> texts, merges;
    std::vector<std::int32_t> types;
    for (std::int32_t id = 0; id < t.size(); ++id) {
      texts.push_back(t.token_text(id));
      types.push_back(static_cast<std::int32_t>(t.token_type(id)));
    }
    // Tables may be padded beyond the vocabulary; llama.cpp wants a text for every row.
    for (std::int64_t id = t.size(); id < config_.vocab_size; ++id) {
      texts.push_back("[PAD" + std::to_string(id) + "]");
      types.push_back(static_cast<std::int32_t>(TokenType::unused));
    }
    for (std::int64_t rank = 0; rank < t.merge_count(); ++rank)
      merges.push_back(t.merge_text(rank));
    writer_.add_string("tokenizer.ggml.model", "gpt2");
    const std::string_view pre = name_of(t.pre_tokenizer());
    if (pre.empty())
      fail(Errc::unsupported, "GGUF has no name for this model's way to split text before BPE");
    writer_.add_string("tokenizer.ggml.pre", pre);
    writer_.add_strings("tokenizer.ggml.tokens",
                        std::vector<std::string_view>(texts.begin(), texts.end()));
    writer_.add_i32_array("tokenizer.ggml.token_type", types);
    writer_.add_strings("tokenizer.ggml.merges",
                        std::vector<std::string_view>(merges.begin(), merges.end()));
    const std::int32_t bos = t.bos() >= 0 ? t.bos() : config_.bos_token;
    const std::int32_t eos = !config_.eos_tokens.empty() ? config_.eos_tokens.front() : t.eos();
    if (bos >= 0) writer_.add_u32("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(bos));
    if (eos >= 0) writer_.add_u32("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(eos));
    writer_.add_bool("tokenizer.ggml.add_bos_token", !t.prefix_ids().empty());
    if (!t.suffix_ids().empty()) writer_.add_bool("tokenizer.ggml.add_eos_token", true);
    if (t.add_prefix_space()) writer_.add_bool("tokenizer.ggml.add_space_prefix", true);
  }

  void add_tensors() {
    using namespace gguf_names;
    const Weights& w = *model_.weights;
    add_table(kEmbedding, w.embedding);
    if (!config_.tied_head) add_table(kHead, w.head);
    add_norm(kNorm, w.norm);
    for (std::int64_t i = 0; i < config_.num_layers; ++i) {
      const LayerWeights& layer = w.layers[static_cast<std::size_t>(i)];
      add_norm(in_block(i, kAttentionNorm), layer.attention_norm);
      add_norm(in_block(i, kAttentionSubNorm), layer.attention_sub_norm);
      add_norm(in_block(i, kFfnNorm), layer.ffn_norm);
      add_norm(in_block(i, kFfnSubNorm), layer.ffn_sub_norm);
      for (const Linear which : kLinears) {
        add_linear(i, which, layer.linear(which));
        add_norm(in_block(i, std::string(base(which)) + "_norm_in.weight"),
                 layer.input_norms[static_cast<std::size_t>(which)]);
      }
    }
  }

  void add_norm(const std::string& name, const Tensor& norm) {
    if (!norm.defined()) return;
    const std::int64_t dims[] = {norm.cols()};
    writer_.add_tensor(name, GgmlType::f32, dims,
                       bytes_in_memory({norm.data(), norm.size_bytes()}));
  }

  void add_table(const std::string& name, const Tensor& table) {
    const GgmlType type = table_type_.value_or(ggml_type_of(table.dtype()));
    const DType dtype = *info(type).dtype;
    const std::int64_t dims[] = {table.cols(), table.rows()};
    if (dtype == table.dtype()) {
      writer_.add_tensor(name, type, dims, bytes_in_memory({table.data(), table.size_bytes()}));
      return;
    }
    if (!row_bytes(dtype, table.cols()))
      fail(Errc::unsupported, "tensor " + name + ": " + std::to_string(table.cols()) +
                                  " columns do not fill blocks of " + std::string(info(type).name));
    writer_.add_tensor(name, type, dims, [table, dtype](const ByteSink& sink) {
      std::vector<float> values(static_cast<std::size_t>(table.cols()));
      std::vector<std::byte> row(*row_bytes(dtype, table.cols()));
      const auto stride = static_cast<std::size_t>(table.row_stride_bytes());
      for (std::int64_t r = 0; r < table.rows(); ++r) {
        dequantize_row(table.dtype(), {table.data() + static_cast<std::size_t>(r) * stride, stride},
                       values);
        quantize_row(dtype, values, row);
        sink(row);
      }
    });
  }

  void add_linear(std::int64_t index, Linear which, const TernaryMatrix& matrix) {
    const std::string name =
        gguf_names::in_block(index, std::string(gguf_names::base(which)) + ".weight");
    const PackedFormat format = *info(type_).packed;
    const auto size = packed_bytes(format, matrix.rows(), matrix.cols());
    if (!size)
      fail(Errc::unsupported, "tensor " + name + " of " + std::to_string(matrix.rows()) + " x " +
                                  std::to_string(matrix.cols()) + " does not fill blocks of " +
                                  std::string(info(type_).name) +
                                  (type_ == GgmlType::i2_s ? "" : "; i2_s may hold it"));
    const bool grouped = matrix.granularity == ScaleGranularity::group;
    const bool block_scales = type_ == GgmlType::tq1_0 || type_ == GgmlType::tq2_0;
    if (matrix.granularity == ScaleGranularity::row || (grouped && !block_scales))
      fail(Errc::unsupported, "tensor " + name + " has more than one scale: " +
                                  std::string(info(type_).name) + " cannot hold them");
    const std::int64_t dims[] = {matrix.cols(), matrix.rows()};
    if (type_ == GgmlType::lt1_6) return add_tiles(name, dims, matrix);
    const bool permute = family_.permuted_rope && (which == Linear::q || which == Linear::k);
    writer_.add_tensor(name, type_, dims,
                       [matrix, format, permute, bytes = *size, type = type_, name,
                        head_dim = config_.head_dim](const ByteSink& sink) {
                         pack(matrix, format, permute ? head_dim : 0, bytes, type, name, sink);
                       });
  }

  // As they lie in memory: rows are not permuted.
  void add_tiles(const std::string& name, std::span<const std::int64_t> dims,
                 const TernaryMatrix& matrix) {
    require(matrix.tiles.bytes.defined(), "export_gguf: a matrix does not lie in tiles");
    writer_.add_tensor(name, type_, dims, [matrix](const ByteSink& sink) {
      std::array<std::byte, 64> trailer{};
      std::memcpy(trailer.data(), &matrix.scale, sizeof(float));
      sink({matrix.tiles.bytes.data(), matrix.tiles.bytes.size_bytes()});
      sink(trailer);
    });
  }

  // head_dim 0: rows as they are; else rows go to their pairwise places.
  static void pack(const TernaryMatrix& matrix, PackedFormat format, std::int64_t head_dim,
                   std::uint64_t bytes, GgmlType type, const std::string& name,
                   const ByteSink& sink) {
    const std::int64_t rows = matrix.rows(), groups = matrix.cols() / 256;
    const auto stride = static_cast<std::size_t>(matrix.codes.row_stride_bytes());
    std::vector<std::byte> permuted;
    std::vector<float> scales(static_cast<std::size_t>(rows * groups), matrix.scale);
    const std::byte* codes = matrix.codes.data();
    if (matrix.granularity == ScaleGranularity::group) scales = matrix.scales;
    if (head_dim > 0) {
      permuted.resize(matrix.codes.size_bytes());
      std::vector<float> moved(scales.size());
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t to = gguf_names::permuted_row(r, head_dim);
        std::memcpy(permuted.data() + static_cast<std::size_t>(to) * stride,
                    codes + static_cast<std::size_t>(r) * stride, stride);
        for (std::int64_t g = 0; g < groups; ++g)
          moved[static_cast<std::size_t>(to * groups + g)] =
              scales[static_cast<std::size_t>(r * groups + g)];
      }
      codes = permuted.data();
      scales = std::move(moved);
    }
    std::vector<std::byte> out(bytes + (type == GgmlType::i2_s ? i2_s::kTrailerBytes : 0));
    if (from_block128(format, reinterpret_cast<const std::uint8_t*>(codes), rows, matrix.cols(),
                      scales.data(), reinterpret_cast<std::uint8_t*>(out.data())))
      fail(Errc::unsupported,
           "tensor " + name + ": half precision cannot hold scale " + std::to_string(matrix.scale));
    if (type == GgmlType::i2_s) std::memcpy(out.data() + bytes, &matrix.scale, sizeof(float));
    sink(out);
  }

  const LoadedModel& model_;
  const ModelConfig& config_;
  const ExportExtras& extras_;
  GgmlType type_;
  std::optional<GgmlType> table_type_;
  const GgufFamily& family_;
  GgufWriter writer_;
};

}  // namespace

void export_gguf(const std::string& path, const LoadedModel& model, const ExportExtras& extras,
                 GgmlType type, std::optional<GgmlType> table_type) {
  GgufExport(model, extras, type, table_type).write(path);
}

}  // namespace bitnet
