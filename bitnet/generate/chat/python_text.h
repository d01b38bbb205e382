// SPDX-License-Identifier: MIT OR Apache-2.0
// Methods of Python's str on UTF-8, in linear time. A byte that is no UTF-8 counts as a character.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::chat {

/// What str.strip() without arguments takes away: White_Space and U+001C..U+001F.
bool is_python_space(std::uint32_t code) noexcept;

enum class Side { left, right, both };
/// Without `characters`, white space.
std::string_view strip(std::string_view text, Side side,
                       std::optional<std::string_view> characters = std::nullopt);

/// Position of `part` in text[from, …), npos if absent; linear in both sizes (std::string::find is
/// not).
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);

/// At most `limit` replacements if limit >= 0.
std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    std::int64_t limit);
/// By white space without `separator`; at most `limit` cuts if limit >= 0.
std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               std::int64_t limit);

/// Characters of the text, each as its bytes.
std::vector<std::string_view> characters(std::string_view text);
std::int64_t count_characters(std::string_view text) noexcept;

enum class Case { upper, lower, capitalize, title };
/// nullopt if there is a character outside ASCII.
std::optional<std::string> change_case(std::string_view text, Case to);

}  // namespace bitnet::chat
