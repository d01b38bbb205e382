# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the model files: models.py BITNET FOLDER NAME… with names such as 2b4t.i2_s.f16.gguf, MODEL.TERNARY.HEAD.gguf.

One set of weights in every format: I2_S with a 16-bit head is written once, `bitnet convert` makes TQ2_0 and Q6_K heads of it, and
gguf_file.py what only other engines read. Models: 2b4t (the random twin of tests/official, 42 % zeros) and trained
(tests/models/mixed-29m). A program of its own, so that its memory is not in that of the processes measured.
"""
import subprocess
import sys
from pathlib import Path

import gguf_file

ROOT = Path(__file__).resolve().parents[2]
TRAINED = ROOT / "tests/models/mixed-29m"
LLAMA_CPP_ARCHITECTURE = "bitnet"  # its only one with sub-norms


def convert(bitnet, source, target, *options):
    part = target.with_name("part." + target.name)
    subprocess.run([bitnet, "convert", source, part, "--no-check", *options], check=True, stdout=subprocess.DEVNULL)
    return part


def write_twin(path):
    sys.path.insert(0, str(ROOT / "tests/official"))
    import make_official
    part = path.with_name("part." + path.name)
    make_official.write_gguf(part, make_official.Model(layers=30))
    part.replace(path)


def make(bitnet, folder, name):
    """The path of one file, made where it is missing."""
    path = folder / name
    if path.exists():
        return path
    model, ternary, head, _ = name.split(".")
    if (ternary, head) == ("i2_s", "f16"):
        if model == "2b4t":
            write_twin(path)
        else:
            convert(bitnet, TRAINED, path, "--type", "i2_s", "--embedding-type", "f16").replace(path)
    elif ternary == "iq2_bn":
        gguf_file.rewrite(make(bitnet, folder, f"{model}.i2_s.{head}.gguf"), path, pack_iq2_bn=True)
    else:
        part = convert(bitnet, make(bitnet, folder, f"{model}.i2_s.f16.gguf"), path, "--type", ternary, "--embedding-type", head,
                       "--i2s-layout", "x86")
        if ternary == "tq2_0":
            gguf_file.rewrite(part, path, architecture=LLAMA_CPP_ARCHITECTURE)
            part.unlink()
        else:
            part.replace(path)
    print("made:", path, file=sys.stderr)
    return path


if __name__ == "__main__":
    for wanted in sys.argv[3:]:
        make(sys.argv[1], Path(sys.argv[2]), wanted)
