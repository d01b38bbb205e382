// SPDX-License-Identifier: MIT OR Apache-2.0
// The weights of a Hugging Face folder: model.safetensors, or the shards that
// model.safetensors.index.json lists.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/io/safetensors.h"

namespace bitnet {

class SafetensorsFolder {
 public:
  struct Entry {
    const SafetensorsFile* file;
    const SafetensorsTensor* tensor;
    std::span<const std::byte> bytes() const noexcept { return file->bytes(*tensor); }
  };

  /// `path` is a folder, one .safetensors file, or an index (.json). Shards are plain file names
  /// ending in .safetensors and lie inside the index's folder, links resolved; nothing outside is
  /// opened. Throws FileError: E_PATH (a name that leads elsewhere), E_SHARD (shard missing, tensor
  /// not in its shard or in two), E_HEADER (index malformed), and what SafetensorsFile throws.
  explicit SafetensorsFolder(const std::string& path);

  /// Sorted by name.
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  /// nullptr where there is none of this name.
  const Entry* find(std::string_view name) const noexcept;
  const std::vector<std::unique_ptr<SafetensorsFile>>& files() const noexcept { return files_; }
  /// Throws FileError{io} E_IO if a file shrank or could not be read since it was opened.
  void check_intact() const;

 private:
  void open_index(const std::string& path);

  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::vector<Entry> entries_;
};

}  // namespace bitnet
