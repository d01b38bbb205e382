# SPDX-License-Identifier: MIT OR Apache-2.0
"""A child process with what it printed, how long it ran and the most memory it held."""
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass


class Failed(Exception):
    """A program ended with an error; the text names it and ends with what it said last."""


@dataclass
class Finished:
    out: str
    error: str
    seconds: float
    peak_bytes: int  # resident, mapped files included


def run(command, folder, stack_bytes=None, environment=None):
    """Runs `command` in `folder`, where some programs leave logs. Memory counts from the start of the program that is run; below
    the size of this one (some tens of MB) it says nothing."""
    def deepen():
        _, most = resource.getrlimit(resource.RLIMIT_STACK)
        room = stack_bytes if most == resource.RLIM_INFINITY else min(stack_bytes, most)
        resource.setrlimit(resource.RLIMIT_STACK, (room, most))
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        begin = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=error, cwd=folder,
                                 env={**os.environ, **(environment or {})}, preexec_fn=deepen if stack_bytes else None)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, error):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if child.returncode != 0:
        last = "\n".join(texts[1].strip().splitlines()[-3:])
        raise Failed(f"{' '.join(command)}: ended with {child.returncode}\n{last}")
    return Finished(*texts, seconds, usage.ru_maxrss * 1024)
