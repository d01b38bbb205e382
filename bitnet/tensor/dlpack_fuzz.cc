// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any numbers in a DLPack struct around 4096 real bytes. Refusals are Errors; an
// accepted array that is shared has its elements in row-major order at the place given.
#include <array>
#include <cstdint>
#include <cstring>

#include "bitnet/base/error.h"
#include "bitnet/tensor/dlpack.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitnet;
  struct Numbers {
    std::array<std::int64_t, 8> shape, strides;
    std::uint64_t byte_offset, flags;
    std::int32_t ndim, device;
    std::uint32_t major;
    std::uint8_t code, bits, lanes, nulls;
  } n{};
  if (size < sizeof n) return 0;
  std::memcpy(&n, data, sizeof n);
  alignas(64) static std::byte bytes[4096];
  dlpack::ManagedVersioned managed{};
  managed.version = {n.major % 4, 0};
  managed.flags = n.flags;
  managed.array = {n.nulls & 1 ? nullptr : bytes,
                   {n.device % 4, 0},
                   n.ndim % 16,
                   {n.code, n.bits, n.lanes},
                   n.nulls & 2 ? nullptr : n.shape.data(),
                   n.nulls & 4 ? nullptr : n.strides.data(),
                   n.byte_offset};
  try {
    const TensorView view = dlpack_view(managed);
    if (view.num_elements() > 0 && reinterpret_cast<std::uintptr_t>(view.data()) !=
                                       reinterpret_cast<std::uintptr_t>(bytes) + n.byte_offset)
      __builtin_trap();
    // Nobody can check that the bytes are there: only arrays that lie inside may be taken.
    if (!view.is_contiguous()) return 0;
    const Tensor tensor = from_dlpack(&managed);
    if (tensor.shape().num_elements() != view.num_elements()) __builtin_trap();
    if (view.num_elements() > 0 && tensor.data() != view.data()) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
