// SPDX-License-Identifier: MIT OR Apache-2.0
// The commands of the tool, one line each: a new command is a file and a line here.
#pragma once

#include <array>
#include <string_view>

namespace bitnet::cli {

/// argv[0] is the command's name. Returns the exit code: 0 ok, 2 usage; errors are thrown.
using CommandMain = int(int argc, const char* const* argv);
CommandMain run_main, chat_main, tokenize_main, logits_main, perplexity_main, inspect_main,
    convert_main, bench_main, tune_main, memory_main, doctor_main;

struct Command {
  std::string_view name;
  CommandMain* main;
  std::string_view summary;
};

inline constexpr std::array kCommands{
    Command{"run", run_main, "complete a text"},
    Command{"chat", chat_main, "talk to a model, line by line"},
    Command{"tokenize", tokenize_main, "text to token ids and back"},
    Command{"logits", logits_main, "write a model's logits to a NumPy file"},
    Command{"perplexity", perplexity_main, "measure how well a model predicts a text"},
    Command{"inspect", inspect_main, "show what a model file holds and what it will need"},
    Command{"convert", convert_main, "write a model in another format, checked"},
    Command{"bench", bench_main, "measure speed against the limits of this machine"},
    Command{"tune", tune_main, "measure this machine once, so that models run as fast as it can"},
    Command{"memory", memory_main, "watch the memory pool of a running command"},
    Command{"doctor", doctor_main, "check this machine and this build, kernel by kernel"},
};

}  // namespace bitnet::cli
