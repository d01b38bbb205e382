// SPDX-License-Identifier: MIT OR Apache-2.0
// Strided arrays cut into pieces that kernels take: runs of floats one behind the other.
#pragma once

#include <algorithm>
#include <cstring>

#include "bitnet/backend/cpu/kernels/pointwise/pointwise.h"
#include "bitnet/backend/cpu/worker_scratch.h"
#include "bitnet/ops/pointwise_args.h"
#include "bitnet/tensor/nd_loop.h"

namespace bitnet::cpu {

/// Elements of a piece: three buffers of them fit in the first-level cache.
inline constexpr std::int64_t kPiece = 2048;

/// Calls body(offsets, count) for pieces of at most kPiece elements that cover the loop, divided
/// over the workers.
template <std::size_t kOperands, class Body>
void for_pieces(ThreadPool& pool, const NdLoop<kOperands>& loop, const Body& body) {
  const std::int64_t pieces = ceil_div(loop.count, kPiece);
  for_rows(pool, loop.runs * pieces, std::min(loop.count, kPiece),
           [&](std::int64_t begin, std::int64_t end) {
             for (std::int64_t i = begin; i < end; ++i) {
               auto at = loop.offsets(i / pieces);
               const std::int64_t first = i % pieces * kPiece;
               for (std::size_t k = 0; k < kOperands; ++k) at[k] += first * loop.step[k];
               body(at, std::min(kPiece, loop.count - first));
             }
           });
}

/// f32, f16 or bf16: what is computed in floats.
inline bool is_float(DType type) noexcept {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

/// `count` elements of T, `step` bytes apart, one behind the other.
template <class T>
const T* gather(const std::byte* from, std::int64_t step, std::int64_t count, T* to) {
  for (std::int64_t i = 0; i < count; ++i) std::memcpy(to + i, from + i * step, sizeof(T));
  return to;
}

/// A piece of an array as floats: where it lies if it can be, otherwise converted to a buffer.
struct FloatPiece {
  const float* data;
  int step;  // 0: one element, repeated

  FloatPiece(const PointwiseKernels& kernels, DType type, const std::byte* at,
             std::int64_t step_bytes, std::int64_t count, float* buffer)
      : step(step_bytes != 0) {
    const std::int64_t elements = step ? count : 1;
    if (type == DType::f32) {
      data = step_bytes == 4 || !step ? reinterpret_cast<const float*>(at)
                                      : gather(at, step_bytes, elements, buffer);
      return;
    }
    std::uint16_t halves[kPiece];
    const void* from = at;
    if (step && step_bytes != 2) from = gather(at, step_bytes, elements, halves);
    kernels.convert({from, buffer, elements, type, DType::f32});
    data = buffer;
  }
};

/// Where a piece of floats is written before it goes to its array.
struct FloatSink {
  FloatSink(DType type, std::byte* to, std::int64_t to_step, float* buffer)
      : data(type == DType::f32 && to_step == 4 ? reinterpret_cast<float*>(to) : buffer),
        type_(type),
        at_(to),
        step_(to_step),
        buffer_(buffer) {}

  float* data;

  void finish(const PointwiseKernels& kernels, std::int64_t count) const {
    if (data != buffer_) return;
    if (type_ == DType::f32) {
      for (std::int64_t i = 0; i < count; ++i) std::memcpy(at_ + i * step_, buffer_ + i, 4);
    } else if (step_ == 2) {
      kernels.convert({buffer_, at_, count, DType::f32, type_});
    } else {
      std::uint16_t halves[kPiece];
      kernels.convert({buffer_, halves, count, DType::f32, type_});
      for (std::int64_t i = 0; i < count; ++i) std::memcpy(at_ + i * step_, halves + i, 2);
    }
  }

 private:
  DType type_;
  std::byte* at_;
  std::int64_t step_;
  float* buffer_;
};

inline const std::byte* bytes(const ArrayIn& x) noexcept {
  return static_cast<const std::byte*>(x.data);
}
inline std::byte* bytes(const ArrayOut& x) noexcept { return static_cast<std::byte*>(x.data); }

}  // namespace bitnet::cpu
