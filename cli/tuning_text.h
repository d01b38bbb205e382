// SPDX-License-Identifier: MIT OR Apache-2.0
// A tuning for people and for programs.
#pragma once

#include <string>

#include "bitnet/base/json_writer.h"
#include "bitnet/runtime/tuning.h"

namespace bitnet::cli {

/// What was measured, a line for each number of threads and layout.
std::string tuning_table(const Tuning& tuning);
/// "1.6 bits a weight, 2 threads; …": what follows, and from which terms.
std::string tuning_reason(const Tuning& tuning);
/// Members of an object: the choice and all rates.
void write_tuning(JsonWriter& json, const Tuning& tuning);

}  // namespace bitnet::cli
