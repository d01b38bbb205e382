// SPDX-License-Identifier: MIT OR Apache-2.0
// parse_json() on nlohmann's event parser, which keeps its state on the heap: depth costs no stack.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "bitnet/base/error.h"
#include "bitnet/io/json.h"

namespace bitnet {
namespace {

/// Reads the text and tells the events how far the parser has come.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** cursor) noexcept : at_(at), cursor_(cursor) {}
  reference operator*() const noexcept { return *at_; }
  CountingIterator& operator++() noexcept {
    *cursor_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) noexcept {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const noexcept { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const noexcept { return at_ != other.at_; }

 private:
  const char* at_;
  const char** cursor_;
};

class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(std::string_view text, const std::string& file, std::uint64_t base,
          const JsonLimits& limits)
      : cursor_(text.data()), begin_(text.data()), file_(file), base_(base), limits_(limits) {}

  const char** cursor() noexcept { return &cursor_; }
  Json take() { return std::move(root_); }

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(std::int64_t{value})); }

  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(INT64_MAX))
      fail_at("E_HEADER", "number", std::to_string(value), "integers have at most 63 bits");
    return add(Json(static_cast<std::int64_t>(value)));
  }

  bool number_float(number_float_t value, const string_t& text) override {
    // The lexer turns integers that do not fit into doubles; here they are errors.
    if (text.find_first_of(".eE") == string_t::npos)
      fail_at("E_HEADER", "number", printable(text), "integers have at most 63 bits");
    return add(Json(double{value}));
  }

  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }

  bool key(string_t& name) override {
    Frame& frame = stack_.back();
    // In place: GCC 12 believes that a moved-from null Json is uninitialized.
    frame.members.emplace_back(std::piecewise_construct, std::forward_as_tuple(std::move(name)),
                               std::forward_as_tuple());
    frame.key_offsets.push_back(offset());
    return true;
  }

  bool end_object() override {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    refuse_duplicates(frame);
    return add(Json(std::move(frame.members)));
  }

  bool end_array() override {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    return add(Json(std::move(frame.elements)));
  }

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: …": keep the reason.
    std::string reason = error.what();
    if (const auto bracket = reason.find("] "); bracket != std::string::npos)
      reason.erase(0, bracket + 2);
    throw FileError(Errc::corrupt_file,
                    {"E_HEADER", file_, base_ + (position > 0 ? position - 1 : 0), "JSON",
                     "\"" + printable(token, 40) + "\"", printable(reason, 200)});
  }

 private:
  struct Frame {
    bool is_object;
    Json::Array elements;
    Json::Object members;
    std::vector<std::uint64_t> key_offsets;
  };

  std::uint64_t offset() const noexcept {
    return base_ + static_cast<std::uint64_t>(cursor_ - begin_);
  }

  [[noreturn]] void fail_at(const char* kind, std::string field, std::string value,
                            std::string limit) const {
    throw FileError(Errc::corrupt_file,
                    {kind, file_, offset(), std::move(field), std::move(value), std::move(limit)});
  }

  bool open(bool is_object) {
    if (stack_.size() >= static_cast<std::size_t>(limits_.max_depth))
      fail_at("E_DEPTH", "JSON nesting", std::to_string(stack_.size() + 1),
              "at most " + std::to_string(limits_.max_depth));
    stack_.push_back({is_object, {}, {}, {}});
    return true;
  }

  bool add(Json value) {
    if (++num_values_ > limits_.max_values)
      fail_at("E_COUNT", "JSON values", std::to_string(num_values_),
              "at most " + std::to_string(limits_.max_values));
    if (stack_.empty())
      root_ = std::move(value);
    else if (stack_.back().is_object)
      stack_.back().members.back().second = std::move(value);
    else
      stack_.back().elements.push_back(std::move(value));
    return true;
  }

  void refuse_duplicates(const Frame& frame) const {
    const auto& members = frame.members;
    std::vector<std::size_t> order(members.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const int order_of_names = members[a].first.compare(members[b].first);
      return order_of_names != 0 ? order_of_names < 0 : a < b;
    });
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (members[order[i - 1]].first != members[order[i]].first) continue;
      throw FileError(
          Errc::corrupt_file,
          {"E_DUPKEY", file_, frame.key_offsets[order[i]],
           "key \"" + printable(members[order[i]].first) + "\"", "repeated",
           "first seen before byte " + std::to_string(frame.key_offsets[order[i - 1]])});
    }
  }

  const char* cursor_;
  const char* begin_;
  const std::string& file_;
  std::uint64_t base_;
  JsonLimits limits_;
  std::vector<Frame> stack_;
  std::int64_t num_values_ = 0;
  Json root_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& file, std::uint64_t base_offset,
                const JsonLimits& limits) {
  Builder builder(text, file, base_offset, limits);
  const CountingIterator first(text.data(), builder.cursor());
  const CountingIterator last(text.data() + text.size(), builder.cursor());
  nlohmann::json::sax_parse(first, last, &builder);
  return builder.take();
}

}  // namespace bitnet
