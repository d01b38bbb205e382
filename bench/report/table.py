# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows as aligned text."""


def number(value):
    """Three significant digits, of 0.1 to 1 two; a dash where there is none."""
    if value is None:
        return "-"
    if 0 < abs(value) < 0.1:
        return f"{value:.3g}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def rival(row, name):
    """A rival's figure, marked where the row says that its results are wrong."""
    return number(row["rivals"].get(name)) + ("\u2020" if name in row.get("wrong", ()) and row["rivals"].get(name) else "")


def verdict(row):
    return {True: "met", False: "MISSED", None: ""}[row["met"]]


def text(rows, rivals):
    lines = [["case", "ours", "unit", *rivals, "ratio", "goal", ""]]
    for row in rows:
        lines.append([row["case"], number(row["ours"]), row["unit"], *(rival(row, name) for name in rivals),
                      number(row["ratio"]), row["goal"], verdict(row)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    left = {0, 2, len(widths) - 2, len(widths) - 1}
    return "\n".join("  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)
