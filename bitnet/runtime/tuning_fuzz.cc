// SPDX-License-Identifier: MIT OR Apache-2.0
// libFuzzer: any bytes as the file of a tuning. What is accepted has one form, and a choice.
#include <cstddef>
#include <cstdint>

#include "bitnet/base/error.h"
#include "bitnet/runtime/tuning.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const bitnet::Tuning tuning = bitnet::parse_tuning(text, "fuzz");
    if (bitnet::format_tuning(tuning) != text) __builtin_trap();
    const bitnet::TuningChoice choice = bitnet::choose(tuning);
    if (choice.decode_threads < 1 || choice.prompt_threads < 1) __builtin_trap();
  } catch (const bitnet::FileError&) {
  }
  return 0;
}
