"""Expect, interim answers, and changes of protocol: RFC 9110 §7.8, §10.1.1, §15.2."""

import threading

from http1 import WireTest

HOST = b"Host: a\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UPGRADE = b"GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def post(fields=b"", version=b"1.1"):
    return b"POST /open/x HTTP/" + version + b"\r\nHost: a\r\n" + fields + b"\r\n"


class Expectations(WireTest):
    def test_the_backend_is_asked_and_its_100_comes_back(self):
        def script(call):
            call.send(CONTINUE)
            call.read_body()
            call.send(OK)

        for framing, body in ((b"Content-Length: 5\r\n", b"hello"), (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n")):
            for expect in (b"100-continue", b"100-Continue", b"100-CONTINUE"):
                with self.subTest((framing, expect)), self.client() as client:
                    self.origin.forget()
                    self.origin.script = script
                    client.send(post(b"Expect: " + expect + b"\r\n" + framing))
                    self.assertEqual(client.until(b"\r\n\r\n").split(b"\r\n")[0], b"HTTP/1.1 100 Continue")
                    client.send(body)
                    self.assertEqual(client.reply().body, b"ok")
                    self.assertTrue(client.stays_open())
                    self.assertEqual((self.origin.calls[0].all("expect"), self.origin.calls[0].body), ([b"100-continue"], b"hello"))

    def test_a_client_that_does_not_wait(self):
        self.origin.script = lambda call: (call.send(CONTINUE), call.read_body(), call.send(OK))
        for whole in (b"hello", b"he"):
            with self.client() as client:
                client.send(post(b"Expect: 100-continue\r\nContent-Length: 5\r\n") + whole)
                client.send(b"hello"[len(whole) :])
                self.assertEqual((client.reply().body, client.stays_open()), (b"ok", True))

    def test_a_backend_that_answers_at_once(self):
        for sent, status in ((b"HTTP/1.1 417 X\r\nContent-Length: 0\r\n\r\n", 417), (b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n", 413), (OK, 200), (b"HTTP/1.1 204 X\r\n\r\n", 204)):
            with self.client() as client:
                self.origin.script = lambda call: call.send(sent)
                client.send(post(b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
                reply = client.reply()
                self.assertEqual((reply.status, reply.interim, reply.closes()), (status, [], True))
                self.origin.forget()
                client.send(b"GET /open/second HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(client.closed())
                self.untouched()

    def test_a_backend_that_sends_no_100(self):
        self.origin.script = lambda call: (call.read_body(), call.send(OK))
        with self.client() as client:
            client.send(post(b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
            self.eventually(lambda: self.origin.calls, "the head did not go on")
            client.send(b"hello")
            reply = client.reply()
            self.assertEqual((reply.body, reply.interim), (b"ok", []))
            self.assertTrue(client.stays_open())

    def test_http_1_0_expects_nothing(self):
        self.origin.script = lambda call: (call.send(CONTINUE), call.read_body(), call.send(HINTS + OK))
        call, reply = self.forwarded(post(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"1.0") + b"hello", version=b"1.0")
        self.assertEqual((call.all("expect"), reply.interim), ([], []))

    def test_without_content_nothing_is_expected(self):
        for framing in (b"", b"Content-Length: 0\r\n"):
            call, _ = self.forwarded(post(b"Expect: 100-continue\r\n" + framing))
            self.assertEqual(call.all("expect"), [])

    def test_other_expectations_are_a_417(self):
        for value in (b"", b"x", b"100", b"100-continues", b"101-continue", b"100-continue, x", b"100-continue;q=1", b"200-ok", b'"100-continue"'):
            self.refused(post(b"Expect: " + value + b"\r\nContent-Length: 5\r\n") + b"hello", 417)

    def test_a_refusal_comes_instead_of_a_100(self):
        reply = self.refused(b"POST /secret HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", 401)
        self.assertEqual(reply.interim, [])


class Interims(WireTest):
    def test_they_go_on_to_http_1_1_only(self):
        for sent, statuses in (
            (CONTINUE, [100]), (HINTS, [103]), (CONTINUE + HINTS, [100, 103]), (HINTS * 20, [103] * 20), (b"HTTP/1.1 102 Processing\r\n\r\n", [102]), (b"HTTP/1.1 199\r\n\r\n", [199]),
            (b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\nConnection: close\r\nX: y\r\n\r\n", [100]), (b"HTTP/1.0 100 Continue\r\n\r\n", [100]),
            (b"HTTP/1.1 103 Early Hints\r\nConnection: x\r\nX: y\r\nKeep-Alive: 5\r\n\r\n", [103]),
        ):
            for method in (b"GET", b"HEAD", b"POST"):
                self.origin.script = lambda call: call.send(sent + (OK if method != b"HEAD" else OK[:-2]))
                reply = self.exchange(method + b" /open/x HTTP/1.1\r\nHost: a\r\n\r\n", method)
                self.assertEqual(([interim.status for interim in reply.interim], reply.status), (statuses, 200))
                self.assertTrue(all(not interim.all("connection") for interim in reply.interim))
            self.origin.script = self.origin.says(sent + OK)
            self.assertEqual(self.exchange(b"GET /open/x HTTP/1.0\r\nHost: a\r\n\r\n", version=b"1.0").body, b"ok")

    def test_they_do_not_wait_for_the_final_answer(self):
        release = threading.Event()
        self.origin.script = lambda call: (call.send(HINTS), release.wait(4), call.send(OK))
        with self.client() as client:
            client.send(b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"Link: </x>", client.until(b"\r\n\r\n"))
            release.set()
            self.assertEqual(client.reply().body, b"ok")

    def test_floods_and_contents_are_a_502(self):
        for sent in (
            CONTINUE * 1000, b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + OK, b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + OK,
            HINTS + b"hello" + OK, HINTS, b"HTTP/1.1 103\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
        ):
            self.origin.script = self.origin.says(sent, close=True)
            reply = self.exchange(b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(reply.status, 502)


class Upgrades(WireTest):
    def test_an_upgrade_arrives_as_it_was_asked_for(self):
        call, reply = self.forwarded(UPGRADE)
        self.assertEqual((call.all("upgrade"), call.all("connection"), reply.status), ([b"websocket"], [b"upgrade"], 200))

    def test_upgrades_that_do_not_go_on(self):
        for fields in (
            b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", b"Connection: Upgrade\r\nUpgrade: H2C\r\n",
            b"Connection: Upgrade\r\nUpgrade: h2\r\n", b"Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n", b"Connection: Upgrade\r\nUpgrade: http/1.1\r\n",
            b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", b"Connection: Upgrade\r\nUpgrade: TLS/1.2, HTTP/1.1\r\n", b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
            b"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n",
            b"Connection: keep-alive\r\nUpgrade: websocket\r\n", b"Connection: Upgrade\r\n", b"Connection: Upgrade\r\nUpgrade:\r\n", b"Connection: Upgrade\r\nUpgrade: ,\r\n",
            b"Connection: Upgrade\r\nUpgrade: web socket\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\tx\r\n", b"Connection: Upgrade\r\nUpgrade: " + b"a" * 500 + b"\r\n",
            b"Connection: Upgrades\r\nUpgrade: websocket\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n",
        ):
            with self.subTest(fields):
                call, _ = self.forwarded(b"GET /open/x HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
                self.assertEqual((call.all("upgrade"), call.all("connection"), call.all("http2-settings")), ([], [], []))
        for data in (UPGRADE.replace(b"1.1", b"1.0"), UPGRADE.replace(b"GET", b"POST"), UPGRADE.replace(b"GET", b"OPTIONS")):
            call, _ = self.forwarded(data, version=b"1.0" if b"1.0" in data else b"1.1")
            self.assertEqual((call.all("upgrade"), call.all("connection")), ([], []))
        body = UPGRADE.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello")
        self.assertEqual(self.forwarded(body)[0].all("upgrade"), [])

    def test_a_101_that_is_not_the_answer_to_the_wish_is_a_502(self):
        plain = b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n"
        for data, sent in (
            (plain, SWITCH), (plain.replace(b"1.1", b"1.0"), SWITCH), (UPGRADE.replace(b"websocket", b"h2c"), SWITCH.replace(b"websocket", b"h2c")),
            (UPGRADE.replace(b"GET", b"POST"), SWITCH), (UPGRADE, SWITCH.replace(b"websocket", b"h2c")), (UPGRADE, SWITCH.replace(b"websocket", b"websocket, h2c")),
            (UPGRADE, SWITCH.replace(b"Upgrade: websocket\r\n", b"")), (UPGRADE, SWITCH.replace(b"Connection: Upgrade\r\n", b"")),
            (UPGRADE, SWITCH.replace(b"\r\n\r\n", b"\r\nUpgrade: h2c\r\n\r\n")), (UPGRADE, SWITCH.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello")),
            (UPGRADE, SWITCH.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")), (plain.replace(b"GET", b"HEAD"), SWITCH), (UPGRADE, HINTS + SWITCH.replace(b"websocket", b"x")),
            (b"POST /open/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello", SWITCH),
        ):
            with self.subTest((data, sent)):
                self.origin.script = self.origin.says(sent + b"tunnelled?", close=True)
                method, version = data.split(b" ")[0], data[data.index(b"HTTP/") + 5 :][:3]
                self.assertEqual(self.exchange(data, method, version).status, 502)

    def tunnel(self, sent=SWITCH):
        """A backend that switches when it is told to, and then returns what comes, in capitals."""
        self.go = threading.Event()

        def script(call):
            if call.path != b"/open/x":
                return self.origin.echo(call)
            self.go.wait(4)
            call.send(sent)
            data, call.buffer = call.buffer, b""
            while data or (data := call.connection.recv(65536)):
                call.send(data.upper())
                data = b""
            call.close()

        self.origin.script = script

    def test_a_tunnel_passes_bytes_both_ways_and_each_end_by_itself(self):
        self.tunnel(SWITCH[:-2] + b"Sec-WebSocket-Accept: x\r\nKeep-Alive: 5\r\n\r\nhello")
        self.go.set()
        with self.client() as client:
            client.send(UPGRADE)
            reply = client.reply()
            self.assertEqual((reply.status, reply.all("upgrade"), reply.get("connection").lower()), (101, [b"websocket"], "upgrade"))
            self.assertEqual(reply.all("sec-websocket-accept"), [b"x"])
            self.assertEqual(client.exactly(5)[0], b"hello")
            for data in (b"one", b"\0\xff\r\n\r\n", b"get / http/1.1\r\n\r\n", b"x" * 100000):
                client.send(data)
                self.assertEqual(client.exactly(len(data))[0], data.upper())
            client.send(b"last")
            client.half_close()
            self.assertEqual((client.rest(), client.end), (b"LAST", "EOF"))

    def test_nothing_goes_through_before_the_101(self):
        second = b"GET /open/second HTTP/1.1\r\nHost: a\r\n\r\n"
        self.tunnel()
        with self.client() as client:
            client.send(UPGRADE + second)
            self.eventually(lambda: self.origin.calls, "the request did not go on")
            client.send(b"more")
            self.exchange(b"GET /open/other HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertNotIn(b"second", self.origin.raw)
            self.assertNotIn(b"more", self.origin.raw)
            self.go.set()
            self.assertEqual(client.reply().status, 101)
            self.assertEqual(client.exactly(len(second) + 4)[0], (second + b"more").upper())
        # Without a 101 they are requests, and go through the gate.
        secret = second.replace(b"/open/second", b"/secret")
        for status in (b"200 OK", b"400 Bad", b"426 Upgrade Required"):
            self.origin.forget()
            self.origin.script = lambda call: (call.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n") if call.path == b"/open/x" else self.origin.echo(call))
            with self.client() as client:
                client.send(UPGRADE + secret + second)
                self.assertEqual([client.reply().status for _ in "123"], [int(status[:3]), 401, 200])

    def test_a_backend_that_switches_speaks_and_leaves(self):
        for size in (5, 5000, 70000, 300000):
            self.origin.script = self.origin.says(SWITCH + b"x" * size, close=True)
            for _ in range(3):
                with self.subTest(size), self.client() as client:
                    client.send(UPGRADE)
                    self.assertEqual(client.reply().status, 101)
                    self.assertEqual(client.exactly(size), (b"x" * size, True))
                    self.assertFalse(client.more())
                    self.assertEqual(client.end, "EOF")

    def test_a_101_in_pieces_and_after_interim_answers(self):
        for cut in (1, 20, len(SWITCH) - 1):
            def script(call):
                call.send(HINTS + SWITCH[:cut])
                self.go.wait(4)
                call.send(SWITCH[cut:] + b"hello")

            self.go = threading.Event()
            self.origin.script = script
            with self.client() as client:
                client.send(UPGRADE)
                self.assertIn(b"103", client.until(b"\r\n\r\n"))
                self.go.set()
                self.assertEqual((client.reply().status, client.exactly(5)[0]), (101, b"hello"))

    def test_an_upgrade_needs_a_credential_like_everything(self):
        for path in (b"/secret", b"/", b"/opensesame", b"/open/../secret"):
            self.refused_upgrade(UPGRADE.replace(b"/open/x", path))

    def refused_upgrade(self, data):
        self.origin.forget()
        self.assertEqual(self.exchange(data).status, 401)
        self.untouched()
