// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet memory: what the memory pools of running bitnet processes hold.
#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include "bitnet/base/error.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/memory_html.h"
#include "cli/memory_view.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Lists the running bitnet processes of this user with the memory their pools hold. With a\n"
    "process number it shows that pool in full: in a terminal live, until Ctrl-C. The commands "
    "run,\n"
    "chat, bench and perplexity show their pool; BITNET_MEMORY_PAGE=0 in their environment stops\n"
    "that.";
constexpr const char* kExamples =
    "  bitnet memory                       who runs, and with how much\n"
    "  bitnet memory 4711                  watch one\n"
    "  bitnet memory 4711 --once --json    its figures once, for programs\n"
    "  bitnet memory --html memory.html    all of them, as a page for a browser";

constexpr std::chrono::milliseconds kRedraw{250};

struct Options {
  std::int64_t pid = 0;
  bool once = false, json = false;
  std::string html_file;
};

// proc(5): the arguments, each ended by a zero.
std::string command_of(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  while (!text.empty() && text.back() == '\0') text.pop_back();
  for (char& c : text)
    if (c == '\0') c = ' ';
  return printable(text, 200);
}

std::optional<WatchedProcess> look_at(std::int64_t pid) {
  const auto page = storage::read_metrics_page(pid);
  if (!page) return std::nullopt;
  return WatchedProcess{*page, page->alive ? command_of(pid) : ""};
}

std::vector<WatchedProcess> all_processes() {
  std::vector<WatchedProcess> found;
  for (const std::int64_t pid : storage::list_metrics_pages())
    if (auto process = look_at(pid)) found.push_back(std::move(*process));
  return found;
}

WatchedProcess process_numbered(std::int64_t pid) {
  if (auto process = look_at(pid)) return std::move(*process);
  fail(Errc::invalid_argument, "process " + std::to_string(pid) +
                                   " shows no memory pool; bitnet memory lists those that do");
}

void write_html(const std::vector<WatchedProcess>& processes, const std::string& path) {
  const std::time_t now = std::time(nullptr);
  char when[32] = "";
  std::tm parts{};
  if (gmtime_r(&now, &parts)) std::strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &parts);
  std::ofstream file(path, std::ios::binary);
  file << memory_html(processes, when);
  file.close();
  if (!file.good()) fail(Errc::io, path + ": cannot be written");
}

// The other screen of a terminal, as pagers use it, and no cursor (xterm's control sequences).
class FullScreen {
 public:
  FullScreen() { print_text("\x1b[?1049h\x1b[?25l"); }
  ~FullScreen() {
    try {
      print_text("\x1b[?25h\x1b[?1049l");
      flush_text();
    } catch (const std::exception&) {  // nobody reads any more
    }
  }
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;
};

// Each line is cleared to its end and the rest of the screen below: no flicker.
std::string as_frame(const std::string& text) {
  std::string frame = "\x1b[H";
  for (const char c : text) frame += c == '\n' ? "\x1b[K\n" : std::string(1, c);
  return frame + "\x1b[J";
}

void watch(std::int64_t pid) {
  WatchedProcess last = process_numbered(pid);
  {
    const InterruptGuard interrupt;
    const FullScreen screen;
    while (last.page.alive && !InterruptGuard::interrupted()) {
      print_text(as_frame(process_text(last, terminal_columns()) + "\nCtrl-C leaves\n"));
      flush_text();
      std::this_thread::sleep_for(kRedraw);
      auto next = look_at(pid);
      last.page.alive = next.has_value();  // a page that is gone: its process ended in order
      if (next) last = std::move(*next);
    }
  }
  print_text(process_text(last, terminal_columns()));
}

void print_json(const std::vector<WatchedProcess>& processes, bool one) {
  JsonWriter json;
  if (one) {
    write_process(json, processes[0]);
  } else {
    json.begin_object().key("processes").begin_array();
    for (const WatchedProcess& process : processes) write_process(json, process);
    json.end_array().end_object();
  }
  print_text(json.text());
}

}  // namespace

int memory_main(int argc, const char* const* argv) {
  Options o;
  CommandLine line("memory", kDescription, kExamples);
  line->add_option("pid", o.pid, "A process to show in full")
      ->check(integer_from(1))
      ->type_name("PID");
  line->add_flag("--once", o.once, "Print once, in a terminal too");
  line->add_flag("--json", o.json, "Print one JSON object");
  line->add_option("--html", o.html_file, "Write a page for a browser")->type_name("FILE");
  if (!line.parse(argc, argv)) return 0;

  const bool one = o.pid != 0;
  if (one && !o.once && !o.json && o.html_file.empty() && stdout_is_terminal()) {
    watch(o.pid);
    return 0;
  }
  const std::vector<WatchedProcess> processes =
      one ? std::vector{process_numbered(o.pid)} : all_processes();
  if (!o.html_file.empty()) write_html(processes, o.html_file);
  if (o.json) {
    print_json(processes, one);
  } else if (one) {
    print_text(process_text(processes[0], terminal_columns()));
  } else {
    print_text(processes.empty() ? "no bitnet process shows its memory\n" : list_text(processes));
  }
  return 0;
}

}  // namespace bitnet::cli
