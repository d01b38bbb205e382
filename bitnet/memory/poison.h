// SPDX-License-Identifier: MIT OR Apache-2.0
// Under AddressSanitizer an access to memory that no block holds is reported as one to freed heap.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define BITNET_POISONING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BITNET_POISONING 1
#endif
#endif

#ifdef BITNET_POISONING
#include <sanitizer/asan_interface.h>
#endif

namespace bitnet::memory {

#ifdef BITNET_POISONING
inline constexpr bool kPoisoning = true;
inline void poison(const void* memory, std::size_t bytes) noexcept {
  __asan_poison_memory_region(memory, bytes);
}
inline void unpoison(const void* memory, std::size_t bytes) noexcept {
  __asan_unpoison_memory_region(memory, bytes);
}
#else
inline constexpr bool kPoisoning = false;
inline void poison(const void*, std::size_t) noexcept {}
inline void unpoison(const void*, std::size_t) noexcept {}
#endif

}  // namespace bitnet::memory
