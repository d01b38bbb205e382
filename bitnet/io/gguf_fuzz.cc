// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a gguf file. Refusals are FileErrors; whatever is accepted must be
// readable.
#include <cstddef>
#include <cstdint>

#include "bitnet/base/error.h"
#include "bitnet/io/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const bitnet::GgufFile file(std::as_bytes(std::span(data, size)), "fuzz");
    volatile std::uint8_t sum = 0;
    for (const bitnet::GgufTensor& tensor : file.tensors()) {
      if (file.find_tensor(tensor.name) != &tensor || file.bytes(tensor).empty()) __builtin_trap();
      sum = static_cast<std::uint8_t>(sum + std::to_integer<unsigned>(file.bytes(tensor).back()));
    }
    for (const bitnet::GgufKeyValue& entry : file.key_values()) {
      const auto* array = std::get_if<bitnet::GgufArray>(&entry.value.data);
      if (array == nullptr) continue;
      for (const std::string_view text : array->strings)
        if (!text.empty())
          sum = static_cast<std::uint8_t>(sum + static_cast<std::uint8_t>(text.back()));
    }
  } catch (const bitnet::FileError&) {
  }
  return 0;
}
