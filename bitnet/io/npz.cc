// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/npz.h"

#include <algorithm>
#include <cstring>

#include "bitnet/base/hash.h"
#include "bitnet/io/inflate.h"

namespace bitnet {
namespace {

constexpr std::string_view kSuffix = ".npy";

/// The content of a member from its beginning to its end, stored or deflated.
class Content {
 public:
  Content(const Source& file, const ZipMember& member)
      : member_(member),
        name_(std::span<const std::byte>(), file.name() + "[" + printable(member.name) + "]"),
        packed_(file.bytes().subspan(member.offset, member.packed_bytes)) {
    if (member.method == kZipDeflated) inflater_ = make_inflater(packed_);
    if (member.method != kZipStored && !inflater_)
      name_.fail("E_CODEC", 0, "method", std::to_string(member.method),
                 member.method == kZipDeflated ? "0 (stored): this build has no zlib"
                                               : "0 (stored) or 8 (deflated)",
                 Errc::unsupported);
  }

  /// For messages.
  const Source& name() const noexcept { return name_; }

  /// Everything before the data; reads no further.
  std::vector<std::byte> head() {
    std::vector<std::byte> head(std::min<std::uint64_t>(12, member_.bytes));
    read(head);
    const auto bytes = npy_data_offset(head, member_.bytes, name_);
    const std::size_t begun = std::min<std::size_t>(head.size(), bytes);
    head.resize(bytes);
    read(std::span(head).subspan(begun));
    return head;
  }

  void read(std::span<std::byte> to) {
    if (to.empty()) return;
    if (inflater_) {
      const auto got = inflater_->read(to);
      if (got != to.size())
        name_.fail("E_BLOCK", done_, "deflated content",
                   got ? "ends at byte " + std::to_string(done_ + *got) : "damaged",
                   std::to_string(member_.bytes) + " bytes");
    } else {
      std::memcpy(to.data(), packed_.data() + done_, to.size());
    }
    done_ += to.size();
    crc_ = crc32(to, crc_);
  }

  void check_end() {
    std::byte beyond;
    if (inflater_ && (inflater_->read({&beyond, 1}) != 0 || !inflater_->at_end()))
      name_.fail("E_SIZE", done_, "deflated content", "goes on",
                 "ends after " + std::to_string(member_.bytes) + " bytes");
    if (crc_ != member_.crc)
      name_.fail("E_CHECKSUM", 0, "CRC-32", std::to_string(crc_), std::to_string(member_.crc));
  }

 private:
  const ZipMember& member_;
  Source name_;
  std::span<const std::byte> packed_;
  std::unique_ptr<Inflater> inflater_;
  std::uint64_t done_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace

NpzFile::NpzFile(Source source) : source_(std::move(source)) {
  arrays_ = read_zip_directory(source_);
  std::erase_if(arrays_, [](const ZipMember& m) { return !m.name.ends_with(kSuffix); });
  for (ZipMember& array : arrays_) array.name.resize(array.name.size() - kSuffix.size());
  source_.check_intact();
}

const ZipMember* NpzFile::find(std::string_view name) const noexcept {
  const auto at = std::find_if(arrays_.begin(), arrays_.end(),
                               [&](const ZipMember& array) { return array.name == name; });
  return at == arrays_.end() ? nullptr : &*at;
}

NpyHeader NpzFile::header(const ZipMember& array) const {
  Content content(source_, array);
  const NpyHeader header = parse_npy_header(content.head(), array.bytes, content.name());
  source_.check_intact();
  return header;
}

Tensor NpzFile::read(const ZipMember& array, HybridMemoryPool& pool) const {
  Content content(source_, array);
  const NpyHeader header = parse_npy_header(content.head(), array.bytes, content.name());
  Tensor raw = Tensor::allocate(header.dtype, header.shape, pool);
  content.read({raw.mutable_data(), raw.size_bytes()});
  source_.check_intact();
  content.check_end();
  Tensor tensor = npy_tensor(header, std::move(raw), pool);
  tensor.set_name(array.name);
  return tensor;
}

}  // namespace bitnet
