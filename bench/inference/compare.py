#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures the model engine against what this machine allows: compare.py BITNET [--quick] [--out FOLDER]

Runs `bitnet bench` with random weights in 2B4T's shape: one thread and two, with the screened and the full head, and on
machines with AVX-512 with AVX2 too. Prints the table and writes inference.json and inference.html.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]
from report import files, machine  # noqa: E402

RIVALS = ["full head", "limit"]
NOTES = [
    "BitNet b1.58 2B4T's shape with random weights; tokens a second, medians of repeats: higher is better. limit: the rate at "
    "which this machine, with as many threads, could read the weights of a token (decode) or multiply them as 8-bit integers "
    "(prefill); the ratio is the part of it that is reached.",
    "full head: all rows of the head are read for each token, where a bound of a sketch otherwise rules most of them out.",
]


def measure(binary, quick, threads, isa, head, prefill):
    """The object that `bitnet bench --json` prints."""
    shape = [] if quick else ["--shape", "2b4t"]
    command = [str(binary), "bench", "--json", "-t", str(threads), "--head", head, *shape, "--prefill", prefill,
               "--decode", "4" if quick else "64", "--repeat", "1" if quick else "3"]
    environment = {**os.environ, **({"BITNET_ISA": isa} if isa else {})}
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment).stdout)


def make_row(result, group, rivals):
    part = result["part_of_limit"]
    if part:
        rivals["limit"] = result["tokens_per_second"] / part
    return {"case": f"{result['kind']} {result['tokens']}, {group}", "group": group, "ours": result["tokens_per_second"],
            "unit": "tokens/s", "rivals": rivals, "ratio": part or None, "goal": "", "met": None}


def rows_of(binary, quick, threads, isa):
    group = f"{threads} thread{'s' * (threads > 1)}" + (", AVX2" if isa else "")
    screened = measure(binary, quick, threads, isa, "screened", "8" if quick else "128,512")
    full = measure(binary, quick, threads, isa, "full", "8")
    full_decode = next(r["tokens_per_second"] for r in full["results"] if r["kind"] == "decode")
    for result in screened["results"]:
        yield make_row(result, group, {"full head": full_decode} if result["kind"] == "decode" else {})
    yield {"case": f"peak memory, {group}", "group": group, "ours": screened["peak_memory_bytes"] / 1e6, "unit": "MB",
           "rivals": {"full head": full["peak_memory_bytes"] / 1e6}, "ratio": None, "goal": "", "met": None}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--quick", action="store_true", help="seconds: whether all runs; the figures mean nothing")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    arguments = parser.parse_args()
    wide = platform.machine() == "x86_64" and "avx512" in Path("/proc/cpuinfo").read_text()
    stamp = machine.describe()
    lower = ["avx2"] if wide and not arguments.quick and "BITNET_ISA" not in os.environ else []
    rows = []
    for isa in ["", *lower]:
        for threads in (1, 2):
            for row in rows_of(arguments.binary, arguments.quick, threads, isa):
                print(row["case"], file=sys.stderr)
                rows.append(row)
    files.write(arguments.out, "inference", {
        "title": "Inference against this machine's limits", **stamp, "quick": arguments.quick, "rivals": RIVALS, "notes": NOTES,
        "rows": rows})


if __name__ == "__main__":
    main()
