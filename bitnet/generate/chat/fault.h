// SPDX-License-Identifier: MIT OR Apache-2.0
// Errors of chat templates before the file's name is known.
#pragma once

#include <stdexcept>
#include <string>

#include "bitnet/base/error.h"

namespace bitnet::chat {

/// Thrown inside; ChatTemplate turns it into FileError{E_TEMPLATE}.
struct Fault {
  Errc code;
  std::size_t offset;  // byte in the template
  std::string what;
};

[[noreturn]] inline void fault(std::size_t offset, std::string what,
                               Errc code = Errc::corrupt_file) {
  throw Fault{code, offset, std::move(what)};
}

}  // namespace bitnet::chat
