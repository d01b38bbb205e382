// SPDX-License-Identifier: MIT OR Apache-2.0
// Streaming of token bytes as text.
#include "bitnet/generate/tokenizer/utf8_stream.h"

#include "bitnet/generate/tokenizer/unicode.h"

namespace bitnet {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  const std::size_t whole = pending_.size() - incomplete_suffix(pending_);
  std::string out;
  for (std::size_t at = 0; at < whole;) {
    const CodePoint point = decode_code_point(pending_, at);
    if (point.value != kBadByte || point.size != 1) {
      out.append(pending_, at, point.size);
      at += point.size;
      continue;
    }
    // The longest part that began well counts as one error: E2 82 41 is U+FFFD, A.
    std::size_t bad = 1;
    while (at + bad < whole &&
           incomplete_suffix(std::string_view(pending_).substr(at, bad + 1)) == bad + 1)
      ++bad;
    out += kReplacement;
    at += bad;
  }
  pending_.erase(0, whole);
  return out;
}

std::string Utf8Stream::flush() {
  const bool unfinished = !pending_.empty();
  pending_.clear();
  return unfinished ? std::string(kReplacement) : std::string();
}

}  // namespace bitnet
