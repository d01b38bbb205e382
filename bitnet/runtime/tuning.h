// SPDX-License-Identifier: MIT OR Apache-2.0
// What a machine was measured to do with ternary weights, what follows for how to run models on it,
// and the small file that keeps it (`bitnet tune`). Nothing here changes a bit of any result: only
// in which layout weights lie and how many threads compute.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

/// Layouts of ternary weights in memory.
enum class WeightLayout : std::uint8_t {
  two_bits,  // ternary/block128.h
  tiles,     // ternary/lookup_tiles.h, 1.6 bits
};

/// Which machine was measured, as far as it matters.
struct MachineIdentity {
  std::string cpu;                   // isa::cpu_name(), printable
  std::string isa;                   // level of isa::active(), which BITNET_ISA lowers
  std::int64_t cpus = 0;             // that this process may use
  std::int64_t cache_bytes[3] = {};  // levels 1 to 3, of the first CPU

  friend bool operator==(const MachineIdentity&, const MachineIdentity&) = default;
};
/// Throws as isa::active().
MachineIdentity this_machine();

/// Millions of weights a second, all threads together; 0: there are no kernels for the layout.
struct LayoutRates {
  std::int64_t cached = 0;  // one token, weights in each core's second cache: unpack and multiply
  std::int64_t memory = 0;  // one token, weights of a large model in memory
  std::int64_t prompt = 0;  // 128 tokens; times tokens

  friend bool operator==(const LayoutRates&, const LayoutRates&) = default;
};

/// What so many threads do.
struct ThreadRates {
  std::int64_t threads = 0;
  std::int64_t read = 0;  // MB (10^6 bytes) a second out of memory
  LayoutRates two_bits, tiles;

  const LayoutRates& of(WeightLayout layout) const noexcept {
    return layout == WeightLayout::tiles ? tiles : two_bits;
  }
  friend bool operator==(const ThreadRates&, const ThreadRates&) = default;
};

struct Tuning {
  static constexpr std::size_t kMaxRows = 16;
  static constexpr std::int64_t kMaxRate = 1'000'000'000'000;

  MachineIdentity machine;
  std::vector<ThreadRates> rows;  // 1 to kMaxRows, ascending by threads

  friend bool operator==(const Tuning&, const Tuning&) = default;
};

/// Bytes that a layout takes for a weight: 0.25, 0.2.
double bytes_per_weight(WeightLayout layout) noexcept;
/// Millions of weights a second of one token by the two terms alone, the slower of which counts:
/// bytes a weight by `read`, and `cached`.
double roofline(const ThreadRates& row, WeightLayout layout) noexcept;

struct TuningChoice {
  WeightLayout layout = WeightLayout::two_bits;
  int decode_threads = 1;  // for steps of few tokens
  int prompt_threads = 1;
  /// The direct measurement of the other layout was so much faster than the roofline let expect
  /// that it decided.
  bool against_roofline = false;
};
/// The layout whose best roofline is higher, the other one where it was measured a thirtieth
/// faster; of each number of threads the smallest within a fiftieth of the fastest.
TuningChoice choose(const Tuning& tuning);

/// The file: lines of text, one form for each content.
std::string format_tuning(const Tuning& tuning);
/// Strict: what it accepts, format_tuning() makes of the result. Throws FileError{corrupt_file}
/// E_MAGIC, E_VERSION, E_HEADER, E_COUNT, E_TRUNCATED; `path` is for the message.
Tuning parse_tuning(std::string_view text, const std::string& path);

/// Where this machine's file is: what BITNET_TUNING says, or a file of the user's cache folder
/// ($XDG_CACHE_HOME/bitnet, ~/.cache/bitnet) that is named after a hash of the identity, so that
/// machines may share a home. Empty: nowhere (BITNET_TUNING is set and empty, or there is no home).
std::string tuning_path(const MachineIdentity& machine);

struct StoredTuning {
  std::string path;
  std::optional<Tuning> tuning;
  std::string ignored;  // why a file that is there is not used; empty: no file, or it is used
};
/// Reads this machine's file. What is damaged, of another version or machine is not used, and
/// nothing of the file's content throws. Throws as isa::active().
StoredTuning load_tuning();
/// Writes the file, whole or not at all, and its folder. Returns the path; empty where
/// tuning_path() is. Throws FileError{io}.
std::string store_tuning(const Tuning& tuning);

}  // namespace bitnet
