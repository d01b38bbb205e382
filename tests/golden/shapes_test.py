#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Random models of shapes that no published model has: every layer of the engine's computation is
the float64 layer up to near ties, and its logits are its last hidden state times the head."""
import argparse
import pathlib
import sys
import tempfile

from engine import Engine, Report, np
from golden_test import check_trajectory
from hf_model import Model
from random_models import Shape, write_model

LLAMA = {"llama": True, "activation": "silu", "linear_class": "bitlinear"}
SHAPES = [
    Shape("narrow, head of 24, 4 over 1", 96, 200, 4, 1, 24, 301),
    Shape("nothing a multiple of 16", 136, 264, 5, 5, 20, 77, eps=1e-6),
    Shape("9 heads over 3, own head in F16", 200, 136, 9, 3, 16, 257, tied=False, dense="F16",
          **LLAMA),
    Shape("8 over 1, bf16 masters", 136, 264, 8, 1, 16, 333, online=True),
    Shape("input norms, f32 masters, shards", 96, 160, 6, 2, 80, 129, online=True, dense="F32",
          input_norms=True, shards=3, llama=True, activation="silu", tied=False),
    Shape("input norms, packed, other eps", 128, 384, 2, 1, 64, 91, input_norms=True,
          input_eps=1e-3, scale="F32", **LLAMA),
    Shape("one head of 128, one layer, rope_parameters", 128, 512, 1, 1, 128, 999, layers=1,
          theta=1e6, new_rope_key=True),
    Shape("twelve layers, shards", 192, 512, 8, 4, 24, 501, layers=12, shards=2, scale="F16",
          **LLAMA),
    Shape("heads wider than the stream", 64, 96, 7, 7, 32, 63, theta=500000.0, eps=1e-3),
    Shape("BitNet with SiLU, scale divides, f32", 160, 328, 3, 1, 48, 211, activation="silu",
          linear_class="bitlinear", dense="F32", scale="F32", tied=False),
    Shape("Llama with squared ReLU, f16 masters", 1032, 264, 4, 2, 32, 45, online=True,
          dense="F16", llama=True, activation="relu2"),
    Shape("beyond 256 positions", 64, 128, 4, 2, 16, 128, layers=1, tokens=300, new_rope_key=True),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", required=True, help="the bitnet tool")
    args = parser.parse_args()
    engine, report = Engine(args.tool), Report()
    for seed, shape in enumerate(SHAPES):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary) / "model"
            write_model(folder, shape, seed)
            model = Model(folder)
            ids = np.random.default_rng(seed).integers(0, shape.vocab, shape.tokens).tolist()
            logits, hidden = engine.logits(folder, ids)
        explained = check_trajectory(report, shape.name, model, ids, hidden)
        expected = hidden[-1].astype(np.float64) @ model.head.T
        apart = float(np.abs(logits - expected).max() / expected.std())
        report.check(logits.shape == (shape.tokens, shape.vocab), f"{shape.name}: {logits.shape}")
        report.check(apart < 1e-5, f"{shape.name}: logits are not head times hidden ({apart:.1e})")
        print(f"{shape.name}: layers within {max(e.error for e in explained):.1e}, "
              f"{sum(e.ties for e in explained)} near ties, "
              f"{sum(len(e.flips) for e in explained)} flipped; logits within {apart:.1e}",
              flush=True)
    return report.exit_code()


if __name__ == "__main__":
    sys.exit(main())
