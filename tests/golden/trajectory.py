# SPDX-License-Identifier: MIT OR Apache-2.0
"""A whole model in float64 with chosen roundings, and the search for the roundings behind given
logits: names the activation at which another evaluation took the other integer."""
import numpy as np

from layers import Rows, rms_norm


class Trajectory:
    """flips: set of (layer, token, site, column). `parent`: a trajectory with the same flips in
    the layers before `start`, whose results are taken. rows[layer].integers are its integers."""

    def __init__(self, model, embedded, flips, start=0, parent=None):
        self.model, self.flips = model, flips
        self.inputs = parent.inputs[:start + 1] if parent else [embedded.astype(np.float64)]
        self.rows = parent.rows[:start] if parent else []
        self.ties = [tie for tie in parent.ties if tie[1] < start] if parent else []
        tokens = len(embedded)
        for index in range(start, len(model.layers)):
            chosen = [frozenset((site, c) for layer, token, site, c in flips
                                if (layer, token) == (index, t)) for t in range(tokens)]
            rows = Rows(model.layers[index], self.inputs[index], np.arange(tokens), chosen)
            self.rows.append(rows)
            self.inputs.append(rows.finish(lambda t, r=rows: (r.k[:t], r.v[:t])))
            self.ties += [(distance, index, t, *tie) for t in range(tokens)
                          for tie, distance in rows.ties[t].items()]
        normed = rms_norm(self.inputs[-1], model.final_norm, model.eps)
        self.logits = normed @ model.head.T

    def with_flip(self, flip):
        """The same with one more (or one less) near tie rounded away from its nearest integer."""
        return Trajectory(self.model, self.inputs[0], self.flips ^ {flip}, flip[0], self)


def explain_logits(model, embedded, flips, logits, good, depth=2, beam=3):
    """The trajectory whose last logits are `logits`, from one with `flips` and at most `depth`
    other roundings; (trajectory, difference), the nearest one where none is within `good`."""
    def difference(trajectory):
        return float(np.abs(trajectory.logits[-len(logits):] - logits).max())

    start = Trajectory(model, embedded, frozenset(flips))
    best = (difference(start), start)
    frontier = [best]
    for _ in range(depth):
        grown = []
        for _, parent in frontier:
            for _, *flip in sorted(parent.ties):  # the nearest to the boundary are the likeliest
                if best[0] < good:
                    return best[1], best[0]
                child = parent.with_flip(tuple(flip))
                grown.append((difference(child), child))
                best = min(best, grown[-1], key=lambda found: found[0])
        frontier = sorted(grown, key=lambda found: found[0])[:beam]
    return best[1], best[0]
