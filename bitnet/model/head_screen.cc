// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/head_screen.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "bitnet/ops/linear.h"

namespace bitnet {
namespace {

constexpr std::int64_t kBlock = 32;         // columns of q8_0
constexpr std::int64_t kFewestRows = 4096;  // below, a head is no share worth saving

// Rounding of this file's own sums, in double: far above what they can be wrong by.
constexpr double kSlack = 1 + 1e-6;

float up(double value) {
  return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
}

double gamma(std::int64_t cols) {
  const double nu = static_cast<double>(cols / 16 + 6) * 0x1p-24;
  return nu / (1 - nu);
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

void HeadScreen::extend(const OpContext& context, std::int64_t rows) {
  const std::int64_t first = sketched_, count = std::min(rows, head_.rows() - first);
  if (count <= 0) return;
  std::vector<float> sums(static_cast<std::size_t>(3 * count));
  Tensor part = sketch_.rows_from(first, count);
  sketch(context, head_.rows_from(first, count), part, sums);
  // Sums of cols / 16 squares a lane, each of a number rounded once: relative errors of
  // (cols / 16 + 8) * 2^-24; what is too small for a float is below 2^-120 a column.
  const double cols = static_cast<double>(head_.cols());
  const auto norm = [&](float sum) {
    return std::sqrt(static_cast<double>(sum) * (1 + 2 * (cols / 16 + 8) * 0x1p-24) +
                     cols * 0x1p-120);
  };
  for (std::int64_t i = 0; i < count; ++i) {
    const float* s = sums.data() + 3 * i;
    const double bound = norm(s[2]) + gamma(head_.cols()) * (norm(s[0]) + norm(s[1]));
    // Not finite: the row is never screened out.
    bounds_[static_cast<std::size_t>(first + i)] = up(bound * kSlack);
  }
  sketched_ += count;
}

void HeadScreen::exact(const OpContext& context, MatrixView<const float> hidden, std::int64_t first,
                       std::int64_t count, std::span<float> out) const {
  dense_linear(context, head_.rows_from(first, count), hidden,
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
  dense_linear(context, sketch_.rows_from(0, sketched_), hidden,
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

// How far an exact logit may be from the sketched one. The second term is the rounding of the sums
// that this is used in, the last is above what products too small for a float can lose.
float HeadScreen::reach(std::size_t row, float length, float logit) const noexcept {
  return bounds_[row] * length * (1 + 0x1p-20f) + std::fabs(logit) * 0x1p-21f + 0x1p-120f;
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
