"""Serves HTTP on the running loop of asyncio. The handler is a coroutine function, called for each request::

    import asyncio
    from sanserve import aio

    async def hello(exchange):
        exchange.send_response(200)
        exchange.send_header("Content-Length", "6")
        exchange.end_headers()
        exchange.write(b"hello\\n")

    async def main():
        async with await aio.serve(hello, "127.0.0.1", 8000) as server:
            await server.serve_forever()

    asyncio.run(main())

The engine parses requests, applies limits and deadlines, frames the content, and decides whether a connection stays
open. An `Exchange` has the names of `http.server.BaseHTTPRequestHandler`.
"""

import asyncio
import contextlib
import email.message
import email.utils
import html
import http
import logging
import os
import sys
import time

from sanserve import _engine

__all__ = ["Exchange", "Server", "serve"]

logger = logging.getLogger("sanserve.aio")

# Received bytes that wait for a handler, after which the client is not read any more.
INPUT_MAX = 64 * 1024


async def serve(handler, host=None, port=None, *, server="sanserve", timeout=None, minimum_rate=None, ssl=None,
                **options):
    """Listens, and returns a `Server`, which serves until it is closed.

    The port is 8000 by default, unless the option `sock` is given. `server` is the value of the field Server. `timeout`
    is the time in seconds for an idle connection, a request head, and for content and replies without progress; by
    default 60, 30 and 30 seconds. After that time, the client has to send content, and to receive a reply, at
    `minimum_rate` bytes a second, by default 500. `ssl` is an `ssl.SSLContext` for HTTPS. The other options are those
    of `loop.create_server`.

    Raises OSError if the address is not available.
    """
    settings = _engine.Settings(server=server, keep_alive=True, timeout=timeout, minimum_rate=minimum_rate)
    if port is None and options.get("sock") is None:
        port = 8000
    return await _listen(handler, settings, server, host, port, ssl=ssl, **options)


async def _listen(handler, settings, name, *address, **options):
    result = Server(handler, settings, name)
    loop = asyncio.get_running_loop()
    result._listener = await loop.create_server(lambda: _Connection(result, loop), *address, **options)
    return result


class Server:
    """A server that has been started by `serve`. It is an asynchronous context manager, which closes it."""

    def __init__(self, handler, settings, name):
        self._handler = handler
        self._settings = settings
        self._fields = f"\r\nServer: {name}\r\nDate: "
        self._connections = set()
        self._listener = None
        self._second = self._date = None

    @property
    def sockets(self):
        """The listening sockets."""
        return self._listener.sockets

    async def serve_forever(self):
        """Serves until the task is cancelled or the server is closed."""
        await self._listener.serve_forever()

    def close(self):
        """Stops listening. Replies that have begun are completed, and idle connections are closed."""
        self._listener.close()
        for connection in list(self._connections):
            connection.shutdown()

    async def wait_closed(self):
        """Waits until all connections are closed."""
        while self._connections:
            await asyncio.wait([connection.closed for connection in self._connections])

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.close()
        await self.wait_closed()

    def _first_fields(self):
        """Returns the first fields of a reply, which change once a second."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, self._fields + email.utils.formatdate(second, usegmt=True) + "\r\n"
        return self._date


class Exchange:
    """A request, and the reply to it."""

    def __init__(self, connection, request):
        self._connection = connection
        self._request = request
        self._head = []
        self._headers = None
        self._rest = b""
        self._at_end = False
        #: The method, such as GET.
        self.command = request.command
        #: The path and the query of the request target, with percent-encodings.
        self.path = request.target
        #: Whether the connection is closed after the reply.
        self.close_connection = False
        #: Whether the head of the reply has been written.
        self.has_begun = False

    @property
    def requestline(self):
        """The request line."""
        return self._request.requestline

    @property
    def request_version(self):
        """The version of the request, such as HTTP/1.1."""
        return self._request.version or "HTTP/0.9"

    @property
    def client_address(self):
        """The address of the client, as the socket gives it."""
        return self._connection.client_address

    @property
    def headers(self):
        """The fields of the request, as an `email.message.Message`."""
        if self._headers is None:
            self._headers = email.message.Message()
            for name, value in self._request.fields():
                self._headers.set_raw(name, value)
        return self._headers

    async def read(self, size=-1):
        """Returns up to `size` bytes of content, and b"" at its end. By default all of it."""
        parts = []
        while size < 0 and not self._at_end:
            parts.append(await self._some())
        if size < 0:
            return b"".join(parts)
        data = await self._some()
        self._rest = data[size:]
        return data[:size]

    async def _some(self):
        data, self._rest = self._rest, b""
        if not data and not self._at_end:
            data = await self._connection.read()
            self._at_end = not data
        return data

    def send_response(self, code, message=None):
        """Begins the head of the reply, with the fields Server and Date, and logs the request at the level INFO."""
        if logger.isEnabledFor(logging.INFO):
            logger.info('"%s" %s -', self.requestline, int(code))
        self._head = [f"HTTP/1.1 {int(code)} {_phrase(code) if message is None else message}",
                      self._connection.server._first_fields()]

    def send_response_only(self, code, message=None):
        """Begins the head of the reply, with the status line only. A status below 200 makes it an interim one."""
        self._head = [f"HTTP/1.1 {int(code)} {_phrase(code) if message is None else message}\r\n"]

    def send_header(self, keyword, value):
        """Adds a field. Raises ValueError for a line break, which would begin another field."""
        field = f"{keyword}: {value}"
        if "\n" in field or "\r" in field:
            raise ValueError(f"line break in the field {keyword!r}")
        self._head.append(field + "\r\n")
        if keyword.lower() == "connection" and str(value).lower() == "close":
            self.close_connection = True

    def end_headers(self):
        """Writes the head. Without Content-Length, content is sent in chunks, or until the connection closes."""
        self._head.append("\r\n")
        self.has_begun = True
        self._connection.write("".join(self._head).encode("latin-1"))
        self._head = []

    def write(self, data):
        """Writes content. It is sent at the latest when the handler waits or returns; a handler that writes much awaits
        `drain`. While another task reads content, it is sent when that has arrived.

        Raises ConnectionResetError if the connection is closed, and ValueError if the reply is invalid.
        """
        self._connection.write(data if isinstance(data, bytes) else bytes(data))

    async def drain(self):
        """Waits until the client has accepted enough of what was written. If the client is slower than the
        `minimum_rate` of the server, the connection is closed."""
        await self._connection.drain()

    def send_error(self, code, message=None, explain=None):
        """Replies with an error page, and closes the connection. Logs the error at the level INFO."""
        status = _phrase(code) or "???"
        logger.info("code %d, message %s", code, message or status)
        page = _ERROR_PAGE % {
            "code": int(code), "message": html.escape(message or status, quote=False),
            "explain": html.escape(explain or _description(code), quote=False)}
        body = page.encode("utf-8", "replace")
        self.send_response(code, message or status)
        if code == 503:
            # RFC 9110 section 10.2.3: a client should not try again at once.
            self.send_header("Retry-After", "5")
        self.send_header("Connection", "close")
        if code < 200 or code in (204, 205, 304):
            # These have no content.
            return self.end_headers()
        self.send_header("Content-Type", "text/html;charset=utf-8")
        self.send_header("Content-Length", len(body))
        self.end_headers()
        self.write(body)


class _Disconnected(ConnectionResetError):
    """The connection is closed: not a failure of the handler."""


class _Connection(asyncio.Protocol):
    """Moves the bytes of a connection, and runs its handlers one after another."""

    def __init__(self, server, loop):
        self.server = server
        self.loop = loop
        self.closed = loop.create_future()
        self.transport = self.engine = self.client_address = None
        self.task = self.timer = None
        # What the engine waits for: WANTS_INPUT, HAS_OUTPUT, or None if a handler has to continue.
        self.waits_for = None
        # The future of a handler that waits for content, content that no handler has taken, and the futures of handlers
        # that wait for the client to accept more.
        self.reader = self.content = None
        self.drainers = []
        self.is_running = self.is_reading = self.is_shut_down = False
        self.is_paused = self.reads_paused = self.has_eof = False
        self.buffered = 0

    def connection_made(self, transport):
        self.transport = transport
        # Writing is paused until the system has accepted everything, so that the engine can measure how fast the client
        # reads. Over TLS the limit has to be above 0.
        transport.set_write_buffer_limits(high=1, low=0)
        self.client_address = transport.get_extra_info("peername")
        peer = self.client_address[0] if isinstance(self.client_address, tuple) else ""
        sock = transport.get_extra_info("socket")
        watched = sock.fileno() if sock is not None and os.name == "posix" else None
        self.engine = _engine.Connection(self.server._settings, peer, watched=watched)
        self.server._connections.add(self)
        self.run(self.engine.advance())

    def connection_lost(self, error):
        self.engine.connection_lost()
        # The engine may have to log that a reply breaks off.
        self.settle(self.engine.advance())
        self.server._connections.discard(self)
        if self.timer is not None:
            self.timer.cancel()
        if self.task is not None:
            self.task.cancel()
        self.fail_waits()
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data):
        self.engine.receive_data(data)
        if self.waits_for == _engine.WANTS_INPUT:
            self.run(self.engine.advance())
            return
        # A handler runs, or the client has to accept output first.
        self.buffered += len(data)
        if self.buffered > INPUT_MAX and not self.reads_paused:
            self.reads_paused = True
            self.transport.pause_reading()

    def eof_received(self):
        self.engine.receive_eof()
        self.has_eof = True
        if self.task is not None:
            # The client may still read. If nothing is written for a while, it probably does not.
            self.engine.peer_closed()
        if self.waits_for is not None or self.task is not None:
            self.run(self.engine.advance())
        return True

    def pause_writing(self):
        self.is_paused = True

    def resume_writing(self):
        # If a transport of asyncio is closed in this call, it calls `connection_lost` twice.
        self.loop.call_soon(self.resume)

    def resume(self):
        """Continues after the transport has sent everything."""
        if self.transport.is_closing():
            return
        self.is_paused = False
        self.engine.unsent = 0
        if not self.send():
            return
        if self.is_shut_down:
            self.close_sending()
        if self.waits_for is not None:
            self.run(self.engine.advance())

    def shutdown(self):
        """Makes the current reply the last one."""
        self.engine.shutdown()
        if self.waits_for is not None:
            self.run(self.engine.advance())

    def run(self, event):
        """Does what the engine needs, until it waits for the client or a handler waits for something."""
        self.waits_for, self.is_running = None, True
        event = self.settle(event)
        while event == _engine.REQUEST:
            task = self.start(self.engine.request())
            if not task.done():
                self.task = task
                task.add_done_callback(self.task_done)
                break
            event = self.settle(self.result(task))
        self.is_running = False
        if event == _engine.REQUEST:
            if self.has_eof:
                self.set_timer()
        elif event == _engine.READY or event in _WAITS:
            self.wait(event)
        else:
            return self.end()
        self.send()

    def settle(self, event):
        """Sends output and writes log lines, until the engine needs something else. Returns that event, which is
        HAS_OUTPUT if the client has to accept output first."""
        while True:
            if event == _engine.LOG:
                self.log()
            elif event == _engine.SHUTDOWN:
                self.shut_down()
            elif event != _engine.HAS_OUTPUT or not self.send():
                return event
            event = self.engine.advance()

    def wait(self, event):
        """Notes what the engine waits for, and passes content to the handler."""
        if event == _engine.READY and self.is_reading:
            self.is_reading, self.content = False, self.engine.content()
            if self.reader is not None and not self.reader.done():
                self.reader.set_result(None)
        self.waits_for = event if event in _WAITS else None
        if self.drainers and event != _engine.HAS_OUTPUT:
            drainers, self.drainers = self.drainers, []
            for future in drainers:
                if not future.done():
                    future.set_result(None)
        if event == _engine.WANTS_INPUT:
            self.buffered = 0
            if self.reads_paused:
                self.reads_paused = False
                self.transport.resume_reading()
        if self.waits_for is not None or self.has_eof:
            self.set_timer()

    def start(self, request):
        exchange = Exchange(self, request)
        coroutine = self.handle(exchange)
        if _HAS_EAGER_TASKS:
            return asyncio.Task(coroutine, loop=self.loop, eager_start=True)
        return self.loop.create_task(coroutine)

    async def handle(self, exchange):
        """Runs the handler. Returns whether to close the connection afterwards."""
        try:
            await self.server._handler(exchange)
        except _Disconnected:
            return True
        except Exception:
            logger.exception("The handler of %s failed", exchange.requestline)
            if exchange.has_begun:
                return True
            try:
                exchange.send_error(500)
            except _Disconnected:
                return True
        return exchange.close_connection

    def task_done(self, task):
        self.task = None
        if not self.transport.is_closing():
            self.run(self.result(task))

    def result(self, task):
        """Ends the reply of a handler. Returns the next event."""
        self.is_reading, self.content = False, None
        return self.engine.next_request(task.cancelled() or task.result())

    def set_timer(self):
        timeout = self.engine.timeout
        if timeout is None:
            return
        when = self.loop.time() + timeout
        if self.timer is not None:
            if self.timer.when() <= when:
                return
            self.timer.cancel()
        self.timer = self.loop.call_at(when, self.time_out)

    def time_out(self):
        self.timer = None
        if self.waits_for is not None or self.has_eof:
            # If the deadline has not passed, this only sets the timer again.
            self.engine.unsent = self.transport.get_write_buffer_size()
            self.run(self.engine.advance())

    def write(self, data):
        event = self.engine.write(data)
        if event != _engine.READY:
            event = self.settle(event)
            if event == _engine.REFUSED:
                raise ValueError(f"the handler {self.engine.mistake}")
            if event != _engine.READY and event not in _WAITS:
                raise _Disconnected("the connection is closed")
            # If another task reads, or the client has to accept output first, the bytes are written after that.
            self.wait(event)
        if not self.is_running:
            self.send()

    async def read(self):
        """Returns some content of the request, or nothing at its end."""
        if self.content is None and not self.is_reading:
            self.is_reading = True
            event = self.settle(self.engine.read_content())
            if event != _engine.READY and event not in _WAITS:
                raise _Disconnected("the connection is closed")
            self.wait(event)
            self.send()
        if self.is_reading:
            self.reader = self.loop.create_future()
            await self.reader
        content, self.content = self.content, None
        return content

    async def drain(self):
        self.send()
        if self.transport.is_closing():
            raise _Disconnected("the connection is closed")
        if self.waits_for == _engine.HAS_OUTPUT:
            future = self.loop.create_future()
            self.drainers.append(future)
            await future

    def send(self):
        """Gives output to the transport, unless that has unsent bytes. Returns whether it has sent everything."""
        if not self.is_paused:
            data = self.engine.data_to_send()
            if data:
                self.transport.write(data)
            if self.is_paused:
                self.engine.unsent = self.transport.get_write_buffer_size()
        return not self.is_paused

    def shut_down(self):
        """Closes the sending side as soon as all output is sent."""
        self.is_shut_down = True
        if self.send():
            self.close_sending()

    def close_sending(self):
        if self.transport.can_write_eof():
            # Fails if the client has disconnected, which is about to be noticed.
            with contextlib.suppress(OSError):
                self.transport.write_eof()
        else:
            # TLS: this sends close_notify, and waits for that of the client.
            self.transport.close()

    def log(self):
        for kind, requestline, status, text in self.engine.log_events():
            if kind != "request":
                logger.warning('"%s" %s %s', requestline, status, text)

    def end(self):
        """Closes the transport. If it has unsent bytes, the engine has given the client up."""
        self.waits_for = None
        if self.send():
            self.transport.close()
        else:
            self.transport.abort()
        self.fail_waits()

    def fail_waits(self):
        """Wakes the handlers that wait for the client, which has disconnected."""
        for future in (self.reader, *self.drainers):
            if future is not None and not future.done():
                future.set_exception(_Disconnected("the connection is closed"))


# The events for which the engine waits until the client sends or accepts something, or the deadline has passed.
_WAITS = (_engine.WANTS_INPUT, _engine.HAS_OUTPUT)

_HAS_EAGER_TASKS = sys.version_info >= (3, 12)

_ERROR_PAGE = """\
<!DOCTYPE HTML>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <title>Error response</title>
    </head>
    <body>
        <h1>Error response</h1>
        <p>Error code: %(code)d</p>
        <p>Message: %(message)s.</p>
        <p>Error code explanation: %(code)d - %(explain)s.</p>
    </body>
</html>
"""

_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}


def _phrase(code):
    return _PHRASES.get(code, "")


def _description(code):
    try:
        return http.HTTPStatus(code).description
    except ValueError:
        return "???"
