#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares bitnet's memory pool with other allocators: compare.py BIN_FOLDER [--quick] [--rounds N] [--out FOLDER]

Runs the bench_memory_* executables of BIN_FOLDER in turn, round by round, so that a disturbance of the machine meets all
of them; prints the table of medians and writes memory.json and memory.html.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
from report import files, machine  # noqa: E402
from rows import make_rows  # noqa: E402

RIVALS = ["tcmalloc", "mimalloc", "jemalloc", "glibc"]
TIMED = ["pair", "batch", "replace", "producer", "exchange", "trace"]  # one process, in this order
RESIDENT = ["resident/peak", "resident/drop", "metadata/64", "metadata/1K", "metadata/64K", "metadata/1M"]
NOTES = [
    "Medians over rounds in which the executables run in turn; each calls its allocator directly, aligned to 64 bytes "
    "unless said otherwise. Lower is better except for the throughput of two threads over one.",
    "The LLM trace is that of a server of a 2B transformer (113,391 allocations, 86 MB at its peak), replayed once before "
    "it is timed, in the process that ran the cases above it; 'in a fresh process' in one that ran nothing else. "
    "'Touched': each page of a new block is written.",
    "Resident memory is measured in a process of its own, every byte written.",
]


def run(binary, *arguments, timeout):
    """The lines of JSON of one run."""
    done = subprocess.run([str(binary), *arguments], stdout=subprocess.PIPE, timeout=timeout, check=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def collect(samples, lines, prefix=""):
    for line in lines:
        samples.setdefault(prefix + line["metric"], []).append(line["value"])


def measure(binaries, rounds, flags, timeout):
    samples = {name: {} for name in [*binaries, "hardened"]}

    def call(name, *arguments, prefix="", binary=None):
        collect(samples[name], run(binaries[binary or name], *flags, *arguments, timeout=timeout), prefix)
    for index in range(rounds):
        # Each begins a round at times.
        names = list(binaries)
        names = names[index % len(names):] + names[:index % len(names)]
        for name in names:
            print(f"round {index + 1} of {rounds}: {name}", file=sys.stderr)
            call(name, *TIMED)
            if index < 3:
                call(name, "trace", prefix="fresh/")
        call("hardened", "--variant", "hardened", "pair/64", binary="ours")
        call("ours", "tracking/pair")
        call("ours", "tracking/trace")
    for name in binaries:
        print(f"resident memory: {name}", file=sys.stderr)
        for case in RESIDENT:
            call(name, case)
    call("ours", "movable/drop")
    return {name: {metric: statistics.median(values) for metric, values in found.items()}
            for name, found in samples.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="seconds: whether all runs; the figures mean nothing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    arguments = parser.parse_args()
    found = {name: arguments.folder / f"bench_memory_{name}" for name in ["ours", *RIVALS]}
    binaries = {name: path for name, path in found.items() if os.access(path, os.X_OK)}
    if "ours" not in binaries:
        sys.exit(f"compare.py: no bench_memory_ours in {arguments.folder}")
    versions = {name: run(path, "version", timeout=60)[0]["version"].split("-")[0] for name, path in binaries.items()}
    stamp = machine.describe()
    flags = ["--quick"] if arguments.quick else []
    medians = measure(binaries, 1 if arguments.quick else arguments.rounds, flags, 300)
    for name in RIVALS:
        medians.setdefault(name, {})
    rows = make_rows(medians, RIVALS)
    if arguments.quick:
        rows = [{**row, "met": None, "margin": None} for row in rows]
    files.write(arguments.out, "memory", {
        "title": "Memory pool against other allocators", **stamp, "quick": arguments.quick,
        "versions": {name: versions.get(name, "not installed") for name in found}, "rivals": RIVALS, "notes": NOTES, "rows": rows})
    missing = [name for name in RIVALS if name not in binaries]
    if missing:
        print("not installed:", ", ".join(missing))


if __name__ == "__main__":
    main()
