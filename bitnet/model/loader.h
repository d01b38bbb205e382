// SPDX-License-Identifier: MIT OR Apache-2.0
// From a file or folder to a model that can compute.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/base/thread_pool.h"
#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/model/config.h"
#include "bitnet/model/model_source.h"
#include "bitnet/model/weights.h"
#include "bitnet/ternary/formats.h"

namespace bitnet {

struct LoadOptions {
  ConfigOverrides overrides;
  /// Byte layout of I2_S tensors, one of PackedFormat::i2_s_*; x86's where the user says nothing.
  PackedFormat i2s_layout = PackedFormat::i2_s_x86;
  HybridMemoryPool* pool = &default_pool();
  ThreadPool* threads = nullptr;  // needed
  /// Called as tensors are read: bytes done of bytes to do.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

struct LoadedModel {
  ModelConfig config;
  std::shared_ptr<Weights> weights;
  std::shared_ptr<const ModelSource> source;
  std::vector<std::string> warnings;  // sentences: gaps in the file, tensors that are not used
};

/// Loads a Hugging Face folder or a GGUF file; ternary matrices are used in place where their
/// layout is block128, else converted; dense tensors are used in place. Formats and refusals:
/// docs/FORMATS.md. Throws FileError, Error{unsupported, out_of_memory}; nothing stays allocated
/// then.
LoadedModel load_model(const std::string& path, const LoadOptions& options);
LoadedModel load_hf_folder(const std::string& path, const LoadOptions& options);
LoadedModel load_gguf(const std::string& path, const LoadOptions& options);

/// Whether the path names a GGUF file (by its magic) or a folder; throws FileError E_IO / E_MAGIC
/// otherwise.
enum class ModelFileKind : std::uint8_t { hf_folder, gguf };
ModelFileKind detect_model_file(const std::string& path);

}  // namespace bitnet
