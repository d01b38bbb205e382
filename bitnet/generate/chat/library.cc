// SPDX-License-Identifier: MIT OR Apache-2.0
// Filters, tests, methods and functions: one table each.
#include "bitnet/generate/chat/library.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "bitnet/generate/chat/python_text.h"

namespace bitnet::chat {

const Value* Call::find(std::size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  for (const auto& [key, value] : named)
    if (key == name) return &value;
  return nullptr;
}

const Value& Call::at(std::size_t index, std::string_view name) const {
  const Value* value = find(index, name);
  if (!value) fault(offset, "argument \"" + std::string(name) + "\" is missing");
  return *value;
}

const std::string& Call::text(std::size_t index, std::string_view name) const {
  const Value& value = at(index, name);
  if (!value.text())
    fault(offset,
          "argument \"" + std::string(name) + "\" must be a str, not " + std::string(value.kind()));
  return *value.text();
}

std::int64_t Call::integer(std::size_t index, std::string_view name, std::int64_t otherwise) const {
  const Value* value = find(index, name);
  if (!value) return otherwise;
  if (!value->is_integer())
    fault(offset, "argument \"" + std::string(name) + "\" must be an int, not " +
                      std::string(value->kind()));
  return value->integer();
}

namespace {

// str(value), charged.
std::string text_of(const Value& value, const Call& call) {
  std::string text = to_text(value);
  call.budget.work(call.offset, text.size());
  return text;
}

Value make_text(const Call& call, std::string_view text) {
  return call.budget.text(call.offset, std::string(text));
}

std::optional<std::string_view> optional_text(const Call& call, std::size_t index,
                                              std::string_view name) {
  const Value* value = call.find(index, name);
  if (!value || value->is<None>()) return std::nullopt;
  return std::string_view(call.text(index, name));
}

Value cased(const std::string& text, Case to, const Call& call) {
  auto changed = change_case(text, to);
  if (!changed) fault(call.offset, "case mapping beyond ASCII is not supported", Errc::unsupported);
  return make_text(call, *changed);
}

// Filters

template <Case kTo>
Value filter_case(const Value& input, const Call& call) {
  return cased(text_of(input, call), kTo, call);
}

Value filter_trim(const Value& input, const Call& call) {
  return make_text(call, strip(text_of(input, call), Side::both, optional_text(call, 0, "chars")));
}

Value filter_length(const Value& input, const Call& call) {
  if (input.text()) {
    call.budget.work(call.offset, input.text()->size());
    return Value::of(count_characters(*input.text()));
  }
  return Value::of(static_cast<std::int64_t>(iterate(input, call.budget, call.offset).size()));
}

Value filter_default(const Value& input, const Call& call) {
  const Value* also_false = call.find(1, "boolean");
  const bool replaced =
      input.is<Undefined>() || (also_false && also_false->truth() && !input.truth());
  if (!replaced) return input;
  const Value* value = call.find(0, "default_value");
  return value ? *value : make_text(call, "");
}

Value filter_tojson(const Value& input, const Call& call) {
  const Value* given = call.find(2, "indent");
  const bool indents = given && !given->is<None>();
  const std::int64_t indent =
      indents ? std::clamp<std::int64_t>(call.integer(2, "indent", 0), 0, 16) : -1;
  const std::string json = to_json(input, static_cast<int>(indent));
  if (json.empty()) fault(call.offset, "a " + std::string(input.kind()) + " has no JSON form");
  return make_text(call, json);
}

Value filter_join(const Value& input, const Call& call) {
  const Value* separator = call.find(0, "d");
  const std::string between = separator ? text_of(*separator, call) : "";
  const auto by = optional_text(call, 1, "attribute");
  std::string out;
  bool first = true;
  for (const Value& each : iterate(input, call.budget, call.offset)) {
    if (!first) out += between;
    first = false;
    out += text_of(by ? attribute(each, *by, call.offset) : each, call);
    if (out.size() > ChatLimits::kOutput)
      fault(call.offset, "a string is longer than the output may be");
  }
  return make_text(call, out);
}

Value filter_first(const Value& input, const Call& call) {
  const auto items = iterate(input, call.budget, call.offset);
  return items.empty() ? Value(Value::Data(Undefined{"first"})) : items.front();
}

Value filter_last(const Value& input, const Call& call) {
  const auto items = iterate(input, call.budget, call.offset);
  return items.empty() ? Value(Value::Data(Undefined{"last"})) : items.back();
}

Value filter_string(const Value& input, const Call& call) {
  return input.text() ? input : make_text(call, text_of(input, call));
}

// int(text) of Python for plain decimal numbers; anything else is the default, 0.
Value filter_int(const Value& input, const Call& call) {
  need_defined(input, call.offset);
  if (input.is_integer()) return Value::of(input.integer());
  if (input.is<double>() && std::fabs(input.number()) < 9e18)
    return Value::of(static_cast<std::int64_t>(input.number()));
  const std::string text = text_of(input, call);
  const std::string_view digits = strip(text, Side::both);
  std::int64_t number = 0;
  const auto end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, number);
  if (result.ec == std::errc() && result.ptr == end) return Value::of(number);
  return Value::of(call.integer(0, "default", 0));
}

Value filter_replace(const Value& input, const Call& call) {
  const std::string text = text_of(input, call);
  const std::string from = text_of(call.at(0, "old"), call), to = text_of(call.at(1, "new"), call);
  const Value* count = call.find(2, "count");
  const std::int64_t limit = count && !count->is<None>() ? call.integer(2, "count", -1) : -1;
  // The result is at most this long; checked before it is made.
  const std::size_t hits = from.empty() ? text.size() + 1 : text.size() / from.size();
  if (!to.empty() && hits > (ChatLimits::kOutput * 4) / to.size())
    fault(call.offset, "a replacement could be longer than the output may be");
  return make_text(call, replace(text, from, to, limit));
}

Value filter_list(const Value& input, const Call& call) {
  return call.budget.list(call.offset, iterate(input, call.budget, call.offset));
}

Value filter_reverse(const Value& input, const Call& call) {
  const Value none = Value::none();
  if (input.text())
    return slice(input, none, none, Value::of(std::int64_t{-1}), call.budget, call.offset);
  auto items = iterate(input, call.budget, call.offset);
  std::reverse(items.begin(), items.end());
  return call.budget.list(call.offset, std::move(items));
}

Value dict_items(const Value& input, const Call& call) {
  std::vector<Value> pairs;
  if (const Dict* dict = input.get<Dict>()) {
    for (const auto& [key, value] : (*dict)->items)
      pairs.push_back(call.budget.list(call.offset, {make_text(call, key), value}, true));
  } else if (!input.is<Undefined>()) {
    fault(call.offset, "a " + std::string(input.kind()) + " has no items");
  }
  return call.budget.list(call.offset, std::move(pairs));
}

Value filter_indent(const Value& input, const Call& call) {
  const Value* width = call.find(0, "width");
  const std::string by = width && width->text()
                             ? *width->text()
                             : std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(
                                               call.integer(0, "width", 4), 0, 1024)),
                                           ' ');
  const Value* first = call.find(1, "first");
  const Value* blank = call.find(2, "blank");
  const std::string text = text_of(input, call);
  std::string out = first && first->truth() ? by : "";
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    const bool empty_line = i + 1 == text.size() || text[i + 1] == '\n';
    if (text[i] == '\n' && (!empty_line || (blank && blank->truth()))) out += by;
    if (out.size() > ChatLimits::kOutput)
      fault(call.offset, "a string is longer than the output may be");
  }
  return make_text(call, out);
}

// The arguments after the first `count`, for a filter that is told a test or filter by name.
Call rest_of(const Call& call, std::size_t count) {
  Call rest{call.budget, call.offset, {}, {}};
  for (std::size_t i = count; i < call.positional.size(); ++i)
    rest.positional.push_back(call.positional[i]);
  return rest;
}

template <bool kKeep, bool kByAttribute>
Value filter_select(const Value& input, const Call& call) {
  constexpr std::size_t kTest = kByAttribute ? 1 : 0;  // index of the test's name
  const Call rest = rest_of(call, kTest + 1);
  std::vector<Value> kept;
  for (const Value& each : iterate(input, call.budget, call.offset)) {
    call.budget.step(call.offset);
    const Value tested =
        kByAttribute ? attribute(each, call.text(0, "attribute"), call.offset) : each;
    const bool passes = call.positional.size() > kTest
                            ? apply_test(call.text(kTest, "test"), tested, rest)
                            : tested.truth();
    if (passes == kKeep) kept.push_back(each);
  }
  return call.budget.list(call.offset, std::move(kept));
}

Value filter_map(const Value& input, const Call& call) {
  const Value* by = call.positional.empty() ? call.find(0, "attribute") : nullptr;
  const Call rest = rest_of(call, 1);
  std::vector<Value> mapped;
  for (const Value& each : iterate(input, call.budget, call.offset)) {
    call.budget.step(call.offset);
    mapped.push_back(by ? attribute(each, call.text(0, "attribute"), call.offset)
                        : apply_filter(call.text(0, "filter"), each, rest));
  }
  return call.budget.list(call.offset, std::move(mapped));
}

template <class F>
struct Row {
  std::string_view name;
  F function;
};

using Filter = Value (*)(const Value&, const Call&);
constexpr Row<Filter> kFilters[] = {
    {"trim", filter_trim},
    {"upper", filter_case<Case::upper>},
    {"lower", filter_case<Case::lower>},
    {"capitalize", filter_case<Case::capitalize>},
    {"length", filter_length},
    {"count", filter_length},
    {"default", filter_default},
    {"d", filter_default},
    {"tojson", filter_tojson},
    {"join", filter_join},
    {"first", filter_first},
    {"last", filter_last},
    {"string", filter_string},
    {"safe", filter_string},
    {"int", filter_int},
    {"replace", filter_replace},
    {"list", filter_list},
    {"reverse", filter_reverse},
    {"items", dict_items},
    {"indent", filter_indent},
    {"select", filter_select<true, false>},
    {"reject", filter_select<false, false>},
    {"selectattr", filter_select<true, true>},
    {"rejectattr", filter_select<false, true>},
    {"map", filter_map},
};

// Tests

// input % divisor == rest, for integers and floats.
bool leaves(const Value& input, const Value& divisor, std::int64_t rest, const Call& call) {
  return equal(arithmetic("%", input, divisor, call.budget, call.offset), Value::of(rest));
}

template <std::int64_t kRest>
bool has_parity(const Value& input, const Call& call) {
  return leaves(input, Value::of(std::int64_t{2}), kRest, call);
}

template <class T>
bool is_a(const Value& input, const Call&) {
  return input.is<T>();
}

// Comparison with the argument; the operators are named so that a template argument can say which.
enum class Op { eq, ne, lt, le, gt, ge, in };
template <Op kOp>
bool compared(const Value& input, const Call& call) {
  constexpr std::string_view kNames[] = {"==", "!=", "<", "<=", ">", ">=", "in"};
  return compare(kNames[static_cast<std::size_t>(kOp)], input, call.at(0, "other"), call.budget,
                 call.offset);
}

bool divisible(const Value& input, const Call& call) {
  return leaves(input, call.at(0, "num"), 0, call);
}

using Test = bool (*)(const Value&, const Call&);
constexpr Row<Test> kTests[] = {
    {"defined", [](const Value& v, const Call&) { return !v.is<Undefined>(); }},
    {"undefined", is_a<Undefined>},
    {"none", is_a<None>},
    {"string", is_a<String>},
    {"mapping", is_a<Dict>},
    {"boolean", is_a<bool>},
    {"float", is_a<double>},
    {"integer", is_a<std::int64_t>},
    {"number", [](const Value& v, const Call&) { return v.is_number(); }},
    {"true", [](const Value& v, const Call&) { return v.is<bool>() && v.truth(); }},
    {"false", [](const Value& v, const Call&) { return v.is<bool>() && !v.truth(); }},
    // Undefined values have __iter__ and __len__ in Jinja.
    {"iterable",
     [](const Value& v, const Call&) { return v.text() || v.depth() || v.is<Undefined>(); }},
    {"sequence",
     [](const Value& v, const Call&) { return v.text() || v.depth() || v.is<Undefined>(); }},
    {"odd", has_parity<1>},
    {"even", has_parity<0>},
    {"divisibleby", divisible},
    {"eq", compared<Op::eq>},
    {"equalto", compared<Op::eq>},
    {"ne", compared<Op::ne>},
    {"lt", compared<Op::lt>},
    {"le", compared<Op::le>},
    {"gt", compared<Op::gt>},
    {"ge", compared<Op::ge>},
    {"in", compared<Op::in>},
};

// Methods of str

template <Side kSide>
Value method_strip(const Value& self, const Call& call) {
  return make_text(call, strip(*self.text(), kSide, optional_text(call, 0, "chars")));
}

template <Case kTo>
Value method_case(const Value& self, const Call& call) {
  return cased(*self.text(), kTo, call);
}

template <bool kStart>
Value method_affix(const Value& self, const Call& call) {
  const auto matches = [&](const std::string& part) {
    const std::string_view text = *self.text();
    return kStart ? text.starts_with(part) : text.ends_with(part);
  };
  const Value& wanted = call.at(0, "prefix");
  const List* several = wanted.get<List>();
  if (!several) return Value::of(matches(call.text(0, "prefix")));
  for (const Value& each : (*several)->items)
    if (each.text() && matches(*each.text())) return Value::of(true);
  return Value::of(false);
}

Value method_split(const Value& self, const Call& call) {
  const auto separator = optional_text(call, 0, "sep");
  if (separator && separator->empty()) fault(call.offset, "an empty separator");
  std::vector<Value> parts;
  call.budget.work(call.offset, self.text()->size());
  for (std::string& part : split(*self.text(), separator, call.integer(1, "maxsplit", -1)))
    parts.push_back(call.budget.text(call.offset, std::move(part)));
  return call.budget.list(call.offset, std::move(parts));
}

Value method_find(const Value& self, const Call& call) {
  const std::string_view text = *self.text();
  call.budget.work(call.offset, text.size());
  const std::size_t at = find_text(text, call.text(0, "sub"));
  return Value::of(at == text.npos ? std::int64_t{-1} : count_characters(text.substr(0, at)));
}

Value method_join(const Value& self, const Call& call) {
  const Value& items = call.at(0, "iterable");
  for (const Value& each : iterate(items, call.budget, call.offset))
    if (!each.text()) fault(call.offset, "join needs strings");
  return filter_join(items, Call{call.budget, call.offset, {self}, {}});
}

using Method = Value (*)(const Value&, const Call&);
constexpr Row<Method> kTextMethods[] = {
    {"strip", method_strip<Side::both>},
    {"lstrip", method_strip<Side::left>},
    {"rstrip", method_strip<Side::right>},
    {"startswith", method_affix<true>},
    {"endswith", method_affix<false>},
    {"split", method_split},
    {"upper", method_case<Case::upper>},
    {"lower", method_case<Case::lower>},
    {"capitalize", method_case<Case::capitalize>},
    {"title", method_case<Case::title>},
    {"replace", filter_replace},
    {"find", method_find},
    {"join", method_join},
};

// Methods of maps

template <bool kKeys>
Value method_half(const Value& self, const Call& call) {
  std::vector<Value> out;
  for (const auto& [key, value] : (*self.get<Dict>())->items)
    out.push_back(kKeys ? make_text(call, key) : value);
  return call.budget.list(call.offset, std::move(out));
}

Value method_get(const Value& self, const Call& call) {
  const Value found = item(self, call.at(0, "key"), call.budget, call.offset);
  const Value* otherwise = call.find(1, "default");
  if (!found.is<Undefined>()) return found;
  return otherwise ? *otherwise : Value::none();
}

constexpr Row<Method> kDictMethods[] = {
    {"items", dict_items},
    {"keys", method_half<true>},
    {"values", method_half<false>},
    {"get", method_get},
};

template <class Table>
auto look_up(const Table& table, std::string_view name, std::string_view what, std::size_t offset) {
  for (const auto& row : table)
    if (row.name == name) return row.function;
  fault(offset, std::string(what) + " \"" + printable(name) + "\" is not supported",
        Errc::unsupported);
}

Value function_range(const Call& call) {
  const bool one = call.positional.size() == 1;
  const std::int64_t from = one ? 0 : call.integer(0, "start", 0);
  const std::int64_t to = call.integer(one ? 0 : 1, "stop", 0);
  const std::int64_t by = call.integer(2, "step", 1);
  if (by == 0) fault(call.offset, "the step of a range is zero");
  std::vector<Value> items;
  for (std::int64_t at = from; by > 0 ? at < to : at > to;) {
    call.budget.step(call.offset);
    items.push_back(Value::of(at));
    if (__builtin_add_overflow(at, by, &at)) break;
  }
  return call.budget.list(call.offset, std::move(items));
}

void set_item(std::vector<std::pair<std::string, Value>>& items, const std::string& key,
              const Value& value) {
  for (auto& [known, old] : items) {
    if (known == key) {
      old = value;
      return;
    }
  }
  items.emplace_back(key, value);
}

// dict(map, name=value, …)
Value function_dict(const Call& call) {
  std::vector<std::pair<std::string, Value>> items;
  if (!call.positional.empty()) {
    const Dict* base = call.positional[0].get<Dict>();
    if (!base || call.positional.size() > 1) fault(call.offset, "dict and namespace take one map");
    items = (*base)->items;
  }
  for (const auto& [key, value] : call.named) set_item(items, key, value);
  return call.budget.dict(call.offset, std::move(items));
}

}  // namespace

Value apply_filter(std::string_view name, const Value& input, const Call& call) {
  return look_up(kFilters, name, "filter", call.offset)(input, call);
}

bool apply_test(std::string_view name, const Value& input, const Call& call) {
  return look_up(kTests, name, "test", call.offset)(input, call);
}

Value call_method(const Value& object, std::string_view name, const Call& call) {
  need_defined(object, call.offset);
  if (object.text()) {
    call.budget.work(call.offset, object.text()->size());
    return look_up(kTextMethods, name, "method str.", call.offset)(object, call);
  }
  if (object.is<Dict>())
    return look_up(kDictMethods, name, "method dict.", call.offset)(object, call);
  if (const auto* loop = object.get<std::shared_ptr<const LoopState>>();
      loop && name == "cycle" && !call.positional.empty())
    return call.positional[static_cast<std::size_t>((*loop)->index0) % call.positional.size()];
  fault(
      call.offset,
      "method \"" + printable(name) + "\" of a " + std::string(object.kind()) + " is not supported",
      Errc::unsupported);
}

Value call_function(Function function, const Call& call) {
  switch (function) {
    case Function::raise_exception:
      fault(call.offset, "the template refuses: " + printable(to_text(call.at(0, "message")), 400),
            Errc::invalid_argument);
    case Function::range:
      return function_range(call);
    case Function::dict:
      return function_dict(call);
    case Function::make_namespace:
      break;
  }
  const Value fields = function_dict(call);
  auto space = std::make_shared<Namespace>();
  space->fields = (*fields.get<Dict>())->items;
  return Value(Value::Data(std::move(space)));
}

}  // namespace bitnet::chat
