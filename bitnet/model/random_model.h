// SPDX-License-Identifier: MIT OR Apache-2.0
// Models of real shapes with random weights: for measuring speed and memory without a download.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "bitnet/model/loader.h"

namespace bitnet {

/// "2b4t", "700m", "3b", "8b", "falcon3-1b", …: the sizes of published ternary models.
std::vector<std::string_view> model_shape_names();
/// nullopt for a name that is not known.
std::optional<ModelConfig> model_shape(std::string_view name);

/// Part of the weights that is zero: what absmean leaves of trained BitNet b1.58 matrices, 0.42.
inline constexpr double kRandomZeroFraction = 0.42;

/// Ternary matrices of random codes, 0.42 of them zero, bf16 tables, norms of 1. The same seed
/// gives the same model on every machine, with any number of threads. 2b4t takes 1.2 GB and a few
/// seconds. Throws Error{out_of_memory}; {invalid_argument} as validate().
LoadedModel random_model(
    const ModelConfig& config, std::uint64_t seed, ThreadPool& threads,
    HybridMemoryPool& pool = default_pool(),
    const std::function<void(std::int64_t done, std::int64_t total)>& layers_made = {});

}  // namespace bitnet
