#!/usr/bin/env python3
"""Compares the Python package with CPython's http.server and with uvicorn: requests a second, CPU time and memory.

All servers are started on one core, and wrk requests from each in turn on another core, several times. The best round
of each server counts, because other programs can only make it slower. wrk must be installed; uvicorn is left out if it
is not. CPython delays the end of a reply by 40 ms on a connection that is kept alive, as it sends head and content in
two packets (Nagle's algorithm), so it is also measured with `disable_nagle_algorithm`.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

CONTENT = b"hello\n"


def serve(kind, port):
    """Runs a server."""
    package, _, what = kind.partition(" ")
    if what == "coroutine":
        return (serve_uvicorn if package.startswith("uvicorn") else serve_aio)(package, port)
    if package == "sanserve":
        from sanserve.http import server
    else:
        from http import server

    class Files(server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = package.endswith("nodelay")

    class Base(server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = package.endswith("nodelay")

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

    server.ThreadingHTTPServer(("127.0.0.1", port), Files if what == "file" else Base).serve_forever()


def serve_uvicorn(package, port):
    import uvicorn

    async def app(scope, receive, send):
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(CONTENT))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": CONTENT})

    pure = package.endswith("pure")
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning", lifespan="off",
                loop="asyncio" if pure else "uvloop", http="h11" if pure else "httptools")


def serve_aio(package, port):
    import asyncio

    from sanserve import aio

    async def hello(exchange):
        exchange.send_response(200)
        exchange.send_header("Content-Type", "text/plain")
        exchange.send_header("Content-Length", len(CONTENT))
        exchange.end_headers()
        exchange.write(CONTENT)

    async def main():
        async with await aio.serve(hello, "127.0.0.1", port) as server:
            await server.serve_forever()

    if package.endswith("uvloop"):
        import uvloop
        uvloop.run(main())
    else:
        asyncio.run(main())


KINDS = (
    "CPython file", "CPython-nodelay file", "sanserve file", "CPython base", "CPython-nodelay base", "sanserve base",
    "uvicorn-pure coroutine", "sanserve coroutine", "uvicorn coroutine", "sanserve-uvloop coroutine",
)


class Server:
    """A server in a process of its own."""

    def __init__(self, kind, folder):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        self.kind, self.rate, self.cpu = kind, 0, float("inf")
        command = ["taskset", "-c", "0", sys.executable, os.path.abspath(__file__), "--serve", kind, str(self.port)]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self):
        """Returns whether it listens."""
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def measure(self, connections, seconds):
        path = "file" if self.kind.endswith("file") else ""
        before = self.used()
        url = f"http://127.0.0.1:{self.port}/{path}"
        command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if "Non-2xx" in output:
            sys.exit(f"{self.kind}: {output}")
        count = int(re.search(r"(\d+) requests in", output)[1])
        self.rate = max(self.rate, float(re.search(r"Requests/sec:\s*([\d.]+)", output)[1]))
        self.cpu = min(self.cpu, (self.used() - before) / count * 1e6)

    def used(self):
        """Returns the CPU time of the process in seconds, including that of threads that have ended."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmHWM:\s*(\d+)", file.read())[1]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=1, help="duration of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve[0], int(options.serve[1]))
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "file"), "wb") as file:
            file.write(bytes(1024))
        servers = [Server(kind, folder) for kind in KINDS]
        try:
            servers = [server for server in servers if server.wait()]
            for _ in range(options.rounds):
                for server in servers:
                    server.measure(options.connections, options.seconds)
            print("| server | requests/s | CPU µs/request | memory MiB |\n|---|---|---|---|")
            for server in servers:
                print(f"| {server.kind} | {server.rate:.0f} | {server.cpu:.0f} | {server.memory():.1f} |")
        finally:
            for server in servers:
                server.process.kill()
                server.process.wait()


if __name__ == "__main__":
    main()
