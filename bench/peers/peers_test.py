#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The comparison without rivals: files made over, programs' output, logits, rows; with stand-ins, a whole quick run.
usage: peers_test.py BITNET
"""
import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy
except ImportError:
    print("skipped: numpy is missing (tools/setup.sh bench-peers installs it)")
    sys.exit(77)
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import gguf_file  # noqa: E402
import logits  # noqa: E402
from cases import BEST, Case, make_rows  # noqa: E402
from engines import batch_rate, last_bench_row  # noqa: E402
from process import Failed, run  # noqa: E402
from report import html, table  # noqa: E402

BITNET = sys.argv.pop(1) if len(sys.argv) > 1 else None
BENCH_JSON = '[{"n_prompt": 8, "avg_ts": 7.5, "avg_ns": 9}, {"n_prompt": 0, "avg_ts": %s, "avg_ns": 1000000}]'
BATCH_TABLE = """main: n_kv_max = 512

|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |
|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|
|     1 |     16 |    8 |    136 |    0.067 |   119.84 |    1.516 |    84.45 |    1.582 |    85.94 |
"""


def string(text):
    return struct.pack("<Q", len(text)) + text


def small_gguf(weights, scale, norm):
    """Two tensors: an I2_S matrix packed one weight at a time, and floats."""
    rows, columns = weights.shape
    packed = bytearray(rows * columns // 4)
    for i, weight in enumerate(weights.ravel()):
        block, j = divmod(i, 128)
        packed[32 * block + j % 32] |= (int(weight) + 1) << (6 - 2 * (j // 32))
    matrix = bytes(packed) + struct.pack("<f", scale) + bytes(28)
    values = [(b"general.architecture", struct.pack("<I", 8) + string(b"first-name")),
              (b"first-name.block_count", struct.pack("<II", 4, 30)),
              (b"words", struct.pack("<IIQ", 9, 8, 2) + string(b"one") + string(b"three")),
              (b"numbers", struct.pack("<IIQ3H", 9, 2, 3, 7, 8, 9)), (b"yes", struct.pack("<I?", 7, True))]
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, len(values)) + b"".join(string(key) + value for key, value in values)
    head += string(b"matrix") + struct.pack("<IQQIQ", 2, columns, rows, 36, 0)
    head += string(b"norm") + struct.pack("<IQIQ", 1, len(norm), 0, len(matrix))
    return head + bytes(-len(head) % 32) + matrix + norm.tobytes()


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class Files(Folder):
    def test_made_over(self):
        weights = numpy.random.default_rng(1).integers(-1, 2, (6, 256))
        norm = numpy.arange(5, dtype=numpy.float32)
        source, target = self.folder / "a.gguf", self.folder / "b.gguf"
        source.write_bytes(small_gguf(weights, 0.75, norm))
        gguf_file.rewrite(source, target, architecture="other", pack_iq2_bn=True)
        file = gguf_file.GgufFile(target)
        self.assertEqual(file.architecture(), b"other")
        self.assertEqual([key for key, _ in file.values],
                         [b"general.architecture", b"other.block_count", b"words", b"numbers", b"yes"])
        self.assertEqual(file.values[1:], [(key.replace(b"first-name", b"other"), value)
                                           for key, value in gguf_file.GgufFile(source).values[1:]])
        self.assertEqual([tensor[:3] for tensor in file.tensors], [(b"matrix", (256, 6), 135), (b"norm", (5,), 0)])
        matrix = bytes(file.bytes_of(0))
        for r, row in enumerate(weights):
            begin = r * (4 + 256 // 4)
            self.assertEqual(struct.unpack_from("<f", matrix, begin), (0.75,))
            for c, weight in enumerate(row):
                block, j = divmod(c, 64)
                byte = matrix[begin + 4 + 16 * block + j % 16]
                self.assertEqual((byte >> 2 * (j // 16) & 3) - 1, weight, (r, c))
        self.assertEqual(bytes(file.bytes_of(1))[:20], norm.tobytes())
        self.assertEqual(file.tensors[1][3] % 32, 0)

    def test_other_files_are_refused(self):
        path = self.folder / "x"
        path.write_bytes(b"GGUF" + struct.pack("<I", 2) + bytes(100))
        self.assertRaisesRegex(ValueError, "version 3", gguf_file.GgufFile, path)


class Programs(Folder):
    def test_output(self):
        self.assertEqual(last_bench_row("warning: x\n" + BENCH_JSON % 31.25)["avg_ts"], 31.25)
        self.assertEqual(batch_rate(BATCH_TABLE), 84.45)
        self.assertRaisesRegex(ValueError, "no table", batch_rate, BATCH_TABLE.rsplit("\n", 2)[0])

    def test_peak_memory_and_failure(self):
        done = run([sys.executable, "-c", "x = bytearray(200 << 20); print(len(x))"], self.folder)
        self.assertEqual(done.out, f"{200 << 20}\n")
        self.assertTrue(200 << 20 <= done.peak_bytes < 300 << 20, done.peak_bytes)
        self.assertGreater(done.seconds, 0)
        stack = "import resource; print(resource.getrlimit(resource.RLIMIT_STACK)[0])"
        self.assertEqual(int(run([sys.executable, "-c", stack], self.folder, stack_bytes=9 << 20).out), 9 << 20)
        with self.assertRaisesRegex(Failed, "(?s)ended with 3.*because"):
            run([sys.executable, "-c", "import sys; print('because', file=sys.stderr); sys.exit(3)"], self.folder)
        with self.assertRaisesRegex(Failed, "ended with -11"):
            run([sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"], self.folder)


class Logits(Folder):
    def save(self, tokens, values):
        """As llama-perplexity does."""
        chunks, rows, vocabulary = values.shape
        data = b"_logits_" + struct.pack("<3i", tokens.shape[1], vocabulary, chunks) + tokens.astype("<i4").tobytes()
        for row in values.reshape(-1, vocabulary):
            least, scale = row.min(), (row.max() - row.min()) / 65535
            data += struct.pack("<ff", scale, least) + numpy.rint((row - least) / scale).astype("<u2").tobytes()
            data += bytes(2 * (vocabulary % 2))
        path = self.folder / "saved"
        path.write_bytes(data)
        return path

    def test_saved_log_probabilities(self):
        rng = numpy.random.default_rng(2)
        for vocabulary in (10, 11):
            tokens = rng.integers(0, vocabulary, (2, 8))
            values = rng.normal(size=(2, 3, vocabulary))
            values -= numpy.log(numpy.exp(values).sum(axis=2, keepdims=True))
            read_tokens, read = logits.read_saved(self.save(tokens, values))
            numpy.testing.assert_array_equal(read_tokens, tokens)
            numpy.testing.assert_allclose(read, values, atol=2e-4)
            # Positions 4 to 6 of each chunk tell the tokens 5 to 7.
            chosen = [values[c, r, tokens[c, r + 5]] for c in range(2) for r in range(3)]
            self.assertAlmostEqual(logits.perplexity(tokens, values), numpy.exp(-numpy.mean(chosen)), places=9)
            self.assertTrue(logits.compare(tokens, read, values)["right"])
            # Another model: what ours knows, that one has at the neighbour's place.
            sure = numpy.full(values.shape, -20.0)
            numpy.put_along_axis(sure, tokens[:, 5:, None], -1e-3, 2)
            other = logits.compare(tokens, numpy.roll(sure, 1, axis=2), sure)
            self.assertEqual((other["same_likeliest"], other["right"], other["positions"]), (0, False, 6))
        (self.folder / "x").write_bytes(b"_wrong__")
        self.assertRaisesRegex(ValueError, "no file of log", logits.read_saved, self.folder / "x")


class Rows(unittest.TestCase):
    def rows(self, goals, logits_found=(), **rates):
        samples = {name: {"case": [{"rate": rate} for rate in values]} for name, values in rates.items()}
        case = Case("case", "decode", goals=goals, rivals=("a", "b"))
        beside = Case("beside", "decode", isa="avx2", beside="case", rivals=("a", "b"))
        samples["ours"]["beside"] = [{"rate": 5.0}]
        return make_rows([case, beside], samples, dict(logits_found))

    def test_ratios_and_goals(self):
        rows = self.rows({"a": 1.5, "b": 3}, ours=[30, 90, 31], a=[20, 1, 21], b=[9, 10, 11])
        self.assertEqual((rows[0]["ours"], rows[0]["rivals"]), (31, {"a": 20, "b": 10}))
        self.assertAlmostEqual(rows[0]["ratio"], 1.55)
        self.assertTrue(rows[0]["met"])
        self.assertEqual((rows[1]["ours"], rows[1]["rivals"], rows[1]["met"]), (5, {"a": 20, "b": 10}, None))
        self.assertFalse(self.rows({"a": 1.5, "b": 3.2}, ours=[31], a=[20], b=[10])[0]["met"])
        best = self.rows({BEST: 1.5}, ours=[31], a=[20], b=[25])[0]
        self.assertEqual((best["ratio"], best["met"]), (31 / 25, False))
        self.assertAlmostEqual(best["margin"], 31 / 25 / 1.5)

    def test_a_missing_rival_leaves_the_goal_open(self):
        self.assertIsNone(self.rows({BEST: 1.5}, ours=[31], a=[20])[0]["met"])
        self.assertIsNone(self.rows({"a": 1.5, "b": 3}, ours=[31], a=[20])[0]["met"])
        self.assertTrue(self.rows({"a": 1.5}, ours=[31], a=[20])[0]["met"])
        self.assertIsNone(self.rows({"a": 1.5}, ours=[31])[0]["ratio"])

    def test_wrong_logits_are_marked_beside_each_speed(self):
        found = {"right": True, "perplexity": 9.5, "our_perplexity": 9.6, "same_likeliest": 0.98, "positions": 10}
        rows = self.rows({}, {"a": found, "b": {**found, "right": False, "perplexity": 540}}, ours=[31], a=[20], b=[25])
        self.assertEqual([row["wrong"] for row in rows], [["b"]] * 4)
        self.assertEqual((rows[2]["ours"], rows[2]["rivals"]), (9.6, {"a": 9.5, "b": 540}))
        for line in table.text(rows, ["a", "b"]).splitlines()[1:]:
            self.assertEqual(line.count("\u2020"), 1, line)
        report = {"machine": "m", "commit": "c", "date": "d", "quick": False, "versions": {}, "rows": rows}
        page = html.page("t", report, ["a", "b"], [])
        self.assertIn("<td>25.0\u2020</td>", page)
        self.assertIn("25.0\u2020 tokens/s", page)


STAND_IN = """#!{python}
import sys
if "llama-batched-bench" in sys.argv[0] and "-rtr" in sys.argv:
    sys.exit("no such option")
print({batch!r} if "batched" in sys.argv[0] else {bench!r})
"""


@unittest.skipUnless(BITNET, "no BITNET given")
class WholeRun(Folder):
    def compare(self, *options):
        done = subprocess.run([sys.executable, "-B", HERE / "compare.py", BITNET, "--quick", "--work", self.folder / "work", "--out",
                               self.folder, *options], capture_output=True, text=True, check=False)
        report = json.loads((self.folder / "peers.json").read_text()) if done.returncode == 0 else None
        return done, report

    def test_ours_beside_stand_ins(self):
        programs = self.folder / "programs"
        programs.mkdir()
        done, _ = self.compare("--ik", programs)
        self.assertIn("no llama-bench, llama-batched-bench, llama-perplexity", done.stderr)
        for name in ("llama-bench", "llama-batched-bench", "llama-perplexity"):
            (programs / name).write_text(STAND_IN.format(python=sys.executable, batch=BATCH_TABLE, bench=BENCH_JSON % 2.5))
            (programs / name).chmod(0o755)
        done, report = self.compare("--ik", programs)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["case"]: row for row in report["rows"]}
        decode, batch = rows["decode, 1 thread"], rows["decode of 8 texts, 2 threads"]
        self.assertEqual(decode["rivals"], {"ik IQ2_BN": 2.5, "ik IQ2_BN_R4": 2.5, "bitnet.cpp I2_S": None, "llama.cpp TQ2_0": None})
        self.assertAlmostEqual(decode["ratio"], decode["ours"] / 2.5)
        beside = rows["decode, 1 thread, ours with a Q6_K head"]
        self.assertEqual(beside["rivals"], decode["rivals"])
        self.assertNotIn(beside["case"], report["samples"]["ik IQ2_BN"])
        self.assertEqual((batch["rivals"]["ik IQ2_BN"], batch["rivals"]["ik IQ2_BN_R4"]), (84.45, None))
        for row in rows.values():
            self.assertGreater(row["ours"], 0)
            self.assertIsNone(row["met"])  # a quick run judges nothing
        self.assertEqual(len(report["failed"]), 1)
        self.assertIn("no such option", report["failed"][0])
        self.assertIn("A quick run", (self.folder / "peers.html").read_text())
        # One more round of one case, without rivals.
        done, more = self.compare("--add", "--only", "start")
        self.assertEqual([len(more["samples"]["ours"][title]) for title in ("start", "decode, 1 thread")], [2, 2])
        self.assertEqual((more["samples"]["ik IQ2_BN"], more["failed"]), (report["samples"]["ik IQ2_BN"], report["failed"]))
        result = self.folder / "peers.json"
        result.write_text(json.dumps({**more, "commit": "another"}))
        done, _ = self.compare("--add", "--only", "start")
        self.assertIn("is of commit another", done.stderr)


if __name__ == "__main__":
    unittest.main()
