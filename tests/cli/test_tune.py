# SPDX-License-Identifier: MIT OR Apache-2.0
"""bitnet tune, and what the other commands make of its file."""
import stat
import unittest

from tool import TINY, WORDBOOK, ToolTest, bitnet, environment


class Tuned(ToolTest):
    identity = []  # lines of the file that say which machine was measured

    def setUp(self):
        super().setUp()
        self.file = self.folder / "cache" / "machine"
        self.env = environment(BITNET_TUNING=str(self.file))

    def tuned(self, packing, threads=1):
        """The file as if this machine computed `packing` faster, with `threads`."""
        if not Tuned.identity:
            self.ok("tune", env=self.env)
            lines = self.file.read_text().splitlines()
            Tuned.identity = [line for line in lines if not line.startswith("threads") and line != "end"]
        fast, slow = "9000 8000 7000", "900 800 700"
        two, tiles = (fast, slow) if packing == "2bit" else (slow, fast)
        lines = Tuned.identity + [f"threads {threads} read 20000 two-bits {two} tiles {tiles}", "end", ""]
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text("\n".join(lines))

    def bench(self, *args):
        return self.json("bench", "-m", TINY, "--prefill", "4", "--decode", "4", "--repeat", "1", *args, env=self.env)


class Tune(Tuned):
    def test_measures_stores_and_says_why(self):
        out = self.json("tune", env=self.env)
        self.assertEqual(out["path"], str(self.file))
        self.assertTrue(stat.S_ISREG(self.file.lstat().st_mode))
        self.assertLess(out["seconds"], 120)
        for row in out["measured"]:
            for packing in ("2bit", "1.6bit"):
                cached, bits = row[packing]["cached_weights_per_second"], {"2bit": 0.25, "1.6bit": 0.2}[packing]
                self.assertAlmostEqual(row[packing]["roofline_weights_per_second"],
                                       min(cached, row["read_bytes_per_second"] / bits), delta=2e6)
        for name in ("decode_threads", "prompt_threads"):
            self.assertIn(out[name], [row["threads"] for row in out["measured"]])
        doctor = self.json("doctor", env=self.env)
        self.assertEqual(doctor["packing"], out["packing"])
        self.assertEqual({k: doctor["tuning"][k] for k in ("path", "reason", "measured")},
                         {k: out[k] for k in ("path", "reason", "measured")})
        text = self.text("doctor", env=self.env)
        self.assertIn(out["reason"], text)
        self.assertIn("roofline", text)

    def test_the_stored_choice_is_used_where_nothing_is_said(self):
        for packing in ("2bit", "1.6bit"):
            self.tuned(packing)
            out = self.bench()
            self.assertEqual((out["packing"], out["packing_from"]), (packing, "tuned"))
            self.assertEqual((out["threads"], out["threads_from"]), (1, "tuned"))
            other = "2bit" if packing == "1.6bit" else "1.6bit"
            out = self.bench("--packing", other, "-t", "2")
            self.assertEqual((out["packing"], out["packing_from"]), (other, "given"))
            self.assertEqual((out["threads"], out["threads_from"]), (2, "given"))
        out = self.json("bench", "--shape", "700m", "--prefill", "2", "--decode", "2", "--repeat", "1", env=self.env)
        self.assertEqual((out["packing"], out["threads"]), ("1.6bit", 1))
        self.assertIn("1.6bit (tuned)", self.text("bench", "-m", TINY, "--prefill", "2", "--decode", "2", "--repeat",
                                                  "1", env=self.env))

    def test_no_bit_of_a_text_depends_on_it(self):
        logits = ("logits", "-m", TINY, "--ids", "1,2,3,4,5,6,7,8,9,10,11,12")
        expected, seen = None, None
        for packing, threads in ((None, 0), ("2bit", 1), ("1.6bit", 1), ("1.6bit", 3), ("2bit", 2)):
            if packing:
                self.tuned(packing, threads)
            out = self.folder / "out.npy"
            self.ok(*logits, "-o", out, env=self.env)
            text = self.text("run", "-m", WORDBOOK, "-p", "river\n", "-n", "24", env=self.env)
            expected, seen = expected or text, seen or out.read_bytes()
            self.assertEqual(text, expected)
            self.assertEqual(out.read_bytes(), seen)

    def test_a_file_that_is_not_usable_is_told_and_ignored(self):
        self.tuned("2bit")
        good = self.file.read_text()
        foreign = good.replace("cpus ", "cpus 1", 1)
        for bad, why in ((good[:40], "E_"), ("\0" * 100, "E_MAGIC"), (good.replace("tuning 1", "tuning 7"), "E_VERSION"),
                         (foreign, "another machine"), ("x" * 100000, "E_SIZE")):
            self.file.write_text(bad)
            result = self.ok("run", "-p", "river", "-n", "2", env=self.env)
            self.assertIn(b"bitnet: warning: tuning not used", result.stderr)
            self.assertIn(why.encode(), result.stderr)
            self.assertEqual(self.json("doctor", env=self.env)["tuning"], None)
            self.assertIn(why, self.json("doctor", env=self.env)["tuning_not_used"])
            self.assertIn("run 'bitnet tune'", self.text("doctor", env=self.env))
            self.assertEqual(self.bench()["packing_from"], "measured")

    def test_without_a_file(self):
        for env in (self.env, environment(BITNET_TUNING="")):
            self.assertIn("not tuned: run 'bitnet tune'", self.text("doctor", env=env))
            result = self.ok("run", "-p", "river", "-n", "2", env=env)
            self.assertNotIn(b"tuning", result.stderr)
        self.assertIn("not stored", self.text("tune", env=environment(BITNET_TUNING="")))

    def test_the_cache_folder_is_named_after_the_machine(self):
        env = environment(XDG_CACHE_HOME=str(self.folder / "xdg"))
        env.pop("BITNET_TUNING", None)
        path = self.json("tune", env=env)["path"]
        self.assertTrue(path.startswith(str(self.folder / "xdg" / "bitnet" / "tuning-")), path)
        lowered = dict(env, BITNET_ISA="reference")
        self.assertIn("not tuned", self.text("doctor", env=lowered))
        self.assertIn(path, self.text("doctor", env=env))

    def test_a_place_that_cannot_be_written_is_an_error(self):
        self.fails(1, "E_IO", "tune", env=environment(BITNET_TUNING=str(self.folder)))


class ConvertTuned(Tuned):
    def test_the_type_follows_the_machine_and_any_machine_reads_it(self):
        logits = {}
        for packing, kind in (("2bit", "i2_s"), ("1.6bit", "lt1_6")):
            self.tuned(packing)
            file = self.folder / f"{kind}.gguf"
            out = self.json("convert", WORDBOOK, file, "--tune", env=self.env)
            self.assertEqual(out["type"], kind)
            self.assertTrue(out["identical"])
            listed = self.json("inspect", "-m", file, env=self.env)
            types = {t["type"] for t in listed["tensors"] if t["ternary"]}
            self.assertEqual(types, {kind.upper()})
            zeros = [t["zero_fraction"] for t in listed["tensors"] if t["ternary"]]
            self.assertTrue(all(0.1 < z < 0.9 for z in zeros))
            self.assertEqual(listed["memory"]["converted_weight_bytes"] // 2**20, 0)  # norms alone
            for isa in ("reference", "avx2", ""):
                npy = self.folder / "logits.npy"
                result = bitnet("logits", "-m", file, "-p", "river\n", "-o", npy,
                                env=environment(BITNET_TUNING="", BITNET_ISA=isa))
                if result.returncode and b"this CPU lacks" in result.stderr:
                    continue
                self.assertEqual(result.returncode, 0, result.stderr)
                logits[kind, isa] = npy.read_bytes()
        self.assertEqual(len(set(logits.values())), 1)
        self.assertGreater(len(logits), 2)

    def test_a_type_is_needed_and_only_one(self):
        self.fails(2, "--type or --tune", "convert", TINY, self.folder / "x.gguf")
        self.fails(2, "--tune", "convert", TINY, self.folder / "x.gguf", "--type", "i2_s", "--tune")


if __name__ == "__main__":
    unittest.main()
