// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/safetensors_writer.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "bitnet/base/checked.h"
#include "bitnet/io/json.h"
#include "bitnet/io/whole_rows.h"

namespace bitnet {
namespace {

std::string quoted(const std::string& name) { return "tensor \"" + printable(name) + "\""; }

std::uint64_t size_of(const SafetensorsItem& item) {
  const DTypeInfo& type = info(item.dtype);
  std::optional<std::uint64_t> size = static_cast<std::uint64_t>(type.block_bytes);
  for (const std::int64_t axis : item.shape)
    size = size && axis >= 0 ? checked_mul(*size, static_cast<std::uint64_t>(axis)) : std::nullopt;
  if (!size) fail(Errc::invalid_argument, "write_safetensors: bad shape of " + quoted(item.name));
  return *size;
}

void write_data(os::AtomicFile& file, std::span<const SafetensorsItem> items) {
  for (const SafetensorsItem& item : items) {
    const std::uint64_t begin = file.size();
    item.bytes([&](std::span<const std::byte> piece) { file.write(piece); });
    if (file.size() - begin != size_of(item))
      fail(Errc::invalid_argument, "write_safetensors: " + quoted(item.name) + " gave " +
                                       std::to_string(file.size() - begin) + " bytes, needs " +
                                       std::to_string(size_of(item)));
  }
}

void write_all(const std::string& path, std::string_view header,
               std::span<const SafetensorsItem> items) {
  os::AtomicFile file(path);
  const std::uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  write_data(file, items);
  file.commit();
}

std::string make_header(std::span<const SafetensorsItem> items,
                        const SafetensorsFile::Metadata& metadata) {
  std::string text = "{";
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata)
      text += json_quote(key) + ":" + json_quote(value) + ",";
    text.back() = '}';
    text += ',';
  }
  std::uint64_t offset = 0;
  for (const SafetensorsItem& item : items) {
    const auto type = safetensors_name(item.dtype);
    if (!type)
      fail(Errc::invalid_argument, "write_safetensors: " + quoted(item.name) + " has type " +
                                       std::string(info(item.dtype).name));
    text += json_quote(item.name) + ":{\"dtype\":\"" + std::string(*type) + "\",\"shape\":[";
    for (std::size_t i = 0; i < item.shape.size(); ++i)
      text += (i > 0 ? "," : "") + std::to_string(item.shape[i]);
    const auto end = checked_add(offset, size_of(item));
    if (!end) fail(Errc::invalid_argument, "write_safetensors: the total size wraps");
    text += "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(*end) + "]},";
    offset = *end;
  }
  if (text.back() == ',') text.pop_back();
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

void refuse_repeated_names(std::span<const SafetensorsItem> items) {
  std::vector<std::string_view> names;
  for (const SafetensorsItem& item : items) names.push_back(item.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    fail(Errc::invalid_argument, "write_safetensors: two of " + quoted(std::string(*twice)));
}

}  // namespace

SafetensorsItem safetensors_item(std::string name, const TensorView& view) {
  const auto rows = std::make_shared<const WholeRows>(view);
  const auto dims = view.shape().dims();
  return {std::move(name), view.dtype(), {dims.begin(), dims.end()}, [rows](const ByteSink& sink) {
            constexpr std::size_t kPiece = std::size_t{1} << 20;  // the sink keeps what it is given
            const std::span<const std::byte> bytes = rows->bytes();
            for (std::size_t at = 0; at < bytes.size(); at += kPiece)
              sink(bytes.subspan(at, std::min(kPiece, bytes.size() - at)));
          }};
}

void write_safetensors(const std::string& path, std::span<const SafetensorsItem> items,
                       const SafetensorsFile::Metadata& metadata) {
  refuse_repeated_names(items);
  write_all(path, make_header(items, metadata), items);
}

void write_safetensors_verbatim(const std::string& path, std::string_view header,
                                std::span<const SafetensorsItem> items) {
  std::uint64_t data_bytes = 0;
  for (const SafetensorsItem& item : items) data_bytes += size_of(item);
  SafetensorsFile::Metadata metadata;
  const Source source(std::span<const std::byte>(), path);
  const auto tensors = parse_safetensors_header(header, data_bytes, source, metadata);
  const bool same = std::equal(tensors.begin(), tensors.end(), items.begin(), items.end(),
                               [](const SafetensorsTensor& tensor, const SafetensorsItem& item) {
                                 return tensor.name == item.name && tensor.dtype == item.dtype &&
                                        tensor.shape == item.shape;
                               });
  require(same, "write_safetensors_verbatim: the header lists other tensors");
  write_all(path, header, items);
}

}  // namespace bitnet
