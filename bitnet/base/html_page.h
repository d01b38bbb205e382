// SPDX-License-Identifier: MIT OR Apache-2.0
// Reports as one HTML document: its frame, its look, and what the scripts of all pages share.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace bitnet {

struct HtmlPage {
  std::string_view title;  // plain ASCII
  std::string_view style;  // CSS beside the common one
  std::string_view body;   // from "<body>" to the end of its content
  std::string_view json;   // a document, which scripts find as `data`
  std::initializer_list<std::string_view> scripts;
};

/// One document without outside resources, which its Content-Security-Policy forbids; follows the
/// reader's dark or light setting. Scripts may use: data, $(id), el(), svg(), bytes(), count(),
/// percent(), duration(), tip(), hide_tip(), legend_item(), table(), badge(). Text of the JSON only
/// ever becomes textContent, never markup.
std::string html_page(const HtmlPage& page);

}  // namespace bitnet
