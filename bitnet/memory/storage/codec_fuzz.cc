// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a packed block of up to 64 KiB, and packing what they are. Refusals
// are Errors; what was packed unpacks to itself.
#include <algorithm>

#include "bitnet/base/error.h"
#include "bitnet/memory/storage/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitnet::storage;
  const auto input = std::as_bytes(std::span(data, size));
  const PackedBlock packed = pack_or_store(input);
  std::vector<std::byte> out(size);
  unpack_block(packed, out);
  if (!std::equal(out.begin(), out.end(), input.begin(), input.end())) __builtin_trap();
  if (size < 4) return 0;
  out.resize(data[2] * 256u + data[3]);
  const Packing packing{static_cast<CodecId>(data[0]), data[1], out.size(), 0};
  try {
    unpack_block(packing, input.subspan(4), out);
  } catch (const bitnet::Error&) {
  }
  return 0;
}
