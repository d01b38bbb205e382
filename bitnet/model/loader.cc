// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/loader.h"

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"

namespace bitnet {

ModelFileKind detect_model_file(const std::string& path) {
  if (os::is_directory(path)) return ModelFileKind::hf_folder;
  const os::MappedFile file(path);
  const std::string_view magic = file.text().substr(0, 4);
  // A byte-swapped magic goes to the GGUF reader too: it knows what to say.
  if (magic == "GGUF" || magic == "FUGG") return ModelFileKind::gguf;
  throw FileError(Errc::corrupt_file,
                  {"E_MAGIC", path, 0, "magic", printable(magic),
                   "a model is a GGUF file, or a folder with config.json and model.safetensors"});
}

LoadedModel load_model(const std::string& path, const LoadOptions& options) {
  require(options.threads != nullptr, "load_model: options.threads is needed");
  return detect_model_file(path) == ModelFileKind::gguf ? load_gguf(path, options)
                                                        : load_hf_folder(path, options);
}

}  // namespace bitnet
