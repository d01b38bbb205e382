// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>
#include <bit>
#include <unordered_set>

#include "bitnet/base/checked.h"
#include "bitnet/base/hash.h"
#include "bitnet/io/tensor_file.h"
#include "bitnet/io/tensor_file_format.h"
#include "bitnet/io/utf8.h"
#include "bitnet/memory/storage/numbers.h"

namespace bitnet {
namespace {

using namespace tensor_file;
using storage::put;

void pad_to(os::AtomicFile& file, std::uint64_t alignment) {
  file.write(std::string(align_up(file.size(), alignment) - file.size(), '\0'));
}

std::uint8_t code_of(DType type) {
  return static_cast<std::uint8_t>(std::find(kTypes.begin(), kTypes.end(), type) - kTypes.begin() +
                                   1);
}

std::string scales_text(const Quantization& q) {
  std::string text;
  for (const float scale : q.scales) put(text, std::bit_cast<std::uint32_t>(scale));
  for (const std::int32_t zero : q.zero_points) put(text, static_cast<std::uint32_t>(zero));
  return text;
}

/// Writes bytes and scales; returns the entry.
std::string write_one(os::AtomicFile& file, const Tensor& tensor) {
  const std::span<const std::byte> bytes(tensor.data(), tensor.size_bytes());
  std::string entry;
  pad_to(file, alignment_of(bytes.size()));
  put(entry, file.size());
  put(entry, std::uint64_t{bytes.size()});
  put(entry, xxh64(bytes));
  storage::write_pieces(file, bytes);

  const std::optional<Quantization>& q = tensor.quantization();
  std::uint64_t checksum = 0, group_cols = 0;
  if (q) {
    const std::string scales = scales_text(*q);
    pad_to(file, kAlignment);
    file.write(scales);
    checksum = xxh64(storage::bytes_of(scales));
    if (q->granularity == ScaleGranularity::group)
      group_cols = static_cast<std::uint64_t>(q->group_cols);
  }
  put(entry, checksum);
  put(entry, group_cols);
  put(entry, static_cast<std::uint32_t>(tensor.name().size()));
  put(entry, code_of(tensor.dtype()));
  put(entry, static_cast<std::uint8_t>(tensor.shape().rank()));
  put(entry, static_cast<std::uint8_t>(tensor.layout().kind));
  put(entry, static_cast<std::uint8_t>(q ? static_cast<int>(q->granularity) + 1 : 0));
  put(entry, static_cast<std::uint8_t>(q && !q->zero_points.empty()));
  entry.resize(56);
  for (const std::int64_t dim : tensor.shape().dims()) put(entry, static_cast<std::uint64_t>(dim));
  entry.resize(120);
  const Layout& layout = tensor.layout();
  if (layout.kind != Layout::Kind::row_major)
    for (const std::int64_t n : {tensor.logical_shape()[0], tensor.logical_shape()[1],
                                 layout.block_rows, layout.block_cols, layout.inner_cols})
      put(entry, static_cast<std::uint64_t>(n));
  entry.resize(kEntryBytes);
  return entry;
}

void check_tensors(std::span<const Tensor> tensors) {
  std::unordered_set<std::string_view> seen;
  for (const Tensor& tensor : tensors) {
    const std::string& name = tensor.name();
    if (name.empty() || name.size() > kMaxNameBytes || !is_utf8(name) || !seen.insert(name).second)
      fail(Errc::invalid_argument, "write_tensor_file: name \"" + printable(name) +
                                       "\" is empty, too long, not UTF-8 or given twice");
    if (!tensor.defined() || tensor.device() != Device{})
      fail(Errc::invalid_argument,
           "write_tensor_file: tensor \"" + printable(name) + "\" is empty or not in host memory");
  }
}

}  // namespace

void write_tensor_file(const std::string& path, std::span<const Tensor> tensors) {
  require_little_endian_host();
  check_tensors(tensors);
  os::AtomicFile file(path);
  std::string head(kMagic), directory, names, footer;
  put(head, storage::kEndianMark);
  put(head, kVersion);
  head.resize(kHeaderBytes);
  file.write(head);
  for (const Tensor& tensor : tensors) {
    directory += write_one(file, tensor);
    names += tensor.name();
  }
  pad_to(file, kAlignment);
  directory += names;
  file.write(directory);
  put(footer, file.size() + kFooterBytes);
  put(footer, std::uint64_t{tensors.size()});
  put(footer, std::uint64_t{names.size()});
  put(footer, xxh64(storage::bytes_of(directory)));
  put(footer, xxh64(storage::bytes_of(footer)));
  file.write(footer.append(kEnd));
  file.commit();
}

}  // namespace bitnet
