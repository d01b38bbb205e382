# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plots as inline SVG, coloured by the page's style sheet."""
from html import escape

from .table import number, rival

WIDTH, ROW, LEFT, RIGHT = 380, 20, 118, 112


def bars(row, rivals):
    """A figure with a bar for each of ours and the rivals. A bar that would hide the others is cut and marked."""
    values = [("ours", row["ours"]), *((name, row["rivals"].get(name)) for name in rivals)]
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
