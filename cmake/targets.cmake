# Helpers that every folder's CMakeLists.txt uses. Paths are relative to the calling folder.
include(GoogleTest)

# Sources of the library.
function(bitnet_sources)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  target_sources(bitnet PRIVATE ${ARGN})
endfunction()

# Kernel files: compiled with the flags of their ISA, left out where the machine's architecture differs. Every kernel
# object is listed in BITNET_KERNEL_OBJECT_LIBS for the check that it exports no weak symbol.
function(bitnet_kernels family)
  set(index 0)
  foreach(file ${ARGN})
    bitnet_isa_flags(${file} flags arch)
    if(arch AND NOT arch STREQUAL CMAKE_SYSTEM_PROCESSOR)
      continue()
    endif()
    get_filename_component(stem ${file} NAME_WE)
    set(target bitnet_kernel_${family}_${stem})
    add_library(${target} OBJECT ${file})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE bitnet_flags)
    # Kernels are noexcept; with exceptions on, GCC gives each object a weak pointer to the runtime's
    # handler. GCC 12 warns falsely inside its own AVX-512 headers (__Y uninitialized).
    target_compile_options(${target} PRIVATE ${flags} -fno-exceptions $<$<CONFIG:Debug>:-O2>
      $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-uninitialized>)
    target_sources(bitnet PRIVATE $<TARGET_OBJECTS:${target}>)
    set_property(GLOBAL APPEND PROPERTY BITNET_KERNEL_TARGETS ${target})
  endforeach()
endfunction()

# bitnet_test(<name> SOURCES a_test.cc … [PER_ISA] [LIBS …]): a GoogleTest binary linked with the library.
# PER_ISA runs it again under BITNET_ISA=<each>, where the CPU lacks an ISA the tests report a visible skip.
function(bitnet_test name)
  if(NOT BITNET_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "PER_ISA" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE bitnet bitnet_flags GTest::gmock GTest::gtest_main ${ARG_LIBS})
  target_compile_definitions(${name} PRIVATE BITNET_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
  if(ARG_PER_ISA)
    foreach(isa reference avx2 avxvnni avx512vnni avx512vbmi neon_dotprod neon_i8mm)
      add_test(NAME ${name}.isa_${isa} COMMAND ${name} --gtest_brief=1)
      set_tests_properties(${name}.isa_${isa} PROPERTIES ENVIRONMENT BITNET_ISA=${isa} TIMEOUT 900
        SKIP_REGULAR_EXPRESSION "this CPU lacks;not an ISA of this architecture")
    endforeach()
  endif()
endfunction()

# bitnet_fuzz(<name> file.cc): a libFuzzer harness in the folder fuzz/, built by the target `fuzz`; needs clang and
# BITNET_BUILD_FUZZERS.
function(bitnet_fuzz name)
  if(BITNET_BUILD_FUZZERS)
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE bitnet bitnet_flags)
    target_compile_options(${name} PRIVATE ${BITNET_COVERAGE})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    add_dependencies(fuzz ${name})
  endif()
endfunction()

# bitnet_bench(<name> a_bench.cc …): a Google Benchmark binary.
function(bitnet_bench name)
  if(BITNET_BUILD_BENCHMARKS AND benchmark_FOUND)
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE bitnet bitnet_flags benchmark::benchmark_main)
  endif()
endfunction()
