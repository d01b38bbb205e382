// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "bitnet/base/error.h"

namespace bitnet::cli {
namespace {

volatile std::sig_atomic_t interrupts = 0;

// SA_RESETHAND: the second Ctrl-C meets the default action.
void on_interrupt(int) { interrupts = 1; }

void set_interrupt_handler(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

void check_output(bool good) {
  if (good) return;
  if (errno == EPIPE || errno == EBADF) throw OutputClosed();
  fail(Errc::io, std::string("writing to standard output: ") + std::strerror(errno));
}

}  // namespace

void prepare_process() { std::signal(SIGPIPE, SIG_IGN); }

void print_text(std::string_view text) {
  check_output(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
}

void flush_text() { check_output(std::fflush(stdout) == 0); }

void print_error_text(std::string_view text) noexcept {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

bool stdin_is_terminal() noexcept { return isatty(STDIN_FILENO) != 0; }
bool stdout_is_terminal() noexcept { return isatty(STDOUT_FILENO) != 0; }
bool stderr_is_terminal() noexcept { return isatty(STDERR_FILENO) != 0; }

int terminal_columns() noexcept {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

InterruptGuard::InterruptGuard() {
  interrupts = 0;
  set_interrupt_handler(on_interrupt);
}

InterruptGuard::~InterruptGuard() { set_interrupt_handler(SIG_DFL); }

bool InterruptGuard::interrupted() noexcept { return interrupts != 0; }

std::string read_stdin(std::size_t max_bytes) {
  std::string text;
  char buffer[65536];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
    text.append(buffer, n);
    if (text.size() > max_bytes)
      fail(Errc::invalid_argument,
           "standard input holds more than " + std::to_string(max_bytes) + " bytes of text");
  }
  if (std::ferror(stdin))
    fail(Errc::io, std::string("reading standard input: ") + std::strerror(errno));
  return text;
}

}  // namespace bitnet::cli
