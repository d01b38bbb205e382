#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares safetensors reading and writing with the PyPI package `safetensors`:  safetensors_oracle.py IO_DUMP

Files that the package writes are read by io_dump with equal shapes and bytes, and the package reads io_dump's copy. Files
that the package refuses are refused by io_dump too, over random damage to a small file.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load_file, save_file
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

DUMP = os.path.abspath(sys.argv[1])
DAMAGED_FILES = 300


def run(*args, check=True):
    return subprocess.run([DUMP, *args], check=check, capture_output=True, text=True)


def fnv1a(data):
    hash_ = 0xCBF29CE484222325
    for byte in bytes(data):
        hash_ = ((hash_ ^ byte) * 0x100000001B3) & (2**64 - 1)
    return str(hash_)


def compare(path):
    ours = json.loads(run("safetensors", path).stdout)
    theirs = load_file(path)
    assert set(ours) == set(theirs)
    for name, array in theirs.items():
        assert ours[name][1] == list(array.shape), name
        assert ours[name][2] == fnv1a(array.tobytes()), name
    return theirs


def they_accept(path):
    try:
        with safe_open(path, "numpy") as file:
            return list(file.keys()) is not None
    except (SafetensorError, OSError):
        return False


def main():
    rng = np.random.default_rng(2)
    arrays = {
        "f32": rng.normal(size=(3, 5)).astype(np.float32),
        "f16": rng.normal(size=(7,)).astype(np.float16),
        "f64": rng.normal(size=(2, 2, 2)),
        "packed \u00e9": rng.integers(0, 171, (4, 9), dtype=np.uint8),
        "ids": rng.integers(-5, 5, (6,), dtype=np.int64),
        "i32": rng.integers(-5, 5, (6, 1), dtype=np.int32),
        "u16": rng.integers(0, 5, (1, 6), dtype=np.uint16),
        "none": np.zeros((0, 4), np.float32),
    }
    with tempfile.TemporaryDirectory() as folder:
        source, copy, damaged = (os.path.join(folder, n) for n in "abc")
        save_file(arrays, source, metadata={"format": "pt", "note": "a \"b\"\n"})
        before = compare(source)
        run("safetensors-copy", source, copy)
        after = compare(copy)
        assert all(np.array_equal(before[n], after[n]) for n in before)
        with safe_open(copy, "numpy") as file:
            assert file.metadata() == {"format": "pt", "note": "a \"b\"\n"}
        print("equal in both directions:", len(before), "tensors")

        refused = 0
        content = bytearray(open(source, "rb").read())
        header_end = 8 + int.from_bytes(content[:8], "little")
        for _ in range(DAMAGED_FILES):
            bytes_ = bytearray(content)
            for _ in range(rng.integers(1, 3)):
                bytes_[rng.integers(0, header_end)] = rng.integers(32, 127)
            with open(damaged, "wb") as file:
                file.write(bytes_)
            if they_accept(damaged):
                continue
            refused += 1
            result = run("safetensors", damaged, check=False)
            assert result.returncode == 1, (result.returncode, bytes(bytes_[:header_end]))
        print("refused like the package:", refused, "damaged files")


if __name__ == "__main__":
    main()
