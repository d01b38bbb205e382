// SPDX-License-Identifier: MIT OR Apache-2.0
// Generates the trace operation by operation; sizes follow from the model's shape.
#include "bench/memory/trace.h"

namespace bitnet::bench {
namespace {

constexpr int kLayers = 18;
constexpr std::size_t kWidth = 2048, kFeedForward = 16384, kHeads = 8, kHeadWidth = 256;
constexpr std::size_t kVocabulary = 256'000, kFloat = 4;
constexpr int kPagePositions = 16;
constexpr std::size_t kPageBytes16 = kPagePositions * 2 * kHeadWidth * 2;  // keys, values; 16 bit
constexpr std::size_t kMostActive = 3, kMostPrefixes = 3;

using Ids = Array<std::uint32_t>;

struct Request {
  int prompt, left;
  int position = 0;
  bool prefill = true;
  Ids pages = make_array<std::uint32_t>();
};

class Writer {
 public:
  explicit Writer(std::uint64_t seed) : random_(seed) {}

  void run(int requests) {
    auto active = make_array<Request>();
    for (int made = 0; made < requests || !active.empty();) {
      for (; made < requests && active.size() < kMostActive; ++made) {
        const int prompt = static_cast<int>(16 + random_.below(497));
        active.push_back({prompt, static_cast<int>(8 + random_.below(40))});
      }
      for (std::size_t i = 0; i < active.size();) {
        step(active[i]);
        if (--active[i].left > 0) {
          ++i;
          continue;
        }
        end(active[i]);
        active.erase(active.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    for (int i = 0; i < 64; ++i) tick();
    for (; !later_.empty(); later_.pop_back()) free(later_.back().id);
    for (const Ids& pages : prefixes_) free_all(pages);
  }

  Trace take() { return std::move(trace_); }

 private:
  /// Frees of `id` come once the clock reaches `at`.
  struct Later {
    std::uint64_t at;
    std::uint32_t id;
  };

  std::uint32_t allocate(std::size_t bytes) {
    std::uint32_t id = trace_.num_ids;
    if (free_ids_.empty()) {
      ++trace_.num_ids;
      bytes_.push_back(0);
    } else {
      id = free_ids_.back();
      free_ids_.pop_back();
    }
    bytes_[id] = static_cast<std::uint32_t>(bytes);
    trace_.events.push_back({id, bytes_[id]});
    live_bytes_ += bytes;
    trace_.peak_live_bytes = std::max(trace_.peak_live_bytes, live_bytes_);
    ++trace_.allocations;
    return id;
  }
  void free(std::uint32_t id) {
    trace_.events.push_back({id, 0});
    live_bytes_ -= bytes_[id];
    free_ids_.push_back(id);
  }
  void free_all(const Ids& ids) {
    for (const std::uint32_t id : ids) free(id);
  }
  void free_later(std::uint32_t id, std::uint64_t ticks) { later_.push_back({clock_ + ticks, id}); }
  void tick() {
    ++clock_;
    for (std::size_t i = 0; i < later_.size();) {
      if (later_[i].at > clock_) {
        ++i;
        continue;
      }
      free(later_[i].id);
      later_[i] = later_.back();
      later_.pop_back();
    }
  }

  /// A graph operation: its node, its shape, at times a name, and its output, which `life` further
  /// operations read.
  void operation(std::size_t bytes, std::uint64_t life) {
    const std::uint32_t node = allocate(96 + random_.below(4) * 32);
    free_later(node, life + 1 + random_.below(6));
    const std::uint32_t shape = allocate(32 + random_.below(2) * 32);
    free_later(shape, life + 1 + random_.below(6));
    if (random_.below(3) == 0) {
      const std::uint32_t name = allocate(24 + random_.below(40));
      free_later(name, life + random_.below(40));
    }
    free_later(allocate(bytes), life);
    tick();
  }

  void step(Request& request) {
    const int tokens = request.prefill ? request.prompt : 1;
    const int context = request.position + tokens;
    const auto rows = static_cast<std::size_t>(tokens);
    const std::size_t hidden = rows * kWidth * kFloat;
    operation(hidden, 2);
    for (int layer = 0; layer < kLayers; ++layer) {
      grow_cache(request, context);
      attention(hidden, rows * kHeadWidth * kFloat,
                kHeads * rows * static_cast<std::size_t>(context) * kFloat);
      feed_forward(hidden, rows * kFeedForward * kFloat);
      if (random_.below(8) == 0) operation(std::size_t{1 << 20} << random_.below(5), 1);
    }
    operation(kWidth * kFloat, 2);
    operation(kVocabulary * kFloat, 2);
    operation(kVocabulary * kFloat, 1);
    operation(4096 + random_.below(60'000), 3);
    request.position = context;
    request.prefill = false;
  }
  void grow_cache(Request& request, int context) {
    const auto count = [](int positions) {
      return (positions + kPagePositions - 1) / kPagePositions;
    };
    for (int page = count(request.position); page < count(context); ++page)
      request.pages.push_back(allocate(kPageBytes16));
  }
  void attention(std::size_t hidden, std::size_t one_head, std::size_t scores) {
    operation(hidden, 3);    // norm
    operation(hidden, 3);    // queries
    operation(one_head, 4);  // keys
    operation(one_head, 4);  // values
    operation(hidden, 2);    // rotated queries
    operation(scores, 2);
    operation(scores, 2);  // softmax
    operation(hidden, 2);  // weighted values
    operation(hidden, 2);  // output projection
    operation(hidden, 6);  // residual
  }
  void feed_forward(std::size_t hidden, std::size_t wide) {
    operation(hidden, 2);  // norm
    operation(wide, 2);    // gate
    operation(wide, 2);    // up
    operation(wide, 1);    // product
    operation(hidden, 2);  // down
    operation(hidden, 5);  // residual
  }

  void end(Request& request) {
    if (random_.below(3) != 0) return free_all(request.pages);
    prefixes_.push_back(std::move(request.pages));
    if (prefixes_.size() <= kMostPrefixes) return;
    const std::size_t evicted = random_.below(prefixes_.size());
    free_all(prefixes_[evicted]);
    prefixes_.erase(prefixes_.begin() + static_cast<std::ptrdiff_t>(evicted));
  }

  Random random_;
  Trace trace_;
  std::uint64_t live_bytes_ = 0, clock_ = 0;
  Ids bytes_ = make_array<std::uint32_t>(), free_ids_ = make_array<std::uint32_t>();
  Array<Later> later_ = make_array<Later>();
  Array<Ids> prefixes_ = make_array<Ids>();
};

}  // namespace

Trace make_trace(std::uint64_t seed, int requests) {
  Writer writer(seed);
  writer.run(requests);
  return writer.take();
}

}  // namespace bitnet::bench
