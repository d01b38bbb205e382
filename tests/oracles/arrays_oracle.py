#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares files of arrays with numpy, safetensors and ml_dtypes:  arrays_oracle.py IO_DUMP

Every type, random shapes of 0 to 8 axes, empty ones included: what the packages write is read by io_dump, and what
io_dump writes is read by them, bit for bit. Our own .bnt files are read and written here by a second reader and writer,
made from the description in bitnet/io/tensor_file.h alone.
"""
import io
import os
import struct
import subprocess
import sys
import tempfile
import zipfile

try:
    import ml_dtypes
    import numpy as np
    from safetensors.numpy import load_file, save_file
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

DUMP = os.path.abspath(sys.argv[1])
BF16 = np.dtype(ml_dtypes.bfloat16)
TYPES = [np.dtype(t) for t in ("f4", "f2", "f8", "u1", "i1", "u2", "i4", "i8")] + [BF16]
ROUNDS = 6
M64 = 2**64 - 1


def run(*args, check=True):
    return subprocess.run([DUMP, *args], check=check, capture_output=True, text=True)


def random_array(rng, dtype, rank):
    shape = [int(n) for n in rng.integers(0 if rng.random() < 0.2 else 1, 5, rank)]
    count = int(np.prod(shape, dtype=np.int64))
    array = np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(shape)
    return np.array(array)


def random_arrays(rng):
    return {f"{dtype.name}/{rank} é": random_array(rng, dtype, rank) for dtype in TYPES for rank in range(9)}


def assert_same(seen, wanted, name):
    if wanted.dtype.newbyteorder("=") == BF16:
        assert seen.dtype.str in ("|V2", "<V2") or seen.dtype == BF16, (name, seen.dtype)
        seen = seen.view(BF16)
    assert seen.dtype == wanted.dtype.newbyteorder("="), (name, seen.dtype)
    assert seen.shape == wanted.shape, (name, seen.shape, wanted.shape)
    native = np.ascontiguousarray(wanted).astype(wanted.dtype.newbyteorder("="))
    assert np.ascontiguousarray(seen).tobytes() == native.tobytes(), name


def assert_same_arrays(seen, wanted):
    assert set(seen) == set(wanted), set(seen) ^ set(wanted)
    for name in wanted:
        assert_same(seen[name], wanted[name], name)


def check_npy(rng, folder):
    source, copy = os.path.join(folder, "a.npy"), os.path.join(folder, "b.npy")
    count = 0
    for name, array in random_arrays(rng).items():
        variants = [array, np.asfortranarray(array)]
        if array.dtype != BF16:
            variants.append(array.astype(array.dtype.newbyteorder(">")))
        for variant in variants:
            for version in (None, (1, 0), (2, 0), (3, 0)):
                with open(source, "wb") as file:
                    np.lib.format.write_array(file, variant, version)
                run("npy-copy", source, copy)
                assert_same(np.load(copy), variant, name)
                count += 1
    for dtype in ("?", "i2", "u4", "u8", "c8", "U3", "V2", ml_dtypes.float8_e5m2, ml_dtypes.int4):
        np.save(source, np.zeros(3, dtype))
        result = run("npy-copy", source, copy, check=False)
        assert result.returncode == 1 and "E_DTYPE" in result.stderr, (dtype, result)
    return count


def check_npz(rng, folder):
    source, copy = os.path.join(folder, "a.npz"), os.path.join(folder, "b.npz")
    arrays = random_arrays(rng)
    arrays["large"] = rng.integers(0, 3, (500, 700), dtype=np.uint8)
    arrays["turned"] = np.asfortranarray(rng.normal(size=(30, 40)).astype(">f4"))
    for save in (np.savez, np.savez_compressed):
        save(source, **arrays)
        result = run("npz-copy", source, copy, check=False)
        if save is np.savez_compressed and "no zlib" in result.stderr:
            print("not compared: compressed archives, io_dump was built without zlib")
            continue
        assert result.returncode == 0, result.stderr
        with np.load(copy) as seen:
            assert_same_arrays(dict(seen), arrays)
        assert zipfile.ZipFile(copy).testzip() is None
    # Written to a pipe: sizes stand behind the contents.
    class Pipe(io.RawIOBase):
        def __init__(self, file):
            self.file = file

        def writable(self):
            return True

        def write(self, data):
            return self.file.write(data)

    with open(source, "wb") as file:
        np.savez(Pipe(file), **arrays)
    run("npz-copy", source, copy)
    with np.load(copy) as seen:
        assert_same_arrays(dict(seen), arrays)
    return len(arrays)


def check_safetensors(rng, folder):
    source, copy = os.path.join(folder, "a"), os.path.join(folder, "b")
    arrays = random_arrays(rng)
    save_file(arrays, source, metadata={"note": "é \"b\"\n"})
    run("safetensors-copy", source, copy)
    assert_same_arrays(load_file(copy), arrays)
    return len(arrays)


def xxh64(data):
    """XXH64 with seed 0, from its specification."""
    p1, p2, p3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
    p4, p5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5

    def rotl(x, r):
        return ((x << r) | (x >> (64 - r))) & M64

    def lane(acc, value):
        return rotl((acc + value * p2) & M64, 31) * p1 & M64

    at = 0
    if len(data) >= 32:
        acc = [(p1 + p2) & M64, p2, 0, -p1 & M64]
        while at + 32 <= len(data):
            acc = [lane(a, v) for a, v in zip(acc, struct.unpack_from("<4Q", data, at))]
            at += 32
        h = sum(rotl(a, r) for a, r in zip(acc, (1, 7, 12, 18))) & M64
        for a in acc:
            h = ((h ^ lane(0, a)) * p1 + p4) & M64
    else:
        h = p5
    h = (h + len(data)) & M64
    while at + 8 <= len(data):
        h = (rotl(h ^ lane(0, struct.unpack_from("<Q", data, at)[0]), 27) * p1 + p4) & M64
        at += 8
    if at + 4 <= len(data):
        h = (rotl(h ^ (struct.unpack_from("<I", data, at)[0] * p1 & M64), 23) * p2 + p3) & M64
        at += 4
    for byte in data[at:]:
        h = rotl(h ^ (byte * p5 & M64), 11) * p1 & M64
    h = (h ^ (h >> 33)) * p2 & M64
    h = (h ^ (h >> 29)) * p3 & M64
    return h ^ (h >> 32)


BNT_TYPES = {1: np.dtype("f4"), 2: np.dtype("f2"), 3: BF16, 4: np.dtype("f8"), 5: np.dtype("i1"), 6: np.dtype("u1"),
             7: np.dtype("u2"), 8: np.dtype("i4"), 9: np.dtype("i8")}
BNT_NUMBERS = {dtype: number for number, dtype in BNT_TYPES.items()}


def bnt_read(data):
    assert data[:16] == b"BNTENSOR" + struct.pack("<II", 0x0A0B0C0D, 1) and data[-8:] == b"BNTEND\r\n"
    size, count, names, directory_sum, footer_sum = struct.unpack_from("<5Q", data, len(data) - 48)
    assert size == len(data) and footer_sum == xxh64(data[-48:-16])
    name_at = len(data) - 48 - names
    directory = name_at - 160 * count
    assert directory_sum == xxh64(data[directory:-48]) and directory % 64 == 0
    arrays = {}
    for i in range(count):
        entry = data[directory + 160 * i:][:160]
        offset, size, sum_, scales_sum, group, name_size = struct.unpack_from("<5QI", entry)
        number, rank, layout, scales, zero_points = struct.unpack_from("<5B", entry, 44)
        dims = struct.unpack_from("<8q", entry, 56)
        assert (scales_sum, group, layout, scales, zero_points) == (0, 0, 0, 0, 0) and entry[120:] == bytes(40)
        content = data[offset:offset + size]
        assert xxh64(content) == sum_ and offset % (4096 if size >= 65536 else 64) == 0
        name = data[name_at:name_at + name_size].decode()
        name_at += name_size
        arrays[name] = np.frombuffer(content, BNT_TYPES[number]).reshape(dims[:rank])
    return arrays


def bnt_write(arrays):
    data = bytearray(b"BNTENSOR" + struct.pack("<II", 0x0A0B0C0D, 1) + bytes(48))
    directory, names = b"", b""
    for name, array in arrays.items():
        content = array.tobytes()
        data += bytes(-len(data) % (4096 if len(content) >= 65536 else 64))
        dims = list(array.shape) + [0] * (8 - array.ndim)
        directory += struct.pack("<5QI5B7x8q40x", len(data), len(content), xxh64(content), 0, 0, len(name.encode()),
                                 BNT_NUMBERS[array.dtype], array.ndim, 0, 0, 0, *dims)
        names += name.encode()
        data += content
    data += bytes(-len(data) % 64)
    directory += names
    data += directory
    footer = struct.pack("<4Q", len(data) + 48, len(arrays), len(names), xxh64(directory))
    return bytes(data) + footer + struct.pack("<Q", xxh64(footer)) + b"BNTEND\r\n"


def check_bnt(rng, folder):
    source, ours, copy, back = (os.path.join(folder, n) for n in ("a.npz", "a.bnt", "b.bnt", "b.npz"))
    arrays = random_arrays(rng)
    arrays["pages"] = rng.integers(0, 255, (300, 700), dtype=np.uint8)
    np.savez(source, **arrays)
    run("npz-bnt", source, ours)
    with open(ours, "rb") as file:
        data = file.read()
    assert_same_arrays(bnt_read(data), arrays)
    assert bnt_write(arrays) == data
    with open(ours, "wb") as file:
        file.write(bnt_write(dict(reversed(arrays.items()))))
    run("bnt-npz", ours, back)
    with np.load(back) as seen:
        assert_same_arrays(dict(seen), arrays)
    run("bnt-copy", ours, copy)
    with open(ours, "rb") as a, open(copy, "rb") as b:
        assert a.read() == b.read()
    return len(arrays)


def main():
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        for check in (check_npy, check_npz, check_safetensors, check_bnt):
            count = sum(check(rng, folder) for _ in range(1 if check is check_npy else ROUNDS))
            print(check.__name__[6:] + ": equal in both directions:", count, "arrays")


if __name__ == "__main__":
    main()
