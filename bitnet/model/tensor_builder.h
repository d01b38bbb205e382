// SPDX-License-Identifier: MIT OR Apache-2.0
// What the loaders of all file formats share: checked tensors out of bytes, and a list of
// everything that is wrong.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/model/loader.h"
#include "bitnet/tensor/tensor.h"
#include "bitnet/ternary/ternary_matrix.h"

namespace bitnet {

/// One tensor of a file: where it is, for errors and for advice to the mapping.
struct TensorBytesView {
  std::string file;
  std::string name;
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
};

/// Collects problems so that a user sees all of them at once.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void add(const std::string& tensor, const std::string& found, const std::string& expected);
  /// Throws FileError{corrupt_file} E_TENSOR with every problem (the first 20 in words) if there is
  /// one.
  void throw_if_any() const;
  bool any() const noexcept { return count_ != 0; }

 private:
  std::string file_, first_, text_;
  std::size_t count_ = 0;
};

/// f32 copy of a small dense tensor (a norm's weight) of f32, f16 or bf16; throws FileError
/// E_TENSOR for a value that is not finite, naming its index.
Tensor to_f32(const TensorBytesView& from, DType dtype, const Shape& shape, HybridMemoryPool& pool);

/// One value of f32, f16 or bf16 bytes.
float read_float(const std::byte* at, DType dtype) noexcept;

/// block128 codes of a packed matrix: borrowed in place where the layout is the same, else
/// converted on all workers. Throws FileError: E_CODE, E_SCALE naming row and column.
struct UnpackedTernary {
  Tensor codes;
  std::vector<float> group_scales;  // [rows][cols / 256], TQ1_0 and TQ2_0 only
};
UnpackedTernary unpack_ternary(const TensorBytesView& from, PackedFormat format, std::int64_t rows,
                               std::int64_t cols, std::shared_ptr<const void> keeper,
                               const LoadOptions& options);

/// Tiles of ternary/lookup_tiles.h, checked on all workers: in place where they lie aligned, else a
/// copy. Throws FileError: E_CODE, E_BLOCK naming the row.
LookupTiles checked_tiles(const TensorBytesView& from, std::int64_t rows, std::int64_t cols,
                          std::shared_ptr<const void> keeper, const LoadOptions& options);

/// block128 codes and gamma of a dense master matrix (f32, f16, bf16), quantized on all workers by
/// absmean. Throws FileError E_TENSOR where a weight is not finite.
TernaryMatrix quantize_master(const TensorBytesView& from, DType dtype, std::int64_t rows,
                              std::int64_t cols, const LoadOptions& options);

/// Checks a scale (finite, above 0): FileError E_SCALE.
void check_scale(const TensorBytesView& from, float scale);

}  // namespace bitnet
