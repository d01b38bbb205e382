// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as a chat template, rendered over a short talk.
#include "bitnet/base/error.h"
#include "bitnet/generate/chat/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bitnet::ChatMessage talk[] = {{"system", " Be \xFF brief.\n"},
                                             {"user", "Hi \xE4\xBD\xA0"}};
  try {
    const bitnet::ChatTemplate chat(std::string(reinterpret_cast<const char*>(data), size));
    (void)chat.render(talk, {.bos_token = "<s>", .eos_token = "</s>"});
  } catch (const bitnet::Error&) {
  }
  return 0;
}
