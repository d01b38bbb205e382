// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet tune: measures this machine once, for all runs to come.
#include "bitnet/runtime/measure_tuning.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/tuning_text.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Measures how fast this machine reads memory and computes ternary weights at 2 and at 1.6 "
    "bits,\n"
    "with 1, 2, 4, ... and all CPUs: a few seconds in which nothing else should run. The figures "
    "are\n"
    "kept in a small file. run, chat, bench, logits and perplexity take --packing and --threads "
    "from\n"
    "it where they are not given, and convert --tune the type of its result. A token's time is "
    "the\n"
    "longer of two: to read its weights, and to compute them. No bit of a result depends on this.\n"
    "The file is for this CPU, its number and caches, and BITNET_ISA; others do not use it. It "
    "lies\n"
    "in the user's cache folder, or where BITNET_TUNING says; set and empty means nowhere.";
constexpr const char* kExamples =
    "  bitnet tune\n"
    "  bitnet tune --json\n"
    "  BITNET_TUNING=machine.tuning bitnet tune\n"
    "  bitnet doctor                     what is in use, and why";

// Of what the two limits allow a quiet machine reaches three quarters and more.
constexpr double kQuiet = 0.6;

bool looks_busy(const Tuning& tuning) {
  const WeightLayout layout = choose(tuning).layout;
  for (const ThreadRates& row : tuning.rows)
    if (static_cast<double>(row.of(layout).memory) < kQuiet * roofline(row, layout)) return true;
  return false;
}

}  // namespace

int tune_main(int argc, const char* const* argv) {
  bool json = false;
  CommandLine line("tune", kDescription, kExamples);
  line->add_flag("--json", json, "Print one JSON object");
  if (!line.parse(argc, argv)) return 0;

  Progress progress("measuring");
  const Stopwatch watch;
  const Tuning tuning = measure_tuning([&](int done, int total) {
    progress.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
  });
  progress.clear();
  const double seconds = watch.seconds();
  const std::string path = store_tuning(tuning);
  if (json) {
    JsonWriter out;
    out.begin_object().member("path", path).member("seconds", seconds);
    out.member("looks_busy", looks_busy(tuning));
    write_tuning(out, tuning);
    print_text(out.end_object().text());
    return 0;
  }
  print_text(tuning.machine.cpu + ", " + tuning.machine.isa + ", " +
             counted(tuning.machine.cpus, "usable CPU") + "; measured in " + fixed(seconds, 1) +
             " s, in G weights a second:\n\n" + tuning_table(tuning) + "\n" +
             tuning_reason(tuning) + "\n" +
             (path.empty() ? "not stored: BITNET_TUNING is empty, or there is no home folder\n"
                           : "stored in " + path + "\n"));
  if (looks_busy(tuning))
    print_warnings(
        {"weights came far slower than memory and arithmetic allow: something else "
         "may be running; tune again when nothing does"});
  return 0;
}

}  // namespace bitnet::cli
