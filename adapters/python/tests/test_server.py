"""Tests of subclasses of the handlers in `sanserve.http.server`, over sockets."""

import contextlib
import email.message
import http.client
import io
import os
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from sanserve.http import server


class Quiet:
    """Logs to a list of the class."""

    def log_message(self, format, *args):
        self.lines.append(format % args)


class Case(unittest.TestCase):
    def serve(self, *bases, server_class=server.ThreadingHTTPServer, options=None, **attributes):
        """Starts a server whose handler has these bases and attributes. Returns its handler class."""
        handler = type("Handler", (Quiet, *bases), {"protocol_version": "HTTP/1.1", "lines": [], **attributes})
        running = server_class(("127.0.0.1", 0), handler, **options or {})
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        self.server = running
        self.addCleanup(running.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(running.shutdown)
        return handler

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=60)
        self.addCleanup(connection.close)
        return connection

    def request(self, method, path, body=None, headers={}, connection=None):
        connection = connection or self.connect()
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        reply.content = reply.read()
        return reply

    def raw(self, data):
        """Sends bytes, and returns everything that the server sends."""
        with socket.create_connection(("127.0.0.1", self.server.server_port), timeout=60) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def folder(self, **files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, content in files.items():
            with open(os.path.join(folder.name, name), "wb") as file:
                file.write(content)
        return folder.name


def reply(handler, content, status=200, **fields):
    handler.send_response(status)
    for name, value in fields.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


class Base(Case):
    def test_requests_on_one_connection_have_the_attributes_of_a_handler(self):
        seen = []

        def do_GET(self):
            seen.append((self.command, self.path, self.request_version, self.requestline, self.close_connection))
            self.assertions = isinstance(self.headers, email.message.Message)
            reply(self, f"{self.headers['X-Number']} {self.headers.get_all('X-Twice')}".encode())

        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        connection = self.connect()
        for number in ("1", "2"):
            connection.putrequest("GET", "//a?b")
            connection.putheader("X-Number", number)
            connection.putheader("x-twice", "y")
            connection.putheader("X-Twice", "z")
            connection.endheaders()
            self.assertEqual(connection.getresponse().read(), f"{number} ['y', 'z']".encode())
        self.assertEqual(seen, [("GET", "/a?b", "HTTP/1.1", "GET //a?b HTTP/1.1", False)] * 2)

    def test_content_is_read_without_its_framing(self):
        def do_POST(self):
            first = self.rfile.readline()
            reply(self, repr((first, self.rfile.read(3), self.rfile.read())).encode())

        self.serve(server.BaseHTTPRequestHandler, do_POST=do_POST)
        connection = self.connect()
        expected = repr((b"one\n", b"two", b"three")).encode()
        pieces = [b"on", b"e\ntwothr", b"ee"]
        self.assertEqual(self.request("POST", "/", b"".join(pieces), connection=connection).content, expected)
        self.assertEqual(self.request("POST", "/", iter(pieces), connection=connection).content, expected)

    def test_unread_content_is_no_request(self):
        self.serve(server.BaseHTTPRequestHandler, do_POST=lambda self: reply(self, b"unread"))
        connection = self.connect()
        for _ in range(2):
            self.assertEqual(self.request("POST", "/", b"GET / HTTP/1.1\r\n", connection=connection).content, b"unread")

    def test_a_reply_without_length_is_chunked_for_http11_only(self):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"one,")
            self.wfile.write(b"two")

        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        self.assertIn(b"\r\n\r\n4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n", self.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
        self.assertTrue(self.raw(b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\none,two"))

    def test_a_head_without_length_is_sent_before_the_content(self):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            received.wait(60)
            self.wfile.write(b"content")

        received = threading.Event()
        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        connection = self.connect()
        connection.request("GET", "/")
        got = connection.getresponse()
        received.set()
        self.assertEqual(got.read(), b"content")

    def test_a_head_is_sent_before_content_that_is_written_to_the_socket(self):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "7")
            self.end_headers()
            getattr(self, self.path[1:]).sendall(b"content")

        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        for name in ("connection", "request"):
            self.assertEqual(self.request("GET", "/" + name).content, b"content")

    def test_chunks_of_the_handler_reach_a_client_without_chunks_as_content(self):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"4\r", b"\none,\r\n3;x=y\r\nt", b"wo\r\n0\r\n\r\n"):
                self.wfile.write(piece)

        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        connection = self.connect()
        for _ in range(2):
            self.assertEqual(self.request("GET", "/", connection=connection).content, b"one,two")
        self.assertTrue(self.raw(b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\none,two"))

    def test_a_head_written_as_bytes_is_understood(self):
        def do_GET(self):
            self.wfile.write(b"HTTP/1.1 20")
            self.wfile.write(b"0 Fine\r\nX: y\r\nContent-Length: 2\r\n\r\nhi")

        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        connection = self.connect()
        for _ in range(2):
            got = self.request("GET", "/", connection=connection)
            self.assertEqual((got.reason, got.getheader("X"), got.content), ("Fine", "y", b"hi"))

    def test_replies_without_content_keep_the_connection_open(self):
        def do_HEAD(self):
            reply(self, b"not sent")

        def do_DELETE(self):
            self.send_response(204)
            self.end_headers()

        self.serve(server.BaseHTTPRequestHandler, do_HEAD=do_HEAD, do_DELETE=do_DELETE)
        connection = self.connect()
        for method, status in (("HEAD", 200), ("DELETE", 204), ("HEAD", 200)):
            got = self.request(method, "/", connection=connection)
            self.assertEqual((got.status, got.content), (status, b""))
        self.assertEqual(self.request("HEAD", "/").getheader("Content-Length"), "8")

    def test_line_breaks_in_a_field_are_an_error(self):
        errors = []

        def do_GET(self):
            self.send_response(200)
            for name, value in (("A", "b\r\nC: d"), ("A\n", "b")):
                try:
                    self.send_header(name, value)
                except ValueError as error:
                    errors.append(error)
            self.end_headers()

        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        got = self.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual((len(errors), b"\nC" in got, b"\nA" in got), (2, False, False))

    def test_an_invalid_head_is_an_error_of_the_handler_and_becomes_a_500(self):
        def do_GET(self):
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nno field\r\n\r\n")
            except ValueError as error:
                errors.append(str(error))

        errors = []
        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        self.assertTrue(self.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").startswith(b"HTTP/1.1 500 "))
        self.assertEqual(errors, ["the handler wrote an invalid status line or field"])

    def test_a_reply_of_another_length_than_it_says_breaks_the_connection(self):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"short")

        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        connection = self.connect()
        connection.request("GET", "/")
        with self.assertRaises(http.client.IncompleteRead):
            connection.getresponse().read()

    def test_expect_100_is_answered_when_the_content_is_read(self):
        def do_PUT(self):
            if self.path == "/read":
                self.rfile.read()
            reply(self, b"")

        self.serve(server.BaseHTTPRequestHandler, do_PUT=do_PUT)
        head = b"PUT /%s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        self.assertTrue(self.raw(head % b"read" + b"x").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "))
        self.assertTrue(self.raw(head % b"not" + b"x").startswith(b"HTTP/1.1 200 "))

    def test_handle_expect_100_may_refuse(self):
        def handle_expect_100(self):
            self.send_error(417)
            return False

        self.serve(server.BaseHTTPRequestHandler, handle_expect_100=handle_expect_100,
                   do_PUT=lambda self: reply(self, b""))
        head = b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        self.assertTrue(self.raw(head).startswith(b"HTTP/1.1 417 "))

    def test_a_connection_may_be_upgraded(self):
        def do_GET(self):
            self.send_response(101)
            self.send_header("Upgrade", "echo")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(self.rfile.readline().upper())
            self.wfile.write(self.rfile.readline().upper())

        self.serve(server.BaseHTTPRequestHandler, do_GET=do_GET)
        with socket.create_connection(("127.0.0.1", self.server.server_port), timeout=60) as sock:
            head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"
            sock.sendall(head + b"with the head\n")
            file = sock.makefile("rb")
            while file.readline() != b"\r\n":
                pass
            self.assertEqual(file.readline(), b"WITH THE HEAD\n")
            sock.sendall(b"later\n")
            self.assertEqual(file.read(), b"LATER\n")

    def test_a_slow_head_gets_408_after_the_timeout_of_the_class(self):
        handler = self.serve(server.BaseHTTPRequestHandler, do_GET=lambda self: reply(self, b""), timeout=0.2)
        with socket.create_connection(("127.0.0.1", self.server.server_port), timeout=20) as sock:
            # By default it would get 30 seconds.
            sock.sendall(b"GET / HT")
            self.assertTrue(sock.recv(65536).startswith(b"HTTP/1.1 408 "))
        self.assertEqual(handler.lines[-1], '"" 408 -')

    def test_a_connection_has_a_limited_number_of_requests(self):
        self.serve(server.BaseHTTPRequestHandler, do_GET=lambda self: reply(self, b""))
        got = self.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 1001)
        self.assertEqual((got.count(b"HTTP/1.1 200"), got.count(b"Connection: close")), (1000, 1))

    def test_malformed_requests_are_logged_by_the_class(self):
        handler = self.serve(server.BaseHTTPRequestHandler)
        self.raw(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(handler.lines, ["code 400, message Host is missing", '"GET / HTTP/1.1" 400 -'])

    def test_an_exception_closes_the_connection_and_is_reported(self):
        class Server(server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                errors.append(client_address)

        errors = []
        self.serve(server.BaseHTTPRequestHandler, server_class=Server, do_GET=lambda self: 1 / 0)
        self.assertEqual(self.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), b"")
        self.assertEqual(len(errors), 1)

    def test_overridden_parsing_is_that_of_the_standard_library(self):
        def parse_request(self):
            result = server.BaseHTTPRequestHandler.parse_request(self)
            self.path = "/parsed"
            return result

        self.serve(server.BaseHTTPRequestHandler, parse_request=parse_request,
                   do_GET=lambda self: reply(self, self.path.encode()))
        self.assertEqual(self.request("GET", "/").content, b"/parsed")

    def test_a_server_with_one_thread_stops_although_a_client_stays(self):
        self.serve(server.BaseHTTPRequestHandler, server_class=server.HTTPServer, do_GET=lambda self: reply(self, b""))
        connection = self.connect()
        self.request("GET", "/", connection=connection)
        stopping = threading.Thread(target=self.server.shutdown)
        stopping.start()
        # Otherwise it would wait for the idle timeout of 60 seconds.
        stopping.join(30)
        self.assertFalse(stopping.is_alive())


class Files(Case):
    def test_files_have_ranges_and_validators(self):
        handler = self.serve(server.SimpleHTTPRequestHandler,
                             __init__=in_folder(self.folder(a=b"0123456789")))
        got = self.request("GET", "/a", headers={"Range": "bytes=2-4"})
        self.assertEqual((got.status, got.content, got.getheader("Content-Range")), (206, b"234", "bytes 2-4/10"))
        got = self.request("GET", "/a", headers={"If-None-Match": got.getheader("ETag")})
        self.assertEqual((got.status, got.content), (304, b""))
        self.assertEqual(handler.lines, ['"GET /a HTTP/1.1" 206 -', '"GET /a HTTP/1.1" 304 -'])

    def test_a_handler_with_its_own_head_sends_ranges_itself(self):
        def end_headers(self):
            self.send_header("X-Own", "yes")
            server.SimpleHTTPRequestHandler.end_headers(self)

        self.serve(server.SimpleHTTPRequestHandler, __init__=in_folder(self.folder(a=b"0123456789", b=b"")),
                   end_headers=end_headers)
        cases = {
            None: (200, b"0123456789", None), "bytes=2-4": (206, b"234", "bytes 2-4/10"),
            "bytes=-3": (206, b"789", "bytes 7-9/10"), "bytes=8-": (206, b"89", "bytes 8-9/10"),
            "bytes=8-99": (206, b"89", "bytes 8-9/10"), "bytes=10-": (416, b"", "bytes */10"),
            "bytes=-0": (416, b"", "bytes */10"), "bytes=4-2": (200, b"0123456789", None),
            "lines=1-2": (200, b"0123456789", None), "bytes=x-": (200, b"0123456789", None),
            "bytes=0-1,3-4": (200, b"0123456789", None),
        }
        for wanted, expected in cases.items():
            with self.subTest(wanted):
                got = self.request("GET", "/a", headers={"Range": wanted} if wanted else {})
                self.assertEqual((got.status, got.content, got.getheader("Content-Range")), expected)
                self.assertEqual(got.getheader("X-Own"), "yes")
        modified = self.request("HEAD", "/a").getheader("Last-Modified")
        for condition, status in ((modified, 206), ("Thu, 01 Jan 1970 00:00:00 GMT", 200), ('"tag"', 200)):
            got = self.request("GET", "/a", headers={"Range": "bytes=0-1", "If-Range": condition})
            self.assertEqual(got.status, status)
        self.assertEqual(self.request("GET", "/a", headers={"If-Modified-Since": modified}).status, 304)
        self.assertEqual(self.request("GET", "/b", headers={"Range": "bytes=0-"}).status, 200)
        self.assertEqual(self.request("GET", "/c").status, 404)

    def test_a_method_of_its_own_may_call_the_inherited_one(self):
        def do_GET(self):
            if self.path == "/rewritten":
                self.path = "/a"
            if self.path == "/own":
                return reply(self, b"own")
            server.SimpleHTTPRequestHandler.do_GET(self)
            after.append(self.path)

        after = []
        self.serve(server.SimpleHTTPRequestHandler, __init__=in_folder(self.folder(a=b"file")), do_GET=do_GET)
        connection = self.connect()
        for path, content in (("/a", b"file"), ("/own", b"own"), ("/rewritten", b"file"), ("/a", b"file")):
            self.assertEqual(self.request("GET", path, connection=connection).content, content)
        self.assertEqual(self.request("HEAD", "/a", connection=connection).getheader("Content-Length"), "4")
        self.assertEqual(after, ["/a", "/a", "/a"])

    def test_the_type_of_a_file_is_that_of_the_class(self):
        types = {**server.SimpleHTTPRequestHandler.extensions_map, ".own": "text/x-own"}
        handler = self.serve(
            server.SimpleHTTPRequestHandler, extensions_map=types, default_content_type="text/x-default",
            __init__=in_folder(self.folder(**{"a.own": b"", "b": b"", "c.html": b""})))
        got = [self.request("GET", path).getheader("Content-Type") for path in ("/a.own", "/b", "/c.html")]
        self.assertEqual(got, ["text/x-own", "text/x-default", "text/html"])
        handler.default_content_type = "text/x-other"
        self.assertEqual(self.request("GET", "/b").getheader("Content-Type"), "text/x-other")

    def folder_with_rules(self):
        """Returns a folder with files, hidden names, links, and a FIFO."""
        outside = self.folder(secret=b"secret")
        folder = self.folder(**{"a": b"a", ".env": b"hidden", "b.html": b"b"})
        for name in ("sub/.well-known", ".git", ".well-known", "page", "empty"):
            os.makedirs(os.path.join(folder, name))
        for name in ("sub/a", "sub/.env", "sub/.well-known/a", ".git/a", ".well-known/a", ".well-known/.env"):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"a")
        for name, target in (
            ("in", "a"), ("in-sub", "sub"), ("in-absolute", os.path.join(folder, "a")), ("in-hidden", ".env"),
            ("out", os.path.join(outside, "secret")), ("out-folder", outside), ("page/index.html", "../out"),
            ("out-relative", f"../{os.path.basename(outside)}/secret"), ("lost", "missing"), ("loop", "loop"),
        ):
            os.symlink(target, os.path.join(folder, name))
        os.mkfifo(os.path.join(folder, "fifo"))
        return folder

    def handlers_with_rules(self):
        """Returns attributes of handlers, with the prefix of their paths. The engine sends the files of the first one,
        Python those of the others."""
        def without_prefix(self):
            self.path = self.path.removeprefix("/v1")
            server.SimpleHTTPRequestHandler.do_GET(self)

        yield "", {}
        yield "/v1", {"do_GET": without_prefix}
        for name in ("end_headers", "guess_type", "list_directory", "send_error", "send_head", "translate_path"):
            inherited = getattr(server.SimpleHTTPRequestHandler, name)
            yield "", {name: lambda *args, inherited=inherited: inherited(*args)}

    def test_files_of_every_handler_follow_the_same_rules(self):
        sent = {
            "/a": b"a", "/sub/a": b"a", "/.git/../a": b"a", "/.well-known/a": b"a", "/in": b"a", "/in-sub/a": b"a",
            "/in-absolute": b"a", "/in-hidden": b"hidden",
        }
        refused = (
            "/.env", "/%2eenv", "/sub/../.env", "/sub/.env", "/.git", "/.git/", "/.git/a", "/.well-known/.env",
            "/sub/.well-known/a", "/in-sub/.env", "/out", "/out-relative", "/out-folder", "/out-folder/",
            "/out-folder/secret", "/lost", "/loop", "/loop/", "/fifo", "/page/index.html", "/%00", "/a%00",
        )
        folder = self.folder_with_rules()
        for prefix, attributes in self.handlers_with_rules():
            self.serve(server.SimpleHTTPRequestHandler, __init__=in_folder(folder), **attributes)
            connection = self.connect()
            for path in (*sent, *refused):
                with self.subTest(path, handler=list(attributes)):
                    got = self.request("GET", prefix + path, connection=connection)
                    expected = (200, sent[path]) if path in sent else (404, got.content)
                    self.assertEqual((got.status, got.content), expected)
                    self.assertNotIn(b"secret", got.content.replace(b"/secret", b""))

    def test_listings_of_every_handler_are_the_same(self):
        folder = self.folder_with_rules()
        expected = {
            "/": ["a", "b.html", "empty/", "fifo", "in", "in-absolute", "in-hidden", "in-sub/", "loop", "lost", "out",
                  "out-folder", "out-relative", "page/", "sub/"],
            "/sub/": ["a"], "/in-sub/?query": ["a"], "/.well-known/": ["a"], "/page/": ["index.html"], "/empty/": [],
        }
        pages = {}
        for prefix, attributes in self.handlers_with_rules():
            self.serve(server.SimpleHTTPRequestHandler, __init__=in_folder(folder), **attributes)
            for path, names in expected.items():
                with self.subTest(path, handler=list(attributes)):
                    got = self.request("GET", prefix + path)
                    self.assertEqual(got.status, 200)
                    self.assertEqual(re.findall(r'href="([^"]+)"', got.content.decode()), names)
                    self.assertEqual(got.content, pages.setdefault(path, got.content))

    def test_a_listing_of_a_hidden_directory_is_refused(self):
        def send_head(self):
            return self.list_directory(self.translate_path(self.path))

        self.serve(server.SimpleHTTPRequestHandler, __init__=in_folder(self.folder_with_rules()), send_head=send_head)
        for path, status in (("/sub/", 200), ("/.git/", 404), ("/out-folder/", 404)):
            self.assertEqual(self.request("GET", path).status, status)

    def test_a_handler_may_lead_paths_out_of_the_directory(self):
        other = self.folder_with_rules()
        self.serve(server.SimpleHTTPRequestHandler, __init__=in_folder(self.folder()),
                   translate_path=lambda self, path: other + path)
        for path, content in (("/a", b"a"), ("/.env", b"hidden"), ("/out", b"secret")):
            self.assertEqual(self.request("GET", path).content, content)
        self.assertIn(b'href=".env"', self.request("GET", "/").content)

    def test_a_missing_directory_has_no_files(self):
        self.serve(server.SimpleHTTPRequestHandler, __init__=in_folder("/there/is/none"))
        self.assertEqual(self.request("GET", "/a").status, 404)


class Scripts(Case):
    def script_folder(self):
        folder = self.folder(file=b"file")
        os.mkdir(os.path.join(folder, "cgi-bin"))
        for name in ("script.sh", "cgi-bin/script.sh"):
            script = os.path.join(folder, name)
            with open(script, "w") as file:
                file.write("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s ' \"$REQUEST_METHOD\"\ncat\n")
            os.chmod(script, 0o755)
        return folder

    def serve_scripts(self, **attributes):
        return self.serve(server.CGIHTTPRequestHandler, __init__=in_folder(self.script_folder()), **attributes)

    def assert_refused(self, got):
        self.assertGreaterEqual(got.status, 400)
        self.assertNotIn(b"#!", got.content)

    def test_scripts_run(self):
        self.serve_scripts()
        self.assertEqual(self.request("POST", "/cgi-bin/script.sh", b"content").content, b"POST content")
        self.assertEqual(self.request("POST", "/other", b"content").status, 405)

    def test_scripts_of_a_class_that_sends_files_itself_run(self):
        names = set(server._settings.FILE_NAMES + server._settings.CGI_NAMES)
        for name in sorted(names.difference(server._settings.SCRIPT_NAMES)):
            inherited = getattr(server.CGIHTTPRequestHandler, name)
            own = (lambda *args, inherited=inherited: inherited(*args)) if callable(inherited) else type(inherited)(
                inherited)
            if own is inherited:
                own = inherited + " "
            with self.subTest(name):
                self.serve_scripts(**{name: own})
                connection = self.connect()
                for path in ("/cgi-bin/script.sh", "//cgi-bin//script.sh", "/cgi%2Dbin/script%2Esh",
                             "/x/../cgi-bin/script.sh?query"):
                    got = self.request("GET", path, connection=connection)
                    self.assertEqual((got.status, got.content), (200, b"GET "))
                    got = self.request("POST", path, b"content", connection=connection)
                    self.assertEqual((got.status, got.content), (200, b"POST content"))
                self.assertEqual(self.request("HEAD", "/cgi-bin/script.sh", connection=connection).status, 200)
                self.assertEqual(self.request("GET", "/file", connection=connection).content, b"file")

    def test_a_script_that_cannot_be_run_is_refused(self):
        def rewritten(self):
            self.path = "/cgi-bin/script.sh"
            server.CGIHTTPRequestHandler.do_GET(self)

        def moved(self, path):
            return server.CGIHTTPRequestHandler.translate_path(self, path.replace("/moved", "/cgi-bin"))

        def all_scripts(self):
            self.cgi_info = "", self.path[1:]
            return True

        cases = {
            "/file": {"do_GET": rewritten},
            "/moved/script.sh": {"translate_path": moved},
            "/cgi-bin/script.sh": {"is_executable": lambda self, path: True},
            "//cgi-bin/script.sh": {"is_cgi": lambda self: False},
            "/script.sh": {"is_cgi": all_scripts},
            "/script.sh?root": {"cgi_directories": ["/"]},
            "/CGI-BIN/script.sh": {"end_headers": lambda self: server.CGIHTTPRequestHandler.end_headers(self)},
        }
        for path, attributes in cases.items():
            with self.subTest(path):
                self.serve_scripts(**attributes)
                self.assert_refused(self.request("GET", path))
        # No path leads around the check, either.
        self.serve_scripts(end_headers=lambda self: server.CGIHTTPRequestHandler.end_headers(self))
        for path in (b"/cgi-bin/script.sh#/../../x", b"/x/%2e%2e/cgi-bin/script.sh%23/../../x",
                     b"/cgi-bin/script.sh%2f", b"/cgi-bin/./script.sh/.", b"/%2e/cgi-bin%2fscript.sh"):
            got = self.raw(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path)
            self.assertNotIn(b"#!", got)

    def test_scripts_in_other_directories_run(self):
        folder = self.script_folder()
        os.rename(os.path.join(folder, "cgi-bin"), os.path.join(folder, "own"))
        self.serve(server.CGIHTTPRequestHandler, __init__=in_folder(folder), cgi_directories=["/own"],
                   end_headers=lambda self: server.CGIHTTPRequestHandler.end_headers(self))
        self.assertEqual(self.request("GET", "/own/script.sh").content, b"GET ")


def in_folder(folder):
    """Returns an `__init__` for a handler that serves this folder."""
    def init(self, *args, **kwargs):
        super(type(self), self).__init__(*args, directory=folder, **kwargs)
    return init


class Https(Case):
    def setUp(self):
        folder = self.folder()
        self.certificate = os.path.join(folder, "certificate.pem")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-batch", "-subj", "/CN=localhost", "-keyout", self.certificate, "-out", self.certificate + ".crt"]
        subprocess.run(command, check=True, capture_output=True)
        with open(self.certificate, "a") as whole, open(self.certificate + ".crt") as part:
            whole.write(part.read())

    def connect(self):
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.server_port, context=context, timeout=60)
        self.addCleanup(connection.close)
        return connection

    def test_https_serves_handlers_and_files_and_a_silent_client_delays_nobody(self):
        big = os.urandom(1 << 20)

        def do_POST(self):
            reply(self, self.rfile.read())

        self.serve(server.SimpleHTTPRequestHandler, server_class=server.ThreadingHTTPSServer, do_POST=do_POST,
                   options={"certfile": self.certificate}, __init__=in_folder(self.folder(a=big)))
        with socket.create_connection(("127.0.0.1", self.server.server_port)):
            connection = self.connect()
            for _ in range(2):
                self.assertEqual(self.request("POST", "/", big, connection=connection).content, big)
                self.assertEqual(self.request("GET", "/a", connection=connection).content, big)


class Line(unittest.TestCase):
    def test_the_module_is_also_a_command(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), self.assertRaises(SystemExit) as exit:
            server._main(["--help"])
        self.assertEqual(exit.exception.code, 0)
        self.assertIn("--tls-cert", out.getvalue())


if __name__ == "__main__":
    unittest.main()
