#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares bitnet's ops with rivals and limits: compare.py BENCH_OPS [--quick] [--isa ISA] [--rounds N] [--out FOLDER]

Each case of the executable times ours, its rivals and plain loops in turn; numpy, where it is installed, runs its rows
right behind. Prints the table of medians and writes ops.json and ops.html.
"""
import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]
from report import files, machine  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None

RIVALS = ["OpenBLAS", "oneDNN", "numpy", "STREAM", "read twice", "plain loop", "normal numbers", "limit"]
NOTES = [
    "Milliseconds, medians of rounds in which ours and the others run in turn, in one process. The ratio is the other's "
    "time over ours: higher is better. With two threads each, ours and the rivals', has a CPU of its own.",
    "limit: bytes or operations of the case at the rate that this machine showed for reading memory, for float "
    "multiply-adds or for int8 dot products, with as many threads; of the GEMV in L2 70 GB/s a thread. STREAM: its "
    "scale (one input) or add (two inputs) loop. normal numbers: our time for them where the case is of denormals.",
    "AVX2: BITNET_ISA=avx2 for ours; OpenBLAS and oneDNN are told to run their kernels for the same instruction set "
    "(OPENBLAS_CORETYPE=SkylakeX or Haswell, ONEDNN_MAX_CPU_ISA=AVX2). numpy and the plain loops are the same in all parts.",
]


def numpy_softmax(x):
    e = numpy.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def numpy_norm(x, w, centered):
    c = x - x.mean(axis=-1, keepdims=True) if centered else x
    return c / numpy.sqrt((c * c).mean(axis=-1, keepdims=True) + numpy.float32(1e-5)) * w


def numpy_seconds(case, rounds):
    """Median seconds of numpy for a case of rows; None for others."""
    what, _, cols = case.partition(", rows of ")
    if numpy is None or not cols:
        return None
    cols = int(cols)
    x = numpy.random.default_rng(1).standard_normal((512 if cols == 2560 else 16, cols), dtype=numpy.float32)
    w = numpy.ones(cols, dtype=numpy.float32)
    work = {"softmax": lambda: numpy_softmax(x), "rms_norm": lambda: numpy_norm(x, w, False),
            "layer_norm": lambda: numpy_norm(x, w, True)}[what]
    samples = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def make_row(line, isa, quick, rounds):
    ms = dict(line["ms"])
    seconds = None if quick else numpy_seconds(line["case"], rounds)
    if seconds:
        ms["numpy"] = seconds * 1e3
    ours, goal = ms.pop("ours"), line["goal"]
    group = f"{line['threads']} thread{'s' * (line['threads'] > 1)}" + (", AVX2" if isa == "avx2" else "")
    row = {"case": f"{line['case']}, {group}", "group": group, "ours": ours, "unit": "ms", "rivals": ms, "ratio": None, "goal": "",
           "met": None, "margin": None}
    if goal["to"] == "ms":
        row["goal"], row["margin"] = f"\u2264 {goal['value']:g} ms", goal["value"] / ours
    elif goal["to"]:
        row["goal"] = f"\u2265 {goal['value']:.2g}\u00d7 {goal['to']}"
        if goal["to"] in ms:
            row["ratio"] = ms[goal["to"]] / ours
            row["margin"] = row["ratio"] / goal["value"]
    elif "limit" in ms:
        row["ratio"] = ms["limit"] / ours
    if quick:
        row["margin"] = None
    if row["margin"] is not None:
        row["met"] = row["margin"] >= 1
    return row


def wide_cpu():
    return platform.machine() == "x86_64" and "avx512" in Path("/proc/cpuinfo").read_text()


def surroundings(isa, threads):
    """The environment of a run: ours and the rivals on one instruction set, as many threads."""
    found = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if isa:
        found["BITNET_ISA"] = isa
    if platform.machine() == "x86_64":
        wide = wide_cpu() and found.get("BITNET_ISA", "") in ("", "avx512vnni")
        found["OPENBLAS_CORETYPE"] = "SkylakeX" if wide else "Haswell"
        if not wide:
            found["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--quick", action="store_true", help="seconds: whether all runs; the figures mean nothing")
    parser.add_argument("--isa", choices=["best", "avx2", "both"], default="both",
                        help="the best of this machine, AVX2, or (where they differ) one after the other")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    arguments = parser.parse_args()
    stamp = machine.describe()
    isas = {"best": [""], "avx2": ["avx2"], "both": [""]}[arguments.isa]
    if arguments.isa == "both" and wide_cpu() and "BITNET_ISA" not in os.environ and not arguments.quick:
        isas.append("avx2")
    rows = []
    for isa, threads in itertools.product(isas, (1, 2)):
        command = [str(arguments.binary), "--threads", str(threads), "--rounds", str(arguments.rounds)]
        command += ["--quick"] * arguments.quick + [arguments.only] * bool(arguments.only)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings(isa, threads)) as run:
            for text in run.stdout:
                row = make_row(json.loads(text), isa, arguments.quick, arguments.rounds)
                print(row["case"], file=sys.stderr)
                rows.append(row)
        if run.returncode != 0:
            sys.exit(f"compare.py: {arguments.binary} ended with {run.returncode}")
    versions = {"numpy": numpy.__version__ if numpy else "not installed"}
    for rival in ("OpenBLAS", "oneDNN"):
        versions[rival] = "beside it" if any(rival in row["rivals"] for row in rows) else "not installed"
    files.write(arguments.out, "ops", {
        "title": "Ops against rivals and limits", **stamp, "quick": arguments.quick, "versions": versions, "rivals": RIVALS, "notes": NOTES, "rows": rows})


if __name__ == "__main__":
    main()
