# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the bitnet tool for the tests of this folder."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["BITNET_SOURCE"])
TOOL = os.environ["BITNET"]
WORDBOOK = SOURCE / "models" / "wordbook-35m"
GOLDEN = SOURCE / "tests" / "models"
TINY = GOLDEN / "tiny-bitnet-gqa"
TINY_LLAMA = GOLDEN / "tiny-llama-bitlinear"


def environment(**changes):
    env = {k: v for k, v in os.environ.items()
           if k not in ("BITNET_MODEL", "BITNET_THREADS", "BITNET_ISA")}
    env["BITNET_TUNING"] = ""  # whatever this machine's user has measured
    env.update(changes)
    return env


def bitnet(*args, stdin=b"", env=None, timeout=120):
    """The finished process; stdout and stderr are bytes."""
    return subprocess.run([TOOL, *map(str, args)], input=stdin, env=env or environment(),
                          capture_output=True, timeout=timeout, check=False)


class ToolTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def ok(self, *args, **kwargs):
        result = bitnet(*args, **kwargs)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result

    def text(self, *args, **kwargs):
        return self.ok(*args, **kwargs).stdout.decode()

    def json(self, *args, **kwargs):
        return json.loads(self.text(*args, "--json", **kwargs))

    def fails(self, code, message, *args, **kwargs):
        """Exit code, one error message on stderr with `message` in it, nothing on stdout."""
        result = bitnet(*args, **kwargs)
        error = result.stderr.decode()
        self.assertEqual(result.returncode, code, error)
        self.assertTrue(error.startswith("bitnet: error: "), error)
        self.assertIn(message, error)
        self.assertEqual(result.stdout, b"")
        return error
