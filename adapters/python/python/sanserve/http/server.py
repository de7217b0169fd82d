"""HTTP servers with the names of the standard library's ``http.server``, on the engine of sanserve.

A subclass that was written for ``http.server`` runs unchanged. The engine parses requests, applies limits and
deadlines, frames the content of requests and replies, and decides whether a connection stays open. Files are sent by
the engine alone, without Python, unless a subclass overrides how.
"""

import contextlib
import email.utils
import functools
import html
import io
import os
import socket
import socketserver
import sys
import time
import urllib.parse
import warnings
from http import HTTPStatus

from sanserve.http import _settings, _standard
from sanserve.http._exchange import Content, Exchange, Reply

__all__ = [
    "HTTPServer", "ThreadingHTTPServer", "HTTPSServer", "ThreadingHTTPSServer",
    "BaseHTTPRequestHandler", "SimpleHTTPRequestHandler", "CGIHTTPRequestHandler",
]

DEFAULT_ERROR_MESSAGE = _standard.DEFAULT_ERROR_MESSAGE
DEFAULT_ERROR_CONTENT_TYPE = _standard.DEFAULT_ERROR_CONTENT_TYPE


class HTTPServer(_standard.HTTPServer):
    """A server that serves one connection at a time."""

    request_queue_size = socket.SOMAXCONN
    allow_reuse_port = False
    _is_stopping = False

    def __init__(self, *args, **kwargs):
        # Those of the open connections.
        self._exchanges = set()
        super().__init__(*args, **kwargs)

    def serve_forever(self, poll_interval=0.5):
        """Serves until `shutdown` is called, and checks for that every `poll_interval` seconds."""
        self._is_stopping = False
        super().serve_forever(poll_interval)

    def shutdown(self):
        """Stops `serve_forever`, and waits until it returns. Replies that have begun are completed, and idle
        connections are closed."""
        self._is_stopping = True
        for exchange in list(self._exchanges):
            exchange.shutdown()
        super().shutdown()


class ThreadingHTTPServer(HTTPServer, _standard.ThreadingHTTPServer):
    """A server that serves each connection on a thread."""


class HTTPSServer(HTTPServer):
    """A server for HTTPS. The handshake is part of a connection: it has a deadline, and delays no other connection of a
    threading server."""

    def __init__(self, server_address, RequestHandlerClass, bind_and_activate=True, *,
                 certfile, keyfile=None, password=None, alpn_protocols=None):
        try:
            import ssl
        except ImportError:
            raise RuntimeError("HTTPS needs the module ssl, which is missing") from None
        self.ssl = ssl
        self.certfile, self.keyfile, self.password = certfile, keyfile, password
        self.alpn_protocols = ["http/1.1"] if alpn_protocols is None else alpn_protocols
        super().__init__(server_address, RequestHandlerClass, bind_and_activate)

    def server_activate(self):
        super().server_activate()
        context = self._create_context()
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def _create_context(self):
        context = self.ssl.create_default_context(self.ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certfile, self.keyfile, self.password)
        context.set_alpn_protocols(self.alpn_protocols)
        return context


class ThreadingHTTPSServer(socketserver.ThreadingMixIn, HTTPSServer):
    """A server for HTTPS that serves each connection on a thread."""

    daemon_threads = True


class _Lazy:
    """An attribute that is computed when it is first used, and can be assigned."""

    def __init__(self, compute):
        self.compute = compute

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, handler, owner=None):
        if handler is None:
            return self
        value = handler.__dict__[self.name] = self.compute(handler)
        return value


def _announces_content(fields):
    return any(field[:15].lower() == b"content-length:" and field[15:].strip() != b"0" for field in fields)


# Since 3.15.
_HAS_COLOURED_LOG = hasattr(_standard.BaseHTTPRequestHandler, "_colorize_request")


@functools.lru_cache(maxsize=64)
def _date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


@functools.lru_cache(maxsize=1)
def _log_date(seconds):
    year, month, day, hour, minute, second, *_ = time.localtime(seconds)
    name = _standard.BaseHTTPRequestHandler.monthname[month]
    return f"{day:02d}/{name:3}/{year:04d} {hour:02d}:{minute:02d}:{second:02d}"


class BaseHTTPRequestHandler(_standard.BaseHTTPRequestHandler):
    """A handler of requests: a subclass has a method ``do_NAME`` for each request method NAME.

    It runs on the engine if its request is a socket, and if it does not override `parse_request` or
    `handle_one_request`. Otherwise it is that of the standard library.
    """

    _exchange = None
    _request = None

    @property
    def connection(self):
        """The socket. What has been written to `wfile` is sent before."""
        return self.request

    @connection.setter
    def connection(self, sock):
        self.request = sock

    @property
    def request(self):
        """The same as `connection`."""
        if self._exchange is not None:
            self._exchange.flush()
        return self._socket

    @request.setter
    def request(self, sock):
        self._socket = sock

    def setup(self):
        """Prepares the connection. A subclass that overrides this calls it."""
        if not self._uses_engine():
            return super().setup()
        settings = _settings.for_handler(self, self._file_base(), BaseHTTPRequestHandler)
        self._exchange = Exchange(self, settings)
        self.wfile = Reply(self._exchange)

    def _uses_engine(self):
        names = ("parse_request", "handle_one_request")
        return isinstance(self.request, socket.socket) and _settings.keeps(type(self), BaseHTTPRequestHandler, names)

    def _file_base(self):
        """Returns the class whose methods the file service may replace, or None."""
        return None

    def handle_one_request(self):
        """Handles one request, or closes the connection if none comes."""
        exchange = self._exchange
        if exchange is None:
            return super().handle_one_request()
        request = exchange.next_request()
        if request is None:
            self.close_connection = True
            return
        self._begin(request)
        if request.expects_100 and not self._accepts_content():
            return
        method = getattr(self, "do_" + request.command, None)
        if method is None:
            self.send_error(HTTPStatus.NOT_IMPLEMENTED, f"Unsupported method ({request.command!r})")
        else:
            method()
            self.wfile.flush()
        if self.close_connection:
            # Also answers requests that the engine can answer alone, if the connection stays open.
            exchange.next_request(close=True)

    def _begin(self, request):
        """Sets the attributes of a handler for a request."""
        attributes = self.__dict__
        attributes.pop("headers", None)
        attributes.pop("rfile", None)
        self._request = request
        self.command, self.path, self.requestline = request.command, request.path, request.requestline
        self.raw_requestline = request.requestline.encode("latin-1", "replace") + b"\r\n"
        self.request_version = request.version or self.default_request_version
        self.close_connection = not (request.keep_alive and self.protocol_version >= "HTTP/1.1")

    def _accepts_content(self):
        # By default the engine sends 100 when the content is read.
        if type(self).handle_expect_100 is BaseHTTPRequestHandler.handle_expect_100:
            return True
        if self.protocol_version < "HTTP/1.1" or self.handle_expect_100():
            return True
        self.close_connection = True
        self._exchange.next_request(close=True)
        return False

    handle_expect_100 = _standard.BaseHTTPRequestHandler.handle_expect_100

    @_Lazy
    def headers(self):
        """The fields of the request, as an `email.message.Message`."""
        message = self.MessageClass()
        if self._request is not None:
            for name, value in self._request.fields():
                message.set_raw(name, value)
        return message

    @_Lazy
    def rfile(self):
        """The content of the request, without its framing."""
        return io.BufferedReader(Content(self._exchange))

    def send_header(self, keyword, value, **_):
        """Adds a field to the reply. A line break in it is an error: the client would read another field.

        Raises ValueError for a line break.
        """
        field = f"{keyword}: {value}"
        if "\n" in field or "\r" in field:
            raise ValueError(f"line break in the field {keyword!r}")
        if self.request_version != "HTTP/0.9":
            try:
                self._headers_buffer.append(field.encode("latin-1") + b"\r\n")
            except AttributeError:
                self._headers_buffer = [field.encode("latin-1") + b"\r\n"]
        if len(keyword) == 10 and keyword.lower() == "connection":
            option = value.lower()
            if option in ("close", "keep-alive"):
                self.close_connection = option == "close"

    def flush_headers(self):
        """Writes the fields that have been added."""
        buffer = self.__dict__.pop("_headers_buffer", None)
        if buffer is None:
            return
        head = b"".join(buffer)
        if type(self.wfile) is Reply and _announces_content(buffer):
            self._exchange.hold(head)
        else:
            self.wfile.write(head)

    def date_time_string(self, timestamp=None):
        """Returns a time, by default now, in the format of the field Date."""
        return _date(int(time.time() if timestamp is None else timestamp))

    def log_date_time_string(self):
        """Returns the local time in the format of the log."""
        return _log_date(int(time.time()))

    def log_message(self, format, *args):
        """Logs a message to standard error, with control characters escaped."""
        if _HAS_COLOURED_LOG:
            return super().log_message(format, *args)
        message = format % args
        if not message.isascii() or not message.isprintable() or "\\" in message:
            message = message.translate(self._control_char_table)
        sys.stderr.write(f"{self.address_string()} - - [{self.log_date_time_string()}] {message}\n")

    def finish(self):
        """Ends the connection."""
        if self._exchange is None:
            return super().finish()
        self._exchange.close()
        with contextlib.suppress(OSError):
            self.wfile.close()

    def _log_events(self, events):
        """Logs what the engine has answered itself."""
        for kind, requestline, status, text in events:
            self.requestline = requestline
            words = requestline.split(" ")
            self.command, self.path = words[0], words[1] if len(words) > 1 else ""
            if kind == "request":
                self.log_request(int(status), text)
            elif kind == "error":
                self.log_error("code %d, message %s", int(status), text)
            else:
                self.log_error("%s", text)


class SimpleHTTPRequestHandler(BaseHTTPRequestHandler, _standard.SimpleHTTPRequestHandler):
    """A handler that sends the files of a directory, with ranges and ``If-Range``.

    The engine sends them alone as long as a subclass overrides none of the methods that decide how.
    """

    default_content_type = "application/octet-stream"
    index_pages = ("index.html", "index.htm")

    def __init__(self, *args, directory=None, extra_response_headers=None, **kwargs):
        self.directory = os.fspath(os.getcwd() if directory is None else directory)
        self.extra_response_headers = extra_response_headers
        # Not the standard class, which has another signature in each version.
        BaseHTTPRequestHandler.__init__(self, *args, **kwargs)

    def _file_base(self):
        names = _settings.FILE_NAMES
        return SimpleHTTPRequestHandler if _settings.keeps(type(self), SimpleHTTPRequestHandler, names) else None

    def do_GET(self):
        """Sends a file or a listing."""
        if self._serve():
            return
        file = self.send_head()
        if file:
            with file:
                self.copyfile(file, self.wfile)

    def do_HEAD(self):
        """Sends the head of the reply to GET."""
        if self._serve():
            return
        file = self.send_head()
        if file:
            file.close()

    def _serve(self):
        """Lets the engine answer, if it would do what the methods of this handler do. Returns whether it did."""
        request = self._request
        if self._exchange is None or request is None or self._file_base() is None:
            return False
        if (self.path, self.command) != (request.path, request.command):
            return False
        self._exchange.serve()
        return True

    def send_head(self):
        """Sends the head of the reply to a request for a file. Returns a file with the content to send, or None."""
        path = self.translate_path(self.path)
        if self._is_refused(path):
            return self.send_error(HTTPStatus.NOT_FOUND, "File not found")
        if os.path.isdir(path):
            parts = urllib.parse.urlsplit(self.path)
            if not parts.path.endswith(("/", "%2f", "%2F")):
                return self._redirect(urllib.parse.urlunsplit(parts._replace(path=parts.path + "/")))
            pages = (os.path.join(path, name) for name in self.index_pages)
            path = next((page for page in pages if os.path.isfile(page) and not self._leads_out(page)), None)
            if path is None:
                return self.list_directory(self.translate_path(self.path))
        try:
            # Opening a FIFO would wait for a writer.
            if path.endswith("/") or not os.path.isfile(path):
                raise FileNotFoundError(path)
            file = open(path, "rb")
        except (OSError, ValueError):
            return self.send_error(HTTPStatus.NOT_FOUND, "File not found")
        try:
            content = self._send_file_head(file, path)
        except BaseException:
            file.close()
            raise
        if content is None:
            file.close()
        return content

    def list_directory(self, path):
        """Sends the head of the reply with a listing. Returns a file with the listing, or None."""
        if self._is_refused(path):
            return self.send_error(HTTPStatus.NOT_FOUND, "File not found")
        try:
            names = os.listdir(path)
        except OSError:
            return self.send_error(HTTPStatus.NOT_FOUND, "No permission to list directory")
        encoding = sys.getfilesystemencoding()
        if self._below_directory(path) is not None:
            names = (name for name in names if not name.startswith("."))
        entries = [self._entry(path, name) for name in sorted(names, key=str.lower)]
        page = _listing(self.path, entries, encoding)
        content = page.encode(encoding, "surrogateescape")
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-type", f"text/html; charset={encoding}")
        self.send_header("Content-Length", str(len(content)))
        self._send_extra_response_headers()
        self.end_headers()
        return io.BytesIO(content)

    def _entry(self, directory, name):
        """Returns the link to an entry of a listing, and its label."""
        path = os.path.join(directory, name)
        is_link = os.path.islink(path)
        end = "/" if os.path.isdir(path) and not (is_link and self._leads_out(path)) else ""
        return name + end, name + ("@" if is_link else end)

    def _is_refused(self, path):
        """Returns whether a file or directory is not sent: if a name in its path begins with a dot, except for
        ``/.well-known``, or if a symbolic link leads out of the directory. The engine has the same rules."""
        first, *others = (self._below_directory(path) or "").split(os.sep)
        is_hidden = first.startswith(".") and first != ".well-known" or any(name.startswith(".") for name in others)
        return is_hidden or self._leads_out(path)

    def _leads_out(self, path):
        """Returns whether a path in the directory leads out of it through a symbolic link."""
        if self._below_directory(path) is None:
            return False
        try:
            return _below(os.path.realpath(self.directory), os.path.realpath(path)) is None
        except (OSError, ValueError):
            # No file can have this name.
            return True

    def _below_directory(self, path):
        """Returns the part of a path below the directory. None if `translate_path` of a subclass leads to another
        place: then the subclass decides what is sent."""
        return _below(os.path.abspath(self.directory), os.path.abspath(path))

    def _redirect(self, location):
        self.send_response(HTTPStatus.MOVED_PERMANENTLY)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_file_head(self, file, path):
        """Sends the head for an open file. Returns what to send of it."""
        status = os.fstat(file.fileno())
        modified = self.date_time_string(status.st_mtime)
        if self._is_cached(int(status.st_mtime)):
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return None
        part = self._range(status.st_size, modified)
        if part is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{status.st_size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        is_whole = len(part) == status.st_size
        self.send_response(HTTPStatus.OK if is_whole else HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-type", self.guess_type(path))
        self.send_header("Content-Length", str(len(part)))
        if not is_whole:
            self.send_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{status.st_size}")
        self.send_header("Last-Modified", modified)
        self.send_header("Accept-Ranges", "bytes")
        self._send_extra_response_headers()
        self.end_headers()
        return file if is_whole else _Part(file, part)

    def _is_cached(self, modified):
        """Returns whether the client has the file as it is (RFC 9110 section 13.1.3)."""
        since = self.headers.get("If-Modified-Since")
        if since is None or "If-None-Match" in self.headers:
            return False
        try:
            return modified <= email.utils.parsedate_to_datetime(since).timestamp()
        except (IndexError, OverflowError, TypeError, ValueError):
            return False

    def _range(self, size, modified):
        """Returns the range of a file to send, or None if there is nothing in the one that the client wants (RFC 9110
        section 14). Several ranges are answered with the whole file."""
        whole = range(size)
        condition = self.headers.get("If-Range", modified)
        unit, _, wanted = self.headers.get("Range", "").partition("=")
        first, dash, last = wanted.strip().partition("-")
        if unit != "bytes" or not dash or condition != modified or not (first + last).isdecimal() or size == 0:
            return whole
        if not first:
            return range(max(size - int(last), 0), size) if int(last) else None
        if last and int(last) < int(first):
            return whole
        part = range(int(first), min(int(last) + 1, size) if last else size)
        return part or None

    def _send_extra_response_headers(self):
        """Sends the fields of `extra_response_headers`, without those that have been sent."""
        buffer = b"".join(getattr(self, "_headers_buffer", ())).lower()
        for name, value in self.extra_response_headers or ():
            if b"\r\n" + name.lower().encode("latin-1", "replace") + b":" not in buffer:
                self.send_header(name, value)

    def guess_type(self, path):
        """Returns the media type of a file by its name."""
        kind = _standard.SimpleHTTPRequestHandler.guess_type(self, path)
        return self.default_content_type if kind == "application/octet-stream" else kind


def _below(directory, path):
    """Returns the part of an absolute path below a directory, or None if it is not below it."""
    directory = os.path.join(directory, "")
    return path[len(directory):] if os.path.join(path, "").startswith(directory) else None


def _listing(target, entries, encoding):
    """Returns the page of the standard library with the links and labels of the entries of a directory."""
    shown = target.split("#", 1)[0].split("?", 1)[0]
    try:
        shown = urllib.parse.unquote(shown, errors="surrogatepass")
    except UnicodeDecodeError:
        shown = urllib.parse.unquote(shown)
    title = f"Directory listing for {html.escape(shown, quote=False)}"
    lines = [
        '<!DOCTYPE HTML>', '<html lang="en">', '<head>', f'<meta charset="{encoding}">',
        f'<title>{title}</title>', '</head>', f'<body>\n<h1>{title}</h1>', '<hr>', '<ul>',
    ]
    for link, label in entries:
        link = urllib.parse.quote(link, errors="surrogatepass")
        lines.append(f'<li><a href="{link}">{html.escape(label, quote=False)}</a></li>')
    return "\n".join([*lines, '</ul>', '<hr>', '</body>', '</html>', ''])


class _Part(io.RawIOBase):
    """A range of a file."""

    def __init__(self, file, part):
        self.file = file
        self.rest = len(part)
        file.seek(part.start)

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.file.read(min(len(buffer), self.rest))
        buffer[:len(data)] = data
        self.rest -= len(data)
        return len(data)

    def close(self):
        self.file.close()
        super().close()


class CGIHTTPRequestHandler(SimpleHTTPRequestHandler):
    """A handler that also runs the CGI scripts in some directories.

    The engine runs them, with its limits and deadlines. CPython has deprecated this class in 3.13, and removed it in
    3.15.
    """

    cgi_directories = ["/cgi-bin", "/htbin"]
    have_fork = hasattr(os, "fork")
    rbufsize = 0

    def __init__(self, *args, **kwargs):
        if sys.version_info >= (3, 13):
            warnings.warn(
                "'http.server.CGIHTTPRequestHandler' is deprecated, and CPython has removed it in 3.15",
                DeprecationWarning, stacklevel=2)
        super().__init__(*args, **kwargs)

    def _file_base(self):
        names = _settings.FILE_NAMES + _settings.CGI_NAMES
        # The engine does not run scripts in the root, and would send them.
        is_root = not all(name.strip("/") for name in self.cgi_directories)
        keeps = not is_root and _settings.keeps(type(self), CGIHTTPRequestHandler, names)
        return CGIHTTPRequestHandler if keeps else None

    def do_POST(self):
        """Runs a script."""
        if self._serve():
            return
        if self.is_cgi():
            self.run_cgi()
        else:
            self.send_error(HTTPStatus.NOT_IMPLEMENTED, "Can only POST to CGI scripts")

    def send_head(self):
        """Runs a script, or sends the head of the reply to a request for a file. Returns a file with the content to
        send, or None."""
        if self.is_cgi():
            return self.run_cgi()
        if self._is_in_cgi_directory(self.translate_path(self.path)):
            self.send_error(HTTPStatus.FORBIDDEN, "The path leads to a CGI script")
            return None
        return super().send_head()

    def _is_in_cgi_directory(self, path):
        """Returns whether a file is a script, whatever path leads to it, in upper or lower case."""
        names = (name for name in self.cgi_directories if name.strip("/"))
        folders = (os.path.realpath(self.translate_path(name)) for name in names)
        path = os.path.realpath(path).casefold()
        return any(path.startswith(os.path.join(folder, "").casefold()) for folder in folders)

    def is_cgi(self):
        """Returns whether the path is that of a script. If so, `cgi_info` is its directory and the rest of the path."""
        path = _url_collapse_path(self.path)
        end = path.find("/", 1)
        while end > 0 and path[:end] not in self.cgi_directories:
            end = path.find("/", end + 1)
        if end > 0:
            self.cgi_info = path[:end], path[end + 1:]
        return end > 0

    def is_executable(self, path):
        """Returns whether a file is executable."""
        return executable(path)

    def is_python(self, path):
        """Returns whether a file is a script in Python."""
        return os.path.splitext(path)[1].lower() in (".py", ".pyw")

    def run_cgi(self):
        """Runs the script of the request. The reply is 501 if a subclass has changed its path, the method, or the file
        that the path leads to."""
        request = self._request
        is_same = request is not None and (self.path, self.command) == (request.path, request.command)
        finds_it = _settings.keeps(type(self), CGIHTTPRequestHandler, _settings.SCRIPT_NAMES)
        if self._exchange is None or not is_same or not finds_it:
            self.send_error(HTTPStatus.NOT_IMPLEMENTED, "Cannot run this script")
        else:
            self._exchange.run_script()


def _url_collapse_path(path):
    """Resolves the dots in a path, and returns it as two parts that a slash joins: directory and name.

    Raises IndexError if the path leads out of the root.
    """
    path, mark, query = path.partition("?")
    *folders, name = urllib.parse.unquote(path).split("/")
    if name in (".", ".."):
        folders, name = [*folders, name], ""
    above = []
    for folder in folders:
        if folder == "..":
            above.pop()
        elif folder not in ("", "."):
            above.append(folder)
    return "/".join(["/" + "/".join(above), name + (mark + query if query else "")])


def executable(path):
    """Returns whether a file is executable."""
    return os.access(path, os.X_OK)


def nobody_uid():
    """Returns the user id of the user nobody, or -1 on a system without users."""
    try:
        import pwd
    except ImportError:
        return -1
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return 1 + max(user.pw_uid for user in pwd.getpwall())


def _get_best_family(*address):
    infos = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, sockaddr = infos[0]
    return family, sockaddr


def test(HandlerClass=SimpleHTTPRequestHandler, ServerClass=ThreadingHTTPServer, protocol="HTTP/1.0", port=8000,
         bind=None, content_type=SimpleHTTPRequestHandler.default_content_type, tls_cert=None, tls_key=None,
         tls_password=None):
    """Runs a server until it is interrupted."""
    ServerClass.address_family, address = _get_best_family(bind, port)
    HandlerClass.protocol_version = protocol
    HandlerClass.default_content_type = content_type
    tls = {"certfile": tls_cert, "keyfile": tls_key, "password": tls_password} if tls_cert else {}
    with ServerClass(address, HandlerClass, **tls) as server:
        host, port = server.socket.getsockname()[:2]
        name = f"[{host}]" if ":" in host else host
        scheme = "HTTPS" if tls else "HTTP"
        print(f"Serving {scheme} on {host} port {port} ({scheme.lower()}://{name}:{port}/) ...")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nKeyboard interrupt received, exiting.")
            sys.exit(0)


def _arguments():
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("-b", "--bind", metavar="ADDRESS", help="bind to this address (default: all interfaces)")
    parser.add_argument("-d", "--directory", default=os.getcwd(),
                        help="serve this directory (default: current directory)")
    parser.add_argument("-p", "--protocol", metavar="VERSION", default="HTTP/1.0",
                        help="conform to this HTTP version (default: %(default)s)")
    parser.add_argument("--content-type", default=SimpleHTTPRequestHandler.default_content_type,
                        help="media type of files with an unknown extension (default: %(default)s)")
    parser.add_argument("-H", "--header", nargs=2, action="append", metavar=("HEADER", "VALUE"),
                        help="add a field to replies (can be given several times)")
    parser.add_argument("--cgi", action="store_true", help="run CGI scripts")
    parser.add_argument("--tls-cert", metavar="PATH", help="serve HTTPS with this certificate chain")
    parser.add_argument("--tls-key", metavar="PATH", help="the key of the certificate")
    parser.add_argument("--tls-password-file", metavar="PATH", help="a file with the password of the key")
    parser.add_argument("port", default=8000, type=int, nargs="?", help="bind to this port (default: %(default)s)")
    return parser


def _main(args=None):
    parser = _arguments()
    args = parser.parse_args(args)
    password = None
    if args.tls_key and not args.tls_cert:
        parser.error("--tls-key requires --tls-cert to be set")
    if args.tls_password_file:
        if not args.tls_cert:
            parser.error("--tls-password-file requires --tls-cert to be set")
        try:
            with open(args.tls_password_file, encoding="utf-8") as file:
                password = file.read().strip()
        except OSError as error:
            parser.error(f"Failed to read TLS password file: {error}")

    class DualStackServer(ThreadingHTTPSServer if args.tls_cert else ThreadingHTTPServer):
        def server_bind(self):
            # Fails for IPv4.
            with contextlib.suppress(Exception):
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

        def finish_request(self, request, client_address):
            self.RequestHandlerClass(request, client_address, self, directory=args.directory,
                                     extra_response_headers=args.header)

    options = {"content_type": args.content_type}
    if sys.version_info < (3, 15) and args.content_type == SimpleHTTPRequestHandler.default_content_type:
        # `test` of earlier versions has no such argument, and a replacement of it need not have one.
        options = {}
    test(HandlerClass=CGIHTTPRequestHandler if args.cgi else SimpleHTTPRequestHandler, ServerClass=DualStackServer,
         port=args.port, bind=args.bind, protocol=args.protocol, tls_cert=args.tls_cert, tls_key=args.tls_key,
         tls_password=password, **options)


def __getattr__(name):
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if sys.version_info >= (3, 15):
        message = "'__version__' is deprecated and slated for removal in Python 3.20"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
    return "0.6"


if __name__ == "__main__":
    _main()
