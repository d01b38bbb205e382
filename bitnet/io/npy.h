// SPDX-License-Identifier: MIT OR Apache-2.0
// NumPy's .npy arrays, versions 1 to 3 (numpy/lib/format.py): read in place, written whole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bitnet/io/source.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet {

/// A little-endian array in C order of u8, i8, u16, i32, i64, f16, f32 or f64. Axes of length 0 are
/// allowed. Throws FileError: E_IO, E_TRUNCATED, E_MAGIC, E_VERSION, E_HEADER, E_DTYPE, E_NDIMS,
/// E_SHAPE (also bytes left over).
class NpyFile {
 public:
  explicit NpyFile(const std::string& path) : NpyFile(Source(path)) {}
  /// Reads from memory, which must outlive this.
  NpyFile(std::span<const std::byte> bytes, std::string name)
      : NpyFile(Source(bytes, std::move(name))) {}

  DType dtype() const noexcept { return dtype_; }
  const std::vector<std::int64_t>& shape() const noexcept { return shape_; }
  std::int64_t num_elements() const noexcept { return num_elements_; }
  /// May be unaligned for its type.
  std::span<const std::byte> bytes() const noexcept { return data_; }
  const Source& source() const noexcept { return source_; }

  /// A copy of the elements; T must be the C++ type of dtype() in size (Error{invalid_argument}
  /// otherwise).
  template <class T>
  std::vector<T> values() const {
    require(info(dtype_).block_bytes == static_cast<std::int64_t>(sizeof(T)),
            "NpyFile::values: element size differs");
    std::vector<T> copy(static_cast<std::size_t>(num_elements_));
    std::copy_n(data_.data(), data_.size(), reinterpret_cast<std::byte*>(copy.data()));
    return copy;
  }

 private:
  explicit NpyFile(Source source);
  void parse_header(std::string_view header, std::uint64_t offset);

  Source source_;
  DType dtype_ = DType::u8;
  std::vector<std::int64_t> shape_;
  std::int64_t num_elements_ = 0;
  std::span<const std::byte> data_;
};

/// Writes a version 1 array, whole or not at all. Throws Error{invalid_argument} where the product
/// of the shape is not the number of values, FileError{io} from the disk.
void write_npy(const std::string& path, std::span<const std::int64_t> shape,
               std::span<const float> values);
void write_npy(const std::string& path, std::span<const std::int64_t> shape,
               std::span<const std::int32_t> values);

}  // namespace bitnet
