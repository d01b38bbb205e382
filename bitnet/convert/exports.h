// SPDX-License-Identifier: MIT OR Apache-2.0
// Writers of a loaded model: GGUF file, Hugging Face folder.
#pragma once

#include <optional>
#include <string>

#include "bitnet/convert/source_files.h"
#include "bitnet/generate/tokenizer/tokenizer.h"
#include "bitnet/io/gguf_types.h"
#include "bitnet/model/loader.h"

namespace bitnet {

/// What belongs to a model besides its weights.
struct ExportExtras {
  std::string name;  // general.name
  std::optional<Tokenizer> tokenizer = {};
  std::string chat_template = {};
  SourceFiles source = {};  // of the Hugging Face folder it came from, where known
};

/// Writes GGUF with ternary matrices of `type` (i2_s, tq1_0, tq2_0; lt1_6 of a model whose matrices
/// lie in tiles, model/pack_weights.h) and tables of `table_type` (nullopt: as they are). Throws
/// Error{unsupported} where the type cannot hold a shape, FileError{io} from the disk.
void export_gguf(const std::string& path, const LoadedModel& model, const ExportExtras& extras,
                 GgmlType type, std::optional<GgmlType> table_type);

/// Writes a folder that does not exist or is empty. With extras.source the documents and
/// safetensors headers are those of the source, byte for byte; else config.json, tokenizer.json and
/// one model.safetensors are composed.
void export_hf_folder(const std::string& path, const LoadedModel& model,
                      const ExportExtras& extras);

/// config.json, tokenizer.json and tokenizer_config.json for a model that came without them.
std::string compose_config_json(const ModelConfig& config);
std::string compose_tokenizer_json(const Tokenizer& tokenizer);

}  // namespace bitnet
