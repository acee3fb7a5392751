"""Each type of frame in places, sizes and with values that are errors (RFC 9113 §6 and §7): 45 cases."""

import struct

from frames import (
    ACK, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS,
    INITIAL_WINDOW, MAX_FRAME, PADDED, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE,
    block, frame, literal, request, settings,
)
from h2cases import Cases, Outcome, Suite, alive, connection_error, served, stream_error

case = Cases()


@case("6.1", "DATA on stream 0")
def _(c):
    c.data(0, b"test", ends=True)
    connection_error(c, PROTOCOL_ERROR)


@case("6.1", "DATA on a stream that is not open")
def _(c):
    c.get(1)
    served(c)
    c.data(1, b"test")
    stream_error(c, 1, STREAM_CLOSED)


@case("6.1", "DATA with more padding than payload")
def _(c):
    c.post(1)
    c.send(frame(DATA, END_STREAM | PADDED, 1, b"\x06test"))
    connection_error(c, PROTOCOL_ERROR)


@case("6.2", "HEADERS without END_HEADERS, then PRIORITY")
def _(c):
    c.send(frame(HEADERS, END_STREAM, 1, block(request(scheme=c.scheme))), frame(PRIORITY, 0, 1, bytes(5)))
    connection_error(c, PROTOCOL_ERROR)


@case("6.2", "HEADERS without END_HEADERS, then HEADERS of another stream")
def _(c):
    c.send(frame(HEADERS, END_STREAM, 1, block(request(scheme=c.scheme))))
    c.get(3)
    connection_error(c, PROTOCOL_ERROR)


@case("6.2", "HEADERS on stream 0")
def _(c):
    c.get(0)
    connection_error(c, PROTOCOL_ERROR)


@case("6.2", "HEADERS with more padding than payload")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, bytes([len(text) + 1]) + text))
    connection_error(c, PROTOCOL_ERROR)


@case("6.3", "PRIORITY on stream 0")
def _(c):
    c.send(frame(PRIORITY, 0, 0, bytes(5)))
    connection_error(c, PROTOCOL_ERROR)


@case("6.3", "PRIORITY of another length")
def _(c):
    c.send(frame(PRIORITY, 0, 1, bytes(4)))
    stream_error(c, 1, FRAME_SIZE_ERROR)


@case("6.4", "RST_STREAM on stream 0")
def _(c):
    c.reset(0)
    connection_error(c, PROTOCOL_ERROR)


@case("6.4", "RST_STREAM on an idle stream")
def _(c):
    c.reset(1)
    connection_error(c, PROTOCOL_ERROR)


@case("6.4", "RST_STREAM of another length")
def _(c):
    c.post(1)
    c.send(frame(RST_STREAM, 0, 1, bytes(3)))
    connection_error(c, FRAME_SIZE_ERROR)


@case("6.5", "SETTINGS that acknowledge and have a payload")
def _(c):
    c.send(settings([(3, 1)], flags=ACK))
    connection_error(c, FRAME_SIZE_ERROR)


@case("6.5", "SETTINGS on a stream")
def _(c):
    c.send(settings([(3, 1)], stream=1))
    connection_error(c, PROTOCOL_ERROR)


@case("6.5", "SETTINGS that are no whole entries")
def _(c):
    c.send(frame(SETTINGS, 0, 0, bytes(3)))
    connection_error(c, FRAME_SIZE_ERROR)


for name, value, code in (
    (ENABLE_PUSH, 2, PROTOCOL_ERROR), (INITIAL_WINDOW, 1 << 31, FLOW_CONTROL_ERROR), (MAX_FRAME, 16383, PROTOCOL_ERROR),
    (MAX_FRAME, 1 << 24, PROTOCOL_ERROR),
):

    @case("6.5.2", f"setting {name} of {value}")
    def _(c, name=name, value=value, code=code):
        c.send(settings([(name, value)]))
        connection_error(c, code)


@case("6.5.2", "an unknown setting")
def _(c):
    c.send(settings([(0xFF, 1)]))
    alive(c)


@case("6.5.3", "the last of two values counts", entries=[(INITIAL_WINDOW, 100), (INITIAL_WINDOW, 1)], grow=False)
def _(c):
    c.get(1)
    if not c.wait(lambda: c.stream(1).body):
        raise Outcome("no content")
    if len(c.stream(1).body) != 1:
        raise Outcome(c.stream(1).body)


@case("6.5.3", "SETTINGS are acknowledged")
def _(c):
    c.send(settings([]))
    if not c.wait(lambda: c.acknowledged == 2):
        raise Outcome("no ACK")


@case("6.7", "PING")
def _(c):
    alive(c)


@case("6.7", "PING that acknowledges is not answered")
def _(c):
    c.send(frame(PING, ACK, 0, b"invalid."))
    alive(c)
    if b"invalid." in c.pongs:
        raise Outcome(c.pongs)


@case("6.7", "PING on a stream")
def _(c):
    c.send(frame(PING, 0, 1, b"12345678"))
    connection_error(c, PROTOCOL_ERROR)


@case("6.7", "PING of another length")
def _(c):
    c.send(frame(PING, 0, 0, b"123456"))
    connection_error(c, FRAME_SIZE_ERROR)


@case("6.8", "GOAWAY on a stream")
def _(c):
    c.send(frame(GOAWAY, 0, 1, bytes(8)))
    connection_error(c, PROTOCOL_ERROR)


@case("6.9", "WINDOW_UPDATE by 0 of the connection")
def _(c):
    c.window(0, 0)
    connection_error(c, PROTOCOL_ERROR)


@case("6.9", "WINDOW_UPDATE by 0 of a stream")
def _(c):
    c.post(1)
    c.window(1, 0)
    stream_error(c, 1, PROTOCOL_ERROR)


@case("6.9", "WINDOW_UPDATE of another length")
def _(c):
    c.send(frame(WINDOW_UPDATE, 0, 0, bytes(3)))
    connection_error(c, FRAME_SIZE_ERROR)


@case("6.9.1", "a window of one byte", entries=[(INITIAL_WINDOW, 1)], grow=False)
def _(c):
    c.get(1)
    if not c.wait(lambda: c.stream(1).body) or len(c.stream(1).body) != 1:
        raise Outcome(c.stream(1).body)


@case("6.9.1", "the connection's window above 2^31-1")
def _(c):
    c.window(0, (1 << 31) - 1)
    c.window(0, (1 << 31) - 1)
    connection_error(c, FLOW_CONTROL_ERROR)


@case("6.9.1", "a stream's window above 2^31-1")
def _(c):
    c.post(1)
    c.window(1, (1 << 31) - 1)
    c.window(1, (1 << 31) - 1)
    stream_error(c, 1, FLOW_CONTROL_ERROR)


@case("6.9.2", "the first window changes after the request", entries=[(INITIAL_WINDOW, 0)], grow=False)
def _(c):
    c.get(1)
    c.wait(lambda: c.stream(1).fields)
    c.send(settings([(INITIAL_WINDOW, 1)]))
    if not c.wait(lambda: c.stream(1).body) or len(c.stream(1).body) != 1:
        raise Outcome(c.stream(1).body)


@case("6.9.2", "a window becomes negative", entries=[(INITIAL_WINDOW, 3)], grow=False)
def _(c):
    c.get(1)
    c.wait(lambda: len(c.stream(1).body) == 3)
    c.send(settings([(INITIAL_WINDOW, 2)]))
    c.window(1, 2)
    if not c.wait(lambda: len(c.stream(1).body) > 3) or len(c.stream(1).body) != 4:
        raise Outcome(c.stream(1).body)


@case("6.9.2", "a first window above 2^31-1")
def _(c):
    c.send(settings([(INITIAL_WINDOW, 0xFFFFFFFF)]))
    connection_error(c, FLOW_CONTROL_ERROR)


@case("6.9.2", "a first window that makes that of a stream too large")
def _(c):
    c.post(1)
    c.window(1, 2**31 - 1 - 65535)
    alive(c)
    c.send(settings([(INITIAL_WINDOW, 65536)]))
    connection_error(c, FLOW_CONTROL_ERROR)


@case("6.10", "several CONTINUATION after HEADERS")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, END_STREAM, 1, text[:5]), frame(CONTINUATION, 0, 1, text[5:9]), frame(CONTINUATION, END_HEADERS, 1, text[9:]))
    served(c)


@case("6.10", "another frame than CONTINUATION after CONTINUATION")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, 0, 1, text[:5]), frame(CONTINUATION, 0, 1, text[5:]), frame(DATA, END_STREAM, 1, b"test"))
    connection_error(c, PROTOCOL_ERROR)


@case("6.10", "CONTINUATION on stream 0")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, END_STREAM, 1, text[:5]), frame(CONTINUATION, END_HEADERS, 0, text[5:]))
    connection_error(c, PROTOCOL_ERROR)


@case("6.10", "CONTINUATION after HEADERS with END_HEADERS")
def _(c):
    c.get(1, ends=False)
    c.send(frame(CONTINUATION, END_HEADERS, 1, literal(b"x", b"y")))
    connection_error(c, PROTOCOL_ERROR)


@case("6.10", "CONTINUATION after CONTINUATION with END_HEADERS")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, 0, 1, text[:5]), frame(CONTINUATION, END_HEADERS, 1, text[5:]))
    c.send(frame(CONTINUATION, END_HEADERS, 1, literal(b"x", b"y")))
    connection_error(c, PROTOCOL_ERROR)


@case("6.10", "CONTINUATION after DATA")
def _(c):
    c.post(1)
    c.data(1, b"test")
    c.send(frame(CONTINUATION, END_HEADERS, 1, literal(b"x", b"y")))
    connection_error(c, PROTOCOL_ERROR)


@case("7", "GOAWAY with an unknown code")
def _(c):
    c.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0xFF)))
    c.ping()
    if not c.wait(lambda: c.pongs or c.end):
        raise Outcome("neither answered nor closed")


@case("7", "RST_STREAM with an unknown code")
def _(c):
    c.post(1)
    c.reset(1, 0xFF)
    alive(c)


class Frames(Suite):
    def test_in_clear_text(self):
        case.run(self, tls=False)

    def test_under_tls(self):
        case.run(self, tls=True)
