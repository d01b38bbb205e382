// SPDX-License-Identifier: MIT OR Apache-2.0
// The front door of chat templates.
#include "bitnet/generate/chat/template.h"

#include "bitnet/base/error.h"
#include "bitnet/generate/chat/fault.h"
#include "bitnet/generate/chat/interpreter.h"
#include "bitnet/generate/chat/lexer.h"
#include "bitnet/generate/chat/parser.h"

namespace bitnet {

struct ChatTemplate::Impl {
  std::string source, file;
  chat::Body body;
};

namespace {

[[noreturn]] void throw_error(const chat::Fault& fault, const std::string& file) {
  throw FileError(fault.code, {"E_TEMPLATE", file, fault.offset, "chat template", fault.what, ""});
}

chat::Value text(const std::string& value) { return chat::Value(value); }

chat::Value messages_value(std::span<const ChatMessage> messages) {
  auto list = std::make_shared<chat::ListData>();
  list->depth = 2;
  for (const ChatMessage& message : messages) {
    auto dict = std::make_shared<chat::DictData>();
    dict->items = {{"role", text(message.role)}, {"content", text(message.content)}};
    list->items.push_back(chat::Value(chat::Value::Data(chat::Dict(std::move(dict)))));
  }
  return chat::Value(chat::Value::Data(chat::List(std::move(list))));
}

chat::Value function(chat::Function which) { return chat::Value(chat::Value::Data(which)); }

}  // namespace

ChatTemplate::ChatTemplate(std::string source, std::string file) {
  auto impl = std::make_shared<Impl>();
  impl->file = std::move(file);
  try {
    if (source.size() > ChatLimits::kSource)
      chat::fault(0, std::to_string(source.size()) + " bytes, at most " +
                         std::to_string(ChatLimits::kSource));
    impl->body = chat::parse(chat::normalize_lines(source));
  } catch (const chat::Fault& fault) {
    throw_error(fault, impl->file);
  }
  impl->source = std::move(source);
  impl_ = std::move(impl);
}

// The format that BitNet b1.58 2B4T was trained on.
const ChatTemplate& ChatTemplate::default_template() {
  static const ChatTemplate built_in(
      "{{ bos_token }}"
      "{% for message in messages %}"
      "{{ message['role'] | capitalize }}: {{ message['content'] | trim }}<|eot_id|>"
      "{% endfor %}"
      "{% if add_generation_prompt %}Assistant: {% endif %}",
      "default chat template");
  return built_in;
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages,
                                 const ChatTemplateArgs& args) const {
  try {
    return chat::interpret(impl_->body,
                           {{"messages", messages_value(messages)},
                            {"bos_token", text(args.bos_token)},
                            {"eos_token", text(args.eos_token)},
                            {"add_generation_prompt", chat::Value::of(args.add_generation_prompt)},
                            {"tools", chat::Value::none()},
                            {"documents", chat::Value::none()},
                            {"raise_exception", function(chat::Function::raise_exception)},
                            {"namespace", function(chat::Function::make_namespace)},
                            {"range", function(chat::Function::range)},
                            {"dict", function(chat::Function::dict)}});
  } catch (const chat::Fault& fault) {
    throw_error(fault, impl_->file);
  }
}

const std::string& ChatTemplate::source() const noexcept { return impl_->source; }

}  // namespace bitnet
