// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet doctor: is this machine, and this build, fit to compute?
#include <cstdlib>
#include <map>

#include "bitnet/backend/cpu/self_test.h"
#include "bitnet/backend/cpu/ternary_lookup_op.h"
#include "bitnet/base/isa.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/io/json.h"
#include "bitnet/runtime/backends.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/line_reader.h"
#include "cli/model_path.h"
#include "cli/speed_choice.h"
#include "cli/terminal.h"
#include "cli/tuning_text.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Shows what this machine and this build are, then runs every kernel that this CPU can run on\n"
    "random data and compares the results, bit for bit, with the definition. Exits with 1 if one\n"
    "is wrong.";
constexpr const char* kExamples =
    "  bitnet doctor\n"
    "  BITNET_ISA=avx2 bitnet doctor     what is used when the instruction set is lowered\n"
    "  bitnet doctor --json";

struct Machine {
  std::string cpu, detected, chosen, why, levels, packing, backends, json, editing, model;
  os::MemoryInfo memory;
  int cpus = 0;
};

std::string embedded_model() {
  try {
    return model_path("");
  } catch (const Error&) {
    return "not found";
  }
}

std::string json_support() {
  try {
    parse_json("{}", "");
    return "nlohmann-json " BITNET_JSON_VERSION;
  } catch (const Error&) {
    return "off (Hugging Face folders cannot be read)";
  }
}

// How "--packing auto" keeps ternary weights, and why.
std::string packing() {
  if (stored_tuning().tuning) return tuning_reason(*stored_tuning().tuning);
  const cpu::TernaryRates& rates = cpu::ternary_rates();
  const auto giga = [](double rate) { return fixed(rate / 1e9, 0); };
  return std::string(cpu::lookup_is_faster() ? "1.6" : "2") + " bits a weight (a core multiplies " +
         giga(rates.lookup) + " G weights a second at 1.6 bits, " + giga(rates.linear) + " G at 2)";
}

std::string tuning() {
  const StoredTuning& stored = stored_tuning();
  if (stored.tuning) return "weights and threads as measured, " + stored.path;
  return stored.ignored.empty() ? "not tuned: run 'bitnet tune'" : not_used(stored);
}

Machine look() {
  Machine m;
  m.cpu = isa::cpu_name();
  m.cpus = os::usable_cpus();
  m.memory = os::memory_info();
  m.detected = isa::name_of(isa::detect());
  m.chosen = isa::name_of(isa::active());
  const char* wish = std::getenv("BITNET_ISA");
  m.why = wish && *wish ? "BITNET_ISA=" + std::string(wish) : "the best this CPU has";
  for (const isa::Level& level : isa::levels())
    m.levels += (m.levels.empty() ? "" : ", ") + std::string(level.name);
  m.packing = packing();
  for (const Backend& backend : backends())
    m.backends += (m.backends.empty() ? "" : ", ") + std::string(backend.name);
  m.json = json_support();
  m.editing = has_line_editing() ? "libedit" : "off (plain lines in chat)";
  m.model = embedded_model();
  return m;
}

void print_machine(const Machine& m) {
  print_text(
      "bitnet     " BITNET_VERSION ", " BITNET_COMPILER "\ncpu        " + m.cpu + ", " +
      counted(m.cpus, "usable CPU") + "\nkernels    " + m.chosen + " (" + m.why + "; detected " +
      m.detected + "; BITNET_ISA takes " + m.levels + ")\nweights    " + m.packing +
      "\ntuning     " + tuning() + "\nmemory     " + bytes_in_words(m.memory.total_bytes) + ", " +
      bytes_in_words(m.memory.available_bytes) + " available\nbackends   " + m.backends +
      "\njson       " + m.json + "\nediting    " + m.editing + "\nmodel      " + m.model + "\n");
  if (stored_tuning().tuning)
    print_text("\nG weights a second, as bitnet tune measured\n" +
               tuning_table(*stored_tuning().tuning));
}

// A line for each family: "rms_norm  avx512 ok*  avx2 ok  reference ok".
void print_checks(const std::vector<cpu::KernelCheck>& checks) {
  std::vector<std::pair<std::string_view, std::string>> lines;
  for (const cpu::KernelCheck& c : checks) {
    if (lines.empty() || lines.back().first != c.family) lines.emplace_back(c.family, "");
    lines.back().second += "  " + std::string(c.isa) +
                           (!c.available ? " -"
                            : c.ok       ? " ok"
                                         : " FAILED") +
                           (c.chosen ? "*" : "");
  }
  print_text("\nself-test (* in use, - not on this CPU)\n");
  for (const auto& [family, states] : lines)
    print_text("  " + pad_right(std::string(family), 18) + states + "\n");
  for (const cpu::KernelCheck& c : checks)
    if (c.available && !c.ok)
      print_text("FAILED " + std::string(c.family) + " " + std::string(c.isa) + ": " + c.detail +
                 "\n");
}

void print_json(const Machine& m, const std::vector<cpu::KernelCheck>& checks, bool good) {
  JsonWriter json;
  json.begin_object().member("version", BITNET_VERSION).member("compiler", BITNET_COMPILER);
  json.member("cpu", m.cpu).member("usable_cpus", m.cpus).member("isa_detected", m.detected);
  json.member("isa_chosen", m.chosen).member("isa_reason", m.why);
  json.member("packing", best_layout() == WeightLayout::tiles ? "1.6bit" : "2bit");
  json.member("packing_reason", m.packing).key("tuning");
  if (const StoredTuning& stored = stored_tuning(); stored.tuning) {
    json.begin_object().member("path", stored.path);
    write_tuning(json, *stored.tuning);
    json.end_object();
  } else {
    json.null();
  }
  json.key("tuning_not_used");
  stored_tuning().ignored.empty() ? json.null() : json.value(stored_tuning().ignored);
  json.member("memory_bytes", m.memory.total_bytes);
  json.member("available_bytes", m.memory.available_bytes);
  json.member("backends", m.backends).member("json", m.json).member("line_editing", m.editing);
  json.member("embedded_model", m.model).member("ok", good).key("kernels").begin_array();
  for (const cpu::KernelCheck& c : checks)
    json.begin_object()
        .member("family", c.family)
        .member("isa", c.isa)
        .member("available", c.available)
        .member("in_use", c.chosen)
        .member("ok", c.ok)
        .member("detail", c.detail)
        .end_object();
  print_text(json.end_array().end_object().text());
}

}  // namespace

int doctor_main(int argc, const char* const* argv) {
  bool json = false;
  CommandLine line("doctor", kDescription, kExamples);
  line->add_flag("--json", json, "Print one JSON object");
  if (!line.parse(argc, argv)) return 0;

  const Machine machine = look();
  const std::vector<cpu::KernelCheck> checks = cpu::self_test();
  bool good = true;
  for (const cpu::KernelCheck& c : checks) good = good && (c.ok || !c.available);
  if (json) {
    print_json(machine, checks, good);
  } else {
    print_machine(machine);
    print_checks(checks);
    print_text(good ? "all kernels of this CPU are right\n" : "");
  }
  if (!good) fail(Errc::internal, "a kernel computes wrong results on this machine; do not use it");
  return 0;
}

}  // namespace bitnet::cli
