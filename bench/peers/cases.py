# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is compared and what is promised, and rows of the comparison from samples."""
import platform
import statistics
from dataclasses import dataclass, field

BEST = "best"  # the best rival that was measured

# Columns, each an engine and a format; all hold the same weights.
RIVALS = ["ik IQ2_BN", "ik IQ2_BN_R4", "bitnet.cpp I2_S", "llama.cpp TQ2_0"]


@dataclass(frozen=True)
class Case:
    title: str
    kind: str  # decode, prefill, batch, start
    threads: int = 2
    tokens: int = 0
    head: str = "q6_k"     # of the rivals
    our_head: str = "f16"  # of our file
    goals: dict = field(default_factory=dict)  # {rival or BEST: least ours / rival}
    isa: str = ""          # BITNET_ISA of ours
    kv: str = "f32"        # of ours; rivals have f16
    beside: str = ""       # title of the case whose rivals stand beside this one: they are not run again
    rivals: tuple = tuple(RIVALS)
    model: str = "2b4t"


CASES = [
    Case("decode, 2 threads", "decode", tokens=64, goals={"ik IQ2_BN": 1.4, "llama.cpp TQ2_0": 2.2}),
    Case("decode, 1 thread", "decode", threads=1, tokens=32, goals={BEST: 1.6}),
    Case("prefill 128, 2 threads", "prefill", tokens=128, goals={BEST: 1.5}),
    # llama.cpp takes a quarter of a minute for this, at its rate of the case above.
    Case("prefill 512, 2 threads", "prefill", tokens=512, goals={BEST: 1.5}, rivals=tuple(RIVALS[:3])),
    Case("decode of 8 texts, 2 threads", "batch", tokens=32, goals={"ik IQ2_BN_R4": 1.6}),
    Case("decode, 2 threads, rivals with F16 heads", "decode", tokens=64, head="f16", rivals=("ik IQ2_BN", "bitnet.cpp I2_S")),
    Case("decode, 2 threads, ours with a Q6_K head", "decode", tokens=64, our_head="q6_k", beside="decode, 2 threads"),
    Case("prefill 512, 2 threads, ours with a Q6_K head", "prefill", tokens=512, our_head="q6_k",
         beside="prefill 512, 2 threads", rivals=tuple(RIVALS[:3])),
    Case("prefill 512, 2 threads, ours with a bf16 KV cache", "prefill", tokens=512, kv="bf16",
         beside="prefill 512, 2 threads", rivals=tuple(RIVALS[:3])),
    Case("decode of 8 texts, 2 threads, ours with a Q6_K head", "batch", tokens=32, our_head="q6_k",
         beside="decode of 8 texts, 2 threads"),
    Case("decode, 2 threads, ours with AVX2", "decode", tokens=64, isa="avx2", beside="decode, 2 threads"),
    Case("prefill 128, 2 threads, ours with AVX2", "prefill", tokens=128, isa="avx2", beside="prefill 128, 2 threads"),
    Case("start", "start"),
]
if platform.machine() != "x86_64":
    CASES = [case for case in CASES if not case.isa]
QUICK = [
    Case("decode, 1 thread", "decode", threads=1, tokens=2, goals={BEST: 1.6}, model="trained"),
    Case("decode, 1 thread, ours with a Q6_K head", "decode", threads=1, tokens=2, model="trained", our_head="q6_k",
         beside="decode, 1 thread"),
    Case("prefill 8, 2 threads", "prefill", tokens=8, goals={"ik IQ2_BN": 1.5}, model="trained"),
    Case("decode of 8 texts, 2 threads", "batch", tokens=2, model="trained"),
    Case("start", "start", model="trained"),
]
# (title, case, sample, unit, how many of it a unit is, most): other figures of a case; with a limit lower is better.
LIMITS = [
    ("peak memory, prompt of 512", "prefill 512, 2 threads", "peak", "MB", 1e6, 780),
    ("peak memory, prompt of 512, KV cache of 16 bits as the rivals'", "prefill 512, 2 threads, ours with a bf16 KV cache", "peak",
     "MB", 1e6, 780),
    ("peak memory, prompt of 512, ours with a Q6_K head", "prefill 512, 2 threads, ours with a Q6_K head", "peak", "MB", 1e6, None),
    ("load, warm", "start", "load", "s", 1, 0.2),
    ("first token after it", "start", "first_token", "ms", 1e-3, 25),
    ("memory reads, 2 threads, just after decode", "decode, 2 threads", "reads", "GB/s", 1e9, None),
    ("memory reads, 1 thread, just after decode", "decode, 1 thread", "reads", "GB/s", 1e9, None),
    ("program start to first token", "start", "seconds", "s", 1, None),
]


def median(samples, engine, title, name):
    values = [sample[name] for sample in samples.get(engine, {}).get(title, []) if name in sample]
    return statistics.median(values) if values else None


def rivals_of(case, samples, name):
    title = case.beside or case.title
    return {rival: median(samples, rival, title, name) for rival in case.rivals}


def make_row(title, ours, unit, rivals, ratio=None, goal=""):
    return {"case": title, "ours": ours, "unit": unit, "rivals": rivals, "ratio": ratio, "goal": goal, "met": None, "margin": None}


def rate_row(case, samples):
    ours = median(samples, "ours", case.title, "rate")
    rivals = rivals_of(case, samples, "rate")
    row = make_row(case.title, ours, "tokens/s", rivals)
    known = {name: value for name, value in rivals.items() if value}
    row["goal"] = ", ".join(f"\u2265 {least:g}\u00d7 {name}" for name, least in case.goals.items())
    if ours is None or not known:
        return row
    known[BEST] = max(known.values())
    row["ratios"] = {name: ours / value for name, value in known.items()}
    row["ratio"] = row["ratios"][next((name for name in case.goals if name in known), BEST)]
    # A rival that was not measured leaves its goal open, and with it the best of all.
    complete = all(rivals[name] for name in rivals) if BEST in case.goals else all(name in known for name in case.goals)
    if case.goals and complete:
        row["margin"] = min(row["ratios"][name] / least for name, least in case.goals.items())
        row["met"] = row["margin"] >= 1
    return row


def limit_row(spec, cases, samples):
    title, case_title, name, unit, size, most = spec
    case = next((case for case in cases if case.title == case_title), None)
    ours = median(samples, "ours", case_title, name) if case else None
    if ours is None:
        return None
    rivals = {rival: value / size if value else None
              for rival, value in rivals_of(case, samples, name).items()}
    goal = f"\u2264 {most:g} {unit}" if most else ""
    known = [value for value in rivals.values() if value]
    row = make_row(title, ours / size, unit, rivals, ours / size / min(known) if known else None, goal)
    if most:
        row["margin"] = most * size / ours
        row["met"] = row["margin"] >= 1
    return row


def logits_rows(logits):
    """Rows of how near each rival's logits are to ours."""
    if not logits:
        return []
    perplexities = {name: found["perplexity"] for name, found in logits.items()}
    same = {name: 100 * found["same_likeliest"] for name, found in logits.items()}
    ours = next(iter(logits.values()))["our_perplexity"]
    return [make_row("perplexity of a trained model", ours, "", perplexities),
            make_row("the same likeliest token as ours", 100.0, "%", same)]


def make_rows(cases, samples, logits):
    """samples: {engine: {case title: [{sample: value}]}}; logits: {rival: what logits.compare() says}. Each row names in "wrong"
    the rivals whose logits are not the model's."""
    rows = [rate_row(case, samples) for case in cases if case.kind != "start"]
    rows += [row for row in (limit_row(spec, cases, samples) for spec in LIMITS) if row]
    rows += logits_rows(logits)
    wrong = [name for name, found in logits.items() if not found["right"]]
    return [{**row, "wrong": wrong} for row in rows if row["ours"] is not None]
