// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/cpu_cache.h"

#include <cstdio>
#include <cstring>

namespace bitnet::os {
namespace {

// The first word of /sys/devices/system/cpu/cpu0/cache/index<index>/<name>, empty where it is not
// there.
struct Word {
  char text[32] = "";
  Word(int index, const char* name) noexcept {
    char path[96];
    std::snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
    std::FILE* file = std::fopen(path, "re");
    if (!file) return;
    if (std::fscanf(file, "%31s", text) != 1) text[0] = 0;
    std::fclose(file);
  }
};

}  // namespace

std::int64_t cache_bytes(int level) noexcept {
  for (int index = 0; index < 8; ++index) {
    int found = 0;
    long long size = 0;
    char unit = 0;
    if (std::sscanf(Word(index, "level").text, "%d", &found) != 1 || found != level ||
        std::strcmp(Word(index, "type").text, "Instruction") == 0)
      continue;
    if (std::sscanf(Word(index, "size").text, "%lld%c", &size, &unit) < 1 || size < 0) return 0;
    return size * (unit == 'K' ? 1024 : unit == 'M' ? 1024 * 1024 : 1);
  }
  return 0;
}

}  // namespace bitnet::os
