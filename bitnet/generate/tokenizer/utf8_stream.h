// SPDX-License-Identifier: MIT OR Apache-2.0
// Streaming of token bytes as text: never half a character.
#pragma once

#include <string>
#include <string_view>

namespace bitnet {

/// Takes the bytes of tokens as they come, gives back whole UTF-8 characters. A byte sequence that
/// cannot become a character is replaced by U+FFFD, one for each maximal ill-formed part (the
/// practice of Unicode 16, section 3.9, and of Python's errors="replace"). Holds at most 3 bytes.
class Utf8Stream {
 public:
  /// The characters that `bytes` completes.
  std::string push(std::string_view bytes);
  /// U+FFFD if a character was left unfinished, else nothing; then as new.
  std::string flush();

 private:
  std::string pending_;
};

}  // namespace bitnet
