// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a safetensors file. Refusals are FileErrors; whatever is accepted must
// be readable.
#include <cstddef>
#include <cstdint>

#include "bitnet/base/error.h"
#include "bitnet/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const bitnet::SafetensorsFile file(std::as_bytes(std::span(data, size)), "fuzz");
    volatile std::uint8_t sum = 0;
    for (const bitnet::SafetensorsTensor& tensor : file.tensors()) {
      if (file.find(tensor.name) != &tensor) __builtin_trap();
      for (const std::byte byte : file.bytes(tensor))
        sum = static_cast<std::uint8_t>(sum + std::to_integer<std::uint8_t>(byte));
      if (tensor.dtype && file.read(tensor).size_bytes() != tensor.size_bytes) __builtin_trap();
    }
  } catch (const bitnet::FileError&) {
  }
  return 0;
}
