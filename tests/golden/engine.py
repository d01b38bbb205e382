# SPDX-License-Identifier: MIT OR Apache-2.0
"""The tool under test as Python functions, and the list of what it got wrong. Import this first: it
ends the test as skipped where NumPy is missing."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# Matrices of a few hundred rows: more BLAS threads make the tests seven times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import numpy as np
except ImportError:
    print(f"skipped: {sys.executable} has no numpy")
    sys.exit(77)


class Engine:
    def __init__(self, tool):
        self.tool = tool

    def call(self, *args):
        done = subprocess.run([self.tool, *map(str, args)], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def logits(self, model, ids):
        """(logits [tokens, vocab], hidden [layers + 1, tokens, hidden])"""
        with tempfile.TemporaryDirectory() as folder:
            out, hidden = pathlib.Path(folder) / "logits.npy", pathlib.Path(folder) / "hidden.npy"
            self.call("logits", "-m", model, "--ids", ",".join(map(str, ids)), "--out", out,
                      "--hidden", hidden)
            return np.load(out), np.load(hidden)

    def greedy(self, model, ids, count, *options):
        """The tokens written after ids, and why it stopped."""
        result = json.loads(self.call("run", "-m", model, "--ids", ",".join(map(str, ids)),
                                      "--json", "-n", count, "--temp", 0, *options))
        return result["ids"], result["stop"]

    def perplexity(self, model, tokens, window):
        return json.loads(self.call("perplexity", "-m", model, "--tokens", tokens, "--window",
                                    window, "--json"))


class Report:
    def __init__(self):
        self.checks, self.failures = 0, 0

    def check(self, good, what):
        self.checks += 1
        if not good:
            self.failures += 1
            print("FAILED:", what, flush=True)

    def exit_code(self):
        print(f"{self.checks} checks, {self.failures} failed")
        return 1 if self.failures or not self.checks else 0
