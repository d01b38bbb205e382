// SPDX-License-Identifier: MIT OR Apache-2.0
// Which rows a screened head computes exactly.
#include <algorithm>
#include <cmath>
#include <limits>

#include "bitnet/model/head_screen.h"
#include "bitnet/ops/linear.h"

namespace bitnet {
namespace {

constexpr auto larger = [](const auto& a, const auto& b) { return a.logit > b.logit; };

// How far an exact logit may be from one that was made of a sketch, whose distance and length
// (head_screen.h) these are. The second term is the rounding of the sums that this is used in, the
// last is above what products too small for a float can lose.
float reach_of(float distance, float length, float of_length, float of_error,
               float logit) noexcept {
  return (distance * of_length + length * of_error) * (1 + 0x1p-20f) + std::fabs(logit) * 0x1p-21f +
         0x1p-120f;
}

}  // namespace

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
  const MatrixView<float> sketched = out.cols_from(0, sketched_);
  sketch_dot(context, {sketch_.data(), bytes_of(sketched_)}, inputs, sketched);
  workers_ = static_cast<std::size_t>(context.threads->size());
  parts_.resize(std::max(parts_.size(), workers_ * static_cast<std::size_t>(tokens)));
  begin_tokens(inputs);
  const std::vector<Place> first = find_first(context, wanted, out);
  exact_rows(context, hidden, first, out);
  std::vector<float> kept(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    Token& token = tokens_[static_cast<std::size_t>(first[i].token)];
    kept[i] = out.row(first[i].token)[first[i].row];
    token.least = std::min(token.least, kept[i]);
  }

  std::vector<Place> places = find_candidates(context, out);
  sketch_refine(context, {last_bits_.data(), last_bytes_of(sketched_)}, inputs, places, sketched);
  keep_what_may_win(places, out);
  std::int64_t computed = static_cast<std::int64_t>(first.size());
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto at = static_cast<std::size_t>(t);
    if (tokens_[at].screened) {
      computed += vocab - sketched_;
      for (const std::int32_t id : wanted[at].ids)
        if (id < sketched_) places.push_back({id, static_cast<std::int32_t>(t)});
    } else {
      exact(context, hidden.rows_from(t, 1), 0, sketched_, out.rows_from(t, 1));
      computed += vocab;
    }
  }
  for (std::size_t i = 0; i < first.size(); ++i) out.row(first[i].token)[first[i].row] = kept[i];
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  std::erase_if(places, [&](Place p) { return std::binary_search(first.begin(), first.end(), p); });
  exact_rows(context, hidden, places, out);
  return computed + static_cast<std::int64_t>(places.size());
}

void HeadScreen::begin_tokens(const SketchInputs& inputs) {
  const double least_length = static_cast<double>(inputs.cols()) * 0x1p-140;
  tokens_.assign(static_cast<std::size_t>(inputs.rows()), {});
  for (Part& part : parts_) {  // workers that are not in use leave theirs as they are
    part.largest.clear();
    part.candidates.clear();
    part.finite = true;
  }
  for (std::int64_t t = 0; t < inputs.rows(); ++t) {
    const double length = inputs.length(t);
    tokens_[static_cast<std::size_t>(t)].reach = {
        up(length + least_length), up(inputs.error(t) + length * 1e-12 + least_length)};
  }
}

// The k rows of each token that are largest as estimated and lie in the sketch, sorted. Sets which
// tokens are screened, and the least exact logit among their k rows beyond the sketch.
std::vector<HeadScreen::Place> HeadScreen::find_first(const OpContext& context,
                                                      std::span<const WantedLogits> wanted,
                                                      MatrixView<const float> out) {
  const auto tokens = static_cast<std::int64_t>(tokens_.size());
  context.threads->run([&](int worker, int count) {
    const Slice slice = slice_of(head_.rows(), worker, count, kChunk);
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto at = static_cast<std::size_t>(t);
      find_largest(slice, tokens_[at].reach, wanted[at].k, out.row(t),
                   parts_of(t)[static_cast<std::size_t>(worker)]);
    }
  });
  std::vector<Place> first;
  for (std::int64_t t = 0; t < tokens; ++t) {
    Token& token = tokens_[static_cast<std::size_t>(t)];
    const std::span<Part> parts = parts_of(t);
    token.screened =
        std::isfinite(token.reach.length) &&
        std::all_of(parts.begin(), parts.end(), [](const Part& p) { return p.finite; });
    if (!token.screened) continue;
    std::vector<ScoredRow> all;
    for (const Part& part : parts) all.insert(all.end(), part.largest.begin(), part.largest.end());
    const auto k = static_cast<std::ptrdiff_t>(wanted[static_cast<std::size_t>(t)].k);
    std::nth_element(all.begin(), all.begin() + (k - 1), all.end(), larger);
    token.least = std::numeric_limits<float>::infinity();
    for (const ScoredRow& row : std::span(all).first(static_cast<std::size_t>(k))) {
      if (row.row < sketched_)
        first.push_back({row.row, static_cast<std::int32_t>(t)});
      else
        token.least = std::min(token.least, row.logit);
    }
  }
  std::sort(first.begin(), first.end());
  return first;
}

// Places in the sketch that may reach `least`; all others of screened tokens are -infinity from now
// on.
std::vector<HeadScreen::Place> HeadScreen::find_candidates(const OpContext& context,
                                                           MatrixView<float> out) {
  const auto tokens = static_cast<std::int32_t>(tokens_.size());
  context.threads->run([&](int worker, int count) {
    const Slice slice = slice_of(sketched_, worker, count, kChunk);
    for (std::int32_t t = 0; t < tokens; ++t) {
      std::vector<Place>& found = parts_of(t)[static_cast<std::size_t>(worker)].candidates;
      found.clear();
      if (tokens_[static_cast<std::size_t>(t)].screened)
        find_candidates(slice, t, out.row(t), found);
    }
  });
  std::vector<Place> places;
  for (std::int32_t t = 0; t < tokens; ++t)
    for (const Part& part : parts_of(t))
      places.insert(places.end(), part.candidates.begin(), part.candidates.end());
  return places;
}

// The same with the logits of all 6 bits.
void HeadScreen::keep_what_may_win(std::vector<Place>& places, MatrixView<float> out) const {
  std::erase_if(places, [&](Place p) {
    const Token& token = tokens_[static_cast<std::size_t>(p.token)];
    float& logit = out.row(p.token)[p.row];
    const bool may_win =
        logit + last_reach(static_cast<std::size_t>(p.row), token.reach, logit) >= token.least;
    logit = -std::numeric_limits<float>::infinity();
    return !may_win;
  });
}

// Row after row, each worker its own, what several tokens need of a row together. In memory what
// takes the time is the way of the first bytes of a row, so the next row is asked for while one is
// computed; of a mapped file it is the page faults (8 us a row), so rows are read (2 us).
void HeadScreen::exact_rows(const OpContext& context, MatrixView<const float> hidden,
                            std::span<const Place> places, MatrixView<float> out) {
  if (places.empty()) return;
  if (source_ && (!read_rows_.defined() || read_rows_.rows() < context.threads->size()))
    read_rows_ = Tensor::allocate(head_.dtype(), {context.threads->size(), head_.cols()});
  const auto count = static_cast<std::int64_t>(places.size());
  const auto row_bytes = static_cast<std::size_t>(head_.cols()) *
                         static_cast<std::size_t>(info(head_.dtype()).block_bytes);
  std::byte* const buffers = source_ ? read_rows_.mutable_data() : nullptr;
  context.threads->run([&](int worker, int workers) {
    const Slice slice = slice_of(count, worker, workers);
    const auto bytes_of = [&](std::int64_t i) {
      return std::span(
          head_.data() + places[static_cast<std::size_t>(i)].row * head_.row_stride_bytes(),
          row_bytes);
    };
    std::int32_t id_read = -1;  // whose row is in the worker's buffer
    for (std::int64_t i = slice.begin; i < slice.end; ++i) {
      const auto [id, token] = places[static_cast<std::size_t>(i)];
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

float HeadScreen::reach(std::size_t row, Reach of, float logit) const noexcept {
  return reach_of(bounds_[row], lengths_[row], of.length, of.error, logit);
}

// Of all 6 bits.
float HeadScreen::last_reach(std::size_t row, Reach of, float logit) const noexcept {
  return reach_of(last_bounds_[row], lengths_[row] + bounds_[row] + last_bounds_[row], of.length,
                  of.error, logit);
}

// The k rows of the slice that are largest as estimated. Chunks without branches, for the
// compiler's vectors; few of them hold a row that is kept.
void HeadScreen::find_largest(Slice slice, Reach of, std::int64_t k, const float* out,
                              Part& part) const {
  std::vector<ScoredRow>& heap = part.largest;
  heap.clear();
  const auto most = static_cast<std::size_t>(k);
  int strange = 0;
  for (std::int64_t begin = slice.begin; begin < slice.end; begin += kChunk) {
    const auto first = static_cast<std::size_t>(begin);
    const auto count = static_cast<std::size_t>(std::min(kChunk, slice.end - begin));
    const float least =
        heap.size() < most ? -std::numeric_limits<float>::infinity() : heap.front().logit;
    int any = heap.size() < most;
    for (std::size_t i = 0; i < count; ++i) {
      any |= out[first + i] > least;
      // Beyond the sketch bounds are 0: these logits are exact.
      strange |= !(std::fabs(out[first + i]) + reach(first + i, of, out[first + i]) <=
                   std::numeric_limits<float>::max());
    }
    for (std::size_t i = 0; i < count && any; ++i) {
      const ScoredRow row{out[first + i], static_cast<std::int32_t>(first + i)};
      if (heap.size() == most) {
        if (!larger(row, heap.front())) continue;
        std::pop_heap(heap.begin(), heap.end(), larger);
        heap.pop_back();
      }
      heap.push_back(row);
      std::push_heap(heap.begin(), heap.end(), larger);
    }
  }
  part.finite = strange == 0;
}

// Of one token and some rows; the others are -infinity from now on.
void HeadScreen::find_candidates(Slice slice, std::int32_t token, float* out,
                                 std::vector<Place>& found) const {
  const Reach of = tokens_[static_cast<std::size_t>(token)].reach;
  const float least = tokens_[static_cast<std::size_t>(token)].least;
  for (std::int64_t begin = slice.begin; begin < slice.end; begin += kChunk) {
    const auto first = static_cast<std::size_t>(begin);
    const auto count = static_cast<std::size_t>(std::min(kChunk, slice.end - begin));
    int any = 0;
    for (std::size_t i = 0; i < count; ++i)
      any |= out[first + i] + reach(first + i, of, out[first + i]) >= least;
    for (std::size_t i = 0; i < count; ++i) {
      if (any && out[first + i] + reach(first + i, of, out[first + i]) >= least)
        found.push_back({static_cast<std::int32_t>(first + i), token});
      else
        out[first + i] = -std::numeric_limits<float>::infinity();
    }
  }
}

}  // namespace bitnet
