// SPDX-License-Identifier: MIT OR Apache-2.0
// In which layout ternary weights lie and how many threads compute, where the user says nothing:
// what `bitnet tune` has stored, or else what is measured when a model is loaded, and all CPUs.
#pragma once

#include <string>

#include "bitnet/model/decoder.h"
#include "bitnet/model/pack_weights.h"
#include "bitnet/runtime/tuning.h"

namespace bitnet::cli {

struct ModelOptions;

struct SpeedChoice {
  TernaryPacking packing = TernaryPacking::automatic;
  int threads = 0;                             // of the runtime; 0: all CPUs
  int decode_threads = 0, prompt_threads = 0;  // 0: all of these
  /// "given", "tuned", "measured" (of the layout alone), "all CPUs" (of the threads alone)
  std::string packing_from, threads_from;

  void apply(Decoder& decoder) const {
    if (decode_threads > 0) decoder.use_threads(decode_threads, prompt_threads);
  }
};
SpeedChoice speed_choice(const ModelOptions& options);

/// This machine's file, read once.
const StoredTuning& stored_tuning();
/// A sentence about a file that is there and not used.
std::string not_used(const StoredTuning& stored);
/// The layout that ternary weights should have on this machine.
WeightLayout best_layout();

/// "1.6 bits", "2 bits"
std::string name_of(WeightLayout layout);

}  // namespace bitnet::cli
