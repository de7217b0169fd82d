"""Serves the request on standard input with h11 a number of times, and prints the nanoseconds for one (the minimum).

The reply is that of the engine, with the same fields; no file is opened for it.
"""

import sys
import time

import h11

REQUEST = sys.stdin.buffer.read()
FIELDS = [
    ("Server", "sanserve/0.1.0"),
    ("Date", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ("Content-type", "application/octet-stream"),
    ("Content-Length", "1024"),
    ("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ("ETag", '"2-400"'),
    ("Accept-Ranges", "bytes"),
]
CONTENT = b"x" * 1024


def serve(times):
    conn = h11.Connection(h11.SERVER)
    for _ in range(times):
        conn.receive_data(REQUEST)
        assert isinstance(conn.next_event(), h11.Request)
        assert isinstance(conn.next_event(), h11.EndOfMessage)
        conn.send(h11.Response(status_code=200, headers=FIELDS))
        conn.send(h11.Data(CONTENT))
        conn.send(h11.EndOfMessage())
        conn.start_next_cycle()


def nanoseconds(times):
    start = time.perf_counter_ns()
    serve(times)
    return (time.perf_counter_ns() - start) // times


print(min(nanoseconds(int(sys.argv[1])) for _ in range(5)))
