// SPDX-License-Identifier: MIT OR Apache-2.0
// The tensors of a model file, whatever its format, as `bitnet inspect` shows them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bitnet/generate/open_model.h"
#include "bitnet/model/dead_neurons.h"

namespace bitnet::cli {

struct ListedTensor {
  std::string name;
  std::string type;                 // as the file says it: "U8", "I2_S"
  std::vector<std::int64_t> shape;  // rows first; of a packed ternary matrix: of its weights
  std::uint64_t bytes = 0;
  bool ternary = false;
  bool in_place = false;  // used where it lies in the file; otherwise converted into memory
  // Known once the model has been read:
  std::optional<double> scale;  // gamma; empty for one scale per 256 weights
  std::optional<double> zero_fraction;

  std::int64_t elements() const;
  double bits_per_weight() const;
};

struct TensorList {
  std::string format;  // "GGUF 3", "Hugging Face folder"
  ModelConfig config;
  std::vector<ListedTensor> tensors;  // in the order of names, numbers as numbers
  std::vector<std::string> warnings;
  std::vector<DeadNeurons> dead_neurons;  // of each layer, once the model has been read

  std::uint64_t bytes() const;
  std::uint64_t in_place_bytes() const;   // of the file's pages that computing needs
  std::uint64_t converted_bytes() const;  // of memory that loading fills
};

/// Reads headers only. Throws FileError as the loaders do.
TensorList list_tensors(const std::string& path, const OpenOptions& options);

/// Fills in scales, zero fractions and dead neurons from the model that was loaded.
void add_contents(TensorList& list, const LoadedModel& model);

}  // namespace bitnet::cli
