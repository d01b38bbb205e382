#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Arrays between numpy and this library in one process:  dlpack_oracle.py DLPACK_DRIVER

Capsules are made and opened as CPython's C interface does; numpy is the other side. Both forms of the structs, both
directions, strides, read-only arrays, and that each side gives back what it got once.
"""
import ctypes
import gc
import os
import sys
import tempfile

import numpy as np

driver = ctypes.CDLL(os.path.abspath(sys.argv[1]))
for function in ("driver_open", "driver_open_before_1", "driver_open_read_only"):
    getattr(driver, function).restype = ctypes.c_void_p
    getattr(driver, function).argtypes = [ctypes.c_char_p]
for function in ("driver_save", "driver_save_before_1"):
    getattr(driver, function).argtypes = [ctypes.c_void_p, ctypes.c_char_p]

python = ctypes.pythonapi
python.PyCapsule_New.restype = ctypes.py_object
python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
python.PyCapsule_GetPointer.restype = ctypes.c_void_p
python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
python.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

# Capsules keep the pointer to their name.
NAME, USED = b"dltensor", b"used_dltensor"
NAME_1, USED_1 = b"dltensor_versioned", b"used_dltensor_versioned"
TYPES = ["f4", "f2", "f8", "u1", "i1", "u2", "i4", "i8"]
CPU = (1, 0)


class Exporter:
    """What numpy.from_dlpack() asks: one capsule and a device."""

    def __init__(self, pointer, name):
        assert pointer
        self.capsule = python.PyCapsule_New(pointer, name, None)

    def __dlpack__(self, **_):
        return self.capsule

    def __dlpack_device__(self):
        return CPU


def random_array(rng, dtype, rank):
    shape = [int(n) for n in rng.integers(0 if rng.random() < 0.2 else 1, 5, rank)]
    return np.frombuffer(rng.bytes(int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize), dtype).reshape(shape)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and \
        np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def check_to_numpy(array, path):
    np.save(path, array)
    for open_, name, writable in (("driver_open", NAME_1, True), ("driver_open_before_1", NAME, None),
                                  ("driver_open_read_only", NAME_1, False)):
        exporter = Exporter(getattr(driver, open_)(path.encode()), name)
        seen = np.from_dlpack(exporter)
        assert same(seen, array), (open_, seen, array)
        if writable is not None:
            assert seen.flags.writeable == writable, open_
        assert driver.driver_alive(), "numpy's array lost its memory"
        del seen, exporter
        gc.collect()
        assert not driver.driver_alive(), "the memory was not given back"


def check_from_numpy(array, path):
    for version, name, used, save in (((1, 0), NAME_1, USED_1, driver.driver_save),
                                      (None, NAME, USED, driver.driver_save_before_1)):
        before = sys.getrefcount(array)
        capsule = array.__dlpack__(max_version=version)
        pointer = python.PyCapsule_GetPointer(capsule, name)
        python.PyCapsule_SetName(capsule, used)
        assert save(pointer, path.encode()) == 0
        del capsule
        assert sys.getrefcount(array) == before, "the array was not given back once"
        assert same(np.load(path), array)


def main():
    rng = np.random.default_rng(3)
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.npy")
        for dtype in TYPES:
            for rank in range(9):
                array = np.array(random_array(rng, dtype, rank))
                check_to_numpy(array, path)
                variants = [array, np.asfortranarray(array)]
                if rank > 0:
                    variants += [np.repeat(array, 2, axis=0)[::2], array[::-1], np.moveaxis(array, 0, -1)]
                for variant in variants:
                    check_from_numpy(variant, path)
                    count += 1
        frozen = np.arange(6, dtype=np.float32).reshape(2, 3)
        frozen.flags.writeable = False
        capsule = frozen.__dlpack__(max_version=(1, 0))
        assert driver.driver_save(python.PyCapsule_GetPointer(capsule, NAME_1), path.encode()) == 0
        python.PyCapsule_SetName(capsule, USED_1)
        assert same(np.load(path), frozen)
        for refused in (np.zeros(3, "?"), np.zeros(3, "i2"), np.zeros(3, "c8")):
            capsule = refused.__dlpack__(max_version=(1, 0))
            assert driver.driver_save(python.PyCapsule_GetPointer(capsule, NAME_1), path.encode()) == 1
    print("shared in both directions:", count, "arrays of numpy", np.__version__)


if __name__ == "__main__":
    main()
