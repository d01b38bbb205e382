// SPDX-License-Identifier: MIT OR Apache-2.0
// Where the model is: as the user says, or the one that comes with the tool.
#pragma once

#include <string>

namespace bitnet::cli {

/// The model that comes with the tool, a dictionary: an entry is written after "word\n".
inline constexpr const char* kEmbeddedModel = "wordbook-35m";

/// `given`, or where it is empty the embedded model: $BITNET_MODELS/wordbook-35m,
/// <executable>/../share/bitnet/models/wordbook-35m, or models/wordbook-35m in a folder above the
/// executable (a source tree). Throws Error{io} naming the places where it was looked for.
std::string model_path(const std::string& given);

/// Whether a path is that of the embedded model (by its name).
bool is_embedded_model(const std::string& path);

}  // namespace bitnet::cli
