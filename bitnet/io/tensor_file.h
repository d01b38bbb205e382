// SPDX-License-Identifier: MIT OR Apache-2.0
// Named tensors of every type in a file of ours that is mapped, not read: .bnt.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/io/source.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// What the directory says of a tensor, checked.
struct TensorFileEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;                                  // as stored
  Layout layout;                                // whose stored_shape() of `matrix` is `shape`
  Shape matrix;                                 // `shape` where the layout is row_major
  std::optional<ScaleGranularity> granularity;  // of its quantization; nullopt: it has none
  std::int64_t group_cols = 0;
  bool zero_points = false;
  std::uint64_t offset = 0, bytes = 0, checksum = 0;
  std::uint64_t scales_offset = 0, scales = 0, scales_checksum = 0;  // `scales`: how many
};

enum class Checksums { verify, trust };

/// The file; numbers are little-endian on every host, places are counted from its beginning:
///   magic "BNTENSOR" | u32 mark 0x0A0B0C0D | u32 version 1 | zeros up to 64
///   for each tensor, in the order of the entries, its bytes at a multiple of 64, of 4096 where
///   they
///     are 65536 or more; where it is quantized, at the next multiple of 64 its f32 scales and, if
///     it has them, as many i32 zero points; zeros between
///   at the next multiple of 64, for each tensor an entry of 160 bytes:
///       0 u64 offset | 8 u64 bytes | 16 u64 xxh64 of the bytes | 24 u64 xxh64 of scales and zero
///         points, 0 where there are none | 32 u64 columns of a group, 0 where not by groups
///      40 u32 bytes of its name | 44 u8 type | 45 u8 rank | 46 u8 layout: 0 row_major,
///         1 column_major, 2 blocked, 3 packed_tile | 47 u8 scales for: 0 none, 1 the tensor,
///         2 a row, 3 a group | 48 u8 1 where it has zero points | 7 zeros
///      56 u64 dims[8], zeros behind the rank | 120 u64 rows and columns of the matrix,
///         R, C and I of the layout (tensor/layout.h); zeros for row_major
///   the names, one behind the other
///   u64 bytes of the file | u64 tensors | u64 bytes of all names | u64 xxh64 of entries and names
///   |
///     u64 xxh64 of these four | "BNTEND\r\n", by which a file that was cut short is known without
///     reading it
/// Types: 1 f32, 2 f16, 3 bf16, 4 f64, 5 i8, 6 u8, 7 u16, 8 i32, 9 i64, 10 i4, 11 i2, 12 i1,
/// 13 ternary2, 14 ternary1_6, 15 q8_0, 16 q4_0, 17 q6_k. Rows are whole, as in tensor.h.
///
/// Elements lie as little-endian machines have them: on others opening and writing throws
/// Error{unsupported}.
class TensorFile {
 public:
  /// Checks the directory, not the tensors: verify() does. Throws FileError: io E_IO; corrupt_file
  /// E_SIZE, E_MAGIC, E_TRUNCATED, E_CHECKSUM, E_PADDING, E_COUNT, E_KEY, E_DUPTENSOR, E_DTYPE,
  /// E_NDIMS, E_SHAPE, E_HEADER, E_OFFSET; unsupported E_ENDIAN, E_VERSION.
  explicit TensorFile(const std::string& path, os::MapMode mode = os::MapMode::read_only);
  /// Reads from memory, which must outlive this and the tensors of map().
  TensorFile(std::span<const std::byte> bytes, std::string name);

  const std::vector<TensorFileEntry>& entries() const noexcept { return entries_; }
  /// nullptr where there is none of this name.
  const TensorFileEntry* find(std::string_view name) const noexcept;

  /// The tensor where it lies in the file, read-only, with name, layout and quantization; it keeps
  /// the mapping. Only scales and zero points, which are copied, are checked against their checksum
  /// (FileError{corrupt_file} E_CHECKSUM). Results are to be believed after check_intact().
  Tensor map(const TensorFileEntry& entry) const;
  /// A copy in memory of `pool`. Throws as map(), with Checksums::verify also where the tensor's
  /// bytes do not fit their checksum, and as check_intact(); Error{out_of_memory}.
  Tensor read(const TensorFileEntry& entry, HybridMemoryPool& pool = default_pool(),
              Checksums checksums = Checksums::verify) const;
  /// The stored array where it is mapped; what is written stays in this process. Throws
  /// Error{invalid_argument} unless copy_on_write.
  MutableTensorView writable(const TensorFileEntry& entry) const;

  /// Throws FileError{io} E_IO where the file shrank since it was opened or could not be read;
  /// mapped tensors then have zeros in place of what is gone.
  void check_intact() const;
  /// Reads all tensors and what lies between them. Throws FileError{corrupt_file} E_CHECKSUM,
  /// E_PADDING, also where writable() ones were changed, and as check_intact().
  void verify() const;

 private:
  explicit TensorFile(std::shared_ptr<const Source> source);
  Quantization read_quantization(const TensorFileEntry& entry) const;
  void describe(const TensorFileEntry& entry, Tensor& tensor) const;
  void check(const TensorFileEntry& entry, std::span<const std::byte> bytes) const;

  std::shared_ptr<const Source> source_;
  std::uint64_t directory_offset_ = 0;
  std::vector<TensorFileEntry> entries_;
  std::vector<std::uint32_t> by_name_;  // indices into entries_, sorted by name
};

/// Writes tensors under their names: the whole new file is there or the old one, whatever happens.
/// Throws Error{invalid_argument} for a tensor that is empty (not defined()) or not in host memory,
/// or a name that is empty, longer than 4096 bytes, not UTF-8 or given twice; FileError{io}.
void write_tensor_file(const std::string& path, std::span<const Tensor> tensors);

}  // namespace bitnet
