// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes safetensors files: whole or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/io/safetensors.h"
#include "bitnet/io/tensor_bytes.h"
#include "bitnet/tensor/view.h"

namespace bitnet {

struct SafetensorsItem {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  TensorBytes bytes;  // pushes exactly dtype x shape bytes
};

/// The elements of a view in row-major order; those of a contiguous one are not copied and must
/// outlive the writing. Throws Error{invalid_argument} where they are not in host memory.
SafetensorsItem safetensors_item(std::string name, const TensorView& view);

/// Writes the items in this order; the header is padded to a multiple of 8 with spaces.
/// Throws Error{invalid_argument} for a block dtype, a wrong shape, a repeated name or bytes that
/// do not add up, FileError{io} from the disk.
void write_safetensors(const std::string& path, std::span<const SafetensorsItem> items,
                       const SafetensorsFile::Metadata& metadata);

/// Writes `header` as it stands, so that a file can be made again byte for byte; items must be
/// those of the header, in the order of their offsets (Error{invalid_argument} otherwise).
void write_safetensors_verbatim(const std::string& path, std::string_view header,
                                std::span<const SafetensorsItem> items);

}  // namespace bitnet
