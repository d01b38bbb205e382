// SPDX-License-Identifier: MIT OR Apache-2.0
// How --help looks: names left, wrapped text right, 80 columns, nothing twice.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace bitnet::cli {

class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace bitnet::cli
