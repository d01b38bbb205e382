// SPDX-License-Identifier: MIT OR Apache-2.0
// Values of a chat template while it runs: Python's, as far as templates need them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace bitnet::chat {

class Value;
struct Macro;  // ast.h

struct Undefined {
  std::string name;  // for messages
};
struct None {};
/// Immutable, but for namespaces: no value can hold a namespace, so there are no cycles.
struct ListData {
  std::vector<Value> items;
  bool is_tuple = false;
  int depth = 1;  // lists and maps within each other
};
struct DictData {
  std::vector<std::pair<std::string, Value>> items;  // in order; keys are strings
  int depth = 1;
};
struct Namespace {
  std::vector<std::pair<std::string, Value>> fields;
};
struct LoopState;
enum class Function { raise_exception, make_namespace, range, dict };

using String = std::shared_ptr<const std::string>;
using List = std::shared_ptr<const ListData>;
using Dict = std::shared_ptr<const DictData>;

class Value {
 public:
  using Data = std::variant<Undefined, None, bool, std::int64_t, double, String, List, Dict,
                            std::shared_ptr<Namespace>, std::shared_ptr<const LoopState>,
                            const Macro*, Function>;

  Value() : data_(Undefined{}) {}
  explicit Value(Data data) : data_(std::move(data)) {}
  explicit Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  static Value of(bool b) { return Value(Data(b)); }
  static Value of(std::int64_t i) { return Value(Data(i)); }
  static Value none() { return Value(Data(None{})); }

  template <class T>
  const T* get() const noexcept {
    return std::get_if<T>(&data_);
  }
  template <class T>
  bool is() const noexcept {
    return std::holds_alternative<T>(data_);
  }
  bool is_integer() const noexcept { return is<std::int64_t>() || is<bool>(); }  // as in Python
  bool is_number() const noexcept { return is_integer() || is<double>(); }
  std::int64_t integer() const noexcept;  // of is_integer()
  double number() const noexcept;         // of is_number()
  const std::string* text() const noexcept { return is<String>() ? get<String>()->get() : nullptr; }

  bool truth() const noexcept;
  std::string_view kind() const noexcept;  // "str", "list", …
  int depth() const noexcept;

 private:
  Data data_;
};

struct LoopState {
  std::int64_t index0 = 0, length = 0;
  Value previous, next;
};

bool equal(const Value& a, const Value& b) noexcept;
/// str(value) of Python.
std::string to_text(const Value& value);
/// json.dumps(value, ensure_ascii=False, indent=indent); indent < 0: on one line. Empty if `value`
/// has no JSON form.
std::string to_json(const Value& value, int indent);

}  // namespace bitnet::chat
