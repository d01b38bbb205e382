// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet convert: from one model format to another.
#include "bitnet/convert/convert.h"

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Writes a model in another format and checks that it computes the same logits. The result\n"
    "appears whole or not at all. A GGUF file made of a Hugging Face folder keeps what it takes "
    "to\n"
    "make the same folder again.";
constexpr const char* kExamples =
    "  bitnet convert folder model.gguf --type i2_s\n"
    "  bitnet convert model.gguf fast.gguf --tune\n"
    "  bitnet convert folder small.gguf --type tq1_0 --embedding-type q6_k\n"
    "  bitnet convert model.gguf folder --type hf";

std::optional<GgmlType> table_type_from_name(const std::string& name) {
  if (name == "f32") return GgmlType::f32;
  if (name == "f16") return GgmlType::f16;
  if (name == "bf16") return GgmlType::bf16;
  if (name == "q8_0") return GgmlType::q8_0;
  if (name == "q6_k") return GgmlType::q6_k;
  if (name == "q4_0") return GgmlType::q4_0;
  return std::nullopt;
}

double percent(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

void print_report(const std::string& out, const std::string& type, const ConvertReport& r) {
  print_text(out + ": " + type + ", " + bytes_in_words(r.result_bytes) + " (source " +
             bytes_in_words(r.source_bytes) + ")\n" + with_commas(r.ternary_weights) +
             " ternary weights, " + fixed(r.ternary_bits_per_weight, 3) + " bits each, " +
             fixed(percent(r.zero_weights, r.ternary_weights), 1) + " % zero\n");
  if (!r.checked)
    print_text("not checked\n");
  else if (r.identical)
    print_text("checked: the same logits, bit for bit\n");
  else
    print_text("checked: logits differ by at most " + fixed(r.max_logit_difference, 4) + "\n");
}

void print_json(const std::string& out, const std::string& type, const ConvertReport& r) {
  JsonWriter json;
  json.begin_object().member("path", out).member("type", type).member("bytes", r.result_bytes);
  json.member("source_bytes", r.source_bytes).member("ternary_weights", r.ternary_weights);
  json.member("zero_weights", r.zero_weights);
  json.member("ternary_bits_per_weight", r.ternary_bits_per_weight).member("checked", r.checked);
  json.member("identical", r.identical);
  json.member("max_logit_difference", r.max_logit_difference);
  print_text(json.end_object().text());
}

}  // namespace

int convert_main(int argc, const char* const* argv) {
  ModelOptions model;
  std::string in, out, type, table_type;
  bool tune = false, no_check = false, json = false;
  CommandLine line("convert", kDescription, kExamples);
  line->add_option("in", in, "Model to read: a GGUF file or a Hugging Face folder")
      ->required()
      ->type_name("");
  line->add_option("out", out, "File or folder to write")->required()->type_name("");
  auto* const types =
      line->add_option(
              "--type", type,
              "i2_s, tq1_0 or tq2_0 (GGUF), lt1_6 (GGUF for this tool alone), or hf (a folder)")
          ->check(CLI::IsMember({"i2_s", "tq1_0", "tq2_0", "lt1_6", "hf"}))
          ->type_name("TYPE");
  line->add_flag(
          "--tune", tune,
          "Instead of --type: i2_s or lt1_6, whichever this machine computes faster (bitnet "
          "tune), so that run uses the weights in the file as they are; any machine reads it")
      ->excludes(types);
  line->add_option("--embedding-type", table_type,
                   "Embedding and head in a GGUF file: f32, f16, bf16, q8_0, q6_k or q4_0 "
                   "(default: as they are)")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0", "q6_k", "q4_0"}))
      ->type_name("TYPE");
  line->add_flag("--no-check", no_check, "Do not compare the logits of source and result");
  model.add_threads(line.app());
  line->add_flag("--json", json, "Print one JSON object");
  model.add_overrides(line.app());
  if (!line.parse(argc, argv)) return 0;
  if (type.empty() && !tune) throw UsageError("convert: --type or --tune is required");
  if (tune) type = best_layout() == WeightLayout::tiles ? "lt1_6" : "i2_s";

  Progress progress("converting");
  ConvertOptions options;
  options.target = *convert_target_from_name(type);
  options.table_type = table_type_from_name(table_type);
  options.check = !no_check;
  options.open = model.open_options();
  options.progress = [&](const char* step, std::uint64_t done, std::uint64_t total) {
    progress.restart(step);
    progress.update(done, total);
  };
  Runtime runtime(model.threads);
  const ConvertReport report = convert(in, out, options, runtime);
  progress.clear();
  print_warnings(report.warnings);
  json ? print_json(out, type, report) : print_report(out, type, report);
  return 0;
}

}  // namespace bitnet::cli
