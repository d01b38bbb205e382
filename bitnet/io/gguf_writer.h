// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes GGUF version 3: whole or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/io/gguf.h"
#include "bitnet/io/tensor_bytes.h"

namespace bitnet {

/// Collects key/values and tensors in order, then writes them.
/// Every method throws Error{invalid_argument} for a name or shape that GgufFile would refuse;
/// write() also for bytes that do not add up, and FileError{io} from the disk.
class GgufWriter {
 public:
  void add_u32(std::string_view key, std::uint32_t value);
  void add_u64(std::string_view key, std::uint64_t value);
  void add_i32(std::string_view key, std::int32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string_view> values);
  void add_f32_array(std::string_view key, std::span<const float> values);
  void add_i32_array(std::string_view key, std::span<const std::int32_t> values);
  /// Where tensors begin: multiples of `bytes`, a power of two, and of 32 where this is not called.
  void align_tensors(std::uint32_t bytes);
  /// A value of another file as it stands; general.alignment is refused.
  void add_copy(const GgufKeyValue& entry);

  /// dims in GGUF order (columns first), 1 to 4 of them. `bytes` pushes exactly size_bytes of the
  /// tensor.
  void add_tensor(std::string_view name, GgmlType type, std::span<const std::int64_t> dims,
                  TensorBytes bytes);

  void write(const std::string& path) const;

 private:
  struct Item {
    std::string name;
    GgmlType type;
    std::vector<std::int64_t> dims;
    std::uint64_t size_bytes;
    TensorBytes bytes;
  };

  void begin_key(std::string_view key, GgufValueType type);
  void append_value(const GgufValue& value);
  std::string header() const;
  std::uint64_t padding(std::uint64_t size) const noexcept;

  std::uint64_t alignment_ = 32;
  std::vector<std::string> keys_;
  std::string key_value_bytes_;
  std::vector<Item> items_;
};

}  // namespace bitnet
