// SPDX-License-Identifier: MIT OR Apache-2.0
// A program outside the tree: the installed package defines a word with the installed model.
#include <bitnet/base/isa.h>
#include <bitnet/generate/open_model.h>
#include <bitnet/generate/session.h>

#include <iostream>

int main(int, char** argv) {
  bitnet::Runtime runtime(1);
  const std::string path = argv[1];
  const bitnet::LoadedModel model = bitnet::open_model(path, {}, runtime);
  const bitnet::Tokenizer tokenizer = bitnet::open_tokenizer(path);
  bitnet::Decoder decoder(model.config, model.weights, runtime.context());
  bitnet::Session session(decoder, 128);
  session.append(tokenizer.encode("dog\n"));
  session.generate({.max_tokens = 8}, [&](std::int32_t token) {
    std::cout << tokenizer.token_bytes(token);
    return true;
  });
  std::cout << "\n" << bitnet::isa::name_of(bitnet::isa::active()) << "\n";
}
