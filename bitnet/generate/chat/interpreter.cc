// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs a parsed template: statements, scopes, calls.
#include "bitnet/generate/chat/interpreter.h"

#include "bitnet/generate/chat/library.h"

namespace bitnet::chat {
namespace {

struct Scope {
  const Scope* parent = nullptr;
  std::vector<std::pair<std::string, Value>> names;

  const Value* find(std::string_view name) const noexcept {
    for (const Scope* scope = this; scope; scope = scope->parent)
      for (const auto& [known, value] : scope->names)
        if (known == name) return &value;
    return nullptr;
  }
  void set(const std::string& name, Value value) {
    for (auto& [known, old] : names) {
      if (known == name) {
        old = std::move(value);
        return;
      }
    }
    names.emplace_back(name, std::move(value));
  }
};

enum class Flow { on, leave, next };

class Interpreter {
 public:
  explicit Interpreter(std::vector<std::pair<std::string, Value>> globals) {
    globals_.names = std::move(globals);
  }

  std::string run(const Body& body) {
    std::string out;
    run_body(body, globals_, out);
    return out;
  }

 private:
  // Statements

  Flow run_body(const Body& body, Scope& scope, std::string& out) {
    for (const Node& node : body) {
      budget_.step(node.offset);
      const Budget::Level level(budget_, node.offset);
      const Flow flow = run_node(node, scope, out);
      if (flow != Flow::on) return flow;
    }
    return Flow::on;
  }

  Flow run_node(const Node& node, Scope& scope, std::string& out) {
    switch (node.kind) {
      case NodeKind::text:
        write(node, node.text, out);
        break;
      case NodeKind::output:
        write(node, to_text(evaluate(*node.value, scope)), out);
        break;
      case NodeKind::branches:
        return run_branches(node, scope, out);
      case NodeKind::loop:
        run_loop(node, scope, out);
        break;
      case NodeKind::set:
        assign(node, node.targets, evaluate(*node.value, scope), scope);
        break;
      case NodeKind::set_field:
        set_field(node, evaluate(*node.value, scope), scope);
        break;
      case NodeKind::set_block: {
        std::string text;
        Scope inner{&scope, {}};
        const Flow flow = run_body(node.body, inner, text);
        scope.set(node.targets[0], budget_.text(node.offset, std::move(text)));
        return flow;
      }
      case NodeKind::macro:
        scope.set(node.macro->name, Value(Value::Data(node.macro.get())));
        break;
      case NodeKind::scope: {
        Scope inner{&scope, {}};
        return run_body(node.body, inner, out);
      }
      case NodeKind::leave:
        return Flow::leave;
      case NodeKind::next:
        return Flow::next;
    }
    return Flow::on;
  }

  void write(const Node& node, std::string_view text, std::string& out) {
    budget_.work(node.offset, text.size());
    if (out.size() + text.size() > ChatLimits::kOutput)
      fault(node.offset,
            "the output is longer than " + std::to_string(ChatLimits::kOutput) + " bytes");
    out += text;
  }

  Flow run_branches(const Node& node, Scope& scope, std::string& out) {
    for (const Node& branch : node.body)
      if (!branch.condition || evaluate(*branch.condition, scope).truth())
        return run_body(branch.body, scope, out);
    return Flow::on;
  }

  void assign(const Node& node, const std::vector<std::string>& targets, Value value,
              Scope& scope) {
    if (targets.size() == 1) return scope.set(targets[0], std::move(value));
    const std::vector<Value> items = iterate(value, budget_, node.offset);
    if (items.size() != targets.size())
      fault(node.offset, std::to_string(items.size()) + " values for " +
                             std::to_string(targets.size()) + " names");
    for (std::size_t i = 0; i < items.size(); ++i) scope.set(targets[i], items[i]);
  }

  void set_field(const Node& node, Value value, Scope& scope) {
    const Value* object = scope.find(node.targets[0]);
    const auto* space = object ? object->get<std::shared_ptr<Namespace>>() : nullptr;
    if (!space) fault(node.offset, '"' + printable(node.targets[0]) + "\" is no namespace");
    // Keeps values free of cycles (value.h).
    if (value.is<std::shared_ptr<Namespace>>() || value.is<std::shared_ptr<const LoopState>>())
      fault(node.offset, "a namespace cannot hold a " + std::string(value.kind()),
            Errc::unsupported);
    for (auto& [name, old] : (*space)->fields) {
      if (name == node.text) {
        old = std::move(value);
        return;
      }
    }
    (*space)->fields.emplace_back(node.text, std::move(value));
  }

  void run_loop(const Node& node, Scope& scope, std::string& out) {
    std::vector<Value> items = iterate(evaluate(*node.value, scope), budget_, node.offset);
    if (node.condition) {
      std::vector<Value> kept;
      for (Value& item : items) {
        budget_.step(node.offset);
        Scope inner{&scope, {}};
        assign(node, node.targets, item, inner);
        if (evaluate(*node.condition, inner).truth()) kept.push_back(std::move(item));
      }
      items = std::move(kept);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      budget_.step(node.offset);
      auto state = std::make_shared<LoopState>();
      state->index0 = static_cast<std::int64_t>(i);
      state->length = static_cast<std::int64_t>(items.size());
      if (i > 0) state->previous = items[i - 1];
      if (i + 1 < items.size()) state->next = items[i + 1];
      Scope inner{&scope, {}};  // what an iteration sets is gone in the next
      inner.set("loop", Value(Value::Data(std::shared_ptr<const LoopState>(std::move(state)))));
      assign(node, node.targets, items[i], inner);
      if (run_body(node.body, inner, out) == Flow::leave) break;
    }
    if (items.empty()) {
      Scope inner{&scope, {}};
      run_body(node.otherwise, inner, out);
    }
  }

  // Expressions

  Value evaluate(const Expr& expr, const Scope& scope) {
    budget_.step(expr.offset);
    const Budget::Level level(budget_, expr.offset);
    const auto part = [&](std::size_t i) { return evaluate(*expr.parts[i], scope); };
    switch (expr.kind) {
      case ExprKind::literal:
        return expr.literal;
      case ExprKind::name:
        return look_up(expr, scope);
      case ExprKind::list:
      case ExprKind::tuple:
        return make_list(expr, scope);
      case ExprKind::dict:
        return make_dict(expr, scope);
      case ExprKind::attribute:
        return attribute(part(0), expr.text, expr.offset);
      case ExprKind::item:
        return item(part(0), part(1), budget_, expr.offset);
      case ExprKind::slice:
        return make_slice(expr, scope);
      case ExprKind::call:
        return call(expr, scope);
      case ExprKind::filter: {
        const Value input = part(0);
        return apply_filter(expr.text, input, arguments(expr, scope));
      }
      case ExprKind::test: {
        const Value input = part(0);
        return Value::of(apply_test(expr.text, input, arguments(expr, scope)));
      }
      case ExprKind::unary:
        return unary(expr, part(0));
      case ExprKind::binary: {
        const Value left = part(0);
        return arithmetic(expr.text, left, part(1), budget_, expr.offset);
      }
      case ExprKind::compare:
        return chain(expr, scope);
      case ExprKind::logic: {
        const Value left = part(0);
        return left.truth() == (expr.text == "or") ? left : part(1);
      }
      case ExprKind::concat:
        return concat(expr, scope);
      case ExprKind::choice: {
        if (part(1).truth()) return part(0);
        return expr.parts[2] ? part(2) : Value(Value::Data(Undefined{"else"}));
      }
    }
    return Value();
  }

  Value look_up(const Expr& expr, const Scope& scope) {
    const Value* value = scope.find(expr.text);
    if (value) return *value;
    for (const char* special : {"caller", "varargs", "kwargs", "cycler", "joiner", "self"})
      if (expr.text == special)
        fault(expr.offset, expr.text + " is not supported", Errc::unsupported);
    return Value(Value::Data(Undefined{expr.text}));
  }

  Value make_list(const Expr& expr, const Scope& scope) {
    std::vector<Value> items;
    for (const ExprPtr& part : expr.parts) items.push_back(evaluate(*part, scope));
    return budget_.list(expr.offset, std::move(items), expr.kind == ExprKind::tuple);
  }

  Value make_dict(const Expr& expr, const Scope& scope) {
    Call entries{budget_, expr.offset, {}, {}};
    for (std::size_t i = 0; i < expr.parts.size(); i += 2) {
      const Value key = evaluate(*expr.parts[i], scope);
      if (!key.text()) fault(expr.offset, "keys of maps must be strings", Errc::unsupported);
      entries.named.emplace_back(*key.text(), evaluate(*expr.parts[i + 1], scope));
    }
    return call_function(Function::dict, entries);  // the last of equal keys wins
  }

  Value make_slice(const Expr& expr, const Scope& scope) {
    const auto part = [&](std::size_t i) {
      return expr.parts[i] ? evaluate(*expr.parts[i], scope) : Value::none();
    };
    const Value object = part(0), from = part(1), to = part(2);
    return slice(object, from, to, part(3), budget_, expr.offset);
  }

  Value unary(const Expr& expr, const Value& value) {
    if (expr.text == "not") return Value::of(!value.truth());
    if (expr.text == "-") return negate(value, expr.offset);
    return arithmetic("+", Value::of(std::int64_t{0}), value, budget_, expr.offset);
  }

  Value chain(const Expr& expr, const Scope& scope) {
    Value left = evaluate(*expr.parts[0], scope);
    for (std::size_t i = 0; i < expr.ops.size(); ++i) {
      Value right = evaluate(*expr.parts[i + 1], scope);
      if (!compare(expr.ops[i], left, right, budget_, expr.offset)) return Value::of(false);
      left = std::move(right);
    }
    return Value::of(true);
  }

  Value concat(const Expr& expr, const Scope& scope) {
    std::string text;
    for (const ExprPtr& part : expr.parts) {
      text += to_text(evaluate(*part, scope));
      if (text.size() > ChatLimits::kOutput)
        fault(expr.offset, "a string is longer than the output may be");
    }
    return budget_.text(expr.offset, std::move(text));
  }

  Call arguments(const Expr& expr, const Scope& scope) {
    Call call{budget_, expr.offset, {}, {}};
    for (std::size_t i = 1; i < expr.parts.size(); ++i)
      call.positional.push_back(evaluate(*expr.parts[i], scope));
    for (const auto& [name, part] : expr.named)
      call.named.emplace_back(name, evaluate(*part, scope));
    return call;
  }

  Value call(const Expr& expr, const Scope& scope) {
    const Expr& callee = *expr.parts[0];
    if (callee.kind == ExprKind::attribute) {
      const Value object = evaluate(*callee.parts[0], scope);
      return call_method(object, callee.text, arguments(expr, scope));
    }
    const Value function = evaluate(callee, scope);
    need_defined(function, expr.offset);
    if (const Function* builtin = function.get<Function>())
      return call_function(*builtin, arguments(expr, scope));
    if (const auto* macro = function.get<const Macro*>())
      return call_macro(**macro, arguments(expr, scope));
    fault(expr.offset, "a " + std::string(function.kind()) + " cannot be called");
  }

  Value call_macro(const Macro& macro, const Call& call) {
    if (call.positional.size() > macro.parameters.size())
      fault(call.offset, "too many arguments for macro " + macro.name);
    for (const auto& [name, value] : call.named) {
      bool known = false;
      for (const auto& parameter : macro.parameters) known |= parameter.first == name;
      if (!known) fault(call.offset, "macro " + macro.name + " has no parameter " + name);
    }
    Scope scope{&globals_, {}};
    for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
      const auto& [name, otherwise] = macro.parameters[i];
      const Value* given = call.find(i, name);
      Value value = given       ? *given
                    : otherwise ? evaluate(*otherwise, scope)
                                : Value(Value::Data(Undefined{name}));
      scope.set(name, std::move(value));
    }
    std::string text;
    run_body(macro.body, scope, text);
    return budget_.text(call.offset, std::move(text));
  }

  Budget budget_;
  Scope globals_;
};

}  // namespace

std::string interpret(const Body& body, std::vector<std::pair<std::string, Value>> globals) {
  return Interpreter(std::move(globals)).run(body);
}

}  // namespace bitnet::chat
