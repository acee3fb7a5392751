"""Frames in states and sizes where they are errors (RFC 9113 §3 to §5): 32 cases, with the codes that the RFC asks for."""

import struct
import time

from frames import (
    COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FRAME_SIZE_ERROR, GOAWAY, HEADERS, PING, PREFACE, PRIORITIZED,
    PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, ACK, block, frame, literal, request,
    settings,
)
from h2cases import Cases, Outcome, Suite, alive, connection_error, served, stream_error

case = Cases()


@case("3.4", "the server's preface comes unasked", opening=False)
def _(c):
    c.send(PREFACE + settings([]))
    if not c.wait(lambda: c.frames) or c.frames[0].kind != SETTINGS or c.frames[0].flags & ACK:
        raise Outcome(c.frames)


@case("3.4", "another preface", opening=False)
def _(c):
    c.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
    if c.scheme == b"http":
        # The port speaks HTTP/1 as well, and takes it for a bad request of that.
        if not c.closes() or not c.buffer.startswith(b"HTTP/1.1 400 "):
            raise Outcome(c.buffer)
        return
    connection_error(c, PROTOCOL_ERROR)


@case("4.1", "an unknown type of frame")
def _(c):
    c.send(frame(0x16, 0, 0, bytes(8)))
    alive(c)


@case("4.1", "an undefined flag")
def _(c):
    c.send(frame(PING, 0x16, 0, b"12345678"))
    alive(c)


@case("4.1", "the reserved bit")
def _(c):
    c.send(frame(PING, 0, 1 << 31, b"12345678"))
    alive(c)


@case("4.2", "DATA of 16384 bytes")
def _(c):
    c.post(1)
    c.data(1, bytes(16384), ends=True)
    served(c)


@case("4.2", "DATA of more")
def _(c):
    c.post(1)
    c.data(1, bytes(16385), ends=True)
    stream_error(c, 1, FRAME_SIZE_ERROR)


@case("4.2", "HEADERS of more")
def _(c):
    c.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(request(scheme=c.scheme) + [(b"x", b"a" * 8000)] * 3)))
    connection_error(c, FRAME_SIZE_ERROR)


@case("4.3", "fields that cannot be decoded")
def _(c):
    c.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x40"))
    connection_error(c, COMPRESSION_ERROR)


@case("4.3", "PRIORITY inside of a field section")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, END_STREAM, 1, text[:9]), frame(PRIORITY, 0, 1, bytes(5)), frame(CONTINUATION, END_HEADERS, 1, text[9:]))
    connection_error(c, PROTOCOL_ERROR)


@case("4.3", "HEADERS of another stream inside of a field section")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, END_STREAM, 1, text[:9]), frame(HEADERS, END_STREAM | END_HEADERS, 3, text))
    connection_error(c, PROTOCOL_ERROR)


# Idle streams.


@case("5.1", "idle: DATA")
def _(c):
    c.data(1, b"test", ends=True)
    connection_error(c, PROTOCOL_ERROR)


@case("5.1", "idle: RST_STREAM")
def _(c):
    c.reset(1)
    connection_error(c, PROTOCOL_ERROR)


@case("5.1", "idle: WINDOW_UPDATE")
def _(c):
    c.window(1, 100)
    connection_error(c, PROTOCOL_ERROR)


@case("5.1", "idle: CONTINUATION")
def _(c):
    c.send(frame(CONTINUATION, END_HEADERS, 1, block(request(scheme=c.scheme))))
    connection_error(c, PROTOCOL_ERROR)


# Streams that the client has ended.


def ended(c):
    c.suite.origin.script = slow
    c.get(1)


def slow(call):
    """Leaves the stream half closed while the case goes on."""
    time.sleep(0.3)
    call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@case("5.1", "half closed: DATA")
def _(c):
    ended(c)
    c.data(1, b"test", ends=True)
    stream_error(c, 1, STREAM_CLOSED)


@case("5.1", "half closed: HEADERS")
def _(c):
    ended(c)
    c.get(1)
    stream_error(c, 1, STREAM_CLOSED)


@case("5.1", "half closed: CONTINUATION")
def _(c):
    ended(c)
    c.send(frame(CONTINUATION, END_HEADERS, 1, literal(b"x", b"y")))
    stream_error(c, 1, STREAM_CLOSED, PROTOCOL_ERROR)


# Closed streams.


@case("5.1", "closed by RST_STREAM: DATA")
def _(c):
    c.post(1)
    c.reset(1)
    c.data(1, b"test", ends=True)
    stream_error(c, 1, STREAM_CLOSED)


@case("5.1", "closed by RST_STREAM: HEADERS")
def _(c):
    c.post(1)
    c.reset(1)
    c.get(1)
    stream_error(c, 1, STREAM_CLOSED)


@case("5.1", "closed by RST_STREAM: CONTINUATION")
def _(c):
    c.post(1)
    c.reset(1)
    c.send(frame(CONTINUATION, END_HEADERS, 1, literal(b"x", b"y")))
    stream_error(c, 1, STREAM_CLOSED, PROTOCOL_ERROR)


@case("5.1", "closed: DATA")
def _(c):
    c.get(1)
    served(c)
    c.data(1, b"test", ends=True)
    stream_error(c, 1, STREAM_CLOSED)


@case("5.1", "closed: HEADERS")
def _(c):
    c.get(1)
    served(c)
    c.get(1)
    connection_error(c, STREAM_CLOSED)


@case("5.1", "closed: CONTINUATION")
def _(c):
    c.get(1)
    served(c)
    c.send(frame(CONTINUATION, END_HEADERS, 1, literal(b"x", b"y")))
    connection_error(c, STREAM_CLOSED, PROTOCOL_ERROR)


# Identifiers.


@case("5.1.1", "an even number")
def _(c):
    c.get(2)
    connection_error(c, PROTOCOL_ERROR)


@case("5.1.1", "a lower number than before")
def _(c):
    c.get(5)
    served(c, 5)
    c.get(3)
    connection_error(c, PROTOCOL_ERROR)


@case("5.1.2", "more streams than are allowed")
def _(c):
    c.suite.origin.script = slow
    most = c.peer[3]
    for number in range(most + 1):
        c.get(1 + 2 * number)
    stream_error(c, 1 + 2 * most, PROTOCOL_ERROR, REFUSED_STREAM)


# Priorities, errors, extensions.


@case("5.3.1", "HEADERS that depend on their own stream")
def _(c):
    c.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, struct.pack(">IB", 1, 255) + block(request(scheme=c.scheme))))
    stream_error(c, 1, PROTOCOL_ERROR)


@case("5.3.1", "PRIORITY that depends on its own stream")
def _(c):
    c.send(frame(PRIORITY, 0, 3, struct.pack(">IB", 3, 255)))
    stream_error(c, 3, PROTOCOL_ERROR)


@case("5.4.1", "after an error of the connection nothing is answered")
def _(c):
    c.send(frame(PING, 0, 0, b"123456"))
    c.ping()
    connection_error(c, FRAME_SIZE_ERROR)
    if c.pongs:
        raise Outcome("a PING was answered")


@case("5.5", "an unknown frame with a payload")
def _(c):
    c.send(frame(0xEE, 0xFF, 7, bytes(300)))
    alive(c)


@case("5.5", "an unknown frame inside of a field section")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, END_STREAM, 1, text[:9]), frame(0xEE, 0, 1, bytes(8)), frame(CONTINUATION, END_HEADERS, 1, text[9:]))
    connection_error(c, PROTOCOL_ERROR)


class States(Suite):
    def test_in_clear_text(self):
        case.run(self, tls=False)

    def test_under_tls(self):
        case.run(self, tls=True)
