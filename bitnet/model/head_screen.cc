// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/head_screen.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bitnet/ops/linear.h"
#include "bitnet/ops/sketch.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet {
namespace {

constexpr std::int64_t kPart =
    4096;  // rows in memory at once where the head is a file; 2B4T: 21 MB
constexpr std::int64_t kFewestRows = 4096;  // below, a head is no share worth saving

double gamma(std::int64_t cols) {
  const double nu = static_cast<double>(cols / 16 + 6) * 0x1p-24;
  return nu / (1 - nu);
}

}  // namespace

float HeadScreen::up(double value) noexcept {
  return std::nextafter(static_cast<float>(value * kSlack), std::numeric_limits<float>::infinity());
}

bool HeadScreen::suits(const Tensor& head) noexcept {
  return (head.dtype() == DType::f32 || head.dtype() == DType::f16 ||
          head.dtype() == DType::bf16) &&
         head.cols() % sketch_tiles::kColumnsMultiple == 0 && head.cols() > 0 &&
         head.rows() >= kFewestRows;
}

HeadScreen::HeadScreen(const Tensor& head, HybridMemoryPool& pool,
                       std::shared_ptr<const ModelSource> source)
    : head_(head), source_(head.borrowed() ? std::move(source) : nullptr) {
  require(suits(head), "HeadScreen: the head does not suit");
  sketch_ = Tensor::allocate(DType::i8, {sketch_tiles::bytes(head.rows(), head.cols())}, pool);
  last_bits_ =
      Tensor::allocate(DType::i8, {head.rows() * sketch_tiles::last_row_bytes(head.cols())}, pool);
  bounds_.resize(static_cast<std::size_t>(head.rows()));
  lengths_.resize(bounds_.size());
  last_bounds_.resize(bounds_.size());
}

std::uint64_t HeadScreen::memory_bytes(std::int64_t vocab, std::int64_t cols) noexcept {
  return static_cast<std::uint64_t>(
      sketch_tiles::bytes(vocab, cols) +
      vocab * (sketch_tiles::last_row_bytes(cols) + 3 * std::int64_t{sizeof(float)}));
}

std::size_t HeadScreen::last_bytes_of(std::int64_t rows) const noexcept {
  return static_cast<std::size_t>(rows * sketch_tiles::last_row_bytes(head_.cols()));
}

std::size_t HeadScreen::bytes_of(std::int64_t rows) const noexcept {
  return static_cast<std::size_t>(sketch_tiles::bytes(rows, head_.cols()));
}

// Part by part, each given back before the next is read.
void HeadScreen::extend(const OpContext& context, std::int64_t rows) {
  const std::int64_t left = head_.rows() - sketched_;
  if (rows <= 0 || left == 0) return;
  const std::int64_t end =
      sketched_ +
      (rows < left ? std::min(sketch_tiles::strips(rows) * sketch_tiles::kRows, left) : left);
  while (sketched_ < end) sketch_part(context, std::min(kPart, end - sketched_));
}

void HeadScreen::sketch_part(const OpContext& context, std::int64_t count) {
  const std::int64_t first = sketched_;
  std::vector<float> sums(static_cast<std::size_t>(SketchArgs::kSums * count));
  sketch(context, head_.rows_from(first, count),
         {{sketch_.mutable_data() + bytes_of(first), bytes_of(count)},
          {last_bits_.mutable_data() + last_bytes_of(first), last_bytes_of(count)},
          sums});
  // Sums of cols / 16 squares a lane, each of a number rounded once: relative errors of
  // (cols / 16 + 8) * 2^-24; what is too small for a float is below 2^-120 a column.
  const double cols = static_cast<double>(head_.cols());
  const auto norm = [&](float sum) {
    return std::sqrt(static_cast<double>(sum) * (1 + 2 * (cols / 16 + 8) * 0x1p-24) +
                     cols * 0x1p-120);
  };
  for (std::int64_t i = 0; i < count; ++i) {
    const float* s = sums.data() + SketchArgs::kSums * i;
    const auto row = static_cast<std::size_t>(first + i);
    const double rounding = gamma(head_.cols());
    const double own = norm(s[0]), length = norm(s[1]), error = norm(s[2]), last = norm(s[3]);
    // Not finite: the row is never screened out.
    bounds_[row] = up(error + rounding * (own + length));
    lengths_[row] = up(length * (1 + rounding));
    last_bounds_[row] = up(last + rounding * (own + length + error + last));
  }
  sketched_ += count;
  release(first, count);
}

void HeadScreen::release(std::int64_t first, std::int64_t count) const {
  if (!source_) return;
  const auto row = static_cast<std::size_t>(head_.row_stride_bytes());
  source_->release({head_.data() + static_cast<std::size_t>(first) * row,
                    static_cast<std::size_t>(count) * row});
}

// Part by part, each given back before the next is read.
void HeadScreen::exact_unsketched(const OpContext& context, MatrixView<const float> hidden,
                                  MatrixView<float> out) const {
  for (std::int64_t first = sketched_; first < head_.rows(); first += kPart) {
    const std::int64_t count = std::min(kPart, head_.rows() - first);
    exact(context, hidden, first, count, out);
    release(first, count);
  }
}

void HeadScreen::exact(const OpContext& context, MatrixView<const float> hidden, std::int64_t first,
                       std::int64_t count, MatrixView<float> out) const {
  dense_linear(context, head_.rows_from(first, count), hidden, out.cols_from(first, count));
}

}  // namespace bitnet
