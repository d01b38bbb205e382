// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/runtime/measure_tuning.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "bitnet/backend/cpu/measured_limits.h"
#include "bitnet/backend/cpu/ternary_lookup_op.h"
#include "bitnet/base/os/cpu_cache.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/runtime/backends.h"
#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet {
namespace {

using Clock = std::chrono::steady_clock;

struct MatrixShape {
  std::int64_t rows, cols;
};
// A layer of 2B4T: q, k, v; o; gate, up; down. Matrices of one input are computed in one call where
// they lie in tiles.
constexpr std::array kLayer{MatrixShape{2560, 2560}, MatrixShape{640, 2560},
                            MatrixShape{640, 2560},  MatrixShape{2560, 2560},
                            MatrixShape{6912, 2560}, MatrixShape{6912, 2560},
                            MatrixShape{2560, 6912}};
constexpr std::array kCalls{Slice{0, 3}, Slice{3, 4}, Slice{4, 6}, Slice{6, 7}};
constexpr std::int64_t kMaxRows = 6912, kMaxCols = 6912, kTokens = 128;

constexpr MatrixShape kCached{512, 2560};  // 328 and 267 KB: a second cache
// Four times the last cache, so that little of it is left from one pass to the next; at least 200
// MB, and not more than 20 of 2B4T's 30 layers.
constexpr std::int64_t kMostLayers = 20, kLeastBytes = std::int64_t{200} << 20;
// The best of some runs counts, the others having been disturbed: so long each time, twice at
// least, and the layouts in turns, as machines have faster and slower moments.
constexpr double kSeconds = 0.03;
constexpr int kRounds = 3;

std::int64_t weights_of(const MatrixShape& shape) { return shape.rows * shape.cols; }
constexpr std::int64_t weights_of_layer() {
  std::int64_t sum = 0;
  for (const MatrixShape& shape : kLayer) sum += shape.rows * shape.cols;
  return sum;
}

std::int64_t bytes_of(const MatrixShape& shape, WeightLayout layout) {
  return layout == WeightLayout::tiles ? lookup_tiles::bytes(shape.rows, shape.cols)
                                       : shape.rows * block128::row_bytes(shape.cols);
}

template <class Work>
double seconds_once(const Work& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class Work>
double seconds_of(const Work& work) {
  double best = 1e9, all = 0;
  for (int runs = 0; runs < 2 || all < kSeconds; ++runs) {
    const double took = seconds_once(work);
    best = std::min(best, took);
    all += took;
  }
  return best;
}

std::int64_t millions(double weights, double seconds) {
  return static_cast<std::int64_t>(weights / seconds / 1e6);
}

// What products are made of besides weights.
struct Activations {
  MemoryHandle q, out;
  std::vector<std::int32_t> sums;
  std::vector<float> scales;

  Activations(std::int64_t tokens, std::int64_t cols, std::int64_t rows)
      : q(default_pool().allocate(static_cast<std::size_t>(tokens * pair_order_bytes(cols)))),
        out(default_pool().allocate(static_cast<std::size_t>(tokens * 3 * rows) * sizeof(float))),
        sums(static_cast<std::size_t>(tokens), 0),
        scales(static_cast<std::size_t>(tokens), 1.0f) {
    std::memset(q.data(), 1, q.size_bytes());
    std::memset(out.data(), 0, out.size_bytes());
  }
  float* results(std::int64_t part, std::int64_t tokens, std::int64_t rows) {
    return reinterpret_cast<float*>(out.data()) + part * tokens * rows;
  }
};

// Products of matrices with the same columns, of `tokens` tokens.
struct Product {
  WeightLayout layout;
  std::array<const std::uint8_t*, 3> weights;
  std::array<MatrixShape, 3> shapes;
  int count;
};

void multiply(const OpTable& table, const Product& p, std::int64_t tokens, Activations& x,
              ThreadPool& pool) {
  const std::int64_t cols = p.shapes[0].cols, stride = pair_order_bytes(cols);
  const auto* q = reinterpret_cast<const std::int8_t*>(x.q.data());
  if (p.layout == WeightLayout::tiles) {
    TernaryLookupArgs args{};
    for (int i = 0; i < p.count; ++i) {
      const auto n = static_cast<std::size_t>(i);
      const std::int64_t rows = p.shapes[n].rows;
      args.parts[i] = {p.weights[n], x.scales.data(), x.results(i, tokens, kMaxRows), rows, rows};
    }
    args.num_parts = p.count, args.activations = q, args.activation_stride = stride;
    args.tokens = tokens, args.cols = cols;
    return table.ternary_lookup(args, pool);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(p.count); ++i) {
    const std::int64_t rows = p.shapes[i].rows;
    table.ternary_linear(
        {p.weights[i], block128::row_bytes(cols), q, stride, x.sums.data(), x.scales.data(),
         x.results(0, tokens, kMaxRows), rows, rows, (cols + 127) / 128, tokens},
        pool);
  }
}

// As many layers as there is room for, in one layout; all of them zeros, which cost as much as
// others.
class Layers {
 public:
  Layers(const OpTable& table, WeightLayout layout, std::int64_t count, ThreadPool& pool)
      : layout_(layout), count_(count) {
    std::int64_t bytes = 0;
    for (const MatrixShape& shape : kLayer) bytes += bytes_of(shape, layout);
    memory_ = default_pool().allocate(static_cast<std::size_t>(bytes * count));
    auto* at = reinterpret_cast<std::uint8_t*>(memory_.data());
    const MemoryHandle codes =
        default_pool().allocate(static_cast<std::size_t>(kMaxRows * kMaxCols / 4));
    std::memset(codes.data(), 0x55, codes.size_bytes());
    for (std::int64_t i = 0; i < count; ++i)
      for (const MatrixShape& shape : kLayer) {
        weights_.push_back(at);
        const std::int64_t size = bytes_of(shape, layout);
        if (layout == WeightLayout::tiles)
          table.pack_lookup({reinterpret_cast<const std::uint8_t*>(codes.data()),
                             block128::row_bytes(shape.cols), at, shape.rows, shape.cols},
                            pool);
        else
          pool.for_slices(size, 4096, [&](std::int64_t begin, std::int64_t end) {
            std::memset(at + begin, 0x55, static_cast<std::size_t>(end - begin));
          });
        at += size;
      }
  }

  std::int64_t count() const { return count_; }
  Product product(std::int64_t layer, const Slice& call) const {
    Product p{layout_, {}, {}, static_cast<int>(call.size())};
    for (std::int64_t i = call.begin; i < call.end; ++i) {
      const auto n = static_cast<std::size_t>(i - call.begin);
      p.weights[n] =
          weights_[static_cast<std::size_t>(layer) * kLayer.size() + static_cast<std::size_t>(i)];
      p.shapes[n] = kLayer[static_cast<std::size_t>(i)];
    }
    return p;
  }

 private:
  WeightLayout layout_;
  std::int64_t count_;
  MemoryHandle memory_;
  std::vector<const std::uint8_t*> weights_;
};

class Measurement {
 public:
  Measurement() : table_(backends().front().op_table()) {
    const auto available = static_cast<std::int64_t>(os::memory_info().available_bytes);
    const std::int64_t layer = weights_of_layer() / 4;
    const std::int64_t last_cache = std::max(os::cache_bytes(2), os::cache_bytes(3));
    std::int64_t bytes = std::max(4 * last_cache, kLeastBytes);
    if (available > 0) bytes = std::min(bytes, available / 4);
    const std::int64_t count = std::clamp<std::int64_t>(bytes / layer, 1, kMostLayers);
    ThreadPool all;
    two_bits_ = std::make_unique<Layers>(table_, WeightLayout::two_bits, count, all);
    if (cpu::has_lookup_kernels())
      tiles_ = std::make_unique<Layers>(table_, WeightLayout::tiles, count, all);
  }

  ThreadRates row(int threads) {
    ThreadPool pool(threads);
    ThreadRates rates;
    rates.threads = threads;
    for (int round = 0; round < kRounds; ++round) {
      rates.read = std::max(rates.read, read_rate(pool));
      keep_best(rates.two_bits, of(*two_bits_, pool));
      if (tiles_) keep_best(rates.tiles, of(*tiles_, pool));
    }
    return rates;
  }

 private:
  static void keep_best(LayoutRates& best, const LayoutRates& seen) {
    best.cached = std::max(best.cached, seen.cached);
    best.memory = std::max(best.memory, seen.memory);
    best.prompt = std::max(best.prompt, seen.prompt);
  }

  std::int64_t read_rate(ThreadPool& pool) const {
    const Product first = two_bits_->product(0, kCalls[0]);
    const std::int64_t bytes = two_bits_->count() * (weights_of_layer() / 4) / 64 * 64;
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(cpu::read_bandwidth(pool, first.weights[0], bytes, 4) / 1e6));
  }

  LayoutRates of(const Layers& layers, ThreadPool& pool) {
    LayoutRates rates;
    rates.cached = cached_rate(layers, pool);
    Activations one(1, kMaxCols, kMaxRows);
    // Where arithmetic is far below memory, fewer layers tell as much.
    const std::int64_t count = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(static_cast<double>(rates.cached) * 1e6 * 0.1) /
            weights_of_layer(),
        1, layers.count());
    const double seconds = seconds_of([&] {
      for (std::int64_t i = 0; i < count; ++i)
        for (const Slice& call : kCalls) multiply(table_, layers.product(i, call), 1, one, pool);
    });
    rates.memory = millions(static_cast<double>(count * weights_of_layer()), seconds);
    // Of one matrix.
    Activations many(kTokens, kMaxCols, kMaxRows);
    Product small = layers.product(0, kCalls[1]);
    rates.prompt = millions(static_cast<double>(weights_of(small.shapes[0]) * kTokens),
                            seconds_of([&] { multiply(table_, small, kTokens, many, pool); }));
    return rates;
  }

  // Each thread for itself, again and again the same rows.
  std::int64_t cached_rate(const Layers& layers, ThreadPool& pool) {
    const auto threads = static_cast<std::size_t>(pool.size());
    std::vector<std::unique_ptr<Activations>> x(threads);
    std::vector<MemoryHandle> weights(threads);
    const Product like = layers.product(0, kCalls[0]);
    const auto size = static_cast<std::size_t>(bytes_of(kCached, like.layout));
    for (std::size_t i = 0; i < threads; ++i) {
      x[i] = std::make_unique<Activations>(1, kCached.cols, kMaxRows);
      weights[i] = default_pool().allocate(size);
      std::memcpy(weights[i].data(), like.weights[0], size);
    }
    int times = 1;
    const auto run = [&] {
      pool.run([&](int worker, int) {
        const auto i = static_cast<std::size_t>(worker);
        ThreadPool alone(1);
        Product p{like.layout, {}, {kCached}, 1};
        p.weights[0] = reinterpret_cast<const std::uint8_t*>(weights[i].data());
        for (int n = 0; n < times; ++n) multiply(table_, p, 1, *x[i], alone);
      });
    };
    run();
    while (seconds_once(run) < 2e-3) times *= 2;  // longer than threads need to wake
    const auto done = static_cast<double>(weights_of(kCached)) * times * pool.size();
    return millions(done, seconds_of(run));
  }

  const OpTable& table_;
  std::unique_ptr<Layers> two_bits_, tiles_;
};

}  // namespace

Tuning measure_tuning(const std::function<void(int, int)>& progress) {
  Tuning tuning;
  tuning.machine = this_machine();
  const int cpus =
      static_cast<int>(std::min<std::int64_t>(tuning.machine.cpus, ThreadPool::kMaxThreads));
  std::vector<int> threads;
  for (int n = 1; n < cpus; n *= 2) threads.push_back(n);
  threads.push_back(cpus);
  Measurement measurement;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    if (progress) progress(static_cast<int>(i), static_cast<int>(threads.size()));
    tuning.rows.push_back(measurement.row(threads[i]));
  }
  return tuning;
}

}  // namespace bitnet
