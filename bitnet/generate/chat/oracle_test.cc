// SPDX-License-Identifier: MIT OR Apache-2.0
// Every case of testdata/chat_cases.json, whose expected texts are jinja2's
// (tests/oracles/chat_oracle.py).
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "bitnet/base/error.h"
#include "bitnet/generate/chat/test_cases.h"

namespace bitnet {
namespace {

TEST(ChatOracle, RendersAsJinja2) {
  const std::string file = BITNET_SOURCE_DIR "/bitnet/generate/chat/testdata/chat_cases.json";
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  const std::vector<ChatCase> cases = read_chat_cases(text.str(), file);
  ASSERT_GT(cases.size(), 200u);
  for (const ChatCase& test : cases) {
    std::optional<std::string> got;
    try {
      got = ChatTemplate(test.source, test.name).render(test.messages, test.args);
    } catch (const FileError& error) {
      EXPECT_FALSE(test.expected) << error.what();
    }
    EXPECT_EQ(got, test.expected) << test.name;
  }
}

}  // namespace
}  // namespace bitnet
