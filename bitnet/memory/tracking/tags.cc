// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/tags.h"

#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace bitnet {
namespace {

constexpr std::uint16_t kOther = kMaxTags - 1;

struct Names {
  std::mutex mutex;
  std::vector<std::string> by_index{"untagged"};
  std::map<std::string, std::uint16_t, std::less<>> by_name{{"untagged", 0}};
};

/// Never destroyed: threads may end after main().
Names& names() {
  static Names* const kNames = new Names;
  return *kNames;
}

}  // namespace

Tag intern_tag(std::string_view name) {
  Names& all = names();
  const std::lock_guard lock(all.mutex);
  if (const auto found = all.by_name.find(name); found != all.by_name.end()) return {found->second};
  if (all.by_index.size() == kOther) return {kOther};
  const auto index = static_cast<std::uint16_t>(all.by_index.size());
  all.by_index.emplace_back(name);
  all.by_name.emplace(name, index);
  return {index};
}

std::string tag_name(std::uint16_t index) {
  Names& all = names();
  const std::lock_guard lock(all.mutex);
  return index < all.by_index.size() ? all.by_index[index] : "other";
}

}  // namespace bitnet
