# SPDX-License-Identifier: MIT OR Apache-2.0
"""GGUF files made over for other engines: another architecture name, I2_S matrices packed as IQ2_BN.

Values are copied as they are; what the files mean is in docs/FORMATS.md. Reads files that this comparison has made itself.
"""
import struct
from pathlib import Path

import numpy

SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a value type
STRING, ARRAY = 8, 9
I2_S, IQ2_BN = 36, 135
ALIGNMENT = 32


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def string(self):
        return bytes(self.take(self.number("Q")))

    def skip(self, kind):
        if kind == STRING:
            self.take(self.number("Q"))
        elif kind == ARRAY:
            element, count = self.number("I"), self.number("Q")
            if element == STRING:
                for _ in range(count):
                    self.take(self.number("Q"))
            else:
                self.at += SCALARS[element] * count
        else:
            self.at += SCALARS[kind]


def string(data):
    return struct.pack("<Q", len(data)) + data


class GgufFile:
    """values: (key, type and value as in the file); tensors: (name, dims, type, offset from `start`)."""

    def __init__(self, path):
        self.data = numpy.memmap(path, numpy.uint8, "r")
        reader = Reader(memoryview(self.data))
        if reader.take(4) != b"GGUF" or reader.number("I") != 3:
            raise ValueError(f"{path}: not GGUF version 3")
        tensors, values = reader.number("Q"), reader.number("Q")
        self.values, self.tensors = [], []
        for _ in range(values):
            key, begin = reader.string(), reader.at
            reader.skip(reader.number("I"))
            self.values.append((key, bytes(reader.data[begin:reader.at])))
        for _ in range(tensors):
            name, axes = reader.string(), reader.number("I")
            dims = struct.unpack(f"<{axes}Q", reader.take(8 * axes))
            self.tensors.append((name, dims, reader.number("I"), reader.number("Q")))
        self.start = -(-reader.at // ALIGNMENT) * ALIGNMENT

    def architecture(self):
        return Reader(dict(self.values)[b"general.architecture"][4:]).string()

    def bytes_of(self, index):
        """A tensor's bytes, with the padding behind them."""
        ends = sorted([*(offset for *_, offset in self.tensors), len(self.data) - self.start])
        offset = self.tensors[index][3]
        return self.data[self.start + offset:self.start + ends[ends.index(offset) + 1]]


def iq2_bn_from_i2_s(data, columns, rows):
    """Rows of a f32 scale and 2 bits a weight. I2_S (x86): byte j of 32 holds the weights j, j + 32, j + 64, j + 96 of 128 from
    its high bits down, one f32 scale behind all; IQ2_BN: byte j of 16 holds j, j + 16, j + 32, j + 48 of 64 from its low bits
    up. In both the code is the weight + 1."""
    packed = columns * rows // 4
    scale = data[packed:packed + 4]
    planes = data[:packed].reshape(-1, 1, 32) >> numpy.array([6, 4, 2, 0], numpy.uint8).reshape(1, 4, 1) & 3
    codes = planes.reshape(-1, 4, 16)
    out = codes[:, 0] | codes[:, 1] << 2 | codes[:, 2] << 4 | codes[:, 3] << 6
    return numpy.hstack([numpy.tile(scale, (rows, 1)), out.reshape(rows, columns // 4)])


def rewrite(source, target, architecture=None, pack_iq2_bn=False):
    """Writes `target` with the values and tensors of `source`, keys under another architecture's name, I2_S packed anew."""
    file = GgufFile(source)
    old, values = file.architecture(), []
    new = architecture.encode() if architecture else old
    for key, value in file.values:
        if key == b"general.architecture":
            value = struct.pack("<I", STRING) + string(new)
        if key.startswith(old + b"."):
            key = new + key[len(old):]
        values.append(string(key) + value)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(file.tensors), len(values)) + b"".join(values)
    offset, plan = 0, []
    for index, (name, dims, kind, _) in enumerate(file.tensors):
        pack = pack_iq2_bn and kind == I2_S
        size = dims[1] * (4 + dims[0] // 4) if pack else len(file.bytes_of(index))
        head += string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, IQ2_BN if pack else kind, offset)
        offset += -(-size // ALIGNMENT) * ALIGNMENT
        plan.append((index, dims, pack))
    part = Path(f"{target}.part")
    with open(part, "wb") as out:
        out.write(head + bytes(-len(head) % ALIGNMENT))
        for index, dims, pack in plan:
            data = file.bytes_of(index)
            data = (iq2_bn_from_i2_s(data, *dims) if pack else data).tobytes()
            out.write(data + bytes(-len(data) % ALIGNMENT))
    part.replace(target)
