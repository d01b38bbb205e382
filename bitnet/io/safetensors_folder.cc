// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/safetensors_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "bitnet/base/os/file.h"
#include "bitnet/io/json.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kMaxIndexBytes = 100'000'000;
constexpr std::size_t kMaxShards = 1024;
constexpr std::size_t kMaxFileName = 255;

bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

[[noreturn]] void fail_index(const std::string& index, const char* kind, std::string field,
                             std::string value, std::string limit) {
  throw FileError(Errc::corrupt_file,
                  {kind, index, 0, std::move(field), std::move(value), std::move(limit)});
}

std::filesystem::path resolved(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path result = std::filesystem::canonical(path, error);
  return error ? std::filesystem::path() : result;
}

/// The path of a shard; refuses names that lead out of the folder.
std::string shard_path(const std::string& index, const std::filesystem::path& folder,
                       const std::string& shard) {
  const std::string field = "shard \"" + printable(shard) + "\"";
  if (shard.find_first_of(std::string("/\\\0", 3)) != std::string::npos ||
      shard.size() > kMaxFileName || !ends_with(shard, ".safetensors"))
    fail_index(index, "E_PATH", field, "not a plain file name",
               "a file name ending in .safetensors, without / or \\");
  const auto target = resolved(folder / shard);
  if (target.empty())
    fail_index(index, "E_SHARD", field, "no such file", "a file beside the index");
  if (target.parent_path() != resolved(folder))
    fail_index(index, "E_PATH", field, "leads to " + printable(target.string(), 200),
               "a file beside the index");
  return (folder / shard).string();
}

}  // namespace

SafetensorsFolder::SafetensorsFolder(const std::string& path) {
  std::string file = path;
  if (os::is_directory(path)) {
    file = path + "/model.safetensors";
    const std::string index = file + ".index.json";
    if (!os::is_regular_file(file) && os::is_regular_file(index)) file = index;
  }
  if (ends_with(file, ".json")) {
    open_index(file);
  } else {
    files_.push_back(std::make_unique<SafetensorsFile>(file));
    for (const SafetensorsTensor& tensor : files_[0]->tensors())
      entries_.push_back({files_[0].get(), &tensor});
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.tensor->name < b.tensor->name; });
}

void SafetensorsFolder::open_index(const std::string& path) {
  const std::string text = os::read_file(path, kMaxIndexBytes);
  const Json json = parse_json(text, path, 0, {.max_depth = 8});
  const Json* weight_map = json.find("weight_map");
  if (weight_map == nullptr || !weight_map->is_object())
    fail_index(path, "E_HEADER", "weight_map",
               weight_map ? std::string(weight_map->kind()) : "absent", "an object of file names");
  auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";

  std::map<std::string, const SafetensorsFile*> shards;
  for (const auto& [name, shard] : weight_map->as_object()) {
    if (!shard.is_string())
      fail_index(path, "E_HEADER", "weight_map \"" + printable(name) + "\"",
                 std::string(shard.kind()), "a file name");
    if (shards.contains(shard.as_string())) continue;
    if (shards.size() == kMaxShards)
      fail_index(path, "E_COUNT", "shards", std::to_string(kMaxShards + 1), "at most 1024");
    files_.push_back(
        std::make_unique<SafetensorsFile>(shard_path(path, folder, shard.as_string())));
    shards[shard.as_string()] = files_.back().get();
  }

  std::map<std::string_view, const SafetensorsFile*> homes;
  for (const auto& file : files_)
    for (const SafetensorsTensor& tensor : file->tensors())
      if (const auto [home, is_new] = homes.emplace(tensor.name, file.get()); !is_new)
        fail_index(
            path, "E_SHARD", "tensor \"" + printable(tensor.name) + "\"",
            "in " + printable(home->second->path(), 200) + " and " + printable(file->path(), 200),
            "one shard");

  for (const auto& [name, shard] : weight_map->as_object()) {
    const SafetensorsFile* file = shards.at(shard.as_string());
    const SafetensorsTensor* tensor = file->find(name);
    if (tensor == nullptr)
      fail_index(path, "E_SHARD", "tensor \"" + printable(name) + "\"", "not in its shard",
                 "listed in " + printable(shard.as_string()));
    entries_.push_back({file, tensor});
  }
}

const SafetensorsFolder::Entry* SafetensorsFolder::find(std::string_view name) const noexcept {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const Entry& entry, std::string_view wanted) { return entry.tensor->name < wanted; });
  return at == entries_.end() || at->tensor->name != name ? nullptr : &*at;
}

void SafetensorsFolder::check_intact() const {
  for (const auto& file : files_) file->source().check_intact();
}

}  // namespace bitnet
