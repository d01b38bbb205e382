// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/storage/codec.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/hash.h"
#include "bitnet/memory/storage/codec_rows.h"

namespace bitnet::storage {
namespace {

const std::vector<BlockCodec>& table() {
  static const std::vector<BlockCodec> rows = [] {
    std::vector<BlockCodec> made{ternary_codec()};
    for (const auto& row : {zstd_codec(), lz4_codec()})
      if (row) made.push_back(*row);
    return made;
  }();
  return rows;
}

// Byte k of all elements together; what is left over behind the last whole element stays last.
void regroup(std::span<const std::byte> from, std::byte* to, std::size_t element) {
  const std::size_t count = from.size() / element;
  for (std::size_t k = 0; k < element; ++k)
    for (std::size_t i = 0; i < count; ++i) to[k * count + i] = from[i * element + k];
  std::copy(from.begin() + static_cast<std::ptrdiff_t>(count * element), from.end(),
            to + count * element);
}

void ungroup(std::span<const std::byte> from, std::byte* to, std::size_t element) {
  const std::size_t count = from.size() / element;
  for (std::size_t k = 0; k < element; ++k)
    for (std::size_t i = 0; i < count; ++i) to[i * element + k] = from[k * count + i];
  std::copy(from.begin() + static_cast<std::ptrdiff_t>(count * element), from.end(),
            to + count * element);
}

// How many of some sampled bytes differ from the one `stride` before: less is better to compress.
std::size_t changes(std::span<const std::byte> content, std::size_t stride) {
  std::size_t count = 0;
  const std::size_t step = std::max<std::size_t>(1, content.size() / 4096);
  for (std::size_t i = stride; i < content.size(); i += step)
    count += content[i] != content[i - stride] ? 1u : 0u;
  return count;
}

std::uint8_t element_of(std::span<const std::byte> content) {
  const std::size_t one = changes(content, 1), two = changes(content, 2),
                    four = changes(content, 4);
  if (four < two && four < one) return 4;
  return two < one ? 2 : 1;
}

[[noreturn]] void fail_damaged(const char* what) {
  fail(Errc::corrupt_file, std::string("packed block: ") + what);
}

}  // namespace

std::span<const BlockCodec> codecs() noexcept { return table(); }

const BlockCodec* find_codec(CodecId id) noexcept {
  for (const BlockCodec& codec : table())
    if (codec.id == id) return &codec;
  return nullptr;
}

std::optional<PackedBlock> pack_block(std::span<const std::byte> content, double min_ratio) {
  if (content.empty()) return std::nullopt;
  PackedBlock block;
  block.bytes = content.size();
  block.checksum = xxh64(content);
  const auto good = [&](std::size_t bytes) {
    return bytes > 0 &&
           static_cast<double>(bytes) * min_ratio <= static_cast<double>(content.size());
  };
  const std::uint8_t element = element_of(content);
  std::vector<std::byte> grouped;
  for (const BlockCodec& codec : table()) {
    std::span<const std::byte> from = content;
    block.element_bytes = 1;
    if (codec.id != CodecId::ternary && element > 1) {
      if (grouped.empty()) {
        grouped.resize(content.size());
        regroup(content, grouped.data(), element);
      }
      from = grouped;
      block.element_bytes = element;
    }
    const std::size_t most = codec.bound(from.size());
    if (most == 0) continue;
    block.payload.resize(most);
    const std::size_t bytes = codec.compress(from, block.payload.data());
    if (!good(bytes)) continue;
    block.codec = codec.id;
    block.payload.resize(bytes);
    block.payload.shrink_to_fit();
    return block;
  }
  return std::nullopt;
}

PackedBlock pack_or_store(std::span<const std::byte> content) {
  if (auto packed = pack_block(content)) return std::move(*packed);
  PackedBlock block;
  block.bytes = content.size();
  block.checksum = xxh64(content);
  block.payload.assign(content.begin(), content.end());
  return block;
}

void unpack_block(const Packing& block, std::span<const std::byte> payload,
                  std::span<std::byte> to) {
  require(to.size() == block.bytes, "packed block: its place has another size");
  if (block.element_bytes != 1 && block.element_bytes != 2 && block.element_bytes != 4)
    fail_damaged("the size of its elements is none of 1, 2, 4");
  if (block.codec == CodecId::stored) {
    if (payload.size() != to.size()) fail_damaged("it is shorter or longer than it says");
    std::copy(payload.begin(), payload.end(), to.begin());
  } else {
    const BlockCodec* codec = find_codec(block.codec);
    if (!codec)
      fail(Errc::unsupported, "packed block: codec " +
                                  std::to_string(static_cast<int>(block.codec)) +
                                  " is not built in");
    if (block.element_bytes == 1) {
      if (!codec->decompress(payload, to)) fail_damaged("its payload does not unpack");
    } else {
      std::vector<std::byte> grouped(to.size());
      if (!codec->decompress(payload, grouped)) fail_damaged("its payload does not unpack");
      ungroup(grouped, to.data(), block.element_bytes);
    }
  }
  if (xxh64(to) != block.checksum) fail_damaged("its checksum is wrong");
}

}  // namespace bitnet::storage
