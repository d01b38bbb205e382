// SPDX-License-Identifier: MIT OR Apache-2.0
// Skeleton of the page, and its look beside what all pages share.
#include "bitnet/memory/tracking/export/html_parts.h"

namespace bitnet {

const char kPageStyle[] = R"css(
#flame rect { stroke: var(--card); cursor: pointer; } #flame text { pointer-events: none; }
)css";

const char kPageBody[] = R"html(<body>
<div id="tip" role="status"></div>
<main>
<header><h1>Memory report</h1><p class="soft" id="subtitle"></p></header>
<div class="tiles" id="tiles"></div>
<section><div class="head"><h2>Live bytes by tag</h2><span class="soft" id="span"></span></div>
<div id="timeline"></div><div class="legend" id="timeline-legend"></div></section>
<section><div class="head"><h2>Where memory was asked for</h2>
<button id="by-live" aria-pressed="true">live bytes</button>
<button id="by-allocated" aria-pressed="false">allocated bytes</button>
<button id="flame-reset">whole program</button></div><div id="flame"></div></section>
<section><h2>Fragmentation map</h2><div id="map"></div>
<div class="legend" id="map-legend"></div></section>
<div class="pair"><section><h2>Patterns</h2><div id="patterns" class="scroll"></div></section>
<section><h2>Possible leaks</h2><div id="leaks" class="scroll"></div></section></div>
<div class="pair"><section><h2>Tags</h2><div id="tags" class="scroll"></div></section>
<section><h2>Lifetimes</h2><div id="lifetimes"></div></section></div>
<section><h2>At the peak</h2><div id="peak"></div></section>
<section><h2>Sites</h2><div id="sites" class="scroll"></div></section>
<div class="pair"><section><h2>Pool</h2><div id="pool"></div></section>
<section><h2>Tracking itself</h2><div id="cost"></div></section></div>
</main>
)html";

}  // namespace bitnet
