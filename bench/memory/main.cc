// SPDX-License-Identifier: MIT OR Apache-2.0
// bench_memory_<allocator> [--quick] [--variant NAME] [CASE…]: runs the cases or folders of
// cases (without names: all), a line of JSON for each number. Further names: list, check, version.
#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "bench/memory/adapter.h"
#include "bench/memory/cases.h"

namespace bitnet::bench {
namespace {

std::array<std::span<const Case>, 5> all_cases() {
  return {block_cases(), exchange_cases(), trace_cases(), resident_cases(), own_cases()};
}

/// Whether `name` is a case or a folder of cases; "" is all.
bool selects(std::string_view selection, std::string_view name) {
  return selection.empty() || (name.starts_with(selection) &&
                               (name.size() == selection.size() || name[selection.size()] == '/'));
}

/// Number of cases that `selection` selects, after running them.
int run_cases(std::string_view selection, const Effort& effort) {
  int count = 0;
  for (const std::span<const Case> cases : all_cases()) {
    for (const Case& one : cases) {
      if (!selects(selection, one.name)) continue;
      one.run(one, effort);
      ++count;
    }
  }
  return count;
}

bool run(std::string_view name, const Effort& effort) {
  if (name == "version") {
    std::printf("{\"allocator\":\"%s\",\"version\":\"%s\"}\n", Adapter::kName, Adapter::version());
    return true;
  }
  if (name == "list") {
    for (const std::span<const Case> cases : all_cases())
      for (const Case& one : cases) std::printf("%s\n", one.name);
    return true;
  }
  if (name == "check") {
    const bool good = check_blocks(effort);
    std::printf("{\"check\":\"%s\"}\n", good ? "ok" : "failed");
    return good;
  }
  if (run_cases(name, effort) > 0) return true;
  std::fprintf(stderr, "there is no case \"%.*s\"\n", static_cast<int>(name.size()), name.data());
  return false;
}

int run_all(int count, char** arguments) {
  Effort effort;
  std::string_view variant;
  int first = 1;
  for (; first < count && std::string_view(arguments[first]).starts_with("--"); ++first) {
    const std::string_view option = arguments[first];
    if (option == "--quick") {
      effort = Effort::quick();
    } else if (option == "--variant" && first + 1 < count) {
      variant = arguments[++first];
    } else {
      std::fprintf(stderr, "usage: %s [--quick] [--variant NAME] [CASE...]\n", arguments[0]);
      return 2;
    }
  }
  if (!Adapter::start(variant)) {
    std::fprintf(stderr, "%s: no variant \"%.*s\"\n", Adapter::kName,
                 static_cast<int>(variant.size()), variant.data());
    return 2;
  }
  bool good = true;
  for (int i = first; i < count; ++i) good = run(arguments[i], effort) && good;
  if (first == count) good = run("", effort);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace bitnet::bench

int main(int count, char** arguments) {
  try {
    return bitnet::bench::run_all(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
