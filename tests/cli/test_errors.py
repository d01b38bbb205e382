# SPDX-License-Identifier: MIT OR Apache-2.0
"""Help, exit codes and messages of every command."""
import os
import shutil
import subprocess
import unittest

from tool import TINY, TOOL, WORDBOOK, ToolTest, bitnet, environment

COMMANDS = ["run", "chat", "tokenize", "logits", "perplexity", "inspect", "convert", "bench",
            "tune", "memory", "doctor"]


class Help(ToolTest):
    def test_overview_lists_every_command(self):
        for args in (["--help"], ["help"], ["-h"]):
            for command in COMMANDS:
                self.assertRegex(self.text(*args), rf"(?m)^  {command} ")

    def test_nothing_is_wrong_usage(self):
        result = bitnet()
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"usage: bitnet COMMAND", result.stderr)
        self.assertEqual(result.stdout, b"")

    def test_each_command_has_options_and_examples(self):
        for command in COMMANDS:
            text = self.text("help", command)
            self.assertEqual(text, self.text(command, "--help"))
            self.assertIn(f"usage: bitnet {command}", text)
            self.assertIn(f"Examples:\n  bitnet {command}", text.replace("BITNET_ISA", ""))
            for line in text.splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_version(self):
        self.assertRegex(self.text("--version"), r"^bitnet \d+\.\d+\.\d+\n$")


class Usage(ToolTest):
    def test_near_names_are_offered(self):
        self.fails(2, "did you mean 'tokenize'?", "tokenise")
        self.fails(2, "did you mean '--temp'?", "run", "--tmep", "1")
        self.fails(2, "did you mean '2b4t'?", "bench", "--shape", "2b4")
        self.assertNotIn("did you mean", self.fails(2, "no command", "xyzzyxyzzy"))

    def test_wrong_values(self):
        for args in (["run", "-n", "x"], ["run", "-n", "-2"], ["run", "-c", "0"],
                     ["run", "-t", "9999"], ["run", "-p", "a", "-f", "b"], ["run", "extra"],
                     ["run", "-p", "a", "--temp", "-1"], ["run", "-p", "a", "--top-p", "2"],
                     ["run", "--ids", "1,x"], ["run", "--ids", ","], ["logits", "-p", "a"],
                     ["perplexity", "--window", "0"], ["bench", "--prefill", "0"],
                     ["run", "-p", "a", "--activation", "tanh"], ["convert", "a"]):
            with self.subTest(args):
                self.fails(2, "", *args)


class Files(ToolTest):
    def test_no_such_model(self):
        for command in ("run", "tokenize", "inspect", "perplexity", "chat"):
            extra = ["-p", "a"] if command not in ("inspect", "chat") else []
            self.fails(1, "No such file", command, "-m", self.folder / "none.gguf", *extra)

    def test_the_embedded_model_is_looked_for(self):
        error = self.fails(1, "no model: say -m MODEL", "run", "-p", "a",
                           env=environment(BITNET_MODELS=str(self.folder)))
        self.assertIn(str(self.folder / "wordbook-35m"), error)

    def test_model_from_the_environment(self):
        env = environment(BITNET_MODEL=str(TINY))
        self.assertRegex(self.text("run", "--ids", "1,2", "-n", "2", env=env), r"^\d+,\d+\n$")

    def test_bad_files_are_named(self):
        (self.folder / "x.gguf").write_bytes(b"GGUF\x03\0\0\0")
        self.fails(1, "x.gguf", "inspect", "-m", self.folder / "x.gguf")
        (self.folder / "y.gguf").write_bytes(b"garbage garbage")
        self.fails(1, "a model is a GGUF file", "run", "--ids", "1", "-m", self.folder / "y.gguf")
        self.fails(1, "nothing.txt", "run", "-f", self.folder / "nothing.txt")

    def test_truncated_weights(self):
        copy = self.folder / "tiny"
        shutil.copytree(TINY, copy)
        weights = copy / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])
        for command in (["inspect"], ["run", "--ids", "1"]):
            self.fails(1, "model.safetensors", *command, "-m", copy)

    def test_bad_isa(self):
        self.fails(1, "avx9000", "doctor", env=environment(BITNET_ISA="avx9000"))

    def test_too_long(self):
        self.fails(1, "the context has room for 4", "run", "--ids", "1,2,3,4,5", "-c", "4",
                   "-m", TINY)
        self.fails(1, "the model has 1 to 512", "run", "--ids", "1", "-c", "513", "-m", TINY)

    def test_ids_outside_the_vocabulary(self):
        self.fails(1, "token id 512 is outside the vocabulary of 512", "run", "--ids", "512",
                   "-m", TINY)
        self.fails(1, "outside the vocabulary", "run", "--ids=-1", "-m", TINY)
        self.fails(1, "outside the vocabulary", "tokenize", "--decode", "999999")

    def test_no_tokenizer(self):
        for command in ("run", "perplexity", "tokenize"):
            self.fails(1, "has no tokenizer; give token ids", command, "-m", TINY, "-p", "hi")


class Output(ToolTest):
    def test_a_closed_pipe_is_no_error(self):
        tool = subprocess.Popen([TOOL, "run", "-p", "river", "--ignore-eos", "-n", "2000"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        tool.stdout.read(1)
        tool.stdout.close()
        self.assertEqual(tool.stderr.read(), b"")
        self.assertEqual(tool.wait(60), 0)
        tool.stderr.close()

    def test_a_full_disk_is_one(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            result = subprocess.run([TOOL, "tokenize", "-p", "river"], stdout=full,
                                    stderr=subprocess.PIPE, env=environment(), check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"No space left", result.stderr)


if __name__ == "__main__":
    assert WORDBOOK.is_dir()
    unittest.main()
