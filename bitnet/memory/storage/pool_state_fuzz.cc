// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as the state of a pool, also with the checksums of its footer made right.
// Refusals are Errors; what is accepted is at most 256 times the file.
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/hash.h"
#include "bitnet/memory/storage/numbers.h"
#include "bitnet/memory/storage/pool_state.h"

namespace {

using namespace bitnet::storage;

constexpr std::size_t kFooter = 40;

void set(std::string& file, std::size_t at, std::uint64_t value) {
  std::string number;
  put(number, value);
  file.replace(at, 8, number);
}

void try_load(const std::string& file) {
  static bitnet::HybridMemoryPool pool;
  try {
    std::uint64_t bytes = 0;
    for (const RestoredBlock& block : load_pool_state(bytes_of(file), "fuzz", pool))
      bytes += block.block.size_bytes();
    if (bytes > file.size() * 256) __builtin_trap();
  } catch (const bitnet::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  try_load(file);
  if (size < 64 + kFooter) return 0;
  const std::size_t footer = size - kFooter;
  set(file, footer, size);
  const auto bytes = bytes_of(file);
  const std::uint64_t blocks = get<std::uint64_t>(bytes, footer + 8),
                      names = get<std::uint64_t>(bytes, footer + 16), room = footer - 64;
  if (names <= room && blocks <= (room - names) / 32)
    set(file, footer + 24,
        bitnet::xxh64(bytes.subspan(footer - names - blocks * 32, names + blocks * 32)));
  set(file, footer + 32, bitnet::xxh64(bytes_of(file).subspan(footer, 32)));
  try_load(file);
  return 0;
}
