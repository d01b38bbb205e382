// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a npz archive. Refusals are Errors of the file or of memory; whatever
// is accepted has the size that its header says.
#include <cstddef>
#include <cstdint>

#include "bitnet/base/error.h"
#include "bitnet/io/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const bitnet::NpzFile file(std::as_bytes(std::span(data, size)), "fuzz");
    for (const bitnet::ZipMember& array : file.arrays()) {
      if (file.find(array.name) != &array) __builtin_trap();
      try {
        const bitnet::NpyHeader header = file.header(array);
        if (header.data_offset + header.data_bytes != array.bytes) __builtin_trap();
        if (file.read(array).size_bytes() != header.data_bytes) __builtin_trap();
      } catch (const bitnet::FileError&) {
      }
    }
  } catch (const bitnet::FileError&) {
  }
  return 0;
}
