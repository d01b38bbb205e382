# SPDX-License-Identifier: MIT OR Apache-2.0
"""How each engine is asked for a figure: one process for each, so that engines can take turns. Tokens a second, bytes, seconds."""
import json
from pathlib import Path

from process import Failed, run

TEXTS = 8  # written at once


class Ours:
    """The tool; the head as a file has it, the likeliest token from a screened head where that is 16-bit."""

    def __init__(self, binary, folder, models):
        self.binary, self.folder, self.models = Path(binary).resolve(), folder, models

    def model(self, case):
        return self.models / f"{case.model}.i2_s.{case.our_head}.gguf"

    def bench(self, case, *options):
        done = run([self.binary, "bench", "-m", self.model(case), "--i2s-layout", "x86", "-t", case.threads, "--repeat", 1,
                    "--kv", case.kv, "--json", *options], self.folder, environment={"BITNET_ISA": case.isa})
        return json.loads(done.out)

    def decode(self, case):
        found = self.bench(case, "--prefill", 1, "--decode", case.tokens)
        # What memory gave just then: on a shared host it changes from minute to minute.
        return {"rate": found["results"][-1]["tokens_per_second"], "reads": found["read_bytes_per_second"]}

    def prefill(self, case):
        found = self.bench(case, "--prefill", case.tokens, "--decode", 1)
        return {"rate": found["results"][0]["tokens_per_second"], "peak": found["peak_memory_bytes"]}

    def batch(self, case):
        found = self.bench(case, "--prefill", 1, "--decode", case.tokens, "--batch", TEXTS, "--packing", "2bit")
        return {"rate": found["results"][-1]["tokens_per_second"]}

    def start(self, case):
        done = run([self.binary, "run", "-m", self.model(case), "--i2s-layout", "x86", "-t", case.threads, "--ids", "1", "-n", 1,
                    "--ignore-eos", "--json"], self.folder)
        figures = json.loads(done.out)
        return {"seconds": done.seconds, "load": figures["load_seconds"],
                "first_token": figures["prompt_tokens"] / figures["prompt_tokens_per_second"]}


def last_bench_row(text):
    """llama-bench's JSON: its last test."""
    return json.loads(text[text.index("["):])[-1]


def batch_rate(text):
    """S_TG t/s, the eighth column of llama-batched-bench's only row."""
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|") and line.count("|") == 11]
    if len(rows) != 3:
        raise ValueError("llama-batched-bench printed no table with one row")
    return float(rows[2][7])


class Llama:
    """llama.cpp or one of its forks, by llama-bench, llama-batched-bench and llama-perplexity in `binaries`."""

    TOOLS = ["llama-bench", "llama-batched-bench", "llama-perplexity"]

    def __init__(self, binaries, folder, models, ternary, repack=False, stack_bytes=None):
        self.binaries, self.folder, self.models = Path(binaries).resolve(), folder, models
        self.ternary, self.repack, self.stack_bytes = ternary, repack, stack_bytes
        missing = [tool for tool in self.TOOLS if not (self.binaries / tool).is_file()]
        if missing:
            raise Failed(f"{self.binaries}: no {', '.join(missing)}")

    def model_name(self, model, head):
        return f"{model}.{self.ternary}.{head}.gguf"

    def run(self, tool, model, head, *options):
        return run([self.binaries / tool, "-m", self.models / self.model_name(model, head), *options], self.folder,
                   self.stack_bytes)

    def bench(self, case, prompt, written):
        repack = ["-rtr", 1] if self.repack else []
        done = self.run("llama-bench", case.model, case.head, "-t", case.threads, "-p", prompt, "-n", written, "-r", 1,
                        "-o", "json", *repack)
        return done, last_bench_row(done.out)

    def decode(self, case):
        return {"rate": self.bench(case, 0, case.tokens)[1]["avg_ts"]}

    def prefill(self, case):
        done, row = self.bench(case, case.tokens, 0)
        return {"rate": row["avg_ts"], "peak": done.peak_bytes}

    def batch(self, case):
        repack = ["-rtr"] if self.repack else []
        done = self.run("llama-batched-bench", case.model, case.head, "-t", case.threads, "-c", 512, "-b", 512, "-ub", 512,
                        "-npp", 1, "-ntg", case.tokens, "-npl", TEXTS, *repack)
        return {"rate": batch_rate(done.out if "S_TG" in done.out else done.error)}

    def start(self, case):
        # llama-bench writes one token to warm up; the one it times is taken off again.
        done, row = self.bench(case, 0, 1)
        return {"seconds": done.seconds - row["avg_ns"] / 1e9}

    def save_logits(self, model, head, text, context, chunks, out):
        repack = ["-rtr"] if self.repack else []
        self.run("llama-perplexity", model, head, "-t", 2, "-f", text, "-c", context, "-b", context, "--chunks", chunks,
                 "--kl-divergence-base", out, *repack)
