// SPDX-License-Identifier: MIT OR Apache-2.0
// What a call threw, for tests.
#pragma once

#include <optional>

#include "bitnet/base/error.h"

namespace bitnet {

/// The code of the Error that `call` throws; nullopt where it throws none.
std::optional<Errc> code_of(auto&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

}  // namespace bitnet
