# Cross build for 64-bit Arm under Linux; tests run in QEMU (user mode):
#   cmake -S . -B build-aarch64 --toolchain cmake/toolchain-aarch64.cmake
#   QEMU_CPU=neoverse-n1 ctest --test-dir build-aarch64
# QEMU_CPU=cortex-a57 has NEON alone, neoverse-n1 also sdot, max (the default) also smmla.
# Debian: g++-aarch64-linux-gnu, qemu-user-static, googletest.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)  # GoogleTest's build wants one
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)

find_program(BITNET_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(BITNET_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${BITNET_QEMU})
endif()

# Programs of this machine, libraries of the other. Header-only packages may come from anywhere.
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
