// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as tokenizer.json; what loads must encode and decode.
#include <cstdlib>

#include "bitnet/base/error.h"
#include "bitnet/generate/tokenizer/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const bitnet::Json document = bitnet::parse_json(text, "fuzz");
    const bitnet::Tokenizer tokenizer = bitnet::tokenizer_from_json(document, "fuzz");
    const bitnet::EncodeOptions plain{.add_special = false, .parse_special = false};
    for (const std::string_view sample :
         {std::string_view("it's 12 <s> ab\n\nb\xFF"), std::string_view(text)}) {
      (void)tokenizer.decode(tokenizer.encode(sample));
      const std::string prefix =
          tokenizer.add_prefix_space() && sample.substr(0, 1) != " " ? " " : "";
      const std::string back = tokenizer.decode(tokenizer.encode(sample, plain));
      // User-defined tokens may swallow white space or split the text before a prefix space.
      if (text.find("content") == text.npos && !sample.empty() &&
          back != prefix + std::string(sample))
        std::abort();
    }
  } catch (const bitnet::Error&) {
  }
  return 0;
}
