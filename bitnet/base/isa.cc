// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/isa.h"

#include <cstdlib>
#include <fstream>

#include "bitnet/base/error.h"

namespace bitnet::isa {
namespace {

// A level allows what stands here and nothing else, so that BITNET_ISA=avxvnni does not use
// AVX-512.
#if defined(__x86_64__)
constexpr std::array kLevels{
    Level{"reference", kNone},
    Level{"avx2", kAvx2},
    Level{"avxvnni", kAvx2 | kAvxVnni},
    Level{"avx512vnni", kAvx2 | kAvxVnni | kAvx512 | kAvx512Vnni},
    Level{"avx512vbmi", kAvx2 | kAvxVnni | kAvx512 | kAvx512Vnni | kAvx512Vbmi},
};
#elif defined(__aarch64__)
constexpr std::array kLevels{
    Level{"reference", kNone},
    Level{"neon_dotprod", kNeon | kNeonDotprod},
    Level{"neon_i8mm", kNeon | kNeonDotprod | kNeonI8mm},
};
#else
constexpr std::array kLevels{Level{"reference", kNone}};
#endif

// What a level cannot do without; the rest of `allows` is used where present.
Mask needs_of(const Level& level) noexcept {
  // Many CPUs with AVX-512 lack the 256-bit VEX form of vpdpbusd.
  if (has(level.allows, kAvx512)) return level.allows & ~kAvxVnni;
  return level.allows;
}

}  // namespace

std::span<const Level> levels() noexcept { return kLevels; }

Mask limited_to(std::string_view name, Mask detected) {
  if (name.empty()) return detected;
  for (const Level& level : kLevels) {
    if (level.name != name) continue;
    if (!has(detected, needs_of(level)))
      fail(Errc::unsupported, "BITNET_ISA=" + std::string(name) + ": this CPU lacks it; it has " +
                                  std::string(name_of(detected)));
    return detected & level.allows;
  }
  std::string known;
  for (const Level& level : kLevels) known += " " + std::string(level.name);
  fail(Errc::invalid_argument,
       "BITNET_ISA=" + printable(name) + " is not an ISA of this architecture; known:" + known);
}

Mask active() {
  static const Mask mask = [] {
    const char* name = std::getenv("BITNET_ISA");
    return limited_to(name ? name : "", detect());
  }();
  return mask;
}

std::string_view name_of(Mask mask) noexcept {
  std::string_view best = kLevels.front().name;
  for (const Level& level : kLevels)
    if (has(mask, needs_of(level))) best = level.name;
  return best;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  return "unknown";
}

}  // namespace bitnet::isa
