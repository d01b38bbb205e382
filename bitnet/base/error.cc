// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/error.h"

namespace bitnet {
namespace {

std::string describe(const FileFault& f) {
  std::string text = f.file + ": " + f.field + " at byte " + std::to_string(f.offset);
  if (!f.value.empty()) text += ": " + f.value;
  if (!f.limit.empty()) text += "; " + f.limit;
  return text + " [" + f.kind + "]";
}

}  // namespace

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::out_of_memory:
      return "out_of_memory";
    case Errc::unsupported:
      return "unsupported";
    case Errc::corrupt_file:
      return "corrupt_file";
    case Errc::io:
      return "io";
    case Errc::device_lost:
      return "device_lost";
    case Errc::internal:
      return "internal";
  }
  return "unknown";
}

FileError::FileError(Errc code, FileFault fault, std::source_location where)
    : Error(code, describe(fault), where), fault_(std::move(fault)) {}

std::string printable(std::string_view text, std::size_t max_length) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    if (out.size() >= max_length) return out + "…";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '"') {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace bitnet
