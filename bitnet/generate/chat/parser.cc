// SPDX-License-Identifier: MIT OR Apache-2.0
// Recursive descent after Jinja 3.1's grammar; precedences as there.
#include "bitnet/generate/chat/parser.h"

#include <algorithm>
#include <charconv>

#include "bitnet/generate/chat/fault.h"
#include "bitnet/generate/chat/lexer.h"
#include "bitnet/generate/chat/template.h"

namespace bitnet::chat {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(lex(source)) {}

  Body run() {
    Body body = parse_body();
    if (!at(TokenKind::end)) fault(here(), "unexpected \"" + peek(1).text + '"');
    return body;
  }

 private:
  // Counts brackets and blocks that are open, and with them the depth of this parser's own
  // recursion.
  class Nested {
   public:
    explicit Nested(Parser& parser) : parser_(parser) {
      if (++parser_.nesting_ > ChatLimits::kNesting)
        fault(parser_.here(), "nested deeper than " + std::to_string(ChatLimits::kNesting));
    }
    ~Nested() { --parser_.nesting_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    Parser& parser_;
  };

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(next_ + ahead, tokens_.size() - 1)];
  }
  std::size_t here() const { return peek().offset; }
  bool at(TokenKind kind) const { return peek().kind == kind; }
  bool at_op(std::string_view op) const { return at(TokenKind::op) && peek().text == op; }
  bool at_name(std::string_view name) const { return at(TokenKind::name) && peek().text == name; }
  Token take() {
    Token token = peek();
    if (next_ + 1 < tokens_.size()) ++next_;
    return token;
  }
  bool skip_op(std::string_view op) {
    if (!at_op(op)) return false;
    take();
    return true;
  }
  bool skip_name(std::string_view name) {
    if (!at_name(name)) return false;
    take();
    return true;
  }
  void expect_op(std::string_view op) {
    if (!skip_op(op))
      fault(here(), "expected \"" + std::string(op) + "\", found \"" + peek().text + '"');
  }
  std::string expect_name() {
    if (!at(TokenKind::name)) fault(here(), "expected a name, found \"" + peek().text + '"');
    return take().text;
  }
  void expect(TokenKind kind, const char* what) {
    if (!at(kind))
      fault(here(), std::string("expected ") + what + ", found \"" + peek().text + '"');
    take();
  }

  ExprPtr make(ExprKind kind, std::size_t offset, std::string text = {}) {
    auto expr = std::make_unique<Expr>();
    expr->kind = kind;
    expr->offset = offset;
    expr->text = std::move(text);
    return expr;
  }
  void add(Expr& expr, ExprPtr part) {
    grow(expr, part);
    expr.parts.push_back(std::move(part));
  }
  void grow(Expr& expr, const ExprPtr& part) {
    if (!part) return;
    expr.height = std::max(expr.height, part->height + 1);
    if (expr.height > ChatLimits::kHeight)
      fault(expr.offset,
            "an expression has more than " + std::to_string(ChatLimits::kHeight) + " levels");
  }
  ExprPtr join(ExprKind kind, std::size_t offset, std::string text, ExprPtr left, ExprPtr right) {
    ExprPtr expr = make(kind, offset, std::move(text));
    add(*expr, std::move(left));
    add(*expr, std::move(right));
    return expr;
  }

  // Statements

  Body parse_body() {
    const Nested nested(*this);
    Body body;
    for (;;) {
      if (at(TokenKind::text)) {
        Node node(NodeKind::text, here());
        node.text = take().text;
        body.push_back(std::move(node));
      } else if (at(TokenKind::output_begin)) {
        Node node(NodeKind::output, here());
        take();
        node.value = parse_tuple();
        expect(TokenKind::output_end, "}}");
        body.push_back(std::move(node));
      } else if (at(TokenKind::block_begin) && !ends_body(peek(1).text)) {
        body.push_back(parse_block());
      } else {
        return body;  // the end, or a tag of the block around
      }
    }
  }

  static bool ends_body(std::string_view name) {
    return name == "else" || name == "elif" || name.substr(0, 3) == "end";
  }

  Node parse_block() {
    const std::size_t offset = here();
    take();
    const std::string name = expect_name();
    Node node(NodeKind::scope, offset);
    if (name == "if") return parse_if(std::move(node));
    if (name == "for") return parse_for(std::move(node));
    if (name == "set") return parse_set(std::move(node));
    if (name == "macro") return parse_macro(std::move(node));
    if (name == "generation") {
      close_tag();
      node.body = parse_body();
      end_tag("endgeneration");
      return node;
    }
    if (name == "break" || name == "continue") {
      if (loops_ == 0) fault(offset, name + " outside of a loop");
      node.kind = name == "break" ? NodeKind::leave : NodeKind::next;
      close_tag();
      return node;
    }
    fault(offset, "statement \"" + name + "\" is not supported", Errc::unsupported);
  }

  void close_tag() { expect(TokenKind::block_end, "%}"); }
  bool at_tag(std::string_view name) const {
    return at(TokenKind::block_begin) && peek(1).text == name;
  }
  bool skip_tag(std::string_view name) {
    if (!at_tag(name)) return false;
    take();
    take();
    return true;
  }
  void end_tag(std::string_view name) {
    if (!skip_tag(name)) fault(here(), "expected {% " + std::string(name) + " %}");
    close_tag();
  }

  Node parse_if(Node node) {
    node.kind = NodeKind::branches;
    const auto branch = [&](ExprPtr condition) {
      close_tag();
      node.body.emplace_back(NodeKind::scope, here());
      node.body.back().condition = std::move(condition);
      node.body.back().body = parse_body();
    };
    do {
      branch(parse_tuple());
    } while (skip_tag("elif"));
    if (skip_tag("else")) branch(nullptr);
    end_tag("endif");
    return node;
  }

  std::vector<std::string> parse_targets() {
    std::vector<std::string> names;
    const bool parenthesis = skip_op("(");
    do {
      names.push_back(expect_name());
    } while (skip_op(","));
    if (parenthesis) expect_op(")");
    return names;
  }

  Node parse_for(Node node) {
    node.kind = NodeKind::loop;
    node.targets = parse_targets();
    if (!skip_name("in")) fault(here(), "expected \"in\", found \"" + peek().text + '"');
    node.value = parse_or();
    if (skip_name("if")) node.condition = parse_expression();
    if (at_name("recursive")) fault(here(), "recursive loops are not supported", Errc::unsupported);
    close_tag();
    ++loops_;
    node.body = parse_body();
    --loops_;
    if (skip_tag("else")) {
      close_tag();
      node.otherwise = parse_body();
    }
    end_tag("endfor");
    return node;
  }

  Node parse_set(Node node) {
    node.targets = parse_targets();
    if (node.targets.size() == 1 && skip_op(".")) {
      node.kind = NodeKind::set_field;
      node.text = expect_name();
    } else {
      node.kind = NodeKind::set;
    }
    if (skip_op("=")) {
      node.value = parse_tuple();
      close_tag();
      return node;
    }
    if (node.kind == NodeKind::set_field || node.targets.size() != 1 || at_op("|"))
      fault(here(), "set of a block to anything but one name is not supported", Errc::unsupported);
    node.kind = NodeKind::set_block;
    close_tag();
    node.body = parse_body();
    end_tag("endset");
    return node;
  }

  Node parse_macro(Node node) {
    // A macro inside a block would see that block's names; templates do without.
    if (nesting_ > 1)
      fault(node.offset, "macros inside of blocks are not supported", Errc::unsupported);
    node.kind = NodeKind::macro;
    node.macro = std::make_unique<Macro>();
    node.macro->name = expect_name();
    expect_op("(");
    while (!at_op(")")) {
      std::string name = expect_name();
      ExprPtr otherwise = skip_op("=") ? parse_expression() : nullptr;
      node.macro->parameters.emplace_back(std::move(name), std::move(otherwise));
      if (!skip_op(",")) break;
    }
    expect_op(")");
    close_tag();
    node.macro->body = parse_body();
    end_tag("endmacro");
    return node;
  }

  // Expressions

  ExprPtr parse_tuple() {
    const std::size_t offset = here();
    ExprPtr first = parse_expression();
    if (!at_op(",")) return first;
    ExprPtr tuple = make(ExprKind::tuple, offset);
    add(*tuple, std::move(first));
    while (skip_op(",") && !at_op(")") && !at(TokenKind::block_end) && !at(TokenKind::output_end))
      add(*tuple, parse_expression());
    return tuple;
  }

  ExprPtr parse_expression() {
    const Nested nested(*this);
    const std::size_t offset = here();
    ExprPtr expr = parse_or();
    while (skip_name("if")) {
      ExprPtr choice = make(ExprKind::choice, offset);
      add(*choice, std::move(expr));
      add(*choice, parse_or());
      add(*choice, skip_name("else") ? parse_expression() : nullptr);
      expr = std::move(choice);
    }
    return expr;
  }

  ExprPtr parse_or() {
    const std::size_t offset = here();
    ExprPtr left = parse_and();
    while (skip_name("or"))
      left = join(ExprKind::logic, offset, "or", std::move(left), parse_and());
    return left;
  }

  ExprPtr parse_and() {
    const std::size_t offset = here();
    ExprPtr left = parse_not();
    while (skip_name("and"))
      left = join(ExprKind::logic, offset, "and", std::move(left), parse_not());
    return left;
  }

  ExprPtr parse_not() {
    if (!at_name("not")) return parse_compare();
    const Nested nested(*this);
    ExprPtr expr = make(ExprKind::unary, here(), "not");
    take();
    add(*expr, parse_not());
    return expr;
  }

  // "==", …, "in", "not in"; empty where there is none.
  std::string comparison() {
    for (const char* op : {"==", "!=", "<", ">", "<=", ">="})
      if (skip_op(op)) return op;
    if (skip_name("in")) return "in";
    if (at_name("not") && peek(1).kind == TokenKind::name && peek(1).text == "in") {
      take();
      take();
      return "not in";
    }
    return {};
  }

  ExprPtr parse_compare() {
    const std::size_t offset = here();
    ExprPtr first = parse_sum();
    std::string op = comparison();
    if (op.empty()) return first;
    ExprPtr expr = make(ExprKind::compare, offset);
    add(*expr, std::move(first));
    for (; !op.empty(); op = comparison()) {
      expr->ops.push_back(std::move(op));
      add(*expr, parse_sum());
    }
    return expr;
  }

  ExprPtr parse_sum() {
    const std::size_t offset = here();
    ExprPtr left = parse_concat();
    while (at_op("+") || at_op("-")) {
      std::string op = take().text;
      left = join(ExprKind::binary, offset, std::move(op), std::move(left), parse_concat());
    }
    return left;
  }

  ExprPtr parse_concat() {
    const std::size_t offset = here();
    ExprPtr first = parse_product();
    if (!at_op("~")) return first;
    ExprPtr expr = make(ExprKind::concat, offset);
    add(*expr, std::move(first));
    while (skip_op("~")) add(*expr, parse_product());
    return expr;
  }

  ExprPtr parse_product() {
    const std::size_t offset = here();
    ExprPtr left = parse_unary();
    while (at_op("*") || at_op("/") || at_op("//") || at_op("%")) {
      std::string op = take().text;
      left = join(ExprKind::binary, offset, std::move(op), std::move(left), parse_unary());
    }
    return left;
  }

  ExprPtr parse_unary() { return parse_filters(parse_signed()); }

  ExprPtr parse_signed() {
    if (!at_op("-") && !at_op("+")) return parse_postfix(parse_primary());
    const Nested nested(*this);
    ExprPtr expr = make(ExprKind::unary, here(), take().text);
    add(*expr, parse_signed());
    return expr;
  }

  ExprPtr parse_primary() {
    const std::size_t offset = here();
    if (at(TokenKind::name)) return parse_name();
    if (at(TokenKind::string)) {
      std::string text;
      while (at(TokenKind::string)) text += take().text;  // "a" "b" is "ab"
      ExprPtr expr = make(ExprKind::literal, offset);
      expr->literal = Value(std::move(text));
      return expr;
    }
    if (at(TokenKind::integer) || at(TokenKind::real)) return parse_number();
    if (skip_op("(")) {
      ExprPtr inner = at_op(")") ? make(ExprKind::tuple, offset) : parse_tuple();
      expect_op(")");
      return inner;
    }
    if (skip_op("[")) {
      ExprPtr list = make(ExprKind::list, offset);
      while (!at_op("]")) {
        add(*list, parse_expression());
        if (!skip_op(",")) break;
      }
      expect_op("]");
      return list;
    }
    if (skip_op("{")) {
      ExprPtr dict = make(ExprKind::dict, offset);
      while (!at_op("}")) {
        add(*dict, parse_expression());
        expect_op(":");
        add(*dict, parse_expression());
        if (!skip_op(",")) break;
      }
      expect_op("}");
      return dict;
    }
    fault(offset, "unexpected \"" + peek().text + '"');
  }

  ExprPtr parse_name() {
    const Token token = take();
    const std::string& name = token.text;
    if (name == "not") fault(token.offset, "unexpected \"not\"");
    ExprPtr expr = make(ExprKind::literal, token.offset);
    if (name == "true" || name == "True") {
      expr->literal = Value::of(true);
    } else if (name == "false" || name == "False") {
      expr->literal = Value::of(false);
    } else if (name == "none" || name == "None") {
      expr->literal = Value::none();
    } else {
      expr->kind = ExprKind::name;
      expr->text = name;
    }
    return expr;
  }

  ExprPtr parse_number() {
    const Token token = take();
    ExprPtr expr = make(ExprKind::literal, token.offset);
    const char* begin = token.text.data();
    const char* end = begin + token.text.size();
    std::int64_t integer = 0;
    double real = 0;
    const bool whole = token.kind == TokenKind::integer;
    const auto result =
        whole ? std::from_chars(begin, end, integer) : std::from_chars(begin, end, real);
    if (result.ec != std::errc()) fault(token.offset, "a number is out of range");
    expr->literal = whole ? Value::of(integer) : Value(Value::Data(real));
    return expr;
  }

  ExprPtr parse_postfix(ExprPtr expr) {
    for (;;) {
      const std::size_t offset = here();
      if (skip_op(".")) {
        ExprPtr attribute = make(ExprKind::attribute, offset);
        add(*attribute, std::move(expr));
        if (at(TokenKind::integer)) {  // x.0 is x[0]
          attribute->kind = ExprKind::item;
          add(*attribute, parse_number());
        } else {
          attribute->text = expect_name();
        }
        expr = std::move(attribute);
      } else if (skip_op("[")) {
        expr = parse_subscript(std::move(expr), offset);
      } else if (at_op("(")) {
        expr = parse_call(std::move(expr), offset);
      } else {
        return expr;
      }
    }
  }

  ExprPtr parse_subscript(ExprPtr from, std::size_t offset) {
    ExprPtr parts[3];
    std::size_t colons = 0;
    while (!at_op("]")) {
      if (skip_op(":")) {
        if (++colons > 2) fault(here(), "a slice has at most two colons");
      } else if (parts[colons]) {
        fault(here(), "expected \"]\", found \"" + peek().text + '"');
      } else {
        parts[colons] = parse_expression();
      }
    }
    take();
    if (colons == 0 && !parts[0]) fault(offset, "an index is missing");
    ExprPtr expr = make(colons ? ExprKind::slice : ExprKind::item, offset);
    add(*expr, std::move(from));
    add(*expr, std::move(parts[0]));
    if (colons) {
      add(*expr, std::move(parts[1]));
      add(*expr, std::move(parts[2]));
    }
    return expr;
  }

  ExprPtr parse_call(ExprPtr callee, std::size_t offset) {
    ExprPtr call = make(ExprKind::call, offset);
    add(*call, std::move(callee));
    parse_arguments(*call);
    return call;
  }

  void parse_arguments(Expr& call) {
    expect_op("(");
    while (!at_op(")")) {
      if (at(TokenKind::name) && peek(1).kind == TokenKind::op && peek(1).text == "=") {
        std::string name = take().text;
        take();
        ExprPtr value = parse_expression();
        grow(call, value);
        call.named.emplace_back(std::move(name), std::move(value));
      } else if (at_op("*")) {
        fault(here(), "argument lists with * are not supported", Errc::unsupported);
      } else {
        if (!call.named.empty()) fault(here(), "a positional argument after a named one");
        add(call, parse_expression());
      }
      if (!skip_op(",")) break;
    }
    expect_op(")");
  }

  ExprPtr parse_filters(ExprPtr expr) {
    for (;;) {
      const std::size_t offset = here();
      if (skip_op("|")) {
        ExprPtr filter = make(ExprKind::filter, offset, expect_name());
        add(*filter, std::move(expr));
        if (at_op("(")) parse_arguments(*filter);
        expr = std::move(filter);
      } else if (skip_name("is")) {
        expr = parse_test(std::move(expr), offset);
      } else if (at_op("(")) {
        expr = parse_call(std::move(expr), offset);
      } else {
        return expr;
      }
    }
  }

  ExprPtr parse_test(ExprPtr tested, std::size_t offset) {
    const bool negated = skip_name("not");
    ExprPtr test = make(ExprKind::test, offset, expect_name());
    add(*test, std::move(tested));
    const bool value_follows = at(TokenKind::name) || at(TokenKind::string) ||
                               at(TokenKind::integer) || at(TokenKind::real) || at_op("[") ||
                               at_op("{");
    if (at_op("(")) {
      parse_arguments(*test);
    } else if (value_follows && !at_name("else") && !at_name("or") && !at_name("and")) {
      if (at_name("is")) fault(here(), "tests cannot follow each other");
      add(*test, parse_postfix(parse_primary()));
    }
    if (!negated) return test;
    ExprPtr expr = make(ExprKind::unary, offset, "not");
    add(*expr, std::move(test));
    return expr;
  }

  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int nesting_ = 0;
  int loops_ = 0;
};

}  // namespace

Body parse(std::string_view source) { return Parser(source).run(); }

}  // namespace bitnet::chat
