// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/npy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "bitnet/base/checked.h"

namespace bitnet {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kMaxDims = 8;

struct TypeRow {
  std::string_view descr;
  DType dtype;
};

constexpr std::array kTypes{
    TypeRow{"|u1", DType::u8},  TypeRow{"|i1", DType::i8},  TypeRow{"<u2", DType::u16},
    TypeRow{"<i4", DType::i32}, TypeRow{"<i8", DType::i64}, TypeRow{"<f2", DType::f16},
    TypeRow{"<f4", DType::f32}, TypeRow{"<f8", DType::f64},
};

/// Reads the header, a Python dict literal of three known keys.
class DictReader {
 public:
  DictReader(std::string_view text, std::uint64_t offset, const Source& source)
      : text_(text), offset_(offset), source_(source) {}

  std::uint64_t offset() const noexcept { return offset_ + at_; }
  bool at_end() const noexcept { return at_ == text_.size(); }

  bool take(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "'");
  }

  std::string_view quoted() {
    expect('\'');
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) fail("a closing quote");
    const std::string_view inner = text_.substr(at_, end - at_);
    at_ = end + 1;
    return inner;
  }

  bool boolean() {
    skip_spaces();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return word == "True";
    }
    fail("True or False");
  }

  std::int64_t integer() {
    skip_spaces();
    std::int64_t value = 0;
    const std::size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value))
        fail("an integer of at most 63 bits");
    if (at_ == begin) fail("an integer >= 0");
    return value;
  }

  [[noreturn]] void fail(const std::string& expected, const char* kind = "E_HEADER") const {
    source_.fail(kind, offset(), "npy header", "\"" + printable(text_.substr(at_), 40) + "\"",
                 expected + " expected");
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  std::string_view text_;
  std::uint64_t offset_;
  const Source& source_;
  std::size_t at_ = 0;
};

template <class T>
void write(const std::string& path, std::span<const std::int64_t> shape, std::span<const T> values,
           std::string_view descr) {
  std::optional<std::uint64_t> count = 1;
  std::string text = "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t axis : shape) {
    count =
        count && axis >= 0 ? checked_mul(*count, static_cast<std::uint64_t>(axis)) : std::nullopt;
    text += std::to_string(axis) + ", ";
  }
  require(count == values.size(), "write_npy: the shape does not fit the number of values");
  text += "), }";
  // Magic, version and length take 10 bytes; data starts at a multiple of 64, after a newline.
  text.append((64 - (10 + text.size() + 1) % 64) % 64, ' ');
  text += '\n';
  os::AtomicFile file(path);
  file.write(kMagic);
  const std::array<std::uint8_t, 4> version_and_length{
      1, 0, static_cast<std::uint8_t>(text.size() & 0xff),
      static_cast<std::uint8_t>(text.size() >> 8)};
  file.write(std::as_bytes(std::span(version_and_length)));
  file.write(text);
  file.write(std::as_bytes(values));
  file.commit();
}

}  // namespace

NpyFile::NpyFile(Source source) : source_(std::move(source)) {
  const std::string_view text = source_.text();
  if (text.substr(0, kMagic.size()) != kMagic)
    source_.fail("E_MAGIC", 0, "magic", "\"" + printable(text.substr(0, 6)) + "\"", "\\x93NUMPY");
  const std::uint64_t major = text.size() > 6 ? static_cast<unsigned char>(text[6]) : 0;
  const std::uint64_t length_bytes = major == 1 ? 2 : 4;
  const std::uint64_t start = 8 + length_bytes;
  if (text.size() > 6 && (major < 1 || major > 3))
    source_.fail("E_VERSION", 6, "version", std::to_string(major), "1, 2 and 3 are read");
  if (text.size() < start)
    source_.fail("E_TRUNCATED", 6, "header length", std::to_string(text.size()) + " bytes",
                 std::to_string(start) + " bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, text.data() + 8, length_bytes);
  if (length > text.size() - start)
    source_.fail("E_TRUNCATED", 8, "header length", std::to_string(length),
                 "at most " + std::to_string(text.size() - start) + " (the rest of the file)");
  parse_header(text.substr(start, length), start);

  const auto size = checked_mul(static_cast<std::uint64_t>(num_elements_),
                                static_cast<std::uint64_t>(info(dtype_).block_bytes));
  const std::uint64_t rest = text.size() - start - length;
  if (!size || *size != rest)
    source_.fail(size && *size < rest ? "E_SHAPE" : "E_TRUNCATED", start + length, "data",
                 std::to_string(rest) + " bytes",
                 (size ? std::to_string(*size) : "more than 2^64") + " by dtype and shape");
  data_ = source_.bytes().subspan(start + length);
  source_.check_intact();
}

void NpyFile::parse_header(std::string_view header, std::uint64_t offset) {
  DictReader reader(header, offset, source_);
  bool has_descr = false, has_order = false, has_shape = false;
  std::uint64_t count = 1;
  reader.expect('{');
  while (!reader.take('}')) {
    const std::string_view key = reader.quoted();
    reader.expect(':');
    if (key == "descr" && !has_descr) {
      has_descr = true;
      const std::string_view descr = reader.quoted();
      const auto* row = std::find_if(kTypes.begin(), kTypes.end(),
                                     [&](const TypeRow& type) { return type.descr == descr; });
      if (row == kTypes.end())
        source_.fail("E_DTYPE", offset, "npy descr", "\"" + printable(descr) + "\"",
                     "|u1 |i1 <u2 <i4 <i8 <f2 <f4 <f8");
      dtype_ = row->dtype;
    } else if (key == "fortran_order" && !has_order) {
      has_order = true;
      if (reader.boolean()) reader.fail("False before this (C order)");
    } else if (key == "shape" && !has_shape) {
      has_shape = true;
      reader.expect('(');
      while (!reader.take(')')) {
        if (shape_.size() == kMaxDims) reader.fail("at most 8 axes", "E_NDIMS");
        shape_.push_back(reader.integer());
        const auto product = checked_mul(count, static_cast<std::uint64_t>(shape_.back()));
        if (!product || *product > static_cast<std::uint64_t>(INT64_MAX))
          reader.fail("a product of at most 63 bits before this", "E_SHAPE");
        count = *product;
        if (!reader.take(',')) {
          reader.expect(')');
          break;
        }
      }
    } else {
      reader.fail("descr, fortran_order and shape, each once,");
    }
    if (!reader.take(',')) {
      reader.expect('}');
      break;
    }
  }
  if (!has_descr || !has_order || !has_shape) reader.fail("descr, fortran_order and shape");
  num_elements_ = static_cast<std::int64_t>(count);
}

void write_npy(const std::string& path, std::span<const std::int64_t> shape,
               std::span<const float> values) {
  write(path, shape, values, "<f4");
}

void write_npy(const std::string& path, std::span<const std::int64_t> shape,
               std::span<const std::int32_t> values) {
  write(path, shape, values, "<i4");
}

}  // namespace bitnet
