// SPDX-License-Identifier: MIT OR Apache-2.0
// Names for what memory is for: allocations inside a TagScope carry its tag.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet {

/// Index of an interned name, process-wide; 0 is "untagged". 12 bits, as in TrackingEvent.
struct Tag {
  std::uint16_t index = 0;
  friend bool operator==(const Tag&, const Tag&) = default;
};

inline constexpr std::uint16_t kMaxTags = 4096;

/// The tag of `name`, made at its first use; about 100 ns, so hot code keeps the Tag. Names beyond
/// 4094 share the tag "other". Thread-safe.
Tag intern_tag(std::string_view name);
/// "untagged" for 0; "other" for an index that has no name.
std::string tag_name(std::uint16_t index);

namespace detail {
inline constinit thread_local std::uint16_t thread_tag = 0;
}

inline std::uint16_t current_tag() noexcept { return detail::thread_tag; }

/// Allocations of this thread have the tag until the scope ends; scopes nest.
class TagScope {
 public:
  explicit TagScope(Tag tag) noexcept : outer_(detail::thread_tag) {
    detail::thread_tag = tag.index;
  }
  explicit TagScope(std::string_view name) : TagScope(intern_tag(name)) {}
  ~TagScope() { detail::thread_tag = outer_; }
  TagScope(const TagScope&) = delete;
  TagScope& operator=(const TagScope&) = delete;

 private:
  std::uint16_t outer_;
};

}  // namespace bitnet
