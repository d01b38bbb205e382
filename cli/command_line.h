// SPDX-License-Identifier: MIT OR Apache-2.0
// What every command does with its arguments: parsing, help, ids, the prompt.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitnet/base/error.h"

namespace bitnet::cli {

/// Wrong usage: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// "; did you mean 'tokenize'?" where a name is near, else "".
std::string did_you_mean(const std::string& name, const std::vector<std::string>& names);

/// What a user may do about an error: "\nhint: …", or "".
std::string hint_for(const Error& error);

/// A command's options, with its description above them and examples below.
class CommandLine {
 public:
  CommandLine(const std::string& command, const std::string& description,
              const std::string& examples);

  CLI::App* operator->() { return &app_; }
  CLI::App& app() { return app_; }

  /// False where help was asked for and printed. Throws UsageError.
  bool parse(int argc, const char* const* argv);

 private:
  [[noreturn]] void fail_usage(const std::string& message) const;
  std::string command_;
  CLI::App app_;
};

/// Accepts integers of at least `least`.
CLI::Validator integer_from(std::int64_t least);

/// "1, 2,3" to ids; throws UsageError for anything that is no list of integers.
std::vector<std::int32_t> parse_ids(const std::string& text);
/// "1,2,3"
std::string ids_text(std::span<const std::int32_t> ids);

/// -p TEXT, -f FILE, -e; without both, standard input where it is no terminal.
struct PromptOptions {
  std::string text, file;
  bool escape = false;
  CLI::Option* text_option = nullptr;
  CLI::Option* file_option = nullptr;

  void add_to(CLI::App& app);
  /// Whether -p or -f was given.
  bool given() const { return text_option->count() > 0 || file_option->count() > 0; }
  /// Throws UsageError where there is nothing to read.
  std::string read() const;
};

}  // namespace bitnet::cli
