// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/pointwise_op.h"

#include "bitnet/backend/cpu/strided.h"

namespace bitnet::cpu {
namespace {

// Copies the elements that the condition picks, whatever they are.
template <class T>
void where_bytes(const WhereArgs& args, const NdLoop<4>& loop, ThreadPool& pool) {
  for_pieces(pool, loop, [&](const auto& at, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const bool yes = bytes(args.condition)[at[1] + i * loop.step[1]] != std::byte{0};
      const std::byte* from =
          yes ? bytes(args.a) + at[2] + i * loop.step[2] : bytes(args.b) + at[3] + i * loop.step[3];
      std::memcpy(bytes(args.out) + at[0] + i * loop.step[0], from, sizeof(T));
    }
  });
}

}  // namespace

void unary(const UnaryArgs& args, ThreadPool& pool) {
  if (!is_float(args.x.dtype)) return plain_unary(args, pool);
  const PointwiseKernels& kernels = active_pointwise_kernels();
  const NdLoop<2> loop(args.shape, {args.out.strides, args.x.strides});
  for_pieces(pool, loop, [&](const auto& at, std::int64_t count) {
    alignas(64) float in[kPiece], out[kPiece];
    FloatPiece x(kernels, args.x.dtype, bytes(args.x) + at[1], loop.step[1], count, in);
    if (x.step == 0 && count > 1) {  // a repeated element: the kernel takes runs alone
      std::fill_n(in, count, *x.data);
      x.data = in;
    }
    const FloatSink sink(args.out.dtype, bytes(args.out) + at[0], loop.step[0], out);
    kernels.unary({x.data, sink.data, count, args.op, args.p0, args.p1});
    sink.finish(kernels, count);
  });
}

void binary(const BinaryArgs& args, ThreadPool& pool) {
  if (!is_float(args.a.dtype)) return plain_binary(args, pool);
  const PointwiseKernels& kernels = active_pointwise_kernels();
  const NdLoop<3> loop(args.shape, {args.out.strides, args.a.strides, args.b.strides});
  for_pieces(pool, loop, [&](const auto& at, std::int64_t count) {
    alignas(64) float in_a[kPiece], in_b[kPiece], out[kPiece];
    const FloatPiece a(kernels, args.a.dtype, bytes(args.a) + at[1], loop.step[1], count, in_a);
    const FloatPiece b(kernels, args.b.dtype, bytes(args.b) + at[2], loop.step[2], count, in_b);
    const FloatSink sink(args.out.dtype, bytes(args.out) + at[0], loop.step[0], out);
    kernels.binary({a.data, b.data, a.step, b.step, sink.data, count, args.op, args.p0, args.p1});
    sink.finish(kernels, count);
  });
}

void compare(const CompareArgs& args, ThreadPool& pool) {
  if (!is_float(args.a.dtype)) return plain_compare(args, pool);
  const PointwiseKernels& kernels = active_pointwise_kernels();
  const NdLoop<3> loop(args.shape, {args.out.strides, args.a.strides, args.b.strides});
  for_pieces(pool, loop, [&](const auto& at, std::int64_t count) {
    alignas(64) float in_a[kPiece], in_b[kPiece];
    alignas(64) std::uint8_t out[kPiece];
    const FloatPiece a(kernels, args.a.dtype, bytes(args.a) + at[1], loop.step[1], count, in_a);
    const FloatPiece b(kernels, args.b.dtype, bytes(args.b) + at[2], loop.step[2], count, in_b);
    std::byte* to = bytes(args.out) + at[0];
    const bool direct = loop.step[0] == 1;
    auto* run = direct ? reinterpret_cast<std::uint8_t*>(to) : out;
    kernels.compare({a.data, b.data, a.step, b.step, run, count, args.op});
    if (!direct)
      for (std::int64_t i = 0; i < count; ++i) to[i * loop.step[0]] = std::byte{out[i]};
  });
}

void where(const WhereArgs& args, ThreadPool& pool) {
  const NdLoop<4> loop(args.shape,
                       {args.out.strides, args.condition.strides, args.a.strides, args.b.strides});
  const auto runs = [&](std::size_t k) { return loop.step[k] == 4 || loop.step[k] == 0; };
  if (info(args.a.dtype).block_bytes == 4 && loop.step[0] == 4 && loop.step[1] == 1 && runs(2) &&
      runs(3)) {
    const PointwiseKernels& kernels = active_pointwise_kernels();
    return for_pieces(pool, loop, [&](const auto& at, std::int64_t count) {
      kernels.where({reinterpret_cast<const std::uint8_t*>(bytes(args.condition) + at[1]),
                     reinterpret_cast<const float*>(bytes(args.a) + at[2]),
                     reinterpret_cast<const float*>(bytes(args.b) + at[3]), loop.step[2] != 0,
                     loop.step[3] != 0, reinterpret_cast<float*>(bytes(args.out) + at[0]), count});
    });
  }
  switch (info(args.a.dtype).block_bytes) {
    case 1:
      return where_bytes<std::uint8_t>(args, loop, pool);
    case 2:
      return where_bytes<std::uint16_t>(args, loop, pool);
    case 4:
      return where_bytes<std::uint32_t>(args, loop, pool);
    default:
      return where_bytes<std::uint64_t>(args, loop, pool);
  }
}

}  // namespace bitnet::cpu
