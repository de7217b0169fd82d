"""Runs the command sanserve in place of the server that CPython's tests start."""

import os
import re
import subprocess
import tempfile
from http.server import SimpleHTTPRequestHandler

BANNER = re.compile(r"Serving HTTPS? on (.+) port (\d+) ")

# Files with the replies that the handler of these tests sends.
PAGES = {"HTTP09ServerTestCase": ("index.html", "foo.html", "bar.html")}


class Program:
    """Replaces the thread that runs an HTTPServer.

    The standard handler serves the current directory at the time of the request, and many tests change to it after they
    have started the server. So the program is started when its port is first used.
    """

    path = None
    verbose = False
    # The tests that have used it.
    users = set()

    def __init__(self, test, handler, tls=None):
        self.test = test
        self.handler = handler
        self.process = None
        self.address = None
        self.pages = None

    def start(self):
        self.test.server_started.set()

    def stop(self):
        if self.pages is not None:
            self.pages.cleanup()
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the program does not exit") from None
        finally:
            self.process.stdout.close()

    def serve(self):
        """Starts the program in the current directory, if necessary. Returns its address."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=None if self.verbose else subprocess.DEVNULL, text=True)
            banner = self.process.stdout.readline()
            found = BANNER.match(banner)
            if found is None:
                raise AssertionError(f"the program does not serve: {banner!r}")
            self.address = found[1], int(found[2])
            self.users.add(self.test.id())
        return self.address

    def command(self):
        """Returns the command with the same settings as the handler of the test."""
        handler = self.handler
        command = [self.path, "0", "--plain", "--bind", "127.0.0.1", "--protocol", handler.protocol_version]
        command += ["--directory", self.directory()]
        for name, value in getattr(handler, "extra_response_headers", None) or ():
            command += ["--header", name, value]
        content_type = getattr(handler, "default_content_type", None)
        if content_type and content_type != "application/octet-stream":
            command += ["--content-type", content_type]
        for directory in getattr(handler, "cgi_directories", ()):
            command += ["--cgi-dir", directory]
        return command

    def directory(self):
        """Returns the directory of the files of this test."""
        names = PAGES.get(type(self.test).__name__)
        if names is None:
            return getattr(self.handler, "directory", None) or os.getcwd()
        self.pages = tempfile.TemporaryDirectory()
        for name in names:
            with open(os.path.join(self.pages.name, name), "w", newline="") as page:
                page.write(f"OK: here is /{name}\r\n")
        return self.pages.name


def patch(tests, path, verbose):
    """Makes the tests of this module start the program. The tests themselves are not changed."""
    Program.path, Program.verbose = path, verbose
    tests.TestServerThread = Program
    tests.BaseTestCase.HOST = property(lambda test: test.thread.serve()[0])
    tests.BaseTestCase.PORT = property(lambda test: test.thread.serve()[1])


def own_methods(handler):
    """Returns the methods that a handler implements itself."""
    stock = SimpleHTTPRequestHandler.__mro__
    parts = [part for part in handler.__mro__ if part not in stock]
    parts = [part for part in parts if part.__module__ != "http.server"]
    return {name[3:] for part in parts for name in vars(part) if name.startswith("do_")}
