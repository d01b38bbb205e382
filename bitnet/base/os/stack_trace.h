// SPDX-License-Identifier: MIT OR Apache-2.0
// The calls that led here, and their names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bitnet::os {

/// Writes the return addresses of the calling frames, innermost first, leaving out this function
/// and the `skip` frames above it. Returns how many. Takes microseconds, allocates nothing.
std::size_t capture_stack(std::span<std::uintptr_t> frames, std::size_t skip) noexcept;

/// "bitnet::Tracker::poll()" where the program or its libraries know the name; else
/// "libfoo.so+0x1234", "0x1234". Takes up to milliseconds.
std::string describe_frame(std::uintptr_t address);

}  // namespace bitnet::os
