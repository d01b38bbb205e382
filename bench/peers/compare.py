#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares bitnet with other engines for ternary models: compare.py BITNET --work FOLDER [--llama-cpp BIN] [--ik BIN] [--bitnet-cpp BIN]

BIN are folders with llama-bench, llama-batched-bench and llama-perplexity of llama.cpp, ik_llama.cpp and bitnet.cpp; a rival without
one is left out. Models are made in FOLDER where they are missing (5 GB). Engines take turns case by case, round by round; the figures
are medians. Prints the table, writes peers.json and peers.html.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import logits  # noqa: E402
from cases import CASES, QUICK, RIVALS, make_rows  # noqa: E402
from engines import Llama, Ours  # noqa: E402
from process import Failed  # noqa: E402
from report import html, machine, table  # noqa: E402

HERE = Path(__file__).resolve().parent
TRAINED = HERE.parents[1] / "tests/models/mixed-29m"
# 8 MB of stack are not enough for bitnet.cpp with prompts of 512 tokens: it ends with a signal.
DEEP_STACK = 256 << 20
NOTES = [
    "Random weights in the shape of BitNet b1.58 2B4T, 42 % zeros, the same in every format; the engines run one behind the other, "
    "case by case, each in a process of its own, and the figures are medians of the rounds. The ratio is ours over the rival that "
    "the goal names first, else over the best; for memory and times lower is better.",
    "Rivals have Q6_K heads, their fastest, unless said otherwise; ours is the published file: an F16 head, from "
    "which the likeliest token is found exactly by way of a sketch. Rivals' figures beside other settings of ours ('ours with …') "
    "are those of the case itself.",
    "Decode is from an empty context; of 8 texts 32 tokens each, ours with weights of 2 bits. Peak memory is resident memory with the mapped file. Program start to "
    "first token: file cache warm, vocabulary of 128,256 read.",
]


def logits_note(found):
    if not found:
        return []
    texts = [f"{name} has the same likeliest token at {100 * f['same_likeliest']:.1f} % of {f['positions']} positions, perplexity "
             f"{f['perplexity']:.4g} (ours {f['our_perplexity']:.4g})" for name, f in found.items()]
    return ["Correctness, on a trained model (tests/models/mixed-29m) in each rival's format: " + "; ".join(texts) +
            ". \u2020 marks figures of an engine whose perplexity is over 5 % worse: it does not compute this model. "
            "llama.cpp has SiLU where the model has squared ReLU."]


def open_rivals(arguments, folder, models):
    """{name: engine} of those whose programs are at hand."""
    places = {"ik IQ2_BN": (arguments.ik, "iq2_bn", {}), "ik IQ2_BN_R4": (arguments.ik, "iq2_bn", {"repack": True}),
              "bitnet.cpp I2_S": (arguments.bitnet_cpp, "i2_s", {"stack_bytes": DEEP_STACK}),
              "llama.cpp TQ2_0": (arguments.llama_cpp, "tq2_0", {})}
    return {name: Llama(place, folder, models, ternary, **options) for name, (place, ternary, options) in places.items() if place}


def make_models(bitnet, models, cases, rivals, check):
    names = {f"{case.model}.i2_s.{case.our_head}.gguf" for case in cases}
    names |= {rivals[name].model_name(case.model, case.head) for case in cases for name in case.rivals
              if name in rivals and not case.beside}
    if check:
        names |= {rival.model_name("trained", "q6_k") for rival in rivals.values()}
    subprocess.run([sys.executable, HERE / "models.py", bitnet, models, *sorted(names)], check=True)


def check_logits(bitnet, rivals, folder):
    """{rival: what logits.compare() says}, and what failed."""
    text = folder / "text.txt"
    text.write_bytes((TRAINED / "val_docs.txt").read_bytes().replace(b"\x1e", b"\n"))
    found, failed, ours = {}, [], {}
    for name, rival in rivals.items():
        saved = folder / "saved-logits"
        try:
            rival.save_logits("trained", "q6_k", text, logits.CONTEXT, logits.CHUNKS, saved)
            tokens, theirs = logits.read_saved(saved)
        except (Failed, ValueError) as error:
            failed.append(f"{name}: {error}")
            continue
        key = tokens.tobytes()  # vocabularies are the same, ways to split text may differ
        if key not in ours:
            ours[key] = logits.our_log_probabilities(bitnet, TRAINED, tokens, tokens[0, 0], folder)
        found[name] = logits.compare(tokens, theirs, ours[key])
    return found, failed


def measure(engines, cases, rounds, samples, failed):
    """Adds a sample of each case and engine for each round to `samples`, two of decode: memory bounds it, and what memory gives on a
    shared host changes from minute to minute."""
    again = [case for case in cases if case.kind == "decode" and not case.beside]
    for index in range(rounds):
        for case in [*cases, *again]:
            names = [name for name in engines if name == "ours" or (name in case.rivals and not case.beside)]
            shift = index % len(names)  # each begins at times
            for name in names[shift:] + names[:shift]:
                print(f"round {index + 1} of {rounds}: {case.title}: {name}", file=sys.stderr)
                try:
                    sample = getattr(engines[name], case.kind)(case)
                except Failed as error:
                    if name == "ours":
                        raise
                    failed.append(f"{name}, {case.title}: {error}")
                    continue
                samples.setdefault(name, {}).setdefault(case.title, []).append(sample)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bitnet", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/peers"), help="where models are made")
    for rival in ("llama.cpp", "ik", "bitnet.cpp"):
        parser.add_argument(f"--{rival.replace('.', '-')}", type=Path, help=f"folder with the programs of {rival}")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--add", action="store_true", help="add the rounds to those that peers.json has")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--quick", action="store_true", help="seconds, on a small model: whether all runs; the figures mean nothing")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if os.environ.get("BITNET_ISA"):
        sys.exit("compare.py: BITNET_ISA is set; the comparison sets it itself")
    bitnet, folder = arguments.bitnet.resolve(), arguments.work.resolve()
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    cases = [case for case in (QUICK if arguments.quick else CASES) if case.title.startswith(arguments.only)]
    result = arguments.out / "peers.json"
    earlier = json.loads(result.read_text()) if arguments.add and result.exists() else {}
    if earlier and earlier["commit"] != machine.commit():
        sys.exit(f"compare.py: {result} is of commit {earlier['commit']}; without --add it is replaced")
    samples = earlier.get("samples", {})
    try:
        rivals = open_rivals(arguments, folder, models)
        make_models(bitnet, models, cases, rivals, not arguments.quick)
        found, failed = ({}, []) if arguments.quick else check_logits(bitnet, rivals, folder)
        failed = earlier.get("failed", []) + failed
        measure({"ours": Ours(bitnet, folder, models), **rivals}, cases, 1 if arguments.quick else arguments.rounds, samples, failed)
    except Failed as error:
        sys.exit(f"compare.py: {error}")
    found = {**earlier.get("logits", {}), **found}
    rows = make_rows(cases if arguments.quick else CASES, samples, found)
    if arguments.quick:
        rows = [{**row, "met": None} for row in rows]
    report = {**machine.describe(), "quick": arguments.quick,
              "versions": {name: "measured" if name in samples else "not at hand" for name in RIVALS},
              "failed": failed, "rows": rows, "logits": found, "samples": samples}
    arguments.out.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    notes = NOTES + logits_note(found) + [f"Failed: {text}" for text in failed]
    (arguments.out / "peers.html").write_text(html.page("bitnet against other engines", report, RIVALS, notes))
    print(table.text(rows, RIVALS))
    print("\n".join([*logits_note(found), *(f"failed: {text}" for text in failed)]))
    print(f"written: {result}, {arguments.out}/peers.html")


if __name__ == "__main__":
    main()
