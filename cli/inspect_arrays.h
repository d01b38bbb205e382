// SPDX-License-Identifier: MIT OR Apache-2.0
// Files that hold arrays and are no model, as `bitnet inspect` shows them.
#pragma once

#include <string>

namespace bitnet::cli {

/// Whether the name ends as one of a file of arrays does: .npy, .npz, .bnt.
bool is_array_file(const std::string& path);

/// Prints what the file holds; unless `quick`, checks everything that has a checksum and gives that
/// error after the table. Throws FileError as the readers.
void inspect_arrays(const std::string& path, bool quick, bool json);

}  // namespace bitnet::cli
