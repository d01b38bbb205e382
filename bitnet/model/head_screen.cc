// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/head_screen.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "bitnet/ops/linear.h"
#include "bitnet/ops/sketch.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet {
namespace {

constexpr std::int64_t kPart =
    4096;  // rows in memory at once where the head is a file; 2B4T: 21 MB
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

}  // namespace

bool HeadScreen::suits(const Tensor& head) noexcept {
  return (head.dtype() == DType::f32 || head.dtype() == DType::f16 ||
          head.dtype() == DType::bf16) &&
         head.cols() % sketch_tiles::kBlockColumns == 0 && head.cols() > 0 &&
         head.rows() >= kFewestRows;
}

HeadScreen::HeadScreen(const Tensor& head, HybridMemoryPool& pool,
                       std::shared_ptr<const ModelSource> source)
    : head_(head), source_(head.borrowed() ? std::move(source) : nullptr) {
  require(suits(head), "HeadScreen: the head does not suit");
  sketch_ = Tensor::allocate(DType::i8, {sketch_tiles::bytes(head.rows(), head.cols())}, pool);
  bounds_.resize(static_cast<std::size_t>(head.rows()));
  lengths_.resize(bounds_.size());
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
  std::vector<float> sums(static_cast<std::size_t>(3 * count));
  sketch(context, head_.rows_from(first, count),
         {sketch_.mutable_data() + bytes_of(first), bytes_of(count)}, sums);
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
    lengths_[static_cast<std::size_t>(first + i)] =
        up(norm(s[1]) * (1 + gamma(head_.cols())) * kSlack);
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

std::int64_t HeadScreen::top_logits(const OpContext& context, MatrixView<const float> hidden,
                                    std::span<const WantedLogits> wanted, MatrixView<float> out) {
  const std::int64_t vocab = head_.rows();
  check_dim("HeadScreen::top_logits", "columns of hidden", hidden.cols, head_.cols());
  check_dim("HeadScreen::top_logits", "tokens of wanted", static_cast<std::int64_t>(wanted.size()),
            hidden.rows);
  check_dim("HeadScreen::top_logits", "tokens of out", out.rows, hidden.rows);
  check_dim("HeadScreen::top_logits", "logits", out.cols, vocab);
  for (const WantedLogits& w : wanted) {
    require(w.k >= 1, "HeadScreen::top_logits: k is below 1");
    for (const std::int32_t id : w.ids)
      require(id >= 0 && id < vocab, "HeadScreen::top_logits: an id outside the vocabulary");
  }
  std::int64_t computed = 0;
  for (std::int64_t first = 0; first < hidden.rows; first += SketchInputs::kMaxRows) {
    const std::int64_t count = std::min(SketchInputs::kMaxRows, hidden.rows - first);
    computed += few_top_logits(
        context, hidden.rows_from(first, count),
        wanted.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
        out.rows_from(first, count));
  }
  return computed;
}

std::span<HeadScreen::Part> HeadScreen::parts_of(std::int64_t token) noexcept {
  return std::span(parts_).subspan(static_cast<std::size_t>(token) * workers_, workers_);
}

// Of at most SketchInputs::kMaxRows tokens.
std::int64_t HeadScreen::few_top_logits(const OpContext& context, MatrixView<const float> hidden,
                                        std::span<const WantedLogits> wanted,
                                        MatrixView<float> out) {
  const std::int64_t vocab = head_.rows(), tokens = hidden.rows;
  exact_unsketched(context, hidden, out);
  const bool all = std::any_of(wanted.begin(), wanted.end(),
                               [&](const WantedLogits& w) { return w.k >= vocab; });
  if (sketched_ == 0 || all) {
    exact(context, hidden, 0, sketched_, out);
    return tokens * vocab;
  }
  const SketchInputs inputs(hidden);
  sketch_dot(context, {sketch_.data(), bytes_of(sketched_)}, inputs, out.cols_from(0, sketched_));

  const double least_length = static_cast<double>(hidden.cols) * 0x1p-140;
  const auto reach_of = [&](std::int64_t token) {
    const double length = inputs.length(token);
    return Reach{up(length * kSlack + least_length),
                 up((inputs.error(token) + length * 1e-12) * kSlack + least_length)};
  };
  workers_ = static_cast<std::size_t>(context.threads->size());
  parts_.resize(std::max(parts_.size(), workers_ * static_cast<std::size_t>(tokens)));
  context.threads->run([&](int worker, int count) {
    const Slice slice = slice_of(vocab, worker, count, kChunk);
    for (std::int64_t t = 0; t < tokens; ++t)
      find_largest(slice, reach_of(t), wanted[static_cast<std::size_t>(t)].k, out.row(t),
                   parts_of(t)[static_cast<std::size_t>(worker)]);
  });
  float least[SketchInputs::kMaxRows];
  bool screened[SketchInputs::kMaxRows];
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::span<Part> parts = parts_of(t);
    for (const Part& part : parts.subspan(1))
      for (const float lower : part.largest) keep_larger(parts[0].largest, lower);
    least[t] = parts[0].largest.front();
    screened[t] = std::isfinite(reach_of(t).length) &&
                  std::all_of(parts.begin(), parts.end(), [](const Part& p) { return p.finite; });
  }
  context.threads->run([&](int worker, int count) {
    const Slice slice = slice_of(sketched_, worker, count, kChunk);
    for (std::int64_t t = 0; t < tokens; ++t)
      if (screened[t])
        find_candidates(slice, reach_of(t), least[t], out.row(t),
                        parts_of(t)[static_cast<std::size_t>(worker)].candidates);
  });

  std::int64_t computed = 0;
  exact_.clear();
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (!screened[t]) {
      exact(context, hidden.rows_from(t, 1), 0, sketched_, out.rows_from(t, 1));
      computed += vocab;
      continue;
    }
    const auto add = [&](std::span<const std::int32_t> ids) {
      for (const std::int32_t id : ids) exact_.push_back({id, static_cast<std::int32_t>(t)});
    };
    add(wanted[static_cast<std::size_t>(t)].ids);
    for (const Part& part : parts_of(t)) add(part.candidates);
    computed += vocab - sketched_;
  }
  std::sort(exact_.begin(), exact_.end());
  exact_.erase(std::unique(exact_.begin(), exact_.end()), exact_.end());
  exact_rows(context, hidden, out);
  return computed + static_cast<std::int64_t>(exact_.size());
}

// Row after row, each worker its own, what several tokens need of a row together. In memory what
// takes the time is the way of the first bytes of a row, so the next row is asked for while one is
// computed; of a mapped file it is the page faults (8 us a row), so rows are read (2 us).
void HeadScreen::exact_rows(const OpContext& context, MatrixView<const float> hidden,
                            MatrixView<float> out) {
  if (source_ && (!read_rows_.defined() || read_rows_.rows() < context.threads->size()))
    read_rows_ = Tensor::allocate(head_.dtype(), {context.threads->size(), head_.cols()});
  const auto count = static_cast<std::int64_t>(exact_.size());
  const auto row_bytes = static_cast<std::size_t>(head_.cols()) *
                         static_cast<std::size_t>(info(head_.dtype()).block_bytes);
  std::byte* const buffers = source_ ? read_rows_.mutable_data() : nullptr;
  context.threads->run([&](int worker, int workers) {
    const Slice slice = slice_of(count, worker, workers);
    const auto bytes_of = [&](std::int64_t i) {
      return std::span(
          head_.data() + exact_[static_cast<std::size_t>(i)].id * head_.row_stride_bytes(),
          row_bytes);
    };
    std::int32_t id_read = -1;  // whose row is in the worker's buffer
    for (std::int64_t i = slice.begin; i < slice.end; ++i) {
      const auto [id, token] = exact_[static_cast<std::size_t>(i)];
      if (source_) {
        if (id != id_read &&
            source_->read(bytes_of(i), buffers + static_cast<std::size_t>(worker) * row_bytes))
          id_read = id;
      } else if (i + 1 < slice.end) {
        const auto next = bytes_of(i + 1);
        for (std::size_t at = 0; at < next.size(); at += 64) __builtin_prefetch(&next[at]);
      }
      const Tensor row = id == id_read ? read_rows_.rows_from(worker, 1) : head_.rows_from(id, 1);
      dense_linear(context, row, hidden.rows_from(token, 1),
                   out.rows_from(token, 1).cols_from(id, 1));
    }
  });
}

// How far an exact logit may be from the sketched one. The second term is the rounding of the sums
// that this is used in, the last is above what products too small for a float can lose.
float HeadScreen::reach(std::size_t row, Reach of, float logit) const noexcept {
  return (bounds_[row] * of.length + lengths_[row] * of.error) * (1 + 0x1p-20f) +
         std::fabs(logit) * 0x1p-21f + 0x1p-120f;
}

void HeadScreen::keep_larger(std::vector<float>& heap, float value) {
  if (!(value > heap.front())) return;
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  heap.back() = value;
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

// The k largest lower bounds of the slice. Chunks without branches, for the compiler's vectors;
// few of them hold a value that is kept.
void HeadScreen::find_largest(Slice slice, Reach of, std::int64_t k, const float* out,
                              Part& part) const {
  part.largest.assign(static_cast<std::size_t>(k), -std::numeric_limits<float>::infinity());
  int strange = 0;
  float lower[kChunk];
  for (std::int64_t begin = slice.begin; begin < slice.end; begin += kChunk) {
    const auto first = static_cast<std::size_t>(begin);
    const auto count = static_cast<std::size_t>(std::min(kChunk, slice.end - begin));
    // Beyond the sketch both bounds are 0: these logits are exact.
    for (std::size_t i = 0; i < count; ++i)
      lower[i] = out[first + i] - reach(first + i, of, out[first + i]);
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
void HeadScreen::find_candidates(Slice slice, Reach of, float least, float* out,
                                 std::vector<std::int32_t>& found) const {
  found.clear();
  for (std::int64_t begin = slice.begin; begin < slice.end; begin += kChunk) {
    const auto first = static_cast<std::size_t>(begin);
    const auto count = static_cast<std::size_t>(std::min(kChunk, slice.end - begin));
    int any = 0;
    for (std::size_t i = 0; i < count; ++i)
      any |= out[first + i] + reach(first + i, of, out[first + i]) >= least;
    for (std::size_t i = 0; i < count && any; ++i)
      if (out[first + i] + reach(first + i, of, out[first + i]) >= least)
        found.push_back(static_cast<std::int32_t>(first + i));
    std::fill_n(out + begin, count, -std::numeric_limits<float>::infinity());
  }
}

}  // namespace bitnet
