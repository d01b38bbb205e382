# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows as one HTML page without scripts or other files; colours follow the reader's light or dark mode."""
from html import escape

from . import plot
from .table import number, rival, verdict

STYLE = """
:root{color-scheme:light dark;--paper:#fcfcfb;--ink:#1b1b1a;--soft:#6b6a66;--line:#dddcd7;--ours:#1f6fb2;--rival:#b9b7b0;
--good:#1a7f37;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--paper:#161615;--ink:#ecebe7;--soft:#a3a19a;--line:#383733;--ours:#6cb4ee;
--rival:#5f5d57;--good:#57c271;--bad:#ff8a80}}
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:84rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
.stamp,.note,.empty{color:var(--soft)}.note{max-width:56rem;margin:.4rem 0}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
td:first-child,th:first-child,.goal{text-align:left}.goal{white-space:normal;min-width:9rem}th{font-weight:600;color:var(--soft)}
.ours{color:var(--ours);font-weight:600}.met{color:var(--good)}.missed{color:var(--bad);font-weight:600}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(22rem,1fr));gap:1.2rem 2rem}
figure{margin:0}figcaption{font-weight:600;margin-bottom:.2rem}svg{width:100%;height:auto;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .soft{fill:var(--soft)}
svg .bar{fill:var(--rival)}svg .bar.own{fill:var(--ours)}
"""


def line(row, rivals):
    # A goal with several rivals breaks between them.
    goal = escape(row["goal"]).replace(" ", "&nbsp;").replace(",&nbsp;", ", ")
    cells = [f"<td>{escape(row['case'])}</td>", f"<td class=ours>{number(row['ours'])}</td>", f"<td>{escape(row['unit'])}</td>"]
    cells += [f"<td>{rival(row, name)}</td>" for name in rivals]
    cells += [f"<td>{number(row['ratio'])}</td>", f"<td class={verdict(row).lower() or 'open'}>{verdict(row)}</td>",
              f"<td class=goal>{goal}</td>"]
    return f"<tr>{''.join(cells)}</tr>"


def page(title, report, rivals, notes):
    """report: machine, commit, date, quick, versions {name: version}, rows."""
    rows = report["rows"]
    judged = [row for row in rows if row["met"] is not None]
    met = sum(row["met"] for row in judged)
    versions = ", ".join(f"{name}: {version}" for name, version in report["versions"].items())
    quick = "<p class=missed>A quick run: its figures mean nothing.</p>" if report["quick"] else ""
    plots = "".join(plot.bars(row, rivals) for row in rows if any(row["rivals"].get(name) for name in rivals))
    head = "".join(f"<th{' class=goal' if name == 'goal' else ''}>{escape(name)}</th>"
                   for name in ["case", "ours", "unit", *rivals, "ratio", "", "goal"])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>
<style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="stamp">{escape(report['machine'])}<br>commit {escape(report['commit'])}, {escape(report['date'])}<br>{escape(versions)}</p>
{quick}<p><b>{met} of {len(judged)} goals met.</b></p>
{''.join(f'<p class="note">{escape(note)}</p>' for note in notes)}
<h2>Figures</h2>
<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>
{chr(10).join(line(row, rivals) for row in rows)}
</tbody></table></div>
<h2>Case by case</h2>
<div class="plots">
{plots}
</div>
</body></html>
"""
