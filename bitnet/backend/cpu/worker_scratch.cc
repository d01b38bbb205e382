// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/worker_scratch.h"

#include <cstddef>
#include <memory>
#include <new>

namespace bitnet::cpu {
namespace {

constexpr std::align_val_t kAlignment{64};

struct Free {
  void operator()(float* p) const noexcept { ::operator delete(p, kAlignment); }
};

struct Scratch {
  std::unique_ptr<float, Free> data;
  std::int64_t floats = 0;
};

}  // namespace

float* worker_scratch(std::int64_t floats) {
  thread_local Scratch scratch;
  if (floats > scratch.floats) {
    scratch.floats = 0;
    scratch.data.reset();
    scratch.data.reset(static_cast<float*>(
        ::operator new(static_cast<std::size_t>(floats) * sizeof(float), kAlignment)));
    scratch.floats = floats;
  }
  return scratch.data.get();
}

}  // namespace bitnet::cpu
