"""The conversation of a handler with its client: an engine on a blocking socket, and the files to read and write."""

import contextlib
import io
import socket

try:
    import ssl
except ImportError:
    ssl = None

from sanserve import _engine

# How long a TLS handshake may take, in seconds.
HANDSHAKE_TIMEOUT = 30


class Exchange:
    """Runs the engine for one handler, on its socket."""

    def __init__(self, handler, settings):
        self.handler = handler
        self.sock = handler.request
        self.is_upgraded = False
        # The head of a reply that is sent with the content that follows.
        self.held = b""
        address = handler.client_address
        name = address[0] if isinstance(address, tuple) and address else ""
        self.is_plain = type(self.sock) is socket.socket and _has_descriptors()
        descriptor = self.sock.fileno() if self.is_plain else None
        self.engine = _engine.Connection(settings, str(name), descriptor)
        self.open = getattr(handler.server, "_exchanges", None)
        if self.open is not None:
            self.open.add(self)
            if handler.server._is_stopping:
                self.engine.shutdown()
        if ssl and isinstance(self.sock, ssl.SSLSocket):
            self._shake_hands()

    def _shake_hands(self):
        self.sock.settimeout(HANDSHAKE_TIMEOUT)
        try:
            self.sock.do_handshake()
        except OSError:
            # The client has gone, does not speak TLS, or does not trust the certificate.
            self.engine.connection_lost()

    def next_request(self, close=False):
        """Ends the current reply. Returns the next request, or None if the connection is closed."""
        self.flush()
        if self.is_upgraded:
            return None
        event = self.engine.next_request(close)
        if event != _engine.REQUEST:
            event = self._settle(event)
        return self.engine.request() if event == _engine.REQUEST else None

    def hold(self, head):
        """Writes a head that content follows, at the latest together with that content."""
        self.flush()
        self.held = head

    def flush(self):
        """Writes the head that is held."""
        if self.held:
            self.write(b"")

    def write(self, data):
        """Writes bytes of the reply."""
        if self.held:
            data, self.held = self.held + bytes(data), b""
        if self.is_upgraded:
            return self.sock.sendall(data)
        event = self.engine.write(data if isinstance(data, bytes) else bytes(data))
        if event != _engine.READY:
            event = self._settle(event)
        elif not self.is_plain:
            self._send()
        if event == _engine.CLOSED:
            raise BrokenPipeError("the connection is closed")
        if event == _engine.REFUSED:
            raise ValueError(f"the handler {self.engine.mistake}")

    def read(self):
        """Returns some content of the request, or nothing at its end."""
        self.flush()
        event = self._settle(self.engine.read_content())
        if event == _engine.CLOSED:
            raise ConnectionResetError("the connection is closed")
        return self.engine.content()

    def serve(self):
        """Lets the file service answer the current request."""
        self._settle(self.engine.serve())

    def run_script(self):
        """Lets the engine run the script of the current request, or refuse it if it would not run one."""
        self._settle(self.engine.run_script())

    def shutdown(self):
        """Makes the current reply the last one, from another thread."""
        if self.engine.shutdown():
            # Wakes the thread that waits for a request. The method of an SSLSocket would end TLS.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RD)

    def close(self):
        """Forgets the connection, whose socket is about to be closed. A head without its content is not sent."""
        self.held = b""
        if self.open is not None:
            self.open.discard(self)

    def _settle(self, event):
        """Does what the engine needs from Python, until something has happened that the caller waits for."""
        while True:
            if event == _engine.LOG:
                self.handler._log_events(self.engine.log_events())
            elif event == _engine.WANTS_INPUT:
                self._send()
                self._receive()
            elif event in (_engine.HAS_OUTPUT, _engine.SHUTDOWN):
                self._send()
            else:
                if event == _engine.UPGRADED:
                    self._upgrade()
                self._send()
                return event
            event = self.engine.advance()

    def _receive(self):
        timeout = self.engine.timeout
        # Zero would mean that the socket never waits.
        self.sock.settimeout(None if timeout is None else max(timeout, 0.001))
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return
        except OSError:
            return self.engine.connection_lost()
        if data:
            self.engine.receive_data(data)
        else:
            self.engine.receive_eof()

    def _send(self):
        if self.is_plain:
            return
        data = self.engine.data_to_send()
        if not data:
            return
        self.sock.settimeout(max(self.engine.timeout or HANDSHAKE_TIMEOUT, 0.001))
        try:
            self.sock.sendall(data)
        except OSError:
            self.engine.connection_lost()

    def _upgrade(self):
        """Hands the socket to the handler. What the client has sent already is read first."""
        self.is_upgraded = True
        self.sock.settimeout(self.handler.timeout)
        raw = Received(self.engine.trailing_data(), self.sock)
        self.handler.rfile = io.BufferedReader(raw)


class Content(io.RawIOBase):
    """The content of a request, without its framing. It ends where the request ends."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.rest = memoryview(b"")
        self.at_end = False

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.rest and not self.at_end:
            self.rest = memoryview(self.exchange.read())
            self.at_end = not self.rest
        count = min(len(self.rest), len(buffer))
        buffer[:count] = self.rest[:count]
        self.rest = self.rest[count:]
        return count

    def fileno(self):
        return self.exchange.sock.fileno()


class Received(io.RawIOBase):
    """The bytes that a socket receives, after those that have been received already."""

    def __init__(self, first, sock):
        self.first = first
        self.sock = sock

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.first:
            return self.sock.recv_into(buffer)
        count = min(len(self.first), len(buffer))
        buffer[:count], self.first = self.first[:count], self.first[count:]
        return count

    def fileno(self):
        return self.sock.fileno()


class Reply(io.BufferedIOBase):
    """The reply to a request. Everything is sent when it is written."""

    def __init__(self, exchange):
        self.exchange = exchange

    def writable(self):
        return True

    def write(self, data):
        self.exchange.write(data)
        return len(data) if isinstance(data, (bytes, bytearray)) else memoryview(data).nbytes

    def flush(self):
        self.exchange.flush()

    def fileno(self):
        self.exchange.flush()
        return self.exchange.sock.fileno()


def _has_descriptors():
    return hasattr(socket, "AF_UNIX")
