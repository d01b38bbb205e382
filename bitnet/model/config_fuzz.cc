// SPDX-License-Identifier: MIT OR Apache-2.0
// libFuzzer: config.json, and the key/values of a GGUF file, to a model's config.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bitnet/base/error.h"
#include "bitnet/model/config_gguf.h"
#include "bitnet/model/config_hf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    bitnet::validate(bitnet::config_from_hf(bitnet::parse_json(text, "fuzz"), "fuzz", {}));
  } catch (const bitnet::Error&) {  // the answer to a malformed document
  }
  try {
    const bitnet::GgufFile file(std::as_bytes(std::span(data, size)), "fuzz");
    bitnet::validate(bitnet::config_from_gguf(file, {}));
  } catch (const bitnet::Error&) {
  }
  return 0;
}
