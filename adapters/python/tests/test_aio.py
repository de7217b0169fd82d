"""Tests of `sanserve.aio`, over sockets."""

import asyncio
import contextlib
import logging
import socket
import unittest

from sanserve import aio


class Case(unittest.IsolatedAsyncioTestCase):
    async def serve(self, handler, **options):
        self.server = await aio.serve(handler, "127.0.0.1", 0, **options)
        self.addAsyncCleanup(self.server.__aexit__)
        self.port = self.server.sockets[0].getsockname()[1]

    async def connect(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.addCleanup(writer.close)
        return reader, writer

    async def request(self, data):
        """Sends bytes, and returns everything that the server sends until it closes."""
        reader, writer = await self.connect()
        writer.write(data)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 60)


def reply(exchange, content):
    exchange.send_response(200)
    exchange.send_header("Content-Length", len(content))
    exchange.end_headers()
    exchange.write(content)


GET = b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n"


class Requests(Case):
    async def test_pipelined_requests_are_answered_in_order(self):
        async def handler(exchange):
            if exchange.path == "/1":
                await asyncio.sleep(0.01)
            reply(exchange, exchange.path.encode())

        await self.serve(handler)
        got = await self.request(b"".join(GET % b"%d" % number for number in range(4)))
        self.assertEqual([part[:2] for part in got.split(b"\r\n\r\n")[1:]], [b"/0", b"/1", b"/2", b"/3"])

    async def test_the_request_has_the_names_of_python(self):
        async def handler(exchange):
            seen.append((exchange.command, exchange.path, exchange.requestline, exchange.request_version,
                         exchange.headers["x"], exchange.client_address[0]))
            reply(exchange, b"")

        seen = []
        await self.serve(handler)
        await self.request(b"GET //a?b HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n")
        self.assertEqual(seen, [("GET", "/a?b", "GET //a?b HTTP/1.1", "HTTP/1.1", "y", "127.0.0.1")])

    async def test_content_is_read_as_it_arrives(self):
        async def handler(exchange):
            exchange.send_response(200)
            exchange.end_headers()
            while data := await exchange.read(65536):
                exchange.write(data.upper())
                await exchange.drain()

        await self.serve(handler)
        reader, writer = await self.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        self.assertIn(b"Transfer-Encoding: chunked", head)
        for piece in (b"one", b"two"):
            writer.write(b"3\r\n%s\r\n" % piece)
            self.assertEqual(await reader.readexactly(8), b"3\r\n%s\r\n" % piece.upper())
        writer.write(b"0\r\n\r\n")
        self.assertEqual(await reader.readexactly(5), b"0\r\n\r\n")

    async def test_a_task_may_write_while_another_reads(self):
        async def handler(exchange):
            exchange.send_response(200)
            exchange.end_headers()
            reader = asyncio.create_task(exchange.read())
            await asyncio.sleep(0)
            exchange.write(b"first,")
            exchange.write(await reader)

        await self.serve(handler)
        reader, writer = await self.connect()
        writer.write(b"POST / HTTP/1.0\r\nContent-Length: 6\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"second")
        self.assertEqual(await asyncio.wait_for(reader.read(), 60), b"first,second")

    async def test_large_content_flows_both_ways(self):
        async def handler(exchange):
            reply(exchange, await exchange.read())

        await self.serve(handler)
        content = bytes(range(256)) * 20_000
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(content)
        got = await self.request(head + content)
        self.assertEqual(got.partition(b"\r\n\r\n")[2], content)

    async def test_drain_waits_for_a_client_that_does_not_read(self):
        async def handler(exchange):
            exchange.send_response(200)
            exchange.end_headers()
            for _ in range(1000):
                exchange.write(bytes(65536))
                written.append(65536)
                if len(written) == 999:
                    self.fail("the client has read nothing")
                await exchange.drain()

        written = []
        await self.serve(handler)
        reader, writer = await self.connect()
        writer.write(GET % b"")
        await reader.readuntil(b"\r\n\r\n")
        count = -1
        while count != len(written):
            count = len(written)
            await asyncio.sleep(0.2)
        self.assertLess(count, 999)
        writer.transport.abort()

    async def test_a_client_that_does_not_read_is_disconnected_at_the_deadline(self):
        async def write_much(exchange):
            started.append(exchange)
            exchange.send_response(200)
            exchange.end_headers()
            try:
                while True:
                    exchange.write(bytes(65536))
                    await exchange.drain()
            except asyncio.CancelledError:
                cancelled.set_result(None)
                raise

        async def write_at_once(exchange):
            started.append(exchange)
            reply(exchange, bytes(64 << 20))
            exchange.close_connection = True

        started, cancelled = [], asyncio.get_running_loop().create_future()
        for handler in (write_much, write_at_once):
            await self.serve(handler, timeout=0.3, minimum_rate=100_000_000)
            with socket.socket() as client:
                client.setblocking(False)
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self.port))
                await asyncio.get_running_loop().sock_sendall(client, GET % b"")
                while not started:
                    await asyncio.sleep(0.01)
                started.clear()
                self.server._listener.close()
                await asyncio.wait_for(self.server.wait_closed(), 60)
        self.assertTrue(cancelled.done())

    async def test_a_client_that_reads_below_the_minimum_rate_is_disconnected(self):
        async def handler(exchange):
            reply(exchange, bytes(64 << 20))

        await self.serve(handler, timeout=0.2, minimum_rate=1_000_000_000)
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(client, ("127.0.0.1", self.port))
            await loop.sock_sendall(client, GET % b"")
            count = 0
            with contextlib.suppress(ConnectionResetError):
                while data := await asyncio.wait_for(loop.sock_recv(client, 100_000), 60):
                    count += len(data)
                    await asyncio.sleep(0.05)
        self.assertLess(count, 64 << 20)

    async def test_content_below_the_minimum_rate_gets_408(self):
        async def handler(exchange):
            await exchange.read()

        await self.serve(handler, timeout=0.2, minimum_rate=1_000_000)
        reader, writer = await self.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
        received = asyncio.create_task(reader.read())
        with self.assertLogs("sanserve.aio", logging.WARNING):
            while not received.done():
                writer.write(b"x")
                await asyncio.wait([received], timeout=0.02)
        self.assertTrue(received.result().startswith(b"HTTP/1.1 408 "))

    async def test_content_that_arrives_after_a_cancelled_read_is_not_lost(self):
        async def handler(exchange):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(exchange.read(10), 0.01)
            timed_out.set_result(None)
            await sent
            await asyncio.sleep(0.05)
            reply(exchange, await exchange.read())

        timed_out, sent = (asyncio.get_running_loop().create_future() for _ in range(2))
        await self.serve(handler)
        reader, writer = await self.connect()
        writer.write(b"POST / HTTP/1.0\r\nContent-Length: 12\r\n\r\n")
        await timed_out
        writer.write(b"all ")
        sent.set_result(None)
        await asyncio.sleep(0.1)
        writer.write(b"of it it")
        self.assertTrue((await asyncio.wait_for(reader.read(), 60)).endswith(b"\r\n\r\nall of it it"))

    async def test_all_tasks_that_drain_are_woken(self):
        async def handler(exchange):
            exchange.send_response(200)
            exchange.send_header("Content-Length", 8 << 20)
            exchange.end_headers()
            exchange.write(bytes(8 << 20))
            await asyncio.gather(exchange.drain(), exchange.drain())
            drained.append(exchange)

        drained = []
        await self.serve(handler)
        got = await self.request(GET % b"")
        self.assertEqual(len(got.partition(b"\r\n\r\n")[2]), 8 << 20)
        await self.server.__aexit__()
        self.assertEqual(len(drained), 1)

    async def test_a_socket_needs_no_port(self):
        async def handler(exchange):
            reply(exchange, b"content")

        sock = socket.create_server(("127.0.0.1", 0))
        self.server = await aio.serve(handler, sock=sock)
        self.addAsyncCleanup(self.server.__aexit__)
        self.port = sock.getsockname()[1]
        self.assertTrue((await self.request(GET % b"")).endswith(b"content"))

    async def test_invalid_requests_get_an_error_without_the_handler(self):
        await self.serve(None)
        with self.assertLogs("sanserve.aio", logging.WARNING):
            self.assertTrue((await self.request(b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400 Host is missing"))

    async def test_a_slow_head_gets_408(self):
        await self.serve(None, timeout=0.2)
        reader, writer = await self.connect()
        writer.write(b"GET / HT")
        with self.assertLogs("sanserve.aio", logging.WARNING):
            self.assertTrue((await asyncio.wait_for(reader.read(), 60)).startswith(b"HTTP/1.1 408 "))

    async def test_head_has_no_content(self):
        async def handler(exchange):
            reply(exchange, b"content")

        await self.serve(handler)
        got = await self.request(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" * 2)
        self.assertEqual((got.count(b"Content-Length: 7"), got.count(b"\r\n\r\ncontent")), (2, 0))


class Errors(Case):
    async def test_an_exception_becomes_a_500(self):
        async def handler(exchange):
            raise error

        for error in (KeyError("k"), ConnectionRefusedError("the database")):
            await self.serve(handler)
            with self.assertLogs("sanserve.aio", logging.ERROR):
                got = await self.request(GET % b"")
            self.assertTrue(got.startswith(b"HTTP/1.1 500 Internal Server Error\r\n"))

    async def test_an_error_page_escapes_its_message(self):
        async def handler(exchange):
            exchange.send_error(404, "<nothing>")

        await self.serve(handler)
        got = await self.request(GET % b"")
        self.assertTrue(got.startswith(b"HTTP/1.1 404 <nothing>\r\n") and b"Message: &lt;nothing&gt;." in got, got)

    async def test_line_breaks_in_a_field_are_an_error(self):
        async def handler(exchange):
            exchange.send_response(200)
            with self.assertRaises(ValueError):
                exchange.send_header("A", "b\r\nC: d")
            exchange.end_headers()

        await self.serve(handler)
        self.assertNotIn(b"\nC", await self.request(GET % b""))

    async def test_the_handler_of_a_client_that_leaves_is_cancelled(self):
        async def handler(exchange):
            started.set_result(None)
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.set_result(None)
                raise

        started, cancelled = (asyncio.get_running_loop().create_future() for _ in range(2))
        await self.serve(handler)
        _, writer = await self.connect()
        writer.write(GET % b"")
        await started
        writer.transport.abort()
        await asyncio.wait_for(cancelled, 60)


class Closing(Case):
    async def test_close_completes_replies_and_closes_idle_connections(self):
        async def handler(exchange):
            started.set_result(None)
            await proceed
            reply(exchange, b"complete")

        started, proceed = (asyncio.get_running_loop().create_future() for _ in range(2))
        await self.serve(handler)
        idle, _ = await self.connect()
        busy, writer = await self.connect()
        writer.write(GET % b"")
        await started
        self.server.close()
        self.assertEqual(await asyncio.wait_for(idle.read(), 60), b"")
        proceed.set_result(None)
        self.assertTrue((await asyncio.wait_for(busy.read(), 60)).endswith(b"\r\n\r\ncomplete"))
        await asyncio.wait_for(self.server.wait_closed(), 60)
        with contextlib.suppress(OSError):
            await self.connect()
            self.fail("the server still listens")

    async def test_a_handler_may_close_the_connection(self):
        async def handler(exchange):
            if exchange.path == "/field":
                exchange.send_response(200)
                exchange.send_header("Connection", "close")
                exchange.end_headers()
            else:
                reply(exchange, b"")
                exchange.close_connection = True

        await self.serve(handler)
        for path in (b"field", b"attribute"):
            self.assertEqual((await self.request(GET % path * 2)).count(b"HTTP/1.1 200"), 1)


if __name__ == "__main__":
    unittest.main()
