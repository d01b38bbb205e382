// SPDX-License-Identifier: MIT OR Apache-2.0
// Chat templates: messages to the one text a model was trained on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace bitnet {

struct ChatMessage {
  std::string role;     // "system", "user", "assistant", …
  std::string content;  // any bytes
};

struct ChatTemplateArgs {
  std::string bos_token{};  // texts, not ids: "<|begin_of_text|>"
  std::string eos_token{};
  bool add_generation_prompt = true;  // end with the beginning of the assistant's answer
};

/// What a template may use up; beyond it render() throws.
struct ChatLimits {
  static constexpr std::size_t kSource = 1 << 20;    // bytes of the template
  static constexpr std::size_t kOutput = 16 << 20;   // bytes of the text
  static constexpr std::int64_t kSteps = 1'000'000;  // statements and expressions evaluated
  static constexpr std::int64_t kWork = std::int64_t{1}
                                        << 29;  // bytes touched by string and list operations
  static constexpr int kNesting = 100;  // blocks and brackets within each other; lists in lists
  static constexpr int kHeight = 200;   // levels of one expression's tree ("a + b + c" has 2)
  // Evaluations within each other, macro calls included: fits a thread with 512 KiB of stack.
  static constexpr int kEvaluation = 400;
};

/// A template in the part of Jinja that chat templates use, rendered as the package transformers
/// does (trim_blocks, lstrip_blocks, tools and documents none, no strftime_now). Immutable,
/// thread-safe.
///
/// Understood: output, comments, for (with if and else), if, set (also of a block and of a
/// namespace's fields), macro at the top level, generation, break, continue; all operators but **;
/// slices; the filters, tests and methods of library.cc. Names of other filters, tests and methods
/// fail only when reached. Case mapping is of ASCII only; other text makes it fail, since the
/// answer may differ.
///
/// Templates are data of a file: there is no access to anything but the arguments.
class ChatTemplate {
 public:
  /// Throws FileError with kind E_TEMPLATE and the byte offset (lines ended by \n): corrupt_file
  /// for syntax and limits, unsupported for other statements. `file` is for messages.
  explicit ChatTemplate(std::string source, std::string file = "chat template");

  /// For models without a template: "User: " + stripped content + "<|eot_id|>" for each message,
  /// the role's first letter in upper case, begin-of-text before, "Assistant: " after.
  static const ChatTemplate& default_template();

  /// The text holds bos_token where the template says so: encode it with add_special = false.
  /// Throws FileError with kind E_TEMPLATE: invalid_argument for what the template itself refuses
  /// (raise_exception), unsupported, or corrupt_file for wrong types, undefined values, limits.
  std::string render(std::span<const ChatMessage> messages, const ChatTemplateArgs& args) const;

  const std::string& source() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace bitnet
