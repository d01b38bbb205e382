# SPDX-License-Identifier: MIT OR Apache-2.0
"""bitnet memory: a command that runs is seen from outside, and gone when it is killed."""
import json
import subprocess
import time
import unittest

from tool import TOOL, WORDBOOK, ToolTest, bitnet, environment


def pages():
    return {p["pid"]: p for p in json.loads(bitnet("memory", "--json").stdout)["processes"]}


class MemoryTest(ToolTest):
    def start(self, **env):
        """A chat that waits for a line, which it never gets."""
        process = subprocess.Popen([TOOL, "chat", "-m", str(WORDBOOK)],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=environment(**env))
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def wait_for(self, condition, what):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.05)
        self.fail(what)

    def test_a_running_command_is_shown_until_it_is_killed(self):
        process = self.start()
        self.wait_for(lambda: pages().get(process.pid, {}).get("live_bytes", 0) > 0,
                      "the pool never showed a block")
        one = json.loads(self.ok("memory", process.pid, "--json").stdout)
        self.assertEqual(one["pid"], process.pid)
        self.assertTrue(one["alive"])
        self.assertGreater(one["peak_bytes"], 0)
        self.assertEqual(one["devices"][0]["device"], "cpu")
        self.assertIn(one["pressure_level"], ("none", "low", "medium", "high", "critical"))
        text = self.ok("memory", process.pid, "--once").stdout.decode()
        self.assertIn(str(process.pid), text)
        self.assertIn("peak", text)
        page = self.folder / "memory.html"
        self.ok("memory", process.pid, "--html", page)
        html = page.read_text()
        self.assertTrue(html.startswith("<!doctype html>"))
        self.assertNotIn("<script", html)
        self.assertNotIn("src=", html)
        process.kill()
        process.wait()
        self.assertNotIn(process.pid, pages())
        gone = bitnet("memory", process.pid)
        self.assertEqual(gone.returncode, 1)
        self.assertIn(b"shows no memory pool", gone.stderr)

    def test_a_command_may_refuse_to_be_shown(self):
        shown, hidden = self.start(), self.start(BITNET_MEMORY_PAGE="0")
        self.wait_for(lambda: shown.pid in pages(), "the other command never appeared")
        self.assertNotIn(hidden.pid, pages())

    def test_wrong_usage(self):
        self.assertEqual(bitnet("memory", "0").returncode, 2)
        self.assertEqual(bitnet("memory", "x").returncode, 2)


if __name__ == "__main__":
    unittest.main()
