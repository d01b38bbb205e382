#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares GGUF reading and writing with the PyPI package `gguf`:  gguf_oracle.py IO_DUMP

Files that the package writes are read by io_dump with equal keys, shapes and bytes; io_dump's copy of them is read by the
package with equal values; both dequantize every block type to equal floats; quantized Q8_0 and Q4_0 bytes are equal.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy as np
    from gguf import GGMLQuantizationType as T
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

DUMP = os.path.abspath(sys.argv[1])


def run(*args):
    return subprocess.run([DUMP, *args], check=True, capture_output=True, text=True).stdout


def fnv1a(data):
    hash_ = 0xCBF29CE484222325
    for byte in bytes(data):
        hash_ = ((hash_ ^ byte) * 0x100000001B3) & (2**64 - 1)
    return str(hash_)


def real_bits(value):
    return "f" + str(struct.unpack("<Q", struct.pack("<d", value))[0])


def write_file(path, rng):
    writer = gguf.GGUFWriter(path, "bitnet-b1.58")
    writer.add_uint8("k.u8", 200)
    writer.add_int8("k.i8", -3)
    writer.add_uint16("k.u16", 60000)
    writer.add_int16("k.i16", -30000)
    writer.add_uint32("k.u32", 4000000000)
    writer.add_int32("k.i32", -2000000000)
    writer.add_uint64("k.u64", 2**63 + 5)
    writer.add_int64("k.i64", -(2**62))
    writer.add_float32("k.f32", 1e-5)
    writer.add_float64("k.f64", 0.1)
    writer.add_bool("k.bool", True)
    writer.add_string("k.text", "caf\u00e9 \"quoted\"\n")
    writer.add_array("k.tokens", ["a", "\u0120b", "<|eot_id|>", ""])
    writer.add_array("k.scores", [0.5, -1.0])
    writer.add_array("k.types", [1, 3, -1])
    plain = rng.normal(0, 0.05, (3, 512)).astype(np.float32)
    ternary = rng.integers(-1, 2, (5, 768)).astype(np.float32) * np.float32(0.34375)
    ternary[2, 256:512] = 0
    writer.add_tensor("f32", plain)
    writer.add_tensor("f16", plain.astype(np.float16))
    for type_ in (T.BF16, T.Q8_0, T.Q4_0):
        writer.add_tensor(type_.name, gguf.quantize(plain, type_), raw_dtype=type_)
    writer.add_tensor("Q6_K", random_q6_k(rng, 4, 2), raw_dtype=T.Q6_K)
    for type_ in (T.TQ1_0, T.TQ2_0):
        writer.add_tensor(type_.name, gguf.quantize(ternary, type_), raw_dtype=type_)
    writer.add_tensor("cube", rng.normal(size=(2, 3, 4)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def random_q6_k(rng, rows, blocks):
    """Bytes of blocks whose scale is a plain half: the package has no Q6_K quantizer."""
    data = rng.integers(0, 256, (rows, blocks, 210), dtype=np.uint8)
    data[:, :, 208:] = np.frombuffer(np.float16(0.0123).tobytes(), np.uint8)
    return data.reshape(rows, blocks * 210)


def expected_value(field):
    types = field.types
    if types[0] == gguf.GGUFValueType.ARRAY:
        if types[1] == gguf.GGUFValueType.STRING:
            return [bytes(field.parts[i]).decode() for i in field.data]
        return [fnv1a(b"".join(field.parts[i].tobytes() for i in field.data))]
    if types[0] == gguf.GGUFValueType.STRING:
        return bytes(field.parts[-1]).decode()
    value = field.parts[-1][0]
    if types[0] in (gguf.GGUFValueType.FLOAT32, gguf.GGUFValueType.FLOAT64):
        return real_bits(float(value))
    return bool(value) if types[0] == gguf.GGUFValueType.BOOL else int(value)


def compare_dump(path):
    ours, theirs = json.loads(run("gguf", path)), gguf.GGUFReader(path)
    fields = {k: f for k, f in theirs.fields.items() if not k.startswith("GGUF.")}
    assert set(ours["keys"]) == set(fields), (set(ours["keys"]), set(fields))
    for key, field in fields.items():
        assert ours["keys"][key][1] == expected_value(field), (key, ours["keys"][key])
    assert list(ours["tensors"]) == [t.name for t in theirs.tensors]
    for tensor in theirs.tensors:
        name, dims, data = ours["tensors"][tensor.name]
        assert name == tensor.tensor_type.name, tensor.name
        assert dims == [int(n) for n in tensor.shape], tensor.name
        assert data == fnv1a(tensor.data.tobytes()), tensor.name
    return theirs


def main():
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        source, copy, floats, plain, blocks = (os.path.join(folder, n) for n in "abcde")
        write_file(source, rng)
        reader = compare_dump(source)
        run("gguf-copy", source, copy)
        compare_dump(copy)
        print("keys and tensors equal in both directions:", len(reader.tensors), "tensors")

        run("gguf-f32", source, floats)
        ours = {t.name: t for t in gguf.GGUFReader(floats).tensors}
        for tensor in reader.tensors:
            want = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            got = ours[tensor.name].data
            assert got.shape == want.shape and np.array_equal(got, want), tensor.name
        print("dequantized floats equal:", ", ".join(t.tensor_type.name for t in reader.tensors))

        values = rng.normal(0, 0.05, (7, 1024)).astype(np.float32)
        values[3, :256] = 0
        writer = gguf.GGUFWriter(plain, "x")
        writer.add_tensor("w", values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        run("gguf-quantize", plain, blocks)
        for tensor in gguf.GGUFReader(blocks).tensors:
            if tensor.tensor_type == T.Q6_K:
                error = np.abs(gguf.dequantize(tensor.data, T.Q6_K) - values).max()
                assert error < 0.01, error
            else:
                want = gguf.quantize(values, tensor.tensor_type)
                assert np.array_equal(tensor.data.view(np.uint8), want.view(np.uint8)), tensor.name
        print("quantized bytes equal: F16 BF16 Q8_0 Q4_0; Q6_K within 0.01")


if __name__ == "__main__":
    main()
