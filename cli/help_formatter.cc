// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/help_formatter.h"

#include "cli/format.h"

namespace bitnet::cli {
namespace {

constexpr std::size_t kTextColumn = 26, kLastColumn = 88;

// "-n,--predict N": the type without the ranges that CLI11 adds to it.
std::string names_of(const CLI::Option& option, bool is_positional) {
  if (is_positional) return option.get_name(true);
  std::string text = option.get_snames().empty() ? "    " : "";
  text += option.get_name(false, true);
  if (const std::size_t comma = text.find(','); comma != std::string::npos)
    text.insert(comma + 1, " ");
  const std::string type = option.get_type_name();
  const std::string shown = type.substr(0, type.find(':'));
  return shown.empty() || option.get_type_size() == 0 ? text : text + " " + shown;
}

std::string text_of(const CLI::Option& option) {
  std::string text = option.get_description();
  std::string value = option.get_default_str();
  if (value.starts_with('[') && value.ends_with(']')) value = value.substr(1, value.size() - 2);
  if (!value.empty()) text += " (default: " + value + ")";
  if (!option.get_envname().empty()) text += " [" + option.get_envname() + "]";
  return text;
}

}  // namespace

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  std::string usage = "\nusage: " + name + " [OPTIONS]";
  for (const CLI::Option* option : app->get_options())
    if (option->get_positional())
      usage += option->get_required() ? " " + option->get_name(true)
                                      : " [" + option->get_name(true) + "]";
  return usage + "\n";
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string out, line = pad_right("  " + names_of(*option, is_positional), kTextColumn);
  std::size_t at = line.size();
  if (at > kTextColumn || line.back() != ' ') {
    out = line + "\n";
    line.assign(kTextColumn, ' ');
    at = kTextColumn;
  }
  std::string word;
  for (const char c : text_of(*option) + " ") {
    if (c != ' ') {
      word += c;
      continue;
    }
    if (at > kTextColumn && at + word.size() + 1 > kLastColumn) {
      out += line + "\n";
      line.assign(kTextColumn, ' ');
      at = kTextColumn;
    }
    line += (at > kTextColumn ? " " : "") + word;
    at = line.size();
    word.clear();
  }
  return out + line + "\n";
}

}  // namespace bitnet::cli
