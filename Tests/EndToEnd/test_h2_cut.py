"""Backends that break off: over every protocol, an answer cut short never looks complete to the client."""

import socket
import ssl
import struct
import threading

import frames
from frames import (
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INTERNAL_ERROR, NO_ERROR, PING, PREFACE, PROTOCOL_ERROR,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, settings,
)
from h2cases import Suite
from wire import Client

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = OK + b"Content-Length: 100\r\n\r\n"

# What a backend over HTTP/1 sends before it ends the connection; with True it resets it.
CUTS = [
    ("in the status line", b"HTTP/1.1 20", False), ("in the head", OK + b"Content-Le", False), ("behind the head", LENGTH, False),
    ("in a length", LENGTH + b"a" * 50, False), ("one byte before the length", LENGTH + b"a" * 99, False),
    ("in a length, reset", LENGTH + b"a" * 50, True), ("behind a chunked head", CHUNKED, False), ("in a chunk's line", CHUNKED + b"5", False),
    ("behind a chunk's line", CHUNKED + b"5\r\n", False), ("in a chunk", CHUNKED + b"5\r\nhel", False), ("behind a chunk", CHUNKED + b"5\r\nhello\r\n", False),
    ("before a chunk's end", CHUNKED + b"5\r\nhello", False), ("in the last chunk's line", CHUNKED + b"5\r\nhello\r\n0", False),
    ("in the last chunk", CHUNKED + b"5\r\nhello\r\n0\r\n", False), ("in the trailers", CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n", False),
    ("in a chunk, reset", CHUNKED + b"5\r\nhel", True), ("behind a chunk, reset", CHUNKED + b"5\r\nhello\r\n", True),
    ("a chunk line that is none", CHUNKED + b"5\r\nhello\r\nxyz\r\n", False), ("a chunk that is too long", CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n", False),
    ("without a length, reset", OK + b"\r\n" + b"a" * 50, True), ("behind an interim answer", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", False),
    ("a large length", OK + b"Content-Length: 500000\r\n\r\n" + b"a" * 400000, False),
    ("a large length, reset", OK + b"Content-Length: 500000\r\n\r\n" + b"a" * 400000, True),
    ("large chunks", CHUNKED + b"30000\r\n" + b"a" * 0x30000 + b"\r\n30000\r\n" + b"a" * 100, False),
    ("trailers that are none", CHUNKED + b"5\r\nhello\r\n0\r\nX y\r\n\r\n", False),
]


class Streams:
    """A backend that speaks HTTP/2 in clear text, by hand: `script(write, stream)` answers each request."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        self.script = None
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        buffer = b""
        try:
            connection.sendall(settings([(frames.MAX_STREAMS, 100)]))
            while True:
                data = connection.recv(1 << 16)
                if not data:
                    return connection.close()
                buffer += data
                if buffer.startswith(b"PRI"):
                    if len(buffer) < len(PREFACE):
                        continue
                    buffer = buffer[len(PREFACE) :]
                while len(buffer) >= 9 and len(buffer) >= 9 + int.from_bytes(buffer[:3], "big"):
                    length, kind, flags, stream = int.from_bytes(buffer[:3], "big"), buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big")
                    buffer = buffer[9 + length :]
                    if kind == SETTINGS and not flags & ACK:
                        connection.sendall(settings([], ACK))
                    if kind == HEADERS and self.script(connection, stream) == "close":
                        return connection.close()
        except OSError:
            connection.close()


def head(stream, *extra, ends=False):
    return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream, block([(b":status", b"200"), *extra]))


def reset(stream, code):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


# What a backend over HTTP/2 sends on a stream; the second says what it does then.
STREAM_CUTS = [
    ("behind the head", lambda s: head(s), "close"), ("behind content", lambda s: head(s) + frame(DATA, 0, s, b"hello"), "close"),
    ("behind content, connection reset", lambda s: head(s) + frame(DATA, 0, s, b"hello"), "reset"),
    ("in a frame", lambda s: head(s) + frame(DATA, END_STREAM, s, b"hel", 5), "close"),
    ("in the frame's header", lambda s: head(s) + frame(DATA, END_STREAM, s, b"hello")[:7], "close"),
    *[
        (f"by RST_STREAM with {code}", lambda s, code=code: head(s) + frame(DATA, 0, s, b"hello") + reset(s, code), None)
        for code in (NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, 7, CANCEL, 11)
    ],
    ("by RST_STREAM before the head", lambda s: reset(s, INTERNAL_ERROR), None),
    ("by RST_STREAM after a whole length", lambda s: head(s, (b"content-length", b"5")) + frame(DATA, 0, s, b"hello") + reset(s, CANCEL), None),
    ("less than the length", lambda s: head(s, (b"content-length", b"10")) + frame(DATA, END_STREAM, s, b"hello"), None),
    ("less than the length, with trailers", lambda s: head(s, (b"content-length", b"10")) + frame(DATA, 0, s, b"hello")
        + frame(HEADERS, 5, s, block([(b"x", b"y")])), None),
    ("more than the length", lambda s: head(s, (b"content-length", b"3")) + frame(DATA, END_STREAM, s, b"hello"), None),
    ("a length and nothing", lambda s: head(s, (b"content-length", b"3"), ends=True), None),
    ("by GOAWAY below it", lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(GOAWAY, 0, 0, bytes(8)), "close"),
    ("by GOAWAY with an error", lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(GOAWAY, 0, 0, struct.pack(">II", s, 2)), "close"),
    ("by an error of the connection", lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(PING, 0, 0, b"x"), None),
    ("by fields that cannot be decoded", lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(HEADERS, 5, s, b"\x80"), None),
    ("by malformed trailers", lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(HEADERS, 5, s, block([(b":status", b"200")])), None),
    ("by trailers that end nothing", lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(HEADERS, 4, s, block([(b"x", b"y")])), None),
    ("in the trailers", lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(HEADERS, 1, s, block([(b"x", b"y")])), "close"),
    ("by a window too large", lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(WINDOW_UPDATE, 0, s, b"\x7f\xff\xff\xff") * 2, None),
]


class Cuts(Suite):
    routes = """
routes:
  - {name: h2c, match: {path: /h2c}, auth: public, forward: {upstream: b}}
  - {name: rest, match: {path: /}, auth: public, forward: {upstream: a}}
"""

    @classmethod
    def setUpClass(cls):
        cls.backend = Streams()
        cls.upstreams = '  - {name: b, protocol: h2c, idle_timeout: 2s, servers: ["127.0.0.1:%d"]}\n' % cls.backend.port
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.backend.stop()

    @staticmethod
    def script(data, resets):
        def script(call):
            call.read_body()
            call.send(data)
            if resets:
                # What was sent is read before the reset comes.
                threading.Event().wait(0.15)
                call.reset()
            call.close()

        return script

    @staticmethod
    def stream_script(make, then):
        def script(connection, stream):
            connection.sendall(make(stream))
            if then == "reset":
                threading.Event().wait(0.15)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return "close" if then else None

        return script

    def check(self, path, has_length=False):
        """Over HTTP/2, HTTP/1.1 and HTTP/1.0, in clear text and under TLS; whole content of a known length is whole there."""
        for tls in (False, True):
            with self.connect(tls) as c:
                c.get(1, path)
                answer = c.answer(1, 5)
                if answer.status == 502:
                    self.assertTrue(answer.ended)
                else:
                    self.assertFalse(answer.ended, "END_STREAM")
                    self.assertIsNotNone(answer.reset, f"no RST_STREAM: {c.goaway}, {c.end}")
                self.assertTrue(c.alive(), "the connection is gone")
        if has_length:
            return
        for version in (b"1.1", b"1.0"):
            with Client(self.listener("main"), patience=5) as c:
                c.send(b"GET %s HTTP/%s\r\nHost: gateway.example\r\n\r\n" % (path, version))
                reply = c.reply(version=version)
                if reply is not None and reply.status != 502:
                    self.assertFalse(reply.complete, f"complete over HTTP/{version.decode()}")
        context = ssl.create_default_context(cadata=self.authority)
        with socket.create_connection(("127.0.0.1", self.listener("tls"))) as plain:
            plain.settimeout(5)
            with context.wrap_socket(plain, server_hostname="gateway.example", suppress_ragged_eofs=False) as c:
                c.sendall(b"GET %s HTTP/1.0\r\nHost: gateway.example\r\n\r\n" % path)
                text = b""
                try:
                    while data := c.recv(1 << 18):
                        text += data
                    length = text.lower().split(b"content-length: ")
                    whole = len(length) > 1 and len(text.split(b"\r\n\r\n", 1)[1]) < int(length[1].split(b"\r\n")[0])
                    self.assertTrue(b" 502 " in text[:20] or whole, "a clean end under TLS")
                except (ssl.SSLError, OSError):
                    pass

    def test_backends_over_http1(self):
        for title, data, resets in CUTS:
            with self.subTest(title):
                self.origin.forget()
                self.origin.script = self.script(data, resets)
                self.check(b"/cut")

    def test_backends_over_http2(self):
        for title, make, then in STREAM_CUTS:
            with self.subTest(title):
                self.backend.script = self.stream_script(make, then)
                self.check(b"/h2c", has_length="whole length" in title)

    def test_what_was_queued_goes_first(self):
        """A client that takes it slowly gets all that came, and then the reset; also where its window ends with the content."""
        content = b"a" * 60000
        self.origin.script = self.script(OK + b"Content-Length: 500000\r\n\r\n" + content, False)
        pieces = lambda s: b"".join(frame(DATA, 0, s, content[at : at + 15000]) for at in range(0, 60000, 15000))
        self.backend.script = self.stream_script(lambda s: head(s) + pieces(s) + reset(s, INTERNAL_ERROR), None)
        for path in (b"/cut", b"/h2c"):
            for window in (1000, 60000):
                with self.subTest((path, window)):
                    with frames.H2(self.listener("main"), entries=[(frames.INITIAL_WINDOW, window)], grow=False) as c:
                        c.get(1, path)
                        self.assertTrue(c.wait(lambda: len(c.stream(1).body) == window))
                        if window < len(content):
                            self.assertFalse(c.wait(lambda: c.stream(1).over, 0.4))
                            c.window(1, 1 << 20)
                        answer = c.answer(1)
                        self.assertEqual((len(answer.body), answer.ended, answer.reset), (60000, False, INTERNAL_ERROR))
                        self.assertTrue(c.alive())

    def test_answers_that_are_complete(self):
        for data in (LENGTH + b"a" * 100, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", OK + b"\r\n" + b"a" * 50, OK + b"Content-Length: 0\r\n\r\n"):
            self.origin.script = self.script(data, False)
            with self.connect() as c:
                c.get(1)
                self.assertTrue(c.answer(1).ended)
        for make in (
            lambda s: head(s, ends=True), lambda s: head(s) + frame(DATA, END_STREAM, s, b"hello"),
            lambda s: head(s) + frame(DATA, 0, s, b"hello") + frame(HEADERS, 5, s, block([(b"x", b"y")])),
            lambda s: head(s, (b"content-length", b"5")) + frame(DATA, 0, s, b"hello") + frame(DATA, END_STREAM, s),
        ):
            self.backend.script = self.stream_script(make, None)
            with self.connect() as c:
                c.get(1, b"/h2c")
                self.assertTrue(c.answer(1).ended)
                self.assertEqual(c.stream(1).status, 200)

    def test_a_backend_that_falls_silent(self):
        for path in (b"/cut", b"/h2c"):
            with self.subTest(path):
                self.origin.script = lambda call: (call.send(LENGTH + b"a" * 50), threading.Event().wait(5))
                self.backend.script = self.stream_script(lambda s: head(s) + frame(DATA, 0, s, b"hello"), None)
                with self.connect() as c:
                    c.get(1, path)
                    answer = c.answer(1, 5)
                    self.assertFalse(answer.ended)
                    self.assertIsNotNone(answer.reset)
