// SPDX-License-Identifier: MIT OR Apache-2.0
// Fewer bytes for the likeliest tokens: a sketch of the head says which rows cannot be among them,
// the others are computed exactly. The result is equal to that of all rows, by a proven bound.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bitnet/model/model_source.h"
#include "bitnet/ops/context.h"
#include "bitnet/ops/sketch.h"
#include "bitnet/tensor/matrix_view.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// Which logits of a token must be exact.
struct WantedLogits {
  std::int64_t k = 1;                 // the k largest, and all that are equal to the k-th; k >= 1
  std::span<const std::int32_t> ids;  // and these
};

/// The sketch is the head in 6 bits a weight and a half for 64 of them (ops/sketch_tiles.h) instead
/// of 16. With w a row, s what the upper 5 bits say of it, x the hidden state, y what sketch_dot()
/// makes of it (ops/sketch.h) and every product as it is computed (ops/args.h),
///   |dot16(w, x) - dot(s, y)| <= ||x|| * (||w - s|| + gamma * (||w|| + ||s||))
///                                + ||x - y|| * ||s|| * (1 + gamma),
/// by Cauchy-Schwarz and the rounding of sums of n = cols / 16 + 6 terms, gamma = n u / (1 - n u),
/// u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, 3.1; sums of integers are
/// exact, and there are cols / 64 float terms in a product with a sketch). The first bracket and
/// ||s|| (1 + gamma) are numbers per row, kept beside the sketch. With all 6 bits, f, in the place
/// of s the same holds with ||w - f|| and, as the parts are summed apart, ||s|| + ||f - s|| in the
/// place of ||s||; ||f - s|| <= ||w - f|| + ||w - s||.
///
/// The k rows that the upper bits say are largest are computed exactly. The k-th of these logits is
/// a lower bound of the k-th largest: a row whose upper bound is below it is not among the k
/// largest. What 5 bits leave (of 128,256 rows of normal random numbers and 2560 columns 2 %, of
/// trained heads fewer) is screened again with 6, and what these leave is computed exactly. Taking
/// exact logits for the lower bound instead of the k-th largest lower bound leaves a tenth of the
/// rows.
class HeadScreen {
 public:
  /// Whether a head of this type and size gains by it: f32, f16 or bf16, whole blocks of 32
  /// columns, 4096 rows or more.
  static bool suits(const Tensor& head) noexcept;
  /// Nothing is sketched yet. Where the head lies in the file of `source`, its rows leave memory
  /// once they are sketched, and those that are computed exactly are read from the file one by one.
  /// Throws Error{out_of_memory, invalid_argument (unless suits())}.
  HeadScreen(const Tensor& head, HybridMemoryPool& pool,
             std::shared_ptr<const ModelSource> source = {});

  /// Sketches up to `rows` more rows; those without a sketch are always computed exactly.
  void extend(const OpContext& context, std::int64_t rows);
  std::int64_t sketched_rows() const noexcept { return sketched_; }
  /// What a call reads once all is sketched: the upper bits and their bounds. Last bits of the rows
  /// that these leave are some thousandths.
  std::size_t sketch_bytes() const noexcept {
    return sketch_.size_bytes() + (bounds_.size() + lengths_.size()) * sizeof(float);
  }
  /// Bytes of memory that a screen of such a head takes.
  static std::uint64_t memory_bytes(std::int64_t vocab, std::int64_t cols) noexcept;

  /// out[t][id] = the logit of `id` after hidden[t] exactly as dense_linear() gives it, for the ids
  /// of the k largest (with all that are equal to the k-th) and for those wanted[t] names;
  /// -infinity for all others, or exactly too. `hidden` [tokens, cols], out [tokens, vocab]; the
  /// sketch is read once for SketchInputs::kMaxRows tokens. Returns how many rows of the head were
  /// computed exactly, summed over tokens: all of them where some number is not finite.
  /// Throws Error{invalid_argument} for shapes that do not fit, an id outside the vocabulary and
  /// k < 1, before it writes.
  std::int64_t top_logits(const OpContext& context, MatrixView<const float> hidden,
                          std::span<const WantedLogits> wanted, MatrixView<float> out);

 private:
  // Lengths of a hidden state and of what its rounding leaves out, rounded up.
  struct Reach {
    float length = 0, error = 0;
  };
  struct ScoredRow {
    float logit;
    std::int32_t row;
  };
  std::int64_t few_top_logits(const OpContext& context, MatrixView<const float> hidden,
                              std::span<const WantedLogits> wanted, MatrixView<float> out);
  void sketch_part(const OpContext& context, std::int64_t count);
  void exact_unsketched(const OpContext& context, MatrixView<const float> hidden,
                        MatrixView<float> out) const;
  void release(std::int64_t first, std::int64_t count) const;
  void exact(const OpContext& context, MatrixView<const float> hidden, std::int64_t first,
             std::int64_t count, MatrixView<float> out) const;
  std::size_t bytes_of(std::int64_t rows) const noexcept;
  std::size_t last_bytes_of(std::int64_t rows) const noexcept;
  // A float that is not below `value`, nor below what rounding in double may have taken off it.
  static float up(double value) noexcept;
  static constexpr double kSlack = 1 + 1e-6;
  static constexpr std::int64_t kChunk = 64;
  // A row of the head and a token.
  using Place = SketchRefineArgs::Place;
  // What one worker finds in its rows for one token.
  struct Part {
    std::vector<ScoredRow> largest;  // as estimated, the least of them first
    std::vector<Place> candidates;
    bool finite = true;
  };
  // parts_[workers * token + worker]
  std::span<Part> parts_of(std::int64_t token) noexcept;
  // What is known of one token.
  struct Token {
    Reach reach;
    float least = 0;        // a lower bound of the k-th largest logit
    bool screened = false;  // not: some number is not finite, all rows are computed
  };
  void begin_tokens(const SketchInputs& inputs);
  std::vector<Place> find_first(const OpContext& context, std::span<const WantedLogits> wanted,
                                MatrixView<const float> out);
  std::vector<Place> find_candidates(const OpContext& context, MatrixView<float> out);
  void keep_what_may_win(std::vector<Place>& places, MatrixView<float> out) const;
  void exact_rows(const OpContext& context, MatrixView<const float> hidden,
                  std::span<const Place> places, MatrixView<float> out);
  float reach(std::size_t row, Reach of, float logit) const noexcept;
  float last_reach(std::size_t row, Reach of, float logit) const noexcept;
  void find_largest(Slice slice, Reach of, std::int64_t k, const float* out, Part& part) const;
  void find_candidates(Slice slice, std::int32_t token, float* out,
                       std::vector<Place>& found) const;

  Tensor head_, sketch_, last_bits_;
  // The first bracket above, ||s|| (1 + gamma), and the first bracket of all 6 bits, rounded up.
  std::vector<float> bounds_, lengths_, last_bounds_;
  std::int64_t sketched_ = 0;
  std::shared_ptr<const ModelSource> source_;  // null where the head is in memory of its own
  Tensor read_rows_;                           // [workers, cols]: what exact_rows() reads
  std::size_t workers_ = 0;
  std::vector<Part> parts_;
  std::vector<Token> tokens_;
};

}  // namespace bitnet
