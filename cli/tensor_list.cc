// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/tensor_list.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "bitnet/base/error.h"
#include "bitnet/io/gguf.h"
#include "bitnet/io/json.h"
#include "bitnet/io/safetensors_folder.h"
#include "bitnet/model/config_gguf.h"
#include "bitnet/model/config_hf.h"
#include "bitnet/model/gguf_names.h"
#include "bitnet/model/hf_names.h"
#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet::cli {
namespace {

constexpr std::uint64_t kMaxConfigBytes = 16u << 20;

// "layers.2.x" before "layers.10.x".
bool before(const std::string& a, const std::string& b) {
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (!digit(a[i]) || !digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
      continue;
    }
    std::size_t m = i, n = j;
    while (m < a.size() && digit(a[m])) ++m;
    while (n < b.size() && digit(b[n])) ++n;
    if (m - i != n - j) return m - i < n - j;
    if (const int order = a.compare(i, m - i, b, j, n - j); order != 0) return order < 0;
    i = m, j = n;
  }
  return a.size() - i < b.size() - j;
}

// Where a matrix of layers is: name in the file to (layer, which).
using LinearNames = std::map<std::string, std::pair<std::int64_t, Linear>>;

LinearNames linear_names(const TensorList& list) {
  LinearNames names;
  const bool gguf = list.format.starts_with("GGUF");
  for (std::int64_t i = 0; i < list.config.num_layers; ++i)
    for (const Linear which : kLinears)
      names[gguf ? gguf_names::in_block(i, gguf_names::base(which)) + ".weight"
                 : hf_names::linear(i, which, ".weight")] = {i, which};
  return names;
}

TensorList list_folder(const std::string& path, const OpenOptions& options) {
  TensorList list;
  list.format = "Hugging Face folder";
  const std::string config = path + "/config.json";
  list.config = config_from_hf(parse_json(os::read_file(config, kMaxConfigBytes), config), config,
                               options.overrides);
  const LinearNames linears = linear_names(list);
  const SafetensorsFolder folder(path);
  for (const auto& entry : folder.entries()) {
    ListedTensor t{entry.tensor->name,
                   entry.tensor->dtype_name,
                   entry.tensor->shape,
                   entry.tensor->size_bytes,
                   false,
                   false,
                   {},
                   {}};
    t.ternary = linears.contains(t.name);
    if (t.ternary && !list.config.online && t.shape.size() == 2) t.shape[0] *= 4;
    t.in_place = !t.ternary && t.shape.size() == 2;
    list.tensors.push_back(std::move(t));
  }
  return list;
}

TensorList list_gguf(const std::string& path, const OpenOptions& options) {
  const GgufFile file(path);
  TensorList list;
  list.format = "GGUF " + std::to_string(file.version());
  list.config = config_from_gguf(file, options.overrides);
  list.warnings = file.warnings();
  const bool permuted = gguf_family(file).permuted_rope;
  for (const GgufTensor& tensor : file.tensors()) {
    ListedTensor t{std::string(tensor.name),
                   std::string(tensor.type->name),
                   {},
                   tensor.size_bytes,
                   tensor.type->packed.has_value(),
                   false,
                   {},
                   {}};
    for (std::uint32_t d = tensor.num_dims; d-- > 0;) t.shape.push_back(tensor.dims[d]);
    const bool rotated = t.name.ends_with("attn_q.weight") || t.name.ends_with("attn_k.weight");
    const bool i2_s_in_place =
        tensor.type->type == GgmlType::i2_s && !(permuted && rotated) &&
        tensor.columns() % block128::kWeights == 0 &&
        options.i2s_layout.value_or(PackedFormat::i2_s_x86) == PackedFormat::i2_s_x86;
    const bool tiles =
        tensor.type->type == GgmlType::lt1_6 && tensor.offset % lookup_tiles::kAlignment == 0;
    t.in_place = t.ternary ? i2_s_in_place || tiles : t.shape.size() == 2;
    list.tensors.push_back(std::move(t));
  }
  return list;
}

}  // namespace

std::int64_t ListedTensor::elements() const {
  std::int64_t product = 1;  // the readers have checked that it fits
  for (const std::int64_t dim : shape) product *= dim;
  return product;
}

double ListedTensor::bits_per_weight() const {
  return elements() ? 8 * static_cast<double>(bytes) / static_cast<double>(elements()) : 0.0;
}

std::uint64_t TensorList::bytes() const {
  std::uint64_t sum = 0;
  for (const ListedTensor& t : tensors) sum += t.bytes;
  return sum;
}

std::uint64_t TensorList::in_place_bytes() const {
  std::uint64_t sum = 0;
  for (const ListedTensor& t : tensors) sum += t.in_place ? t.bytes : 0;
  return sum;
}

std::uint64_t TensorList::converted_bytes() const {
  std::uint64_t sum = 0;
  for (const ListedTensor& t : tensors) {
    if (t.in_place) continue;
    sum += t.ternary && t.shape.size() == 2
               ? static_cast<std::uint64_t>(t.shape[0] * block128::row_bytes(t.shape[1]))
               : static_cast<std::uint64_t>(t.elements()) * sizeof(float);
  }
  return sum;
}

TensorList list_tensors(const std::string& path, const OpenOptions& options) {
  TensorList list = detect_model_file(path) == ModelFileKind::gguf ? list_gguf(path, options)
                                                                   : list_folder(path, options);
  std::sort(list.tensors.begin(), list.tensors.end(),
            [](const ListedTensor& a, const ListedTensor& b) { return before(a.name, b.name); });
  return list;
}

void add_contents(TensorList& list, const LoadedModel& model) {
  const LinearNames linears = linear_names(list);
  for (ListedTensor& t : list.tensors) {
    const auto at = linears.find(t.name);
    if (at == linears.end()) continue;
    const auto [layer, which] = at->second;
    const TernaryMatrix& m = model.weights->layers[static_cast<std::size_t>(layer)].linear(which);
    const auto zeros = block128::count_zeros(reinterpret_cast<const std::uint8_t*>(m.codes.data()),
                                             m.rows(), m.cols());
    t.zero_fraction = static_cast<double>(zeros) / static_cast<double>(m.rows() * m.cols());
    if (m.granularity == ScaleGranularity::tensor) t.scale = static_cast<double>(m.scale);
  }
  for (const LayerWeights& layer : model.weights->layers)
    list.dead_neurons.push_back(count_dead_neurons(layer));
}

}  // namespace bitnet::cli
