"""Tests of the command that the wheel installs."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import unittest
import urllib.request

SCRIPT = os.path.join(sysconfig.get_path("scripts"), "sanserve")


def module(*arguments):
    return [sys.executable, "-m", "sanserve", *arguments]


class Command(unittest.TestCase):
    def test_module_and_script_print_the_same_help(self):
        script = subprocess.run([SCRIPT, "--help"], capture_output=True, check=True)
        by_module = subprocess.run(module("--help"), capture_output=True, check=True)
        self.assertIn(b"Usage", script.stdout)
        self.assertEqual(by_module.stdout, script.stdout)

    def test_usage_errors_exit_with_2(self):
        result = subprocess.run(module("--no-such-option"), capture_output=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"sanserve: error: ", result.stderr)

    def test_module_serves_until_a_signal_as_the_script_does(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            codes = [self.serve(command, number) for command in ([SCRIPT], module())]
            self.assertEqual(codes[0], codes[1])

    def serve(self, command, number):
        """Starts the server, requests a file, and sends it a signal. Returns the exit code."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "a.txt"), "wb") as file:
                file.write(b"content")
            arguments = ["--bind", "127.0.0.1", "--directory", folder, "0"]
            # A job in the background starts with SIGINT ignored, and the program would leave it so.
            process = subprocess.Popen(
                command + arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
            with process:
                url = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
                with urllib.request.urlopen(url[0] + "a.txt") as reply:
                    self.assertEqual(reply.read(), b"content")
                process.send_signal(number)
                try:
                    return process.wait(60)
                finally:
                    process.kill()


if __name__ == "__main__":
    unittest.main()
