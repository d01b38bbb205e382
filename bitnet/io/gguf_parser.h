// SPDX-License-Identifier: MIT OR Apache-2.0
// The walk through a GGUF file's header: every count and length is checked against the bytes that
// are left.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/io/gguf.h"
#include "bitnet/io/source.h"

namespace bitnet {

class GgufParser {
 public:
  explicit GgufParser(const Source& source) : source_(source), text_(source.text()) {}

  void run();

  std::uint32_t version = 0;
  std::uint64_t alignment = 32;
  std::vector<GgufKeyValue> key_values;
  std::vector<GgufTensor> tensors;
  std::vector<std::uint32_t> keys_by_name, tensors_by_name;
  std::vector<std::string> warnings;

 private:
  std::uint64_t left() const noexcept { return text_.size() - at_; }
  template <class T>
  T read(std::string_view field);
  std::string_view read_string(const std::string& field, std::uint64_t max_length,
                               bool may_be_empty);
  std::string_view read_name(const std::string& field, std::uint64_t max_length);
  std::uint64_t read_count(const char* field, std::uint64_t min_record_bytes);

  void read_magic_and_version();
  GgufKeyValue read_key_value(std::uint64_t index);
  GgufValueType read_type(const std::string& field);
  GgufValue read_value(const std::string& field);
  GgufArray read_array(const std::string& field);
  bool read_bool(const std::string& field);
  void read_alignment();
  GgufTensor read_tensor(std::uint64_t index);
  void read_dims(GgufTensor& tensor, const std::string& field, std::uint64_t index);
  void check_tensor_size(GgufTensor& tensor, std::uint64_t type_offset);
  void sort_names();
  void place_tensors();

  const Source& source_;
  std::string_view text_;
  std::uint64_t at_ = 0;
  std::uint64_t total_bytes_ = 0;             // of all tensors, padded
  std::vector<std::uint64_t> offset_fields_;  // where each tensor's record starts
};

}  // namespace bitnet
