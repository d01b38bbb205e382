# SPDX-License-Identifier: MIT OR Apache-2.0
"""bitnet run: the same text everywhere, whole characters, clean ends."""
import json
import os
import pty
import re
import signal
import subprocess
import time
import unittest

from tool import GOLDEN, TINY, TINY_LLAMA, TOOL, WORDBOOK, ToolTest, bitnet, environment


def golden(model):
    return json.loads((GOLDEN / model / "golden.json").read_text())


class Text(ToolTest):
    def test_embedded_model_writes_the_entry_of_a_word(self):
        text = self.text("run", "-p", "river")
        self.assertRegex(text, r"^1\. \(noun\) .*\n$")
        # The newline that ends the word is added where it is missing, and only there.
        self.assertEqual(text, self.text("run", "-e", "-p", r"river\n"))
        self.assertEqual(text, self.text("run", stdin=b"river\n"))
        self.assertEqual(text, self.text("run", "-f", "-", stdin=b"river"))
        prompt = self.folder / "prompt"
        prompt.write_text("river")
        self.assertEqual(text, self.text("run", "-f", prompt, "-m", WORDBOOK))

    def test_backslashes_are_text_without_escape(self):
        plain = self.json("run", "-p", r"a\nb", "-n", "1")["prompt_ids"]
        self.assertNotEqual(plain, self.json("run", "-e", "-p", r"a\nb", "-n", "1")["prompt_ids"])

    def test_json(self):
        out = self.json("run", "-p", "river")
        self.assertEqual(out["text"] + "\n", self.text("run", "-p", "river"))
        self.assertEqual(out["stop"], "stop_token")
        self.assertEqual(out["new_tokens"], len(out["ids"]))
        self.assertEqual(out["prompt_tokens"], len(out["prompt_ids"]))
        self.assertGreater(out["decode_tokens_per_second"], 0)
        self.assertGreater(out["peak_memory_bytes"], 10**6)

    def test_figures_on_stderr(self):
        result = self.ok("run", "-p", "river", "-n", "5")
        self.assertRegex(result.stderr.decode(), r"^load .* s \| prompt 4 tokens, .* tokens/s \| "
                         r"text 5 tokens, .* tokens/s \| peak memory .* MB\n$")
        self.assertEqual(self.ok("run", "-p", "river", "-n", "5", "--no-perf").stderr, b"")

    def test_stops(self):
        run = ["run", "-p", "river", "--ignore-eos"]
        self.assertEqual(self.json(*run, "-n", "7")["new_tokens"], 7)
        full = self.json(*run, "-c", "40")
        self.assertEqual(full["stop"], "context_full")
        self.assertEqual(self.json("run", "-p", "river", "-n", "0")["text"], "")

    def test_verbose_says_what_computes(self):
        error = self.ok("run", "-p", "a", "-n", "1", "-v", "-t", "1").stderr.decode()
        self.assertIn("BitNetForCausalLM", error)
        self.assertIn("1 thread\n", error)

    def test_no_bos(self):
        with_bos = self.json("run", "-p", "river", "-n", "1")["prompt_ids"]
        self.assertEqual(with_bos[1:],
                         self.json("run", "-p", "river", "-n", "1", "--no-bos")["prompt_ids"])

    def test_characters_are_never_cut(self):
        """Hot sampling gives byte tokens of broken characters: stdout stays UTF-8 at any time."""
        tool = subprocess.Popen([TOOL, "run", "-p", "é", "--temp", "8", "--top-k", "0", "--top-p",
                                 "1", "--min-p", "0", "--ignore-eos", "-n", "600", "--no-perf"],
                                stdout=subprocess.PIPE, env=environment())
        pieces = 0
        replaced = b""
        while piece := os.read(tool.stdout.fileno(), 65536):
            piece.decode("utf-8")
            replaced += piece
            pieces += 1
        tool.stdout.close()
        self.assertEqual(tool.wait(), 0)
        self.assertGreater(pieces, 3)
        self.assertIn("\ufffd".encode(), replaced)


class Drafts(ToolTest):
    def test_same_text_in_fewer_steps(self):
        for args in (["-p", "river"], ["-p", "serendipity", "--temp", "0.9", "--seed", "3"],
                     ["-p", "ocean", "--repeat-penalty", "1.1", "--temp", "0.5"]):
            args += ["--ignore-eos", "-n", "120"]
            plain = self.json("run", *args)
            self.assertEqual((plain["drafted_tokens"], plain["accepted_tokens"]), (0, 0))
            out = self.json("run", *args, "--draft", "8")
            for member in ("ids", "text", "stop"):
                self.assertEqual(out[member], plain[member])
            self.assertGreater(out["accepted_tokens"], 0)
            self.assertGreaterEqual(out["drafted_tokens"], out["accepted_tokens"])

    def test_the_figures_name_them(self):
        error = self.ok("run", "-p", "river", "--ignore-eos", "-n", "60", "--draft", "4").stderr.decode()
        self.assertRegex(error, r"tokens/s, \d+ of \d+ draft tokens accepted \| peak memory")
        self.assertNotIn("draft", self.ok("run", "-p", "river", "-n", "2").stderr.decode())

    def test_stop_tokens_and_context(self):
        for args in (["-p", "river", "-n", "400"], ["-p", "river", "--ignore-eos", "-c", "100"]):
            plain, drafted = (self.json("run", *args, "--draft", n) for n in ("0", "16"))
            self.assertEqual((plain["ids"], plain["stop"]), (drafted["ids"], drafted["stop"]))

    def test_out_of_range(self):
        for bad in ("-1", "65", "x"):
            self.fails(2, "--draft", "run", "-p", "river", "--draft", bad)


class KvCache(ToolTest):
    def test_of_f32_is_the_default(self):
        args = ["-p", "river", "-n", "24"]
        plain = self.json("run", *args)
        self.assertEqual(plain["kv"], "f32")
        self.assertEqual(self.json("run", *args, "--kv", "f32")["ids"], plain["ids"])
        self.assertNotIn("exact", self.ok("run", *args).stderr.decode())

    def test_smaller_ones_say_that_they_are_not_exact(self):
        args = ["-p", "river", "-n", "24", "-v", "-c", "1024"]
        sizes = {"f32": "21.0 MB", "bf16": "10.5 MB", "int8": "5.57 MB"}
        for kv, size in sizes.items():
            error = self.ok("run", *args, "--kv", kv).stderr.decode()
            self.assertIn(f"context   1,024 tokens, {size} in {kv} when full", error)
            self.assertEqual(f"KV cache {kv}, not exact |" in error, kv != "f32", error)
            self.assertEqual(self.json("run", *args, "--kv", kv)["kv"], kv)

    def test_drafts_write_the_same_text(self):
        for kv in ("bf16", "int8"):
            args = ["-p", "river", "--ignore-eos", "-n", "120", "--kv", kv]
            plain, drafted = (self.json("run", *args, "--draft", n) for n in ("0", "8"))
            self.assertEqual(drafted["ids"], plain["ids"])
            self.assertGreater(drafted["accepted_tokens"], 0)

    def test_unknown_types(self):
        for command in ("run", "chat", "bench", "perplexity", "logits", "inspect"):
            for bad in ("f16", "INT8", "int8 ", "", "4"):
                self.fails(2, "--kv", command, "--kv", bad)
            self.assertIn("--kv TYPE", self.text(command, "--help"))


class Ids(ToolTest):
    def test_greedy_texts_of_the_reference(self):
        """Rounding may flip an int8 activation and with it a token; most texts are equal."""
        prompts = golden("wordbook-35m")["prompts"]
        equal = 0
        for p in prompts:
            out = self.text("run", "--ids", ",".join(map(str, p["ids"])), "-n",
                            str(len(p["greedy"])), "--ignore-eos")
            equal += [int(i) for i in out.split(",")] == p["greedy"]
        self.assertGreaterEqual(equal, len(prompts) // 2)

    def test_models_without_tokenizer(self):
        for model in (TINY, TINY_LLAMA):
            out = self.json("run", "-m", model, "--ids", "[1, 2, 3]", "-n", "8", "--ignore-eos")
            self.assertEqual(len(out["ids"]), 8)
            self.assertNotIn("text", out)
            self.assertEqual(out["prompt_ids"], [1, 2, 3])


class Determinism(ToolTest):
    def texts(self, *args):
        """The text under every number of threads, packing and instruction set of this machine."""
        for threads in ("1", "2", "3"):
            yield f"-t {threads}", self.text("run", *args, "-t", threads)
        for packing in ("2bit", "1.6bit"):
            yield packing, self.text("run", *args, "--packing", packing)
        for isa in ("reference", "avx2", "avxvnni", "avx512vnni", "avx512vbmi", "neon_dotprod",
                    "neon_i8mm"):
            result = bitnet("run", *args, env=environment(BITNET_ISA=isa), timeout=600)
            if b"this CPU lacks" in result.stderr or b"not an ISA" in result.stderr:
                continue
            self.assertEqual(result.returncode, 0, result.stderr)
            yield isa, result.stdout.decode()

    def test_same_seed_same_text(self):
        args = ["-p", "ocean", "-n", "24", "--temp", "1.2", "--ignore-eos", "--repeat-penalty",
                "1.1", "--seed", "11"]
        expected = self.text("run", *args)
        seen = [name for name, text in self.texts(*args)
                if self.assertEqual(text, expected, name) is None]
        self.assertIn("reference", seen)
        self.assertNotEqual(expected, self.text("run", *args[:-1], "12"))

    def test_same_text_with_smaller_caches(self):
        for kv in ("bf16", "int8"):
            args = ["-p", "ocean", "-n", "40", "--ignore-eos", "--kv", kv]
            expected = self.text("run", *args)
            for name, text in self.texts(*args):
                self.assertEqual(text, expected, f"{kv} {name}")

    def test_same_ids_of_a_llama(self):
        args = ["-m", TINY_LLAMA, "--ids", "5,6,7", "-n", "24", "--ignore-eos"]
        expected = self.text("run", *args)
        for name, text in self.texts(*args):
            self.assertEqual(text, expected, name)


class Interrupt(ToolTest):
    def test_ctrl_c_ends_the_text(self):
        tool = subprocess.Popen([TOOL, "run", "-p", "river", "--ignore-eos", "-t", "1"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        os.read(tool.stdout.fileno(), 1)  # the text has begun
        tool.send_signal(signal.SIGINT)
        out, error = tool.communicate(timeout=60)
        self.assertEqual(tool.returncode, 0)
        self.assertTrue(out.endswith(b"\n"))
        self.assertIn(b"interrupted", error)

    def test_no_bar_where_stderr_is_a_file(self):
        self.assertNotIn(b"\r", self.ok("run", "-p", "river " * 300, "-n", "1").stderr)


class Terminal(ToolTest):
    def test_text_and_figures_at_a_terminal(self):
        parent, child = pty.openpty()
        tool = subprocess.Popen([TOOL, "run", "-p", "river", "-n", "8"], stdin=child, stdout=child,
                                stderr=child, env=environment(TERM="xterm"))
        os.close(child)
        seen = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                piece = os.read(parent, 4096)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        os.close(parent)
        self.assertEqual(tool.wait(60), 0)
        self.assertRegex(re.sub(rb"\r[^\n]*\x1b\[K", b"", seen).decode(),
                         r"^1\. \(noun\).*\r\nload .*\r\n$")

    def test_a_terminal_on_stdin_is_not_waited_for(self):
        parent, child = pty.openpty()
        result = subprocess.run([TOOL, "run"], stdin=child, capture_output=True,
                                env=environment(), timeout=60, check=False)
        os.close(child)
        os.close(parent)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"no text: say -p TEXT", result.stderr)


if __name__ == "__main__":
    unittest.main()
