// SPDX-License-Identifier: MIT OR Apache-2.0
// The head of a NumPy array (numpy/lib/format.py), in a file of its own or inside an archive.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "bitnet/io/source.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

struct NpyHeader {
  DType dtype = DType::u8;
  Shape shape;
  bool fortran_order = false;  // the first axis lies closest
  bool big_endian = false;
  std::uint64_t data_offset = 0, data_bytes = 0;
};

/// Headers beyond this are refused: what is read here needs about 200 bytes.
inline constexpr std::uint64_t kMaxNpyHeaderBytes = 1u << 16;

/// Bytes from the start of the array to its data, from its first 12 or more bytes (fewer where the
/// array is shorter). `total` bytes is the array long; errors name `source`. Throws FileError:
/// E_TRUNCATED, E_MAGIC, E_VERSION, E_HEADER.
std::uint64_t npy_data_offset(std::span<const std::byte> begin, std::uint64_t total,
                              const Source& source);

/// `head` is everything before the data. Throws FileError: as npy_data_offset(), and E_DTYPE,
/// E_NDIMS, E_SHAPE (also bytes left over).
NpyHeader parse_npy_header(std::span<const std::byte> head, std::uint64_t total,
                           const Source& source);

/// The head of a row-major array in this machine's byte order, version 1, a multiple of 64 bytes.
/// Throws Error{unsupported} for packed types, which NumPy does not have. bf16 gets the descriptor
/// "<V2", as NumPy saves arrays of the package ml_dtypes; it reads back as two bytes without a
/// meaning: np.load(…).view(ml_dtypes.bfloat16).
std::string make_npy_header(DType dtype, const Shape& shape);

/// The array in memory of `pool`: row-major and in this machine's byte order, whatever the file
/// has. `data` holds header.data_bytes.
Tensor npy_tensor(const NpyHeader& header, std::span<const std::byte> data, HybridMemoryPool& pool);
/// As above for an array that lies in `tensor` as in the file: [shape], order and bytes unchanged.
Tensor npy_tensor(const NpyHeader& header, Tensor tensor, HybridMemoryPool& pool);

}  // namespace bitnet
