// SPDX-License-Identifier: MIT OR Apache-2.0
// The page's roofline, by the helpers of bitnet/base/html_page.h.
#include "bitnet/profile/export/html_parts.h"

namespace bitnet::profile {

const char kPageRoofline[] = R"js(
const {roof, ops, calls} = data;

const digits = n => n < 9.995 ? n.toFixed(2) : n < 99.95 ? n.toFixed(1) : n.toFixed(0);
function si(n, unit) {
  const prefixes = ["", "k", "M", "G", "T", "P"];
  let i = 0;
  while (n >= 999.5 && i < prefixes.length - 1) { n /= 1000; ++i; }
  return digits(n) + " " + prefixes[i] + unit;
}
function time(seconds) {
  const units = ["s", "ms", "µs", "ns"];
  let i = 0;
  while (seconds > 0 && seconds < 0.9995 && i < units.length - 1) { seconds *= 1000; ++i; }
  return digits(seconds) + " " + units[i];
}
const known = (value, text) => value === null ? "–" : text(value);
const work_of = op => op.float_ops + op.int8_ops;

// Ops that do work have colours, most time first; spans around them are grey.
const colors = new Map();
for (const op of ops)
  if (op.bytes && colors.size < 7) colors.set(op.name, `var(--c${colors.size})`);
const color = name => colors.get(name) || "var(--c7)";

// Free places for labels beside dots: the first that meets no other label, no dot and nothing
// written before.
function place_labels(dots, width, bounds, written) {
  const taken = written.concat(dots.map(d => [d.x - d.r, d.y - d.r, d.x + d.r, d.y + d.r]));
  const free = box => taken.every(t =>
    box[2] < t[0] || box[0] > t[2] || box[3] < t[1] || box[1] > t[3]) &&
    box[0] > bounds[0] && box[2] < bounds[2] && box[1] > bounds[1] && box[3] < bounds[3];
  for (const dot of dots) {
    const w = dot.text.length * 6.4;
    for (let ring = 0; ring < 8 && !dot.label; ++ring)
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [1, 1], [-1, -1],
                              [-1, 1]]) {
        const out = dot.r + 5 + ring * 12;
        const x = dx > 0 ? dot.x + out : dx < 0 ? dot.x - out - w : dot.x - w / 2;
        const y = dot.y + dy * (dx ? 7 + ring * 12 : out + 6);
        const box = [x - 1, y - 7, x + w + 1, y + 7];
        if (!free(box)) continue;
        taken.push(box);
        dot.label = {x, y: y + 4, far: ring > 1, w};
        break;
      }
  }
}

function draw_roofline() {
  const drawn = ops.filter(op => op.ops_per_byte && op.ops_per_second);
  if (drawn.length === 0) {
    $("roofline").append(el("p", {class: "soft"}, "No span counted bytes and operations."));
    return;
  }
  const W = 1200, H = 470, L = 84, R = 16, T = 12, B = 44;
  const slope = roof.read_bytes_per_second;
  const peaks = [["int8 peak, " + roof.int8_kernel, roof.int8_ops_per_second, "int8"],
    ["float peak, " + roof.float_kernel, roof.float_ops_per_second, "float"]].filter(p => p[1]);
  const decade = (value, up) => 10 ** (up ? Math.ceil : Math.floor)(Math.log10(value));
  const xs = drawn.map(op => op.ops_per_byte), ys = drawn.map(op => op.ops_per_second);
  for (const p of peaks) {
    if (slope) xs.push(2 * p[1] / slope);
    ys.push(1.2 * p[1]);
  }
  const x0 = decade(Math.min(...xs) * 0.8, false), x1 = decade(Math.max(...xs), true);
  const y0 = decade(Math.min(...ys) * 0.8, false), y1 = decade(Math.max(...ys), true);
  const x = v => L + Math.log10(v / x0) / Math.log10(x1 / x0) * (W - L - R);
  const y = v => H - B - Math.log10(v / y0) / Math.log10(y1 / y0) * (H - T - B);
  const chart = svg("svg", {viewBox: `0 0 ${W} ${H}`, role: "img", id: "roofline-svg"});
  for (let v = x0; v <= x1 * 1.001; v *= 10)
    chart.append(svg("line", {class: "grid", x1: x(v), x2: x(v), y1: T, y2: H - B}),
      svg("text", {class: "axis", x: x(v), y: H - B + 18, "text-anchor": "middle"},
        v < 1 ? String(+v.toPrecision(1)) : si(v, "").replace(/\.0+ /, " ").trim()));
  for (let v = y0; v <= y1 * 1.001; v *= 10)
    chart.append(svg("line", {class: "grid", x1: L, x2: W - R, y1: y(v), y2: y(v)}),
      svg("text", {class: "axis", x: L - 8, y: y(v) + 4, "text-anchor": "end"},
        si(v, "op/s").replace(/\.0+ /, " ")));
  chart.append(svg("text", {class: "axis", x: (L + W - R) / 2, y: H - 8,
    "text-anchor": "middle"}, "operations a byte"));

  const top = peaks.length ? Math.max(...peaks.map(p => p[1])) : y1;
  const written = [];
  if (slope) {
    const from = Math.max(x0, y0 / slope), to = Math.min(x1, top / slope);
    chart.append(svg("line", {class: "roof", x1: x(from), y1: y(slope * from), x2: x(to),
      y2: y(slope * to)}));
    const at = Math.sqrt(from * to);
    const angle = -Math.atan2(y(slope * from) - y(slope * to), x(to) - x(from)) * 180 / Math.PI;
    const text = "memory reads, " + si(slope, "B/s"), turn = angle * Math.PI / 180;
    chart.append(svg("text", {x: x(at), y: y(slope * at) - 8, "text-anchor": "middle",
      transform: `rotate(${angle.toFixed(1)} ${x(at).toFixed(1)} ${y(slope * at).toFixed(1)})`},
      text));
    for (let i = 0; i <= text.length; ++i) {  // letter by letter, 12 above the line
      const along = (i - text.length / 2) * 6.4;
      const cx = x(at) + along * Math.cos(turn) + 12 * Math.sin(turn);
      const cy = y(slope * at) + along * Math.sin(turn) - 12 * Math.cos(turn);
      written.push([cx - 4, cy - 6, cx + 4, cy + 6]);
    }
  }
  for (const [name, value] of peaks) {
    const from = slope ? Math.max(x0, value / slope) : x0;
    chart.append(svg("line", {class: "roof", x1: x(from), x2: x(x1), y1: y(value), y2: y(value)}),
      svg("text", {x: W - R - 4, y: y(value) - 7, "text-anchor": "end"},
        `${name}, ${si(value, "op/s")}`));
  }

  const dots = drawn.map(op => ({op, text: op.name, x: x(op.ops_per_byte), y: y(op.ops_per_second),
    r: 4 + 15 * Math.sqrt(op.share)}));
  dots.sort((a, b) => b.r - a.r);
  place_labels(dots, W, [L, T, W - R, H - B], written);
  for (const {op, ...dot} of dots) {
    const peak = op.int8_ops > op.float_ops ? roof.int8_ops_per_second
                                            : roof.float_ops_per_second;
    const limit = Math.min(peak || Infinity, slope ? slope * op.ops_per_byte : Infinity);
    if (limit > op.ops_per_second && limit < Infinity)
      chart.append(svg("line", {class: "gap", x1: dot.x, x2: dot.x, y1: dot.y, y2: y(limit)}));
    const circle = svg("circle", {cx: dot.x, cy: dot.y, r: dot.r, fill: color(op.name),
      "data-op": op.name});
    circle.addEventListener("mousemove", e => tip(e, el("b", {}, op.name),
      `${percent(op.share)} of the time, ${count(op.count)} times, ${time(op.mean_seconds)} each`,
      `${digits(op.ops_per_byte)} operations a byte, ${si(op.ops_per_second, "op/s")}, ` +
        si(op.bytes_per_second, "B/s"),
      `${known(op.share_of_bandwidth, percent)} of memory reads, ` +
        `${known(op.share_of_peak, percent)} of the peak`,
      ...(limit < Infinity ? [`the roof here is ${si(limit, "op/s")}`] : [])));
    circle.addEventListener("mouseleave", hide_tip);
    chart.append(circle);
    const l = dot.label;
    if (!l) continue;
    if (l.far)
      chart.append(svg("line", {class: "grid", x1: dot.x, y1: dot.y, y2: l.y - 4,
        x2: l.x > dot.x ? l.x - 3 : l.x + l.w + 3}));
    chart.append(svg("text", {x: l.x, y: l.y}, dot.text));
  }
  $("roofline").append(chart);

  const moving = ops.filter(op => op.bytes && !work_of(op)).map(op => op.name);
  const around = ops.filter(op => !op.bytes).map(op => op.name);
  $("roofline-note").textContent = [
    slope && drawn.some(op => op.share_of_bandwidth > 1)
      ? "Dots above the slope have their bytes in caches." : "",
    moving.length ? `No dot: ${moving.join(", ")} (no arithmetic).` : "",
    around.length ? `Spans around ops: ${around.join(", ")}.` : "",
    slope ? "" : "The machine's read bandwidth is not known.",
    peaks.length < 2 ? "A peak of this machine is not known." : "",
  ].filter(Boolean).join(" ");
}
)js";

}  // namespace bitnet::profile
