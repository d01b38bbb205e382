#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every test that docs/DEFECTS.md names exists, and every row names one."""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
ROWS = 32

written = set()
for path in (ROOT / "bitnet").rglob("*_test.cc"):
    written |= {f"{suite}.{name}" for suite, name in
                re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text(), flags=re.M)}

rows = re.findall(r"^\| (\d+) \|.*\|(.*)\|$", (ROOT / "docs/DEFECTS.md").read_text(), flags=re.M)
faults = [] if [int(number) for number, _ in rows] == list(range(1, ROWS + 1)) else [f"rows 1 to {ROWS} are expected"]
for number, tests in rows:
    named = re.findall(r"`(\w+\.\w+)`", tests)
    faults += [f"row {number} names no test"] if not named else []
    faults += [f"row {number}: there is no test {test}" for test in named if test not in written]
if faults:
    sys.exit("docs/DEFECTS.md: " + "; ".join(faults))
print(f"{len(rows)} rows, all of their tests exist")
