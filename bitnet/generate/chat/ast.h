// SPDX-License-Identifier: MIT OR Apache-2.0
// The tree of a parsed template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/generate/chat/value.h"

namespace bitnet::chat {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class ExprKind : std::uint8_t {
  literal,
  name,
  list,       // parts
  tuple,      // parts
  dict,       // parts: key, value, key, value, …
  attribute,  // parts[0] . text
  item,       // parts[0] [ parts[1] ]
  slice,      // parts[0] [ parts[1] : parts[2] : parts[3] ], null where absent
  call,       // parts[0] ( parts[1], …, named )
  filter,     // parts[0] | text ( parts[1], …, named )
  test,       // parts[0] is text ( parts[1], … )
  unary,      // text parts[0]; "not", "-", "+"
  binary,     // parts[0] text parts[1]; arithmetic
  compare,    // parts[0] ops[0] parts[1] ops[1] parts[2] …
  logic,      // parts[0] text parts[1]; "and", "or"
  concat,     // parts[0] ~ parts[1] ~ …
  choice,     // parts[0] if parts[1] else parts[2], null where absent
};

struct Expr {
  ExprKind kind;
  std::size_t offset = 0;
  std::string text;
  Value literal;
  std::vector<ExprPtr> parts;
  std::vector<std::pair<std::string, ExprPtr>> named;
  std::vector<std::string> ops;
  int height = 1;
};

struct Node;
using Body = std::vector<Node>;

enum class NodeKind : std::uint8_t {
  text,
  output,     // value
  branches,   // if: of the scopes in body, the first whose condition (null: else) is true
  loop,       // for targets in value if condition: body, otherwise
  set,        // targets = value
  set_field,  // targets[0] . text = value
  set_block,  // targets[0] = body
  macro,
  scope,  // body with names of its own
  leave,  // break
  next,   // continue
};

struct Node {
  Node(NodeKind node_kind, std::size_t at) : kind(node_kind), offset(at) {}

  NodeKind kind;
  std::size_t offset;
  std::string text;
  std::vector<std::string> targets;
  ExprPtr value, condition;
  Body body, otherwise;
  std::unique_ptr<Macro> macro;
};

struct Macro {
  std::string name;
  std::vector<std::pair<std::string, ExprPtr>> parameters;  // default, null where none
  Body body;
};

}  // namespace bitnet::chat
