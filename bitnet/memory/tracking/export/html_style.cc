// SPDX-License-Identifier: MIT OR Apache-2.0
// Look and skeleton of the page.
#include "bitnet/memory/tracking/export/html_parts.h"

namespace bitnet {

const char kPageStyle[] = R"css(
:root {
  --page: #f6f6f4; --card: #ffffff; --ink: #16181d; --soft: #5a606b; --line: #dfe1e5;
  --c0: #2a78d6; --c1: #eb6834; --c2: #1baf7a; --c3: #eda100; --c4: #4a3aa7; --c5: #e87ba4;
  --c6: #008300; --c7: #8a8f98; --warn: #b3261e; --warn-bg: #fbe9e7; --ok: #1a7f4b;
  --free: #bcd7f5; --reserved: #e9eaed; --hover: #00000010;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1d2026; --ink: #e9eaee; --soft: #a2a8b4; --line: #343842;
    --c0: #5598e7; --c1: #e0713f; --c2: #2fb985; --c3: #cf9a1e; --c4: #9085e9; --c5: #d97a9f;
    --c6: #4aa34a; --c7: #7d838e; --warn: #ff8a80; --warn-bg: #3b2120; --ok: #6fd39b;
    --free: #2b4a70; --reserved: #2a2d34; --hover: #ffffff14;
  }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 24px; background: var(--page); color: var(--ink);
  font: 14px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1240px; margin: 0 auto; display: grid; gap: 16px; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 15px; margin: 0 0 8px; }
p { margin: 0; } .soft { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px; min-width: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(135px, 1fr)); gap: 12px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 10px 14px; }
.tile b { display: block; font-size: 20px; font-weight: 600; }
.tile span { color: var(--soft); font-size: 12px; }
.tile.bad b { color: var(--warn); } .tile.good b { color: var(--ok); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 16px; }
svg { display: block; width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .axis { fill: var(--soft); } svg .grid { stroke: var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-top: 8px; font-size: 12px; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px;
  margin-right: 6px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { text-align: left; color: var(--soft); font-weight: 500; white-space: nowrap; }
th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; } tbody tr:hover { background: var(--hover); }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, .mono { font: 12px ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
details > summary { cursor: pointer; white-space: nowrap; } details div { padding-left: 14px; }
.badge { display: inline-block; white-space: nowrap; padding: 0 8px; border-radius: 9px;
  font-size: 12px; background: var(--hover); }
.badge.bad { background: var(--warn-bg); color: var(--warn); }
#tip { position: fixed; pointer-events: none; background: var(--card); color: var(--ink);
  border: 1px solid var(--line); border-radius: 8px; padding: 8px 10px; font-size: 12px;
  box-shadow: 0 4px 16px #0003; max-width: 460px; display: none; z-index: 2; }
#flame rect { stroke: var(--card); cursor: pointer; } #flame text { pointer-events: none; }
button { font: inherit; font-size: 12px; color: var(--ink); background: var(--hover);
  border: 1px solid var(--line); border-radius: 6px; padding: 1px 10px; cursor: pointer; }
button[aria-pressed=true] { border-color: var(--c0); color: var(--c0); }
.head { display: flex; flex-wrap: wrap; gap: 8px; align-items: baseline; }
.head h2 { margin-right: auto; }
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
