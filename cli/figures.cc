// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/figures.h"

#include "bitnet/base/os/memory.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

struct Interrupted {};

double rate(std::int64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
}

std::string rate_text(double per_second) {
  return fixed(per_second, per_second < 100 ? 1 : 0) + " tokens/s";
}

}  // namespace

std::string_view to_string(StopReason reason) noexcept {
  switch (reason) {
    case StopReason::stop_token:
      return "stop_token";
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::context_full:
      return "context_full";
    case StopReason::cancelled:
      break;
  }
  return "cancelled";
}

double Figures::prompt_rate() const { return rate(prompt_tokens, prompt_seconds); }
double Figures::decode_rate() const { return rate(decode_steps, new_seconds); }

std::string Figures::line() const {
  std::string text = load_seconds > 0 ? "load " + fixed(load_seconds, 2) + " s | " : "";
  text += "prompt " + counted(prompt_tokens, "token") + ", " + rate_text(prompt_rate()) +
          " | text " + counted(new_tokens, "token");
  if (decode_steps > 0) text += ", " + rate_text(decode_rate());
  if (with_drafts)
    text += ", " + std::to_string(drafts.accepted) + " of " +
            counted(drafts.drafted, "draft token") + " accepted";
  if (stop == StopReason::context_full) text += ", context full";
  if (stop == StopReason::cancelled) text += ", interrupted";
  if (kv != KvType::f32)
    text += " | KV cache " + std::string(bitnet::to_string(kv)) + ", not exact";
  return text + " | peak memory " + bytes_in_words(os::memory_info().peak_resident_bytes) + "\n";
}

void Figures::write(JsonWriter& json) const {
  json.member("load_seconds", load_seconds)
      .member("prompt_tokens", prompt_tokens)
      .member("prompt_tokens_per_second", prompt_rate())
      .member("new_tokens", new_tokens)
      .member("decode_tokens_per_second", decode_rate())
      .member("drafted_tokens", drafts.drafted)
      .member("accepted_tokens", drafts.accepted)
      .member("kv", bitnet::to_string(kv))
      .member("peak_memory_bytes", os::memory_info().peak_resident_bytes);
}

void complete(Session& session, std::span<const std::int32_t> ids, const GenerateOptions& options,
              Figures& figures, const std::function<void(std::int32_t)>& on_token) {
  figures.prompt_tokens = static_cast<std::int64_t>(ids.size());
  figures.kv = session.kv_type();
  const Stopwatch prefill;
  try {
    Progress progress("reading the prompt");
    session.append(ids, [&](std::int64_t done, std::int64_t total) {
      progress.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
      if (InterruptGuard::interrupted()) throw Interrupted();
    });
  } catch (const Interrupted&) {
    figures.prompt_seconds = prefill.seconds();
    return;
  }
  figures.prompt_seconds = prefill.seconds();
  const std::size_t before = session.tokens().size();
  const Stopwatch decode;
  figures.stop = session.generate(options, [&](std::int32_t id) {
    ++figures.new_tokens;
    on_token(id);
    return !InterruptGuard::interrupted();
  });
  figures.new_seconds = decode.seconds();
  figures.with_drafts = options.max_draft > 0;
  figures.drafts = session.draft_counts();
  figures.decode_steps = static_cast<std::int64_t>(session.tokens().size() - before);
}

}  // namespace bitnet::cli
