// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/command_line.h"

#include <algorithm>
#include <charconv>

#include "bitnet/base/os/file.h"
#include "cli/help_formatter.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr std::uint64_t kMaxTextBytes = 1u << 30;

// Levenshtein's distance.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string with_escapes(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t known = text[i] == '\\' && i + 1 < text.size()
                                  ? std::string_view("nrt\\\"'").find(text[i + 1])
                                  : std::string_view::npos;
    if (known == std::string_view::npos) {
      out += text[i];
      continue;
    }
    out += "\n\r\t\\\"'"[known];
    ++i;
  }
  return out;
}

}  // namespace

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names) {
  const std::string* best = nullptr;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : names)
    if (const std::size_t d = distance(name, candidate); d < least) {
      least = d;
      best = &candidate;
    }
  return best ? "; did you mean '" + *best + "'?" : "";
}

std::string hint_for(const Error& error) {
  if (error.code() == Errc::out_of_memory)
    return "\nhint: 'bitnet inspect' shows what a model needs; a shorter context (-c) needs less";
  const auto* file_error = dynamic_cast<const FileError*>(&error);
  if (!file_error) return "";
  const std::string& kind = file_error->fault().kind;
  if (kind == "E_TRUNCATED") return "\nhint: the file may be an unfinished download";
  if (kind == "E_DTYPE") return "\nhint: 'bitnet inspect' works on I2_S, TQ1_0, TQ2_0 and HF files";
  return "";
}

CommandLine::CommandLine(const std::string& command, const std::string& description,
                         const std::string& examples)
    : command_("bitnet " + command), app_(description, command_) {
  app_.footer("Examples:\n" + examples);
  app_.formatter(std::make_shared<HelpFormatter>());
  app_.set_help_flag("-h,--help", "Print this help");
}

bool CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_.parse(argc, argv);
    return true;
  } catch (const CLI::CallForHelp&) {
    std::string help = app_.help();
    for (std::size_t at; (at = help.find("\n\n\n")) != std::string::npos;) help.erase(at, 1);
    print_text(help + "\n");
    return false;
  } catch (const CLI::ExtrasError&) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app_.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    }
    const std::string extra = app_.remaining().front();
    fail_usage(extra.starts_with("-")
                   ? "no option '" + printable(extra) + "'" + did_you_mean(extra, names)
                   : "not understood: '" + printable(extra) + "'");
  } catch (const CLI::ParseError& e) {
    fail_usage(e.what());
  }
}

void CommandLine::fail_usage(const std::string& message) const {
  throw UsageError(message + "\n" + command_ + " --help lists the options");
}

CLI::Validator integer_from(std::int64_t least) {
  return CLI::Validator(
      [least](const std::string& text) -> std::string {
        std::int64_t value = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc{} && rest == end && value >= least) return "";
        return "expected an integer of at least " + std::to_string(least) + ", not '" +
               printable(text) + "'";
      },
      "");
}

std::vector<std::int32_t> parse_ids(const std::string& text) {
  std::vector<std::int32_t> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto skip = [&](const char* what) {
    while (at != end && std::string_view(what).find(*at) != std::string_view::npos) ++at;
  };
  for (skip(" \n[]"); at != end; skip(" \n,]")) {
    std::int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc{})
      throw UsageError("token ids are integers with commas between: '1,2,3', not '" +
                       printable(text) + "'");
    ids.push_back(id);
    at = next;
  }
  if (ids.empty()) throw UsageError("no token ids: say --ids 1,2,3");
  return ids;
}

std::string ids_text(std::span<const std::int32_t> ids) {
  std::string text;
  for (const std::int32_t id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

void PromptOptions::add_to(CLI::App& app) {
  text_option = app.add_option("-p,--prompt", text, "The text")->type_name("TEXT");
  file_option = app.add_option("-f,--file", file, "Read the text from a file; - is standard input")
                    ->type_name("FILE");
  file_option->excludes(text_option);
  app.add_flag("-e,--escape", escape, "Take \\n, \\r, \\t, \\\\, \\\" and \\' in -p as characters");
}

std::string PromptOptions::read() const {
  if (text_option->count() > 0) return escape ? with_escapes(text) : text;
  if (file_option->count() > 0 && file != "-") return os::read_file(file, kMaxTextBytes);
  if (file_option->count() == 0 && stdin_is_terminal())
    throw UsageError("no text: say -p TEXT or -f FILE, or pipe it in");
  return read_stdin(kMaxTextBytes);
}

}  // namespace bitnet::cli
