// SPDX-License-Identifier: MIT OR Apache-2.0
// In place of inflate_zlib.cc where zlib is not built in.
#include "bitnet/io/inflate.h"

namespace bitnet {

std::unique_ptr<Inflater> make_inflater(std::span<const std::byte>) { return nullptr; }

}  // namespace bitnet
