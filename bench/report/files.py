# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where reports go."""
import json

from . import html, table


def write(folder, name, report):
    """Prints the report's table; writes name.json and name.html (a page of its own) to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    (folder / f"{name}.html").write_text(html.page(report["title"], report, report["rivals"], report["notes"]))
    print(table.text(report["rows"], report["rivals"]))
    print(f"written: {folder}/{name}.json, {folder}/{name}.html")
