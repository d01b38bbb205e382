// SPDX-License-Identifier: MIT OR Apache-2.0
// What a GGUF file keeps of the Hugging Face folder it was made from.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet/io/gguf.h"
#include "bitnet/io/gguf_writer.h"

namespace bitnet {

/// Documents of a folder, and the header of each of its safetensors files.
struct SourceFiles {
  std::vector<std::pair<std::string, std::string>> documents;  // file name, content
  std::vector<std::pair<std::string, std::string>> headers;    // file name, header text
  std::vector<float> weight_scales;  // as stored in the folder (gamma or 1 / gamma), [layers * 7]

  bool empty() const noexcept { return headers.empty(); }
};

/// Reads what is to be kept: config.json, tokenizer.json, tokenizer_config.json,
/// generation_config.json, special_tokens_map.json, chat_template.jinja, the shard index; and all
/// headers.
SourceFiles read_source_files(const std::string& folder);

/// Puts them into a file's key/values (bitnet_core.source.*), and takes them out again. Names are
/// plain file names of the list above (or *.safetensors): FileError E_PATH otherwise.
void write_source_files(const SourceFiles& files, GgufWriter& writer);
SourceFiles read_source_files(const GgufFile& file);

}  // namespace bitnet
