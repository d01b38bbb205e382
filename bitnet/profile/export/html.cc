// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/export/html.h"

#include "bitnet/base/html_page.h"
#include "bitnet/profile/export/html_parts.h"
#include "bitnet/profile/export/json.h"

namespace bitnet::profile {
namespace {

constexpr std::size_t kMostEvents = 20'000;  // 0.7 MB; 85 tokens of a model of 10 layers

}  // namespace

const char kPageStyle[] = R"css(
.bar { display: inline-block; height: 9px; border-radius: 2px; margin-right: 8px; }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 5px; margin-right: 8px; }
#step rect { stroke: var(--card); cursor: pointer; } #step text { pointer-events: none;
  fill: #fff; } #step text.axis { fill: var(--soft); }
#roofline .roof { stroke: var(--ink); stroke-width: 1.6; fill: none; }
#roofline .gap { stroke: var(--soft); stroke-dasharray: 2 4; }
#roofline circle { stroke: var(--card); stroke-width: 1.5; fill-opacity: 0.88; }
)css";

const char kPageBody[] = R"html(<body>
<div id="tip" role="status"></div>
<main>
<header><h1>Profile</h1><p class="soft" id="subtitle"></p></header>
<div class="tiles" id="tiles"></div>
<section><div class="head"><h2>Roofline</h2><span class="soft">operations a second over operations
a byte; the size of a dot is its share of time</span></div>
<div id="roofline"></div><p class="soft" id="roofline-note"></p></section>
<section><h2>Ops</h2><div id="ops" class="scroll"></div></section>
<section><div class="head"><h2>One step in time</h2><span id="step-kinds"></span>
<button id="step-before">earlier</button><button id="step-typical">typical</button>
<button id="step-after">later</button><button id="step-whole">whole step</button></div>
<p class="soft" id="step-note"></p><div id="step"></div></section>
<section><h2>Where ops are called from</h2><div id="calls" class="scroll"></div></section>
</main>
)html";

std::string to_html(const Document& document) {
  const std::string json = to_json_with_events(document, kMostEvents);
  return html_page({.title = "Profile",
                    .style = kPageStyle,
                    .body = kPageBody,
                    .json = json,
                    .scripts = {kPageRoofline, kPageTables}});
}

}  // namespace bitnet::profile
