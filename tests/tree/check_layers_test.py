#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tools/check_layers.py must see each kind of fault. usage: check_layers_test.py ROOT"""
import subprocess
import sys
import tempfile
from pathlib import Path

CHECK = Path(sys.argv[1]) / "tools" / "check_layers.py"
HEAD = "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
FAULTS = {
    "bitnet/base/up.cc": (HEAD + '#include "bitnet/io/json.h"\n', "rank"),
    "bitnet/backend/cpu/x.cc": (HEAD + '#include "bitnet/backend/cuda/y.h"\n', "sibling"),
    "bitnet/attic/x.cc": (HEAD + '#include "bitnet/base/error.h"\n', "unknown layer"),
    "bitnet/base/long.cc": (HEAD + "int x;\n" * 800, "lines"),
    "bitnet/base/wide.cc": (HEAD + "// " + "x" * 98 + "\n", "columns"),
    "bitnet/base/bare.cc": ("int x;\n", "SPDX"),
    "bitnet/base/twice.h": (HEAD, "pragma"),
    "docs/ARCHITECTURE.md": ("`bitnet/attic/`\n", "does not exist"),
}
GOOD = {"bitnet/io/fine.cc": HEAD + '#include "bitnet/base/error.h"\n#include "bitnet/io/json.h"\n'}


def run(files):
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, CHECK, root], capture_output=True, text=True)
        return done.returncode, done.stdout


assert run(GOOD)[0] == 0, run(GOOD)
for name, (text, word) in FAULTS.items():
    code, out = run({name: text})
    assert code == 1 and word in out, (name, code, out)
print(f"{len(FAULTS)} kinds of faults are seen")
