// SPDX-License-Identifier: MIT OR Apache-2.0
// What ops that act element by element are told.
#pragma once

#include <cstdint>

#include "bitnet/ops/pointwise_ops.h"
#include "bitnet/tensor/metadata.h"

namespace bitnet {

/// An array of the op's shape: where its first element lies and how far apart the others are.
struct ArrayIn {
  const void* data;
  DType dtype;
  Strides strides;  // in bytes; 0 repeats
};
struct ArrayOut {
  void* data;
  DType dtype;
  Strides strides;  // none is 0 where its axis has more than one element
};

// All: f16 and bf16 are computed in f32 and rounded to nearest even at the end. Elements may be
// read and written in any order; out may be one of the inputs, otherwise they do not overlap.

struct UnaryArgs {
  UnaryOp op;
  float p0, p1;
  Shape shape;
  ArrayIn x;
  ArrayOut out;  // of x's type
};

struct BinaryArgs {
  BinaryOp op;
  float p0, p1;  // those of the unary op
  Shape shape;
  ArrayIn a, b;  // of one type
  ArrayOut out;  // of that type
};

struct CompareArgs {
  CompareOp op;
  Shape shape;
  ArrayIn a, b;  // of one type
  ArrayOut out;  // u8
};

/// out = condition != 0 ? a : b
struct WhereArgs {
  Shape shape;
  ArrayIn condition;  // u8
  ArrayIn a, b;       // of one type, any that is not packed
  ArrayOut out;       // of that type
};

/// out = x as another type. Between floats: rounded once, to nearest even. Float to integer:
/// towards 0, to the nearest end of the range where it is outside, 0 of NaN. Integer to float:
/// rounded to nearest even. Between integers: to the nearest end of the range. Packed integers and
/// ternary types give and take integers.
struct CastArgs {
  Shape shape;
  ArrayIn x;
  ArrayOut out;
};

}  // namespace bitnet
