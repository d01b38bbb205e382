// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a JSON document (config.json, tokenizer.json, an index).
#include <cstddef>
#include <cstdint>

#include "bitnet/base/error.h"
#include "bitnet/io/json.h"

namespace {

void visit(const bitnet::Json& json) {
  if (json.is_string() && bitnet::json_quote(json.as_string()).size() < 2) __builtin_trap();
  if (json.is_array())
    for (const bitnet::Json& element : json.as_array()) visit(element);
  if (!json.is_object()) return;
  for (const auto& [key, member] : json.as_object()) {
    if (json.find(key) != &member) __builtin_trap();
    visit(member);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    visit(bitnet::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz"));
  } catch (const bitnet::FileError&) {
  }
  return 0;
}
