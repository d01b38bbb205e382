// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/line_reader.h"

#include <cstdlib>
#include <iostream>
#include <memory>

#include "cli/terminal.h"
#ifdef BITNET_LINE_EDITING
#include <editline/readline.h>
#endif

namespace bitnet::cli {
namespace {

std::optional<std::string> plain_line(const char* prompt) {
  if (stdin_is_terminal()) {
    print_text(prompt);
    flush_text();
  }
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

}  // namespace

#ifdef BITNET_LINE_EDITING
bool has_line_editing() noexcept { return true; }

std::optional<std::string> read_line(const char* prompt) {
  if (!stdin_is_terminal() || !stdout_is_terminal()) return plain_line(prompt);
  const std::unique_ptr<char, decltype(&std::free)> line(readline(prompt), &std::free);
  if (!line) return std::nullopt;
  if (line.get()[0] != 0) add_history(line.get());
  return std::string(line.get());
}
#else
bool has_line_editing() noexcept { return false; }

std::optional<std::string> read_line(const char* prompt) { return plain_line(prompt); }
#endif

}  // namespace bitnet::cli
