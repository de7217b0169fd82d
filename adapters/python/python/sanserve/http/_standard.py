"""The names of the standard library's ``http.server``.

They are in a module of their own so that ``sanserve.http.server`` can also be loaded under the name ``http.server``.
"""

from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from http.server import DEFAULT_ERROR_CONTENT_TYPE, DEFAULT_ERROR_MESSAGE

__all__ = [
    "BaseHTTPRequestHandler", "HTTPServer", "SimpleHTTPRequestHandler", "ThreadingHTTPServer",
    "DEFAULT_ERROR_CONTENT_TYPE", "DEFAULT_ERROR_MESSAGE",
]
