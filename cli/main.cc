// SPDX-License-Identifier: MIT OR Apache-2.0
// The bitnet tool: finds the command, runs it, turns exceptions into messages and exit codes.
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "bitnet/base/error.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

std::string overview() {
  std::string text = "bitnet " BITNET_VERSION
                     " - runs 1.58-bit (ternary) language models\n\n"
                     "usage: bitnet COMMAND [OPTIONS]\n\n";
  for (const Command& c : kCommands)
    text += "  " + pad_right(std::string(c.name), 12) + std::string(c.summary) + "\n";
  text +=
      "\nTry this; a small model, a dictionary, comes with the tool:\n"
      "  bitnet run -p river\n"
      "  bitnet bench\n\n"
      "  bitnet help COMMAND   options and examples of a command (also: bitnet COMMAND --help)\n"
      "  bitnet --version\n\n"
      "Environment: BITNET_MODEL (as -m), BITNET_THREADS (as -t), BITNET_MODELS (folder of the\n"
      "model that comes with the tool), BITNET_ISA (highest instruction set to use: bitnet "
      "doctor),\nBITNET_TUNING (file of bitnet tune; empty: none).\n"
      "Exit codes: 0 ok, 1 error, 2 wrong usage.\n";
  return text;
}

const Command* find_command(std::string_view name) {
  for (const Command& c : kCommands)
    if (c.name == name) return &c;
  return nullptr;
}

const Command& command_named(const std::string& name) {
  if (const Command* c = find_command(name)) return *c;
  std::vector<std::string> names{"help"};
  for (const Command& c : kCommands) names.emplace_back(c.name);
  throw UsageError("no command '" + printable(name) + "'" + did_you_mean(name, names) +
                   "\nbitnet --help lists the commands");
}

int dispatch(std::vector<const char*> args) {
  if (args.empty()) {
    print_error_text(overview());
    return 2;
  }
  const std::string first = args[0];
  if (first == "--version" || first == "-V" || first == "version") {
    print_text("bitnet " BITNET_VERSION "\n");
    return 0;
  }
  const bool help = first == "help" || first == "--help" || first == "-h";
  if (help && args.size() == 1) {
    print_text(overview());
    return 0;
  }
  if (help) args = {args[1], "--help"};
  const Command& command = command_named(args[0]);
  return command.main(static_cast<int>(args.size()), args.data());
}

int report(const std::string& message, int code) {
  print_error_text("bitnet: error: " + message + "\n");
  return code;
}

int guarded(int argc, char** argv) {
  try {
    prepare_process();
    const int code = dispatch({argv + (argc > 0 ? 1 : 0), argv + argc});
    flush_text();
    return code;
  } catch (const OutputClosed&) {
    return 0;  // the reader has seen enough
  } catch (const UsageError& e) {
    return report(e.what(), 2);
  } catch (const Error& e) {
    return report(e.what() + hint_for(e), 1);
  } catch (const std::bad_alloc&) {
    return report("out of memory; a shorter context (-c) needs less", 1);
  } catch (const std::exception& e) {
    return report(e.what(), 1);
  }
}

}  // namespace
}  // namespace bitnet::cli

int main(int argc, char** argv) { return bitnet::cli::guarded(argc, argv); }
