# SPDX-License-Identifier: MIT OR Apache-2.0
"""bitnet inspect and bitnet convert."""
import json
import os
import pathlib
import shutil
import unittest
import zipfile

from tool import TINY, TINY_LLAMA, WORDBOOK, ToolTest


class Inspect(ToolTest):
    def test_facts(self):
        out = self.json("inspect", "-m", WORDBOOK)
        self.assertEqual(out["architecture"], "BitNetForCausalLM")
        self.assertEqual((out["layers"], out["hidden_size"], out["vocab_size"]), (10, 512, 6144))
        self.assertIsNone(out["error"])
        ternary = [t for t in out["tensors"] if t["ternary"]]
        self.assertEqual(len(ternary), 70)
        for t in ternary:
            self.assertEqual(t["bits_per_weight"], 2)
            self.assertTrue(0.2 < t["zero_fraction"] < 0.6, t)
            self.assertGreater(t["scale"], 0)
        size = (WORDBOOK / "model.safetensors").stat().st_size
        self.assertTrue(0 <= size - sum(t["bytes"] for t in out["tensors"]) < 100_000)

    def test_the_file_may_be_named_without_an_option(self):
        self.assertEqual(self.json("inspect", "--quick", TINY), self.json("inspect", "--quick", "-m", TINY))
        self.assertNotEqual(self.json("inspect", "--quick", TINY), self.json("inspect", "--quick", TINY_LLAMA))

    def test_order_of_layers(self):
        names = [t["name"] for t in self.json("inspect", "--quick")["tensors"]]
        layers = [int(n.split(".")[2]) for n in names if n.startswith("model.layers.")]
        self.assertEqual(layers, sorted(layers))

    def test_memory_plan(self):
        small = self.json("inspect", "--quick", "-c", "512")["memory"]
        large = self.json("inspect", "--quick", "-c", "1024")["memory"]
        self.assertEqual(2 * small["kv_cache_bytes"], large["kv_cache_bytes"])
        self.assertEqual(small["kv_cache_bytes"], 10 * 4 * 64 * 2 * 4 * 512)
        self.assertTrue(small["fits"])
        for kv, bytes_of_a_head in (("f32", 4 * 64), ("bf16", 2 * 64), ("int8", 64 + 4)):
            plan = self.json("inspect", "--quick", "-c", "512", "--kv", kv)["memory"]
            self.assertEqual(plan["kv_cache_bytes"], 10 * 4 * bytes_of_a_head * 2 * 512)
            self.assertEqual(plan["total_bytes"] - plan["kv_cache_bytes"],
                             small["total_bytes"] - small["kv_cache_bytes"])
        used = self.json("run", "-p", "river " * 240, "-c", "512", "-t", "1", "-n", "20")
        if os.environ.get("BITNET_SANITIZE"):
            return  # shadow memory and quarantine would be measured
        # Code, tokenizer and allocator come on top; half as much again would be a wrong plan.
        self.assertLess(used["peak_memory_bytes"], small["total_bytes"] * 1.5 + 20e6)

    def test_table(self):
        text = self.text("inspect", "-m", TINY)
        self.assertIn("no sub-norms" if "Llama" in text else "sub-norms", text)
        self.assertRegex(text, r"(?m)^model\.layers\.0\.mlp\.down_proj\.weight +256 x 704 +U8 +2\.00 .* %$")
        self.assertRegex(text, r"(?m)^ternary +[\d,]+ weights in .* bits a weight, .* % zero$")
        quick = self.text("inspect", "-m", TINY, "--quick")
        self.assertNotIn(" %", quick)

    def test_dead_neurons_are_shown_kept_in_files_and_left_out_of_memory(self):
        copy = self.folder / "dead"
        shutil.copytree(TINY, copy)
        data = bytearray((copy / "model.safetensors").read_bytes())
        size = int.from_bytes(data[:8], "little")
        at = json.loads(data[8:8 + size])["model.layers.0.mlp.gate_proj.weight"]["data_offsets"][0]
        data[8 + size + at:8 + size + at + 96 * 256] = b"\x55" * (96 * 256)  # 4 rows of zeros in each of 96
        (copy / "model.safetensors").write_bytes(data)
        layers = self.json("inspect", "-m", copy)["dead_neurons"]
        self.assertEqual(layers[0], {"neurons": 704, "dead": 384, "zero_gate_rows": 384, "zero_up_rows": 0,
                                     "zero_down_columns": 0})
        self.assertEqual([layer["dead"] for layer in layers[1:]], [0] * (len(layers) - 1))
        self.assertRegex(self.text("inspect", "-m", copy),
                         r"(?m)^dead +neurons 384 of [\d,]+ \(zero rows: gate 384, up 0; zero columns of down 0\)\n"
                         r" +layer 0: 384 of 704 ")
        self.assertEqual(self.json("inspect", "--quick", "-m", copy)["dead_neurons"], [])
        gguf = self.folder / "dead.gguf"
        # The source is computed whole, the result without them: its check says that logits are the same.
        self.assertTrue(self.json("convert", copy, gguf, "--type", "i2_s")["identical"])
        self.assertEqual(self.json("inspect", "-m", gguf)["dead_neurons"], layers)
        bench = ["bench", "--prefill", "2", "--decode", "2", "--repeat", "1", "-m"]
        self.assertEqual(self.json(*bench, gguf)["removed_neurons"], 384)
        self.assertIn("dead neurons left out: 384", self.text(*bench, copy))
        self.assertNotIn("left out", self.text(*bench, TINY))

    def test_a_missing_tensor_is_named_after_the_table(self):
        copy = self.folder / "tiny"
        shutil.copytree(TINY, copy)
        weights = (copy / "model.safetensors").read_bytes()
        (copy / "model.safetensors").write_bytes(
            weights.replace(b"layers.1.mlp.up_proj.weight_scale", b"layers.1.mlp.up_proj.weight_scalf"))
        from tool import bitnet
        result = bitnet("inspect", "-m", copy)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"model.layers.2", result.stdout)
        self.assertIn(b"layers.1.mlp.up_proj.weight_scale: missing", result.stderr)
        self.assertIn("missing", json.loads(bitnet("inspect", "-m", copy, "--json").stdout)["error"])

    def test_a_config_that_leaves_something_open(self):
        copy = self.folder / "tiny"
        shutil.copytree(TINY, copy)
        config = json.loads((copy / "config.json").read_text())
        config["hidden_act"] = "gelu"
        (copy / "config.json").write_text(json.dumps(config))
        self.fails(1, "gelu", "inspect", "-m", copy)


class InspectArrays(ToolTest):
    @staticmethod
    def npy(shape, descr="<f4", data=b"\1" * 24):
        head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        return b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head + data

    def test_an_array_and_an_archive(self):
        (self.folder / "a.npy").write_bytes(self.npy((2, 3)))
        with zipfile.ZipFile(self.folder / "b.npz", "w") as archive:
            archive.writestr("w.npy", self.npy((3, 2)))
            archive.writestr("text.npy", self.npy((2,), "<U3"))
        out = self.json("inspect", "-m", self.folder / "a.npy")
        self.assertEqual((out["tensors"][0]["type"], out["tensors"][0]["shape"]), ("f32", [2, 3]))
        self.assertIsNone(out["error"])
        out = self.json("inspect", "--quick", "-m", self.folder / "b.npz")
        self.assertEqual([(t["name"], t["shape"], t["error"]) for t in out["tensors"]],
                         [("w", [3, 2], ""), ("text", [], "E_DTYPE")])
        self.assertRegex(self.text("inspect", "--quick", "-m", self.folder / "b.npz"),
                         r"(?m)^w +3 x 2 +f32 +24 *$")

    def test_damage_is_found_after_the_table(self):
        with zipfile.ZipFile(self.folder / "b.npz", "w") as archive:
            archive.writestr("w.npy", self.npy((3, 2)))
        data = bytearray((self.folder / "b.npz").read_bytes())
        data[data.rindex(b"\1" * 24)] = 9
        (self.folder / "b.npz").write_bytes(data)
        self.json("inspect", "--quick", "-m", self.folder / "b.npz")
        from tool import bitnet
        result = bitnet("inspect", "-m", self.folder / "b.npz")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"E_CHECKSUM", result.stderr)
        self.assertIn(b"3 x 2", result.stdout)


class Convert(ToolTest):
    def test_there_and_back_gives_the_same_logits_and_bytes(self):
        for model in (WORDBOOK, TINY_LLAMA):
            gguf, folder = self.folder / "m.gguf", self.folder / model.name
            out = self.json("convert", model, gguf, "--type", "i2_s")
            self.assertTrue(out["identical"])
            self.assertEqual(out["bytes"], gguf.stat().st_size)
            ids = ["--ids", "1,2,3,4", "-n", "12", "--ignore-eos"]
            self.assertEqual(self.text("run", "-m", gguf, *ids), self.text("run", "-m", model, *ids))
            self.ok("convert", gguf, folder, "--type", "hf")
            for file in ("config.json", "model.safetensors"):
                self.assertEqual((folder / file).read_bytes(), (model / file).read_bytes())

    def test_text_of_a_gguf_file(self):
        gguf = self.folder / "m.gguf"
        self.ok("convert", WORDBOOK, gguf, "--type", "tq2_0")
        self.assertEqual(self.text("run", "-m", gguf, "-e", "-p", r"river\n"),
                         self.text("run", "-p", "river"))
        out = self.json("inspect", "-m", gguf)
        self.assertEqual(out["format"], "GGUF 3")
        self.assertEqual({t["type"] for t in out["tensors"] if t["ternary"]}, {"TQ2_0"})

    def test_errors(self):
        self.fails(2, "type", "convert", TINY, self.folder / "x.gguf", "--type", "q4_k")
        self.fails(1, "No such file", "convert", self.folder / "none", self.folder / "x.gguf",
                   "--type", "i2_s")
        self.assertEqual(list(pathlib.Path(self.folder).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
