// SPDX-License-Identifier: MIT OR Apache-2.0
// What the tests of all kernel families share: awkward numbers, comparison by bits, memory that
// ends at an inaccessible page, and a test per row of a kernel table.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "bitnet/backend/cpu/kernel_table.h"

namespace bitnet::cpu {

/// `count` elements whose end is the end of accessible memory: a kernel that reads or writes past
/// it dies with SIGSEGV.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t count) : size_(count) {
    const std::size_t bytes = count * sizeof(T), page = 4096;
    mapped_ = (bytes + page - 1) / page * page + page;
    void* base = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(base, MAP_FAILED);
    base_ = static_cast<std::byte*>(base);
    EXPECT_EQ(mprotect(base_ + mapped_ - page, page, PROT_NONE), 0);
    data_ = reinterpret_cast<T*>(base_ + mapped_ - page - bytes);
  }
  Guarded(const std::vector<T>& values) : Guarded(values.size()) {
    for (std::size_t i = 0; i < size_; ++i) data_[i] = values[i];
  }
  ~Guarded() { munmap(base_, mapped_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return data_; }
  std::vector<T> copy() const { return {data_, data_ + size_}; }

 private:
  std::size_t size_, mapped_ = 0;
  std::byte* base_ = nullptr;
  T* data_ = nullptr;
};

inline std::size_t usize(std::int64_t n) { return static_cast<std::size_t>(n); }

/// Normal numbers of spread 1.
inline std::vector<float> random_floats(std::mt19937& rng, std::int64_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> v(usize(count));
  for (float& x : v) x = normal(rng);
  return v;
}

/// As above, every tenth or so a zero of either sign, a denormal, or a very large or small number.
inline std::vector<float> awkward_floats(std::mt19937& rng, std::int64_t count) {
  std::vector<float> v = random_floats(rng, count);
  const float odd[] = {0.0f, -0.0f, 1e-45f, -3e-40f, 1.1754942e-38f, 1e-30f, -1e19f, 1e15f};
  for (float& x : v)
    if (rng() % 10 == 0) x = odd[rng() % std::size(odd)];
  return v;
}

/// Equal bits, any NaN counting as equal to any other (IEEE leaves sign and payload open).
inline ::testing::AssertionResult same_bits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i]))
      return ::testing::AssertionFailure() << "at " << i << ": " << a[i] << " and " << b[i];
  }
  return ::testing::AssertionSuccess();
}

/// A test per row of a table; what this CPU lacks is skipped visibly.
template <class Fn>
class KernelTest : public ::testing::TestWithParam<Kernel<Fn>> {
 protected:
  void SetUp() override {
    if (!isa::has(isa::detect(), this->GetParam().needs))
      GTEST_SKIP() << "this CPU lacks " << this->GetParam().name;
  }
};

template <class Fn>
std::string kernel_name(const ::testing::TestParamInfo<Kernel<Fn>>& info) {
  return std::string(info.param.name);
}

}  // namespace bitnet::cpu
