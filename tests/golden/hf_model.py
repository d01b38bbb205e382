# SPDX-License-Identifier: MIT OR Apache-2.0
"""A Hugging Face folder with ternary weights as plain arrays: the reading side of the oracle.

Independent of the library: it shares no code with it and follows transformers' definitions.
"""
import json
import pathlib
import struct

import numpy as np

LINEARS = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj",
    "o": "self_attn.o_proj", "gate": "mlp.gate_proj", "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
NORMS = {
    "attention": "input_layernorm", "ffn": "post_attention_layernorm",
    "attention_sub": "self_attn.attn_sub_norm", "ffn_sub": "mlp.ffn_sub_norm",
}


def read_safetensors(path):
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    types = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32, "U8": np.uint8}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        data = np.frombuffer(raw[8 + size + begin:8 + size + end], types[entry["dtype"]])
        if entry["dtype"] == "BF16":
            data = (data.astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] != "U8":
            data = data.astype(np.float32)
        tensors[name] = data.reshape(entry["shape"])
    return tensors


def read_tensors(folder):
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return read_safetensors(folder / "model.safetensors")
    tensors = {}
    for shard in sorted(set(json.loads(index.read_text())["weight_map"].values())):
        tensors.update(read_safetensors(folder / shard))
    return tensors


def unpack(packed):
    """Row r + i * R of the matrix lies in bits 2i+1:2i of packed row r; code = weight + 1."""
    return np.concatenate([((packed >> (2 * i)) & 3).astype(np.float32) - 1 for i in range(4)])


def absmean(master):
    """(ternary weights, gamma) of a master matrix, as transformers' WeightQuant."""
    gamma = np.float32(max(np.abs(master.astype(np.float64)).mean(), 1e-5))
    return np.clip(np.rint(master * (np.float32(1) / gamma)), -1, 1), float(gamma)


class Layer:
    """linears: name -> (weights as float32 of -1, 0, 1 [rows, cols], gamma)."""

    def __init__(self, model, index):
        prefix = f"model.layers.{index}."
        self.model = model
        self.norms = {key: model.norm(prefix + name) for key, name in NORMS.items()
                      if model.sub_norms or not key.endswith("sub")}
        self.linears = {key: model.linear(prefix + name) for key, name in LINEARS.items()}
        self.input_norms = {}
        if model.input_norm_eps is not None:
            self.input_norms = {key: model.norm(prefix + name + ".rms_norm")
                                for key, name in LINEARS.items()}


class Model:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = config = json.loads((folder / "config.json").read_text())
        self.tensors = read_tensors(folder)
        quantization = config["quantization_config"]
        self.sub_norms = config["architectures"][0] == "BitNetForCausalLM"
        self.online = quantization.get("quantization_mode") == "online"
        self.divides = quantization.get("linear_class", "bitlinear") == "bitlinear"
        self.input_norm_eps = None
        if quantization.get("use_rms_norm"):
            self.input_norm_eps = float(np.float32(quantization.get("rms_norm_eps", 1e-6)))
        self.eps = float(np.float32(config["rms_norm_eps"]))
        self.heads = config["num_attention_heads"]
        self.kv_heads = config.get("num_key_value_heads", self.heads)
        self.head_dim = config.get("head_dim") or config["hidden_size"] // self.heads
        parameters = config.get("rope_parameters") or config
        self.theta = float(parameters.get("rope_theta", 10000.0))
        self.squared_relu = config["hidden_act"] == "relu2"
        self.embedding = self.tensors["model.embed_tokens.weight"]
        tied = config.get("tie_word_embeddings", False)
        self.head = (self.embedding if tied else self.tensors["lm_head.weight"]).astype(np.float64)
        self.final_norm = self.norm("model.norm")
        self.layers = [Layer(self, i) for i in range(config["num_hidden_layers"])]

    def norm(self, name):
        return self.tensors[name + ".weight"].astype(np.float64)

    def linear(self, name):
        if self.online:
            return absmean(self.tensors[name + ".weight"])
        scale = float(self.tensors[name + ".weight_scale"].ravel()[0])
        return unpack(self.tensors[name + ".weight"]), 1.0 / scale if self.divides else scale
