# One arithmetic (docs/ARCHITECTURE.md 3.1): no contraction, no -ffast-math; fused multiply-adds are written out.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(bitnet_flags INTERFACE)
target_compile_options(bitnet_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion
  # False in GCC 12: "literal" + std::string (bug 105651), moved std::variant members.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  # False in GCC 12 too: an array of atomics indexed by a computed size class.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>
  # std::stable_sort of libstdc++ 12 calls what it itself calls deprecated.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
  -ffp-contract=off -fno-math-errno $<$<BOOL:${BITNET_WERROR}>:-Werror>)
if(BITNET_SANITIZE)
  target_compile_options(bitnet_flags INTERFACE -fsanitize=${BITNET_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(bitnet_flags INTERFACE -fsanitize=${BITNET_SANITIZE})
endif()
if(BITNET_BUILD_FUZZERS)
  # What libFuzzer steers by, in the harnesses and the library; kernels and tests stay without it.
  set(BITNET_COVERAGE -fsanitize=fuzzer-no-link)
  add_custom_target(fuzz)
endif()
