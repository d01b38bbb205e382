// SPDX-License-Identifier: MIT OR Apache-2.0
// Options that several commands share: the model and how to read it, threads, sampling.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "bitnet/generate/open_model.h"
#include "bitnet/generate/sampler.h"
#include "cli/profile_file.h"
#include "cli/speed_choice.h"

namespace bitnet::cli {

struct ModelOptions {
  std::string model;  // empty: the one that comes with the tool
  int threads = 0;    // 0: all CPUs
  /// "screened": the likeliest tokens by way of a sketch of the head; or "full".
  std::string head = "full";
  std::string packing = "auto";
  bool keep_dead_neurons = false;  // no option: the results are the same
  std::string kv = "f32";
  std::string activation, scale_meaning, i2s_layout, pre_tokenizer;

  void add_model(CLI::App& app);
  void add_threads(CLI::App& app);
  /// --head, screened unless it is given, and --packing.
  void add_speed(CLI::App& app);
  /// --kv
  void add_kv(CLI::App& app);
  /// How to read what a file leaves open.
  void add_overrides(CLI::App& app);
  void add_to(CLI::App& app) {
    add_model(app);
    add_threads(app);
    add_overrides(app);
  }

  std::string path() const;
  /// As --packing says: automatic where it is auto.
  TernaryPacking ternary_packing() const;
  KvType kv_type() const;
  OpenOptions open_options() const;
};

/// --draft
void add_draft(CLI::App& app, std::int64_t& most);
/// --temp, --top-k, …
void add_sampling(CLI::App& app, SamplingOptions& options);
/// Throws UsageError for a value out of range.
void check_sampling(const SamplingOptions& options);

/// A model ready to compute.
struct OpenedModel {
  std::string path;
  SpeedChoice speed;
  Runtime runtime;
  double load_seconds = 0.0;
  LoadedModel loaded;
  Decoder decoder;

  explicit OpenedModel(const ModelOptions& options);
  const ModelConfig& config() const noexcept { return decoder.config(); }
};

/// Where --profile was given: measures the machine and writes the file, with facts about model and
/// machine before those of the command.
void write_profile(ProfileFile& profile, OpenedModel& model, Facts facts);

/// The tokenizer of a model; throws Error{unsupported} saying to use --ids where it has none.
Tokenizer tokenizer_of(const std::string& path, const ModelOptions& options);

/// What -c gives: `asked`, or where it is 0 the model's maximum, at most 4096.
std::int64_t context_size(std::int64_t asked, const ModelConfig& config);

/// "BitNetForCausalLM, 34.6 M parameters, 10 layers of 512, …"
std::string describe(const ModelConfig& config);
/// Weights of a model of this config, scales and norms not counted.
std::int64_t parameter_count(const ModelConfig& config);
/// Prints "bitnet: warning: …" lines.
void print_warnings(const std::vector<std::string>& warnings);

}  // namespace bitnet::cli
