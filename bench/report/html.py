# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reports as HTML pages without scripts or other files: one report, or an index of several.

A report is a dict: title, machine, commit, date, rows, and if it likes rivals (in order), notes, quick, versions
{name: version}. A row: case, ours, unit, rivals {name: figure}, ratio, goal (text), met (true, false or null: no goal), and if
it likes margin (how many times better than the goal; 1 or more: met) and group (a heading above it and the rows that follow).
"""
from html import escape

from . import plot
from .checks import checked
from .style import STYLE
from .table import number, rival, verdict


def score(report):
    """(rows that met their goals, rows that have one)"""
    judged = [row["met"] for row in report["rows"] if row["met"] is not None]
    return sum(judged), len(judged)


def line(row, rivals, judged):
    group, margin = row.get("group"), row.get("margin")
    case = row["case"].removesuffix(f", {group}")
    cells = [f"<td>{escape(case)}</td>", f"<td class=ours>{number(row['ours'])}</td>", f"<td class=text>{escape(row['unit'])}</td>",
             f"<td>{number(row['ratio'])}</td>"]
    if judged:
        # A goal with several rivals breaks between them.
        goal = escape(row["goal"]).replace(" ", "&nbsp;").replace(",&nbsp;", ", ")
        cells += [f"<td>{plot.margin_bar(margin) if margin is not None else ''}</td>",
                  f"<td class={verdict(row).lower() or 'open'}>{verdict(row)}</td>", f'<td class="text goal">{goal}</td>']
    cells += [f"<td>{rival(row, name)}</td>" for name in rivals]
    return f"<tr>{''.join(cells)}</tr>"


def figures(report):
    rivals = report["rivals"]
    judged = any(row["goal"] for row in report["rows"])
    columns = ["case", "ours", "unit", "ratio", *(["\u00bc \u2190 goal \u2192 4", "", "goal"] if judged else []), *rivals]
    head = "".join(f"<th{' class=text' if name in ('unit', 'goal') else ''}>{escape(name)}</th>" for name in columns)
    lines, group = [], None
    for row in report["rows"]:
        if row.get("group") != group:
            group = row.get("group")
            lines.append(f'<tr class=group><th colspan={len(columns)}>{escape(group or "")}</th></tr>')
        lines.append(line(row, rivals, judged))
    return (f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table></div>')


def stamp(report):
    versions = ", ".join(f"{name}: {version}" for name, version in report["versions"].items())
    quick = "<p class=missed>A quick run: its figures mean nothing.</p>" if report["quick"] else ""
    return (f"<p class=\"stamp\">{escape(report['machine'])}<br>commit {escape(report['commit'])}, {escape(report['date'])}"
            f"<br>{escape(versions)}</p>\n{quick}")


def body(report, folded):
    """Score, notes, table and plots; the plots case by case behind a button where `folded`."""
    met, judged = score(report)
    margins = [row["margin"] for row in report["rows"] if row.get("margin") is not None]
    rivals = report["rivals"]
    bars = "\n".join(plot.bars(row, rivals) for row in report["rows"]
                     if row["ours"] is not None and any(row["rivals"].get(name) for name in rivals))
    cases = f'<div class="plots">\n{bars}\n</div>' if bars else ""
    if cases and folded:
        cases = f"<details><summary>Case by case: ours beside the others</summary>\n{cases}\n</details>"
    elif cases:
        cases = f"<h2>Case by case</h2>\n{cases}"
    return f"""{f'<p><b>{met} of {judged} goals met.</b></p>' if judged else ''}
{''.join(f'<p class="note">{escape(note)}</p>' for note in report['notes'])}
{plot.margins(margins) if margins else ''}
{figures(report)}
{cases}"""


def document(title, content):
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>
<style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
{content}
</body></html>
"""


def page(title, report, rivals, notes):
    """One report as a page of its own."""
    report = checked({**report, "rivals": rivals, "notes": notes}, title)
    return document(title, stamp(report) + body(report, folded=False))


def index(title, reports):
    """Several checked reports, {name: report}, as one page: first how many goals each met, then a section for each."""
    lines = []
    for name, report in reports.items():
        met, judged = score(report)
        lines.append(f'<tr><td><a href="#{escape(name)}">{escape(report["title"])}</a></td><td>{len(report["rows"])}</td>'
                     f'<td>{met if judged else "-"}</td><td class={"missed" if judged > met else "met"}>{judged - met if judged else "-"}</td>'
                     f'<td class=text>{escape(report["commit"])}</td><td class=text>{escape(report["date"])}</td></tr>')
    sections = "\n".join(f'<section id="{escape(name)}"><h2>{escape(report["title"])}</h2>\n{stamp(report)}{body(report, folded=True)}'
                         "</section>" for name, report in reports.items())
    machines = sorted({report["machine"].split(", load")[0] for report in reports.values()})
    commits = {report["commit"] for report in reports.values()}
    mixed = "" if len(machines) == len(commits) == 1 else "<p class=missed>The sections are not of one machine and commit.</p>"
    return document(title, f"""<p class="stamp">{escape('; '.join(machines))}<br>commit {escape(', '.join(sorted(commits)))}</p>
{mixed}<div class="scroll"><table><thead><tr><th>bench</th><th>rows</th><th>goals met</th><th>missed</th>
<th class=text>commit</th><th class=text>date</th></tr></thead><tbody>
{chr(10).join(lines)}
</tbody></table></div>
<p class="note">The bar of a row starts at its goal: to the right as many times better, to the left as many times worse.</p>
{sections}""")
