// SPDX-License-Identifier: MIT OR Apache-2.0
// The structs that array libraries of one process hand each other. The binary interface is that of
// DLPack 1.x (dmlc.github.io/dlpack/latest/c_api.html; the project's header is Apache-2.0, nothing
// of it is copied here): field order, widths and numbers are facts of the interface.
#pragma once

#include <cstdint>

namespace bitnet::dlpack {

struct Version {
  std::uint32_t major, minor;
};
/// Another major version has another struct behind the deleter.
inline constexpr Version kVersion{1, 1};

inline constexpr std::int32_t kCpu = 1;  // of device types

struct Device {
  std::int32_t type, id;
};

enum class Code : std::uint8_t {
  int_ = 0,
  uint = 1,
  float_ = 2,
  bfloat = 4,
  complex = 5,
  bool_ = 6
};

struct DataType {
  std::uint8_t code;  // Code
  std::uint8_t bits;  // of an element
  std::uint16_t lanes;
};

/// Element (i, j, …) begins at data + byte_offset + bits / 8 * (i * strides[0] + j * strides[1] …).
/// strides is null for row-major (before 1.2). Elements of less than 8 bits are packed, the first
/// in the low bits, unless kSubbytePadded.
struct Array {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;    // [ndim]
  std::int64_t* strides;  // [ndim], in elements
  std::uint64_t byte_offset;
};

/// Before version 1; capsules named "dltensor".
struct Managed {
  Array array;
  void* context;
  void (*deleter)(Managed*);  // may be null
};

inline constexpr std::uint64_t kReadOnly = 1, kIsCopied = 2, kSubbytePadded = 4;

/// Capsules named "dltensor_versioned".
struct ManagedVersioned {
  Version version;
  void* context;
  void (*deleter)(ManagedVersioned*);  // may be null
  std::uint64_t flags;
  Array array;
};

static_assert(sizeof(void*) != 8 ||
              (sizeof(Array) == 48 && sizeof(Managed) == 64 && sizeof(ManagedVersioned) == 80));

}  // namespace bitnet::dlpack
