# SPDX-License-Identifier: MIT OR Apache-2.0
"""bitnet bench and bitnet doctor."""
import unittest

from tool import TINY, ToolTest, bitnet, environment


class Bench(ToolTest):
    def test_json(self):
        out = self.json("bench", "-m", TINY, "--prefill", "16,32", "--decode", "8", "--repeat", "3",
                        "-t", "1", "--packing", "2bit")
        self.assertEqual([(r["kind"], r["tokens"]) for r in out["results"]],
                         [("prefill", 16), ("prefill", 32), ("decode", 8)])
        for r in out["results"]:
            self.assertTrue(0 < r["min"] <= r["tokens_per_second"] <= r["max"])
            self.assertEqual(r["repeats"], 3)
        self.assertEqual(out["threads"], 1)
        self.assertGreater(out["read_bytes_per_second"], 1e8)
        # Packed weights, 5.5 blocks a row where there are 704 columns, and a bf16 head.
        layer = (256 + 128 + 128 + 256 + 704 + 704) * 64 + 256 * 192
        self.assertEqual(out["bytes_per_token"], 3 * layer + 512 * 256 * 2)

    def test_bytes_of_five_weights_in_one(self):
        out = self.json("bench", "-m", TINY, "--prefill", "4", "--decode", "4", "--repeat", "1",
                        "--packing", "1.6bit")
        # 256 and, of 704, 768 places in 52 and 154 groups; strips of 64 rows, each with a number.
        layer = (256 + 128 + 128 + 256 + 704 + 704) * (52 + 4) + 256 * (154 + 4)
        self.assertEqual(out["bytes_per_token"], 3 * layer + 512 * 256 * 2)

    def test_texts_side_by_side(self):
        out = self.json("bench", "-m", TINY, "--prefill", "4", "--decode", "6", "--batch", "2,8", "--repeat", "1")
        self.assertEqual([(r["kind"], r["tokens"], r["texts"]) for r in out["results"]],
                         [("prefill", 4, 1), ("decode", 6, 1), ("decode", 6, 2), ("decode", 6, 8)])
        for r in out["results"][1:]:  # a step reads the weights once
            self.assertAlmostEqual(r["part_of_limit"], r["tokens_per_second"] * out["bytes_per_token"] / r["texts"] /
                                   out["read_bytes_per_second"], delta=1e-3 * r["part_of_limit"])
        self.assertIn("decode 6 x 8", self.text("bench", "-m", TINY, "--prefill", "4", "--decode", "6", "--batch", "8",
                                                "--repeat", "1"))
        out = self.json("bench", "-m", TINY, "--prefill", "20", "--decode", "6", "--batch", "2", "--repeat", "1",
                        "--kv", "int8")
        self.assertEqual([r["kv"] for r in out["results"]], ["int8"] * 3)
        self.assertIn("decode 6, bf16 cache", self.text("bench", "-m", TINY, "--prefill", "4", "--decode", "6",
                                                        "--repeat", "1", "--kv", "bf16"))
        self.fails(2, "512", "bench", "-m", TINY, "--batch", "513")

    def test_a_random_shape(self):
        text = self.text("bench", "--shape", "700m", "--prefill", "4", "--decode", "2", "--repeat",
                         "1")
        self.assertIn("24 layers of 1536/4096", text)
        for line in ("prefill 4", "decode 2", "roofline", "limits"):
            self.assertIn(line, text)


class Doctor(ToolTest):
    def test_every_kernel_is_right(self):
        out = self.json("doctor")
        self.assertTrue(out["ok"])
        families = {k["family"] for k in out["kernels"]}
        self.assertIn("ternary_linear", families)
        for family in families:
            rows = [k for k in out["kernels"] if k["family"] == family]
            self.assertEqual(sum(k["in_use"] for k in rows), 1, family)
            for k in rows:
                self.assertEqual(k["ok"], k["available"], k)
        self.assertIn("all kernels of this CPU are right", self.text("doctor"))

    def test_lowered_instruction_set(self):
        out = self.json("doctor", env=environment(BITNET_ISA="reference"))
        self.assertEqual(out["isa_chosen"], "reference")
        self.assertEqual(out["isa_reason"], "BITNET_ISA=reference")
        self.assertEqual({k["isa"] for k in out["kernels"] if k["in_use"]}, {"reference"})
        result = bitnet("doctor", env=environment(BITNET_ISA="reference"))
        self.assertIn(b"reference ok*", result.stdout)


if __name__ == "__main__":
    unittest.main()
