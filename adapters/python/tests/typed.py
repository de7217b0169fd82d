"""Uses the package as its type stubs say. Checked by mypy, and not run."""

import asyncio
from http import HTTPStatus

from sanserve import aio
from sanserve.http import server


async def hello(exchange: aio.Exchange) -> None:
    body = b"hello " + exchange.headers.get("X-Name", "world").encode() + await exchange.read()
    exchange.send_response(HTTPStatus.OK)
    exchange.send_header("Content-Length", len(body))
    exchange.end_headers()
    exchange.write(body)
    await exchange.drain()


async def main() -> None:
    async with await aio.serve(hello, "127.0.0.1", 0, minimum_rate=1000) as running:
        print(running.sockets[0].getsockname())
        await running.serve_forever()


class Handler(server.SimpleHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, self.path)


def run() -> None:
    with server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.serve_forever()


asyncio.run(main())
