// SPDX-License-Identifier: MIT OR Apache-2.0
// The format: System V ABI, chapters 4 and 5 (gabi). 64-bit files of this machine's byte order.
#include "bitnet/base/os/linux/elf_symbols.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace bitnet::os {
namespace {

constexpr std::uint64_t kMostTableBytes = std::uint64_t{256} << 20;

struct Function {
  std::uint64_t begin = 0, end = 0;  // from the load address
  std::uint32_t name = 0;            // offset in Symbols::names
};
struct Symbols {
  std::vector<Function> functions;  // sorted by begin
  std::string names;                // ends with a zero
};

class ElfFile {
 public:
  explicit ElfFile(const std::string& path) : in_(path, std::ios::binary | std::ios::ate) {
    if (in_) bytes_ = static_cast<std::uint64_t>(in_.tellg());
  }
  /// `count` items at `offset`; empty unless all of them lie in the file.
  template <class T>
  std::vector<T> read(std::uint64_t offset, std::uint64_t count) {
    const std::uint64_t most = std::min(bytes_, kMostTableBytes) / sizeof(T);
    if (count > most || offset > bytes_ - count * sizeof(T)) return {};
    std::vector<T> items(static_cast<std::size_t>(count));
    in_.seekg(static_cast<std::streamoff>(offset));
    in_.read(reinterpret_cast<char*>(items.data()),
             static_cast<std::streamsize>(items.size() * sizeof(T)));
    return in_ ? items : std::vector<T>{};
  }

 private:
  std::ifstream in_;
  std::uint64_t bytes_ = 0;
};

Symbols read_symbols(const std::string& path) {
  ElfFile file(path);
  const auto header = file.read<Elf64_Ehdr>(0, 1);
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0 ||
      header[0].e_ident[EI_CLASS] != ELFCLASS64)
    return {};
  // Values of symbols count from where the file's first loaded page wants to be.
  std::optional<std::uint64_t> load_address;
  for (const auto& part : file.read<Elf64_Phdr>(header[0].e_phoff, header[0].e_phnum))
    if (part.p_type == PT_LOAD)
      load_address = std::min(load_address.value_or(part.p_vaddr), part.p_vaddr);
  const auto sections = file.read<Elf64_Shdr>(header[0].e_shoff, header[0].e_shnum);
  const auto table = std::find_if(sections.begin(), sections.end(),
                                  [](const Elf64_Shdr& s) { return s.sh_type == SHT_SYMTAB; });
  if (!load_address || table == sections.end() || table->sh_link >= sections.size()) return {};
  const Elf64_Shdr& names = sections[table->sh_link];

  Symbols out;
  const auto text = file.read<char>(names.sh_offset, names.sh_size);
  out.names.assign(text.begin(), text.end());
  for (const auto& s : file.read<Elf64_Sym>(table->sh_offset, table->sh_size / sizeof(Elf64_Sym)))
    if (ELF64_ST_TYPE(s.st_info) == STT_FUNC && s.st_value >= *load_address &&
        s.st_name < out.names.size() && s.st_shndx != SHN_UNDEF)
      out.functions.push_back(
          {s.st_value - *load_address, s.st_value - *load_address + s.st_size, s.st_name});
  std::sort(out.functions.begin(), out.functions.end(),
            [](const Function& a, const Function& b) { return a.begin < b.begin; });
  return out;
}

}  // namespace

std::string elf_symbol(const std::string& file, std::uint64_t offset) {
  static std::mutex mutex;
  static auto* const kFiles = new std::map<std::string, Symbols>;  // outlives every thread
  const std::lock_guard lock(mutex);
  auto found = kFiles->find(file);
  if (found == kFiles->end()) found = kFiles->emplace(file, read_symbols(file)).first;
  const Symbols& symbols = found->second;
  const auto after =
      std::upper_bound(symbols.functions.begin(), symbols.functions.end(), offset,
                       [](std::uint64_t at, const Function& f) { return at < f.begin; });
  if (after == symbols.functions.begin() || offset >= std::prev(after)->end) return {};
  return symbols.names.c_str() + std::prev(after)->name;
}

}  // namespace bitnet::os
