# SPDX-License-Identifier: MIT OR Apache-2.0
"""bitnet chat, scripted and at a terminal."""
import os
import pty
import subprocess
import termios
import time
import unittest

from tool import TINY, TOOL, WORDBOOK, ToolTest, environment


class Scripted(ToolTest):
    def chat(self, text, *args):
        return self.ok("chat", *args, stdin=text.encode())

    def test_a_word_a_line(self):
        river = self.text("run", "-p", "river")
        sea = self.text("run", "-p", "sea")
        self.assertEqual(self.chat("river\n\nsea\nriver").stdout.decode(), river + sea + river)

    def test_commands(self):
        out = self.chat("/help\n/foo\n/rest\n/reset\n/exit\nriver\n")
        self.assertIn(b"/reset   begin a new conversation", out.stdout)
        self.assertIn(b"no command '/foo'", out.stderr)
        self.assertIn(b"did you mean '/reset'?", out.stderr)
        self.assertIn(b"a new conversation", out.stderr)
        self.assertNotIn(b"noun", out.stdout)

    def test_history_and_system_reach_the_template(self):
        template = self.folder / "t.jinja"
        template.write_text("{% for m in messages %}{{ m['role'][0] }}{% endfor %}"
                            "{{ raise_exception('roles') if messages|length > 3 }}")
        # system, user, assistant, user: the second question is the fourth message
        self.assertEqual(self.chat("a\n", "--template", template, "--system", "s", "-n", "1")
                         .returncode, 0)
        self.fails_with_text("roles", "a\nb\n", "--template", template, "--system", "s", "-n", "1")

    def fails_with_text(self, message, text, *args):
        result = subprocess.run([TOOL, "chat", *map(str, args)], input=text.encode(),
                                capture_output=True, env=environment(), check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(message, result.stderr.decode())

    def test_the_cache_is_reused(self):
        """The same answers as from an empty cache, and fewer tokens to read."""
        template = self.folder / "t.jinja"
        template.write_text("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
        error = self.chat("river\nsea\n", "--template", template, "-v", "-n", "12").stderr.decode()
        prompts = [int(line.split("prompt ")[1].split(" ")[0]) for line in error.splitlines()]
        first = self.text("run", "--no-bos", "-p", "river", "-n", "12").rstrip("\n")
        whole = self.json("run", "--no-bos", "-p", f"river\n{first}\nsea\n", "-n", "12")
        self.assertEqual(len(prompts), 2)
        self.assertLess(prompts[1], whole["prompt_tokens"])
        answers = self.chat("river\nsea\n", "--template", template, "-n", "12").stdout.decode()
        self.assertTrue(answers.rstrip("\n").endswith(whole["text"].rstrip("\n")), answers)

    def test_drafts_change_no_answer(self):
        template = self.folder / "t.jinja"
        template.write_text("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
        args = ["--template", template, "-n", "40", "-v"]
        text = "river\nriver\nsea\nriver\n"
        plain, drafted = self.chat(text, *args), self.chat(text, *args, "--draft", "6")
        self.assertEqual(plain.stdout, drafted.stdout)
        self.assertRegex(drafted.stderr.decode(), r"[1-9]\d* of \d+ draft tokens accepted")

    def test_smaller_caches_go_back_without_a_trace(self):
        """Each answer again, as a conversation that begins with it."""
        template = self.folder / "t.jinja"
        template.write_text("{{ messages[-1]['content'] }}\n")
        for kv in ("bf16", "int8"):
            args = ["--template", template, "-n", "24", "--kv", kv]
            once = self.chat("river\nsea\nriver\n", *args).stdout.decode()
            alone = [self.chat(f"{word}\n", *args).stdout.decode() for word in ("river", "sea")]
            self.assertEqual(once, alone[0] + alone[1] + alone[0])

    def test_old_exchanges_make_room(self):
        template = self.folder / "t.jinja"
        template.write_text("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
        out = self.chat("river\n" * 8, "--template", template, "-n", "8", "-c", "48")
        self.assertIn(b"the oldest exchange is forgotten", out.stderr)

    def test_errors(self):
        self.fails(1, "has no tokenizer", "chat", "-m", TINY)
        bad = self.folder / "bad.jinja"
        bad.write_text("{% for %}")
        self.fails(1, "bad.jinja", "chat", "--template", bad)


class Terminal(ToolTest):
    def test_prompt_answer_and_end(self):
        parent, child = pty.openpty()
        tool = subprocess.Popen([TOOL, "chat", "-m", str(WORDBOOK), "-n", "10"], stdin=child,
                                stdout=child, stderr=child, env=environment(TERM="xterm"))
        os.close(child)
        seen = b""

        def read_until(text):
            nonlocal seen
            deadline = time.monotonic() + 60
            while text not in seen and time.monotonic() < deadline:
                try:
                    seen += os.read(parent, 4096)
                except OSError:
                    break
            self.assertIn(text, seen)
            seen = seen[seen.index(text) + len(text):]

        def type_at_prompt(keys):
            """The prompt is shown an instant before libedit takes over the keyboard."""
            read_until(b"> ")
            deadline = time.monotonic() + 2  # a build without libedit never does
            while termios.tcgetattr(parent)[3] & termios.ICANON and time.monotonic() < deadline:
                time.sleep(0.001)
            os.write(parent, keys)

        type_at_prompt(b"river\r")
        read_until(b"1. (noun)")
        type_at_prompt(b"\x04")
        self.assertEqual(tool.wait(60), 0)
        os.close(parent)


if __name__ == "__main__":
    unittest.main()
