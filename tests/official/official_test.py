#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The official 2B4T files run with no flag: their random-weight twins (make_official.py) are read as squared ReLU with
sub-norms, GGUF and folder give the same logits bit for bit, a screened head writes the tokens of a full one, and memory
stays within file + KV cache + 200 MB, with a screened head also the sketch that inspect tells.
usage: official_test.py BITNET
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print("skipped: numpy is missing (tools/setup.sh test installs it)")
    sys.exit(77)
sys.path.insert(0, str(Path(__file__).parent))
import make_official  # noqa: E402

BITNET = sys.argv[1]
IDS = "128000,15339,264,99,17,128009,500,600,700,800"
NEEDED_BYTES = 3 << 30


def run(*arguments):
    done = subprocess.run([BITNET, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def check(name, model, folder):
    facts = json.loads(run("inspect", "-m", str(model), "--quick", "--json"))
    text = json.dumps(facts)
    assert "relu2" in text and "silu" not in text, text[:600]
    out = folder / f"{name}.npy"
    run("logits", "-m", str(model), "--ids", IDS, "--out", str(out))
    logits = np.load(out)
    assert logits.shape == (10, make_official.VOCAB) and np.isfinite(logits).all()
    figures = json.loads(run("run", "-m", str(model), "--ids", IDS, "-n", "8", "--json"))
    print(name, {key: value for key, value in figures.items() if not isinstance(value, (list, str))})
    return logits, figures


def main():
    folder = Path(tempfile.mkdtemp(prefix="bitnet_official_"))
    if shutil.disk_usage(folder).free < NEEDED_BYTES:
        print("skipped: less than 3 GB of disk are free for the twins of the 2B4T files")
        sys.exit(77)
    try:
        twin = make_official.Model(layers=30)
        gguf, hf = folder / "ggml-model-i2_s.gguf", folder / "hf"
        make_official.write_gguf(gguf, twin)
        make_official.write_hf(hf, twin)
        a, _ = check("gguf", gguf, folder)
        b, _ = check("hf", hf, folder)
        assert (a.view(np.uint32) == b.view(np.uint32)).all(), "GGUF and folder give different logits"
        ids = run("tokenize", "-m", str(gguf), "-p", "hello world", "--ids").strip()
        assert ids.startswith("128000,"), ids
        plan = json.loads(run("inspect", "-m", str(gguf), "--quick", "--json", "-c", "64"))["memory"]
        texts = {}
        for head in ("full", "screened"):
            texts[head] = json.loads(run("run", "-m", str(gguf), "--ids", IDS, "-n", "40", "-c", "64", "--ignore-eos",
                                         "--i2s-layout", "x86", "--head", head, "--json"))
            allowed = gguf.stat().st_size + plan["kv_cache_bytes"] + 200e6
            allowed += plan["head_sketch_bytes"] if head == "screened" else 0
            assert texts[head]["peak_memory_bytes"] <= allowed, (head, texts[head]["peak_memory_bytes"], allowed)
        # Five bits a weight and a half for 64 of them, the sixth bit with the halves again, three floats a row.
        assert plan["head_sketch_bytes"] == make_official.VOCAB * (2560 // 64 * (40 + 2 + 8 + 2) + 12), plan
        assert len(texts["full"]["ids"]) == 40 and texts["full"]["ids"] == texts["screened"]["ids"], texts
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
