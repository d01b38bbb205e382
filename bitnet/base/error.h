// SPDX-License-Identifier: MIT OR Apache-2.0
// Errors of the library: thrown at its front doors, never printed, never an abort.
#pragma once

#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bitnet {

enum class Errc {
  invalid_argument,
  out_of_memory,
  unsupported,
  corrupt_file,
  io,
  device_lost,
  internal,
};

/// "invalid_argument", "out_of_memory", …
std::string_view to_string(Errc code) noexcept;

/// Base of everything the library throws. what() is a sentence for people; code() is for programs.
class Error : public std::runtime_error {
 public:
  Error(Errc code, const std::string& message,
        std::source_location where = std::source_location::current())
      : std::runtime_error(message), code_(code), where_(where) {}

  Errc code() const noexcept { return code_; }
  const std::source_location& where() const noexcept { return where_; }

 private:
  Errc code_;
  std::source_location where_;
};

/// What is wrong with a file: which rule, where, what was seen, what is allowed.
struct FileFault {
  std::string kind;          // rule broken: "E_MAGIC", "E_COUNT", … (docs/FORMATS.md lists them)
  std::string file;          // path as the user gave it
  std::uint64_t offset = 0;  // byte offset in the file
  std::string field;         // "n_tensors", "tensor 'blk.0.attn_q.weight' dim 1", …
  std::string value;         // what was seen, printable
  std::string limit;         // what is allowed
};

/// A malformed or unreadable file. what() = "<file>: <field> at byte <offset>: <value>; <limit>
/// [<kind>]".
class FileError : public Error {
 public:
  FileError(Errc code, FileFault fault,
            std::source_location where = std::source_location::current());

  const FileFault& fault() const noexcept { return fault_; }

 private:
  FileFault fault_;
};

/// Throws Error{code} unless `condition`. Where the message is costly, test first and call fail().
inline void require(bool condition, const char* message, Errc code = Errc::invalid_argument,
                    std::source_location where = std::source_location::current()) {
  if (!condition) [[unlikely]]
    throw Error(code, message, where);
}

[[noreturn]] inline void fail(Errc code, const std::string& message,
                              std::source_location where = std::source_location::current()) {
  throw Error(code, message, where);
}

/// `text` with control characters, quotes and bytes that are not ASCII escaped, cut to `max_length`
/// with "…".
std::string printable(std::string_view text, std::size_t max_length = 80);

}  // namespace bitnet
