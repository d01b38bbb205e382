// SPDX-License-Identifier: MIT OR Apache-2.0
// The file of a tuning:
//   bitnet tuning 1
//   cpu AMD EPYC
//   isa avx512vbmi
//   cpus 2
//   caches 32768 1048576 33554432
//   threads 1 read 21512 two-bits 340123 71234 412311 tiles 301233 98123 402311
//   threads 2 ...
//   end
// with MachineIdentity's and ThreadRates' numbers in the order of their fields.
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "bitnet/base/error.h"
#include "bitnet/base/hash.h"
#include "bitnet/base/os/file.h"
#include "bitnet/base/thread_pool.h"
#include "bitnet/runtime/tuning.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "bitnet tuning ";
// Another number makes all files old: raised with their form, and when kernels of ternary layers
// become faster or slower.
constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMaxFileBytes = 8192;
constexpr std::size_t kMaxTextBytes = 200;

void append(std::string& text, std::string_view name, std::initializer_list<std::int64_t> numbers) {
  text += name;
  for (const std::int64_t number : numbers) text += ' ' + std::to_string(number);
}

// Takes words off the front of the text; each throws where the next bytes are others.
class Reader {
 public:
  Reader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  bool starts_with(std::string_view word) const { return rest().starts_with(word); }
  void word(std::string_view expected) {
    if (!starts_with(expected))
      fail(at_ == text_.size() ? "E_TRUNCATED" : "E_HEADER", printable(rest(), 40),
           "\"" + printable(expected) + "\"");
    at_ += expected.size();
  }
  // As std::to_string() writes it, `least` to `most`.
  std::int64_t number(std::int64_t least, std::int64_t most) {
    const std::string_view from = rest();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), value);
    const auto length = static_cast<std::size_t>(end - from.data());
    if (error != std::errc{} || value < least || value > most ||
        std::to_string(value) != from.substr(0, length))
      fail(from.empty() ? "E_TRUNCATED" : "E_HEADER", printable(from, 24),
           std::to_string(least) + " to " + std::to_string(most));
    at_ += length;
    return value;
  }
  // The rest of a line, of printable ASCII.
  std::string line() {
    const std::string_view from = rest().substr(0, kMaxTextBytes + 1);
    const std::size_t length = from.find('\n');
    const std::string_view text = from.substr(0, length);
    bool good = length != std::string_view::npos && !text.empty() && text.front() != ' ' &&
                text.back() != ' ';
    for (const char c : text) good = good && c >= 0x20 && c < 0x7f;
    if (!good) fail("E_HEADER", printable(text, 40), "a line of 1 to 200 characters");
    at_ += length + 1;
    return std::string(text);
  }
  void end() {
    if (at_ != text_.size()) fail("E_HEADER", printable(rest(), 40), "the end of the file");
  }
  [[noreturn]] void fail(const char* kind, const std::string& value, const std::string& limit) {
    throw FileError(Errc::corrupt_file, {kind, path_, at_, "tuning", value, limit});
  }

 private:
  std::string_view rest() const { return text_.substr(at_); }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

LayoutRates read_rates(Reader& in, std::string_view name) {
  LayoutRates rates;
  in.word(name);
  for (std::int64_t* rate : {&rates.cached, &rates.memory, &rates.prompt}) {
    in.word(" ");
    *rate = in.number(0, Tuning::kMaxRate);
  }
  return rates;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string cache_folder() {
  // An entry that is not absolute is not to be used (XDG Base Directory Specification).
  if (const std::string cache = environment("XDG_CACHE_HOME"); cache.starts_with('/'))
    return cache + "/bitnet";
  const std::string home = environment("HOME");
  return home.starts_with('/') ? home + "/.cache/bitnet" : "";
}

}  // namespace

std::string format_tuning(const Tuning& tuning) {
  const MachineIdentity& m = tuning.machine;
  std::string text(kMagic);
  text += std::to_string(kVersion) + "\ncpu " + m.cpu + "\nisa " + m.isa + "\n";
  append(text, "cpus", {m.cpus});
  append(text, "\ncaches", {m.cache_bytes[0], m.cache_bytes[1], m.cache_bytes[2]});
  for (const ThreadRates& row : tuning.rows) {
    append(text, "\nthreads", {row.threads});
    append(text, " read", {row.read});
    append(text, " two-bits", {row.two_bits.cached, row.two_bits.memory, row.two_bits.prompt});
    append(text, " tiles", {row.tiles.cached, row.tiles.memory, row.tiles.prompt});
  }
  return text + "\nend\n";
}

Tuning parse_tuning(std::string_view text, const std::string& path) {
  Reader in(text, path);
  if (!in.starts_with(kMagic)) in.fail("E_MAGIC", printable(text, 24), "\"bitnet tuning\"");
  in.word(kMagic);
  if (in.number(0, INT64_MAX) != kVersion)
    in.fail("E_VERSION", "another version", std::to_string(kVersion));
  Tuning tuning;
  in.word("\ncpu ");
  tuning.machine.cpu = in.line();
  in.word("isa ");
  tuning.machine.isa = in.line();
  in.word("cpus ");
  tuning.machine.cpus = in.number(1, 1 << 20);
  in.word("\ncaches");
  for (std::int64_t& bytes : tuning.machine.cache_bytes) {
    in.word(" ");
    bytes = in.number(0, std::int64_t{1} << 40);
  }
  for (std::int64_t least = 1; in.starts_with("\nthreads ");) {
    if (tuning.rows.size() == Tuning::kMaxRows)
      in.fail("E_COUNT", "more rows", "at most " + std::to_string(Tuning::kMaxRows));
    in.word("\nthreads ");
    ThreadRates& row = tuning.rows.emplace_back();
    row.threads = in.number(least, ThreadPool::kMaxThreads);
    least = row.threads + 1;
    in.word(" read ");
    row.read = in.number(1, Tuning::kMaxRate);
    row.two_bits = read_rates(in, " two-bits");
    row.tiles = read_rates(in, " tiles");
  }
  if (tuning.rows.empty()) in.word("\nthreads ");
  in.word("\nend\n");
  in.end();
  return tuning;
}

std::string tuning_path(const MachineIdentity& machine) {
  if (const char* said = std::getenv("BITNET_TUNING")) return said;
  const std::string folder = cache_folder();
  if (folder.empty()) return "";
  const std::string identity = format_tuning({machine, {}});
  char name[32];
  std::snprintf(name, sizeof name, "/tuning-%016llx",
                static_cast<unsigned long long>(xxh64(std::as_bytes(std::span(identity)))));
  return folder + name;
}

StoredTuning load_tuning() {
  const MachineIdentity machine = this_machine();
  StoredTuning stored{tuning_path(machine), {}, ""};
  std::error_code error;
  if (stored.path.empty() || !fs::exists(stored.path, error)) return stored;
  try {
    Tuning tuning = parse_tuning(os::read_file(stored.path, kMaxFileBytes), stored.path);
    if (tuning.machine == machine)
      stored.tuning = std::move(tuning);
    else
      stored.ignored = stored.path + ": measured on another machine (" +
                       printable(tuning.machine.cpu) + ", " + printable(tuning.machine.isa) + ", " +
                       std::to_string(tuning.machine.cpus) + " CPUs)";
  } catch (const FileError& e) {
    stored.ignored = e.what();
  }
  return stored;
}

std::string store_tuning(const Tuning& tuning) {
  const std::string path = tuning_path(tuning.machine);
  if (path.empty()) return path;
  std::error_code error;  // what is missing in the end is told by AtomicFile
  if (const fs::path folder = fs::path(path).parent_path(); !folder.empty())
    fs::create_directories(folder, error);
  os::AtomicFile file(path);  // a link at `path` is replaced, not followed
  file.write(format_tuning(tuning));
  file.commit();
  return path;
}

}  // namespace bitnet
