// SPDX-License-Identifier: MIT OR Apache-2.0
// Safetensors: u64 length of a JSON header, the header, the tensors' bytes
// (github.com/huggingface/safetensors).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet/io/source.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

struct SafetensorsTensor {
  std::string name;
  std::string dtype_name;  // as in the file: "BF16"
  std::optional<DType>
      dtype;  // nullopt for types that safetensors knows and this library does not compute with
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0;  // from the start of the file
  std::uint64_t size_bytes = 0;
};

/// One file, checked whole when opened: header at most 100 MB and strict JSON; every dtype known;
/// dtype x shape = size; the tensors cover the bytes after the header exactly, without overlap or
/// rest. Throws FileError: E_IO, E_TRUNCATED, E_HEADER, E_DUPKEY, E_DEPTH, E_COUNT, E_DTYPE,
/// E_NDIMS, E_SHAPE, E_OFFSET.
class SafetensorsFile {
 public:
  using Metadata = std::vector<std::pair<std::string, std::string>>;

  explicit SafetensorsFile(const std::string& path) : SafetensorsFile(Source(path)) {}
  /// Reads from memory, which must outlive this.
  SafetensorsFile(std::span<const std::byte> bytes, std::string name)
      : SafetensorsFile(Source(bytes, std::move(name))) {}

  const std::string& path() const noexcept { return source_.name(); }
  /// In the order of their bytes.
  const std::vector<SafetensorsTensor>& tensors() const noexcept { return tensors_; }
  const Metadata& metadata() const noexcept { return metadata_; }
  /// The header's text as it is in the file, padding included.
  std::string_view header() const noexcept { return header_; }

  /// nullptr where there is none of this name.
  const SafetensorsTensor* find(std::string_view name) const noexcept;
  std::span<const std::byte> bytes(const SafetensorsTensor& tensor) const noexcept {
    return source_.bytes().subspan(tensor.offset, tensor.size_bytes);
  }
  /// A copy in memory of `pool`, with its name. Throws FileError{unsupported} E_DTYPE for a type
  /// that this library does not compute with, FileError{io} where the file shrank,
  /// Error{out_of_memory}.
  Tensor read(const SafetensorsTensor& tensor, HybridMemoryPool& pool = default_pool()) const;
  const Source& source() const noexcept { return source_; }

 private:
  explicit SafetensorsFile(Source source);

  Source source_;
  std::string_view header_;
  Metadata metadata_;
  std::vector<SafetensorsTensor> tensors_;
  std::vector<std::uint32_t> by_name_;  // indices into tensors_, sorted by name
};

/// Header text (without its length) to tensors in byte order with offsets from the start of the
/// file, and metadata; `data_bytes` follow the header. Errors name `source`.
std::vector<SafetensorsTensor> parse_safetensors_header(std::string_view header,
                                                        std::uint64_t data_bytes,
                                                        const Source& source,
                                                        SafetensorsFile::Metadata& metadata);

/// DType::bf16 -> "BF16"; nullopt for block types, which safetensors does not have.
std::optional<std::string_view> safetensors_name(DType type) noexcept;

}  // namespace bitnet
