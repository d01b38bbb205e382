// SPDX-License-Identifier: MIT OR Apache-2.0
// Byte-pair merging: a scan for short pieces, a heap for long ones.
#include "bitnet/generate/tokenizer/bpe.h"

#include <algorithm>
#include <queue>

namespace bitnet::tokenizer_detail {
namespace {

constexpr std::size_t kScanned =
    48;  // longest piece for which the quadratic scan is the faster one

const MergeTable::Entry& find(const MergeTable& merges, std::int32_t left, std::int32_t right) {
  return merges.find(static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right));
}

std::size_t merge_by_scan(const MergeTable& merges, std::int32_t* symbols, std::size_t size) {
  MergeTable::Entry pairs[kScanned];  // pairs[i]: of symbols i and i + 1
  for (std::size_t i = 0; i + 1 < size; ++i) pairs[i] = find(merges, symbols[i], symbols[i + 1]);
  while (size > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < size; ++i)
      if (pairs[i].value < pairs[best].value) best = i;
    if (pairs[best].value == MergeTable::kNone) break;
    symbols[best] = static_cast<std::int32_t>(pairs[best].extra);
    std::copy(symbols + best + 2, symbols + size, symbols + best + 1);
    std::copy(pairs + best + 1, pairs + size - 1, pairs + best);
    --size;
    if (best > 0) pairs[best - 1] = find(merges, symbols[best - 1], symbols[best]);
    if (best + 1 < size) pairs[best] = find(merges, symbols[best], symbols[best + 1]);
  }
  return size;
}

struct Candidate {
  std::uint32_t rank;
  std::int32_t left, right;  // ids when it was pushed: stale if the symbols have changed since
  std::size_t at;
  bool operator>(const Candidate& other) const noexcept {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

// Symbols as a list threaded through arrays: next[i], previous[i]; a merged-away symbol has id -1.
class LongPiece {
 public:
  LongPiece(const MergeTable& merges, std::int32_t* symbols, std::size_t size)
      : merges_(merges), symbols_(symbols), size_(size), next_(size), previous_(size) {
    std::vector<Candidate> first;
    for (std::size_t i = 0; i < size; ++i) {
      next_[i] = i + 1;
      previous_[i] = i - 1;  // wraps for 0, which is never followed
      if (i + 1 < size) push_to(first, i);
    }
    queue_ = Queue(std::greater<>(), std::move(first));
  }

  std::size_t merge() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const std::size_t right = next_[top.at];
      if (symbols_[top.at] != top.left || right >= size_ || symbols_[right] != top.right) continue;
      symbols_[top.at] = static_cast<std::int32_t>(find(merges_, top.left, top.right).extra);
      symbols_[right] = -1;
      next_[top.at] = next_[right];
      if (next_[top.at] < size_) {
        previous_[next_[top.at]] = top.at;
        push(top.at);
      }
      if (top.at > 0) push(previous_[top.at]);
    }
    return static_cast<std::size_t>(std::remove(symbols_, symbols_ + size_, -1) - symbols_);
  }

 private:
  using Queue = std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>;

  void push_to(std::vector<Candidate>& list, std::size_t at) const {
    const auto& entry = find(merges_, symbols_[at], symbols_[next_[at]]);
    if (entry.value != MergeTable::kNone)
      list.push_back({entry.value, symbols_[at], symbols_[next_[at]], at});
  }
  void push(std::size_t at) {
    const auto& entry = find(merges_, symbols_[at], symbols_[next_[at]]);
    if (entry.value != MergeTable::kNone)
      queue_.push({entry.value, symbols_[at], symbols_[next_[at]], at});
  }

  const MergeTable& merges_;
  std::int32_t* symbols_;
  std::size_t size_;
  std::vector<std::size_t> next_, previous_;
  Queue queue_;
};

}  // namespace

std::size_t merge_symbols(const MergeTable& merges, std::int32_t* symbols, std::size_t size) {
  if (size <= kScanned) return merge_by_scan(merges, symbols, size);
  return LongPiece(merges, symbols, size).merge();
}

}  // namespace bitnet::tokenizer_detail
