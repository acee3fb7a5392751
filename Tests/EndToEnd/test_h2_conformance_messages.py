"""Requests that are malformed (RFC 9113 §8) and fields that cannot be decompressed (RFC 7541): 28 cases."""

from frames import (
    COMPRESSION_ERROR, END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, PUSH_PROMISE, block, frame, huffman, integer, literal, request,
    string,
)
from h2cases import Cases, Suite, connection_error, served, stream_error

case = Cases()


@case("8.1", "a second HEADERS without END_STREAM")
def _(c):
    c.post(1)
    c.data(1, b"test")
    c.headers(1, [(b"x-test", b"ok")], ends=False)
    stream_error(c, 1, PROTOCOL_ERROR)


def malformed(section, title, change):
    @case(section, title)
    def _(c):
        c.headers(1, change(request(scheme=c.scheme)))
        stream_error(c, 1, PROTOCOL_ERROR)


def without(name):
    return lambda fields: [field for field in fields if field[0] != name]


malformed("8.2.1", "a name in upper case", lambda fields: fields + [(b"X-TEST", b"ok")])
malformed("8.3", "an unknown pseudo-header field", lambda fields: fields + [(b":test", b"ok")])
malformed("8.3", "the pseudo-header field of responses", lambda fields: fields + [(b":status", b"200")])


@case("8.3", "a pseudo-header field in trailers")
def _(c):
    c.post(1)
    c.data(1, b"test")
    c.headers(1, [(b":method", b"POST")])
    stream_error(c, 1, PROTOCOL_ERROR)


malformed("8.3", "a pseudo-header field after another", lambda fields: fields[:2] + [(b"x-test", b"ok")] + fields[2:])
malformed("8.2.2", "Connection", lambda fields: fields + [(b"connection", b"keep-alive")])
malformed("8.2.2", "TE of something else than trailers", lambda fields: fields + [(b"te", b"trailers, deflate;q=0.5")])
malformed("8.3.1", "an empty :path", lambda fields: [(name, b"" if name == b":path" else value) for name, value in fields])
malformed("8.3.1", "no :method", without(b":method"))
malformed("8.3.1", "no :scheme", without(b":scheme"))
malformed("8.3.1", "no :path", without(b":path"))
malformed("8.3.1", ":method twice", lambda fields: fields[:1] + fields)
malformed("8.3.1", ":scheme twice", lambda fields: fields[1:2] + fields)
malformed("8.3.1", ":path twice", lambda fields: fields[2:3] + fields)


@case("8.1.1", "a length that DATA does not have")
def _(c):
    c.post(1, fields=[(b"content-length", b"1")])
    c.data(1, b"test", ends=True)
    stream_error(c, 1, PROTOCOL_ERROR)


@case("8.1.1", "a length that several DATA do not have")
def _(c):
    c.post(1, fields=[(b"content-length", b"1")])
    c.data(1, b"te")
    c.data(1, b"st", ends=True)
    stream_error(c, 1, PROTOCOL_ERROR)


@case("8.4", "PUSH_PROMISE of a client")
def _(c):
    c.send(frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + block(request(scheme=c.scheme))))
    connection_error(c, PROTOCOL_ERROR)


@case("RFC 9218 7.1", "a priority for no stream")
def _(c):
    c.send(frame(16, 0, 0, b"\0\0\0\0u=0"))
    connection_error(c, PROTOCOL_ERROR)


@case("RFC 9218 7.1", "a priority for a stream to come, in pieces")
def _(c):
    for byte in frame(16, 0, 0, b"\0\0\0\x01u=0"):
        c.send(bytes([byte]))
    c.get(1)
    served(c)


def undecodable(section, title, text):
    @case("RFC 7541 " + section, title)
    def _(c):
        c.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(request(scheme=c.scheme)) + text))
        connection_error(c, COMPRESSION_ERROR)


undecodable("2.3.3", "an index beyond the tables", integer(70, 7, 128))
undecodable("2.3.3", "a literal with a name beyond the tables", integer(70, 6, 64) + string(b"empty"))
undecodable("4.2", "a size update at the end", integer(0, 5, 32))
undecodable("5.2", "padding of more than 7 bits", literal(b"x-test", b"")[:-1] + integer(5, 7, 128) + huffman(b"test1", extra=b"\xff")[:5])
undecodable("5.2", "padding of zeros", literal(b"x-test", b"")[:-1] + integer(len(huffman(b"a")), 7, 128) + huffman(b"a", padding=0))
undecodable("5.2", "the end of the string as a symbol", literal(b"x-test", b"")[:-1] + integer(4, 7, 128) + b"\xff\xff\xff\xff")
undecodable("6.1", "index 0", integer(0, 7, 128))


@case("RFC 7541 6.3", "a size update above the setting")
def _(c):
    c.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, integer(4097, 5, 32) + block(request(scheme=c.scheme))))
    connection_error(c, COMPRESSION_ERROR)


class Messages(Suite):
    def test_in_clear_text(self):
        case.run(self, tls=False)

    def test_under_tls(self):
        case.run(self, tls=True)
