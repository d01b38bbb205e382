// SPDX-License-Identifier: MIT OR Apache-2.0
#include <zlib.h>

#include <algorithm>

#include "bitnet/base/error.h"
#include "bitnet/io/inflate.h"

namespace bitnet {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 30;  // zlib counts in 32 bits

class ZlibInflater final : public Inflater {
 public:
  explicit ZlibInflater(std::span<const std::byte> packed) : left_(packed) {
    // Negative: a bare stream, as zip has it.
    require(inflateInit2(&stream_, -MAX_WBITS) == Z_OK, "inflate: no memory", Errc::out_of_memory);
  }
  ~ZlibInflater() override { inflateEnd(&stream_); }
  ZlibInflater(const ZlibInflater&) = delete;
  ZlibInflater& operator=(const ZlibInflater&) = delete;

  std::optional<std::size_t> read(std::span<std::byte> to) override {
    std::size_t done = 0;
    while (done < to.size() && !ended_) {
      const std::size_t in = std::min(left_.size(), kPiece);
      const std::size_t out = std::min(to.size() - done, kPiece);
      // zlib does not write to its input; its type only lacks the const.
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(left_.data()));
      stream_.avail_in = static_cast<uInt>(in);
      stream_.next_out = reinterpret_cast<Bytef*>(to.data() + done);
      stream_.avail_out = static_cast<uInt>(out);
      const int state = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t made = out - stream_.avail_out, used = in - stream_.avail_in;
      left_ = left_.subspan(used);
      done += made;
      ended_ = state == Z_STREAM_END;
      if (!ended_ && (state != Z_OK || (made == 0 && used == 0))) return std::nullopt;
    }
    return done;
  }

  bool at_end() const override { return ended_ && left_.empty(); }

 private:
  z_stream stream_{};
  std::span<const std::byte> left_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Inflater> make_inflater(std::span<const std::byte> packed) {
  return std::make_unique<ZlibInflater>(packed);
}

}  // namespace bitnet
