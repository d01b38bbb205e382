# SPDX-License-Identifier: MIT OR Apache-2.0
"""One decoder layer in float64, and the proof that a float32 output of it is right.

A layer rounds its activations to int8 four times: q = rint(x * s), s = 127 / max(|x|, 1e-5). Two
correct float32 evaluations agree but for their order of additions, unless some x * s lies so near
to n + 0.5 that they round it to different integers: a near tie. explain() finds the roundings of
near ties that turn the float64 layer into the given output. Where it finds none, the output is
wrong; where it does, every other integer of the layer was the same.

TAU, how near is near. x * s is at most 127. It inherits a relative error of about 2^-24 for each
of some ten float32 operations on its way (norm, product, square), and the sums in norms and
attention add as much again: 20 * 127 * 6e-8 = 1.5e-4. Outputs whose x * s are farther than TAU
from n + 0.5 may not round differently.
"""
import numpy as np

TAU = 2e-4
# Part of a token's layer output (root mean square) by which its elements may differ. Float32
# differs by about 1e-6; a flipped integer changes a trained model's layers by 3e-5 to 1e-2, unless
# hardly a weight reads it.
TOLERANCE = 5e-6
MAX_FLIPS = 8  # roundings to change for one token in one layer
BEAM = 12


def rms_norm(x, weight, eps):
    return weight * (x / np.sqrt((x * x).mean(-1, keepdims=True) + eps))


def rotate(x, positions, theta):
    """x [tokens, heads, dim]; the angle is a float32 product, as in the model's definition."""
    dim = x.shape[-1]
    exponent = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
    frequency = np.float32(1) / np.power(theta, exponent.astype(np.float64)).astype(np.float32)
    angle = np.outer(positions.astype(np.float32), frequency).astype(np.float64)[:, None, :]
    cos, sin = np.cos(angle), np.sin(angle)
    a, b = x[..., :dim // 2], x[..., dim // 2:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


class Rows:
    """The computation of some tokens of a layer, with chosen roundings.

    flips[r]: set of (site, column), near ties at which row r does not take the nearest integer.
    ties[r]: near ties met: (site, column) -> distance from n + 0.5. Sites are named
    after the first matrix that reads the integers; integers[site]: what the activations became,
    [rows, columns]."""

    def __init__(self, layer, hidden, positions, flips):
        self.layer, self.model = layer, layer.model
        self.hidden, self.positions, self.flips = hidden, positions, flips
        self.ties = [{} for _ in flips]
        self.integers = {}
        model = self.model
        x = rms_norm(hidden, layer.norms["attention"], model.eps)
        q, k, v = self.linear(("q", "k", "v"), x)
        shape = (len(hidden), -1, model.head_dim)
        self.q = rotate(q.reshape(shape), positions, model.theta)
        self.k = rotate(k.reshape(shape), positions, model.theta)
        self.v = v.reshape(shape)

    def quantize(self, site, x):
        largest = np.abs(x).max(-1, keepdims=True).astype(np.float32)
        s = (np.float32(127) / np.maximum(largest, np.float32(1e-5))).astype(np.float64)
        scaled = x * s
        q = np.clip(np.rint(scaled), -128, 127)
        below = np.floor(scaled)
        distance = np.abs(scaled - below - 0.5)
        for row, column in np.argwhere(distance < TAU):
            tie = (site, int(column))
            self.ties[row][tie] = float(distance[row, column])
            if tie in self.flips[row]:
                n = below[row, column]
                q[row, column] = n if q[row, column] > n else n + 1
        self.integers[site] = q
        return q, s

    def linear(self, names, x):
        """Products of the named matrices, which share their input unless each has a norm."""
        out = []
        for i, name in enumerate(names):
            own = self.layer.input_norms.get(name)
            if i == 0 or own is not None:
                y = x if own is None else rms_norm(x, own, self.model.input_norm_eps)
                q, s = self.quantize(name, y)
            weights, gamma = self.layer.linears[name]
            # Sums of integers below 2^24: exact in float32 in any order.
            out.append((q.astype(np.float32) @ weights.T).astype(np.float64) * (gamma / s))
        return out

    def attend(self, row, keys, values):
        """Attention of one row over keys, values [positions, kv heads, dim]."""
        model = self.model
        group = model.heads // model.kv_heads
        q = self.q[row].reshape(model.kv_heads, group, model.head_dim)
        scores = np.einsum("hgd,phd->hgp", q, keys) / np.sqrt(float(model.head_dim))
        e = np.exp(scores - scores.max(-1, keepdims=True))
        return np.einsum("hgp,phd->hgd", e / e.sum(-1, keepdims=True), values).ravel()

    def finish(self, past):
        """The layer's output; past(row) = (keys, values) of the positions before the row's."""
        model, layer = self.model, self.layer
        x = np.stack([
            self.attend(row, np.concatenate([keys, self.k[row:row + 1]]),
                        np.concatenate([values, self.v[row:row + 1]]))
            for row, (keys, values) in ((r, past(r)) for r in range(len(self.hidden)))])
        if "attention_sub" in layer.norms:
            x = rms_norm(x, layer.norms["attention_sub"], model.eps)
        h = self.hidden + self.linear(("o",), x)[0]
        x = rms_norm(h, layer.norms["ffn"], model.eps)
        gate, up = self.linear(("gate", "up"), x)
        x = (np.maximum(gate, 0) ** 2 if model.squared_relu else gate / (1 + np.exp(-gate))) * up
        if "ffn_sub" in layer.norms:
            x = rms_norm(x, layer.norms["ffn_sub"], model.eps)
        return h + self.linear(("down",), x)[0]


def relative_error(out, expected):
    scale = np.sqrt((expected * expected).mean(-1))
    return np.abs(out - expected).max(-1) / scale


class Explanation:
    """flips: (token, site, column) rounded the other way. failed: tokens that no rounding explains.
    error: largest relative error left. ties: near ties met in all. integers: site -> what the
    activations became [tokens, columns]."""

    def __init__(self, rows):
        self.flips, self.failed, self.error = [], [], 0.0
        self.ties = sum(len(ties) for ties in rows.ties)
        self.integers = rows.integers


def search(layer, hidden, position, past, expected, normalize):
    """Roundings for one token: (flips, rows, error, row) with the smallest error found."""
    frontier = [frozenset()]
    seen = {frozenset()}
    best = None
    for _ in range(MAX_FLIPS + 1):
        count = len(frontier)
        rows = Rows(layer, np.repeat(hidden[None], count, 0), np.repeat(position, count), frontier)
        errors = relative_error(normalize(rows.finish(lambda _: past)), expected)
        order = np.argsort(errors, kind="stable")
        if best is None or errors[order[0]] < best[2]:
            best = (frontier[order[0]], rows, errors[order[0]], order[0])
        if best[2] <= TOLERANCE:
            break
        grown = {frontier[r] | {tie} for r in order[:BEAM] for tie in rows.ties[r]} - seen
        seen |= grown
        frontier = sorted(grown, key=sorted)
        if not frontier:
            break
    return best


def explain(layer, hidden_in, hidden_out, final_norm=False):
    """Explains hidden_out [tokens, hidden] as the layer's output for hidden_in; with final_norm,
    hidden_out is what the model's last norm makes of it."""
    model = layer.model
    hidden, expected = hidden_in.astype(np.float64), hidden_out.astype(np.float64)

    def normalize(h):
        return rms_norm(h, model.final_norm, model.eps) if final_norm else h

    tokens = len(hidden)
    rows = Rows(layer, hidden, np.arange(tokens), [frozenset()] * tokens)
    keys, values = rows.k, rows.v
    errors = relative_error(
        normalize(rows.finish(lambda row: (keys[:row], values[:row]))), expected)
    result = Explanation(rows)
    for t in range(tokens):
        if errors[t] > TOLERANCE:
            flips, found, errors[t], best = search(
                layer, hidden[t], t, (keys[:t], values[:t]), expected[t], normalize)
            result.flips += [(t, *flip) for flip in sorted(flips)]
            for site, integers in found.integers.items():
                result.integers[site][t] = integers[best]
            if errors[t] > TOLERANCE:
                result.failed.append(t)
            if {site for site, _ in flips} & {"q", "k", "v"} and t + 1 < tokens:
                keys[t], values[t] = found.k[best], found.v[best]
                later = Rows(layer, hidden[t + 1:], np.arange(t + 1, tokens),
                             [frozenset()] * (tokens - t - 1))
                errors[t + 1:] = relative_error(normalize(later.finish(
                    lambda row: (keys[:t + 1 + row], values[:t + 1 + row]))), expected[t + 1:])
                for site, integers in later.integers.items():
                    result.integers[site][t + 1:] = integers
        result.error = max(result.error, float(errors[t]))
    return result


def explain_all(model, hidden):
    """explain() for every layer of a trajectory [layers + 1, tokens, hidden]."""
    last = len(model.layers) - 1
    return [explain(layer, hidden[i], hidden[i + 1], final_norm=i == last)
            for i, layer in enumerate(model.layers)]


def parting(ours, theirs):
    """Where two explained trajectories first differ: (layer, [(token, site, column, our integer,
    theirs)]) of the first site of the first layer with other integers; None where all are equal."""
    for index, (a, b) in enumerate(zip(ours, theirs)):
        for site in a.integers:
            different = np.argwhere(a.integers[site] != b.integers[site])
            if len(different):
                return index, [(int(t), site, int(c), int(a.integers[site][t, c]),
                                int(b.integers[site][t, c])) for t, c in different]
    return None
