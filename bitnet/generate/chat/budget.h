// SPDX-License-Identifier: MIT OR Apache-2.0
// What a running template has used up, and the only ways to make values of a size it chooses.
#pragma once

#include "bitnet/generate/chat/fault.h"
#include "bitnet/generate/chat/template.h"
#include "bitnet/generate/chat/value.h"

namespace bitnet::chat {

class Budget {
 public:
  void step(std::size_t offset) {
    if (++steps_ > ChatLimits::kSteps)
      fault(offset, "more than " + std::to_string(ChatLimits::kSteps) + " steps");
  }
  /// `bytes` of strings or lists read or written.
  void work(std::size_t offset, std::size_t bytes) {
    work_ += static_cast<std::int64_t>(bytes);
    if (work_ > ChatLimits::kWork) fault(offset, "too much work on strings and lists");
  }

  /// One level of evaluation; holds the stack within bounds.
  class Level {
   public:
    Level(Budget& budget, std::size_t offset) : budget_(budget) {
      if (++budget_.depth_ > ChatLimits::kEvaluation)
        fault(offset, "evaluations nested deeper than " + std::to_string(ChatLimits::kEvaluation));
    }
    ~Level() { --budget_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Budget& budget_;
  };

  Value text(std::size_t offset, std::string text);
  /// Throw where an item is a namespace or a loop, or where lists are nested beyond kNesting.
  Value list(std::size_t offset, std::vector<Value> items, bool is_tuple = false);
  Value dict(std::size_t offset, std::vector<std::pair<std::string, Value>> items);

 private:
  int depth_of(std::size_t offset, const Value& item, int deepest) const;

  std::int64_t steps_ = 0, work_ = 0;
  int depth_ = 0;
};

}  // namespace bitnet::chat
