import http.server as _standard
from os import PathLike
from socketserver import BaseServer, ThreadingMixIn
from typing import Any, ClassVar

__all__ = [
    "HTTPServer", "ThreadingHTTPServer", "HTTPSServer", "ThreadingHTTPSServer",
    "BaseHTTPRequestHandler", "SimpleHTTPRequestHandler", "CGIHTTPRequestHandler",
]

__version__: str
DEFAULT_ERROR_MESSAGE: str
DEFAULT_ERROR_CONTENT_TYPE: str

class HTTPServer(_standard.HTTPServer): ...
class ThreadingHTTPServer(HTTPServer, _standard.ThreadingHTTPServer): ...

class HTTPSServer(HTTPServer):
    certfile: str
    keyfile: str | None
    password: str | bytes | None
    alpn_protocols: list[str]
    def __init__(
        self, server_address: tuple[Any, ...], RequestHandlerClass: Any, bind_and_activate: bool = True, *,
        certfile: str, keyfile: str | None = None, password: str | bytes | None = None,
        alpn_protocols: list[str] | None = None
    ) -> None: ...

class ThreadingHTTPSServer(ThreadingMixIn, HTTPSServer): ...

class BaseHTTPRequestHandler(_standard.BaseHTTPRequestHandler): ...

class SimpleHTTPRequestHandler(BaseHTTPRequestHandler, _standard.SimpleHTTPRequestHandler):
    default_content_type: ClassVar[str]
    index_pages: ClassVar[tuple[str, ...]]
    directory: str
    extra_response_headers: list[tuple[str, str]] | None
    def __init__(
        self, request: Any, client_address: Any, server: BaseServer, *, directory: str | PathLike[str] | None = None,
        extra_response_headers: list[tuple[str, str]] | None = None
    ) -> None: ...

class CGIHTTPRequestHandler(SimpleHTTPRequestHandler):
    cgi_directories: ClassVar[list[str]]
    cgi_info: tuple[str, str]
    have_fork: bool
    def do_POST(self) -> None: ...
    def is_cgi(self) -> bool: ...
    def is_executable(self, path: str) -> bool: ...
    def is_python(self, path: str) -> bool: ...
    def run_cgi(self) -> None: ...

def executable(path: str) -> bool: ...
def nobody_uid() -> int: ...
def test(
    HandlerClass: type = ..., ServerClass: type = ..., protocol: str = "HTTP/1.0", port: int = 8000,
    bind: str | None = None, content_type: str = ..., tls_cert: str | None = None, tls_key: str | None = None,
    tls_password: str | None = None
) -> None: ...
