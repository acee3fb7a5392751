"""What stays of a stream whose two ends do not end together: refused and ended tunnels, wishes that HTTP/2 has no word for."""

import base64
import hashlib
import socket
import time
import unittest

import h2.settings

import http2
from frames import CONTINUATION, END_HEADERS, END_STREAM, H2, HEADERS, block, frame, request
from harness import Gateway, Upstream
from timing import steady

CONFIGURATION = """
workers: 1
drain: 20s
timeouts: {idle: 1s, stream_age: 1s}
upstreams:
  - {name: one, servers: ["127.0.0.1:@ONE@"]}
  - {name: two, servers: ["127.0.0.1:@TWO@"], protocol: h2c, pool: {max_connections: 1}}
routes:
  - {name: fixed, match: {path: /fixed}, auth: public, respond: {status: 200, body: hello}}
  - {name: two, match: {path: /two}, auth: public, forward: {upstream: two}}
  - {name: one, match: {path: /one}, auth: public, forward: {upstream: one}}
  - {name: closed-two, match: {path: /two/open/closed}, auth: public, forward: {upstream: two, stream_age: 1m}}
  - {name: closed-one, match: {path: /one/closed}, auth: public, forward: {upstream: one, stream_age: 1m}}
"""
UPGRADE = "GET /two HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: {}\r\n{}\r\n"
KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def script(stream):
    """Tunnels are accepted or refused by their path; requests are answered when they have ended."""
    if stream.head[":method"] == "CONNECT":
        opens = "/open" in stream.path
        stream.respond(200 if opens else 403, ends=not opens)
        if stream.path.endswith("/closed"):
            stream.send(b"\x88\x02\x03\xe8", ends=True)
        return
    until = steady() + 10
    while not stream.ended and steady() < until:
        time.sleep(0.005)
    stream.respond(200, [("x-ended", str(stream.ended))])


CLOSE, REPLY = b"\x88\x02\x03\xe8", b"\x88\x82\0\0\0\0\x03\xe8"


class Tunnels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.one, cls.heard = Upstream(cls.answer), []
        cls.two = http2.Server(script, settings={h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}, at_head=True)

    @classmethod
    def tearDownClass(cls):
        cls.two.stop()
        cls.one.stop()

    @classmethod
    def answer(cls, head, body, connection):
        """Closes a WebSocket at once and ends its own direction; what it hears then is kept."""
        if not head.startswith(b"GET /one/closed"):
            return Upstream.echo(head, body, connection)
        key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n")
        connection.sendall(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + CLOSE)
        connection.shutdown(socket.SHUT_WR)
        heard = b""
        while data := connection.recv(65536):
            heard += data
        cls.heard.append(heard)
        return None

    def setUp(self):
        self.gateway = Gateway(CONFIGURATION, ONE=self.one.port, TWO=self.two.port)
        self.addCleanup(self.gateway.stop)

    def client(self):
        client = http2.Client(self.gateway.port)
        self.addCleanup(client.socket.close)
        client.until(lambda: client.settled)
        return client

    def tunnel(self, client, path):
        return client.request(path, "CONNECT", protocol="websocket", ends=False)

    def ask(self, text):
        with socket.create_connection(("127.0.0.1", self.gateway.port)) as plain:
            plain.settimeout(15)
            plain.sendall(text.encode())
            return plain.recv(65536)

    def test_a_refused_tunnel_is_over(self):
        client = self.client()
        reply = client.replies[self.tunnel(client, "/nowhere")]
        self.assertTrue(client.until(lambda: reply.ended and reply.reset is not None, 5))
        self.assertEqual((reply.status, reply.reset), (404, 0))
        # Nothing keeps the connection now.
        client.until(lambda: client.closed, 8)
        self.assertTrue(client.closed)

    def test_a_tunnel_that_ended_does_not_keep_a_connection(self):
        client = self.client()
        reply = client.replies[self.tunnel(client, "/two/open")]
        self.assertTrue(client.until(lambda: reply.status == 200, 5))
        self.assertTrue(client.until(lambda: reply.over, 5))
        # The client never ends its side.
        client.until(lambda: client.closed, 8)
        self.assertTrue(client.closed)

    def test_nor_does_it_hold_a_drain_up(self):
        client = self.client()
        reply = client.replies[self.tunnel(client, "/two/open")]
        self.assertTrue(client.until(lambda: reply.over, 5))
        begin = steady()
        self.gateway.process.terminate()
        self.gateway.process.wait(15)
        self.assertLess(steady() - begin, 10)

    def test_answers_of_our_own_are_no_tunnel(self):
        client = self.client()
        for path in ("/fixed", "/.well-known/portcullis/jwks.json"):
            reply = client.replies[self.tunnel(client, path)]
            self.assertTrue(client.until(lambda reply=reply: reply.over, 5))
            self.assertGreaterEqual(reply.status, 400, path)

    def test_fields_in_a_tunnel_are_an_error_of_the_stream(self):
        client = self.client()
        stream = self.tunnel(client, "/two/open")
        reply = client.replies[stream]
        self.assertTrue(client.until(lambda: reply.status == 200, 5))
        client.h2.send_headers(stream, [("x-t", "1")], end_stream=True)
        client.flush()
        self.assertTrue(client.until(lambda: reply.over, 5))
        self.assertEqual(reply.reset, 1)
        seen = self.two.streams[-1]
        self.assertTrue(self.soon(lambda: seen.ended or seen.reset_code is not None))
        self.assertEqual(client.get("/one").status, 200)

    def test_the_last_words_to_a_backend_that_has_ended_arrive(self):
        """A backend closes a WebSocket and ends; the client's own close frame comes together with its end."""
        with H2(self.gateway.port) as client:
            for stream, path in ((1, b"/two/open/closed"), (3, b"/one/closed")):
                pseudo = request(b"CONNECT", path) + [(b":protocol", b"websocket")]
                client.headers(stream, pseudo + [(b"sec-websocket-version", b"13")], ends=False)
                self.assertTrue(client.wait(lambda stream=stream: client.stream(stream).ended))
                self.assertEqual(client.stream(stream).body, CLOSE)
                client.data(stream, REPLY, True)
            seen = self.two.streams[-1]
            self.assertTrue(self.soon(lambda: seen.ended or seen.reset_code is not None))
            self.assertEqual((seen.body, seen.ended, seen.reset_code), (REPLY, True, None))
            self.assertTrue(self.soon(lambda: self.heard))
            self.assertEqual(self.heard, [REPLY])
            self.assertTrue(client.alive())

    def test_much_can_be_said_to_a_backend_that_has_ended(self):
        with socket.create_connection(("127.0.0.1", self.gateway.port)) as plain:
            plain.settimeout(5)
            plain.sendall(UPGRADE.replace("/two", "/two/open/closed").format("websocket", KEY).encode())
            answer = b""
            while data := plain.recv(65536):
                answer += data
            self.assertTrue(answer.endswith(CLOSE))
            plain.sendall(b"\x82\xff" + (1 << 20).to_bytes(8, "big") + bytes(4 + (1 << 20)))
            plain.shutdown(socket.SHUT_WR)
            seen = self.two.streams[-1]
            self.assertTrue(self.soon(lambda: seen.ended or seen.reset_code is not None))
        self.assertEqual((len(seen.body), seen.ended, seen.reset_code), ((1 << 20) + 14, True, None))

    def soon(self, condition):
        until = steady() + 10
        while not condition() and steady() < until:
            time.sleep(0.01)
        return condition()

    def test_websockets_that_a_backend_refuses_leave_no_stream(self):
        for _ in range(110):
            self.assertTrue(self.ask(UPGRADE.format("websocket", KEY)).startswith(b"HTTP/1.1 403"))
        refused = [one for one in self.two.streams if one.head[":method"] == "CONNECT" and one.path == "/two"]
        self.assertTrue(self.soon(lambda: all(one.ended or one.reset_code is not None for one in refused)))
        # More than a connection takes at once, and there is but one.
        self.assertTrue(self.ask("GET /two HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200"))

    def test_a_wish_that_http2_has_no_word_for_is_ignored(self):
        for name in ("foo", "tls/1.0", "websocket2"):
            answer = self.ask(UPGRADE.format(name, ""))
            self.assertIn(b"x-ended: True", answer, name)


class Heads(unittest.TestCase):
    def test_no_content_in_refusals_of_head(self):
        gateway = Gateway(CONFIGURATION, ONE=1, TWO=1)
        self.addCleanup(gateway.stop)
        head = request(method=b"HEAD")
        for status, fields in (
            (431, head + [(b"x", b"a" * 40000)]), (431, head + [(b"x%d" % number, b"a") for number in range(120)]),
            (417, head + [(b"expect", b"zz")]), (400, request(method=b"HEAD", authority=b"a:99999")),
            (400, head + [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")]),
            (414, request(method=b"HEAD", path=b"/" + b"a" * 9000)), (404, request(method=b"HEAD", path=b"/nowhere")),
        ):
            with self.subTest(status), H2(gateway.port) as client:
                text = block(fields)
                pieces = [text[at : at + 16000] for at in range(0, len(text), 16000)]
                for number, piece in enumerate(pieces):
                    kind = CONTINUATION if number else HEADERS
                    flags = (0 if number else END_STREAM) | (END_HEADERS if piece is pieces[-1] else 0)
                    client.send(frame(kind, flags, 1, piece))
                self.assertEqual(client.answer(1).status, status)
                self.assertEqual([one.kind for one in client.frames if one.stream == 1], [HEADERS])


if __name__ == "__main__":
    unittest.main()
