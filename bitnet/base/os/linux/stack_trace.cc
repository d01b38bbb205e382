// SPDX-License-Identifier: MIT OR Apache-2.0
// Walks with the unwinder of the C++ runtime; names from the dynamic symbols, then from the symbol
// table of the file that the code was mapped from (most names of a program are only there).
#include "bitnet/base/os/stack_trace.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <unwind.h>

#include <charconv>
#include <cstdlib>
#include <memory>

#include "bitnet/base/os/linux/elf_symbols.h"

namespace bitnet::os {
namespace {

struct Walk {
  std::span<std::uintptr_t> frames;
  std::size_t skip;
  std::size_t count = 0;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  if (walk.skip > 0) {
    --walk.skip;
    return _URC_NO_REASON;
  }
  const auto address = static_cast<std::uintptr_t>(_Unwind_GetIP(context));
  if (address == 0 || walk.count == walk.frames.size()) return _URC_END_OF_STACK;
  walk.frames[walk.count++] = address;
  return _URC_NO_REASON;
}

std::string hex(std::uintptr_t value) {
  char text[20];
  return "0x" + std::string(text, std::to_chars(text, text + sizeof text, value, 16).ptr);
}

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 && text ? text.get() : name;
}

}  // namespace

[[gnu::noinline]] std::size_t capture_stack(std::span<std::uintptr_t> frames,
                                            std::size_t skip) noexcept {
  Walk walk{frames, skip + 1};
  _Unwind_Backtrace(visit, &walk);
  return walk.count;
}

std::string describe_frame(std::uintptr_t address) {
  Dl_info info{};
  const std::uintptr_t call = address - 1;  // a return address may be past its function's end
  if (::dladdr(reinterpret_cast<void*>(call), &info) == 0) return hex(address);
  if (info.dli_sname) return demangled(info.dli_sname);
  const std::string file = info.dli_fname ? info.dli_fname : "";
  const std::uintptr_t offset = call - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  if (const std::string name = elf_symbol(file, offset); !name.empty()) return demangled(name);
  return file.substr(file.rfind('/') + 1) + "+" + hex(offset + 1);
}

}  // namespace bitnet::os
