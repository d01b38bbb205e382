// SPDX-License-Identifier: MIT OR Apache-2.0
// Equality with all logits, for heads that make screening hard.
#include "bitnet/model/head_screen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>

#include "bitnet/base/error_testing.h"
#include "bitnet/base/half.h"
#include "bitnet/ops/linear.h"
#include "bitnet/runtime/runtime.h"

namespace bitnet {
namespace {

constexpr std::int64_t kVocab = 5000, kCols = 96;

class HeadScreenTest : public ::testing::TestWithParam<DType> {
 protected:
  HeadScreenTest() : runtime_(2) {}

  // `change(row, values)` may alter a row of random numbers.
  Tensor head(const std::function<void(std::int64_t, std::span<float>)>& change = {}) {
    Tensor t = Tensor::allocate(GetParam(), {kVocab, kCols});
    std::normal_distribution<float> normal(0.0f, 0.02f);
    std::vector<float> row(kCols);
    for (std::int64_t r = 0; r < kVocab; ++r) {
      for (float& v : row) v = normal(random_);
      if (change) change(r, row);
      for (std::size_t i = 0; i < row.size(); ++i) {
        std::byte* to = t.mutable_data() + r * t.row_stride_bytes();
        if (GetParam() == DType::f32) {
          std::memcpy(to + 4 * i, &row[i], 4);
        } else {
          const std::uint16_t bits =
              GetParam() == DType::bf16 ? f32_to_bf16(row[i]) : f32_to_f16(row[i]);
          std::memcpy(to + 2 * i, &bits, 2);
        }
      }
    }
    return t;
  }
  std::vector<float> hidden(float scale = 1.0f) {
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> x(kCols);
    for (float& v : x) v = normal(random_);
    return x;
  }

  // How many rows were computed exactly; the k largest and `wanted` must be equal bit by bit, and
  // what is not exact must be -infinity.
  std::int64_t check(HeadScreen& screen, const Tensor& head, const std::vector<float>& x,
                     std::int64_t k, const std::vector<std::int32_t>& wanted = {}) {
    const MatrixView<const float> hidden{x.data(), 1, kCols, kCols};
    std::vector<float> all(kVocab), top(kVocab, 77.0f);
    dense_linear(runtime_.context(), head, hidden, {all.data(), 1, kVocab, kVocab});
    const WantedLogits one{k, wanted};
    const std::int64_t read =
        screen.top_logits(runtime_.context(), hidden, {&one, 1}, {top.data(), 1, kVocab, kVocab});
    expect_wanted(all, top, one);
    return read;
  }
  static void expect_wanted(std::span<const float> all, std::span<const float> top,
                            const WantedLogits& wanted) {
    std::vector<float> sorted(all.begin(), all.end());
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    const float least = sorted[static_cast<std::size_t>(std::min(wanted.k, kVocab) - 1)];
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool needed =
          all[i] >= least || std::find(wanted.ids.begin(), wanted.ids.end(),
                                       static_cast<std::int32_t>(i)) != wanted.ids.end();
      const bool same = std::memcmp(&all[i], &top[i], 4) == 0;
      EXPECT_TRUE(same || (!needed && top[i] == -INFINITY)) << i << ": " << all[i] << " " << top[i];
      if (!same && needed) break;
    }
  }

  // The same for some tokens at once, each with a k and ids of its own; token `bad` (-1: none) has
  // a NaN, so all of its rows are computed.
  std::int64_t check_several(HeadScreen& screen, const Tensor& head, std::int64_t tokens,
                             std::int64_t bad = -1) {
    std::vector<float> x, all(static_cast<std::size_t>(tokens * kVocab)), top(all.size(), 77.0f);
    std::vector<std::vector<std::int32_t>> ids(static_cast<std::size_t>(tokens));
    std::vector<WantedLogits> wanted;
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (const float v : hidden(t % 3 ? 1.0f : 50.0f)) x.push_back(t == bad ? NAN : v);
      for (std::int64_t i = 0; i < t % 4; ++i)
        ids[static_cast<std::size_t>(t)].push_back(static_cast<std::int32_t>((i * 1999) % kVocab));
      wanted.push_back({1 + 7 * (t % 5), ids[static_cast<std::size_t>(t)]});
    }
    const MatrixView<const float> rows{x.data(), tokens, kCols, kCols};
    dense_linear(runtime_.context(), head, rows, {all.data(), tokens, kVocab, kVocab});
    const std::int64_t read =
        screen.top_logits(runtime_.context(), rows, wanted, {top.data(), tokens, kVocab, kVocab});
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto at = static_cast<std::size_t>(t * kVocab);
      if (t == bad)
        EXPECT_EQ(std::memcmp(all.data() + at, top.data() + at, 4 * kVocab), 0);
      else
        expect_wanted(std::span(all).subspan(at, kVocab), std::span(top).subspan(at, kVocab),
                      wanted[static_cast<std::size_t>(t)]);
    }
    return read;
  }

  Runtime runtime_;
  std::mt19937 random_{1};
};

INSTANTIATE_TEST_SUITE_P(Types, HeadScreenTest,
                         ::testing::Values(DType::f32, DType::f16, DType::bf16));

TEST_P(HeadScreenTest, TheLargestAreExactWhateverIsSketched) {
  const Tensor h = head();
  HeadScreen screen(h, default_pool());
  for (const std::int64_t more : {0, 1, 1000, 3000, 999'999}) {
    screen.extend(runtime_.context(), more);
    for (const std::int64_t k : {1, 2, 40, 1000, 4999, 5000, 9000})
      check(screen, h, hidden(), k, {0, 17, 4999});
  }
  EXPECT_EQ(screen.sketched_rows(), kVocab);
  std::int64_t read = 0;
  for (int i = 0; i < 50; ++i) read += check(screen, h, hidden(), 1);
  EXPECT_LT(read, 50 * 60) << "rows that were read for the largest of 5000";
}

// What a worker found for the same token when it was still in use would count twice.
TEST_P(HeadScreenTest, WorkersThatAreNotInUseLeaveNothingBehind) {
  const Tensor h = head();
  HeadScreen screen(h, default_pool());
  screen.extend(runtime_.context(), kVocab);
  for (int i = 0; i < 5; ++i) {
    const std::vector<float> x = hidden();
    for (const int workers : {2, 1, 2}) {
      runtime_.context().threads->use(workers);
      check(screen, h, x, 1500);
    }
  }
}

TEST_P(HeadScreenTest, SeveralTokensAreScreenedTogether) {
  const Tensor h = head();
  HeadScreen screen(h, default_pool());
  for (const std::int64_t more : {0, 1000, 999'999}) {
    screen.extend(runtime_.context(), more);
    for (const std::int64_t tokens : {1, 2, 5, 8, 9, 19}) check_several(screen, h, tokens);
  }
  EXPECT_LT(check_several(screen, h, 8), 8 * 300) << "rows that were read";
  EXPECT_LT(check_several(screen, h, 8, 3), 7 * 300 + kVocab) << "one token has no numbers";
  EXPECT_EQ(check_several(screen, h, 1, 0), kVocab);
}

// A file whose rows can be read until `readable` of them were.
class RowsOfFile final : public ModelSource {
 public:
  explicit RowsOfFile(int readable) : left(readable) {}
  void check_intact() const override {}
  void release(std::span<const std::byte> bytes) const noexcept override {
    released += bytes.size();
  }
  bool read(std::span<const std::byte> bytes, std::byte* to) const noexcept override {
    if (left-- <= 0) return false;
    std::memcpy(to, bytes.data(), bytes.size());
    return true;
  }
  mutable std::atomic<int> left;
  mutable std::size_t released = 0;
};

TEST_P(HeadScreenTest, RowsOfAFileAreReadOneByOne) {
  const Tensor kept = head();
  const Tensor mapped =
      Tensor::borrow(GetParam(), kept.shape(), kept.data(), std::make_shared<Tensor>(kept));
  for (const int readable : {1'000'000, 20, 0}) {
    const auto file = std::make_shared<RowsOfFile>(readable);
    HeadScreen screen(mapped, default_pool(), file);
    screen.extend(runtime_.context(), 3000);
    EXPECT_EQ(file->released, 3008 * static_cast<std::size_t>(kept.row_stride_bytes()));
    check(screen, mapped, hidden(), 7, {0, 17, 2999});
    screen.extend(runtime_.context(), kVocab);
    const int before = file->left;
    std::int64_t rows = check(screen, mapped, hidden(), 40, {0, 17, 4999});
    EXPECT_EQ(before - file->left, rows);
    check_several(screen, mapped, 5);
  }
}

TEST_P(HeadScreenTest, EqualAndNearlyEqualRowsAreAllThere) {
  std::vector<float> first;
  const Tensor h = head([&](std::int64_t r, std::span<float> row) {
    if (r == 0) first.assign(row.begin(), row.end());
    if (r % 3 != 0) return;
    std::copy(first.begin(), first.end(), row.begin());  // a third of all: the same logit
    if (r % 6 == 0) row[static_cast<std::size_t>(r) % row.size()] *= 1.01f;
  });
  HeadScreen screen(h, default_pool());
  screen.extend(runtime_.context(), kVocab);
  for (int i = 0; i < 20; ++i) check(screen, h, hidden(), 1 + i);
}

TEST_P(HeadScreenTest, RowsOfAnySizeKeepTheirOrder) {
  const Tensor h = head([](std::int64_t r, std::span<float> row) {
    // Zeros, rows that a half cannot scale, huge ones, and one value far above the others.
    const float scale = r % 7 == 0 ? 0.0f : r % 7 == 1 ? 1e-4f : r % 7 == 2 ? 300.0f : 1.0f;
    for (float& v : row) v *= scale;
    if (r % 7 == 3) row[5] = 60.0f;
  });
  HeadScreen screen(h, default_pool());
  screen.extend(runtime_.context(), kVocab);
  for (int i = 0; i < 20; ++i) check(screen, h, hidden(i % 2 ? 1e-12f : 50.0f), 1 + 5 * i);
  for (const float tiny : {1e-36f, 1e-40f, 1e-44f}) check(screen, h, hidden(tiny), 3);
  check(screen, h, std::vector<float>(kCols, 0.0f), 1);
}

TEST_P(HeadScreenTest, WhatIsNoNumberMakesAllExact) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const float bad : {inf, -inf, nan}) {
    const Tensor h = head([&](std::int64_t r, std::span<float> row) {
      if (r == 2500) row[3] = bad;
    });
    HeadScreen screen(h, default_pool());
    screen.extend(runtime_.context(), kVocab);
    EXPECT_EQ(check(screen, h, hidden(), 1), kVocab);
    std::vector<float> x = hidden();
    x[9] = bad;
    const Tensor good = head();
    HeadScreen other(good, default_pool());
    other.extend(runtime_.context(), kVocab);
    EXPECT_EQ(check(other, good, x, 1), kVocab);
  }
}

TEST_P(HeadScreenTest, WrongUseIsRefused) {
  const Tensor h = head();
  HeadScreen screen(h, default_pool());
  const std::vector<float> x = hidden();
  std::vector<float> out(kVocab, 5.0f), few(3);
  const OpContext context = runtime_.context();
  screen.extend(context, kVocab);
  const std::vector<std::int32_t> beyond{kVocab};
  const auto refused = [&](const std::vector<WantedLogits>& wanted, std::vector<float>& to,
                           std::int64_t cols = kCols) {
    const auto logits = static_cast<std::int64_t>(to.size());
    EXPECT_EQ(code_of([&] {
                screen.top_logits(context, {x.data(), 1, cols, cols}, wanted,
                                  {to.data(), 1, logits, logits});
              }),
              Errc::invalid_argument);
  };
  refused({{0, {}}}, out);
  refused({{1, {}}}, few);
  refused({{1, beyond}}, out);
  refused({}, out);
  refused({{1, {}}, {1, {}}}, out);
  refused({{1, {}}}, out, kCols - 32);
  EXPECT_EQ(out, std::vector<float>(kVocab, 5.0f)) << "nothing was written";
  const Tensor narrow = Tensor::allocate(GetParam(), {kVocab, 33});
  EXPECT_FALSE(HeadScreen::suits(narrow));
  EXPECT_EQ(code_of([&] { HeadScreen bad(narrow, default_pool()); }), Errc::invalid_argument);
}

}  // namespace
}  // namespace bitnet
