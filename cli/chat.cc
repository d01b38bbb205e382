// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet chat: a conversation, line by line.
#include <algorithm>

#include "bitnet/base/os/file.h"
#include "bitnet/generate/chat/template.h"
#include "bitnet/generate/tokenizer/utf8_stream.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/common_options.h"
#include "cli/figures.h"
#include "cli/line_reader.h"
#include "cli/memory_publisher.h"
#include "cli/model_path.h"
#include "cli/terminal.h"

namespace bitnet::cli {
namespace {

constexpr const char* kDescription =
    "A conversation with a model, in the format of its chat template. What is typed at a terminal\n"
    "can be edited and called back; lines from a pipe are taken one after the other. Ctrl-C ends "
    "an\n"
    "answer, Ctrl-D the conversation. The model that comes with the tool is a dictionary: type a\n"
    "word.";
constexpr const char* kExamples =
    "  bitnet chat\n"
    "  bitnet chat -m model.gguf --system 'Answer in one sentence.'\n"
    "  printf 'river\\nsea\\n' | bitnet chat";
constexpr const char* kHelp =
    "/help    this\n"
    "/reset   begin a new conversation\n"
    "/exit    leave (or Ctrl-D)\n"
    "Ctrl-C ends an answer.\n";

// The dictionary knows one thing: the entry after a word on a line of its own.
constexpr const char* kDictionaryTemplate =
    "{{ bos_token }}{{ messages[-1]['content'] }}{{ '\\n' }}";

constexpr std::uint64_t kMaxTemplateBytes = 1u << 20;

struct Options {
  ModelOptions model;
  ProfileFile profile;
  SamplingOptions sampling;
  std::string system, template_file;
  std::int64_t max_tokens = -1, context = 0, draft = 0;
  bool verbose = false;
};

ChatTemplate chat_template(const std::string& path, const Options& o) {
  if (!o.template_file.empty())
    return ChatTemplate(os::read_file(o.template_file, kMaxTemplateBytes), o.template_file);
  if (const std::string source = read_chat_template(path); !source.empty())
    return ChatTemplate(source, path);
  return is_embedded_model(path) ? ChatTemplate(kDictionaryTemplate)
                                 : ChatTemplate::default_template();
}

class Conversation {
 public:
  Conversation(const Options& options, OpenedModel& model, const Tokenizer& tokenizer)
      : options_(options),
        tokenizer_(tokenizer),
        template_(chat_template(model.path, options)),
        session_(model.decoder, context_size(options.context, model.config()),
                 options.model.kv_type()),
        generate_{options.sampling, options.max_tokens,
                  stop_tokens(model.path, model.config(), &tokenizer), options.draft} {
    args_.bos_token = token_text(tokenizer.bos());
    args_.eos_token = token_text(tokenizer.eos());
    reset();
  }

  void reset() {
    messages_.clear();
    if (!options_.system.empty()) messages_.push_back({"system", options_.system});
  }

  /// Prints the answer as it comes. What was said before stays in the cache as far as the template
  /// repeats it.
  void answer(const std::string& text) {
    messages_.push_back({"user", text});
    try {
      const std::vector<std::int32_t> fresh = read_up_to_new(ids_that_fit());
      Figures figures;
      std::string reply;
      write_reply(fresh, figures, reply);
      messages_.push_back({"assistant", reply});
      if (options_.verbose) print_error_text(figures.line());
    } catch (const Error&) {
      messages_.pop_back();
      throw;
    }
  }

 private:
  std::string token_text(std::int32_t id) const { return id < 0 ? "" : tokenizer_.token_text(id); }

  // The conversation as ids; its oldest exchanges are left out where they do not fit.
  std::vector<std::int32_t> ids_that_fit() {
    for (;;) {
      std::vector<std::int32_t> ids =
          tokenizer_.encode(template_.render(messages_, args_), {.add_special = false});
      const auto first = std::find_if(messages_.begin(), messages_.end(),
                                      [](const ChatMessage& m) { return m.role == "user"; });
      if (static_cast<std::int64_t>(ids.size()) < session_.context_size() ||
          messages_.end() - first < 3)
        return ids;
      messages_.erase(first, first + 2);
      print_error_text("bitnet: the context is full: the oldest exchange is forgotten\n");
    }
  }

  // Goes back to what the session and `ids` have in common; the ids that are left to read.
  std::vector<std::int32_t> read_up_to_new(const std::vector<std::int32_t>& ids) {
    if (ids.empty()) fail(Errc::invalid_argument, "the chat template gives an empty text");
    const auto held = session_.tokens();
    const auto common = std::mismatch(ids.begin(), ids.end(), held.begin(), held.end()).first;
    const auto keep =
        std::min<std::ptrdiff_t>(common - ids.begin(), static_cast<std::ptrdiff_t>(ids.size()) - 1);
    session_.truncate(keep);
    return {ids.begin() + keep, ids.end()};
  }

  void write_reply(std::span<const std::int32_t> fresh, Figures& figures, std::string& reply) {
    const InterruptGuard interrupt;
    Utf8Stream stream;
    const auto emit = [&](const std::string& piece) {
      reply += piece;
      print_text(piece);
      flush_text();
    };
    complete(session_, fresh, generate_, figures, [&](std::int32_t id) {
      if (id < tokenizer_.size()) emit(stream.push(tokenizer_.token_bytes(id)));
    });
    emit(stream.flush());
    print_text(reply.ends_with('\n') ? "" : "\n");
    flush_text();
    if (figures.stop == StopReason::context_full)
      print_error_text("bitnet: the context is full; /reset, or a larger -c\n");
  }

  const Options& options_;
  const Tokenizer& tokenizer_;
  ChatTemplate template_;
  ChatTemplateArgs args_;
  Session session_;
  GenerateOptions generate_;
  std::vector<ChatMessage> messages_;
};

// False: leave.
bool obey(const std::string& command, Conversation& conversation) {
  if (command == "/exit" || command == "/quit") return false;
  if (command == "/help") {
    print_text(kHelp);
  } else if (command == "/reset") {
    conversation.reset();
    print_error_text("a new conversation\n");
  } else {
    print_error_text("no command '" + printable(command) + "'" +
                     did_you_mean(command, {"/help", "/reset", "/exit"}) + "; /help lists them\n");
  }
  return true;
}

void converse(Conversation& conversation) {
  const bool at_terminal = stdin_is_terminal();
  while (const auto line = read_line("> ")) {
    if (line->empty()) continue;
    if (line->starts_with('/')) {
      if (!obey(*line, conversation)) return;
      continue;
    }
    try {
      conversation.answer(*line);
    } catch (const Error& e) {
      if (!at_terminal) throw;
      print_error_text("bitnet: error: " + std::string(e.what()) + "\n");
    }
  }
  if (at_terminal) print_text("\n");
}

}  // namespace

int chat_main(int argc, const char* const* argv) {
  Options o;
  CommandLine line("chat", kDescription, kExamples);
  o.model.add_model(line.app());
  line->add_option("--system", o.system, "What the model is told before the conversation")
      ->type_name("TEXT");
  line->add_option("--template", o.template_file,
                   "Chat template (Jinja) to use instead of the model's own")
      ->type_name("FILE");
  line->add_option("-n,--predict", o.max_tokens, "Most tokens of an answer (default: no limit)")
      ->check(integer_from(-1))
      ->type_name("N");
  line->add_option("-c,--ctx-size", o.context,
                   "Tokens of conversation to keep (default: the model's maximum, at most 4096)")
      ->check(integer_from(1))
      ->type_name("N");
  o.model.add_threads(line.app());
  o.model.add_speed(line.app());
  o.model.add_kv(line.app());
  add_draft(line.app(), o.draft);
  line->add_flag("-v,--verbose", o.verbose, "Print figures after each answer");
  add_sampling(line.app(), o.sampling);
  o.profile.add_to(line.app());
  o.model.add_overrides(line.app());
  if (!line.parse(argc, argv)) return 0;
  const MemoryPublisher publisher;
  check_sampling(o.sampling);
  o.profile.open();

  const std::string path = o.model.path();
  const Tokenizer tokenizer = tokenizer_of(path, o.model);
  OpenedModel model(o.model);
  Conversation conversation(o, model, tokenizer);
  if (stdin_is_terminal())
    print_error_text(path + ": " + describe(model.config()) + "\n/help lists the commands\n");
  o.profile.start();
  converse(conversation);
  o.profile.stop();
  model.loaded.source->check_intact();
  write_profile(o.profile, model, {});
  return 0;
}

}  // namespace bitnet::cli
