// SPDX-License-Identifier: MIT OR Apache-2.0
// tokenizer_driver tokenizer.json [--plain] [--time]: texts parted by NUL on stdin, a line of ids
// for each on stdout.
// --plain: no special tokens, neither added nor parsed. --time: seconds to load and to encode on
// stderr, no ids.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/generate/tokenizer/tokenizer_json.h"

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string read_all(std::istream& in) {
  std::ostringstream all;
  all << in.rdbuf();
  return std::move(all).str();
}

int run(const std::string& file, bool plain, bool time) {
  const auto start = std::chrono::steady_clock::now();
  std::ifstream in(file, std::ios::binary);
  const std::string json = read_all(in);
  const bitnet::Json document = bitnet::parse_json(json, file);
  const double parsed = seconds_since(start);
  const bitnet::Tokenizer tokenizer = bitnet::tokenizer_from_json(document, file);
  const double loaded = seconds_since(start);
  const std::string input = read_all(std::cin);
  const bitnet::EncodeOptions options{!plain, !plain};
  const auto encoding = std::chrono::steady_clock::now();
  std::string out;
  std::size_t count = 0;
  for (std::size_t at = 0; at <= input.size();) {
    const std::size_t end = std::min(input.find('\0', at), input.size());
    const auto ids = tokenizer.encode(std::string_view(input).substr(at, end - at), options);
    count += ids.size();
    if (!time) {
      for (const auto id : ids) out += std::to_string(id) + ' ';
      out += '\n';
    }
    at = end + 1;
  }
  if (time)
    std::fprintf(stderr, "parse %.4f load %.4f encode %.4f ids %zu\n", parsed, loaded,
                 seconds_since(encoding), count);
  std::fwrite(out.data(), 1, out.size(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bool plain = false, time = false;
    for (int i = 2; i < argc; ++i) {
      plain |= std::string_view(argv[i]) == "--plain";
      time |= std::string_view(argv[i]) == "--time";
    }
    if (argc < 2) bitnet::fail(bitnet::Errc::invalid_argument, "needs a tokenizer.json");
    return run(argv[1], plain, time);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
