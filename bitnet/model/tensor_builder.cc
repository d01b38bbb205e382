// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/tensor_builder.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>

#include "bitnet/base/half.h"
#include "bitnet/ternary/absmean.h"
#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet {
namespace {

constexpr std::size_t kProblemsInWords = 20;

[[noreturn]] void fail_tensor(const TensorBytesView& from, const char* kind, std::uint64_t offset,
                              const std::string& what, const std::string& value,
                              const std::string& limit) {
  throw FileError(
      Errc::corrupt_file,
      {kind, from.file, offset, "tensor '" + printable(from.name) + "'" + what, value, limit});
}

[[noreturn]] void fail_ternary(const TensorBytesView& from, const TernaryFault& fault) {
  const std::string where =
      " row " + std::to_string(fault.row) + " column " + std::to_string(fault.column);
  if (fault.kind == TernaryFault::Kind::code)
    fail_tensor(from, "E_CODE", from.offset, where,
                "code " + std::to_string(static_cast<int>(fault.value)),
                "no ternary weight has this code");
  if (fault.kind == TernaryFault::Kind::count)
    fail_tensor(from, "E_BLOCK", from.offset, " row " + std::to_string(fault.row),
                "number of negatives " + std::to_string(static_cast<std::int64_t>(fault.value)),
                "what its codes have");
  fail_tensor(from, "E_SCALE", from.offset, where, "scale " + std::to_string(fault.value),
              "a finite number above 0");
}

// Faults seen by the workers; the lowest row is reported, whatever the number of threads.
class FirstFault {
 public:
  void offer(const std::optional<TernaryFault>& fault) {
    if (!fault) return;
    const std::lock_guard lock(mutex_);
    if (!first_ || fault->row < first_->row) first_ = fault;
  }
  const std::optional<TernaryFault>& get() const { return first_; }

 private:
  std::mutex mutex_;
  std::optional<TernaryFault> first_;
};

// A master's row as floats.
void widen_f16(const std::byte* from, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, from + 2 * i, 2);
    to[i] = f16_to_f32(bits);
  }
}

// Calls use(row) with a row of floats or bf16 bits, copied where the mapping's alignment may not
// suit.
template <class Use>
void with_row(const std::byte* row, DType dtype, std::int64_t cols, Use&& use) {
  const auto n = static_cast<std::size_t>(cols);
  if (dtype == DType::bf16) {
    std::vector<std::uint16_t> bits(n);
    std::memcpy(bits.data(), row, n * 2);
    use(std::span<const std::uint16_t>(bits));
    return;
  }
  std::vector<float> values(n);
  if (dtype == DType::f16)
    widen_f16(row, values);
  else
    std::memcpy(values.data(), row, n * 4);
  use(std::span<const float>(values));
}

}  // namespace

void Problems::add(const std::string& tensor, const std::string& found,
                   const std::string& expected) {
  if (count_ == 0) first_ = tensor;
  if (count_++ < kProblemsInWords)
    text_ += "\n  " + printable(tensor, 200) + ": " + found + ", expected " + expected;
}

void Problems::throw_if_any() const {
  if (count_ == 0) return;
  std::string text = std::to_string(count_) + (count_ == 1 ? " problem:" : " problems:") + text_;
  if (count_ > kProblemsInWords)
    text += "\n  and " + std::to_string(count_ - kProblemsInWords) + " more";
  throw FileError(Errc::corrupt_file, {"E_TENSOR", file_, 0, "tensors", text, ""});
}

float read_float(const std::byte* at, DType dtype) noexcept {
  if (dtype == DType::f32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return dtype == DType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

Tensor to_f32(const TensorBytesView& from, DType dtype, const Shape& shape,
              HybridMemoryPool& pool) {
  Tensor out = Tensor::allocate(DType::f32, shape, pool);
  const std::int64_t count = shape.num_elements();
  const std::int64_t size = info(dtype).block_bytes;
  float* values = out.as_mutable<float>();
  for (std::int64_t i = 0; i < count; ++i) {
    values[i] = read_float(from.bytes.data() + i * size, dtype);
    if (!std::isfinite(values[i]))
      fail_tensor(from, "E_TENSOR", from.offset + static_cast<std::uint64_t>(i * size),
                  " element " + std::to_string(i), "not a finite number", "");
  }
  return out;
}

UnpackedTernary unpack_ternary(const TensorBytesView& from, PackedFormat format, std::int64_t rows,
                               std::int64_t cols, std::shared_ptr<const void> keeper,
                               const LoadOptions& options) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(from.bytes.data());
  const Shape shape{rows, cols};
  UnpackedTernary out;
  FirstFault fault;
  if (format == PackedFormat::i2_s_x86 && cols % block128::kWeights == 0) {
    options.threads->for_slices(rows, 1, [&](std::int64_t begin, std::int64_t end) {
      fault.offer(block128::find_bad_code(data, begin, end, cols));
    });
    if (fault.get()) fail_ternary(from, *fault.get());
    out.codes = Tensor::borrow(DType::ternary2, shape, from.bytes.data(), std::move(keeper));
    return out;
  }
  const auto needed = packed_bytes(format, rows, cols);
  if (!needed || *needed > from.bytes.size())
    fail_tensor(from, "E_BLOCK", from.offset,
                " [" + std::to_string(rows) + ", " + std::to_string(cols) + "]",
                std::to_string(from.bytes.size()) + " bytes",
                "the shape does not fill blocks of layout " + std::string(name(format)));
  const bool grouped = format == PackedFormat::tq1_0 || format == PackedFormat::tq2_0;
  if (grouped) out.group_scales.resize(static_cast<std::size_t>(rows * (cols / 256)));
  out.codes = Tensor::allocate(DType::ternary2, shape, *options.pool);
  auto* codes = reinterpret_cast<std::uint8_t*>(out.codes.mutable_data());
  const PackedMatrix packed{format, data, rows, cols};
  options.threads->for_slices(num_units(packed), 1, [&](std::int64_t begin, std::int64_t end) {
    fault.offer(
        to_block128(packed, begin, end, codes, grouped ? out.group_scales.data() : nullptr));
  });
  if (fault.get()) fail_ternary(from, *fault.get());
  return out;
}

LookupTiles checked_tiles(const TensorBytesView& from, std::int64_t rows, std::int64_t cols,
                          std::shared_ptr<const void> keeper, const LoadOptions& options) {
  const auto size = packed_bytes(PackedFormat::lookup_tiles, rows, cols);
  if (!size || *size > from.bytes.size())
    fail_tensor(from, "E_BLOCK", from.offset, "", std::to_string(from.bytes.size()) + " bytes",
                std::to_string(size.value_or(0)) + " for its shape");
  const auto* data = reinterpret_cast<const std::uint8_t*>(from.bytes.data());
  FirstFault fault;
  options.threads->for_slices(lookup_tiles::strips(rows), 1,
                              [&](std::int64_t begin, std::int64_t end) {
                                fault.offer(lookup_tiles::find_fault(data, rows, cols, begin, end));
                              });
  if (fault.get()) fail_ternary(from, *fault.get());
  const Shape shape{static_cast<std::int64_t>(*size)};
  if (reinterpret_cast<std::uintptr_t>(data) % lookup_tiles::kAlignment == 0)
    return {Tensor::borrow(DType::i8, shape, from.bytes.data(), std::move(keeper)), rows, cols};
  Tensor copy = Tensor::allocate(DType::i8, shape, *options.pool);  // 64-byte aligned
  std::memcpy(copy.mutable_data(), data, *size);
  return {std::move(copy), rows, cols};
}

TernaryMatrix quantize_master(const TensorBytesView& from, DType dtype, std::int64_t rows,
                              std::int64_t cols, const LoadOptions& options) {
  TernaryMatrix out;
  out.codes = Tensor::allocate(DType::ternary2, {rows, cols}, *options.pool);
  const std::int64_t row_size = cols * info(dtype).block_bytes;
  const std::byte* data = from.bytes.data();
  std::vector<double> sums(static_cast<std::size_t>(rows));
  options.threads->for_slices(rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      with_row(data + r * row_size, dtype, cols,
               [&](auto row) { sums[static_cast<std::size_t>(r)] = absmean::row_sum(row); });
  });
  double sum = 0.0;
  for (const double s : sums) sum += s;
  const auto gamma = absmean::scale(sum, rows * cols);
  if (!gamma) fail_tensor(from, "E_TENSOR", from.offset, "", "a weight is not a finite number", "");
  out.scale = *gamma;
  auto* codes = reinterpret_cast<std::uint8_t*>(out.codes.mutable_data());
  options.threads->for_slices(rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      with_row(data + r * row_size, dtype, cols, [&](auto row) {
        absmean::quantize_row(row, *gamma, codes + r * out.codes.row_stride_bytes());
      });
  });
  return out;
}

void check_scale(const TensorBytesView& from, float scale) {
  if (!std::isfinite(scale) || scale <= 0.0f)
    fail_tensor(from, "E_SCALE", from.offset, "", "scale " + std::to_string(scale),
                "a finite number above 0");
}

}  // namespace bitnet
