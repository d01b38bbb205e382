// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/npy_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "bitnet/base/checked.h"
#include "bitnet/tensor/copy.h"

namespace bitnet {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::uint64_t kMaxElements = (std::uint64_t{1} << 60) - 1;  // of 8 bytes: 63 bits
constexpr bool kBigEndianHost = std::endian::native == std::endian::big;

struct TypeRow {
  std::string_view code;  // behind the byte order
  DType dtype;
};

constexpr std::array kTypes{
    TypeRow{"u1", DType::u8},  TypeRow{"i1", DType::i8},  TypeRow{"u2", DType::u16},
    TypeRow{"i4", DType::i32}, TypeRow{"i8", DType::i64}, TypeRow{"f2", DType::f16},
    TypeRow{"f4", DType::f32}, TypeRow{"f8", DType::f64}, TypeRow{"V2", DType::bf16},
};

/// Reads the header, a Python dict literal of three known keys.
class DictReader {
 public:
  DictReader(std::string_view text, std::uint64_t offset, const Source& source)
      : text_(text), offset_(offset), source_(source) {}

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

  void end() {
    skip_spaces();
    if (at_ != text_.size()) fail("nothing but spaces");
  }

  [[noreturn]] void fail(const std::string& expected, const char* kind = "E_HEADER") const {
    source_.fail(kind, offset_ + at_, "npy header", "\"" + printable(text_.substr(at_), 40) + "\"",
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

void read_type(std::string_view descr, std::uint64_t offset, const Source& source,
               NpyHeader& header) {
  const char order = descr.empty() ? '\0' : descr[0];
  const std::string_view code = descr.substr(descr.empty() ? 0 : 1);
  const auto* row = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const TypeRow& type) { return type.code == code; });
  // "|": no byte order, right for single bytes; "|V2" is two bytes that need not be a bf16.
  const bool known = !descr.empty() && row != kTypes.end() &&
                     (order == '<' || (order == '>' && row->dtype != DType::bf16) ||
                      (order == '|' && info(row->dtype).block_bytes == 1));
  if (!known)
    source.fail("E_DTYPE", offset, "npy descr", "\"" + printable(descr) + "\"",
                "u1 i1 u2 i4 i8 f2 f4 f8 behind < or >, <V2 (bfloat16 of ml_dtypes)");
  header.dtype = row->dtype;
  header.big_endian = order == '>';
}

Shape read_shape(DictReader& reader) {
  std::vector<std::int64_t> dims;
  std::uint64_t count = 1;
  reader.expect('(');
  while (!reader.take(')')) {
    if (dims.size() == Shape::kMaxRank) reader.fail("at most 8 axes", "E_NDIMS");
    dims.push_back(reader.integer());
    // Also where another axis is 0: strides are products of these.
    const auto product =
        checked_mul(count, static_cast<std::uint64_t>(std::max<std::int64_t>(dims.back(), 1)));
    if (!product || *product > kMaxElements)
      reader.fail("a product of at most 2^60 - 1 before this", "E_SHAPE");
    count = *product;
    if (!reader.take(',')) {
      reader.expect(')');
      break;
    }
  }
  return Shape(std::span<const std::int64_t>(dims));
}

void read_dict(std::string_view text, std::uint64_t offset, const Source& source,
               NpyHeader& header) {
  DictReader reader(text, offset, source);
  bool has_descr = false, has_order = false, has_shape = false;
  reader.expect('{');
  while (!reader.take('}')) {
    const std::string_view key = reader.quoted();
    reader.expect(':');
    if (key == "descr" && !has_descr) {
      has_descr = true;
      read_type(reader.quoted(), offset, source, header);
    } else if (key == "fortran_order" && !has_order) {
      has_order = true;
      header.fortran_order = reader.boolean();
    } else if (key == "shape" && !has_shape) {
      has_shape = true;
      header.shape = read_shape(reader);
    } else {
      reader.fail("descr, fortran_order and shape, each once,");
    }
    if (!reader.take(',')) {
      reader.expect('}');
      break;
    }
  }
  if (!has_descr || !has_order || !has_shape) reader.fail("descr, fortran_order and shape");
  reader.end();
}

void reverse_elements(std::span<std::byte> bytes, std::size_t element) {
  for (std::size_t at = 0; at < bytes.size(); at += element)
    std::reverse(bytes.data() + at, bytes.data() + at + element);
}

}  // namespace

std::uint64_t npy_data_offset(std::span<const std::byte> begin, std::uint64_t total,
                              const Source& source) {
  const std::string_view text(reinterpret_cast<const char*>(begin.data()), begin.size());
  if (text.substr(0, kMagic.size()) != kMagic)
    source.fail("E_MAGIC", 0, "magic", "\"" + printable(text.substr(0, 6)) + "\"", "\\x93NUMPY");
  const std::uint64_t major = text.size() > 6 ? static_cast<unsigned char>(text[6]) : 0;
  const std::uint64_t length_bytes = major == 1 ? 2 : 4;
  const std::uint64_t start = 8 + length_bytes;
  if (text.size() > 6 && (major < 1 || major > 3))
    source.fail("E_VERSION", 6, "version", std::to_string(major), "1, 2 and 3 are read");
  if (text.size() < start)
    source.fail("E_TRUNCATED", 6, "header length", std::to_string(text.size()) + " bytes",
                std::to_string(start) + " bytes");
  std::uint64_t length = 0;
  for (std::uint64_t i = 0; i < length_bytes; ++i)
    length |= std::uint64_t{static_cast<unsigned char>(text[8 + i])} << (8 * i);
  if (length > total - start)
    source.fail("E_TRUNCATED", 8, "header length", std::to_string(length),
                "at most " + std::to_string(total - start) + " (the rest of the file)");
  if (start + length > kMaxNpyHeaderBytes)
    source.fail("E_HEADER", 8, "header length", std::to_string(length),
                "at most " + std::to_string(kMaxNpyHeaderBytes - start));
  return start + length;
}

NpyHeader parse_npy_header(std::span<const std::byte> head, std::uint64_t total,
                           const Source& source) {
  NpyHeader header;
  header.data_offset = npy_data_offset(head, total, source);
  const std::uint64_t start = head[6] == std::byte{1} ? 10 : 12;
  const std::string_view text(reinterpret_cast<const char*>(head.data()), header.data_offset);
  read_dict(text.substr(start), start, source, header);
  const std::uint64_t size = Tensor::byte_size(header.dtype, header.shape);
  header.data_bytes = total - header.data_offset;
  if (size != header.data_bytes)
    source.fail(size < header.data_bytes ? "E_SHAPE" : "E_TRUNCATED", header.data_offset, "data",
                std::to_string(header.data_bytes) + " bytes",
                std::to_string(size) + " by dtype and shape");
  return header;
}

std::string make_npy_header(DType dtype, const Shape& shape) {
  const auto* row = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const TypeRow& type) { return type.dtype == dtype; });
  if (row == kTypes.end())
    fail(Errc::unsupported, "npy: NumPy has no type " + std::string(info(dtype).name));
  const char order = info(dtype).block_bytes == 1 ? '|' : kBigEndianHost ? '>' : '<';
  std::string text =
      "{'descr': '" + (order + std::string(row->code)) + "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t axis : shape.dims()) text += std::to_string(axis) + ", ";
  text += "), }";
  // Magic, version and length take 10 bytes; data starts at a multiple of 64, after a newline.
  text.append((64 - (10 + text.size() + 1) % 64) % 64, ' ');
  text += '\n';
  std::string head(kMagic);
  head += {'\1', '\0', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return head + text;
}

Tensor npy_tensor(const NpyHeader& header, std::span<const std::byte> data,
                  HybridMemoryPool& pool) {
  Tensor tensor = Tensor::allocate(header.dtype, header.shape, pool);
  if (!data.empty()) std::memcpy(tensor.mutable_data(), data.data(), data.size());
  return npy_tensor(header, std::move(tensor), pool);
}

Tensor npy_tensor(const NpyHeader& header, Tensor tensor, HybridMemoryPool& pool) {
  if (header.big_endian != kBigEndianHost)
    reverse_elements({tensor.mutable_data(), tensor.size_bytes()},
                     static_cast<std::size_t>(info(header.dtype).block_bytes));
  if (!header.fortran_order || header.shape.rank() < 2) return tensor;
  Strides strides{};
  std::int64_t step = info(header.dtype).block_bytes;
  for (int axis = 0; axis < header.shape.rank(); ++axis) {
    strides[static_cast<std::size_t>(axis)] = step;
    step *= header.shape[axis];
  }
  return contiguous(TensorView(header.dtype, header.shape, strides, tensor.data()), pool);
}

}  // namespace bitnet
