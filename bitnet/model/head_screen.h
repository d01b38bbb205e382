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
#include "bitnet/tensor/matrix_view.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// Which logits of a token must be exact.
struct WantedLogits {
  std::int64_t k = 1;                 // the k largest, and all that are equal to the k-th; k >= 1
  std::span<const std::int32_t> ids;  // and these
};

/// The sketch is the head in 6.5 bits a weight (ops/sketch_tiles.h) instead of 16. With w a row, s
/// its sketch, x the hidden state, y what sketch_dot() makes of it (ops/sketch.h) and every product
/// as it is computed (ops/args.h),
///   |dot16(w, x) - dot(s, y)| <= ||x|| * (||w - s|| + gamma * (||w|| + ||s||))
///                                + ||x - y|| * ||s|| * (1 + gamma),
/// by Cauchy-Schwarz and the rounding of sums of n = cols / 16 + 6 terms, gamma = n u / (1 - n u),
/// u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, 3.1; sums of integers are
/// exact, and there are cols / 32 float terms in a product with a sketch). The first bracket and
/// ||s|| (1 + gamma) are numbers per row, kept beside the sketch. A row whose upper bound is below
/// the k-th largest lower bound is not among the k largest.
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
  /// What a call reads once all is sketched: the sketch and its bounds.
  std::size_t sketch_bytes() const noexcept {
    return sketch_.size_bytes() + (bounds_.size() + lengths_.size()) * sizeof(float);
  }

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
  std::int64_t few_top_logits(const OpContext& context, MatrixView<const float> hidden,
                              std::span<const WantedLogits> wanted, MatrixView<float> out);
  void sketch_part(const OpContext& context, std::int64_t count);
  void exact_unsketched(const OpContext& context, MatrixView<const float> hidden,
                        MatrixView<float> out) const;
  void release(std::int64_t first, std::int64_t count) const;
  void exact(const OpContext& context, MatrixView<const float> hidden, std::int64_t first,
             std::int64_t count, MatrixView<float> out) const;
  std::size_t bytes_of(std::int64_t rows) const noexcept;
  static constexpr std::int64_t kChunk = 64;
  // What one worker finds in its rows for one token.
  struct Part {
    std::vector<float> largest;  // lower bounds, the least of them first
    std::vector<std::int32_t> candidates;
    bool finite = true;
  };
  // A row of the head to compute exactly for one token.
  struct Exact {
    std::int32_t id, token;
    friend auto operator<=>(const Exact&, const Exact&) = default;
  };
  // parts_[workers * token + worker]
  std::span<Part> parts_of(std::int64_t token) noexcept;
  void exact_rows(const OpContext& context, MatrixView<const float> hidden, MatrixView<float> out);
  // Lengths of a hidden state and of what its rounding leaves out, rounded up.
  struct Reach {
    float length, error;
  };
  float reach(std::size_t row, Reach of, float logit) const noexcept;
  static void keep_larger(std::vector<float>& heap, float value);
  void find_largest(Slice slice, Reach of, std::int64_t k, const float* out, Part& part) const;
  void find_candidates(Slice slice, Reach of, float least, float* out,
                       std::vector<std::int32_t>& found) const;

  Tensor head_, sketch_;
  std::vector<float> bounds_,
      lengths_;  // the first bracket above and ||s|| (1 + gamma), rounded up
  std::int64_t sketched_ = 0;
  std::shared_ptr<const ModelSource> source_;  // null where the head is in memory of its own
  Tensor read_rows_;                           // [workers, cols]: what exact_rows() reads
  std::size_t workers_ = 0;
  std::vector<Part> parts_;
  std::vector<Exact> exact_;
};

}  // namespace bitnet
