// SPDX-License-Identifier: MIT OR Apache-2.0
// The page's drawings, by the helpers of bitnet/base/html_page.h.
#include "bitnet/memory/tracking/export/html_parts.h"

namespace bitnet {

const char kPageCharts[] = R"js(
// The seven largest series have colours, the others are one.
function main_series() {
  const {series, points} = data.timeline;
  const peaks = series.map((name, i) =>
    ({name, indices: [i], peak: points.reduce((m, p) => Math.max(m, p.series_bytes[i]), 0)}));
  peaks.sort((a, b) => b.peak - a.peak);
  const shown = peaks.slice(0, 7).map((s, i) => ({...s, color: `var(--c${i})`}));
  const rest = peaks.slice(7);
  if (rest.length) shown.push({name: `${rest.length} more tags`, color: "var(--c7)",
    indices: rest.flatMap(s => s.indices)});
  return shown;
}

// Round steps: of time as clocks show it; powers of two of bytes.
function ticks(most, unit_steps) {
  let step = unit_steps(most / 5);
  const out = [];
  for (let v = 0; v <= most * 1.0001; v += step) out.push(v);
  return out;
}
const byte_step = about => 2 ** Math.ceil(Math.log2(Math.max(about, 1)));
const kTimeSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500,
  ...[1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200]
    .map(s => s * 1000)];
const time_step = about =>
  kTimeSteps.find(s => s >= about) || Math.ceil(about / 86400000) * 86400000;

function draw_timeline() {
  const {points} = data.timeline;
  if (points.length === 0) {
    $("timeline").append(el("p", {class: "soft"}, "No timeline was kept."));
    return;
  }
  const W = 1200, H = 300, L = 70, R = 10, T = 8, B = 26;
  const begin = points[0].time_ms, end = Math.max(data.time_ms, points.at(-1).time_ms, begin + 1);
  const most = points.reduce((m, p) => Math.max(m, p.peak_bytes, p.committed_bytes), 1) * 1.05;
  const x = t => L + (t - begin) / (end - begin) * (W - L - R);
  const y = v => T + (1 - v / most) * (H - T - B);
  const chart = svg("svg", {viewBox: `0 0 ${W} ${H}`, role: "img", id: "timeline-svg"});
  for (const v of ticks(most, byte_step))
    chart.append(svg("line", {class: "grid", x1: L, x2: W - R, y1: y(v), y2: y(v)}),
      svg("text", {class: "axis", x: L - 8, y: y(v) + 4, "text-anchor": "end"}, bytes(v)));
  for (const t of ticks(end - begin, time_step))
    chart.append(svg("text", {class: "axis", x: x(begin + t), y: H - 8,
      "text-anchor": t ? "middle" : "start"}, duration(t)));

  // Bytes hold from one point to the next: steps, not slopes.
  const steps = (from, value) => points.map((p, i) => {
    const next = i + 1 < points.length ? points[i + 1].time_ms : end;
    return `${x(p.time_ms).toFixed(1)},${y(value(p, i)).toFixed(1)} ` +
      `${x(next).toFixed(1)},${y(value(p, i)).toFixed(1)}`;
  });
  const series = main_series();
  const floor = points.map(() => 0);
  for (const s of series) {
    const low = floor.slice();
    points.forEach((p, i) => s.indices.forEach(k => floor[i] += p.series_bytes[k]));
    const top = floor.slice();
    const back = steps(points, (p, i) => low[i]).map(s => s.split(" ").reverse().join(" "));
    chart.append(svg("polygon", {fill: s.color, "fill-opacity": 0.85, class: "area",
      points: steps(points, (p, i) => top[i]).join(" ") + " " + back.reverse().join(" ")}));
    $("timeline-legend").append(legend_item(s.color, s.name));
  }
  // A peak lies between the point before and its own.
  const peaks = points.map((p, i) => p.peak_bytes > p.live_bytes && i > 0
    ? `M${x(points[i - 1].time_ms).toFixed(1)},${y(p.peak_bytes).toFixed(1)}` +
      `H${x(p.time_ms).toFixed(1)}` : "").join("");
  if (peaks) {
    chart.append(svg("path", {d: peaks, stroke: "var(--ink)", "stroke-width": 1.2}));
    $("timeline-legend").append(legend_item("var(--ink)", "peak between two points"));
  }
  if (points.some(p => p.committed_bytes > 0)) {
    const known = points.findIndex(p => p.committed_bytes > 0);
    const held = steps(points, p => p.committed_bytes).slice(known);
    chart.append(svg("polyline", {points: held.join(" "),
      fill: "none", stroke: "var(--soft)", "stroke-width": 1.4, "stroke-dasharray": "7 4"}));
    $("timeline-legend").append(legend_item("var(--soft)", "held from the system (dashed)"));
  }
  const cursor = svg("line", {class: "grid", y1: T, y2: H - B, visibility: "hidden"});
  chart.append(cursor);
  chart.addEventListener("mouseleave", () => {
    hide_tip();
    cursor.setAttribute("visibility", "hidden");
  });
  chart.addEventListener("mousemove", event => {
    const box = chart.getBoundingClientRect();
    const at = begin + ((event.clientX - box.left) / box.width * W - L) / (W - L - R) *
      (end - begin);
    let i = points.findIndex(p => p.time_ms > at);
    i = i < 0 ? points.length - 1 : Math.max(0, i - 1);
    const p = points[i];
    cursor.setAttribute("visibility", "visible");
    cursor.setAttribute("x1", x(p.time_ms));
    cursor.setAttribute("x2", x(p.time_ms));
    const shares = series.map(s => [s, s.indices.reduce((sum, k) => sum + p.series_bytes[k], 0)])
      .filter(([, v]) => v > 0).sort((a, b) => b[1] - a[1]);
    tip(event, el("b", {}, `${duration(p.time_ms - begin)}: ${bytes(p.live_bytes)}`),
      `peak ${bytes(p.peak_bytes)}, held ${bytes(p.committed_bytes)}`,
      ...shares.map(([s, v]) => legend_item(s.color, `${s.name} ${bytes(v)} `)));
  });
  $("timeline").append(chart);
  $("span").textContent = `${count(points.length)} points over ${duration(end - begin)}`;
}

// Stacks, outermost call first, as a tree of bytes.
function site_tree(measure) {
  const frames = new Map(data.stacks.map(s => [s.site, s.frames]));
  const root = {name: "all sampled stacks", bytes: 0, children: new Map()};
  for (const site of data.sites) {
    const amount = site[measure];
    if (!amount) continue;
    let node = root;
    node.bytes += amount;
    for (const name of (frames.get(site.site) || ["unknown"]).slice().reverse()) {
      if (!node.children.has(name))
        node.children.set(name, {name, bytes: 0, children: new Map(), parent: node});
      node = node.children.get(name);
      node.bytes += amount;
    }
  }
  return root;
}
const short_name = name => name.replace(/\(anonymous namespace\)::/g, "").replace(/\(.*$/, "");

function draw_flame(focus) {
  const measure = $("by-live").getAttribute("aria-pressed") === "true" ? "live_bytes"
                                                                       : "allocated_bytes";
  const root = focus || site_tree(measure);
  if (root.bytes === 0) {
    $("flame").replaceChildren(el("p", {class: "soft"},
      "No stacks were sampled: set enable_stack_traces."));
    return;
  }
  const W = 1200, ROW = 20;
  const cells = [];
  let depth_of_all = 0;
  const place = (node, x, depth) => {
    const width = node.bytes / root.bytes * W;
    if (width < 0.7) return;
    depth_of_all = Math.max(depth_of_all, depth + 1);
    cells.push({node, x, width, depth});
    const children = [...node.children.values()].sort((a, b) => b.bytes - a.bytes);
    for (const child of children) {
      place(child, x, depth + 1);
      x += child.bytes / root.bytes * W;
    }
  };
  place(root, 0, 0);
  const chart = svg("svg", {viewBox: `0 0 ${W} ${depth_of_all * ROW}`, id: "flame-svg"});
  for (const {node, x, width, depth} of cells) {
    let hash = 0;
    for (const c of node.name) hash = (hash * 31 + c.charCodeAt(0)) >>> 0;
    const cell = svg("rect", {x, y: depth * ROW, width, height: ROW - 1, rx: 2,
      fill: `hsl(${18 + hash % 32} ${62 + hash % 20}% ${58 + hash % 9}%)`});
    cell.addEventListener("mousemove", e => tip(e, el("b", {class: "mono"}, node.name),
      `${bytes(node.bytes)}, ${percent(node.bytes / root.bytes)} of what is shown`));
    cell.addEventListener("mouseleave", hide_tip);
    cell.addEventListener("click", () => draw_flame(node));
    chart.append(cell);
    const room = Math.floor((width - 8) / 6.2), name = short_name(node.name);
    if (room > 3)
      chart.append(svg("text", {x: x + 4, y: depth * ROW + 14, style: "fill:#1b1208"},
        name.length > room ? name.slice(0, room - 1) + "…" : name));
  }
  $("flame").replaceChildren(chart);
}

// The pool's addresses, row by row.
function draw_map() {
  const ranges = data.fragmentation_map;
  const total = ranges.reduce((m, r) => Math.max(m, r.offset + r.bytes), 0);
  if (total === 0) {
    $("map").append(el("p", {class: "soft"}, "The pool gave no map."));
    return;
  }
  const W = 1200, ROWS = Math.min(24, Math.max(4, Math.ceil(ranges.length / 20))), ROW = 14;
  const colors = {used: "var(--c0)", free: "var(--free)", reserved: "var(--reserved)",
    decommitted: "url(#hatch)"};
  const chart = svg("svg", {viewBox: `0 0 ${W} ${ROWS * (ROW + 2)}`, id: "map-svg"},
    svg("defs", {}, svg("pattern", {id: "hatch", width: 6, height: 6,
      patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"},
      svg("rect", {width: 6, height: 6, fill: "var(--reserved)"}),
      svg("rect", {width: 2, height: 6, fill: "var(--free)"}))));
  const per_row = total / ROWS;
  const sums = {used: 0, free: 0, reserved: 0, decommitted: 0};
  for (const range of ranges) {
    sums[range.state] += range.bytes;
    const end = range.offset + range.bytes;
    for (let at = range.offset; at < end;) {
      const row = Math.min(ROWS - 1, Math.floor(at / per_row));
      const stop = row === ROWS - 1 ? end : Math.min(end, (row + 1) * per_row);
      const cell = svg("rect", {x: (at - row * per_row) / per_row * W, y: row * (ROW + 2),
        width: Math.max(0.6, (stop - at) / per_row * W), height: ROW, fill: colors[range.state]});
      cell.addEventListener("mousemove", e => tip(e, el("b", {}, range.state),
        `${bytes(range.bytes)} at ${bytes(range.offset)}`));
      cell.addEventListener("mouseleave", hide_tip);
      chart.append(cell);
      if (stop <= at) break;
      at = stop;
    }
  }
  $("map").append(chart);
  const names = {used: "in live blocks", free: "free", reserved: "reserved, no memory",
    decommitted: "given back to the system"};
  for (const state of Object.keys(sums))
    if (sums[state])
      $("map-legend").append(legend_item(state === "decommitted"
        ? "repeating-linear-gradient(45deg, var(--free) 0 2px, var(--reserved) 2px 5px)"
        : colors[state], `${names[state]}: ${bytes(sums[state])}`));
}
)js";

}  // namespace bitnet
