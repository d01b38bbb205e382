// SPDX-License-Identifier: MIT OR Apache-2.0
// Names of functions from the symbol table of an ELF file.
#pragma once

#include <cstdint>
#include <string>

namespace bitnet::os {

/// The mangled name of the function in `file` that holds the byte `offset` after the file's load
/// address; empty where the file has none, is stripped, damaged or unreadable. Symbols of a file
/// are read once and kept. Thread-safe.
std::string elf_symbol(const std::string& file, std::uint64_t offset);

}  // namespace bitnet::os
