#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes torch_gradients.npz beside this file: inputs, outputs and gradients of every differentiable
op by PyTorch's autograd on the CPU, in double, from inputs that float32 holds exactly. Read by
bitnet/ops/torch_gradients_test.cc. An array is called CASE.OPERAND: x, y … as the test calls them,
g the gradient of the output, dx that of x.

Made with torch 2.15.0, numpy 2.4.6, seed 20261123 (PyPI; `python3 torch_gradients.py`); the same
versions write the same bytes. BitLinear is its definition by the detach trick of
transformers/integrations/bitnet.py; dropout's mask is computed here from Philox4x32-10."""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

SEED = 20261123
random = np.random.default_rng(SEED)
arrays = {}


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


def store(case, **values):
    for name, value in values.items():
        value = np.asarray(value.detach().numpy() if torch.is_tensor(value) else value)
        arrays[f"{case}.{name}"] = np.asarray(value, order="C")


def differentiate(case, f, fixed=None, g=None, **inputs):
    """f(**inputs) and its gradients for a random gradient of the output."""
    leaves = {n: torch.tensor(v.astype(np.float64), requires_grad=True) for n, v in inputs.items()}
    y = f(**leaves)
    g = normal(*y.shape) if g is None else g
    y.backward(torch.tensor(g.astype(np.float64)))
    store(case, y=y, g=g, **inputs, **(fixed or {}), **{"d" + n: t.grad for n, t in leaves.items()})


def unary():
    x = np.concatenate([normal(20) * 2, np.array([0, -1.5, 0.5], np.float32)])  # the slope at 0 is 0
    positive = np.abs(x[:20]) + np.float32(0.01)
    smooth = x[x != 0]
    for name, f, at, p in [
        ("neg", torch.neg, x, ()), ("abs", torch.abs, x, ()), ("square", torch.square, x, ()),
        ("reciprocal", torch.reciprocal, smooth, ()), ("sqrt", torch.sqrt, positive, ()),
        ("rsqrt", torch.rsqrt, positive, ()), ("exp", torch.exp, x, ()), ("log", torch.log, positive, ()),
        ("relu", torch.relu, x, ()), ("relu2", lambda t: torch.relu(t) ** 2, x, ()),
        ("leaky_relu", lambda t: F.leaky_relu(t, 0.125), smooth, (0.125, 0)),
        ("sigmoid", torch.sigmoid, x, ()), ("silu", F.silu, x, ()), ("tanh", torch.tanh, x, ()),
        ("gelu", F.gelu, x, ()), ("gelu_tanh", lambda t: F.gelu(t, approximate="tanh"), x, ()),
        ("clamp", lambda t: torch.clamp(t, -0.75, 1.25), x, (-0.75, 1.25)),
    ]:
        differentiate(f"unary.{name}", lambda x: f(x), {"p": np.array((p or (0, 0)), np.float32)}, x=at)


def binary():
    a, b = normal(4, 1, 6), normal(5, 6)
    a[1, 0, 2] = b[3, 2]  # equal: each takes half
    bases = np.abs(a)
    bases[0, 0, 0], bases[2, 0, 3] = 0, 1
    exponents = b.copy()
    exponents[:, 0] = np.abs(exponents[:, 0]) + 1  # those of base 0
    for name, f in [("add", torch.add), ("sub", torch.sub), ("mul", torch.mul), ("div", torch.div),
                    ("min", torch.minimum), ("max", torch.maximum)]:
        differentiate(f"binary.{name}", lambda a, b: f(a, b), a=a, b=b)
    differentiate("binary.pow", lambda a, b: torch.pow(a, b), a=bases, b=exponents)
    condition = normal(5, 6) > 0
    differentiate("where", lambda a, b: torch.where(torch.tensor(condition), a, b),
                  {"condition": condition.astype(np.uint8)}, a=a, b=b)


def reductions():
    x = normal(3, 4, 5)
    ties = x.copy()
    ties[0, 1, 2] = ties[0, 3, 2] = ties[2, 2, 2] = 9  # extremes shared by three
    ties[1, 0, 1] = ties[1, 2, 1] = -9
    zeros = x.copy()
    zeros[0, 1, 2] = 0  # one zero, and two in a row of their own
    zeros[1, 1, 3] = zeros[1, 2, 3] = 0
    empty = x.copy()
    empty[1, :, :] = 0
    for axes in [(1,), (0, 2), (0, 1, 2)]:
        def product(x):
            for axis in axes:
                x = x.prod(axis, keepdim=True)
            return x.sum(axes)  # of one element each: drops the axes
        for name, f, at in [
            ("sum", lambda x: x.sum(axes), x), ("mean", lambda x: x.mean(axes), x),
            ("prod", product, x), ("prod_of_zeros", product, zeros),
            ("max", lambda x: x.amax(axes), ties), ("min", lambda x: x.amin(axes), ties),
            ("norm1", lambda x: torch.linalg.vector_norm(x, 1, axes), x),
            ("norm2", lambda x: torch.linalg.vector_norm(x, 2, axes), x),
            ("norm2_of_zeros", lambda x: torch.linalg.vector_norm(x, 2, axes), empty),
            ("variance", lambda x: x.var(axes, correction=0), x),
            ("variance_of_sample", lambda x: x.var(axes, correction=1), x),
        ]:
            differentiate(f"reduce.{name}.{''.join(map(str, axes))}", f, x=at)


def matrices():
    a, b, bias = normal(7, 20), normal(20, 9), normal(9)
    differentiate("matmul.plain", torch.matmul, input=a, other=b)
    differentiate("matmul.batches", torch.matmul, input=normal(2, 1, 3, 6), other=normal(3, 6, 5))
    for name, activation in [("bias", lambda z: z), ("relu", torch.relu),
                             ("relu2", lambda z: torch.relu(z) ** 2)]:
        differentiate(f"matmul.{name}", lambda input, other, bias: activation(input @ other + bias),
                      input=a, other=b, bias=bias)


def rows():
    x, w, b = normal(4, 9) * 2, normal(9), normal(9)
    differentiate("softmax", lambda x: F.softmax(x, -1), x=x)
    differentiate("log_softmax", lambda x: F.log_softmax(x, -1), x=x)
    targets = np.array([3, 0, -100, 8], np.int64)
    differentiate("cross_entropy", lambda x: F.cross_entropy(x, torch.tensor(targets)),
                  {"targets": targets}, np.array(1.75, np.float32), x=x)
    differentiate("rms_norm", lambda x, w: F.rms_norm(x, (9,), w, 1e-5), x=x, w=w)
    differentiate("rms_norm_alone", lambda x: F.rms_norm(x, (9,), eps=1e-5), x=x)
    differentiate("layer_norm", lambda x, w, b: F.layer_norm(x, (9,), w, b, 1e-5), x=x, w=w, b=b)
    differentiate("layer_norm_alone", lambda x: F.layer_norm(x, (9,), eps=1e-5), x=x)


def positions_and_tables():
    ids = np.array([[3, 0, 3], [5, 1, 3]], np.int64)
    differentiate("embedding", lambda table: F.embedding(torch.tensor(ids), table), {"ids": ids},
                  table=normal(6, 8))
    angles = random.uniform(0, 6, (4, 5))
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def rotate(x):  # rotate_half of transformers' models: two heads of 10
        c = torch.tensor(np.tile(cos, 2).astype(np.float64))[:, None]
        s = torch.tensor(np.tile(sin, 2).astype(np.float64))[:, None]
        heads = x.reshape(4, 2, 10)
        turned = torch.cat([-heads[..., 5:], heads[..., :5]], -1)
        return (heads * c + turned * s).reshape(4, 20)

    differentiate("rope", rotate, {"cos": cos, "sin": sin}, x=normal(4, 20))


def attention():
    def seen(queries, keys, causal, window):
        t, j = np.arange(queries)[:, None] + keys - queries, np.arange(keys)[None]
        mask = (j <= t) if causal else np.ones((queries, keys), bool)
        return torch.tensor(mask & (j > t - window) if window else mask)

    for name, queries, keys, causal, window in [
            ("full", 5, 9, False, 0), ("causal", 7, 7, True, 0), ("decode", 3, 11, True, 0),
            ("window", 8, 8, True, 3)]:
        mask = seen(queries, keys, causal, window)

        def f(q, k, v):  # query head h reads kv head h / 2
            k, v = (t.repeat_interleave(2, 1) for t in (k, v))
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

        differentiate(f"attention.{name}", f, {"options": np.array([causal, window], np.int64)},
                      q=normal(2, 4, queries, 6), k=normal(2, 2, keys, 6), v=normal(2, 2, keys, 5))


def bit_linear():
    """Straight through: w + (quantized(w) - w).detach(). Codes are those of float32, as no value
    lies within 2e-4 of where its code would change."""
    x, w, bias = normal(3, 40), normal(6, 40) * np.float32(0.05), normal(6)

    def quantized(values, factor, low, high):
        scaled = values * factor
        assert np.abs(np.abs(scaled - np.floor(scaled)) - 0.5).min() > 2e-4
        return np.clip(np.rint(scaled), low, high) / factor

    of_w = quantized(w.astype(np.float64), 1 / np.abs(w.astype(np.float64)).mean(), -1, 1)
    of_x = quantized(x.astype(np.float64), 127 / np.abs(x).astype(np.float64).max(-1, keepdims=True), -128, 127)

    def f(x, w, bias):
        x = x + (torch.tensor(of_x) - x).detach()
        w = w + (torch.tensor(of_w) - w).detach()
        return F.linear(x, w, bias)

    differentiate("bit_linear", f, x=x, w=w, bias=bias)


def philox(counter, key):
    """Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", table 2: ten rounds."""
    for _ in range(10):
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [b >> 32 ^ counter[1] ^ key[0], b & 0xFFFFFFFF, a >> 32 ^ counter[3] ^ key[1], a & 0xFFFFFFFF]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


def dropout():
    seed, first, probability, count = 0x123456789ABCDEF, 37, 0.25, 200
    numbers = []
    for i in range(first, first + count):
        counter = i // 64 * 16 + i % 16
        words = philox([counter & 0xFFFFFFFF, counter >> 32, 0, 0], [seed & 0xFFFFFFFF, seed >> 32])
        numbers.append(words[i % 64 // 16])
    mask = np.array(numbers) >= probability * 2**32
    for name, f in [("dropout", lambda x: x), ("relu_dropout", torch.relu)]:
        differentiate(name, lambda x: f(x) * torch.tensor(mask) / (1 - probability),
                      {"numbers": np.array([seed, first], np.int64),
                       "probability": np.array(probability)}, x=normal(count))


for make in (unary, binary, reductions, matrices, rows, positions_and_tables, attention, bit_linear, dropout):
    make()
np.savez(pathlib.Path(__file__).with_suffix(".npz"), **arrays)
print(len(arrays), "arrays")
