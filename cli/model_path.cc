// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/model_path.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "bitnet/base/error.h"

namespace bitnet::cli {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> places() {
  std::vector<fs::path> out;
  if (const char* models = std::getenv("BITNET_MODELS"); models && *models)
    return {fs::path(models) / kEmbeddedModel};
  std::error_code none;
  const fs::path folder = fs::read_symlink("/proc/self/exe", none).parent_path();
  if (folder.empty()) return out;
  out.push_back(folder.parent_path() / "share/bitnet/models" / kEmbeddedModel);
  for (fs::path up = folder; up != up.root_path(); up = up.parent_path())
    out.push_back(up / "models" / kEmbeddedModel);
  return out;
}

}  // namespace

std::string model_path(const std::string& given) {
  if (!given.empty()) return given;
  std::string looked;
  for (const fs::path& place : places()) {
    std::error_code none;
    if (fs::is_regular_file(place / "config.json", none)) return place.string();
    looked += "\n  " + place.string();
  }
  fail(Errc::io, "no model: say -m MODEL; the model that comes with the tool is not at" + looked);
}

bool is_embedded_model(const std::string& path) {
  std::error_code none;
  return fs::weakly_canonical(path, none).filename() == kEmbeddedModel;
}

}  // namespace bitnet::cli
