// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a tensor file, also as the directory of one whose checksums fit.
// Refusals are FileErrors; what is accepted lies inside the file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "bitnet/base/hash.h"
#include "bitnet/io/tensor_file.h"
#include "bitnet/io/tensor_file_format.h"
#include "bitnet/memory/storage/numbers.h"

namespace {

using namespace bitnet;

void try_file(const std::string& text) {
  try {
    const TensorFile file(storage::bytes_of(text), "fuzz");
    for (const TensorFileEntry& entry : file.entries()) {
      if (file.find(entry.name) != &entry) __builtin_trap();
      if (entry.offset > text.size() || entry.bytes > text.size() - entry.offset) __builtin_trap();
      try {
        if (file.map(entry).size_bytes() != entry.bytes) __builtin_trap();
        file.read(entry);
      } catch (const FileError&) {
      }
    }
    file.verify();
  } catch (const FileError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try_file(text);
  if (size < 2) return 0;
  // Few bytes of input reach the rules behind the checksums: sealed, with 256 bytes for tensors.
  const std::uint64_t count = data[0] % 4, names = data[1];
  if (size - 2 < count * tensor_file::kEntryBytes + names) return 0;
  std::string file(tensor_file::kMagic), footer;
  storage::put(file, storage::kEndianMark);
  storage::put(file, tensor_file::kVersion);
  file.resize(64 + 256);
  file += text.substr(2);
  storage::put(footer, file.size() + tensor_file::kFooterBytes);
  storage::put(footer, count);
  storage::put(footer, names);
  const std::size_t directory = count * tensor_file::kEntryBytes + names;
  storage::put(footer, xxh64(storage::bytes_of(file).last(directory)));
  storage::put(footer, xxh64(storage::bytes_of(footer)));
  try_file(file + footer + std::string(tensor_file::kEnd));
  return 0;
}
