// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet tokenize: text to token ids and back.
#include "bitnet/generate/tokenizer/utf8_stream.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/format.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "Shows the tokens of a text, one a line: id and piece. The model may be a Hugging Face "
    "folder,\n"
    "a GGUF file or a tokenizer.json.";
constexpr const char* kExamples =
    "  bitnet tokenize -p 'The river flows.'\n"
    "  bitnet tokenize -m tokenizer.json -f text.txt --ids     ids only, with commas between\n"
    "  bitnet tokenize --decode 1,42,7                         ids to text\n"
    "  echo river | bitnet tokenize --json";

std::string whole_text(std::string_view bytes) {
  Utf8Stream stream;
  const std::string text = stream.push(bytes);
  return text + stream.flush();
}

void print_pieces(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  for (const std::int32_t id : ids)
    print_text(pad_left(std::to_string(id), 7) + "  " +
               (tokenizer.is_control(id) ? tokenizer.token_text(id)
                                         : "\"" + printable(tokenizer.token_bytes(id)) + "\"") +
               "\n");
}

void print_json(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  JsonWriter json;
  json.begin_object().member("ids", ids).key("pieces").begin_array();
  for (const std::int32_t id : ids) json.value(whole_text(tokenizer.token_bytes(id)));
  json.end_array().member("text", whole_text(tokenizer.decode(ids))).end_object();
  print_text(json.text());
}

}  // namespace

int tokenize_main(int argc, const char* const* argv) {
  ModelOptions model;
  PromptOptions prompt;
  std::string decode;
  bool only_ids = false, no_bos = false, no_special = false, json = false;
  CommandLine line("tokenize", kDescription, kExamples);
  model.add_model(line.app());
  prompt.add_to(line.app());
  line->add_option("--decode", decode, "Print the text of these ids")
      ->type_name("1,2,3")
      ->excludes(prompt.text_option)
      ->excludes(prompt.file_option);
  line->add_flag("--ids", only_ids, "Print only the ids, with commas between");
  line->add_flag("--no-bos", no_bos, "Leave out begin- and end-of-text tokens");
  line->add_flag("--no-parse-special", no_special, "Take control tokens in the text as plain text");
  line->add_flag("--json", json, "Print one JSON object: ids, pieces, text");
  line->add_option("--pre-tokenizer", model.pre_tokenizer,
                   "Pre-tokenizer of a GGUF file that does not say its own (llama-bpe, …)")
      ->type_name("NAME");
  if (!line.parse(argc, argv)) return 0;

  const Tokenizer tokenizer = tokenizer_of(model.path(), model);
  const std::vector<std::int32_t> ids =
      decode.empty()
          ? tokenizer.encode(prompt.read(), {.add_special = !no_bos, .parse_special = !no_special})
          : parse_ids(decode);
  if (json) {
    print_json(tokenizer, ids);
  } else if (!decode.empty()) {
    print_text(tokenizer.decode(ids) + "\n");
  } else if (only_ids) {
    print_text(ids_text(ids) + "\n");
  } else {
    print_pieces(tokenizer, ids);
  }
  return 0;
}

}  // namespace bitnet::cli
