#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The C++ blocks of README.md are the marked regions of examples/readme_*.cc, which are built and run."""
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(sys.argv[1])


def regions(source):
    marks = re.split(r"^ *// \[(\w+)\]\n", source, flags=re.M)
    # text, name, region, name, text, name, region, name, text
    return [textwrap.dedent(marks[i + 1]).strip("\n") for i in range(1, len(marks) - 1, 4)]


def blocks(page):
    return [block.strip("\n") for block in re.findall(r"^```cpp\n(.*?)^```", page, flags=re.M | re.S)]


shown = blocks((ROOT / "README.md").read_text())
built = [region for name in ("tensor", "memory") for region in regions((ROOT / f"examples/readme_{name}.cc").read_text())]
if not shown or shown != built:
    for a, b in zip(shown, built):
        if a != b:
            print(f"README.md shows:\n{a}\n\nthe examples have:\n{b}\n")
    sys.exit(f"README.md has {len(shown)} C++ blocks, the examples {len(built)} regions; they must be equal")
print(f"{len(shown)} blocks are equal")
