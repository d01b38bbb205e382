// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool for tests of cleanup: its figures are set, its calls are written down.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bitnet/memory/cleanup/target.h"

namespace bitnet {

class ScriptedTarget final : public CleanupTarget {
 public:
  CleanupFigures figures;
  std::vector<Device> devices;
  std::vector<std::string> calls;  // "trim", "compact", "compress", "validate"
  std::vector<TrimRequest> trims;
  std::vector<CompactRequest> compactions;
  std::vector<CompressRequest> compressions;
  std::function<CleanupResult()> on_trim = [] { return CleanupResult{}; };
  std::function<CleanupResult(const CompactRequest&)> on_compact = [](const CompactRequest&) {
    return CleanupResult{};
  };
  std::function<CleanupResult(const CompressRequest&)> on_compress = [](const CompressRequest&) {
    return CleanupResult{};
  };

  CleanupFigures cleanup_figures(std::optional<Device>) const override { return figures; }
  std::vector<Device> cleanup_devices() const override { return devices; }
  CleanupResult trim(const TrimRequest& request) override {
    calls.push_back("trim");
    trims.push_back(request);
    return on_trim();
  }
  CleanupResult compact(const CompactRequest& request) override {
    calls.push_back("compact");
    compactions.push_back(request);
    return on_compact(request);
  }
  CleanupResult compress(const CompressRequest& request) override {
    calls.push_back("compress");
    compressions.push_back(request);
    return on_compress(request);
  }
  void validate() const override { const_cast<ScriptedTarget*>(this)->calls.push_back("validate"); }
};

}  // namespace bitnet
