// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a npy file. Refusals are FileErrors; whatever is accepted must be
// readable.
#include <cstddef>
#include <cstdint>

#include "bitnet/base/error.h"
#include "bitnet/io/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const bitnet::NpyFile file(std::as_bytes(std::span(data, size)), "fuzz");
    const auto bytes = static_cast<std::uint64_t>(file.num_elements()) *
                       static_cast<std::uint64_t>(bitnet::info(file.dtype()).block_bytes);
    if (file.bytes().size() != bytes || file.read().size_bytes() != bytes) __builtin_trap();
  } catch (const bitnet::FileError&) {
  }
  return 0;
}
