// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/tensor_file.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "bitnet/base/checked.h"
#include "bitnet/base/hash.h"
#include "bitnet/io/tensor_file_format.h"
#include "bitnet/io/utf8.h"
#include "bitnet/memory/storage/numbers.h"

namespace bitnet {
namespace {

using namespace tensor_file;
using storage::get;

// Lengths below this can be rounded up to blocks without a wrap.
constexpr std::uint64_t kMaxLength = std::uint64_t{1} << 62;

struct Directory {
  std::uint64_t count, offset, names_offset, names_bytes;
};

// Numbers that a kind of layout does not use are 1.
bool is_canonical(const Layout& layout) noexcept {
  using enum Layout::Kind;
  return layout.block_rows > 0 && layout.block_cols > 0 && layout.inner_cols > 0 &&
         layout.block_cols % layout.inner_cols == 0 &&
         (layout.kind == packed_tile || layout.inner_cols == 1) &&
         (layout.kind != column_major || (layout.block_rows == 1 && layout.block_cols == 1));
}

std::uint64_t scales_bytes(const TensorFileEntry& entry) noexcept {
  return entry.scales * (entry.zero_points ? 8 : 4);
}

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source), file_(source.bytes()) {}

  Directory directory() const {
    storage::check_marks(file_, source_.name(), kMagic, kVersion);
    if (file_.size() < kHeaderBytes + kFooterBytes)
      fail("E_SIZE", 0, "file size", file_.size(),
           "at least " + std::to_string(kHeaderBytes + kFooterBytes));
    const std::uint64_t at = file_.size() - kFooterBytes;
    const auto footer = file_.last(kFooterBytes);
    if (storage::text_of(footer.last(kEnd.size())) != kEnd)
      source_.fail("E_TRUNCATED", at + 40, "end mark", "other bytes", "the file was cut short");
    check_sum(xxh64(footer.first(32)), at + 32, "footer");
    if (number(at) != file_.size())
      fail("E_SIZE", at, "bytes of the file", number(at), std::to_string(file_.size()));
    check_zeros(storage::kMarkBytes, kHeaderBytes);
    const std::uint64_t room = at - kHeaderBytes, count = number(at + 8), names = number(at + 16);
    if (count > room / kEntryBytes)
      fail("E_COUNT", at + 8, "tensors", count, "at most " + std::to_string(room / kEntryBytes));
    if (names > room - count * kEntryBytes)
      fail("E_COUNT", at + 16, "bytes of names", names,
           "at most " + std::to_string(room - count * kEntryBytes));
    const Directory found{count, at - names - count * kEntryBytes, at - names, names};
    check_sum(xxh64(file_.subspan(found.offset, at - found.offset)), at + 24, "directory");
    return found;
  }

  std::vector<TensorFileEntry> entries(const Directory& directory) const {
    std::vector<TensorFileEntry> entries;
    entries.reserve(directory.count);
    std::uint64_t data = kHeaderBytes, name_at = directory.names_offset;
    const std::uint64_t names_end = name_at + directory.names_bytes;
    for (std::uint64_t i = 0; i < directory.count; ++i) {
      const std::uint64_t at = directory.offset + i * kEntryBytes;
      TensorFileEntry entry;
      entry.name = read_name(at, name_at, names_end);
      name_at += entry.name.size();
      read_shape(at, entry);
      read_layout(at, entry);
      read_quantization(at, entry);
      data = read_places(at, data, directory.offset, entry);
      entries.push_back(std::move(entry));
    }
    if (name_at != names_end)
      fail("E_KEY", name_at, "bytes of names", names_end - name_at, "names fill their place");
    return entries;
  }

  /// Bytes that have to be zero.
  void check_zeros(std::uint64_t begin, std::uint64_t end) const {
    for (std::uint64_t at = begin; at < end; ++at)
      if (file_[at] != std::byte{0})
        fail("E_PADDING", at, "byte between", std::to_integer<std::uint64_t>(file_[at]), "0");
  }

 private:
  std::uint64_t number(std::uint64_t at) const { return get<std::uint64_t>(file_, at); }
  std::uint8_t byte(std::uint64_t at) const { return get<std::uint8_t>(file_, at); }

  [[noreturn]] void fail(const char* kind, std::uint64_t at, std::string field, std::uint64_t value,
                         std::string limit) const {
    source_.fail(kind, at, std::move(field), std::to_string(value), std::move(limit));
  }

  void check_sum(std::uint64_t seen, std::uint64_t at, const char* of) const {
    if (seen != number(at))
      fail("E_CHECKSUM", at, std::string("checksum of the ") + of, number(at),
           std::to_string(seen));
  }

  std::string read_name(std::uint64_t at, std::uint64_t name_at, std::uint64_t names_end) const {
    const std::uint64_t bytes = get<std::uint32_t>(file_, at + 40);
    const std::uint64_t most = std::min<std::uint64_t>(kMaxNameBytes, names_end - name_at);
    if (bytes == 0 || bytes > most)
      fail("E_KEY", at + 40, "bytes of a name", bytes, "1 to " + std::to_string(most));
    const std::string_view name = storage::text_of(file_.subspan(name_at, bytes));
    if (!is_utf8(name))
      source_.fail("E_KEY", name_at, "name", "\"" + printable(name) + "\"", "UTF-8");
    return std::string(name);
  }

  std::string field(const TensorFileEntry& entry, const char* part) const {
    return "tensor \"" + printable(entry.name) + "\" " + part;
  }

  std::int64_t length(std::uint64_t at, const TensorFileEntry& entry) const {
    if (number(at) >= kMaxLength)
      fail("E_SHAPE", at, field(entry, "length"), number(at), "below 2^62");
    return static_cast<std::int64_t>(number(at));
  }

  void read_shape(std::uint64_t at, TensorFileEntry& entry) const {
    const std::uint8_t code = byte(at + 44), rank = byte(at + 45);
    if (code == 0 || code > kTypes.size())
      fail("E_DTYPE", at + 44, field(entry, "type"), code, "1 to " + std::to_string(kTypes.size()));
    entry.dtype = kTypes[code - 1u];
    if (rank > Shape::kMaxRank) fail("E_NDIMS", at + 45, field(entry, "rank"), rank, "at most 8");
    std::array<std::int64_t, Shape::kMaxRank> dims{};
    for (std::size_t i = 0; i < dims.size(); ++i) dims[i] = length(at + 56 + 8 * i, entry);
    if (std::any_of(dims.begin() + rank, dims.end(), [](std::int64_t d) { return d != 0; }))
      fail("E_SHAPE", at + 56 + 8u * rank, field(entry, "dims"), rank, "zeros behind the rank");
    entry.shape = entry.matrix = Shape(std::span<const std::int64_t>(dims.data(), rank));
    try {
      row_major_strides(entry.dtype, entry.shape);
      entry.bytes = Tensor::byte_size(entry.dtype, entry.shape);
    } catch (const Error& error) {
      source_.fail("E_SHAPE", at + 56, field(entry, "shape"), to_string(entry.shape), error.what());
    }
    if (number(at + 8) != entry.bytes)
      fail("E_SIZE", at + 8, field(entry, "bytes"), number(at + 8),
           std::to_string(entry.bytes) + " by type and shape");
  }

  void read_layout(std::uint64_t at, TensorFileEntry& entry) const {
    const std::uint8_t kind = byte(at + 46);
    if (kind > static_cast<std::uint8_t>(Layout::Kind::packed_tile))
      fail("E_HEADER", at + 46, field(entry, "layout"), kind, "0 to 3");
    std::array<std::int64_t, 5> n{};  // rows, columns, R, C, I
    for (std::size_t i = 0; i < n.size(); ++i) n[i] = length(at + 120 + 8 * i, entry);
    entry.layout = {static_cast<Layout::Kind>(kind), n[2], n[3], n[4]};
    if (entry.layout.kind == Layout::Kind::row_major) {
      entry.layout = {};
      if (n == decltype(n){}) return;
    } else if (is_canonical(entry.layout)) {
      entry.matrix = {n[0], n[1]};
      if (stored_shape(entry.layout, entry.matrix) == entry.shape) return;
    }
    source_.fail("E_SHAPE", at + 120, field(entry, "layout"), to_string(entry.layout),
                 "one that stores a matrix as " + to_string(entry.shape));
  }

  void read_quantization(std::uint64_t at, TensorFileEntry& entry) const {
    const std::uint64_t group = number(at + 32);
    const std::uint8_t kind = byte(at + 47), zero_points = byte(at + 48);
    const bool grouped = kind == 3;
    if (kind > 3 || zero_points > (kind > 0 ? 1 : 0))
      fail("E_HEADER", at + 47, field(entry, "scales"), kind, "0 to 3, zero points with scales");
    if ((group != 0) != grouped || group >= kMaxLength)
      fail("E_HEADER", at + 32, field(entry, "columns of a group"), group, "set for groups alone");
    check_zeros(at + 49, at + 56);
    entry.scales_checksum = number(at + 24);
    if (kind == 0) {
      if (entry.scales_checksum != 0)
        fail("E_HEADER", at + 24, field(entry, "checksum"), entry.scales_checksum, "0");
      return;
    }
    entry.granularity = static_cast<ScaleGranularity>(kind - 1);
    entry.group_cols = static_cast<std::int64_t>(group);
    entry.zero_points = zero_points != 0;
    const Tensor plan = Tensor::borrow(entry.dtype, entry.shape, nullptr, nullptr);
    const std::int64_t groups = grouped ? ceil_div(plan.cols(), entry.group_cols) : 1;
    // At most as many as elements, of which there are less than 2^63.
    entry.scales = kind == 1 ? 1 : static_cast<std::uint64_t>(plan.rows() * groups);
  }

  /// Where the data of the next tensor may begin.
  std::uint64_t read_places(std::uint64_t at, std::uint64_t begin, std::uint64_t end,
                            TensorFileEntry& entry) const {
    entry.offset = number(at);
    entry.checksum = number(at + 16);
    const auto data_end = checked_add(entry.offset, entry.bytes);
    std::uint64_t used = data_end.value_or(UINT64_MAX);
    if (entry.granularity && used <= end) {
      entry.scales_offset = align_up(used, kAlignment);
      used = entry.scales_offset + scales_bytes(entry);
    }
    if (entry.offset % alignment_of(entry.bytes) != 0 || entry.offset < begin || used > end)
      fail("E_OFFSET", at, field(entry, "offset"), entry.offset,
           "aligned, from byte " + std::to_string(begin) + ", with all it needs before byte " +
               std::to_string(end));
    return used;
  }

  const Source& source_;
  std::span<const std::byte> file_;
};

}  // namespace

TensorFile::TensorFile(const std::string& path, os::MapMode mode)
    : TensorFile(std::make_shared<const Source>(path, mode)) {}

TensorFile::TensorFile(std::span<const std::byte> bytes, std::string name)
    : TensorFile(std::make_shared<const Source>(bytes, std::move(name))) {}

TensorFile::TensorFile(std::shared_ptr<const Source> source) : source_(std::move(source)) {
  require_little_endian_host();
  const Reader reader(*source_);
  const Directory directory = reader.directory();
  directory_offset_ = directory.offset;
  entries_ = reader.entries(directory);
  by_name_.resize(entries_.size());
  for (std::uint32_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
  std::sort(by_name_.begin(), by_name_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return entries_[a].name < entries_[b].name; });
  for (std::size_t i = 1; i < by_name_.size(); ++i)
    if (entries_[by_name_[i]].name == entries_[by_name_[i - 1]].name)
      source_->fail("E_DUPTENSOR", directory.names_offset, "name",
                    "\"" + printable(entries_[by_name_[i]].name) + "\"", "no two alike");
  check_intact();
}

const TensorFileEntry* TensorFile::find(std::string_view name) const noexcept {
  const auto at = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](std::uint32_t i, std::string_view wanted) { return entries_[i].name < wanted; });
  return at == by_name_.end() || entries_[*at].name != name ? nullptr : &entries_[*at];
}

Quantization TensorFile::read_quantization(const TensorFileEntry& entry) const {
  Quantization q{*entry.granularity, entry.group_cols, std::vector<float>(entry.scales), {}};
  const auto bytes = source_->bytes().subspan(entry.scales_offset, scales_bytes(entry));
  if (const std::uint64_t seen = xxh64(bytes); seen != entry.scales_checksum)
    source_->fail("E_CHECKSUM", entry.scales_offset,
                  "checksum of the scales of \"" + printable(entry.name) + "\"",
                  std::to_string(seen), std::to_string(entry.scales_checksum));
  for (std::size_t i = 0; i < q.scales.size(); ++i)
    q.scales[i] = std::bit_cast<float>(get<std::uint32_t>(bytes, 4 * i));
  if (entry.zero_points) q.zero_points.resize(entry.scales);
  for (std::size_t i = 0; i < q.zero_points.size(); ++i)
    q.zero_points[i] = static_cast<std::int32_t>(get<std::uint32_t>(bytes, 4 * (entry.scales + i)));
  return q;
}

void TensorFile::describe(const TensorFileEntry& entry, Tensor& tensor) const {
  tensor.set_name(entry.name);
  if (!(entry.layout == Layout())) tensor.set_layout(entry.layout, entry.matrix);
  if (entry.granularity) tensor.set_quantization(read_quantization(entry));
}

void TensorFile::check(const TensorFileEntry& entry, std::span<const std::byte> bytes) const {
  const std::uint64_t seen = xxh64(bytes);
  check_intact();
  if (seen != entry.checksum)
    source_->fail("E_CHECKSUM", entry.offset, "checksum of \"" + printable(entry.name) + "\"",
                  std::to_string(seen), std::to_string(entry.checksum));
}

Tensor TensorFile::map(const TensorFileEntry& entry) const {
  Tensor tensor =
      Tensor::borrow(entry.dtype, entry.shape, source_->bytes().data() + entry.offset, source_);
  describe(entry, tensor);
  return tensor;
}

Tensor TensorFile::read(const TensorFileEntry& entry, HybridMemoryPool& pool,
                        Checksums checksums) const {
  Tensor tensor = Tensor::allocate(entry.dtype, entry.shape, pool);
  const std::span<std::byte> to(tensor.mutable_data(), tensor.size_bytes());
  if (!to.empty()) std::memcpy(to.data(), source_->bytes().data() + entry.offset, to.size());
  if (checksums == Checksums::verify) check(entry, to);
  describe(entry, tensor);
  check_intact();
  return tensor;
}

MutableTensorView TensorFile::writable(const TensorFileEntry& entry) const {
  require(source_->mapping() != nullptr, "TensorFile::writable: the file is not mapped");
  return {entry.dtype, entry.shape, source_->mapping()->writable_bytes().data() + entry.offset};
}

void TensorFile::check_intact() const {
  if (source_->mapping() == nullptr) return;
  // A cut inside the last page raises no signal, but leaves zeros in place of the end mark. Read
  // afresh: the compiler must not know these bytes from an earlier look.
  const std::span<const std::byte> file = source_->bytes();
  const volatile std::byte* end = file.data() + file.size() - kEnd.size();
  bool whole = true;
  for (std::size_t i = 0; i < kEnd.size(); ++i) {
    const std::byte seen = end[i];
    whole = whole && seen == static_cast<std::byte>(kEnd[i]);
  }
  source_->check_intact();
  if (!whole)
    source_->fail("E_IO", file.size() - kEnd.size(), "end mark", "other bytes",
                  "the file was cut short or changed", Errc::io);
}

void TensorFile::verify() const {
  const Reader reader(*source_);
  std::uint64_t at = kHeaderBytes;
  const auto skip_to = [&](std::uint64_t offset, std::uint64_t bytes) {
    reader.check_zeros(at, offset);
    at = offset + bytes;
  };
  for (const TensorFileEntry& entry : entries_) {
    skip_to(entry.offset, entry.bytes);
    check(entry, source_->bytes().subspan(entry.offset, entry.bytes));
    if (!entry.granularity) continue;
    skip_to(entry.scales_offset, scales_bytes(entry));
    read_quantization(entry);
  }
  skip_to(directory_offset_, 0);
  check_intact();
}

}  // namespace bitnet
