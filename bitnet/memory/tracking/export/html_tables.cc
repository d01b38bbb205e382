// SPDX-License-Identifier: MIT OR Apache-2.0
// The page's figures and tables.
#include "bitnet/memory/tracking/export/html_parts.h"

namespace bitnet {

const char kPageTables[] = R"js(
const stacks = new Map(data.stacks.map(s => [s.site, s.frames]));
// The innermost call outside this library's memory system, with all calls inside.
const kMemory = /^bitnet::(memory::|(Tracker|\w*Pool|\w*Handle|\w*Heap)\b)/;
function last_parts(name) {
  return name.includes("<") ? name : name.split("::").slice(-2).join("::");
}
function stack(site) {
  const frames = stacks.get(site);
  if (!frames) return el("span", {class: "soft"}, site ? "unknown" : "not sampled");
  const own = frames.find(f => !kMemory.test(f)) || frames[0];
  return el("details", {}, el("summary", {class: "mono"}, last_parts(short_name(own))),
    ...frames.map(f => el("div", {class: "mono soft"}, f)));
}

function draw_tiles() {
  const m = data.memory, tile = (name, value, kind = "") =>
    $("tiles").append(el("div", {class: "tile " + kind}, el("b", {}, value),
      el("span", {}, name)));
  tile("live", bytes(m.live_bytes));
  tile("most live", bytes(Math.max(m.peak_bytes, data.peak.bytes)));
  tile("held from the system", bytes(m.small.committed_bytes + m.large.committed_bytes));
  tile("live blocks", count(m.live_blocks));
  tile("fragmentation", percent(data.fragmentation_ratio),
    data.fragmentation_ratio > 0.5 ? "bad" : "");
  const level = data.pressure.level;
  tile("memory pressure", level, level === "none" ? "good"
    : level === "high" || level === "critical" ? "bad" : "");
  tile("possible leaks", count(data.leaks.blocks), data.leaks.blocks ? "bad" : "good");
  tile("tracking, of one core", data.overhead.percent.toFixed(2) + " %");
  $("subtitle").textContent = `Tracking level ${data.level} for ${duration(data.time_ms)}` +
    (data.sampling_rate < 1 ? `; ${percent(data.sampling_rate)} of the blocks, scaled up` : "");
}

function draw_patterns() {
  const names = {repeated_size: "repeated size", sawtooth: "sawtooth", growth: "growth",
    ping_pong: "ping-pong"};
  const number = ([name, v]) =>
    name.endsWith("_bytes") || name === "bytes_per_second" ? bytes(v) +
        (name === "bytes_per_second" ? "/s" : "")
      : name.startsWith("share") ? percent(v) : name.endsWith("_ms") ? duration(Math.round(v))
      : count(+v.toFixed(2));
  table("patterns", data.patterns, [
    ["Kind", p => badge(names[p.kind], p.kind === "growth")],
    ["What", p => p.subject],
    ["Numbers", p => Object.entries(p.evidence).map(e =>
      `${e[0].replace(/_(bytes|ms)$/, "").replaceAll("_", " ")} ${number(e)}`).join(", ")],
  ], "No pattern was found, or the search for them is off.");
}

function draw_leaks() {
  const leaks = data.leaks;
  $("leaks").append(el("p", {class: "soft"}, `Live for at least ${duration(leaks.min_age_ms)}: ` +
    `${count(leaks.blocks)} blocks, ${bytes(leaks.bytes)}.` + (leaks.unseen_blocks
      ? ` ${count(leaks.unseen_blocks)} live blocks have no event.` : "")));
  table("leaks", leaks.groups, [
    ["Tag", g => g.tag],
    ["Where", g => stack(g.site)],
    ["Blocks", g => count(g.blocks), true],
    ["Bytes", g => bytes(g.bytes), true],
    ["Oldest", g => duration(g.oldest_ms), true],
    ["", g => el("span", {}, ...(g.grows ? [badge("grows", true)] : []),
      ...(g.outlived_blocks ? [badge("outlived its kind", true)] : []))],
  ], "None.");
}

function draw_lifetimes() {
  const lives = data.lifetimes, counts = lives.all.counts_by_power_of_two_ms;
  if (lives.all.blocks === 0) {
    $("lifetimes").append(el("p", {class: "soft"}, "No block has ended yet."));
    return;
  }
  const W = 560, H = 130, B = 22, most = Math.max(...counts);
  const width = W / Math.max(counts.length, 8);
  const chart = svg("svg", {viewBox: `0 0 ${W} ${H}`, id: "lifetimes-svg"});
  counts.forEach((n, i) => {
    const height = n / most * (H - B - 16);
    const bar = svg("rect", {x: i * width + 2, y: H - B - height, width: width - 4, height,
      rx: 2, fill: "var(--c0)"});
    const edge = "below " + duration(2 ** i);
    bar.addEventListener("mousemove", e => tip(e, el("b", {}, edge), count(n) + " blocks"));
    bar.addEventListener("mouseleave", hide_tip);
    chart.append(bar);
    if (i % Math.ceil(counts.length / 8) === 0)
      chart.append(svg("text", {class: "axis", x: i * width + 2, y: H - 6}, edge.slice(6)));
  });
  $("lifetimes").append(chart);
  table("lifetimes", lives.by_tag.sort((a, b) => b.lives.blocks - a.lives.blocks).slice(0, 12), [
    ["Tag", t => t.tag],
    ["Ended", t => count(t.lives.blocks), true],
    ["Half below", t => duration(t.lives.p50_ms), true],
    ["90 %", t => duration(t.lives.p90_ms), true],
    ["99 %", t => duration(t.lives.p99_ms), true],
  ], "");
}

function draw_tables() {
  const stats = [
    ["Live", s => bytes(s.live_bytes), true],
    ["Blocks", s => count(s.live_blocks), true],
    ["Allocated", s => bytes(s.allocated_bytes), true],
    ["Allocations", s => count(s.allocations), true],
  ];
  table("tags", data.top_tags, [["Tag", t => t.tag], ...stats], "No event was seen.");
  table("sites", data.sites.slice(0, 40), [["Where", s => stack(s.site)], ...stats],
    "No stacks were sampled: set enable_stack_traces.");
  const peak = data.peak;
  $("peak").append(el("p", {class: "soft"},
    `${bytes(peak.bytes)} after ${duration(peak.time_ms)}, as seen from events; ` +
    `what was live at ${bytes(peak.kept_bytes)}:`));
  table("peak", peak.tags.filter(t => t.live_bytes).slice(0, 10), [
    ["Tag", t => t.tag],
    ["Live", t => bytes(t.live_bytes), true],
    ["Share", t => percent(t.live_bytes / Math.max(1, peak.kept_bytes)), true],
    ["Blocks", t => count(t.live_blocks), true],
  ], "No event was seen.");
}

function pairs(id, rows) {
  table(id, rows, [["", r => r[0]], ["", r => r[1], true]], "");
}

function draw_facts() {
  const m = data.memory, e = data.events, o = data.overhead;
  const part = p => `${bytes(p.live_bytes)} / ${bytes(p.committed_bytes)}`;
  pairs("pool", [
    ["Allocations", count(m.total_allocations)],
    ["Allocated", bytes(m.total_bytes)],
    ["Refused", count(m.failed_allocations)],
    ["Lost to rounding in live blocks", bytes(m.waste_bytes)],
    ["The pool's own data", bytes(m.metadata_bytes)],
    ["Small blocks: live / held", part(m.small)],
    ["Large blocks: live / held", part(m.large)],
  ]);
  pairs("cost", [
    ["Time, measured", `${o.busy_seconds.toFixed(3)} s of ${o.wall_seconds.toFixed(1)} s`],
    ["Memory", bytes(o.resident_bytes)],
    ["Events seen", count(e.seen)],
    ["Events lost (rings were full)", count(e.lost)],
    ["Without counterpart", count(e.unmatched)],
    ["Blocks forgotten: their free may be lost", count(e.reconciled)],
    ["Blocks beyond the table", count(e.untracked)],
  ]);
}

function press(button, other) {
  $(button).addEventListener("click", () => {
    $(button).setAttribute("aria-pressed", "true");
    $(other).setAttribute("aria-pressed", "false");
    draw_flame();
  });
}
press("by-live", "by-allocated");
press("by-allocated", "by-live");
$("flame-reset").addEventListener("click", () => draw_flame());

draw_tiles();
draw_timeline();
draw_flame();
draw_map();
draw_patterns();
draw_leaks();
draw_lifetimes();
draw_tables();
draw_facts();
document.body.dataset.drawn = "yes";
)js";

}  // namespace bitnet
