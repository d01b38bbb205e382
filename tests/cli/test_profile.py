# SPDX-License-Identifier: MIT OR Apache-2.0
"""--profile: the same text, and a file that says where the time went."""
import json
import unittest
from html.parser import HTMLParser

from tool import TINY, ToolTest, bitnet

LAYER_OPS = {"rms_norm": 4, "quantize": 4, "ternary_linear": 7, "rope": 2, "kv_write": 1,
             "attention": 1, "gated_activation": 1, "add": 2}


class Page(HTMLParser):
    """Start tags must be closed in order."""
    VOID = {"meta", "link", "br", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.data, self.faults = [], "", []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop()[0] != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1][1].get("id") == "data":
            self.data += data


class Profile(ToolTest):
    def run_with(self, ending, *args):
        path = self.folder / f"profile{ending}"
        result = self.ok("run", "-p", "river", "--profile", path, *args)
        self.assertIn(f"profile written to {path}\n", result.stderr.decode())
        return result.stdout, path.read_text()

    def test_numbers_add_up(self):
        text, written = self.run_with(".json", "--head", "full", "--packing", "2bit")
        self.assertEqual(text, self.ok("run", "-p", "river").stdout)
        profile = json.loads(written)
        self.assertEqual(profile["schema"], "bitnet.profile/1")
        self.assertEqual(profile["lost_events"], 0)
        self.assertEqual(profile["unrecorded_spans"], 0)
        ops = {op["name"]: op for op in profile["ops"]}
        steps = ops["decode step"]["count"]
        self.assertEqual(ops["prefill"]["count"], 1)
        self.assertEqual(ops["forward"]["count"], steps)  # the prompt, and all but the stop token
        self.assertEqual(ops["head"]["count"], steps)
        self.assertEqual(ops["sampling"]["count"], steps)
        layers = ops["layer"]["count"]
        self.assertEqual(layers, 10 * ops["forward"]["count"])
        for name, times in LAYER_OPS.items():
            last_norms = ops["forward"]["count"] if name == "rms_norm" else 0
            self.assertEqual(ops[name]["count"], layers * times + last_norms, name)
            self.assertGreater(ops[name]["bytes"], 0, name)
        self.assertEqual(ops["head"]["count"], ops["dense_linear"]["count"])
        # A token's products, by the shapes of the model; the prompt has more than one.
        tokens = profile["facts"]["prompt"].split()[0]
        weights = 10 * (512 * (512 + 256 + 256 + 512) + 3 * 512 * 1536)
        self.assertEqual(ops["ternary_linear"]["int8_ops"],
                         2 * weights * (steps - 1 + int(tokens)))
        self.assertEqual(ops["dense_linear"]["float_ops"], 2 * 512 * 6144 * steps)
        self.assertAlmostEqual(sum(op["share"] for op in profile["ops"]), 1, 6)
        self.assertLess(sum(op["self_seconds"] for op in profile["ops"]), profile["seconds"])
        self.assertGreater(profile["roof"]["read_bytes_per_second"], 1e8)
        for call in profile["calls"]:
            self.assertGreaterEqual(call["seconds"] * (1 + 1e-9), call["self_seconds"])
        hardware = profile["hardware"]
        self.assertEqual(hardware["cycles"] is None, hardware["unavailable"] != "")

    def test_a_conversation(self):
        path = self.folder / "chat.json"
        self.ok("chat", "--profile", path, stdin=b"river\nsea\n")
        profile = json.loads(path.read_text())
        ops = {op["name"]: op["count"] for op in profile["ops"]}
        self.assertEqual(ops["prefill"], 2)  # of two words
        self.assertGreater(ops["decode step"], 10)
        self.assertIn("wordbook-35m", profile["facts"]["model"])

    def test_page(self):
        _, written = self.run_with(".html")
        page = Page()
        page.feed(written)
        page.close()
        self.assertEqual((page.open, page.faults), ([], []))
        self.assertNotIn("https://", written)
        self.assertNotIn("src=", written)
        data = json.loads(page.data)
        self.assertGreater(len(data["events"]), 1000)
        for call, lane, begin, length in data["events"]:
            self.assertTrue(0 <= call < len(data["calls"]) and lane >= 0 and begin >= 0 <= length)

    def test_trace_is_nested(self):
        _, written = self.run_with(".trace.json", "-n", "4")
        spans = [e for e in json.loads(written)["traceEvents"] if e["ph"] == "X"]
        around = {"layer": ["forward"], "ternary_linear": ["layer"], "dense_linear": ["head"],
                  "sampling": ["decode step"], "forward": ["prefill", "decode step"]}
        opened = []
        for e in spans:
            while opened and opened[-1][1] <= e["ts"] and e["dur"] > 0:
                opened.pop()
            while opened and opened[-1][1] < e["ts"] + e["dur"] - 0.002:  # rounded to 1 ns
                opened.pop()
            if e["name"] in around:
                self.assertIn(opened[-1][0], around[e["name"]])
            opened.append((e["name"], e["ts"] + e["dur"]))
        self.assertEqual(sum(e["name"] == "decode step" for e in spans), 4)

    def test_text(self):
        _, written = self.run_with(".txt", "-n", "2")
        self.assertRegex(written, r"(?m)^ternary_linear +\d+\.\d %")
        self.assertRegex(written, r"(?m)^roof +reads ")

    def test_bench(self):
        path = self.folder / "bench.json"
        out = self.json("bench", "-m", TINY, "--prefill", "16", "--decode", "8", "--repeat", "2",
                        "--profile", path)
        profile = json.loads(path.read_text())
        ops = {op["name"]: op for op in profile["ops"]}
        self.assertEqual(ops["forward"]["count"], 3 * (1 + 8))  # a round ahead of the two
        self.assertEqual(profile["roof"]["read_bytes_per_second"], out["read_bytes_per_second"])

    def test_what_cannot_be_written_is_refused_before_the_model_is_read(self):
        none = self.folder / "none.gguf"
        for name in ("profile.pdf", "profile", "html", "profile.html.gz"):
            self.fails(2, "must end with .html, .json, .trace.json or .txt", "run", "-m", none,
                       "--ids", "1", "--profile", self.folder / name)
        self.fails(1, "missing/p.html", "run", "-m", none, "--ids", "1", "--profile",
                   self.folder / "missing" / "p.html")
        (self.folder / "folder.json").mkdir()
        self.fails(1, "is a directory", "run", "-m", none, "--ids", "1", "--profile",
                   self.folder / "folder.json")
        self.fails(2, "must end with", "bench", "--profile", "x")

    def test_a_failed_run_leaves_no_file(self):
        path = self.folder / "p.html"
        path.write_text("old")
        self.fails(1, "none.gguf", "run", "-m", self.folder / "none.gguf", "--ids", "1",
                   "--profile", path)
        self.assertEqual(path.read_text(), "old")
        self.assertEqual([p.name for p in self.folder.iterdir()], ["p.html"])

    def test_json_output_stays_one_object(self):
        result = bitnet("run", "-p", "river", "-n", "2", "--json", "--profile",
                        self.folder / "p.json")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(json.loads(result.stdout)["new_tokens"], 2)


if __name__ == "__main__":
    unittest.main()
