// SPDX-License-Identifier: MIT OR Apache-2.0
// One completion with its times, as `run` and `chat` print them.
#pragma once

#include <functional>

#include "bitnet/generate/session.h"
#include "cli/format.h"

namespace bitnet::cli {

struct Figures {
  double load_seconds = 0.0;
  std::int64_t prompt_tokens = 0, new_tokens = 0, decode_steps = 0;
  double prompt_seconds = 0.0, new_seconds = 0.0;
  bool with_drafts = false;
  DraftCounts drafts;
  KvType kv = KvType::f32;
  StopReason stop = StopReason::cancelled;

  explicit Figures(double load = 0.0) : load_seconds(load) {}
  double prompt_rate() const;
  /// Steps of one token a second: the first token costs none, it comes out of the prompt.
  double decode_rate() const;
  /// "load 0.05 s | prompt 4 tokens, 512 tokens/s | …" and a line end.
  std::string line() const;
  /// Members of an object that is open.
  void write(JsonWriter& json) const;
};

/// "stop_token", "max_tokens", "context_full", "cancelled"
std::string_view to_string(StopReason reason) noexcept;

/// Reads `ids` and writes tokens until something stops it; Ctrl-C (under an InterruptGuard) is one
/// of the things.
void complete(Session& session, std::span<const std::int32_t> ids, const GenerateOptions& options,
              Figures& figures, const std::function<void(std::int32_t)>& on_token);

}  // namespace bitnet::cli
