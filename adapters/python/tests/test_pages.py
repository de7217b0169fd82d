"""Runs the programs on the pages about the Python package."""

import asyncio
import http.client
import os
import re
import socketserver
import threading
import unittest
from unittest import mock

from sanserve import aio

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PAGES = ("docs/python.md", "adapters/python/README.md")
served = []
serve_forever = socketserver.BaseServer.serve_forever


def request(port):
    """Sends a request, and returns the content of the reply."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for method, body in (("POST", b"echo"), ("GET", None)):
        connection.request(method, "/", body)
        reply = connection.getresponse()
        content = reply.read()
        if reply.status == 200:
            connection.close()
            return content


def serve_one(server):
    thread = threading.Thread(target=serve_forever, args=(server, 0.01))
    thread.start()
    served.append(request(server.server_port))
    server.shutdown()
    thread.join()
    server.server_close()


async def serve_one_async(server):
    port = server.sockets[0].getsockname()[1]
    served.append(await asyncio.get_running_loop().run_in_executor(None, request, port))


class Pages(unittest.TestCase):
    def test_programs_serve(self):
        for page in PAGES:
            with open(os.path.join(ROOT, page), encoding="utf-8") as file:
                programs = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
            for program in programs:
                with self.subTest(page), \
                        mock.patch("sanserve.http.server.HTTPServer.serve_forever", serve_one), \
                        mock.patch.object(aio.Server, "serve_forever", serve_one_async):
                    exec(program.replace("8000", "0"), {"__name__": page})
        self.assertEqual(served, [b"echo", b"echo", b"hello\n", b"hello\n"])


if __name__ == "__main__":
    unittest.main()
