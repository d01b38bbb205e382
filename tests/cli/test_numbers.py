# SPDX-License-Identifier: MIT OR Apache-2.0
"""bitnet logits and bitnet perplexity against the reference implementation's numbers."""
import json
import sys
import unittest

from tool import GOLDEN, TINY, TINY_LLAMA, WORDBOOK, ToolTest, environment

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy")
    sys.exit(0)

ALMOST = 1e-4  # two float32 evaluations without a flipped activation
FLIPPED = 0.5  # one int8 activation on the other side of a rounding boundary


class Logits(ToolTest):
    def logits(self, *args, **kwargs):
        out, hidden = self.folder / "out.npy", self.folder / "hidden.npy"
        self.ok("logits", *args, "--out", out, "--hidden", hidden, **kwargs)
        return np.load(out), np.load(hidden)

    def test_tiny_models(self):
        for model in (TINY, TINY_LLAMA):
            golden = np.load(model / "golden.npz")
            ids = ",".join(map(str, golden["ids"].tolist()))
            logits, hidden = self.logits("-m", model, "--ids", ids)
            config = json.loads((model / "config.json").read_text())
            self.assertEqual(logits.shape, (48, config["vocab_size"]))
            self.assertEqual(logits.dtype, np.float32)
            self.assertEqual(hidden.shape,
                             (config["num_hidden_layers"] + 1, 48, config["hidden_size"]))
            for mine, theirs in ((logits[-8:], golden["logits"]), (hidden[1, -4:], golden["hidden_1"]),
                                 (hidden[-1, -4:], golden["hidden_last"])):
                self.assertEqual(mine.shape, theirs.shape)
                difference = np.abs(mine - theirs)
                self.assertLess(difference.max(), FLIPPED)
                self.assertLess(np.median(difference), 0.05)

    def test_trained_model(self):
        golden = np.load(GOLDEN / "wordbook-35m" / "golden.npz")
        prompts = json.loads((GOLDEN / "wordbook-35m" / "golden.json").read_text())["prompts"]
        exact = 0
        for i, p in enumerate(prompts):
            logits, hidden = self.logits("-p", p["text"])
            difference = np.abs(logits[-4:] - golden[f"logits_{i}"]).max()
            self.assertLess(difference, FLIPPED)
            self.assertEqual(logits[-1].argmax(), golden[f"logits_{i}"][-1].argmax())
            exact += difference < ALMOST
            if i < 2:
                self.assertEqual(hidden.shape, golden[f"hidden_{i}"].shape)
                self.assertLess(np.abs(hidden[0] - golden[f"hidden_{i}"][0]).max(), 1e-6)
        self.assertGreaterEqual(exact, 1)

    def test_same_bits_everywhere(self):
        ids = ",".join(str(i * 37 % 512) for i in range(40))
        expected = self.logits("-m", TINY, "--ids", ids)
        for args, env in ((["-t", "1"], {}), (["-t", "3"], {}),
                          ([], {"BITNET_ISA": "reference"})):
            got = self.logits("-m", TINY, "--ids", ids, *args, env=environment(**env))
            for a, b in zip(expected, got):
                self.assertEqual(a.tobytes(), b.tobytes())

    def test_smaller_caches_are_near(self):
        ids = ",".join(str(i * 37 % 512) for i in range(40))
        exact, _ = self.logits("-m", TINY, "--ids", ids)
        apart = []
        for kv in ("bf16", "int8"):
            logits, _ = self.logits("-m", TINY, "--ids", ids, "--kv", kv)
            again, _ = self.logits("-m", TINY, "--ids", ids, "--kv", kv, "-t", "3")
            self.assertEqual(logits.tobytes(), again.tobytes())
            apart.append(np.median(np.abs(logits - exact)))
        # Both are dominated by activations that fall on the other side of a rounding boundary.
        for difference in apart:
            self.assertTrue(0 < difference < 0.1 * np.std(exact), apart)

    def test_a_token_does_not_depend_on_those_after_it(self):
        long, _ = self.logits("-m", TINY, "--ids", "1,2,3,4,5")
        short, _ = self.logits("-m", TINY, "--ids", "1,2,3")
        self.assertEqual(long[:3].tobytes(), short.tobytes())

    def test_nothing_is_written_when_it_fails(self):
        out = self.folder / "out.npy"
        self.fails(1, "outside the vocabulary", "logits", "-m", TINY, "--ids", "1,600", "-o", out)
        self.assertFalse(out.exists())
        self.fails(1, "No such file", "logits", "-m", TINY, "--ids", "1", "-o",
                   self.folder / "none" / "out.npy")


class Perplexity(ToolTest):
    def test_window_of_the_reference(self):
        golden = json.loads((GOLDEN / "mixed-29m" / "golden.json").read_text())
        ids = np.load(GOLDEN / "mixed-29m" / "val_tokens.npy")[:1025]
        for dtype in (np.uint16, np.int32, np.int64):
            tokens = self.folder / "tokens.npy"
            np.save(tokens, ids.astype(dtype))
            out = self.json("perplexity", "-m", GOLDEN / "mixed-29m", "--tokens", tokens)
            self.assertEqual(out["tokens"], 1024)
            self.assertAlmostEqual(out["nll"], golden["val_first1024_nll"], delta=2e-3)
            self.assertEqual(out["nll"], out["first_window_nll"])
            self.assertAlmostEqual(out["ppl"], np.exp(out["nll"]), places=9)

    def test_is_the_mean_of_the_logits(self):
        ids = [1, 5, 9, 200, 3, 77]
        np.save(self.folder / "t.npy", np.array(ids, np.int32))
        self.ok("logits", "-m", TINY, "--ids", "1,5,9,200,3,77", "-o", self.folder / "l.npy")
        logits = np.load(self.folder / "l.npy").astype(np.float64)
        log_sum = np.log(np.exp(logits).sum(axis=1))
        nll = np.mean([log_sum[i] - logits[i, ids[i + 1]] for i in range(5)])
        out = self.json("perplexity", "-m", TINY, "--tokens", self.folder / "t.npy")
        self.assertAlmostEqual(out["nll"], nll, places=9)
        self.assertEqual(out["window"], 512)  # the model has no more positions

    def test_smaller_caches_beside_f32(self):
        golden = GOLDEN / "mixed-29m"
        tokens = self.folder / "tokens.npy"
        np.save(tokens, np.load(golden / "val_tokens.npy")[:513])
        args = ["perplexity", "-m", golden, "--tokens", tokens]
        exact = self.json(*args)
        self.assertEqual(exact["kv"], "f32")
        self.assertNotIn("f32_ppl", exact)
        for kv in ("bf16", "int8"):
            out = self.json(*args, "--kv", kv)
            self.assertEqual((out["kv"], out["f32_ppl"], out["f32_nll"]), (kv, exact["ppl"], exact["nll"]))
            self.assertEqual(out["ratio"], out["ppl"] / exact["ppl"])
            self.assertNotEqual(out["ppl"], exact["ppl"])
            self.assertAlmostEqual(out["ratio"], 1, delta=0.02)
            self.assertRegex(self.text(*args, "--kv", kv),
                             rf"^perplexity {out['ppl']:.6f} with a KV cache of {kv}\n +{exact['ppl']:.6f} "
                             rf"with a KV cache of f32; ratio {out['ratio']:.6f}\nnll ")

    def test_of_a_text(self):
        text = self.folder / "text"
        text.write_text("river\n1. (noun) a large natural stream of water\n")
        self.assertLess(self.json("perplexity", "--file", text)["ppl"], 50)
        text.write_text("stream large 1. of water a natural river noun\n")
        self.assertGreater(self.json("perplexity", "--file", text)["ppl"], 50)
        self.assertRegex(self.text("perplexity", "-m", WORDBOOK, "-f", text),
                         r"^perplexity \d+\.\d+\nnll +\d+\.\d+ nats")

    def test_bad_tokens(self):
        tokens = self.folder / "t.npy"
        np.save(tokens, np.array([1.5, 2.5]))
        self.fails(1, "token ids are u16, i32 or i64", "perplexity", "-m", TINY, "--tokens", tokens)
        np.save(tokens, np.array([1, 2**40]))
        self.fails(1, "not a token id", "perplexity", "-m", TINY, "--tokens", tokens)
        np.save(tokens, np.array([1], np.int32))
        self.fails(1, "at least two tokens", "perplexity", "-m", TINY, "--tokens", tokens)
        np.save(tokens, np.array([1, 2], np.int32))
        self.fails(1, "1 to 512 positions", "perplexity", "-m", TINY, "--tokens", tokens, "-w", 513)


if __name__ == "__main__":
    unittest.main()
