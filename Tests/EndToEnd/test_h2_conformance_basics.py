"""What every HTTP/2 server does with frames, states and fields that are right (RFC 9113, RFC 7541): 44 cases."""

import struct

from frames import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR, PADDED, PING, PREFACE, PRIORITIZED, PRIORITY,
    SETTINGS, block, frame, huffman, integer, literal, request, settings, string,
)
from h2cases import Cases, Outcome, Suite, alive, served

case = Cases()


def priority(stream, parent=0, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", parent, weight))


@case("3.4", "the preface is answered with SETTINGS")
def _(c):
    if not c.frames or c.frames[0].kind != SETTINGS or c.frames[0].flags & ACK:
        raise Outcome(c.frames)


# Streams and their states.


@case("5.1", "PRIORITY on an idle stream")
def _(c):
    c.send(priority(1))
    c.get(1)
    served(c)


@case("5.1", "WINDOW_UPDATE on a half-closed stream")
def _(c):
    c.get(1)
    c.window(1, 100)
    served(c)
    alive(c)


@case("5.1", "PRIORITY on a half-closed stream")
def _(c):
    c.get(1)
    c.send(priority(1))
    served(c)
    alive(c)


@case("5.1", "RST_STREAM on a half-closed stream")
def _(c):
    c.get(1)
    c.reset(1)
    alive(c)


@case("5.1", "PRIORITY on a closed stream")
def _(c):
    c.get(1)
    served(c)
    c.send(priority(1))
    alive(c)


# Frames.


@case("6.1", "DATA")
def _(c):
    c.post(1)
    c.data(1, b"test", ends=True)
    if not served(c).body.endswith(b"test"):
        raise Outcome("content")


@case("6.1", "several DATA")
def _(c):
    c.post(1)
    c.data(1, b"te")
    c.data(1, b"st")
    c.data(1, ends=True)
    if not served(c).body.endswith(b"test"):
        raise Outcome("content")


@case("6.1", "DATA with padding")
def _(c):
    c.post(1)
    c.send(frame(DATA, END_STREAM | PADDED, 1, b"\x06test" + bytes(6)))
    if not served(c).body.endswith(b"\r\n\r\ntest"):
        raise Outcome("content")


@case("6.2", "HEADERS")
def _(c):
    c.get(1)
    served(c)


@case("6.2", "HEADERS with padding")
def _(c):
    c.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b"\x06" + block(request(scheme=c.scheme)) + bytes(6)))
    served(c)


@case("6.2", "HEADERS with a priority")
def _(c):
    c.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, struct.pack(">IB", 0, 255) + block(request(scheme=c.scheme))))
    served(c)


for title, parent, weight in (("weight 1", 0, 0), ("weight 256", 0, 255), ("a parent", 1, 255), ("an exclusive parent", 1 << 31 | 1, 255)):

    @case("6.3", f"PRIORITY with {title}")
    def _(c, parent=parent, weight=weight):
        c.send(priority(3, parent, weight))
        c.get(3)
        served(c, 3)


@case("6.3", "PRIORITY for an idle stream, then HEADERS on a lower one")
def _(c):
    c.send(priority(7))
    c.get(1)
    served(c)


@case("6.4", "RST_STREAM")
def _(c):
    c.post(1)
    c.reset(1)
    alive(c)


@case("6.5", "SETTINGS are acknowledged")
def _(c):
    c.send(settings([(3, 100)]))
    if not c.wait(lambda: c.acknowledged == 2):
        raise Outcome("no ACK")


@case("6.7", "PING is answered with what it holds")
def _(c):
    c.ping(b"h2 conf.")
    if not c.wait(lambda: c.pongs == [b"h2 conf."]):
        raise Outcome(c.pongs)


@case("6.8", "GOAWAY, after which a PING is answered or the connection closed")
def _(c):
    c.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, NO_ERROR)))
    c.ping()
    if not c.wait(lambda: c.pongs or c.end):
        raise Outcome("neither")


@case("6.9", "WINDOW_UPDATE of the connection")
def _(c):
    c.window(0, 1)
    c.get(1)
    served(c)


@case("6.9", "WINDOW_UPDATE of a stream")
def _(c):
    c.get(1)
    c.window(1, 1)
    served(c)


@case("6.10", "CONTINUATION")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(frame(HEADERS, END_STREAM, 1, text[:9]), frame(CONTINUATION, END_HEADERS, 1, text[9:]))
    served(c)


@case("6.10", "several CONTINUATION")
def _(c):
    text = block(request(scheme=c.scheme))
    c.send(
        frame(HEADERS, END_STREAM, 1, text[:3]), frame(CONTINUATION, 0, 1, text[3:9]), frame(CONTINUATION, END_HEADERS, 1, text[9:])
    )
    served(c)


# Messages.


@case("8.1", "GET")
def _(c):
    c.get(1)
    if not served(c).body.startswith(b"GET / HTTP/1.1\r\n"):
        raise Outcome("request line")


@case("8.1", "HEAD")
def _(c):
    c.get(1, method=b"HEAD")
    if served(c).body:
        raise Outcome("content")


@case("8.1", "POST")
def _(c):
    c.post(1, fields=[(b"content-length", b"4")])
    c.data(1, b"test", ends=True)
    served(c)


@case("8.1", "POST with trailers")
def _(c):
    c.post(1, fields=[(b"trailer", b"x-test")])
    c.data(1, b"test")
    c.headers(1, [(b"x-test", b"ok")])
    served(c)


# Field compression.


def encoded(title, *pieces, seen=True):
    @case("RFC 7541", title)
    def _(c):
        start = b"\x82\x84" + (b"\x87" if c.scheme == b"https" else b"\x86") + b"\x41" + string(b"gateway.example")
        for number in (1, 3):
            c.send(frame(HEADERS, END_STREAM | END_HEADERS, number, start + pieces[0]))
            body = served(c, number).body.lower()
            if seen and (b"\r\nuser-agent: test" not in body and b"\r\nx-test: test" not in body):
                raise Outcome(body)


encoded("an indexed field", b"\x90", seen=False)
for coded in (False, True):
    with_code = " in Huffman's code" if coded else ""
    for kind, first, bits in (("incremental indexing", 0x40, 6), ("no indexing", 0, 4), ("never indexed", 0x10, 4)):
        encoded(f"a literal of {kind}, indexed name{with_code}", integer(58, bits, first) + string(b"test", coded))
        encoded(f"a literal of {kind}, new name{with_code}", bytes([first]) + string(b"x-test", coded) + string(b"test", coded))


def resized(title, start):
    @case("RFC 7541", title)
    def _(c):
        c.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, start + block(request(scheme=c.scheme))))
        served(c)
        c.get(3)
        served(c, 3)


resized("a size update", integer(128, 5, 0x20))
resized("two size updates", integer(128, 5, 0x20) + integer(4096, 5, 0x20))


class Basics(Suite):
    def test_in_clear_text(self):
        case.run(self, tls=False)

    def test_under_tls(self):
        case.run(self, tls=True)
