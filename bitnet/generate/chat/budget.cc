// SPDX-License-Identifier: MIT OR Apache-2.0
// Making values within limits.
#include "bitnet/generate/chat/budget.h"

#include <algorithm>

namespace bitnet::chat {

Value Budget::text(std::size_t offset, std::string text) {
  if (text.size() > ChatLimits::kOutput) fault(offset, "a string is longer than the output may be");
  work(offset, text.size() + 32);
  return Value(std::move(text));
}

int Budget::depth_of(std::size_t offset, const Value& item, int deepest) const {
  if (item.is<std::shared_ptr<Namespace>>() || item.is<std::shared_ptr<const LoopState>>())
    fault(offset, "a list or map cannot hold a " + std::string(item.kind()), Errc::unsupported);
  const int depth = std::max(deepest, item.depth() + 1);
  if (depth > ChatLimits::kNesting) fault(offset, "lists nested too deep");
  return depth;
}

Value Budget::list(std::size_t offset, std::vector<Value> items, bool is_tuple) {
  work(offset, items.size() * sizeof(Value) + 64);
  auto data = std::make_shared<ListData>();
  for (const Value& item : items) data->depth = depth_of(offset, item, data->depth);
  data->items = std::move(items);
  data->is_tuple = is_tuple;
  return Value(Value::Data(List(std::move(data))));
}

Value Budget::dict(std::size_t offset, std::vector<std::pair<std::string, Value>> items) {
  work(offset, items.size() * 64 + 64);
  auto data = std::make_shared<DictData>();
  for (const auto& [key, item] : items) data->depth = depth_of(offset, item, data->depth);
  data->items = std::move(items);
  return Value(Value::Data(Dict(std::move(data))));
}

}  // namespace bitnet::chat
