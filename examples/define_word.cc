// SPDX-License-Identifier: MIT OR Apache-2.0
// Loads a model and writes a text, token by token: the whole way through the library in one screen.
//   define_word MODEL [WORD]
#include <bitnet/generate/open_model.h>
#include <bitnet/generate/session.h>
#include <bitnet/generate/tokenizer/utf8_stream.h>

#include <exception>
#include <iostream>

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: define_word MODEL [WORD]\n";
    return 2;
  }
  const std::string path = argv[1], word = argc > 2 ? argv[2] : "river";

  bitnet::Runtime runtime;  // every CPU this process may use
  const bitnet::LoadedModel model = bitnet::open_model(path, {}, runtime);
  const bitnet::Tokenizer tokenizer = bitnet::open_tokenizer(path);
  bitnet::Decoder decoder(model.config, model.weights, runtime.context());
  bitnet::Session session(decoder, model.config.max_positions);

  bitnet::GenerateOptions options;
  options.max_tokens = 60;
  options.stop_tokens = bitnet::stop_tokens(path, model.config, &tokenizer);

  session.append(tokenizer.encode(word + "\n"));
  bitnet::Utf8Stream text;  // tokens may end inside a character
  session.generate(options, [&](std::int32_t token) {
    std::cout << text.push(tokenizer.token_bytes(token)) << std::flush;
    return true;
  });
  std::cout << text.flush() << "\n";
  model.source->check_intact();  // the file was mapped: was it whole until now?
  return 0;
} catch (const std::exception& e) {
  std::cerr << "define_word: " << e.what() << "\n";
  return 1;
}
