#!/usr/bin/env python3
"""Parses random messages with sanserve-wire and with h11. Every difference must be explained by a rule below.

The messages are the same in every run. If h11 is missing, pip installs it in a virtual environment in the target folder.
`DIFFERENCES` lists the intended differences; it is also a failure if a rule explains nothing.
"""

import collections
import json
import os
import random
import re
import subprocess
import sys
import venv

VERSION = "0.16.0"
COUNT = int(os.environ.get("MESSAGES", "40000"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target")


class Difference:
    """A reason why one parser rejects a message that the other accepts: `ours` is the error of sanserve-wire or None,
    `theirs` that of h11, and `where` a pattern that the message contains."""

    def __init__(self, reason, ours=None, theirs=None, where=b"", content=None):
        self.reason, self.ours, self.theirs, self.where = reason, ours, theirs, re.compile(where, re.S)
        self.content, self.count = content, 0

    def explains(self, message, ours, theirs):
        return (
            self.ours == ours.get("error")
            and (self.theirs is None) == ("error" not in theirs)
            and re.search(self.theirs or "", theirs.get("error", "")) is not None
            and self.where.search(message) is not None
            and self.content in (None, ours.get("content", [None])[0])
        )


DIFFERENCES = [
    # Rejected only by sanserve-wire.
    Difference("h11 accepts a bare LF, and so sees other fields than a recipient that does not (RFC 9112 §2.2)",
               ours="BareLf", where=rb"(?<!\r)\n"),
    Difference("h11 accepts a bare LF in trailers", ours="Chunk", where=rb"(?<!\r)\n"),
    Difference("h11 accepts a bare LF at the end of trailers", ours="Incomplete", where=rb"(?<!\r)\n"),
    Difference("h11 unfolds folded lines, which RFC 9112 §5.2 lets a recipient reject",
               ours="Field", where=rb"\n[ \t]"),
    Difference("h11 accepts control characters in values, which are invalid by RFC 9110 §5.5",
               ours="Field", where=rb"[\x01-\x08\x0e-\x1f\x7f]"),
    Difference("h11 accepts control characters in trailers", ours="Chunk", where=rb"[\x01-\x08\x0e-\x1f\x7f]"),
    Difference("h11 unfolds folded lines in trailers", ours="Chunk", where=rb"\n[ \t]"),
    Difference("h11 accepts control characters in reason phrases", ours="StatusLine",
               where=rb"HTTP/1\.. [0-9]{3} [^\n]*[\x01-\x08\x0e-\x1f\x7f]"),
    Difference("h11 accepts several equal lengths (RFC 9112 §6.3 allows both)",
               ours="ContentLength", where=rb"(?i)content-length:.*(,|content-length)"),
    Difference("h11 ignores a length of chunked content; RFC 9112 §6.1 calls it a likely smuggling attempt",
               ours="TransferEncoding", where=rb"(?i)content-length"),
    Difference("h11 accepts chunks in HTTP/1.0, which RFC 9112 §6.1 calls faulty framing",
               ours="TransferEncoding", where=rb"HTTP/[01]\.[0-9]"),
    Difference("h11 does not check the form of the target (RFC 9112 §3.2)", ours="Target"),
    Difference("h11 does not check that Host is a host (RFC 9112 §3.2)", ours="Host"),
    Difference("h11 accepts any version: only 1.x has this syntax (RFC 9110 §2.5)", ours="UnsupportedVersion"),
    Difference("h11 requires Host in HTTP/1.1 and not in 1.2, which has the same rules (RFC 9110 §2.5)", ours="MissingHost",
               where=rb"^[^\n]*HTTP/1\.[2-9]"),
    Difference("h11 accepts any text as a chunk extension, and spaces without one (RFC 9112 §7.1.1)", ours="Chunk",
               where=rb"\n[0-9a-fA-F]+[ \t;]"),
    # Rejected only by h11.
    Difference("h11 has no HTTP/0.9", theirs="illegal request line|no request line|closed", where=rb"^GET [^ ]*\r\n"),
    Difference("h11 does not skip the empty line before a request (RFC 9112 §2.2)", theirs="no request line", where=rb"^\r\n"),
    Difference("h11 rejects bytes above 0x7F in a target; clients send them", theirs="illegal request line",
               where=rb"^[^\n]*[\x80-\xff]"),
    Difference("h11 checks the framing fields of responses whose status allows no content",
               theirs="Transfer-Encoding|Content-Length", where=rb"^HTTP", content=""),
]


def main():
    if os.environ.get("INSIDE") != VERSION:
        return start()
    messages = list(generate(random.Random(9112), COUNT))
    ours = parse_with_wire(messages)
    counts, unexplained = collections.Counter(), []
    for message, ours in zip(messages, ours, strict=True):
        theirs = parse_with_h11(*message)
        verdict = compare(message[-1], ours, theirs)
        counts[verdict] += 1
        if verdict == "unexplained":
            unexplained.append((message, ours, theirs))
    for message, ours, theirs in unexplained[:20]:
        print(f"{message}\n  wire {ours}\n  h11  {theirs}")
    for difference in DIFFERENCES:
        print(f"{difference.count:6} {difference.reason}")
    unused = [difference for difference in DIFFERENCES if difference.count == 0]
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()), f"of {COUNT} messages")
    for difference in unused:
        print(f"unused rule: {difference.reason}")
    return 1 if unexplained or unused or counts["parsed the same"] < COUNT // 10 else 0


def start():
    """Runs this file again with an interpreter that has h11."""
    folder = os.path.join(TARGET, "h11-" + VERSION)
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    probe = [python, "-c", "import h11"]
    if not os.path.exists(python) or subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode:
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "h11==" + VERSION], check=True)
    return subprocess.run([python, __file__], env=dict(os.environ, INSIDE=VERSION), check=False).returncode


def compare(message, ours, theirs):
    if "error" in ours and "error" in theirs:
        return "rejected by both"
    if comparable(ours) == comparable(theirs):
        return "parsed the same"
    for difference in DIFFERENCES:
        if difference.explains(message, ours, theirs):
            difference.count += 1
            return "rejected by one, explained"
    return "unexplained"


def comparable(found):
    """Returns the parsed message without the two fields that h11 normalizes: equal lengths, and `Chunked`."""
    others = [field for field in found.get("fields", []) if field[0] not in ("content-length", "transfer-encoding")]
    return dict(found, fields=others)


def parse_with_wire(messages):
    lines = "".join(" ".join([*kind, message.hex()]) + "\n" for *kind, message in messages)
    program = os.path.join(TARGET, "debug", "examples", "wire_json")
    output = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def parse_with_h11(kind, *rest):
    import h11

    connection = h11.Connection(h11.SERVER if kind == "request" else h11.CLIENT)
    try:
        if kind == "response":
            connection.send(h11.Request(method=rest[0], target="/" if rest[0] != "CONNECT" else "h:1", headers=[("Host", "h")]))
            connection.send(h11.EndOfMessage())
        connection.receive_data(rest[-1])
        if rest[-1]:
            connection.receive_data(b"")
        return read_events(h11, connection, kind)
    except h11.RemoteProtocolError as error:
        return {"error": str(error)}


def read_events(h11, connection, kind):
    found, content, interim = {}, b"", []
    while True:
        event = connection.next_event()
        if isinstance(event, h11.InformationalResponse):
            interim.append(event.status_code)
        elif isinstance(event, h11.Request):
            found = {"method": event.method.decode(), "target": event.target.hex()}
        elif isinstance(event, h11.Response):
            found = {"interim": interim, "status": event.status_code, "reason": event.reason.hex()}
        elif isinstance(event, h11.Data):
            content += event.data
        elif isinstance(event, h11.EndOfMessage):
            rest = connection.trailing_data[0].hex()
            found["content"] = [content.hex(), fields(event.headers, TRAILERS), rest]
            return found
        else:
            return {"error": f"closed: {event}"}
        if isinstance(event, (h11.Request, h11.Response)):
            found["version"] = "1.1" if (version := event.http_version.decode()) > "1.0" else version
            found["fields"] = fields(event.headers)


def fields(headers, dropped=()):
    return [[name.decode(), value.hex()] for name, value in headers if name.decode() not in dropped]


# Fields of the generator that are forbidden in trailers (RFC 9110 §6.5.1): sanserve-wire drops them.
TRAILERS = ("content-length", "transfer-encoding", "host", "connection", "keep-alive")

STARTS = {
    "request": [b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"GET /%C3%A9 HTTP/1.0", b"PUT http://h/ HTTP/1.1", b"OPTIONS * HTTP/1.1",
                b"GET /\xe9 HTTP/1.1", b"GET /", b"M-SEARCH / HTTP/1.2", b"HEAD /#a HTTP/1.1", b"GET / HTTP/2.0", b"GET /  HTTP/1.1"],
    "response": [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 ", b"HTTP/1.1 404",
                 b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 \xe9\tx", b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK",
                 b"HTTP/1.1 099 x", b"HTTP/1.1 2000 OK", b"HTTP/2.0 200 OK"],
}
FIELDS = [b"A: b", b"A:b ", b"A: \xff\xe9", b"X-Y:\t z \t", b"Connection: close", b"Connection: keep-alive", b"Keep-Alive: 5", b"A:",
          b"B: c d", b"Set-Cookie: a", b"Accept: */*"]
RARE = [b"A : b", b" folded: b", b"A: b\r\n c", b"Host: other", b"Host:", b"Host: a b", b"A: \x01", b"A: b\x00", b": a", b"no colon",
        b"Content-Length: 5", b"Content-Length: 5, 5", b"Content-Length: +5", b"Transfer-Encoding: gzip", b"transfer-encoding: Chunked"]
FRAMINGS = [
    (b"Content-Length: 5", b"hello"), (b"Content-Length: 0", b""), (b"Content-Length: 7", b"hello"), (b"content-length: 005", b"hello"),
    (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"2\r\nhe\r\n3;a=b\r\nllo\r\n00\r\nDigest: x\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"5;a=\"b;\\\"\";c\r\nhello\r\n0\r\nContent-Length: 1\r\nB: c\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"A\r\n0123456789\r\n0;x\r\nA: b\r\nA: c\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"5 \r\nhello\r\n0\r\nA: b\nB: c\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"0\r\nA: b\r\n c\r\n\r\n"), (b"Transfer-Encoding: gzip, chunked", b"5\r\nhello\r\n0\r\n\r\n"),
    (b"A: until close", b"hello"), (b"A: nothing", b""),
]


def generate(rng, count):
    for _ in range(count):
        kind = rng.choice([["request"], ["response", rng.choice(["GET", "GET", "HEAD", "POST"])]])
        start = rng.choice(STARTS[kind[0]]) if rng.random() < 0.3 else STARTS[kind[0]][0]
        framing, content = rng.choice(FRAMINGS)
        lines = [rng.choice(FIELDS) for _ in range(rng.randrange(4))] + [framing]
        if kind == ["request"] and rng.random() < 0.95:
            lines.append(b"Host: h")
        lines += [rng.choice(RARE)] * (rng.random() < 0.15)
        rng.shuffle(lines)
        if kind == ["request"] and framing.startswith(b"A: until") and rng.random() < 0.9:
            content = b""
        message = b"".join(line + b"\r\n" for line in [start, *lines, b""]) + content
        if rng.random() < 0.1:
            message += b"GET / HTTP/1.1\r\n"
        for _ in range(rng.randrange(3) if rng.random() < 0.3 else 0):
            message = mutate(rng, message)
        yield (*kind, message)


def mutate(rng, message):
    at, end = sorted(rng.choices(range(len(message) + 1), k=2))
    byte = rng.choice([b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b";", b",", b"0", b"a", b"\x00", b"\x7f", b"\x01", b"\xff"])
    return rng.choice([
        message[:at] + byte + message[at:],
        message[:at] + byte + message[at + 1:],
        message[:at] + message[at + 1:],
        message[:end] if rng.random() < 0.3 else message.replace(b"\r\n", b"\n", 1),
        message[:at] + message[at:at + 8] + message[at:],
        byte + message,
    ])


if __name__ == "__main__":
    sys.exit(main())
