// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/progress.h"

#include <algorithm>
#include <utility>

#include "cli/format.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr double kSilentSeconds = 0.5;
constexpr double kSecondsBetween = 0.1;
constexpr int kBarColumns = 24;

std::string bar(double part) {
  const int full = std::clamp(static_cast<int>(part * kBarColumns), 0, kBarColumns);
  std::string text;
  for (int i = 0; i < kBarColumns; ++i) text += i < full ? "█" : "░";
  return text;
}

double between(auto from, auto to) { return std::chrono::duration<double>(to - from).count(); }

}  // namespace

Progress::Progress(std::string what) : what_(std::move(what)), start_(Clock::now()) {}

void Progress::restart(std::string what) {
  if (what == what_) return;
  clear();
  what_ = std::move(what);
  start_ = Clock::now();
}

void Progress::update(std::uint64_t done, std::uint64_t total) {
  if (total == 0 || !stderr_is_terminal()) return;
  const auto now = Clock::now();
  const double elapsed = between(start_, now);
  if (elapsed < kSilentSeconds || (shown_ && between(drawn_, now) < kSecondsBetween)) return;
  const double part = static_cast<double>(done) / static_cast<double>(total);
  std::string line = what_ + " ";
  if (terminal_columns() > kBarColumns + 30) line += bar(part) + " ";
  line += pad_left(fixed(100 * part, 0), 3) + " %";
  if (part > 0.01) line += "  " + fixed(elapsed / part - elapsed, 0) + " s left";
  print_error_text("\r" + line + "\x1b[K");
  shown_ = true;
  drawn_ = now;
}

void Progress::clear() {
  if (shown_) print_error_text("\r\x1b[K");
  shown_ = false;
}

}  // namespace bitnet::cli
