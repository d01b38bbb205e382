#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""llama.cpp's benchmark programs from the source package of llama-cpp-python on PyPI: llama_cpp.py FOLDER

Builds them once, for this machine (GGML_NATIVE); prints the folder they are in. Some minutes.
"""
import subprocess
import sys
import venv
from pathlib import Path

from engines import Llama

PACKAGE, VERSION = "llama-cpp-python", "0.3.36"
OPTIONS = {"CMAKE_BUILD_TYPE": "Release", "BUILD_SHARED_LIBS": "OFF", "GGML_NATIVE": "ON", "LLAMA_CURL": "OFF", "LLAMA_OPENSSL": "OFF",
           "LLAMA_BUILD_TESTS": "OFF", "LLAMA_BUILD_SERVER": "OFF"}


def checked(log, *command):
    with open(log, "ab") as file:
        if subprocess.run([str(part) for part in command], stdout=file, stderr=file, check=False).returncode != 0:
            sys.exit(f"llama_cpp.py: {command[0]} failed; the log is {log}")


def unpacked(folder, log):
    source = folder / f"llama-cpp-{VERSION}"
    if source.exists():
        return source
    if not (folder / "venv").exists():
        venv.create(folder / "venv", with_pip=True)
    checked(log, folder / "venv/bin/pip", "download", "--disable-pip-version-check", "--no-deps", "--no-binary", PACKAGE,
            "-d", folder, f"{PACKAGE}=={VERSION}")
    part = folder / "unpacked"
    part.mkdir(exist_ok=True)
    checked(log, "tar", "-xzf", folder / f"llama_cpp_python-{VERSION}.tar.gz", "-C", part, "--strip-components=1")
    (part / "vendor/llama.cpp").rename(source)
    return source


def main():
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    log, build = folder / "llama-cpp.log", folder / "llama-cpp"
    if not all((build / "bin" / tool).exists() for tool in Llama.TOOLS):
        print(f"building llama.cpp of {PACKAGE} {VERSION}", file=sys.stderr)
        source = unpacked(folder, log)
        checked(log, "cmake", "-G", "Ninja", "-S", source, "-B", build, *(f"-D{key}={value}" for key, value in OPTIONS.items()))
        checked(log, "cmake", "--build", build, "--target", *Llama.TOOLS)
    print(build / "bin")


if __name__ == "__main__":
    main()
