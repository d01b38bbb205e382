// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/convert/source_files.h"

#include <algorithm>
#include <array>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"
#include "bitnet/io/safetensors_folder.h"

namespace bitnet {
namespace {

constexpr std::array<std::string_view, 7> kDocuments{"config.json",
                                                     "tokenizer.json",
                                                     "tokenizer_config.json",
                                                     "generation_config.json",
                                                     "special_tokens_map.json",
                                                     "chat_template.jinja",
                                                     "model.safetensors.index.json"};
constexpr std::uint64_t kMaxDocumentBytes = 256u << 20;

constexpr std::string_view kNames = "bitnet_core.source.document_names";
constexpr std::string_view kContents = "bitnet_core.source.documents";
constexpr std::string_view kHeaderNames = "bitnet_core.source.safetensors_names";
constexpr std::string_view kHeaders = "bitnet_core.source.safetensors_headers";
constexpr std::string_view kScales = "bitnet_core.source.weight_scales";

using Entries = std::vector<std::pair<std::string, std::string>>;

bool is_document(std::string_view name) {
  return std::find(kDocuments.begin(), kDocuments.end(), name) != kDocuments.end();
}

// A plain name: it will be written into a folder.
bool is_shard(std::string_view name) {
  return name.ends_with(".safetensors") && name.find('/') == name.npos &&
         name.find('\0') == name.npos && name.size() < 200;
}

void add_pairs(GgufWriter& writer, std::string_view names_key, std::string_view values_key,
               const Entries& entries) {
  std::vector<std::string_view> names, values;
  for (const auto& [name, value] : entries) {
    names.push_back(name);
    values.push_back(value);
  }
  writer.add_strings(names_key, names);
  writer.add_strings(values_key, values);
}

Entries take_pairs(const GgufFile& file, std::string_view names_key, std::string_view values_key,
                   bool (*allowed)(std::string_view)) {
  const auto& names = file.get_strings(names_key);
  const auto& values = file.get_strings(values_key);
  const std::uint64_t offset = file.find(names_key)->offset;
  if (names.size() != values.size())
    file.source().fail("E_COUNT", offset, std::string(names_key), std::to_string(names.size()),
                       "as many as " + std::string(values_key));
  Entries entries;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!allowed(names[i]))
      file.source().fail("E_PATH", offset, std::string(names_key), printable(names[i]),
                         "a plain file name of a model folder");
    entries.emplace_back(names[i], values[i]);
  }
  return entries;
}

}  // namespace

SourceFiles read_source_files(const std::string& folder) {
  SourceFiles out;
  for (const std::string_view name : kDocuments) {
    const std::string path = folder + "/" + std::string(name);
    if (os::is_regular_file(path))
      out.documents.emplace_back(name, os::read_file(path, kMaxDocumentBytes));
  }
  const SafetensorsFolder weights(folder);
  for (const auto& file : weights.files()) {
    const std::string& path = file->path();
    out.headers.emplace_back(path.substr(path.rfind('/') + 1), file->header());
  }
  return out;
}

void write_source_files(const SourceFiles& files, GgufWriter& writer) {
  add_pairs(writer, kNames, kContents, files.documents);
  add_pairs(writer, kHeaderNames, kHeaders, files.headers);
  writer.add_f32_array(kScales, files.weight_scales);
}

SourceFiles read_source_files(const GgufFile& file) {
  SourceFiles out;
  if (!file.find(kHeaderNames)) return out;
  out.documents = take_pairs(file, kNames, kContents, is_document);
  out.headers = take_pairs(file, kHeaderNames, kHeaders, is_shard);
  out.weight_scales = file.get_f32_array(kScales);
  return out;
}

}  // namespace bitnet
