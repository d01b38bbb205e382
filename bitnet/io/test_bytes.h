// SPDX-License-Identifier: MIT OR Apache-2.0
// For tests: builds files byte by byte, hostile ones too, and tells which rule a parser says they
// break.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bitnet/base/error.h"

namespace bitnet::testing {

class Bytes {
 public:
  template <class T>
  Bytes& number(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& u32(std::uint64_t value) { return number(static_cast<std::uint32_t>(value)); }
  Bytes& u64(std::uint64_t value) { return number(value); }
  Bytes& raw(std::string_view text) {
    text_ += text;
    return *this;
  }
  Bytes& string(std::string_view text) { return u64(text.size()).raw(text); }
  Bytes& pad(std::size_t alignment) {
    text_.append((alignment - text_.size() % alignment) % alignment, '\0');
    return *this;
  }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The fault that reading `text` as a File (constructed from bytes and a name) ends with; kind ""
/// if it is accepted. Every fault must name the file and a place inside it.
template <class File>
FileFault fault_of(std::string_view text) {
  // An exact heap copy: AddressSanitizer sees any read past the end.
  const auto heap = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), heap.get());
  try {
    File file(as_bytes({heap.get(), text.size()}), "hostile");
  } catch (const FileError& error) {
    EXPECT_EQ(error.fault().file, "hostile");
    EXPECT_LE(error.fault().offset, text.size());
    EXPECT_FALSE(error.fault().field.empty());
    return error.fault();
  }
  return {};
}

/// A folder that goes when the test ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bitnet_io_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace bitnet::testing
