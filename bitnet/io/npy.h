// SPDX-License-Identifier: MIT OR Apache-2.0
// NumPy's .npy arrays, versions 1 to 3 (numpy/lib/format.py): opened in place, written whole.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "bitnet/io/npy_header.h"

namespace bitnet {

/// An array of u8, i8, u16, i32, i64, f16, f32, f64 or bf16 (make_npy_header() says how), in either
/// byte order, C or Fortran order. Axes of length 0 are allowed. Throws FileError: E_IO and as
/// parse_npy_header().
class NpyFile {
 public:
  explicit NpyFile(const std::string& path) : NpyFile(Source(path)) {}
  /// Reads from memory, which must outlive this.
  NpyFile(std::span<const std::byte> bytes, std::string name)
      : NpyFile(Source(bytes, std::move(name))) {}

  const NpyHeader& header() const noexcept { return header_; }
  DType dtype() const noexcept { return header_.dtype; }
  const Shape& shape() const noexcept { return header_.shape; }
  std::int64_t num_elements() const { return header_.shape.num_elements(); }
  /// As they lie in the file: in its order, maybe unaligned, maybe in the other byte order.
  std::span<const std::byte> bytes() const noexcept {
    return source_.bytes().subspan(header_.data_offset);
  }
  const Source& source() const noexcept { return source_; }

  /// The array, row-major. Throws Error{out_of_memory}, FileError{io} where the file shrank.
  Tensor read(HybridMemoryPool& pool = default_pool()) const;

  /// The elements in row-major order; T must be the C++ type of dtype() in size
  /// (Error{invalid_argument} otherwise).
  template <class T>
  std::vector<T> values() const {
    const Tensor tensor = read();
    const T* begin = tensor.as<T>();
    return {begin, begin + num_elements()};
  }

 private:
  explicit NpyFile(Source source);

  Source source_;
  NpyHeader header_;
};

/// Writes a version 1 array in row-major order, whole or not at all; `view` may have any strides.
/// Throws Error{unsupported} as make_npy_header(), FileError{io} from the disk.
void write_npy(const std::string& path, const TensorView& view);

}  // namespace bitnet
