// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads the cases that tests/oracles/chat_oracle.py writes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bitnet/generate/chat/template.h"
#include "bitnet/io/json.h"

namespace bitnet {

struct ChatCase {
  std::string name, source;
  std::vector<ChatMessage> messages;
  ChatTemplateArgs args;
  std::optional<std::string> expected;  // nothing: an error
};

inline std::vector<ChatCase> read_chat_cases(const std::string& text, const std::string& file) {
  const auto at = [](const Json& object, const char* list, const Json& index) -> const Json& {
    return object.at(list).as_array().at(static_cast<std::size_t>(index.as_int()));
  };
  std::vector<ChatCase> cases;
  const Json document = parse_json(text, file);
  for (const Json& item : document.at("cases").as_array()) {
    ChatCase test;
    test.name = item.at("name").as_string();
    test.source = at(document, "templates", item.at("template")).as_string();
    for (const Json& message : at(document, "messages", item.at("messages")).as_array())
      test.messages.push_back({message.at("role").as_string(), message.at("content").as_string()});
    test.args = {"<|bos|>", "<|eos|>", item.at("add_generation_prompt").as_bool()};
    const Json& expected = item.at("expected");
    if (!expected.is_null()) test.expected = expected.as_string();
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace bitnet
