// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/html_page.h"

namespace bitnet {
namespace {

constexpr std::string_view kStyle = R"css(
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
button { font: inherit; font-size: 12px; color: var(--ink); background: var(--hover);
  border: 1px solid var(--line); border-radius: 6px; padding: 1px 10px; cursor: pointer; }
button[aria-pressed=true] { border-color: var(--c0); color: var(--c0); }
.head { display: flex; flex-wrap: wrap; gap: 8px; align-items: baseline; }
.head h2 { margin-right: auto; }
)css";

constexpr std::string_view kHelpers = R"js(
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const el = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (Math.abs(n) >= 1024 && unit < units.length - 1) { n /= 1024; ++unit; }
  return (unit && n < 10 ? n.toFixed(2) : unit && n < 100 ? n.toFixed(1) : n.toFixed(0)) +
    " " + units[unit];
}
const count = n => n.toLocaleString("en-US");
const percent = x => (100 * x).toFixed(x < 0.1 ? 1 : 0) + " %";
function duration(ms) {
  if (ms < 1000) return ms + " ms";
  const s = ms / 1000, short = x => +x.toFixed(x < 10 ? 2 : 1);
  if (s < 120) return short(s) + " s";
  return s < 7200 ? short(s / 60) + " min" : short(s / 3600) + " h";
}

function tip(event, ...lines) {
  const box = $("tip");
  box.replaceChildren(...lines.map(line => line instanceof Node ? line : el("div", {}, line)));
  box.style.display = "block";
  const x = Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8);
  const y = Math.min(event.clientY + 14, innerHeight - box.offsetHeight - 8);
  box.style.left = x + "px";
  box.style.top = y + "px";
}
const hide_tip = () => $("tip").style.display = "none";
const legend_item = (color, name) =>
  el("span", {}, el("i", {style: "background:" + color}), name);

// Columns: [title, cell of a row, whether it is a number].
function table(id, rows, columns, none) {
  if (rows.length === 0) {
    $(id).append(el("p", {class: "soft"}, none));
    return;
  }
  const kind = column => column[2] ? {class: "num"} : {};
  $(id).append(el("table", {},
    el("thead", {}, el("tr", {}, ...columns.map(c => el("th", kind(c), c[0])))),
    el("tbody", {}, ...rows.map(row =>
      el("tr", {}, ...columns.map(c => el("td", kind(c), c[1](row))))))));
}
const badge = (text, bad) => el("span", {class: bad ? "badge bad" : "badge"}, text);
)js";

/// JSON inside a script element must not end it.
std::string embedded(std::string_view json) {
  std::string out;
  for (const char c : json) out += c == '<' ? "\\u003c" : std::string(1, c);
  return out;
}

}  // namespace

std::string html_page(const HtmlPage& page) {
  std::string text =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>";
  text += page.title;
  text += "</title>\n<style>";
  text += kStyle;
  text += page.style;
  text += "</style>\n</head>\n";
  text += page.body;
  text += "<script id=\"data\" type=\"application/json\">";
  text += embedded(page.json);
  text += "</script>\n<script>\n\"use strict\";";
  text += kHelpers;
  for (const std::string_view script : page.scripts) text += script;
  return text + "</script>\n</body>\n</html>\n";
}

}  // namespace bitnet
