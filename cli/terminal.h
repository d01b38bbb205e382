// SPDX-License-Identifier: MIT OR Apache-2.0
// What a command-line program asks of the system: terminals, Ctrl-C, text out.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace bitnet::cli {

/// Thrown by print_text() where nobody reads standard output any more: the tool stops quietly.
struct OutputClosed : std::exception {};

/// Before anything else: a closed pipe must be an error code, not a signal.
void prepare_process();

/// Text to standard output, buffered unless it is a terminal. Throws OutputClosed; Error{io} for
/// other failures (disk full).
void print_text(std::string_view text);
void flush_text();
/// Text to standard error, ignoring failures.
void print_error_text(std::string_view text) noexcept;

bool stdin_is_terminal() noexcept;
bool stdout_is_terminal() noexcept;
bool stderr_is_terminal() noexcept;
/// Columns of the terminal behind standard error; 80 where that is not known.
int terminal_columns() noexcept;

/// While one of these lives, the first Ctrl-C is remembered and the second ends the process.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  static bool interrupted() noexcept;
};

/// Everything standard input holds. Throws Error{invalid_argument} for more than `max_bytes`,
/// Error{io} where reading fails.
std::string read_stdin(std::size_t max_bytes);

}  // namespace bitnet::cli
