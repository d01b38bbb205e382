// SPDX-License-Identifier: MIT OR Apache-2.0
// The filters, tests, methods and operators of chat templates.
#pragma once

#include <string_view>
#include <vector>

#include "bitnet/generate/chat/budget.h"
#include "bitnet/generate/chat/value.h"

namespace bitnet::chat {

/// Evaluated arguments of a filter, test, method or function.
struct Call {
  Budget& budget;
  std::size_t offset;
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  /// Argument `index`, or the one called `name`; nullptr if not given.
  const Value* find(std::size_t index, std::string_view name) const;
  const Value& at(std::size_t index, std::string_view name) const;  // throws where not given
  const std::string& text(std::size_t index, std::string_view name) const;
  std::int64_t integer(std::size_t index, std::string_view name, std::int64_t otherwise) const;
};

/// All throw Fault: corrupt_file for wrong types and undefined values, unsupported for unknown
/// names.
Value apply_filter(std::string_view name, const Value& input, const Call& call);
bool apply_test(std::string_view name, const Value& input, const Call& call);
Value call_method(const Value& object, std::string_view name, const Call& call);
Value call_function(Function function, const Call& call);

/// + - * / // %
Value arithmetic(std::string_view op, const Value& a, const Value& b, Budget& budget,
                 std::size_t offset);
/// == != < > <= >= in "not in"
bool compare(std::string_view op, const Value& a, const Value& b, Budget& budget,
             std::size_t offset);
Value negate(const Value& value, std::size_t offset);

Value attribute(const Value& object, std::string_view name, std::size_t offset);
Value item(const Value& object, const Value& key, Budget& budget, std::size_t offset);
/// Bounds are integers or none.
Value slice(const Value& object, const Value& from, const Value& to, const Value& step,
            Budget& budget, std::size_t offset);
/// What a loop runs over: items of lists, keys of maps, characters of strings, nothing of
/// undefined.
std::vector<Value> iterate(const Value& value, Budget& budget, std::size_t offset);

/// Throws if `value` is undefined.
void need_defined(const Value& value, std::size_t offset);

}  // namespace bitnet::chat
