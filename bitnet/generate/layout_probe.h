// SPDX-License-Identifier: MIT OR Apache-2.0
// GGUF's I2_S exists in three byte layouts under one type number. Under a wrong one a model is
// confident garbage; this finds out by reading a short text.
#pragma once

#include <string>

#include "bitnet/generate/open_model.h"

namespace bitnet {

/// Loads with x86's layout. Where a short built-in text is not clearly likelier than chance under
/// it, the other two are tried as well; if one of them makes the text likelier by more than a nat a
/// token, throws FileError{corrupt_file} E_LAYOUT naming it and the flag (--i2s-layout). Models
/// without a tokenizer are taken as they are, with a warning.
LoadedModel load_with_layout_probe(const std::string& path, const LoadOptions& load,
                                   const OpenOptions& options, Runtime& runtime);

/// What --i2s-layout calls the layouts: "x86", "arm", "rows4".
std::string_view i2s_layout_name(PackedFormat layout) noexcept;
std::optional<PackedFormat> i2s_layout_from_name(std::string_view name) noexcept;

}  // namespace bitnet
