// SPDX-License-Identifier: MIT OR Apache-2.0
// Checks that ops on views share. All throw Error{invalid_argument} or Error{unsupported}, naming
// op and operand.
#pragma once

#include <initializer_list>
#include <string>

#include "bitnet/ops/context.h"
#include "bitnet/ops/pointwise_args.h"
#include "bitnet/tensor/view.h"

namespace bitnet::ops {

inline ArrayIn array(const TensorView& x) { return {x.data(), x.dtype(), x.strides()}; }
inline ArrayOut array(const MutableTensorView& x) { return {x.data(), x.dtype(), x.strides()}; }

inline void check_type(const char* op, const char* operand, DType actual, DType expected) {
  if (actual != expected)
    fail(Errc::invalid_argument, std::string(op) + ": " + operand + " is " +
                                     std::string(info(actual).name) + ", expected " +
                                     std::string(info(expected).name));
}

inline void check_type_in(const char* op, const char* operand, DType actual,
                          std::initializer_list<DType> supported) {
  std::string names;
  for (const DType type : supported) {
    if (type == actual) return;
    names += (names.empty() ? "" : ", ") + std::string(info(type).name);
  }
  fail(Errc::unsupported, std::string(op) + ": " + operand + " is " +
                              std::string(info(actual).name) + ", expected one of " + names);
}

inline void check_shape(const char* op, const char* operand, const Shape& actual,
                        const Shape& expected) {
  if (!(actual == expected))
    fail(Errc::invalid_argument, std::string(op) + ": " + operand + " is " + to_string(actual) +
                                     ", expected " + to_string(expected));
}

inline void check_rank(const char* op, const char* operand, const TensorView& x, int rank) {
  if (x.rank() != rank)
    fail(Errc::invalid_argument, std::string(op) + ": " + operand + " is " + to_string(x.shape()) +
                                     ", expected rank " + std::to_string(rank));
}

/// No backend but the CPU's computes on views yet.
inline void check_on_cpu(const char* op, const char* operand, const TensorView& x) {
  if (!(x.device() == Device{}))
    fail(Errc::unsupported,
         std::string(op) + ": " + operand + " is on " + to_string(x.device()) + ", expected cpu");
}

/// What is written may not repeat elements (stride 0 along an axis of more than one).
inline void check_output(const char* op, const MutableTensorView& out,
                         const char* operand = "out") {
  check_on_cpu(op, operand, out);
  for (int axis = 0; axis < out.rank(); ++axis)
    if (out.dim(axis) > 1 && out.stride(axis) == 0)
      fail(Errc::invalid_argument, std::string(op) + ": " + operand +
                                       " repeats elements along axis " + std::to_string(axis) +
                                       " of " + to_string(out.shape()));
}

/// Strides are whole elements, so that they can be counted in these.
inline void check_whole_steps(const char* op, const char* operand, const TensorView& x) {
  const std::int64_t element = info(x.dtype()).block_bytes;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (x.dim(axis) > 1 && x.stride(axis) % element != 0)
      fail(Errc::unsupported, std::string(op) + ": " + operand + " has a stride of " +
                                  std::to_string(x.stride(axis)) + " bytes along axis " +
                                  std::to_string(axis) + ", expected whole elements of " +
                                  std::to_string(element) + "; contiguous() copies it");
}

/// The last axis has no gaps, so that rows can be read as they lie.
inline void check_rows(const char* op, const char* operand, const TensorView& x) {
  if (x.rank() > 0 && x.dim(-1) > 1 && x.stride(-1) != info(x.dtype()).block_bytes)
    fail(Errc::unsupported, std::string(op) + ": " + operand +
                                " has gaps along its last axis; contiguous() copies it");
}

}  // namespace bitnet::ops
