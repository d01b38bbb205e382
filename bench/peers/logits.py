# SPDX-License-Identifier: MIT OR Apache-2.0
"""Whether an engine computes the model: its logits over a text beside ours, and its perplexity."""
import struct
import subprocess
from pathlib import Path

import numpy

CONTEXT, CHUNKS = 256, 4
# Engines round activations and heads in other ways; a wrong formula costs far more than this.
MOST_WORSE = 1.05  # perplexity over ours


def read_saved(path):
    """What llama-perplexity --kl-divergence-base writes: tokens [chunks, context] and, for the positions from context / 2 to
    context - 2 of each chunk, log probabilities [chunks, rows, vocabulary]. File: "_logits_", context, vocabulary, chunks, the
    tokens (32 bits each); then for each row two floats (scale, least) and 16 bits a token: least + scale * value."""
    data = Path(path).read_bytes()
    if data[:8] != b"_logits_":
        raise ValueError(f"{path}: no file of log probabilities")
    context, vocabulary, chunks = struct.unpack_from("<3i", data, 8)
    tokens = numpy.frombuffer(data, "<i4", context * chunks, 20).reshape(chunks, context)
    rows = context - 1 - context // 2
    words = 2 * ((vocabulary + 1) // 2) + 4
    table = numpy.frombuffer(data, "<u2", chunks * rows * words, 20 + 4 * tokens.size).reshape(chunks * rows, words)
    scale, least = numpy.ascontiguousarray(table[:, :4]).view("<f4").T
    values = table[:, 4:4 + vocabulary] * scale[:, None] + least[:, None]
    return tokens, values.reshape(chunks, rows, vocabulary)


def our_log_probabilities(bitnet, model, tokens, bos, folder):
    """As read_saved() gives them; each chunk begins with `bos`, as llama-perplexity makes it."""
    out, context = [], tokens.shape[1]
    for chunk in tokens:
        ids = ",".join(map(str, [bos, *chunk[1:]]))
        file = folder / "logits.npy"
        subprocess.run([bitnet, "logits", "-m", model, "--ids", ids, "--out", file], check=True, stdout=subprocess.DEVNULL)
        logits = numpy.load(file)[context // 2:context - 1].astype(numpy.float64)
        logits -= logits.max(axis=1, keepdims=True)
        out.append(logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True)))
    return numpy.array(out)


def perplexity(tokens, values):
    first = tokens.shape[1] // 2
    following = tokens[:, first + 1:]
    return float(numpy.exp(-numpy.take_along_axis(values, following[:, :, None].astype(numpy.int64), 2).mean()))


def compare(tokens, theirs, ours):
    """{positions, same_likeliest (part), perplexity, our_perplexity, right}"""
    a, b = perplexity(tokens, theirs), perplexity(tokens, ours)
    return {"positions": theirs.shape[0] * theirs.shape[1],
            "same_likeliest": float((theirs.argmax(axis=2) == ours.argmax(axis=2)).mean()),
            "perplexity": a, "our_perplexity": b, "right": a <= MOST_WORSE * b}
