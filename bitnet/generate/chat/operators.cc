// SPDX-License-Identifier: MIT OR Apache-2.0
// Operators, subscripts and iteration with Python's meaning.
#include <algorithm>
#include <cmath>
#include <limits>

#include "bitnet/generate/chat/library.h"
#include "bitnet/generate/chat/python_text.h"

namespace bitnet::chat {
namespace {

std::string both(std::string_view op, const Value& a, const Value& b) {
  return std::string(a.kind()) + ' ' + std::string(op) + ' ' + std::string(b.kind());
}

Value integer_arithmetic(std::string_view op, std::int64_t a, std::int64_t b, std::size_t offset) {
  std::int64_t result = 0;
  bool wraps = false;
  if (op == "+") {
    wraps = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    wraps = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    wraps = __builtin_mul_overflow(a, b, &result);
  } else {
    if (b == 0) fault(offset, "division by zero");
    if (op == "/") return Value(Value::Data(static_cast<double>(a) / static_cast<double>(b)));
    wraps = b == -1 && a == std::numeric_limits<std::int64_t>::min();
    if (!wraps) {
      const bool down = a % b != 0 && (a < 0) != (b < 0);  // Python rounds down
      result = op == "//" ? a / b - (down ? 1 : 0) : a % b + (down ? b : 0);
    }
  }
  if (wraps) fault(offset, "an integer needs more than 64 bits", Errc::unsupported);
  return Value::of(result);
}

Value real_arithmetic(std::string_view op, double a, double b, std::size_t offset) {
  double result = 0;
  if (op == "+") {
    result = a + b;
  } else if (op == "-") {
    result = a - b;
  } else if (op == "*") {
    result = a * b;
  } else {
    if (b == 0) fault(offset, "division by zero");
    double rest = std::fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
    result = op == "/" ? a / b : op == "//" ? std::floor((a - rest) / b + 0.5) : rest;
  }
  return Value(Value::Data(result));
}

Value repeat(const Value& what, std::int64_t times, Budget& budget, std::size_t offset) {
  const std::size_t count = times > 0 ? static_cast<std::size_t>(times) : 0;
  if (const std::string* text = what.text()) {
    if (!text->empty() && count > ChatLimits::kOutput / text->size())
      fault(offset, "a string is longer than the output may be");
    std::string out;
    for (std::size_t i = 0; i < count && !text->empty(); ++i) out += *text;
    return budget.text(offset, std::move(out));
  }
  const std::vector<Value>& items = (*what.get<List>())->items;
  std::vector<Value> out;
  for (std::size_t i = 0; i < count && !items.empty(); ++i) {
    budget.work(offset, items.size() * sizeof(Value));
    out.insert(out.end(), items.begin(), items.end());
  }
  return budget.list(offset, std::move(out));
}

bool contains(const Value& container, const Value& part, Budget& budget, std::size_t offset) {
  if (container.is<Undefined>()) return false;
  if (const std::string* text = container.text()) {
    if (!part.text())
      fault(offset, "a str can only contain a str, not " + std::string(part.kind()));
    budget.work(offset, text->size() + part.text()->size());
    return find_text(*text, *part.text()) != std::string::npos;
  }
  if (const Dict* dict = container.get<Dict>()) {
    budget.work(offset, (*dict)->items.size());
    if (part.depth() > 0) fault(offset, "a " + std::string(part.kind()) + " cannot be a key");
    return part.text() && std::any_of((*dict)->items.begin(), (*dict)->items.end(),
                                      [&](const auto& it) { return it.first == *part.text(); });
  }
  for (const Value& each : iterate(container, budget, offset))
    if (equal(each, part)) return true;
  return false;
}

// Python's index: negative ones count from the end.
std::int64_t from_end(std::int64_t index, std::int64_t size) {
  return index < 0 ? index + size : index;
}

}  // namespace

void need_defined(const Value& value, std::size_t offset) {
  if (const Undefined* undefined = value.get<Undefined>())
    fault(offset, '"' + printable(undefined->name) + "\" is undefined");
}

Value negate(const Value& value, std::size_t offset) {
  need_defined(value, offset);
  if (value.is_integer()) return integer_arithmetic("-", 0, value.integer(), offset);
  if (!value.is_number()) fault(offset, "a " + std::string(value.kind()) + " has no negative");
  return Value(Value::Data(-value.number()));
}

Value arithmetic(std::string_view op, const Value& a, const Value& b, Budget& budget,
                 std::size_t offset) {
  if (op == "%" && a.text()) fault(offset, "formatting with % is not supported", Errc::unsupported);
  need_defined(a, offset);
  need_defined(b, offset);
  if (a.is_integer() && b.is_integer())
    return integer_arithmetic(op, a.integer(), b.integer(), offset);
  if (a.is_number() && b.is_number()) return real_arithmetic(op, a.number(), b.number(), offset);
  if (op == "+" && a.text() && b.text()) {
    if (a.text()->size() + b.text()->size() > ChatLimits::kOutput)
      fault(offset, "a string is longer than the output may be");
    return budget.text(offset, *a.text() + *b.text());
  }
  const List *x = a.get<List>(), *y = b.get<List>();
  if (op == "+" && x && y && (*x)->is_tuple == (*y)->is_tuple) {
    budget.work(offset, ((*x)->items.size() + (*y)->items.size()) * sizeof(Value));
    std::vector<Value> items = (*x)->items;
    items.insert(items.end(), (*y)->items.begin(), (*y)->items.end());
    return budget.list(offset, std::move(items), (*x)->is_tuple);
  }
  if (op == "*" && (a.text() || x) && b.is_integer()) return repeat(a, b.integer(), budget, offset);
  if (op == "*" && (b.text() || y) && a.is_integer()) return repeat(b, a.integer(), budget, offset);
  fault(offset, "no result for " + both(op, a, b));
}

bool compare(std::string_view op, const Value& a, const Value& b, Budget& budget,
             std::size_t offset) {
  if (op == "in") return contains(b, a, budget, offset);
  if (op == "not in") return !contains(b, a, budget, offset);
  if (a.text() && b.text()) budget.work(offset, std::min(a.text()->size(), b.text()->size()));
  if (a.depth() > 0) budget.work(offset, to_text(a).size());
  if (op == "==") return equal(a, b);
  if (op == "!=") return !equal(a, b);
  need_defined(a, offset);
  need_defined(b, offset);
  int order = 0;
  if (a.text() && b.text()) {
    order = a.text()->compare(*b.text());  // bytes of UTF-8 are in the order of code points
  } else if (a.is_integer() && b.is_integer()) {
    order = a.integer() < b.integer() ? -1 : a.integer() > b.integer();
  } else if (a.is_number() && b.is_number()) {
    order = a.number() < b.number() ? -1 : a.number() > b.number();
  } else {
    const bool lists = a.is<List>() && b.is<List>();
    fault(offset, "order of " + both(op, a, b) + (lists ? " is not supported" : " is not defined"),
          lists ? Errc::unsupported : Errc::corrupt_file);
  }
  if (op == "<") return order < 0;
  if (op == ">") return order > 0;
  return op == "<=" ? order <= 0 : order >= 0;
}

Value attribute(const Value& object, std::string_view name, std::size_t offset) {
  need_defined(object, offset);
  const auto search = [&](const auto& items) {
    for (const auto& [key, value] : items)
      if (key == name) return value;
    return Value(Value::Data(Undefined{std::string(name)}));
  };
  if (const Dict* dict = object.get<Dict>()) return search((*dict)->items);
  if (const auto* space = object.get<std::shared_ptr<Namespace>>()) return search((*space)->fields);
  if (const auto* loop = object.get<std::shared_ptr<const LoopState>>()) {
    const LoopState& state = **loop;
    if (name == "index") return Value::of(state.index0 + 1);
    if (name == "index0") return Value::of(state.index0);
    if (name == "revindex") return Value::of(state.length - state.index0);
    if (name == "revindex0") return Value::of(state.length - state.index0 - 1);
    if (name == "length") return Value::of(state.length);
    if (name == "first") return Value::of(state.index0 == 0);
    if (name == "last") return Value::of(state.index0 + 1 == state.length);
    if (name == "depth") return Value::of(std::int64_t{1});  // counts recursive loops only
    if (name == "depth0") return Value::of(std::int64_t{0});
    if (name == "previtem") return state.previous;
    if (name == "nextitem") return state.next;
    fault(offset, "loop." + printable(name) + " is not supported", Errc::unsupported);
  }
  return Value(Value::Data(Undefined{std::string(name)}));
}

Value item(const Value& object, const Value& key, Budget& budget, std::size_t offset) {
  need_defined(object, offset);
  if (key.text() && !object.text() && !object.is<List>())
    return attribute(object, *key.text(), offset);
  const Value missing(Value::Data(Undefined{to_text(key)}));
  if (!key.is_integer() || (!object.text() && !object.is<List>())) return missing;
  if (const List* list = object.get<List>()) {
    const auto size = static_cast<std::int64_t>((*list)->items.size());
    const std::int64_t at = from_end(key.integer(), size);
    return at >= 0 && at < size ? (*list)->items[static_cast<std::size_t>(at)] : missing;
  }
  budget.work(offset, object.text()->size() * sizeof(std::string_view));
  const auto all = characters(*object.text());
  const auto size = static_cast<std::int64_t>(all.size());
  const std::int64_t at = from_end(key.integer(), size);
  if (at < 0 || at >= size) return missing;
  return budget.text(offset, std::string(all[static_cast<std::size_t>(at)]));
}

Value slice(const Value& object, const Value& from, const Value& to, const Value& step,
            Budget& budget, std::size_t offset) {
  need_defined(object, offset);
  const List* list = object.get<List>();
  if (!list && !object.text()) fault(offset, "a " + std::string(object.kind()) + " has no slices");
  std::vector<std::string_view> letters;
  if (!list) {
    budget.work(offset, object.text()->size() * sizeof(std::string_view));
    letters = characters(*object.text());
  }
  const auto size = static_cast<std::int64_t>(list ? (*list)->items.size() : letters.size());
  const auto bound = [&](const Value& value, std::int64_t otherwise) {
    if (value.is<None>()) return otherwise;
    if (!value.is_integer()) fault(offset, "a slice needs integers");
    return value.integer();
  };
  const std::int64_t by = bound(step, 1);
  if (by == 0) fault(offset, "the step of a slice is zero");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  const auto place = [&](const Value& value, std::int64_t otherwise) {
    return value.is<None>() ? otherwise : std::clamp(from_end(bound(value, 0), size), low, high);
  };
  const std::int64_t begin = place(from, by > 0 ? low : high);
  const std::int64_t end = place(to, by > 0 ? high : low);
  const std::int64_t pace = std::clamp(by, -size - 1, size + 1);  // no wrap in `at += pace`
  std::vector<Value> items;
  std::string text;
  for (std::int64_t at = begin; by > 0 ? at < end : at > end; at += pace) {
    const auto i = static_cast<std::size_t>(at);
    if (list)
      items.push_back((*list)->items[i]);
    else
      text += letters[i];
  }
  if (list) return budget.list(offset, std::move(items), (*list)->is_tuple);
  return budget.text(offset, std::move(text));
}

std::vector<Value> iterate(const Value& value, Budget& budget, std::size_t offset) {
  std::vector<Value> items;
  if (value.is<Undefined>()) return items;
  if (const List* list = value.get<List>()) {
    budget.work(offset, (*list)->items.size() * sizeof(Value));
    return (*list)->items;
  }
  if (const Dict* dict = value.get<Dict>()) {
    for (const auto& [key, each] : (*dict)->items) items.push_back(budget.text(offset, key));
  } else if (value.text()) {
    for (const std::string_view letter : characters(*value.text()))
      items.push_back(budget.text(offset, std::string(letter)));
  } else {
    fault(offset, "a " + std::string(value.kind()) + " cannot be iterated");
  }
  return items;
}

}  // namespace bitnet::chat
