// SPDX-License-Identifier: MIT OR Apache-2.0
// The JSON parser of a build without nlohmann-json (BITNET_JSON=OFF).
#include "bitnet/base/error.h"
#include "bitnet/io/json.h"

namespace bitnet {

Json parse_json(std::string_view, const std::string& file, std::uint64_t, const JsonLimits&) {
  fail(Errc::unsupported, file + ": this build cannot read JSON (BITNET_JSON=OFF)");
}

}  // namespace bitnet
