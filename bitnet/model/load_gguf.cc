// SPDX-License-Identifier: MIT OR Apache-2.0
// GGUF files (docs/FORMATS.md).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "bitnet/io/gguf.h"
#include "bitnet/model/config_gguf.h"
#include "bitnet/model/gguf_names.h"
#include "bitnet/model/loader.h"
#include "bitnet/model/tensor_builder.h"
#include "bitnet/ternary/i2_s.h"

namespace bitnet {
namespace {

class GgufSource final : public ModelSource {
 public:
  explicit GgufSource(const std::string& path) : source(path) {}
  void check_intact() const override { source.check_intact(); }
  void release(std::span<const std::byte> bytes) const noexcept override {
    if (const auto* mapping = source.mapping()) mapping->release(bytes);
  }
  bool read(std::span<const std::byte> bytes, std::byte* to) const noexcept override {
    const auto* mapping = source.mapping();
    return mapping && mapping->read(bytes, to);
  }
  Source source;
};

std::string describe(const GgufTensor& t) {
  return std::string(t.type->name) + " " +
         to_string(Shape(std::span<const std::int64_t>(t.dims.data(), t.num_dims)));
}

// Shape of a Hugging Face matrix in GGUF's order.
std::string gguf_shape(const Shape& shape) {
  return shape.rank() == 1 ? to_string(shape) : to_string(Shape{shape[1], shape[0]});
}

bool has_shape(const GgufTensor& t, const Shape& shape) {
  if (shape.rank() == 1) return t.columns() == shape[0] && t.rows() == 1;
  return t.columns() == shape[1] && t.rows() == shape[0] && t.num_dims <= 2;
}

bool is_small_float(const GgufTensor& t) {
  const auto type = t.type->dtype;
  return type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

bool is_table_type(const GgufTensor& t) {
  return is_small_float(t) || t.type->dtype == DType::q8_0 || t.type->dtype == DType::q6_k ||
         t.type->dtype == DType::q4_0;
}

class GgufLoader {
 public:
  GgufLoader(const std::string& path, const LoadOptions& options)
      : options_(options),
        source_(std::make_shared<GgufSource>(path)),
        file_(source_->source.bytes(), path),
        family_(gguf_family(file_)),
        problems_(path),
        config_(config_from_gguf(file_, options.overrides)) {
    for (const GgufTensor& t : file_.tensors()) total_ += t.size_bytes;
    if (!file_.find(kGammasKey)) return;
    gammas_ = file_.get_f32_array(kGammasKey);
    if (gammas_.size() != static_cast<std::size_t>(config_.num_layers) * kLinears.size())
      problems_.add(std::string(kGammasKey), std::to_string(gammas_.size()) + " values",
                    "7 for each of " + std::to_string(config_.num_layers) + " layers");
  }

  LoadedModel load() {
    check_all();
    problems_.throw_if_any();
    auto weights = std::make_shared<Weights>();
    weights->embedding = table(gguf_names::kEmbedding);
    weights->head = config_.tied_head ? weights->embedding : table(gguf_names::kHead);
    weights->norm = norm(gguf_names::kNorm, config_.hidden_size);
    for (std::int64_t i = 0; i < config_.num_layers; ++i) weights->layers.push_back(layer(i));
    source_->check_intact();
    release_header();
    return {config_, std::move(weights), source_, file_.warnings()};
  }

 private:
  // Keys and values, the vocabulary among them, lie before the tensors: nobody reads them again.
  void release_header() const {
    std::uint64_t end = file_.source().bytes().size();
    for (const GgufTensor& t : file_.tensors()) end = std::min(end, t.offset);
    source_->release(file_.source().bytes().first(end));
  }
  // First every name, type and shape, so that all problems are told at once; then the reading.
  void check_all() {
    const Shape vocabulary{config_.vocab_size, config_.hidden_size};
    expect_table(gguf_names::kEmbedding, vocabulary);
    if (!config_.tied_head) expect_table(gguf_names::kHead, vocabulary);
    expect_norm(gguf_names::kNorm, config_.hidden_size);
    for (std::int64_t i = 0; i < config_.num_layers; ++i) {
      expect_norm(gguf_names::in_block(i, gguf_names::kAttentionNorm), config_.hidden_size);
      expect_norm(gguf_names::in_block(i, gguf_names::kFfnNorm), config_.hidden_size);
      if (config_.sub_norms) {
        expect_norm(gguf_names::in_block(i, gguf_names::kAttentionSubNorm), config_.q_size());
        expect_norm(gguf_names::in_block(i, gguf_names::kFfnSubNorm), config_.intermediate_size);
      }
      for (const Linear which : kLinears) expect_linear(i, which);
    }
    for (const GgufTensor& t : file_.tensors())
      if (!expected_.contains(std::string(t.name)))
        problems_.add(std::string(t.name), describe(t),
                      "no tensor of this name in architecture " + std::string(family_.name));
  }

  const GgufTensor* expect(const std::string& name, const std::string& what) {
    expected_.insert(name);
    const GgufTensor* t = file_.find_tensor(name);
    if (!t) problems_.add(name, "missing", what);
    return t;
  }

  void expect_norm(const std::string& name, std::int64_t size) {
    const std::string what = "F32, F16 or BF16 " + to_string(Shape{size});
    const GgufTensor* t = expect(name, what);
    if (t && (!is_small_float(*t) || !has_shape(*t, {size})))
      problems_.add(name, describe(*t), what);
  }

  void expect_table(const std::string& name, const Shape& shape) {
    const std::string what = "F32, F16, BF16, Q8_0, Q6_K or Q4_0 " + gguf_shape(shape);
    const GgufTensor* t = expect(name, what);
    if (t && (!is_table_type(*t) || !has_shape(*t, shape))) problems_.add(name, describe(*t), what);
  }

  void expect_linear(std::int64_t index, Linear which) {
    const std::string base = gguf_names::in_block(index, gguf_names::base(which));
    const Shape shape = shape_of(which, config_);
    const std::string what = "I2_S, TQ1_0, TQ2_0 or LT1_6 " + gguf_shape(shape);
    const GgufTensor* t = expect(base + ".weight", what);
    if (t && (!t->type->packed || !has_shape(*t, shape)))
      problems_.add(base + ".weight", describe(*t), what);
    if (file_.find_tensor(base + ".scale")) expect_norm(base + ".scale", 1);
    if (config_.input_norms) expect_norm(base + "_norm_in.weight", shape[1]);
  }

  TensorBytesView view(const std::string& name) {
    const GgufTensor& t = *file_.find_tensor(name);
    done_ += t.size_bytes;
    if (options_.progress) options_.progress(done_, total_);
    return {file_.path(), name, t.offset, file_.bytes(t)};
  }

  Tensor table(const std::string& name) {
    const TensorBytesView from = view(name);
    return Tensor::borrow(*file_.find_tensor(name)->type->dtype,
                          {config_.vocab_size, config_.hidden_size}, from.bytes.data(), source_);
  }

  Tensor norm(const std::string& name, std::int64_t size) {
    return to_f32(view(name), *file_.find_tensor(name)->type->dtype, {size}, *options_.pool);
  }

  TernaryMatrix linear(std::int64_t index, Linear which) {
    const std::string base = gguf_names::in_block(index, gguf_names::base(which));
    const Shape shape = shape_of(which, config_);
    const TensorBytesView from = view(base + ".weight");
    const GgmlTypeInfo& type = *file_.find_tensor(base + ".weight")->type;
    if (type.type == GgmlType::lt1_6) return in_tiles(from, base, shape);
    const bool i2_s = type.type == GgmlType::i2_s;
    UnpackedTernary unpacked = unpack_ternary(from, i2_s ? options_.i2s_layout : *type.packed,
                                              shape[0], shape[1], source_, options_);
    TernaryMatrix matrix;
    if (i2_s) {
      const std::size_t at = from.bytes.size() - i2_s::kTrailerBytes;
      matrix.scale = read_float(from.bytes.data() + at, DType::f32);
    } else if (const auto common =
                   common_scale(unpacked.group_scales.data(),
                                static_cast<std::int64_t>(unpacked.group_scales.size()))) {
      matrix.scale = *common == 0.0f ? 1.0f : *common;  // 0: every weight is zero
    } else {
      matrix.granularity = ScaleGranularity::group;
      matrix.group_cols = 256;
      matrix.scales = std::move(unpacked.group_scales);
    }
    apply_scale_tensor(base + ".scale", matrix);
    if (!gammas_.empty() && matrix.granularity == ScaleGranularity::tensor)
      use_exact_gamma(from, index, which, matrix);
    check_scale(from, matrix.scale);
    matrix.codes = std::move(unpacked.codes);
    if (family_.permuted_rope && (which == Linear::q || which == Linear::k)) unpermute(matrix);
    if (!matrix.codes.borrowed())
      if (const auto* mapping = file_.source().mapping())
        mapping->dont_need(from.offset, from.bytes.size());
    return matrix;
  }

  // Rows lie in the order in which they are computed, in every family.
  TernaryMatrix in_tiles(const TensorBytesView& from, const std::string& base, const Shape& shape) {
    const auto trailer =
        from.bytes.subspan(from.bytes.size() - info(GgmlType::lt1_6).trailer_bytes);
    TernaryMatrix matrix;
    matrix.scale = read_float(trailer.data(), DType::f32);
    for (std::size_t i = sizeof(float); i < trailer.size(); ++i)
      if (trailer[i] != std::byte{0})
        throw FileError(
            Errc::corrupt_file,
            {"E_PADDING", from.file, from.offset + from.bytes.size() - trailer.size() + i,
             "tensor '" + from.name + "'", std::to_string(std::to_integer<int>(trailer[i])),
             "0 behind the scale"});
    apply_scale_tensor(base + ".scale", matrix);
    check_scale(from, matrix.scale);
    matrix.tiles = checked_tiles(from, shape[0], shape[1], source_, options_);
    return matrix;
  }

  // llama.cpp's converter keeps the scale of some models in a tensor of its own; the packed one is
  // then 1.
  void apply_scale_tensor(const std::string& name, TernaryMatrix& matrix) {
    if (!file_.find_tensor(name)) return;
    const TensorBytesView from = view(name);
    const float factor = read_float(from.bytes.data(), *file_.find_tensor(name)->type->dtype);
    check_scale(from, factor);
    matrix.scale *= factor;
    for (float& scale : matrix.scales) scale *= factor;
  }

  // Takes float32 gamma where the block scales are its half-precision rounding.
  void use_exact_gamma(const TensorBytesView& from, std::int64_t index, Linear which,
                       TernaryMatrix& matrix) {
    const float gamma =
        gammas_[static_cast<std::size_t>(index * 7) + static_cast<std::size_t>(which)];
    check_scale(from, gamma);
    const bool all_zero = matrix.scale == 1.0f;
    if (!all_zero && std::abs(gamma - matrix.scale) > gamma * 0x1p-10f + 0x1p-24f)
      throw FileError(Errc::corrupt_file,
                      {"E_SCALE", from.file, from.offset, "tensor '" + from.name + "'",
                       "scale " + std::to_string(matrix.scale),
                       std::string(kGammasKey) + " says " + std::to_string(gamma)});
    matrix.scale = gamma;
  }

  void unpermute(TernaryMatrix& matrix) {
    Tensor rows = Tensor::allocate(DType::ternary2, matrix.codes.shape(), *options_.pool);
    const auto bytes = static_cast<std::size_t>(rows.row_stride_bytes());
    const std::size_t groups =
        matrix.scales.size() / static_cast<std::size_t>(std::max<std::int64_t>(rows.rows(), 1));
    std::vector<float> scales(matrix.scales.size());
    for (std::int64_t r = 0; r < rows.rows(); ++r) {
      const std::int64_t from = gguf_names::permuted_row(r, config_.head_dim);
      std::memcpy(rows.mutable_data() + static_cast<std::size_t>(r) * bytes,
                  matrix.codes.data() + static_cast<std::size_t>(from) * bytes, bytes);
      for (std::size_t g = 0; g < groups; ++g)
        scales[static_cast<std::size_t>(r) * groups + g] =
            matrix.scales[static_cast<std::size_t>(from) * groups + g];
    }
    matrix.codes = std::move(rows);
    matrix.scales = std::move(scales);
  }

  LayerWeights layer(std::int64_t i) {
    using gguf_names::in_block;
    LayerWeights w;
    w.attention_norm = norm(in_block(i, gguf_names::kAttentionNorm), config_.hidden_size);
    w.ffn_norm = norm(in_block(i, gguf_names::kFfnNorm), config_.hidden_size);
    if (config_.sub_norms) {
      w.attention_sub_norm = norm(in_block(i, gguf_names::kAttentionSubNorm), config_.q_size());
      w.ffn_sub_norm = norm(in_block(i, gguf_names::kFfnSubNorm), config_.intermediate_size);
    }
    for (const Linear which : kLinears) {
      w.linear(which) = linear(i, which);
      if (config_.input_norms)
        w.input_norms[static_cast<std::size_t>(which)] = norm(
            in_block(i, gguf_names::base(which)) + "_norm_in.weight", shape_of(which, config_)[1]);
    }
    return w;
  }

  const LoadOptions& options_;
  std::shared_ptr<GgufSource> source_;
  GgufFile file_;  // what is parsed of it, a vocabulary of 128,256: 15 MB, goes with the loader
  const GgufFamily& family_;
  Problems problems_;
  ModelConfig config_;
  std::set<std::string> expected_;
  std::vector<float> gammas_;  // empty: the blocks' own scales
  std::uint64_t done_ = 0, total_ = 0;
};

}  // namespace

LoadedModel load_gguf(const std::string& path, const LoadOptions& options) {
  return GgufLoader(path, options).load();
}

}  // namespace bitnet
