// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/runtime/tuning.h"

#include <algorithm>

#include "bitnet/base/isa.h"
#include "bitnet/base/os/cpu_cache.h"
#include "bitnet/base/os/memory.h"

namespace bitnet {
namespace {

constexpr double kOutweighs = 1.03, kAsFast = 0.98;
constexpr std::size_t kMaxNameBytes = 200;

// As the file may hold it: ASCII without control characters, no space at either end.
std::string plain(std::string_view name) {
  std::string text;
  for (const char c : name.substr(0, kMaxNameBytes)) text += c >= 0x20 && c < 0x7f ? c : '?';
  while (!text.empty() && text.back() == ' ') text.pop_back();
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return text.empty() ? "unknown" : text;
}

template <class Rate>
double best(const Tuning& tuning, const Rate& rate) {
  double most = 0;
  for (const ThreadRates& row : tuning.rows) most = std::max(most, rate(row));
  return most;
}

template <class Rate>
int fewest_threads(const Tuning& tuning, const Rate& rate) {
  const double enough = kAsFast * best(tuning, rate);
  for (const ThreadRates& row : tuning.rows)
    if (rate(row) >= enough) return static_cast<int>(row.threads);
  return 1;
}

}  // namespace

MachineIdentity this_machine() {
  MachineIdentity machine;
  machine.cpu = plain(isa::cpu_name());
  machine.isa = isa::name_of(isa::active());
  machine.cpus = os::usable_cpus();
  for (int level = 1; level <= 3; ++level)
    machine.cache_bytes[level - 1] = std::max<std::int64_t>(os::cache_bytes(level), 0);
  return machine;
}

double bytes_per_weight(WeightLayout layout) noexcept {
  return layout == WeightLayout::tiles ? 0.2 : 0.25;
}

double roofline(const ThreadRates& row, WeightLayout layout) noexcept {
  return std::min(static_cast<double>(row.read) / bytes_per_weight(layout),
                  static_cast<double>(row.of(layout).cached));
}

TuningChoice choose(const Tuning& tuning) {
  using enum WeightLayout;
  const auto expected = [&](WeightLayout layout) {
    return best(tuning, [&](const ThreadRates& row) { return roofline(row, layout); });
  };
  const auto measured = [&](WeightLayout layout) {
    return best(tuning,
                [&](const ThreadRates& r) { return static_cast<double>(r.of(layout).memory); });
  };
  TuningChoice choice;
  choice.layout = expected(tiles) > expected(two_bits) ? tiles : two_bits;
  const WeightLayout other = choice.layout == tiles ? two_bits : tiles;
  if (measured(other) > kOutweighs * measured(choice.layout)) {
    choice.layout = other;
    choice.against_roofline = true;
  }
  choice.decode_threads = fewest_threads(tuning, [&](const ThreadRates& row) {
    return static_cast<double>(row.of(choice.layout).memory);
  });
  choice.prompt_threads = fewest_threads(tuning, [&](const ThreadRates& row) {
    return static_cast<double>(row.of(choice.layout).prompt);
  });
  return choice;
}

}  // namespace bitnet
