#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""One page of all comparisons: page.py [FOLDER]

Reads what is there of inference.json, ops.json, memory.json and peers.json in FOLDER (bench-results) and writes index.html
beside them. Exit code 1 where a file is not a report or there is none.
"""
import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]
from report import checks, html  # noqa: E402

BENCHES = ["inference", "peers", "ops", "memory"]


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "bench-results")
    reports = {}
    for name in BENCHES:
        file = folder / f"{name}.json"
        if file.exists():
            try:
                reports[name] = checks.checked(json.loads(file.read_text()), name)
            except ValueError as error:
                sys.exit(f"page.py: {file}: {error}")
    if not reports:
        sys.exit(f"page.py: no reports in {folder}")
    (folder / "index.html").write_text(html.index("Benchmarks of bitnet", reports))
    print(f"written: {folder}/index.html ({', '.join(reports)})")


if __name__ == "__main__":
    main()
