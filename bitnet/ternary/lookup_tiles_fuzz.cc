// SPDX-License-Identifier: MIT OR Apache-2.0
// libFuzzer: any bytes as tiles of a small matrix. What is accepted is what pack() makes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/lookup_tiles.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitnet::lookup_tiles;
  if (size < 2) return 0;
  const std::int64_t rows = data[0] % 130 + 1, cols = data[1] * 3 + 1;
  // Zeros of an accepted matrix where the input ends, so that its bytes are few.
  const std::int64_t row_bytes = bitnet::block128::row_bytes(cols);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(rows * row_bytes), 0x55);
  std::vector<std::uint8_t> tiles(static_cast<std::size_t>(bytes(rows, cols))), again(tiles.size());
  pack(codes.data(), row_bytes, rows, cols, 0, strips(rows), tiles.data());
  std::copy_n(data + 2, std::min(size - 2, tiles.size()), tiles.begin());
  if (find_fault(tiles.data(), rows, cols, 0, strips(rows))) return 0;
  unpack(tiles.data(), rows, cols, 0, strips(rows), codes.data());
  pack(codes.data(), row_bytes, rows, cols, 0, strips(rows), again.data());
  if (again != tiles) __builtin_trap();
  return 0;
}
