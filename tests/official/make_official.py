#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes random-weight twins of the official BitNet b1.58 2B4T files: the GGUF file and the Hugging Face folder.

Headers, keys, tensor names, types, shapes and sizes are those of the published files (docs/FORMATS.md); the weights are
random (42 % zeros) and the same in both, and the vocabulary is made up: 128,256 tokens and 280,147 merges over ASCII.
usage: make_official.py OUT_FOLDER [--layers N]     -> OUT_FOLDER/ggml-model-i2_s.gguf, OUT_FOLDER/hf/
"""
import argparse
import itertools
import json
import string
import struct
from pathlib import Path

import numpy as np

HIDDEN, FFN, VOCAB, HEAD_DIM, HEADS, KV_HEADS = 2560, 6912, 128256, 128, 20, 5
MERGES = 280147
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}{% if message['role'] == 'user' %}"
    "{{ 'User: ' + message['content'] | trim + '<|eot_id|>' }}{% elif message['role'] == 'assistant' %}"
    "{{ 'Assistant: ' + message['content'] | trim + '<|eot_id|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}")
# name in GGUF, name in HF, rows, columns
LINEARS = [
    ("attn_q", "self_attn.q_proj", HIDDEN, HIDDEN), ("attn_k", "self_attn.k_proj", KV_HEADS * HEAD_DIM, HIDDEN),
    ("attn_v", "self_attn.v_proj", KV_HEADS * HEAD_DIM, HIDDEN), ("attn_output", "self_attn.o_proj", HIDDEN, HIDDEN),
    ("ffn_gate", "mlp.gate_proj", FFN, HIDDEN), ("ffn_up", "mlp.up_proj", FFN, HIDDEN),
    ("ffn_down", "mlp.down_proj", HIDDEN, FFN)]
NORMS = [("attn_norm", "input_layernorm", HIDDEN), ("attn_sub_norm", "self_attn.attn_sub_norm", HIDDEN),
         ("ffn_norm", "post_attention_layernorm", HIDDEN), ("ffn_sub_norm", "mlp.ffn_sub_norm", FFN)]


def byte_alphabet():
    """GPT-2's printable character for each byte."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    names = {b: chr(b) for b in plain}
    names.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in names)})
    return [names[b] for b in range(256)]


def made_up_vocabulary():
    """Tokens of 1 to 4 characters and merges whose parts and results are tokens."""
    tokens = byte_alphabet()
    letters = string.ascii_lowercase
    pairs = ["".join(p) for p in itertools.product(string.ascii_letters + string.digits, repeat=2)]
    triples = ["".join(p) for p in itertools.product(letters, repeat=3)]
    quads = ("".join(p) for p in itertools.product(letters, repeat=4))
    tokens += pairs + triples
    tokens += list(itertools.islice(quads, 128000 - len(tokens)))
    merges = [f"{p[0]} {p[1]}" for p in pairs] + [f"{t[:2]} {t[2]}" for t in triples]
    quads = [t for t in tokens[256:] if len(t) == 4]
    merges += [f"{t[:2]} {t[2:]}" for t in quads] + [f"{t[:3]} {t[3]}" for t in quads] + [f"{t[0]} {t[1:]}" for t in quads]
    merges = merges[:MERGES]
    special = ["<|begin_of_text|>", "<|end_of_text|>"] + [f"<|reserved_special_token_{i}|>" for i in range(7)]
    special += ["<|eot_id|>"] + [f"<|reserved_special_token_{i}|>" for i in range(7, 253)]
    assert len(special) == 256 and len(merges) == MERGES
    return tokens, merges, special


def random_codes(rng, rows, columns):
    """Codes 0, 1, 2 with 42 % ones (zero weights)."""
    draw = rng.integers(0, 100, size=(rows, columns), dtype=np.uint8)
    return np.where(draw < 42, 1, np.where(draw < 71, 0, 2)).astype(np.uint8)


def pack_i2_s(codes):
    blocks = codes.reshape(-1, 4, 32)
    return (blocks[:, 0] << 6 | blocks[:, 1] << 4 | blocks[:, 2] << 2 | blocks[:, 3]).tobytes()


def pack_hf(codes):
    parts = codes.reshape(4, codes.shape[0] // 4, codes.shape[1])
    return (parts[0] | parts[1] << 2 | parts[2] << 4 | parts[3] << 6).tobytes()


def bf16(values):
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def widen(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


class Model:
    """The weights both files hold; every layer has the same codes and a scale of its own."""

    def __init__(self, layers, seed=1):
        rng = np.random.default_rng(seed)
        self.layers = layers
        self.codes = {gguf: random_codes(rng, rows, cols) for gguf, _, rows, cols in LINEARS}
        self.scales = bf16(rng.uniform(0.5, 2.0, (layers, len(LINEARS))))
        self.norms = {gguf: bf16(rng.uniform(0.5, 1.5, (layers, size))) for gguf, _, size in NORMS}
        self.output_norm = bf16(rng.uniform(0.5, 1.5, HIDDEN))
        # bf16 values of this size are f16 values too, so both files hold the same embedding.
        self.embedding = bf16(rng.uniform(0.25, 1.0, (VOCAB, HIDDEN)).astype(np.float32))
        self.embedding |= (rng.integers(0, 2, (VOCAB, HIDDEN), dtype=np.uint16) << 15)


def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(kind, value):
    numbers = {"u32": (4, "<I"), "f32": (6, "<f"), "bool": (7, "<B")}
    if kind in numbers:
        return struct.pack("<I", numbers[kind][0]) + struct.pack(numbers[kind][1], value)
    if kind == "str":
        return struct.pack("<I", 8) + gguf_string(value)
    head = struct.pack("<I", 9)
    if kind == "strs":
        return head + struct.pack("<IQ", 8, len(value)) + b"".join(gguf_string(t) for t in value)
    code, dtype = {"f32s": (6, np.float32), "i32s": (5, np.int32)}[kind]
    return head + struct.pack("<IQ", code, len(value)) + np.asarray(value, dtype).tobytes()


def write_gguf(path, model):
    tokens, merges, special = made_up_vocabulary()
    arch = "bitnet-b1.58"
    keys = [
        ("general.architecture", "str", arch), ("general.name", "str", "bitnet2b"), (f"{arch}.vocab_size", "u32", VOCAB),
        (f"{arch}.context_length", "u32", 4096), (f"{arch}.embedding_length", "u32", HIDDEN),
        (f"{arch}.block_count", "u32", model.layers), (f"{arch}.feed_forward_length", "u32", FFN),
        (f"{arch}.rope.dimension_count", "u32", HEAD_DIM), (f"{arch}.attention.head_count", "u32", HEADS),
        (f"{arch}.attention.head_count_kv", "u32", KV_HEADS), ("tokenizer.ggml.add_bos_token", "bool", 1),
        (f"{arch}.attention.layer_norm_rms_epsilon", "f32", 1e-5), (f"{arch}.rope.freq_base", "f32", 500000.0),
        ("general.file_type", "u32", 40), ("tokenizer.ggml.model", "str", "gpt2"),
        ("tokenizer.ggml.tokens", "strs", tokens + special), ("tokenizer.ggml.scores", "f32s", np.zeros(VOCAB)),
        ("tokenizer.ggml.token_type", "i32s", [1] * len(tokens) + [3] * len(special)),
        ("tokenizer.ggml.merges", "strs", merges), ("tokenizer.ggml.bos_token_id", "u32", 128000),
        ("tokenizer.ggml.eos_token_id", "u32", 128001), ("tokenizer.ggml.padding_token_id", "u32", 128001),
        ("tokenizer.chat_template", "str", CHAT_TEMPLATE), ("general.quantization_version", "u32", 2)]
    trailer = lambda bits: widen(np.array([bits], np.uint16)).tobytes() + bytes(28)
    packed = {name: pack_i2_s(codes) for name, codes in model.codes.items()}
    tensors = [("token_embd.weight", 1, (HIDDEN, VOCAB), lambda: widen(model.embedding).astype(np.float16).tobytes()),
               ("output_norm.weight", 0, (HIDDEN,), lambda: widen(model.output_norm).tobytes())]
    for i in range(model.layers):
        for name, _, size in NORMS:
            tensors.append((f"blk.{i}.{name}.weight", 0, (size,),
                            lambda name=name, i=i: widen(model.norms[name][i]).tobytes()))
        for j, (name, _, rows, cols) in enumerate(LINEARS):
            tensors.append((f"blk.{i}.{name}.weight", 36, (cols, rows),
                            lambda name=name, i=i, j=j: packed[name] + trailer(model.scales[i, j])))
    sizes = {0: lambda n: 4 * n, 1: lambda n: 2 * n, 36: lambda n: n // 4 + 32}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(gguf_string(key) + gguf_value(kind, value) for key, kind, value in keys)
    offset = 0
    for name, kind, dims, _ in tensors:
        head += gguf_string(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        head += struct.pack("<IQ", kind, offset)
        offset += -(-sizes[kind](int(np.prod(dims))) // 32) * 32
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % 32))
        for name, kind, dims, make in tensors:
            data = make()
            assert len(data) == sizes[kind](int(np.prod(dims))), name
            file.write(data + bytes(-len(data) % 32))


def write_hf(folder, model):
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BitNetForCausalLM"], "auto_map": {"AutoConfig": "configuration_bitnet.BitNetConfig"},
        "bos_token_id": 128000, "eos_token_id": 128001, "hidden_act": "relu2", "hidden_size": HIDDEN,
        "initializer_range": 0.02, "intermediate_size": FFN, "max_position_embeddings": 4096, "model_type": "bitnet",
        "rms_norm_eps": 1e-05, "num_attention_heads": HEADS, "num_hidden_layers": model.layers,
        "num_key_value_heads": KV_HEADS, "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "use_cache": True, "vocab_size": VOCAB,
        "quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    packed = {name: pack_hf(codes) for name, codes in model.codes.items()}
    tensors = {"model.embed_tokens.weight": ("BF16", (VOCAB, HIDDEN), lambda: model.embedding.tobytes()),
               "model.norm.weight": ("BF16", (HIDDEN,), lambda: model.output_norm.tobytes())}
    for i in range(model.layers):
        base = f"model.layers.{i}."
        for name, hf, size in NORMS:
            tensors[f"{base}{hf}.weight"] = ("BF16", (size,), lambda name=name, i=i: model.norms[name][i].tobytes())
        for j, (name, hf, rows, cols) in enumerate(LINEARS):
            tensors[f"{base}{hf}.weight"] = ("U8", (rows // 4, cols), lambda name=name: packed[name])
            tensors[f"{base}{hf}.weight_scale"] = ("BF16", (1,), lambda i=i, j=j: model.scales[i, j].tobytes())
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, _) in tensors.items():
        size = int(np.prod(shape)) * (1 if dtype == "U8" else 2)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, make in tensors.values():
            file.write(make())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, default=30)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    twin = Model(arguments.layers)
    write_gguf(arguments.out / "ggml-model-i2_s.gguf", twin)
    write_hf(arguments.out / "hf", twin)
