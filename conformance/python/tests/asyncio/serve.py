"""Starts and stops servers of sanserve.aio for conformance cases, as standard input says, one JSON array a line:

    ["start", HANDLER, OPTIONS, ROOT]   starts a server; prints its port
    ["stop", PORT]                      makes the current reply of each of its connections the last one
    ["drop", PORT]                      the same; no further command names this server

The log goes to standard error.
"""

import asyncio
import json
import logging
import sys
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler

from sanserve import _engine, aio


async def send(exchange, content):
    exchange.send_response(200)
    exchange.send_header("Content-Length", len(content))
    exchange.end_headers()
    exchange.write(content)


async def echo(exchange):
    await send(exchange, await exchange.read())


async def stream(exchange):
    exchange.send_response(200)
    exchange.end_headers()
    while data := await exchange.read(65536):
        for byte in data:
            exchange.write(bytes([byte]))
        await exchange.drain()


async def target(exchange):
    await send(exchange, exchange.path.encode("latin-1"))


def large(length):
    async def handler(exchange):
        exchange.send_response(200)
        exchange.send_header("Content-Length", length)
        exchange.end_headers()
        for _ in range(length // 100_000):
            exchange.write(b"0123456789" * 10_000)
            await exchange.drain()

    return handler


async def waits_long(exchange):
    exchange.send_response(200)
    exchange.send_header("Content-Length", 4)
    exchange.end_headers()
    await asyncio.sleep(10)
    exchange.write(b"late")


async def wakes(exchange):
    woken = asyncio.Event()
    woken.set()
    await woken.wait()
    await send(exchange, b"woken")


async def wakes_later(exchange):
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    threading.Timer(0.06, loop.call_soon_threadsafe, [woken.set]).start()
    await woken.wait()
    await send(exchange, b"woken")


async def waits(exchange):
    exchange.send_response(200)
    exchange.end_headers()
    for part in (b"one", b"two"):
        await asyncio.sleep(0.08)
        exchange.write(part)


async def writes(exchange):
    exchange.send_response(200)
    exchange.send_header("Content-Length", 1_200_000)
    exchange.end_headers()
    for digits in (b"0123456789", b"abcdefghij"):
        exchange.write(digits * 60_000)


async def python(exchange):
    """The handler of CPython's tests of BaseHTTPRequestHandler: a method for each feature."""

    def reply(status, connection):
        exchange.send_response(status)
        exchange.send_header("Content-Type", "text/html")
        exchange.send_header("Connection", connection)
        exchange.end_headers()

    match exchange.command:
        case "TEST":
            reply(204, "close")
        case "KEEP":
            reply(204, "keep-alive")
        case "CUSTOM":
            reply(999, "close")
        case "KEYERROR":
            exchange.send_error(999)
        case "NOTFOUND":
            exchange.send_error(404)
        case "EXPLAINERROR":
            exchange.send_error(999, "Short Message", "This is a long \n explanation")
        case "LATINONEHEADER":
            exchange.send_response(999)
            exchange.send_header("X-Special", "D\u00e4ngerous Mind")
            exchange.send_header("Connection", "close")
            exchange.end_headers()
            exchange.write(exchange.headers.get("X-Special-Incoming", "").encode())
        case "SEND_ERROR" | "HEAD":
            exchange.send_error(int(exchange.path.lstrip("/") or 400))
        case "EXPECT" if exchange.headers.get("Expect", "").lower() == "100-continue":
            exchange.send_error(417)
        case "HINTS":
            exchange.send_response_only(103)
            exchange.send_header("Link", "</a.css>; rel=preload")
            exchange.end_headers()
            reply(204, "close")
        case "BAD_HEADER":
            exchange.send_response(200)
            exchange.send_header("X", "a\r\nSet-Cookie: b=c")
            exchange.end_headers()
        case "BAD_LENGTH":
            exchange.send_response(200)
            exchange.send_header("Content-Length", 10)
            exchange.end_headers()
            exchange.write(b"short")
        case other:
            exchange.send_error(501, f"Unsupported method ('{other}')")


HANDLERS = {
    "echo": echo, "stream": stream, "target": target, "large": large(2_000_000), "endless": large(1_000_000_000_000),
    "waits-long": waits_long, "wakes": wakes, "wakes-later": wakes_later, "waits": waits, "writes": writes,
    "python": python,
}


async def main():
    servers = {}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        match json.loads(line):
            case ["start", name, options, root]:
                handler = HANDLERS.get(name)
                options = list(map(tuple, options))
                settings = _engine.case_settings(name, options, None if handler else root)
                server = await aio._listen(handler, settings, "sanserve", "127.0.0.1", 0)
                port = server.sockets[0].getsockname()[1]
                servers[port] = server
                print(port, flush=True)
            case ["stop", port]:
                servers[port].close()
            case ["drop", port]:
                servers.pop(port).close()


class Lines(logging.Handler):
    """Writes the lines of handlers as http.server does. The extension module writes those of the engine."""

    def emit(self, record):
        if record.levelno == logging.INFO:
            text = record.getMessage().translate(BaseHTTPRequestHandler._control_char_table)
            time = datetime.now().strftime("%d/%b/%Y %H:%M:%S")
            sys.stderr.buffer.write(f"127.0.0.1 - - [{time}] {text}\n".encode())
            sys.stderr.buffer.flush()


aio.logger.setLevel(logging.INFO)
aio.logger.propagate = False
aio.logger.addHandler(Lines())
asyncio.run(main())
