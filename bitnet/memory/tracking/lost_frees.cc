// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/lost_frees.h"

#include <algorithm>

namespace bitnet {

bool LostFrees::end_pass() {
  const bool any = any_.exchange(false, std::memory_order_acquire);
  if (any) passes_ = 2;
  if (passes_ == 0) return false;
  --passes_;
  now_.resize(kWords);
  before_.resize(kWords);
  before_.swap(now_);
  std::fill(now_.begin(), now_.end(), 0);
  if (!any) return true;
  for (std::size_t i = 0; i < kWords; ++i)
    if (noted_[i].load(std::memory_order_relaxed) != 0)
      now_[i] = noted_[i].exchange(0, std::memory_order_acquire);
  return true;
}

}  // namespace bitnet
