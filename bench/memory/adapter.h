// SPDX-License-Identifier: MIT OR Apache-2.0
// The allocator under test: one header of adapters/, chosen by CMake, one executable for each.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>

#include BITNET_BENCH_ADAPTER  // defines bitnet::bench::Adapter

namespace bitnet::bench {

/// Calls go straight to the allocator: no interposing, no function pointers.
template <class T>
concept IsAdapter = requires(void* block, std::size_t bytes, std::string_view variant) {
  { T::kName } -> std::convertible_to<const char*>;
  { T::version() } -> std::convertible_to<const char*>;
  // Once, before all else; false where there is no such variant ("" is the plain one).
  { T::start(variant) } -> std::same_as<bool>;
  { T::allocate(bytes) } -> std::same_as<void*>;          // aligned to 64 bytes
  { T::allocate_natural(bytes) } -> std::same_as<void*>;  // aligned to 16 bytes
  T::deallocate(block, bytes);                            // `bytes` as asked for; by any thread
  T::trim();                                              // gives what is free back to the system
};
static_assert(IsAdapter<Adapter>);

}  // namespace bitnet::bench
