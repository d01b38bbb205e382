#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
# bench/page.py from stored reports: what the page says, that it needs nothing else, what a broken file gets.
import json
import subprocess
import sys
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path

PAGE = Path(__file__).parent / "page.py"
ROW = {"case": "pair 64 B", "ours": 2.5, "unit": "ns", "rivals": {"glibc": 25.0, "other": None}, "ratio": 0.1, "goal": "≤ 1× glibc",
       "met": True}
OPS = {"title": "Ops & limits", "machine": "A, 2 CPUs, load 0.5", "commit": "0123456789ab", "date": "2026-11-23 10:00 UTC",
       "quick": False, "versions": {"OpenBLAS": "0.3"}, "rivals": ["OpenBLAS", "limit"], "notes": ["Milliseconds."], "rows": [
           {**ROW, "case": "matmul <script>, 1 thread", "group": "1 thread", "rivals": {"OpenBLAS": 2.0, "limit": 1.0},
            "ratio": 0.8, "goal": "≥ 1× OpenBLAS", "met": False, "margin": 0.8},
           {**ROW, "case": "sum, 1 thread", "group": "1 thread", "rivals": {"limit": 2.0}, "met": True, "margin": 100.0},
           {**ROW, "case": "sum, 2 threads", "group": "2 threads", "rivals": {}, "goal": "", "met": None, "margin": None}]}
# What a bench that knows no titles, rivals or margins writes.
PEERS = {"machine": "A, 2 CPUs, load 0.1", "commit": "0123456789ab", "date": "2026-11-23 11:00 UTC", "quick": False, "rows": [ROW]}


class Reader(HTMLParser):
    """Tags that are left open, ids, links, and the text of each section's cells."""
    EMPTY = {"meta", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.section, self.texts = [], [], [], "", {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs.items()
        if tag == "section":
            self.section = attrs["id"]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"
        if tag == "section":
            self.section = ""

    def handle_data(self, data):
        self.texts.setdefault(self.section, []).append(data)


class Page(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)

    def make(self, **reports):
        for name, report in reports.items():
            (self.path / f"{name}.json").write_text(report if isinstance(report, str) else json.dumps(report))
        done = subprocess.run([sys.executable, str(PAGE), self.folder.name], capture_output=True, text=True)
        return done.returncode, done.stderr

    def read(self):
        reader = Reader((self.path / "index.html").read_text())
        self.assertEqual(reader.open, [])
        return reader

    def test_a_section_for_each_bench(self):
        self.assertEqual(self.make(ops=OPS, peers=PEERS), (0, ""))
        page = self.read()
        self.assertEqual(list(page.texts), ["", "peers", "ops"])
        for name, report in {"ops": OPS, "peers": PEERS}.items():
            text = " ".join(page.texts[name])
            for said in (report["machine"], report["commit"], report["date"]):
                self.assertIn(said, text)
        ops, peers = page.texts["ops"], page.texts["peers"]
        self.assertIn("1 of 2 goals met.", ops)
        self.assertIn("1 of 1 goals met.", peers)
        self.assertIn("Ops & limits", ops)
        self.assertEqual(ops.count("MISSED"), 1)
        self.assertEqual(ops.count("1 thread"), 1)  # a heading, left out in the rows below
        self.assertIn("matmul <script>", ops)
        self.assertIn("0.80", ops)
        # In the order of the figures: the heads of the columns, then a dash for what was not measured.
        self.assertLess(peers.index("glibc"), peers.index("other"))
        self.assertIn("-", peers)
        self.assertNotIn("not of one machine", " ".join(page.texts[""]))

    def test_plots(self):
        self.make(ops=OPS, peers=PEERS)
        page = self.read()
        # Bars of the rows with rivals, a margin for each row that has one, and a figure of all margins.
        self.assertEqual(page.tags.count("svg"), 3 + 2 + 1)
        self.assertNotIn("OpenBLAS", page.texts["ops"][page.texts["ops"].index("sum, 1 thread"):])  # it has no such figure
        labels = [value for name, value in page.attributes if name == "aria-label"]
        self.assertIn("0.80 of the goal", labels)
        self.assertEqual(labels.count("margins"), 1)

    def test_needs_nothing_else(self):
        self.make(ops=OPS, peers=PEERS)
        page = self.read()
        self.assertFalse({"script", "link", "img", "iframe"} & set(page.tags))
        links = [value for name, value in page.attributes if name in ("href", "src")]
        ids = [value for name, value in page.attributes if name == "id"]
        self.assertEqual(sorted(links), sorted("#" + name for name in ids))
        self.assertNotIn("url(", (self.path / "index.html").read_text())

    def test_sections_of_two_commits_are_named(self):
        self.make(ops=OPS, peers={**PEERS, "commit": "fedcba987654"})
        self.assertIn("not of one machine and commit", " ".join(self.read().texts[""]))

    def test_quick_runs_are_named(self):
        self.make(ops={**OPS, "quick": True})
        self.assertIn("figures mean nothing", " ".join(self.read().texts["ops"]))

    def test_broken_files_are_refused_by_name(self):
        for broken in ("{", "[]", "{}", '{"rows": []}', '{"rows": [1]}', json.dumps({"rows": [{**ROW, "ours": "fast"}]}),
                       json.dumps({"rows": [{**ROW, "rivals": {"a": "b"}}]}), json.dumps({"rows": [{**ROW, "margin": "1"}]}),
                       json.dumps({**PEERS, "commit": 5}), json.dumps({**PEERS, "notes": [1]})):
            code, error = self.make(ops=OPS, memory=broken)
            self.assertEqual(code, 1, broken)
            self.assertIn("memory.json", error, broken)
            self.assertNotIn("Traceback", error, broken)

    def test_no_reports(self):
        code, error = self.make()
        self.assertEqual(code, 1)
        self.assertIn("no reports", error)


if __name__ == "__main__":
    unittest.main()
