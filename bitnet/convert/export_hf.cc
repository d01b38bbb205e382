// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"
#include "bitnet/convert/exports.h"
#include "bitnet/io/ggml_blocks.h"
#include "bitnet/io/json.h"
#include "bitnet/io/safetensors_writer.h"
#include "bitnet/model/hf_names.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

// A tensor of the folder: its shape, the type that keeps every value, and its bytes in any type
// asked for.
struct Item {
  std::vector<std::int64_t> shape;
  DType dtype;
  std::function<TensorBytes(DType)> bytes;
};

bool fits_bf16(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) {
    std::uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    return (bits & 0xffffu) == 0;
  });
}

Item float_item(std::vector<std::int64_t> shape, std::vector<float> values) {
  const DType narrow = fits_bf16(values) ? DType::bf16 : DType::f32;
  return {
      std::move(shape), narrow, [values = std::move(values)](DType type) -> TensorBytes {
        return [values, type](const ByteSink& sink) {
          std::vector<std::byte> out(*row_bytes(type, static_cast<std::int64_t>(values.size())));
          quantize_row(type, values, out);
          sink(out);
        };
      }};
}

Item vector_item(const Tensor& t) {
  const float* values = t.as<float>();
  return float_item({t.cols()}, std::vector<float>(values, values + t.cols()));
}

Item table_item(const Tensor& t) {
  const bool plain = t.dtype() == DType::f32 || t.dtype() == DType::f16 || t.dtype() == DType::bf16;
  return {{t.rows(), t.cols()}, plain ? t.dtype() : DType::f32, [t](DType type) -> TensorBytes {
            if (type == t.dtype()) return bytes_in_memory({t.data(), t.size_bytes()});
            return [t, type](const ByteSink& sink) {
              std::vector<float> values(static_cast<std::size_t>(t.cols()));
              std::vector<std::byte> row(*row_bytes(type, t.cols()));
              const auto stride = static_cast<std::size_t>(t.row_stride_bytes());
              for (std::int64_t r = 0; r < t.rows(); ++r) {
                dequantize_row(t.dtype(), {t.data() + static_cast<std::size_t>(r) * stride, stride},
                               values);
                quantize_row(type, values, row);
                sink(row);
              }
            };
          }};
}

Item packed_item(const std::string& name, const TernaryMatrix& m) {
  const auto size = packed_bytes(PackedFormat::hf_packed, m.rows(), m.cols());
  if (!size || m.granularity != ScaleGranularity::tensor)
    fail(Errc::unsupported,
         "tensor " + name + ": Hugging Face packing needs rows in fours and one scale a matrix");
  return {{m.rows() / 4, m.cols()}, DType::u8, [m, size = *size](DType) -> TensorBytes {
            return [m, size](const ByteSink& sink) {
              std::vector<std::byte> out(size);
              from_block128(PackedFormat::hf_packed,
                            reinterpret_cast<const std::uint8_t*>(m.codes.data()), m.rows(),
                            m.cols(), nullptr, reinterpret_cast<std::uint8_t*>(out.data()));
              sink(out);
            };
          }};
}

class HfExport {
 public:
  HfExport(const LoadedModel& model, const ExportExtras& extras)
      : config_(model.config), weights_(*model.weights), extras_(extras) {
    collect();
  }

  void write(const std::string& folder) const {
    if (extras_.source.empty()) {
      write_composed(folder);
    } else {
      for (const auto& [name, content] : extras_.source.documents)
        write_document(folder + "/" + name, content);
      for (const auto& [name, header] : extras_.source.headers)
        write_shard(folder + "/" + name, header);
    }
  }

 private:
  void add(const std::string& name, Item item) { items_.emplace(name, std::move(item)); }

  void collect() {
    using namespace hf_names;
    add(kEmbedding, table_item(weights_.embedding));
    if (!config_.tied_head) add(kHead, table_item(weights_.head));
    add(kNorm, vector_item(weights_.norm));
    for (std::int64_t i = 0; i < config_.num_layers; ++i) {
      const LayerWeights& layer = weights_.layers[static_cast<std::size_t>(i)];
      add(in_layer(i, kAttentionNorm), vector_item(layer.attention_norm));
      add(in_layer(i, kFfnNorm), vector_item(layer.ffn_norm));
      if (config_.sub_norms) {
        add(in_layer(i, kAttentionSubNorm), vector_item(layer.attention_sub_norm));
        add(in_layer(i, kFfnSubNorm), vector_item(layer.ffn_sub_norm));
      }
      for (const Linear which : kLinears) collect_linear(i, which, layer);
    }
  }

  void collect_linear(std::int64_t i, Linear which, const LayerWeights& layer) {
    const std::string name = hf_names::linear(i, which, ".weight");
    add(name, packed_item(name, layer.linear(which)));
    const auto index = static_cast<std::size_t>(i) * 7 + static_cast<std::size_t>(which);
    const auto& kept = extras_.source.weight_scales;
    const float gamma = layer.linear(which).scale;
    // A composed folder says "autobitlinear": the scale multiplies.
    add(hf_names::linear(i, which, ".weight_scale"),
        float_item({1}, {index < kept.size() ? kept[index] : gamma}));
    if (config_.input_norms)
      add(hf_names::linear(i, which, ".rms_norm.weight"),
          vector_item(layer.input_norms[static_cast<std::size_t>(which)]));
  }

  static void write_document(const std::string& path, const std::string& content) {
    os::AtomicFile file(path);
    file.write(content);
    file.commit();
  }

  void write_composed(const std::string& folder) const {
    write_document(folder + "/config.json", compose_config_json(config_));
    if (extras_.tokenizer)
      write_document(folder + "/tokenizer.json", compose_tokenizer_json(*extras_.tokenizer));
    if (!extras_.chat_template.empty())
      write_document(folder + "/tokenizer_config.json",
                     "{\n  \"chat_template\": " + json_quote(extras_.chat_template) + "\n}\n");
    std::vector<SafetensorsItem> items;
    for (const auto& [name, item] : items_)
      items.push_back({name, item.dtype, item.shape, item.bytes(item.dtype)});
    write_safetensors(folder + "/model.safetensors", items, {{"format", "pt"}});
  }

  // The header's tensors in the order of their bytes, checked against this model's.
  void write_shard(const std::string& path, const std::string& header) const {
    const Source source(std::as_bytes(std::span(header)), path);
    std::uint64_t data_bytes = 0;
    const Json document = parse_json(header, path);
    for (const auto& [name, entry] : document.as_object())
      if (const Json* offsets = entry.find("data_offsets");
          offsets && offsets->is_array() && offsets->as_array().size() == 2)
        data_bytes =
            std::max(data_bytes, static_cast<std::uint64_t>(offsets->as_array()[1].as_int()));
    SafetensorsFile::Metadata metadata;
    std::vector<SafetensorsItem> items;
    for (const SafetensorsTensor& t :
         parse_safetensors_header(header, data_bytes, source, metadata)) {
      const auto found = items_.find(t.name);
      if (found == items_.end() || found->second.shape != t.shape || !t.dtype ||
          (found->second.dtype == DType::u8) != (*t.dtype == DType::u8))
        source.fail("E_TENSOR", t.offset, "kept header: tensor '" + printable(t.name) + "'",
                    t.dtype_name, "the model has no such tensor");
      items.push_back({t.name, *t.dtype, t.shape, found->second.bytes(*t.dtype)});
    }
    write_safetensors_verbatim(path, header, items);
  }

  const ModelConfig& config_;
  const Weights& weights_;
  const ExportExtras& extras_;
  std::map<std::string, Item> items_;
};

}  // namespace

void export_hf_folder(const std::string& path, const LoadedModel& model,
                      const ExportExtras& extras) {
  std::error_code error;
  if (fs::exists(path, error) && !(fs::is_directory(path, error) && fs::is_empty(path, error)))
    throw FileError(Errc::io, {"E_IO", path, 0, "folder", "is there and not empty",
                               "a folder that does not exist or is empty"});
  // Written beside its place and moved there whole.
  const std::string partial = path + ".partial";
  fs::remove_all(partial, error);
  if (!fs::create_directories(partial, error) && error)
    throw FileError(Errc::io, {"E_IO", partial, 0, "create folder", error.message(), ""});
  try {
    HfExport(model, extras).write(partial);
  } catch (...) {
    fs::remove_all(partial, error);
    throw;
  }
  fs::remove(path, error);  // the empty folder
  fs::rename(partial, path, error);
  if (error) throw FileError(Errc::io, {"E_IO", path, 0, "rename folder", error.message(), ""});
}

}  // namespace bitnet
