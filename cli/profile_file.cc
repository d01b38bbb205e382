// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/profile_file.h"

#include <array>
#include <string_view>

#include "bitnet/base/error.h"
#include "bitnet/profile/export/chrome_trace.h"
#include "bitnet/profile/export/html.h"
#include "bitnet/profile/export/json.h"
#include "bitnet/profile/export/text.h"
#include "bitnet/profile/profiler.h"
#include "cli/command_line.h"
#include "cli/format.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

struct Format {
  std::string_view ending;
  std::string (*text)(const profile::Document&);
};

// The longer ending first where one is the end of another.
constexpr std::array kFormats{
    Format{".html", profile::to_html},
    Format{".trace.json",
           [](const profile::Document& d) { return profile::to_chrome_trace(d.report); }},
    Format{".json", profile::to_json},
    Format{".txt", profile::to_text},
};

const Format* format_of(std::string_view path) {
  for (const Format& format : kFormats)
    if (path.ends_with(format.ending)) return &format;
  return nullptr;
}

}  // namespace

ProfileFile::~ProfileFile() {
  if (wanted()) profile::stop();
}

void ProfileFile::add_to(CLI::App& app) {
  app.add_option("--profile", path_,
                 "Write where the time went, op by op: a page (.html), numbers (.json, .txt) or "
                 "all spans for ui.perfetto.dev (.trace.json)")
      ->type_name("FILE");
}

void ProfileFile::open() {
  if (!wanted()) return;
  if (format_of(path_) == nullptr)
    throw UsageError("--profile: '" + printable(path_) +
                     "' must end with .html, .json, .trace.json or .txt");
  if (os::is_directory(path_)) fail(Errc::io, path_ + ": is a directory");
  file_.emplace(path_);
}

void ProfileFile::start() {
  if (!wanted()) return;
  counters_.emplace();
  profile::start();
}

void ProfileFile::stop() {
  if (!wanted()) return;
  profile::stop();
  counts_ = counters_->read();
  counters_.reset();
}

void ProfileFile::write(const profile::Roof& roof, Facts facts) {
  if (!wanted()) return;
  const profile::Document document{profile::report(), roof, counts_, std::move(facts)};
  file_->write(format_of(path_)->text(document));
  file_->commit();
  print_error_text("profile written to " + path_ + "\n");
}

}  // namespace bitnet::cli
