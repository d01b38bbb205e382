// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a mapped storage file, also with the header's checksum made right.
// Refusals are FileErrors; what is accepted lies inside the file.
#include <algorithm>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/hash.h"
#include "bitnet/memory/storage/mapped_storage.h"
#include "bitnet/memory/storage/numbers.h"

namespace {

using namespace bitnet::storage;

void try_header(const std::string& file) {
  try {
    const MappedHeader header = read_header(bytes_of(file), "fuzz");
    if (header.data_offset % 4096 != 0 || header.data_offset > file.size() ||
        header.data_bytes > file.size() - header.data_offset)
      __builtin_trap();
  } catch (const bitnet::FileError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  try_header(file);
  // Grown and sealed, so that few bytes of input reach the rules behind the checksum.
  file.resize(std::max<std::size_t>(file.size(), 4104));
  std::string number;
  put(number, bitnet::xxh64(bytes_of(file).first(48)));
  try_header(file.replace(48, 8, number));
  return 0;
}
