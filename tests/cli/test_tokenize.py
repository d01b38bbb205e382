# SPDX-License-Identifier: MIT OR Apache-2.0
"""bitnet tokenize: ids and pieces, both ways."""
import json
import unittest

from tool import GOLDEN, WORDBOOK, ToolTest


class Tokenize(ToolTest):
    def test_ids_of_the_reference(self):
        for model, folder in (("wordbook-35m", WORDBOOK), ("mixed-29m", GOLDEN / "mixed-29m")):
            prompts = json.loads((GOLDEN / model / "golden.json").read_text())["prompts"]
            for p in prompts:
                out = self.text("tokenize", "-m", folder, "--ids", "-p", p["text"])
                self.assertEqual([int(i) for i in out.split(",")], p["ids"], p["text"])

    def test_there_and_back(self):
        text = "naïve café 🙂\n\ttab <b>"
        ids = self.text("tokenize", "--ids", "--no-bos", "-p", text).strip()
        self.assertEqual(self.text("tokenize", "--decode", ids), text + "\n")
        self.assertEqual(self.json("tokenize", "--decode", ids)["text"], text)

    def test_pieces(self):
        lines = self.text("tokenize", "-p", "the river").splitlines()
        self.assertRegex(lines[0], r"^ +0  <\|begin_of_text\|>$")
        self.assertTrue(lines[1].endswith('  "the"'), lines)

    def test_json_pieces_are_text(self):
        out = self.json("tokenize", stdin="é🙂".encode(), timeout=60)
        self.assertEqual(len(out["pieces"]), len(out["ids"]))
        self.assertIn("é", out["text"])

    def test_special_tokens(self):
        text = "a<|end_of_text|>"
        self.assertIn(1, self.json("tokenize", "-p", text)["ids"])
        self.assertNotIn(1, self.json("tokenize", "-p", text, "--no-parse-special")["ids"])

    def test_a_tokenizer_file(self):
        self.assertEqual(self.text("tokenize", "-m", WORDBOOK / "tokenizer.json", "-p", "river"),
                         self.text("tokenize", "-p", "river"))

    def test_empty_text(self):
        self.assertEqual(self.text("tokenize", "--ids", "-p", ""), "0\n")


if __name__ == "__main__":
    unittest.main()
