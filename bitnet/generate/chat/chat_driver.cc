// SPDX-License-Identifier: MIT OR Apache-2.0
// chat_driver < cases.json: renders each case of tests/oracles/chat_oracle.py, one JSON string (or
// null for an error, which goes to stderr) a line.
#include <cstdio>
#include <iostream>
#include <sstream>

#include "bitnet/base/error.h"
#include "bitnet/generate/chat/test_cases.h"

int main() {
  try {
    std::ostringstream all;
    all << std::cin.rdbuf();
    for (const bitnet::ChatCase& test : bitnet::read_chat_cases(all.str(), "stdin")) {
      try {
        const bitnet::ChatTemplate chat(test.source, test.name);
        std::printf("%s\n", bitnet::json_quote(chat.render(test.messages, test.args)).c_str());
      } catch (const bitnet::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::printf("null\n");
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
