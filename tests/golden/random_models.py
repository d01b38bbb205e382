# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes Hugging Face folders of random ternary models of any shape: the writing side of the
oracle."""
import dataclasses
import json
import struct

import numpy as np

from hf_model import LINEARS, NORMS


@dataclasses.dataclass
class Shape:
    name: str
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    layers: int = 2
    llama: bool = False  # LlamaForCausalLM: no sub-norms
    linear_class: str = "autobitlinear"
    online: bool = False  # masters instead of packed matrices
    activation: str = "relu2"
    tied: bool = True
    dense: str = "BF16"  # type of embedding, head, norms, masters
    scale: str = "BF16"  # type of weight_scale
    eps: float = 1e-5
    theta: float = 10000.0
    new_rope_key: bool = False  # theta in rope_parameters
    input_norms: bool = False  # quantization_config.use_rms_norm
    input_eps: float = 1e-5
    shards: int = 1
    tokens: int = 33


def config(s):
    quantization = {"quant_method": "bitnet", "linear_class": s.linear_class,
                    "quantization_mode": "online" if s.online else "offline"}
    if s.input_norms:
        quantization |= {"use_rms_norm": True, "rms_norm_eps": s.input_eps}
    rope = ({"rope_parameters": {"rope_theta": s.theta, "rope_type": "default"}}
            if s.new_rope_key else {"rope_theta": s.theta})
    return {"architectures": ["LlamaForCausalLM" if s.llama else "BitNetForCausalLM"],
            "model_type": "llama" if s.llama else "bitnet", "hidden_act": s.activation,
            "hidden_size": s.hidden, "intermediate_size": s.ffn, "num_hidden_layers": s.layers,
            "num_attention_heads": s.heads, "num_key_value_heads": s.kv_heads,
            "head_dim": s.head_dim, "vocab_size": s.vocab, "max_position_embeddings": 512,
            "rms_norm_eps": s.eps, "tie_word_embeddings": s.tied,
            "quantization_config": quantization, **rope}


def as_type(values, name):
    """(type, shape, bytes) of a float array."""
    values = np.asarray(values, np.float32)
    if name == "BF16":
        bits = values.view(np.uint32)
        raw = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)  # half to even
    else:
        raw = values.astype({"F16": np.float16, "F32": np.float32}[name])
    return name, values.shape, raw.tobytes()


def tensors(s, rng):
    def norm(size):
        return as_type(rng.uniform(0.5, 1.5, size), s.dense)

    def table():
        return as_type(rng.normal(0, 0.7, (s.vocab, s.hidden)), s.dense)

    queries = s.heads * s.head_dim
    keys = s.kv_heads * s.head_dim
    shapes = {"q": (queries, s.hidden), "k": (keys, s.hidden), "v": (keys, s.hidden),
              "o": (s.hidden, queries), "gate": (s.ffn, s.hidden), "up": (s.ffn, s.hidden),
              "down": (s.hidden, s.ffn)}
    norms = {"attention": s.hidden, "ffn": s.hidden}
    if not s.llama:
        norms |= {"attention_sub": queries, "ffn_sub": s.ffn}
    out = {"model.embed_tokens.weight": table(), "model.norm.weight": norm(s.hidden)}
    if not s.tied:
        out["lm_head.weight"] = table()
    for index in range(s.layers):
        prefix = f"model.layers.{index}."
        for key, size in norms.items():
            out[f"{prefix}{NORMS[key]}.weight"] = norm(size)
        for key, (rows, cols) in shapes.items():
            base = prefix + LINEARS[key]
            if s.input_norms:
                out[base + ".rms_norm.weight"] = norm(cols)
            if s.online:
                out[base + ".weight"] = as_type(rng.normal(0, 0.05, (rows, cols)), s.dense)
                continue
            codes = rng.choice(3, (rows, cols), p=(0.29, 0.42, 0.29)).astype(np.uint8)
            quarter = rows // 4
            packed = sum(codes[i * quarter:(i + 1) * quarter] << (2 * i) for i in range(4))
            out[base + ".weight"] = ("U8", packed.shape, packed.astype(np.uint8).tobytes())
            gamma = rng.uniform(0.5, 1.5) / np.sqrt(cols)
            stored = 1 / gamma if s.linear_class == "bitlinear" else gamma
            out[base + ".weight_scale"] = as_type([stored], s.scale)
    return out


def write_safetensors(path, entries):
    header, at = {}, 0
    for name, (dtype, shape, raw) in entries:
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(e[1][2] for e in entries))


def write_model(folder, shape, seed):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config(shape)))
    entries = list(tensors(shape, np.random.default_rng(seed)).items())
    if shape.shards == 1:
        write_safetensors(folder / "model.safetensors", entries)
        return
    weight_map = {}
    for i in range(shape.shards):
        name = f"model-{i + 1:05d}-of-{shape.shards:05d}.safetensors"
        part = entries[i::shape.shards]
        write_safetensors(folder / name, part)
        weight_map |= {tensor: name for tensor, _ in part}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map}))
