// SPDX-License-Identifier: MIT OR Apache-2.0
// The page's tiles, tables, and one step in time.
#include "bitnet/profile/export/html_parts.h"

namespace bitnet::profile {

const char kPageTables[] = R"js(
function draw_tiles() {
  const tile = (name, value, kind = "") => $("tiles").append(
    el("div", {class: "tile " + kind}, el("b", {}, value), el("span", {}, name)));
  tile("recorded", time(data.seconds));
  for (const call of calls.filter(c => c.parent < 0 && c.count).slice(0, 3))
    tile(`${call.name}, mean of ${count(call.count)}`, time(call.mean_seconds));
  tile("memory reads, all threads", known(roof.read_bytes_per_second, v => si(v, "B/s")));
  tile("float peak", known(roof.float_ops_per_second, v => si(v, "op/s")));
  tile("int8 peak", known(roof.int8_ops_per_second, v => si(v, "op/s")));
  const h = data.hardware;
  if (h.cycles !== null && h.instructions !== null)
    tile("instructions a cycle", digits(h.instructions / h.cycles));
  if (h.cache_misses !== null) tile("cache misses", si(h.cache_misses, ""));
  if (data.lost_events) tile("spans without a place in time", count(data.lost_events), "bad");
  if (data.unrecorded_spans) tile("spans that are missing", count(data.unrecorded_spans), "bad");
  $("subtitle").textContent = [...Object.entries(data.facts).map(([n, v]) => `${n}: ${v}`),
    "hardware counters: " + (h.unavailable || `${count(h.threads)} threads`)].join(" · ");
}

function draw_ops() {
  const most = Math.max(...ops.map(op => op.share), 1e-9);
  table("ops", ops, [
    ["Op", op => el("span", {}, el("i", {class: "key", style: `background:${color(op.name)}`}),
      op.name)],
    ["Share of time", op => el("span", {}, el("i", {class: "bar", style:
      `width:${(op.share / most * 70).toFixed(1)}px;background:${color(op.name)}`}),
      percent(op.share))],
    ["Own time", op => time(op.self_seconds), true],
    ["Count", op => count(op.count), true],
    ["Mean", op => time(op.mean_seconds), true],
    ["Bytes", op => op.bytes ? si(op.bytes, "B") : "–", true],
    ["Operations", op => work_of(op) ? si(work_of(op), "") : "–", true],
    ["Op/byte", op => known(op.ops_per_byte, digits), true],
    ["Bytes/s", op => known(op.bytes_per_second, v => si(v, "B/s")), true],
    ["of memory reads", op => known(op.share_of_bandwidth, percent), true],
    ["Op/s", op => known(op.ops_per_second, v => si(v, "op/s")), true],
    ["of peak", op => known(op.share_of_peak, percent), true],
  ], "Nothing was recorded.");
}

function draw_calls() {
  const children = parent => calls.map((c, i) => ({...c, i})).filter(c => c.parent === parent)
    .sort((a, b) => b.seconds - a.seconds);
  const rows = [];
  const walk = (parent, depth, whole) => {
    for (const c of children(parent)) {
      rows.push({...c, depth, part: whole ? c.seconds / whole : null});
      walk(c.i, depth + 1, c.seconds);
    }
  };
  const all = calls.filter(c => c.parent < 0).reduce((sum, c) => sum + c.seconds, 0);
  walk(-1, 0, all);
  table("calls", rows, [
    ["Span", c => el("span", {style: `padding-left:${c.depth * 18}px`}, c.name)],
    ["Time", c => time(c.seconds), true],
    ["of the one around", c => known(c.part, percent), true],
    ["Own time", c => time(c.self_seconds), true],
    ["Count", c => count(c.count), true],
    ["Mean", c => time(c.mean_seconds), true],
  ], "Nothing was recorded.");
}

// Events: [call, lane, begin, duration], by lane, then begin; times in microseconds.
const events = data.events;
const depth_of = call => call < 0 ? -1 : 1 + depth_of(calls[call].parent);
const kinds = [...new Set(events.filter(e => calls[e[0]].parent < 0).map(e => e[0]))]
  .sort((a, b) => calls[b].count - calls[a].count);
let steps = [], shown = 0, typical = 0, zoomed = null;

function choose(kind) {
  steps = events.flatMap((e, i) => e[0] === kind ? [i] : []);
  const by_time = steps.map((e, i) => i).sort((a, b) => events[steps[a]][3] - events[steps[b]][3]);
  typical = shown = by_time[by_time.length >> 1];
  zoomed = null;
  for (const button of $("step-kinds").children)
    button.setAttribute("aria-pressed", String(+button.dataset.kind === kind));
  draw_step();
}

function draw_step() {
  const first = steps[shown], at = zoomed === null ? first : zoomed;
  const [call, lane, begin, length] = events[at];
  const base = depth_of(call), W = 1200, ROW = 24, cells = [];
  for (let i = at; i < events.length; ++i) {
    const e = events[i];
    if (e[1] !== lane || e[2] >= begin + length && i > at) break;
    if (depth_of(e[0]) >= base) cells.push([i, e, depth_of(e[0]) - base]);
  }
  const rows = 1 + Math.max(...cells.map(c => c[2]));
  const chart = svg("svg", {viewBox: `0 0 ${W} ${rows * ROW + 22}`, id: "step-svg"});
  for (const [i, e, row] of cells) {
    const name = calls[e[0]].name, width = e[3] / (length || 1) * W;
    const cell = svg("rect", {x: (e[2] - begin) / (length || 1) * W, y: row * ROW,
      width: Math.max(width, 0.4), height: ROW - 2, rx: 2, fill: color(name)});
    if (width < 3) cell.style.stroke = "none";
    cell.addEventListener("mousemove", event => tip(event, el("b", {}, name),
      `${time(e[3] / 1e6)}, ${percent(e[3] / (length || 1))} of what is shown`,
      `begins after ${time((e[2] - begin) / 1e6)}`));
    cell.addEventListener("mouseleave", hide_tip);
    cell.addEventListener("click", () => { zoomed = i; draw_step(); });
    chart.append(cell);
    const room = Math.floor((width - 8) / 6.4);
    if (room > 2)
      chart.append(svg("text", {x: (e[2] - begin) / (length || 1) * W + 4, y: row * ROW + 15},
        name.length > room ? name.slice(0, room - 1) + "…" : name));
  }
  for (let k = 0; k <= 5; ++k)
    chart.append(svg("text", {class: "axis", x: k * W / 5, y: rows * ROW + 16,
      "text-anchor": k === 0 ? "start" : k === 5 ? "end" : "middle"},
      time(length * k / 5 / 1e6)));
  $("step").replaceChildren(chart);
  $("step-note").textContent = `${calls[events[first][0]].name} ${count(shown + 1)} of ` +
    `${count(steps.length)}, ${time(events[first][3] / 1e6)}` +
    (shown === typical ? ", of the median length" : "") +
    (data.events_left_out ? `; ${count(data.events_left_out)} other spans are not on this page`
                          : "") + ". Click a span to see it alone.";
}

function prepare_steps() {
  if (kinds.length === 0) {
    $("step").append(el("p", {class: "soft"}, "No span has a place in time."));
    return;
  }
  for (const kind of kinds) {
    const button = el("button", {"data-kind": kind}, calls[kind].name);
    button.addEventListener("click", () => choose(kind));
    $("step-kinds").append(button);
  }
  const go = (id, next) => $(id).addEventListener("click", () => {
    shown = Math.min(Math.max(next(), 0), steps.length - 1);
    zoomed = null;
    draw_step();
  });
  go("step-before", () => shown - 1);
  go("step-after", () => shown + 1);
  go("step-typical", () => typical);
  go("step-whole", () => shown);
  choose(kinds[0]);
}

draw_tiles();
draw_roofline();
draw_ops();
prepare_steps();
draw_calls();
document.body.dataset.drawn = "yes";
)js";

}  // namespace bitnet::profile
