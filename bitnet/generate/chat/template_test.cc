// SPDX-License-Identifier: MIT OR Apache-2.0
// Chat templates: equality with jinja2, limits, errors.
#include "bitnet/generate/chat/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "bitnet/base/error.h"
#include "bitnet/generate/chat/python_text.h"

namespace bitnet {
namespace {

using testing::HasSubstr;

const std::vector<ChatMessage> kTalk{{"system", " Be brief.\n"}, {"user", "Hi"}};

std::string render(const std::string& source, std::vector<ChatMessage> messages = kTalk) {
  return ChatTemplate(source, "t").render(messages, {.bos_token = "<B>", .eos_token = "<E>"});
}

struct Refusal {
  Errc code;
  std::uint64_t offset;
  std::string what;
};

Refusal refusal(const std::string& source) {
  try {
    render(source);
  } catch (const FileError& error) {
    EXPECT_EQ(error.fault().kind, "E_TEMPLATE");
    EXPECT_EQ(error.fault().file, "t");
    return {error.code(), error.fault().offset, error.what()};
  }
  return {Errc::internal, 0, "accepted"};
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(ChatTemplate, DefaultIsTheFormatOf2B4T) {
  const ChatTemplate& chat = ChatTemplate::default_template();
  EXPECT_EQ(chat.render(kTalk, {.bos_token = "<B>"}),
            "<B>System: Be brief.<|eot_id|>User: Hi<|eot_id|>Assistant: ");
  EXPECT_EQ(chat.render(kTalk, {.add_generation_prompt = false}),
            "System: Be brief.<|eot_id|>User: Hi<|eot_id|>");
  EXPECT_EQ(chat.render({}, {}), "Assistant: ");
}

TEST(ChatTemplate, ContentIsNeverATemplate) {
  EXPECT_EQ(render("{{ messages[0].content }}", {{"user", "{{ 1 + 1 }}{% for %}"}}),
            "{{ 1 + 1 }}{% for %}");
}

TEST(ChatTemplate, AnyBytesPass) {
  EXPECT_EQ(render("{{ messages[0].content | trim }}", {{"user", " \xFF\xE2\x82 "}}),
            "\xFF\xE2\x82");
  EXPECT_EQ(render("{{ messages[0].content[1:] | length }}", {{"user", "a\xFF\xE2\x82"}}), "3");
}

TEST(ChatTemplate, OnlyArgumentsAreInReach) {
  for (const char* source : {"{{ ''.__class__ }}", "{{ messages.__init__ }}",
                             "{{ range.__globals__ }}", "{{ loop }}", "{{ self }}x"}) {
    const std::string got = refusal(source).what;
    EXPECT_TRUE(got == "accepted" || got.find("self") != got.npos) << got;
  }
  EXPECT_EQ(render("{{ ''.__class__ }}{{ messages.__init__ }}"), "");
  EXPECT_EQ(refusal("{{ ''.__class__.__mro__ }}").code, Errc::corrupt_file);
  EXPECT_EQ(refusal("{{ ''.format(1) }}").code, Errc::unsupported);
  EXPECT_EQ(refusal("{% include 'x' %}").code, Errc::unsupported);
}

TEST(ChatTemplate, ErrorsSayWhereAndWhat) {
  EXPECT_EQ(refusal("ab{{ 1 + }}").offset, 9u);
  EXPECT_EQ(refusal("{{ raise_exception('no system role') }}").code, Errc::invalid_argument);
  EXPECT_THAT(refusal("{{ raise_exception('no system role') }}").what, HasSubstr("no system role"));
  EXPECT_THAT(refusal("{{ strftime_now('%d') }}").what, HasSubstr("\"strftime_now\" is undefined"));
  EXPECT_THAT(refusal("{{ 'a' | wordwrap }}").what, HasSubstr("wordwrap"));
  EXPECT_EQ(refusal("{{ 'a' | wordwrap }}").code, Errc::unsupported);
  EXPECT_EQ(refusal("{% if false %}{{ 'a' | wordwrap }}{% endif %}").what, "accepted");
  EXPECT_EQ(refusal("{{ '\u00E9' | upper }}").code, Errc::unsupported);
}

// Parts longer than 16 bytes are searched for by other means than std::string_view::find.
TEST(ChatTemplate, LongPartsAreFoundWhereTheyAre) {
  std::mt19937 random(2);
  for (int round = 0; round < 20000; ++round) {
    std::string text, part;
    for (int i = 0; i < 90; ++i) text += random() % 9 ? 'a' : 'b';
    for (int i = 0; i < 18; ++i) part += random() % 9 ? 'a' : 'b';
    ASSERT_EQ(chat::find_text(text, part), text.find(part)) << text << ' ' << part;
    ASSERT_EQ(chat::find_text(text, text.substr(40, 20)), text.find(text.substr(40, 20)));
  }
}

TEST(ChatTemplateLimits, SizeOfTheSource) {
  EXPECT_EQ(refusal(std::string(ChatLimits::kSource, 'x')).what, "accepted");
  EXPECT_THAT(refusal(std::string(ChatLimits::kSource + 1, 'x')).what,
              HasSubstr("at most 1048576"));
}

TEST(ChatTemplateLimits, SizeOfTheOutput) {
  EXPECT_THAT(
      refusal("{% set x = 'a' * 1000000 %}{% for i in range(17) %}{{ x }}{% endfor %}").what,
      HasSubstr("longer"));
  EXPECT_THAT(refusal("{{ 'a' * 16777217 }}").what, HasSubstr("longer"));
  EXPECT_THAT(refusal("{{ 'a' * 9223372036854775807 }}").what, HasSubstr("longer"));
  const std::string doubling =
      "{% set n = namespace(x='a') %}{% for i in range(40) %}{% set n.x = n.x OP n.x %}{% endfor "
      "%}";
  for (const char* op : {"+", "~"}) {
    std::string source = doubling;
    source.replace(source.find("OP"), 2, op);
    EXPECT_THAT(refusal(source).what, HasSubstr("longer")) << op;
  }
  EXPECT_THAT(refusal("{{ ('a' * 100000).replace('a', 'b' * 100000) }}").what, HasSubstr("longer"));
}

TEST(ChatTemplateLimits, StepsAndWork) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(
      refusal("{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}").what,
      HasSubstr("steps"));
  EXPECT_THAT(refusal("{{ range(9223372036854775807) }}").what, HasSubstr("steps"));
  EXPECT_THAT(refusal("{% set s = 'a' * 16000000 %}{% for i in range(9999) %}{% if s in s %}{% "
                      "endif %}{% endfor %}")
                  .what,
              HasSubstr("work"));
  EXPECT_THAT(refusal("{% set s = [1] * 1000000 %}{% for i in range(9999) %}{% if s == s + [i] "
                      "%}{% endif %}{% endfor %}")
                  .what,
              HasSubstr("work"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(ChatTemplateLimits, Nesting) {
  EXPECT_EQ(refusal("{{ " + repeated("(", 90) + "1" + repeated(")", 90) + " }}").what, "accepted");
  for (const std::string& source :
       {"{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}",
        "{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}",
        "{{ " + repeated("not ", 100000) + "1 }}", "{{ " + repeated("-", 100000) + "1 }}",
        "{{ 1" + repeated(" + 1", 100000) + " }}", "{{ x" + repeated(".y", 100000) + " }}",
        "{{ x" + repeated("|trim", 100000) + " }}", "{{ 1" + repeated(" if 1", 100000) + " }}",
        "{{ 1" + repeated(" if 1 else 1", 50000) + " }}",
        "{{ 1" + repeated(" and 1", 100000) + " }}", "{{ x" + repeated("()", 100000) + " }}",
        "{{ x" + repeated(" is defined", 50000) + " }}", repeated("{% if 1 %}", 50000),
        repeated("{% for i in x %}", 50000), repeated("{% set x %}", 50000)})
    EXPECT_EQ(refusal(source).code, Errc::corrupt_file) << source.substr(0, 30);
  // Refused when parsed, not when run: the tree is torn down by recursion, too.
  EXPECT_THAT(refusal("{% if false %}{{ 1" + repeated(" + 1", 300) + " }}{% endif %}").what,
              HasSubstr("more than 200 levels"));
  EXPECT_THAT(refusal("{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}").what,
              HasSubstr("deeper"));
  EXPECT_THAT(
      refusal(
          "{% set n = namespace(x=[]) %}{% for i in range(999) %}{% set n.x = [n.x] %}{% endfor %}")
          .what,
      HasSubstr("nested too deep"));
}

TEST(ChatTemplateLimits, NoCycles) {
  EXPECT_EQ(refusal("{% set n = namespace() %}{% set n.x = n %}").code, Errc::unsupported);
  EXPECT_EQ(refusal("{% set n = namespace() %}{% set n.x = [n] %}").code, Errc::unsupported);
  EXPECT_EQ(
      refusal("{% set n = namespace() %}{% for i in 'a' %}{% set n.x = loop %}{% endfor %}").code,
      Errc::unsupported);
}

}  // namespace
}  // namespace bitnet
