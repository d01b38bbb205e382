// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/speed_choice.h"

#include <algorithm>

#include "bitnet/runtime/backends.h"
#include "cli/common_options.h"

namespace bitnet::cli {

const StoredTuning& stored_tuning() {
  static const StoredTuning stored = load_tuning();
  return stored;
}

std::string not_used(const StoredTuning& stored) {
  return "tuning not used: " + stored.ignored + "; run 'bitnet tune'";
}

std::string name_of(WeightLayout layout) {
  return layout == WeightLayout::tiles ? "1.6 bits" : "2 bits";
}

WeightLayout best_layout() {
  if (stored_tuning().tuning) return choose(*stored_tuning().tuning).layout;
  const auto faster = backends().front().op_table().lookup_is_faster;
  return faster && faster() ? WeightLayout::tiles : WeightLayout::two_bits;
}

SpeedChoice speed_choice(const ModelOptions& options) {
  SpeedChoice choice;
  choice.packing = options.ternary_packing();
  choice.threads = options.threads;
  choice.packing_from = choice.packing == TernaryPacking::automatic ? "measured" : "given";
  choice.threads_from = options.threads == 0 ? "all CPUs" : "given";
  if (!stored_tuning().tuning) return choice;
  const TuningChoice tuned = choose(*stored_tuning().tuning);
  if (choice.packing == TernaryPacking::automatic) {
    choice.packing =
        tuned.layout == WeightLayout::tiles ? TernaryPacking::lookup : TernaryPacking::block128;
    choice.packing_from = "tuned";
  }
  if (options.threads == 0) {
    choice.decode_threads = tuned.decode_threads;
    choice.prompt_threads = tuned.prompt_threads;
    choice.threads = std::max(tuned.decode_threads, tuned.prompt_threads);
    choice.threads_from = "tuned";
  }
  return choice;
}

}  // namespace bitnet::cli
