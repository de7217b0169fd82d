"""The program, where CPython's tests start a server of their own."""

import os
import re
import subprocess
import tempfile
from http.server import SimpleHTTPRequestHandler

BANNER = re.compile(r"Serving HTTPS? on (.+) port (\d+) ")

# Files that say what the handler of these tests would.
PAGES = {"HTTP09ServerTestCase": ("index.html", "foo.html", "bar.html")}


class Program:
    """Stands in for the thread that runs an HTTPServer.

    The stock handler serves the directory in which the test is when the request comes, and many
    tests go there after the server was started. So the program starts when its port is asked for.
    """

    path = None
    verbose = False
    # The tests that asked for it.
    asked = set()

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
            raise AssertionError("the program does not end") from None
        finally:
            self.process.stdout.close()

    def serve(self):
        """The address at which it serves the current directory."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=None if self.verbose else subprocess.DEVNULL, text=True)
            banner = self.process.stdout.readline()
            found = BANNER.match(banner)
            if found is None:
                raise AssertionError(f"the program does not serve: {banner!r}")
            self.address = found[1], int(found[2])
            self.asked.add(self.test.id())
        return self.address

    def command(self):
        """What does what the handler of the test does."""
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
        """Where the files of this test are."""
        names = PAGES.get(type(self.test).__name__)
        if names is None:
            return getattr(self.handler, "directory", None) or os.getcwd()
        self.pages = tempfile.TemporaryDirectory()
        for name in names:
            with open(os.path.join(self.pages.name, name), "w", newline="") as page:
                page.write(f"OK: here is /{name}\r\n")
        return self.pages.name


def stand_in(tests, path, verbose):
    """Lets the tests of this module start the program. Nothing in the tests themselves changes."""
    Program.path, Program.verbose = path, verbose
    tests.TestServerThread = Program
    tests.BaseTestCase.HOST = property(lambda test: test.thread.serve()[0])
    tests.BaseTestCase.PORT = property(lambda test: test.thread.serve()[1])


def own_methods(handler):
    """The requests that a handler answers in its own way, by their methods."""
    stock = SimpleHTTPRequestHandler.__mro__
    parts = [part for part in handler.__mro__ if part not in stock]
    parts = [part for part in parts if part.__module__ != "http.server"]
    return {name[3:] for part in parts for name in vars(part) if name.startswith("do_")}
