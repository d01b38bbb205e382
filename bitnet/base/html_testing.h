// SPDX-License-Identifier: MIT OR Apache-2.0
// Pages in a real browser, where there is one.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "bitnet/base/os/threads.h"

namespace bitnet::testing {

inline std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

inline std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return out;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    out.append(buffer.data(), n);
  ::pclose(pipe);
  return out;
}

/// A page in a folder of its own, as a browser without a sandbox of its own sees it.
class Browser {
 public:
  Browser()
      : folder_(::testing::TempDir() + "bitnet_html_test_" + std::to_string(os::process_id())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
      if (name_.empty() && !output_of(std::string("command -v ") + name).empty()) name_ = name;
  }
  ~Browser() { std::filesystem::remove_all(folder_); }
  bool found() const { return !name_.empty(); }
  /// The document after its scripts ran.
  std::string dom(const std::string& page) const {
    std::ofstream(folder_ + "/page.html") << page;
    return output_of("timeout 60 " + name_ +
                     " --headless --no-sandbox --disable-gpu --no-first-run --user-data-dir='" +
                     folder_ + "/profile' --dump-dom 'file://" + folder_ +
                     "/page.html' 2>/dev/null");
  }

 private:
  std::string folder_, name_;
};

}  // namespace bitnet::testing
