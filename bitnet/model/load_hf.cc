// SPDX-License-Identifier: MIT OR Apache-2.0
// Hugging Face folders: config.json and model.safetensors or its shards (docs/FORMATS.md).
#include <cmath>
#include <set>

#include "bitnet/io/safetensors_folder.h"
#include "bitnet/model/config_hf.h"
#include "bitnet/model/hf_names.h"
#include "bitnet/model/loader.h"
#include "bitnet/model/tensor_builder.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kMaxConfigBytes = 16u << 20;

class HfSource final : public ModelSource {
 public:
  explicit HfSource(const std::string& path) : folder(path) {}
  void check_intact() const override { folder.check_intact(); }
  void release(std::span<const std::byte> bytes) const noexcept override {
    for (const auto& file : folder.files())
      if (const auto* mapping = file->source().mapping()) mapping->release(bytes);
  }
  bool read(std::span<const std::byte> bytes, std::byte* to) const noexcept override {
    for (const auto& file : folder.files())
      if (const auto* mapping = file->source().mapping(); mapping && mapping->read(bytes, to))
        return true;
    return false;
  }
  SafetensorsFolder folder;
};

bool is_float(const std::optional<DType>& type) {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

std::string describe(const SafetensorsTensor& t) {
  return t.dtype_name + " " + to_string(Shape(std::span<const std::int64_t>(t.shape)));
}

class HfLoader {
 public:
  HfLoader(const std::string& path, const LoadOptions& options)
      : options_(options), source_(std::make_shared<HfSource>(path)), problems_(path) {
    const std::string config_path = path + "/config.json";
    config_ = config_from_hf(parse_json(os::read_file(config_path, kMaxConfigBytes), config_path),
                             config_path, options.overrides);
    for (const auto& entry : source_->folder.entries()) total_ += entry.tensor->size_bytes;
  }

  LoadedModel load() {
    check_all();
    problems_.throw_if_any();
    auto weights = std::make_shared<Weights>();
    weights->embedding = dense(hf_names::kEmbedding);
    weights->head = config_.tied_head ? weights->embedding : dense(hf_names::kHead);
    weights->norm = norm(hf_names::kNorm, config_.hidden_size);
    for (std::int64_t i = 0; i < config_.num_layers; ++i) weights->layers.push_back(layer(i));
    source_->check_intact();
    return {config_, std::move(weights), source_, std::move(warnings_)};
  }

 private:
  // First every name, type and shape, so that all problems are told at once; then the reading.
  void check_all() {
    const Shape table{config_.vocab_size, config_.hidden_size};
    expect_float(hf_names::kEmbedding, table);
    if (!config_.tied_head) expect_float(hf_names::kHead, table);
    expect_float(hf_names::kNorm, {config_.hidden_size});
    for (std::int64_t i = 0; i < config_.num_layers; ++i) {
      expect_float(hf_names::in_layer(i, hf_names::kAttentionNorm), {config_.hidden_size});
      expect_float(hf_names::in_layer(i, hf_names::kFfnNorm), {config_.hidden_size});
      if (config_.sub_norms) {
        expect_float(hf_names::in_layer(i, hf_names::kAttentionSubNorm), {config_.q_size()});
        expect_float(hf_names::in_layer(i, hf_names::kFfnSubNorm), {config_.intermediate_size});
      }
      for (const Linear which : kLinears) expect_linear(i, which);
    }
    for (const auto& entry : source_->folder.entries())
      if (!expected_.contains(entry.tensor->name)) unexpected(*entry.tensor);
  }

  void unexpected(const SafetensorsTensor& tensor) {
    if (tensor.name == hf_names::kHead || tensor.name.ends_with(".rotary_emb.inv_freq"))
      warnings_.push_back("tensor '" + tensor.name + "' is not used");
    else
      problems_.add(tensor.name, describe(tensor), "no tensor of this name in this architecture");
  }

  const SafetensorsTensor* expect(const std::string& name, const std::string& what) {
    expected_.insert(name);
    const auto* entry = source_->folder.find(name);
    if (!entry) problems_.add(name, "missing", what);
    return entry ? entry->tensor : nullptr;
  }

  void expect_float(const std::string& name, const Shape& shape) {
    const std::string what = "BF16, F16 or F32 " + to_string(shape);
    const SafetensorsTensor* t = expect(name, what);
    if (t && (!is_float(t->dtype) || Shape(std::span<const std::int64_t>(t->shape)) != shape))
      problems_.add(name, describe(*t), what);
  }

  void expect_linear(std::int64_t index, Linear which) {
    const std::string base = hf_names::linear(index, which, "");
    const Shape shape = shape_of(which, config_);
    if (config_.input_norms) expect_float(base + ".rms_norm.weight", {shape[1]});
    if (config_.online) {
      expect_float(base + ".weight", shape);
      return;
    }
    const Shape packed{ceil_div(shape[0], 4), shape[1]};
    const std::string what = "U8 " + to_string(packed);
    const SafetensorsTensor* t = expect(base + ".weight", what);
    if (shape[0] % 4 != 0)
      problems_.add(base + ".weight", std::to_string(shape[0]) + " rows",
                    "a multiple of 4: four rows share a byte");
    else if (t &&
             (t->dtype != DType::u8 || Shape(std::span<const std::int64_t>(t->shape)) != packed))
      problems_.add(base + ".weight", describe(*t), what);
    const SafetensorsTensor* scale = expect(base + ".weight_scale", "one BF16, F16 or F32");
    if (scale && (!is_float(scale->dtype) ||
                  Shape(std::span<const std::int64_t>(scale->shape)).num_elements() != 1))
      problems_.add(base + ".weight_scale", describe(*scale), "one BF16, F16 or F32");
  }

  TensorBytesView view(const std::string& name) {
    const auto& entry = *source_->folder.find(name);
    done_ += entry.tensor->size_bytes;
    if (options_.progress) options_.progress(done_, total_);
    return {entry.file->path(), name, entry.tensor->offset, entry.bytes()};
  }
  const SafetensorsTensor& tensor(const std::string& name) {
    return *source_->folder.find(name)->tensor;
  }

  Tensor dense(const std::string& name) {
    const TensorBytesView from = view(name);
    return Tensor::borrow(*tensor(name).dtype, {config_.vocab_size, config_.hidden_size},
                          from.bytes.data(), source_);
  }

  Tensor norm(const std::string& name, std::int64_t size) {
    return to_f32(view(name), *tensor(name).dtype, {size}, *options_.pool);
  }

  TernaryMatrix linear(std::int64_t index, Linear which) {
    const std::string base = hf_names::linear(index, which, "");
    const Shape shape = shape_of(which, config_);
    const TensorBytesView from = view(base + ".weight");
    TernaryMatrix matrix;
    if (config_.online) {
      matrix = quantize_master(from, *tensor(base + ".weight").dtype, shape[0], shape[1], options_);
    } else {
      matrix.codes =
          unpack_ternary(from, PackedFormat::hf_packed, shape[0], shape[1], source_, options_)
              .codes;
      const TensorBytesView scale = view(base + ".weight_scale");
      const float stored = read_float(scale.bytes.data(), *tensor(base + ".weight_scale").dtype);
      check_scale(scale, stored);
      matrix.scale = config_.scale_meaning == ScaleMeaning::multiply ? stored : 1.0f / stored;
      check_scale(scale, matrix.scale);
    }
    // The packed bytes have been copied: their pages may go.
    if (const auto* mapping = source_->folder.find(base + ".weight")->file->source().mapping())
      mapping->dont_need(from.offset, from.bytes.size());
    return matrix;
  }

  LayerWeights layer(std::int64_t i) {
    LayerWeights w;
    w.attention_norm = norm(hf_names::in_layer(i, hf_names::kAttentionNorm), config_.hidden_size);
    w.ffn_norm = norm(hf_names::in_layer(i, hf_names::kFfnNorm), config_.hidden_size);
    if (config_.sub_norms) {
      w.attention_sub_norm =
          norm(hf_names::in_layer(i, hf_names::kAttentionSubNorm), config_.q_size());
      w.ffn_sub_norm =
          norm(hf_names::in_layer(i, hf_names::kFfnSubNorm), config_.intermediate_size);
    }
    for (const Linear which : kLinears) {
      w.linear(which) = linear(i, which);
      if (config_.input_norms)
        w.input_norms[static_cast<std::size_t>(which)] =
            norm(hf_names::linear(i, which, ".rms_norm.weight"), shape_of(which, config_)[1]);
    }
    return w;
  }

  const LoadOptions& options_;
  std::shared_ptr<HfSource> source_;
  Problems problems_;
  ModelConfig config_;
  std::set<std::string> expected_;
  std::vector<std::string> warnings_;
  std::uint64_t done_ = 0, total_ = 0;
};

}  // namespace

LoadedModel load_hf_folder(const std::string& path, const LoadOptions& options) {
  return HfLoader(path, options).load();
}

}  // namespace bitnet
