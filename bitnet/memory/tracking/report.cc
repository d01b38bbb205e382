// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/report.h"

#include <algorithm>

namespace bitnet {

const std::string& TrackingReport::tag_name(std::uint16_t tag) const {
  static const std::string kOther = "other";
  return tag < tag_names.size() ? tag_names[tag] : kOther;
}

const std::vector<std::string>& TrackingReport::frames(std::uint32_t site) const {
  static const std::vector<std::string> kNone;
  const auto found = std::find_if(stacks.begin(), stacks.end(),
                                  [&](const Stack& stack) { return stack.site == site; });
  return found == stacks.end() ? kNone : found->frames;
}

}  // namespace bitnet
