#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A second implementation of the network: numpy, float32, straight from the formulas.

usage: reference_forward.py MODEL_FOLDER [GOLDEN_FOLDER]
Reads a Hugging Face folder (BitNetForCausalLM, or LlamaForCausalLM with ternary matrices), prints how far its
results are from golden.npz and golden.json, and exits with 1 if a most probable token differs.
"""
import json
import struct
import sys
from pathlib import Path

import numpy as np

F32 = np.float32
WINDOW = 1024  # tokens; the golden perplexity was taken over such windows


def read_safetensors(path):
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        data = raw[start + begin:start + end]
        if entry["dtype"] == "BF16":
            array = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(F32)
        else:
            array = np.frombuffer(data, {"U8": np.uint8, "F32": F32}[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def unpack(codes):
    """Byte row r holds rows r, r + n, r + 2n, r + 3n (low bits first) as 0, 1, 2 for -1, 0, +1."""
    return np.concatenate([((codes >> shift) & 3).astype(F32) - 1 for shift in (0, 2, 4, 6)])


class Network:
    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.has_sub_norms = self.config["model_type"] == "bitnet"
        divides = self.config["quantization_config"]["linear_class"] == "bitlinear"
        tensors = read_safetensors(folder / "model.safetensors")
        self.weights, self.ternary = {}, {}
        for name, array in tensors.items():
            if array.dtype == np.uint8:
                scale = F32(tensors[name + "_scale"][0])
                self.ternary[name] = unpack(array), F32(1) / scale if divides else scale
            else:
                self.weights[name] = array

    def norm(self, x, name):
        eps = F32(self.config["rms_norm_eps"])
        return (self.weights[name + ".weight"] * (x / np.sqrt((x * x).mean(-1, keepdims=True) + eps))).astype(F32)

    def linear(self, x, name):
        """Activations become int8, one scale for each token (the largest magnitude becomes 127)."""
        weights, scale = self.ternary[name + ".weight"]
        to_int8 = F32(127) / np.maximum(np.abs(x).max(-1, keepdims=True), F32(1e-5))
        return ((np.clip(np.rint(x * to_int8), -128, 127) @ weights.T) / to_int8 * scale).astype(F32)

    def rotate(self, x):
        """RoPE, x [heads, tokens, dim]; halves are the real and the imaginary parts."""
        half = x.shape[-1] // 2
        steps = (np.arange(half) * 2).astype(F32) / (2 * half)
        frequencies = (1.0 / self.config["rope_theta"] ** steps).astype(F32)
        angles = np.tile(np.outer(np.arange(x.shape[1]).astype(F32), frequencies), 2)
        turned = np.concatenate([-x[..., half:], x[..., :half]], -1)
        return x * np.cos(angles).astype(F32) + turned * np.sin(angles).astype(F32)

    def attention(self, x, prefix):
        tokens, heads = len(x), self.config["num_attention_heads"]
        kv_heads = self.config["num_key_value_heads"]
        dim = self.config.get("head_dim") or self.config["hidden_size"] // heads

        def project(which, count):
            return self.linear(x, prefix + which).reshape(tokens, count, dim).transpose(1, 0, 2)

        q = self.rotate(project("q_proj", heads))
        k = np.repeat(self.rotate(project("k_proj", kv_heads)), heads // kv_heads, 0)
        v = np.repeat(project("v_proj", kv_heads), heads // kv_heads, 0)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(F32(dim)) + np.triu(np.full((tokens, tokens), -np.inf, F32), 1)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(tokens, heads * dim).astype(F32)
        return self.linear(self.norm(mixed, prefix + "attn_sub_norm") if self.has_sub_norms else mixed, prefix + "o_proj")

    def feed_forward(self, x, prefix):
        gate = self.linear(x, prefix + "gate_proj")
        relu2 = self.config["hidden_act"] == "relu2"
        gate = np.maximum(gate, 0) ** 2 if relu2 else gate / (1 + np.exp(-gate))
        product = (gate * self.linear(x, prefix + "up_proj")).astype(F32)
        if self.has_sub_norms:
            product = self.norm(product, prefix + "ffn_sub_norm")
        return self.linear(product, prefix + "down_proj")

    def run(self, ids):
        """Logits [tokens, vocabulary] and hidden states [layers + 1, tokens, hidden], the last after the final norm."""
        x = self.weights["model.embed_tokens.weight"][ids]
        hidden = [x]
        for layer in range(self.config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}."
            x = x + self.attention(self.norm(x, prefix + "input_layernorm"), prefix + "self_attn.")
            x = x + self.feed_forward(self.norm(x, prefix + "post_attention_layernorm"), prefix + "mlp.")
            hidden.append(x)
        hidden[-1] = x = self.norm(x, "model.norm")
        head = "model.embed_tokens" if self.config["tie_word_embeddings"] else "lm_head"
        return (x @ self.weights[head + ".weight"].T).astype(F32), np.stack(hidden)


def compare(what, got, expected):
    """Prints the distance; True where each position's most probable token is the same."""
    same = bool((got.argmax(-1) == expected.argmax(-1)).all())
    print(f"{what}: largest difference {np.abs(got - expected).max():.1e}, standard deviation {expected.std():.2f}, "
          f"most probable tokens {'equal' if same else 'DIFFER'}")
    return same


def check_tiny(network, golden):
    logits, hidden = network.run(golden["ids"])
    print(f"after layer 1: largest difference {np.abs(hidden[1][-4:] - golden['hidden_1']).max():.1e}")
    return compare("logits", logits[-8:], golden["logits"])


def check_trained(network, golden, folder):
    expected = json.loads((folder / "golden.json").read_text())
    same = True
    for index, prompt in enumerate(expected["prompts"]):
        logits, _ = network.run(np.array(prompt["ids"]))
        same &= compare(repr(prompt["text"]), logits[-4:], golden[f"logits_{index}"])
    tokens = np.load(folder / "val_tokens.npy").astype(np.int64)[:WINDOW + 1]
    logits, _ = network.run(tokens[:-1])
    logits -= logits.max(-1, keepdims=True)
    chances = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -chances[np.arange(WINDOW), tokens[1:]].mean()
    print(f"negative log likelihood of the first window: {nll:.6f}, golden {expected['val_first1024_nll']:.6f}")
    return same and abs(nll - expected["val_first1024_nll"]) < 0.01


def main():
    model = Path(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else model
    golden = np.load(folder / "golden.npz")
    network = Network(model)
    same = check_tiny(network, golden) if "ids" in golden else check_trained(network, golden, folder)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
