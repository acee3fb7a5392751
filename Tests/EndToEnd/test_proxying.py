"""What passes, and how it arrives: framing, order, interim answers, upgrades, and backends that misbehave."""

import time
import unittest

from harness import Gateway, Keys, TestCase, Upstream

CONFIGURATION = Keys.ISSUERS + """
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"], first_byte_timeout: 1s}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: moved, match: {path: /old}, auth: public, redirect: {location: "https://new.example", keep_path: true}}
  - {name: fixed, match: {path: /fixed}, auth: public, respond: {status: 200, body: hi}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""
HOST = b"Host: a\r\n"


def get(path, fields=b"", version=b"HTTP/1.1", method=b"GET"):
    return method + b" " + path + b" " + version + b"\r\n" + HOST + fields + b"\r\n"


class Proxying(TestCase):
    configuration = CONFIGURATION

    def test_pipelined_requests_are_answered_in_order(self):
        answer = self.gateway.raw(
            get(b"/open/1") + get(b"/open/2", method=b"HEAD") + get(b"/fixed") + get(b"/open/3", b"Connection: close\r\n")
        )
        places = [answer.index(text) for text in (b"GET /open/1", b"\r\n\r\nhi", b"GET /open/3")]
        self.assertEqual(places, sorted(places))
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 4)
        self.assertTrue(answer.endswith(b"<EOF>"))

    def test_bodies_arrive_whole_however_they_are_cut(self):
        head = b"POST /open HTTP/1.1\r\n" + HOST
        for pieces in (
            (head + b"Content-Length: 5\r\n\r\nhello",),
            (head + b"Content-Length: 5\r\n\r\nhe", b"ll", b"o"),
            (head + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",),
            (head + b"Transfer-Encoding: chunked\r\n\r\n2\r", b"\nh", b"e\r\n3;x=y\r\nllo\r\n", b"0\r\n", b"\r\n"),
            (head + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",),
        ):
            with self.subTest(pieces):
                self.assertTrue(self.gateway.raw(*pieces, wait=0.4).endswith(b"hello<OPEN>"))

    def test_large_bodies_both_ways(self):
        body = bytes(range(256)) * 20000
        answer = self.gateway.raw(b"POST /open HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body, wait=10)
        self.assertTrue(answer.endswith(body + b"<EOF>"))

    def test_trailers_go_on(self):
        answer = self.gateway.raw(
            b"POST /open HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\n\r\n", wait=0.4
        )
        self.assertIn(b"trailers: X-Sum: 7", answer)

    def test_continue_is_relayed(self):
        answer = self.gateway.raw(
            b"POST /open HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", b"hello", wait=0.6, pause=0.2
        )
        self.assertTrue(answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"))

    def test_http_1_0(self):
        self.assertTrue(self.gateway.raw(get(b"/open", version=b"HTTP/1.0")).endswith(b"<EOF>"))
        kept = self.gateway.raw(get(b"/open", b"Connection: keep-alive\r\n", b"HTTP/1.0"), wait=0.4)
        self.assertIn(b"Connection: keep-alive", kept)
        self.assertTrue(kept.endswith(b"<OPEN>"))
        self.assertIn(b"Via: 1.0 portcullis", kept)

    def test_half_close_still_gets_its_answer(self):
        answer = self.gateway.raw(get(b"/open"), half=True, wait=2)
        self.assertIn(b"GET /open", answer)
        self.assertTrue(answer.endswith(b"<EOF>"))

    def test_absolute_form_decides_host_and_path(self):
        answer = self.gateway.raw(b"GET http://real.example/open/x?q HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n")
        self.assertIn(b"GET /open/x?q HTTP/1.1\r\nHost: real.example\r\n", answer)
        self.assertNotIn(b"Host: other", answer)

    def test_options_asterisk_and_max_forwards(self):
        self.assertIn(b"HTTP/1.1 204", self.gateway.raw(get(b"*", b"Connection: close\r\n", method=b"OPTIONS")))
        self.upstream.forget()
        last = self.gateway.raw(get(b"/open", b"Max-Forwards: 0\r\nConnection: close\r\n", method=b"OPTIONS"))
        self.assertEqual((last[:12], self.upstream.received()), (b"HTTP/1.1 204", b""))
        self.assertIn(b"Max-Forwards: 6", self.gateway.raw(get(b"/open", b"Max-Forwards: 7\r\nConnection: close\r\n", method=b"OPTIONS")))

    def test_redirect_and_fixed_answer(self):
        moved = self.gateway.get("/old/x?y=1")
        self.assertEqual((moved.status, moved.field("Location")), (308, "https://new.example/old/x?y=1"))
        self.assertEqual(self.gateway.get("/fixed").body, "hi")


UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


class Scripted(unittest.TestCase):
    """Backends that answer as the path asks."""

    @classmethod
    def setUpClass(cls):
        cls.keys = Keys()
        cls.upstream = Upstream(cls.answer)
        cls.gateway = Gateway(CONFIGURATION, cls.keys.files(), UPSTREAM=cls.upstream.port)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.upstream.stop()

    SCRIPTS = {
        b"chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
        b"early": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"none": b"HTTP/1.1 204 No Content\r\n\r\n",
        b"unchanged": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        b"both": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
        b"nostatus": b"hello\r\n\r\n",
        b"folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        b"baddigit": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        b"huge": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
        b"unasked": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"tail": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    }

    @classmethod
    def answer(cls, head, body, connection):
        name = head.split(b" ")[1].rsplit(b"/", 1)[-1]
        if name in cls.SCRIPTS:
            return cls.SCRIPTS[name]
        if name == b"close":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil close")
        elif name == b"cut":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        elif name == b"cutchunk":
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        elif name == b"silent":
            time.sleep(3)
        elif name == b"tunnel":
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello")
            while data := connection.recv(65536):
                connection.sendall(b"echo:" + data)
        elif name != b"gone":
            return Upstream.echo(head, body, connection)
        connection.close()
        return None

    def ask(self, name, fields=b"Connection: close\r\n", **options):
        return self.gateway.raw(get(b"/open/" + name, fields), **options)

    def test_answers_are_framed_anew(self):
        self.assertIn(b"5\r\nhello\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", self.ask(b"chunked"))
        self.assertTrue(self.gateway.raw(get(b"/open/chunked", version=b"HTTP/1.0")).endswith(b"\r\n\r\nhelloabc<EOF>"))
        self.assertIn(b"b\r\nuntil close\r\n0\r\n\r\n", self.ask(b"close"))
        self.assertTrue(self.ask(b"early").startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK"))
        self.assertNotIn(b"Content-Length", self.ask(b"none"))
        self.assertIn(b"Content-Length: 9", self.ask(b"unchanged"))

    def test_what_cannot_be_trusted_is_a_502(self):
        for name in (b"both", b"lengths", b"nostatus", b"folded", b"huge", b"unasked", b"gone"):
            with self.subTest(name):
                self.assertTrue(self.ask(name).startswith(b"HTTP/1.1 502 "))

    def test_an_answer_cut_short_never_looks_complete(self):
        for name in (b"cut", b"cutchunk", b"baddigit"):
            with self.subTest(name):
                answer = self.ask(name)
                self.assertTrue(answer.endswith(b"<RST>"), answer[-40:])
                self.assertNotIn(b"0\r\n\r\n", answer)

    def test_silence_is_a_504(self):
        self.assertTrue(self.ask(b"silent", wait=4).startswith(b"HTTP/1.1 504 "))

    def test_bytes_behind_an_answer_reach_nobody(self):
        for _ in range(5):
            answer = self.ask(b"tail", b"", wait=0.1) + self.ask(b"x")
            self.assertNotIn(b"forged", answer)
            self.assertIn(b"GET /open/x", answer)

    def test_a_tunnel_opens_after_the_101_only(self):
        answer = self.gateway.raw(get(b"/open/tunnel", UPGRADE), b"one", b"two", wait=0.5, pause=0.1)
        self.assertTrue(answer.endswith(b"\r\n\r\nhelloecho:oneecho:two<OPEN>"), answer)
        early = self.gateway.raw(get(b"/open/tunnel", UPGRADE) + b"EARLY", wait=1, half=True)
        self.assertTrue(early.endswith(b"helloecho:EARLY<EOF>"), early)
        self.upstream.forget()
        refused = self.gateway.raw(get(b"/open/x", UPGRADE) + b"GET /open/second HTTP/1.1\r\nHost: a\r\n\r\n", wait=0.4)
        self.assertEqual(refused.count(b"HTTP/1.1 200"), 2)

    def test_no_tunnel_without_a_credential_or_to_another_http(self):
        self.upstream.forget()
        self.assertTrue(self.gateway.raw(get(b"/tunnel", UPGRADE), wait=0.5).startswith(b"HTTP/1.1 401 "))
        self.assertEqual(self.upstream.received(), b"")
        for protocol in (b"h2c", b"h2", b"HTTP/2.0", b"TLS/1.0", b"websocket, h2c", b"WebSocket\x20x"):
            with self.subTest(protocol):
                self.upstream.forget()
                self.gateway.raw(get(b"/open/x", b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: " + protocol + b"\r\n"), wait=0.3)
                self.assertNotIn(b"upgrade", self.upstream.received().lower())
