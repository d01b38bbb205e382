// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/storage/inactive_store.h"

#include <chrono>
#include <new>

#include "bitnet/memory/storage/codec.h"

namespace bitnet::storage {

struct Parked {
  PackedBlock block;
};

namespace {

std::uint64_t since(std::chrono::steady_clock::time_point begin) {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace

Parked* InactiveStore::park(std::span<const std::byte> content) noexcept {
  const auto begin = std::chrono::steady_clock::now();
  Parked* parked = nullptr;
  try {
    if (auto packed = pack_block(content)) parked = new Parked{std::move(*packed)};
  } catch (const std::bad_alloc&) {
    // No memory to save memory: the block stays as it is.
  }
  compress_ns_ += since(begin);
  if (!parked) {
    ++refused_;
    return nullptr;
  }
  ++packed_;
  ++blocks_;
  bytes_before_ += parked->block.bytes;
  bytes_after_ += parked->block.payload.size();
  return parked;
}

void InactiveStore::forget(const Parked& parked) noexcept {
  --blocks_;
  bytes_before_ -= parked.block.bytes;
  bytes_after_ -= parked.block.payload.size();
}

void InactiveStore::unpark(Parked* parked, std::span<std::byte> to) {
  const auto begin = std::chrono::steady_clock::now();
  unpack_block(parked->block, to);
  forget(*parked);
  ++unpacked_;
  decompress_ns_ += since(begin);
  delete parked;
}

void InactiveStore::discard(Parked* parked) noexcept {
  forget(*parked);
  delete parked;
}

CompressionMetrics InactiveStore::figures() const noexcept {
  return {blocks_,  bytes_before_, bytes_after_, packed_,
          refused_, unpacked_,     compress_ns_, decompress_ns_};
}

}  // namespace bitnet::storage
