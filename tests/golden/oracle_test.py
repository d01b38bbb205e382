#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The judge judged: layers.explain() accepts transformers' own hidden states and refuses them when
one weight, one integer that is no near tie, the rotation or a norm is wrong."""
import argparse
import pathlib
import sys

from engine import Report, np
from hf_model import Model
from layers import Rows, explain


def changed_output(layer, hidden, token, flip):
    """The layer's output with one integer changed by one, near tie or not."""
    site, column = flip

    class Changed(Rows):
        def quantize(self, where, x):
            q, s = super().quantize(where, x)
            if where == site:
                q[token, column] += 1 if q[token, column] < 127 else -1
            return q, s

    rows = Changed(layer, hidden, np.arange(len(hidden)), [frozenset()] * len(hidden))
    return rows.finish(lambda row: (rows.k[:row], rows.v[:row]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--golden", required=True, type=pathlib.Path)
    args = parser.parse_args()
    model = Model(args.model)
    hidden = np.load(args.golden / "golden.npz")["hidden_1"].astype(np.float64)
    report = Report()
    last = len(hidden[0]) - 1
    for index in (0, len(model.layers) // 2):
        layer, before, after = model.layers[index], hidden[index], hidden[index + 1]

        def refused(layer=layer, before=before, after=after):
            return bool(explain(layer, before, after).failed)

        report.check(not refused(), f"layer {index}: the true output is refused")
        for site, column in (("q", 3), ("o", 7), ("down", 11)):
            wrong = changed_output(layer, before, last, (site, column))
            report.check(refused(after=wrong), f"layer {index}: a changed {site} integer passes")
        # A near tie of the last token, rounded the other way, is found.
        rows = Rows(layer, before, np.arange(last + 1), [frozenset()] * (last + 1))
        rows.finish(lambda row, rows=rows: (rows.k[:row], rows.v[:row]))
        for tie in [t for t in rows.ties[last] if t[0] in ("q", "o", "down")][:2]:
            flips = [frozenset()] * last + [frozenset({tie})]
            other = Rows(layer, before, np.arange(last + 1), flips)
            out = other.finish(lambda row, rows=other: (rows.k[:row], rows.v[:row]))
            found = explain(layer, before, out)
            report.check(not found.failed and found.flips == [(last, *tie)],
                         f"layer {index}: near tie {tie} is not found, but {found.flips}")
        weights, _ = layer.linears["gate"]
        row = 5
        kept = weights[row].copy()
        weights[row] = -weights[row]
        report.check(refused(), f"layer {index}: a wrong row of weights passes")
        weights[row] = kept
        # The gate's own scale would pass: the sub-norm after it takes it out again.
        weights, gamma = layer.linears["down"]
        layer.linears["down"] = (weights, gamma * 1.0001)
        report.check(refused(), f"layer {index}: a scale off by 1e-4 passes")
        layer.linears["down"] = (weights, gamma)
        model.theta *= 1.01
        report.check(refused(), f"layer {index}: another rotation passes")
        model.theta /= 1.01
        model.eps *= 100
        report.check(refused(), f"layer {index}: another norm passes")
        model.eps /= 100
        report.check(not refused(), f"layer {index}: not restored")
    return report.exit_code()


if __name__ == "__main__":
    sys.exit(main())
