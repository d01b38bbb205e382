# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plots as inline SVG, coloured by the page's style sheet."""
import math
from html import escape

from .table import number, rival

WIDTH, ROW, LEFT, RIGHT = 380, 20, 118, 112
OCTAVES = 2  # plots of margins show a quarter of the goal to four times it


def bars(row, rivals):
    """A figure with a bar for ours and for each rival. A bar that would hide the others is cut and marked."""
    values = [("ours", row["ours"]), *((name, row["rivals"][name]) for name in rivals if name in row["rivals"])]
    known = sorted(abs(value) for _, value in values if value is not None)
    # The scale ends at ten times the median, so that one slow rival leaves the rest readable.
    top = min(known[-1], 10 * known[len(known) // 2]) or 1
    room = WIDTH - LEFT - RIGHT
    parts = []
    for i, (name, value) in enumerate(values):
        y = i * ROW
        parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        if value is None:
            parts.append(f'<text class="soft" x="{LEFT}" y="{y + 14}">not measured</text>')
            continue
        length = max(1.0, min(max(value, 0) / top, 1) * room)
        own = " own" if name == "ours" else ""
        cut = " (cut)" if value > top else ""
        parts.append(f'<rect class="bar{own}" x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}" rx="2"/>')
        figure = number(value) if name == "ours" else rival(row, name)
        parts.append(f'<text class="soft" x="{LEFT + length + 6:.1f}" y="{y + 14}">{figure} {escape(row["unit"])}{cut}</text>')
    height = len(values) * ROW
    return (f'<figure><figcaption>{escape(row["case"])}</figcaption>'
            f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(row["case"])}">{"".join(parts)}</svg></figure>')


def octaves(margin):
    """How many times better than its goal a row is, as a power of two, cut to what plots show."""
    return max(-OCTAVES, min(OCTAVES, math.log2(margin))) if margin > 0 else -OCTAVES


def margin_bar(margin):
    """A small bar from the goal in the middle: to the right as many times better, to the left as many times worse."""
    middle, height = 45, 12
    end = middle + octaves(margin) * (middle - 1) / OCTAVES
    kind = "good" if margin >= 1 else "bad"
    return (f'<svg class="margin" viewBox="0 0 {2 * middle} {height}" role="img" aria-label="{margin:.2f} of the goal">'
            f'<rect class="{kind}" x="{min(middle, end):.1f}" y="2" width="{max(1.0, abs(end - middle)):.1f}" height="8"/>'
            f'<line x1="{middle}" x2="{middle}" y1="0" y2="{height}"/></svg>')


def margins(values):
    """A figure: how many rows lie how far from their goals, in steps of a fourth root of two."""
    steps, per_octave, width, height = 8 * OCTAVES, 4, 24, 96
    counts = [0] * steps
    for margin in values:
        counts[min(steps - 1, int((octaves(margin) + OCTAVES) * per_octave))] += 1
    tall = max(counts)
    parts = []
    for i, count in enumerate(counts):
        if not count:
            continue
        bar = max(2.0, count / tall * (height - 16))
        kind = "good" if i >= steps // 2 else "bad"
        parts.append(f'<rect class="{kind}" x="{i * width + 1}" y="{height - bar:.1f}" width="{width - 2}" height="{bar:.1f}" rx="2"/>'
                     f'<text class="soft" x="{i * width + width / 2}" y="{height - bar - 4:.1f}" text-anchor="middle">{count}</text>')
    for octave in range(-OCTAVES, OCTAVES + 1):
        x = (octave + OCTAVES) * per_octave * width
        anchor = {-OCTAVES: "start", OCTAVES: "end"}.get(octave, "middle")
        label = "the goal" if octave == 0 else {-OCTAVES: "≤ ", OCTAVES: "≥ "}.get(octave, "") + f"{2.0**octave:g}×"
        parts.append(f'<text x="{x}" y="{height + 18}" text-anchor="{anchor}">{label}</text>')
    middle = steps // 2 * width
    parts.append(f'<line x1="0" x2="{steps * width}" y1="{height}" y2="{height}"/>'
                 f'<line class="goal-line" x1="{middle}" x2="{middle}" y1="0" y2="{height + 4}"/>')
    return (f'<figure class="margins"><figcaption>Rows by how far they pass their goals</figcaption>'
            f'<svg viewBox="0 0 {steps * width} {height + 24}" role="img" aria-label="margins">{"".join(parts)}</svg></figure>')
