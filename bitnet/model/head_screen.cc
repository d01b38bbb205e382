// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/head_screen.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>

#include "bitnet/base/half.h"
#include "bitnet/ops/linear.h"

namespace bitnet {
namespace {

constexpr std::int64_t kBlock = 32, kBlockBytes = 34;  // q8_0
constexpr std::int64_t kFewestRows = 4096;             // below, a head is no share worth saving

// Rounding of this file's own sums, in double: far above what they can be wrong by.
constexpr double kSlack = 1 + 1e-6;

float up(double value) {
  return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
}

double gamma(std::int64_t cols) {
  const double nu = static_cast<double>(cols / 16 + 6) * 0x1p-24;
  return nu / (1 - nu);
}

float value_at(DType type, const std::byte* row, std::int64_t i) {
  if (type == DType::f32) return reinterpret_cast<const float*>(row)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(row)[i];
  return type == DType::bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

double squares(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * static_cast<double>(v);
  return sum;
}

}  // namespace

bool HeadScreen::suits(const Tensor& head) noexcept {
  return (head.dtype() == DType::f32 || head.dtype() == DType::f16 ||
          head.dtype() == DType::bf16) &&
         head.cols() % kBlock == 0 && head.cols() > 0 && head.rows() >= kFewestRows;
}

HeadScreen::HeadScreen(const Tensor& head, HybridMemoryPool& pool) : head_(head) {
  require(suits(head), "HeadScreen: the head does not suit");
  sketch_ = Tensor::allocate(DType::q8_0, {head.rows(), head.cols()}, pool);
  bounds_.resize(static_cast<std::size_t>(head.rows()));
}

void HeadScreen::sketch_row(std::int64_t row, std::span<float> values) {
  const auto cols = static_cast<std::int64_t>(values.size());
  const std::byte* from = head_.data() + row * head_.row_stride_bytes();
  for (std::int64_t i = 0; i < cols; ++i)
    values[static_cast<std::size_t>(i)] = value_at(head_.dtype(), from, i);
  std::byte* to = sketch_.mutable_data() + row * sketch_.row_stride_bytes();
  double error = 0, sketch_squares = 0;
  for (std::int64_t k = 0; k < cols; k += kBlock, to += kBlockBytes) {
    const float* w = values.data() + k;
    float most = 0;
    for (std::int64_t i = 0; i < kBlock; ++i) most = std::max(most, std::fabs(w[i]));
    const std::uint16_t d_bits = f32_to_f16(most / 127.0f);
    const float d = f16_to_f32(d_bits), inverse = d > 0 ? 1.0f / d : 0.0f;
    std::memcpy(to, &d_bits, 2);
    float block_error = 0, block_squares = 0;
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const float scaled = std::clamp(w[i] * inverse, -127.0f, 127.0f);
      const auto q =
          static_cast<std::int8_t>(static_cast<int>(scaled + std::copysign(0.5f, scaled)));
      std::memcpy(to + 2 + i, &q, 1);
      const float s = d * static_cast<float>(q), e = w[i] - s;  // s is exact: 11 + 7 bits
      block_error += e * e;
      block_squares += s * s;
    }
    error += static_cast<double>(block_error);
    sketch_squares += static_cast<double>(block_squares);
  }
  // Squares are sums of 32 floats each: relative errors of 34 * 2^-24 at most, and what is too
  // small for a float is below 32 * 2^-126 a block.
  const double tiny = static_cast<double>(cols) * 0x1p-120;
  const auto norm = [&](double sum) { return std::sqrt(sum * (1 + 1e-5) + tiny); };
  const double bound = norm(error) + gamma(cols) * (norm(squares(values)) + norm(sketch_squares));
  bounds_[static_cast<std::size_t>(row)] = up(bound * kSlack);  // not finite: never screened out
}

void HeadScreen::extend(const OpContext& context, std::int64_t rows) {
  const std::int64_t first = sketched_, count = std::min(rows, head_.rows() - first);
  if (count <= 0) return;
  context.threads->for_slices(count, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> values(static_cast<std::size_t>(head_.cols()));
    for (std::int64_t r = begin; r < end; ++r) sketch_row(first + r, values);
  });
  sketched_ += count;
}

Tensor HeadScreen::rows_of(const Tensor& tensor, std::int64_t first, std::int64_t count) const {
  return Tensor::borrow(tensor.dtype(), {count, tensor.cols()},
                        tensor.data() + first * tensor.row_stride_bytes(),
                        std::make_shared<Tensor>(tensor));
}

void HeadScreen::exact(const OpContext& context, MatrixView<const float> hidden, std::int64_t first,
                       std::int64_t count, std::span<float> out) const {
  dense_linear(context, rows_of(head_, first, count), hidden,
               {out.data() + first, 1, count, count});
}

std::int64_t HeadScreen::top_logits(const OpContext& context, MatrixView<const float> hidden,
                                    std::int64_t k, std::span<const std::int32_t> wanted,
                                    std::span<float> out) {
  const std::int64_t vocab = head_.rows();
  check_dim("HeadScreen::top_logits", "hidden rows", hidden.rows, 1);
  check_dim("HeadScreen::top_logits", "logits", static_cast<std::int64_t>(out.size()), vocab);
  require(k >= 1, "HeadScreen::top_logits: k is below 1");
  if (sketched_ < vocab) exact(context, hidden, sketched_, vocab - sketched_, out);
  if (sketched_ == 0 || k >= vocab) {
    exact(context, hidden, 0, sketched_, out);
    return vocab;
  }
  dense_linear(context, rows_of(sketch_, 0, sketched_), hidden,
               {out.data(), 1, sketched_, sketched_});

  const auto cols = static_cast<std::size_t>(hidden.cols);
  const double norm = std::sqrt(squares({hidden.data, cols})) * kSlack;
  const float length = up(norm + static_cast<double>(cols) * 0x1p-140);
  bool finite = std::isfinite(length);
  parts_.resize(static_cast<std::size_t>(context.threads->size()));
  context.threads->run([&](int worker, int count) {
    const Slice slice = slice_of(vocab, worker, count, kChunk);
    find_largest(slice, length, k, out, parts_[static_cast<std::size_t>(worker)]);
  });
  std::vector<float>& largest = parts_[0].largest;
  for (std::size_t i = 1; i < parts_.size(); ++i)
    for (const float lower : parts_[i].largest) keep_larger(largest, lower);
  for (const Part& part : parts_) finite = finite && part.finite;
  if (!finite) {
    exact(context, hidden, 0, sketched_, out);
    return vocab;
  }
  const float least = largest.front();
  context.threads->run([&](int worker, int count) {
    const Slice slice = slice_of(sketched_, worker, count, kChunk);
    find_candidates(slice, length, least, out, parts_[static_cast<std::size_t>(worker)].candidates);
  });
  std::int64_t read = vocab - sketched_;
  const auto compute = [&](std::span<const std::int32_t> ids) {
    for (const std::int32_t id : ids) {
      require(id >= 0 && id < vocab, "HeadScreen::top_logits: an id outside the vocabulary");
      exact(context, hidden, id, 1, out);
      ++read;
    }
  };
  for (const Part& part : parts_) compute(part.candidates);
  compute(wanted);
  return read;
}

// How far an exact logit may be from the sketched one; the last term is the rounding of the sums
// that this is used in.
float HeadScreen::reach(std::size_t row, float length, float logit) const noexcept {
  return bounds_[row] * length * (1 + 0x1p-20f) + std::fabs(logit) * 0x1p-21f;
}

void HeadScreen::keep_larger(std::vector<float>& heap, float value) {
  if (!(value > heap.front())) return;
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  heap.back() = value;
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

// The k largest lower bounds of the slice. Chunks without branches, for the compiler's vectors;
// few of them hold a value that is kept.
void HeadScreen::find_largest(Slice slice, float length, std::int64_t k, std::span<const float> out,
                              Part& part) const {
  part.largest.assign(static_cast<std::size_t>(k), -std::numeric_limits<float>::infinity());
  int strange = 0;
  float lower[kChunk];
  for (std::int64_t begin = slice.begin; begin < slice.end; begin += kChunk) {
    const auto first = static_cast<std::size_t>(begin);
    const auto count = static_cast<std::size_t>(std::min(kChunk, slice.end - begin));
    // Beyond the sketch `bounds_` is 0: these logits are exact.
    for (std::size_t i = 0; i < count; ++i)
      lower[i] = out[first + i] - reach(first + i, length, out[first + i]);
    const float least = part.largest.front();
    int larger = 0;
    for (std::size_t i = 0; i < count; ++i) {
      larger |= lower[i] > least;
      strange |= !(std::fabs(lower[i]) <= std::numeric_limits<float>::max());
    }
    for (std::size_t i = 0; i < count && larger; ++i) keep_larger(part.largest, lower[i]);
  }
  part.finite = strange == 0;
}

// Rows that may reach `least`; the others are -infinity from now on.
void HeadScreen::find_candidates(Slice slice, float length, float least, std::span<float> out,
                                 std::vector<std::int32_t>& found) const {
  found.clear();
  for (std::int64_t begin = slice.begin; begin < slice.end; begin += kChunk) {
    const auto first = static_cast<std::size_t>(begin);
    const auto count = static_cast<std::size_t>(std::min(kChunk, slice.end - begin));
    int any = 0;
    for (std::size_t i = 0; i < count; ++i)
      any |= out[first + i] + reach(first + i, length, out[first + i]) >= least;
    for (std::size_t i = 0; i < count && any; ++i)
      if (out[first + i] + reach(first + i, length, out[first + i]) >= least)
        found.push_back(static_cast<std::int32_t>(first + i));
    std::fill_n(out.begin() + begin, count, -std::numeric_limits<float>::infinity());
  }
}

}  // namespace bitnet
