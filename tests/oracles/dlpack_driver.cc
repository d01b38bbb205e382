// SPDX-License-Identifier: MIT OR Apache-2.0
// A library that dlpack_oracle.py loads: arrays of .npy files as DLPack structs, and the other way.
#include <cstdio>
#include <cstring>

#include "bitnet/io/npy.h"
#include "bitnet/tensor/dlpack.h"

namespace {

using namespace bitnet;

WeakTensor last_opened;

// The struct that `make` gives for the file's array; null where anything throws.
template <class Make>
void* open_with(const char* path, const Make& make) noexcept {
  try {
    const Tensor tensor = NpyFile(path).read();
    last_opened = WeakTensor(tensor);
    return make(tensor);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return nullptr;
  }
}

template <class Struct>
int save(void* managed, const char* path) noexcept {
  try {
    write_npy(path, from_dlpack(static_cast<Struct*>(managed)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace

#define BITNET_EXPORT extern "C" __attribute__((visibility("default")))

BITNET_EXPORT void* driver_open(const char* path) { return open_with(path, to_dlpack); }

BITNET_EXPORT void* driver_open_before_1(const char* path) {
  return open_with(path, to_dlpack_before_1);
}

// A borrowed tensor, which readers must not write to.
BITNET_EXPORT void* driver_open_read_only(const char* path) {
  return open_with(path, [](const Tensor& own) {
    return to_dlpack(
        Tensor::borrow(own.dtype(), own.shape(), own.data(), std::make_shared<const Tensor>(own)));
  });
}

// Whether the memory of the array opened last is still held by somebody.
BITNET_EXPORT int driver_alive() { return !last_opened.expired(); }

BITNET_EXPORT int driver_save(void* managed, const char* path) {
  return save<dlpack::ManagedVersioned>(managed, path);
}

BITNET_EXPORT int driver_save_before_1(void* managed, const char* path) {
  return save<dlpack::Managed>(managed, path);
}
