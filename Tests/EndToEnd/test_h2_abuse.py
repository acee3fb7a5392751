"""Clients that make a connection work for nothing, hold memory, or take their time: each is told to calm down and cut off."""

import re
import struct
import time

from frames import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS,
    INITIAL_WINDOW, NO_ERROR, PADDED, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, RST_STREAM, SETTINGS, STREAM_CLOSED, TABLE_SIZE,
    WINDOW_UPDATE, block, frame, integer, literal, request, settings, string,
)
from h2cases import Suite, served
from peers import metric
from timing import steady

# The scheme is an entry of the static table, one byte, so that frames fit both kinds of connection.
HEAD = block(request(path=b"/fast")[:1]) + b"\x86" + block(request(path=b"/fast")[2:])
BODY = block(request(b"POST", b"/wait")[:1]) + b"\x86" + block(request(b"POST", b"/wait")[2:])
FULL = struct.pack(">I", (1 << 31) - 1)
# What an attack sends with each round; the connection must be over long before the rounds are.
FLOODS = {}


def flood(name, *codes, start=b"", rounds=4000):
    def take(function):
        FLOODS[name] = (function, codes or (ENHANCE_YOUR_CALM,), start, rounds)
        return function

    return take


def opened(n, text=BODY, flags=END_HEADERS):
    return frame(HEADERS, flags, 2 * n + 1, text)


flood("rapid reset")(lambda n: opened(n, HEAD, 5) + frame(RST_STREAM, 0, 2 * n + 1, b"\0\0\0\x08"))
flood("rapid reset of uploads")(lambda n: opened(n) + frame(RST_STREAM, 0, 2 * n + 1, b"\0\0\0\x08"))
flood("reset at once by WINDOW_UPDATE of 0", ENHANCE_YOUR_CALM, PROTOCOL_ERROR)(lambda n: opened(n) + frame(WINDOW_UPDATE, 0, 2 * n + 1, bytes(4)))
flood("reset at once by a window too large")(lambda n: opened(n) + frame(WINDOW_UPDATE, 0, 2 * n + 1, FULL) * 2)
flood("reset at once by DATA on a half-closed stream", ENHANCE_YOUR_CALM, STREAM_CLOSED)(
    lambda n: opened(n, HEAD, 5) + frame(DATA, 0, 2 * n + 1, b"x")
)
flood("reset at once by HEADERS on a half-closed stream", ENHANCE_YOUR_CALM, STREAM_CLOSED)(lambda n: opened(n, HEAD, 5) * 2)
flood("reset at once by PRIORITY of a wrong length", ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR)(
    lambda n: opened(n) + frame(PRIORITY, 0, 2 * n + 1, bytes(4))
)
flood("reset at once by PRIORITY on its own stream", ENHANCE_YOUR_CALM, PROTOCOL_ERROR)(
    lambda n: opened(n) + frame(PRIORITY, 0, 2 * n + 1, struct.pack(">IB", 2 * n + 1, 1))
)
flood("reset at once by too much content")(
    lambda n: opened(n, BODY + literal(b"content-length", b"1")) + frame(DATA, 0, 2 * n + 1, b"xx")
)
flood("reset at once by too little content")(
    lambda n: opened(n, BODY + literal(b"content-length", b"5")) + frame(DATA, END_STREAM, 2 * n + 1, b"xx")
)
flood("reset at once by a malformed head")(lambda n: opened(n, HEAD + literal(b"X-Upper", b"x"), 5))
flood("reset at once by a field of HTTP/1")(lambda n: opened(n, HEAD + literal(b"connection", b"close"), 5))
flood("reset at once by malformed trailers")(lambda n: opened(n) + frame(HEADERS, 5, 2 * n + 1, literal(b":path", b"/")))
flood("reset at once by HEADERS that end nothing")(lambda n: opened(n) + frame(HEADERS, 4, 2 * n + 1, literal(b"x", b"y")))
flood("more streams than allowed", ENHANCE_YOUR_CALM, PROTOCOL_ERROR)(opened)
flood("SETTINGS")(lambda n: settings([]))
flood("SETTINGS that move windows")(lambda n: settings([(INITIAL_WINDOW, n & 0xFFFF)]))
flood("SETTINGS that move the table")(lambda n: settings([(TABLE_SIZE, n & 4095)]))
flood("SETTINGS of many entries")(lambda n: settings([(0xF0, n)] * 2000))
flood("SETTINGS acknowledged unasked", ENHANCE_YOUR_CALM, PROTOCOL_ERROR)(lambda n: settings([], ACK))
flood("PING")(lambda n: frame(PING, 0, 0, bytes(8)))
flood("PING acknowledged unasked")(lambda n: frame(PING, ACK, 0, bytes(8)))
flood("PRIORITY")(lambda n: frame(PRIORITY, 0, 2 * (n % 50) + 1, struct.pack(">IB", 0, n & 255)))
flood("PRIORITY that builds a chain")(lambda n: frame(PRIORITY, 0, 2 * n + 3, struct.pack(">IB", 2 * n + 1, 1)))
flood("PRIORITY_UPDATE", ENHANCE_YOUR_CALM, PROTOCOL_ERROR)(lambda n: frame(16, 0, 0, struct.pack(">I", 2 * n + 1) + b"u=1"))
flood("WINDOW_UPDATE of the connection", ENHANCE_YOUR_CALM)(lambda n: frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"))
flood("WINDOW_UPDATE of a stream", start=frame(HEADERS, 4, 1, BODY))(lambda n: frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"))
flood("WINDOW_UPDATE of streams that are over", start=frame(HEADERS, 5, 1, HEAD))(lambda n: frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"))
flood("empty DATA", start=frame(HEADERS, 4, 1, BODY))(lambda n: frame(DATA, 0, 1))
flood("DATA of padding alone", start=frame(HEADERS, 4, 1, BODY))(lambda n: frame(DATA, PADDED, 1, b"\x20" + bytes(32)))
flood("DATA on a stream that was reset", ENHANCE_YOUR_CALM, STREAM_CLOSED, start=frame(HEADERS, 4, 1, BODY) + frame(RST_STREAM, 0, 1, bytes(4)))(
    lambda n: frame(DATA, 0, 1, b"x")
)
flood("HEADERS on a stream that was reset", ENHANCE_YOUR_CALM, STREAM_CLOSED, start=frame(HEADERS, 4, 1, BODY) + frame(RST_STREAM, 0, 1, bytes(4)))(
    lambda n: frame(HEADERS, 5, 1, HEAD)
)
flood("unknown frames")(lambda n: frame(0xEE, 0, 0))
flood("unknown frames on streams")(lambda n: frame(0xEE, 0, 2 * n + 1, b"x"))
flood("large unknown frames", rounds=1000)(lambda n: frame(0xEE, 0, 0, bytes(16384)))
flood("ALTSVC and ORIGIN")(lambda n: frame(0x0A if n & 1 else 0x0C, 0, 0, b"\0\0"))
flood("GOAWAY", ENHANCE_YOUR_CALM, NO_ERROR, start=frame(HEADERS, 4, 1, BODY))(lambda n: frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
flood("CONTINUATION without an end", start=frame(HEADERS, 1, 1, HEAD))(lambda n: frame(CONTINUATION, 0, 1, literal(b"x%d" % n, b"y")))
flood("CONTINUATION without content", start=frame(HEADERS, 1, 1, HEAD))(lambda n: frame(CONTINUATION, 0, 1))
flood("CONTINUATION of 16 KiB", start=frame(HEADERS, 1, 1, HEAD), rounds=400)(
    lambda n: frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 16000))
)
flood("the same entry of the table again and again", start=b"", rounds=200)(
    lambda n: opened(n, HEAD + b"\x40" + string(b"x") + string(b"y" * 3900) + b"\xbe" * 12000, 5)
)
flood("heads that are too large", rounds=100)(lambda n: opened(n, HEAD + b"\x90" * 16000, 5))


class Floods(Suite):
    routes = """
routes:
  - {name: fast, match: {path: /fast}, auth: public, respond: {status: 200, body: hi}}
  - {name: wait, match: {path: /wait}, auth: public, forward: {upstream: a}}
"""
    settings = "limits: {requests_per_connection: 1000000, http2: {end_delay: off}}\n"

    def setUp(self):
        super().setUp()
        self.origin.script = lambda call: call.read_body()

    def flood(self, c, make, rounds):
        """Sends rounds until the connection is over; how many went."""
        for first in range(0, rounds, 50):
            if not c.send(*[make(n) for n in range(first, min(rounds, first + 50))]) or c.end or c.goaway:
                return first
            c.poll(0)
        return rounds

    def test_floods_end_with_the_right_code(self):
        for tls in (False, True):
            for name, (make, codes, start, rounds) in FLOODS.items():
                with self.subTest(name, tls=tls), self.connect(tls) as c:
                    # The same frames, for the scheme of the connection.
                    https = (lambda data: data.replace(HEAD, HEAD.replace(b"\x86", b"\x87")).replace(BODY, BODY.replace(b"\x86", b"\x87")))
                    suit = https if tls else bytes
                    c.send(suit(start))
                    self.flood(c, lambda n: suit(make(n)), rounds)
                    self.assertTrue(c.wait(lambda: c.goaway is not None or c.end), "no GOAWAY")
                    self.assertIsNotNone(c.goaway, f"closed without GOAWAY: {c.end}")
                    self.assertIn(c.goaway.code, codes)
                    self.assertTrue(c.closes(1), "the connection stays open")

    def test_a_client_that_works_is_not_disturbed(self):
        """Many requests with what real clients send besides them."""
        with self.connect(entries=[(INITIAL_WINDOW, 1 << 20)]) as c:
            for first in range(0, 6000, 50):
                c.send(
                    *[
                        opened(n, HEAD, 5) + frame(PRIORITY, 0, 2 * n + 1, struct.pack(">IB", 0, 15)) + frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\2")
                        for n in range(first, first + 50)
                    ]
                )
                served(c, 2 * (first + 49) + 1)
            self.assertTrue(c.alive())

    def test_uploads_in_small_pieces_are_no_abuse(self):
        self.origin.script = self.origin.echo
        with self.connect() as c:
            c.post(1, b"/wait")
            for _ in range(3000):
                c.data(1, b"x")
                c.poll(0)
            c.data(1, ends=True)
            self.assertTrue(served(c).body.endswith(b"x" * 3000))

    def test_the_metric_names_the_budget(self):
        with self.connect() as c:
            self.flood(c, lambda n: frame(PING, 0, 0, bytes(8)), 400)
            self.assertTrue(c.closes())
        text = self.gateway.get("/metrics", port=self.gateway.ops_port).body
        self.assertRegex(text, r'\{limit="http2_pings"\} [1-9]')

    def test_the_other_clients_go_on(self):
        with self.connect() as good:
            for name in ("rapid reset", "PING", "CONTINUATION without an end", "empty DATA"):
                make, _, start, rounds = FLOODS[name]
                with self.connect() as c:
                    c.send(start)
                    self.flood(c, make, rounds)
                    self.assertTrue(good.alive())


class Again(Suite):
    """Who was cut off comes again at once."""

    settings = "workers: 1\nlimits: {http2: {end_delay: 2s}}\n"
    routes = "routes: [{name: fast, match: {path: /fast}, auth: public, respond: {status: 200, body: hi}}]\n"

    def test_is_told_later_and_others_of_the_address_are_not(self):
        with self.connect() as good:
            longest = 0
            for _ in range(60):
                with self.connect() as c:
                    c.send(frame(PING, 0, 0, bytes(8)) * 60)
                    started = steady()
                    self.assertTrue(c.wait(lambda: c.goaway is not None, 4), "no GOAWAY")
                    self.assertEqual(c.goaway.code, ENHANCE_YOUR_CALM)
                    self.assertTrue(c.closes(1))
                    longest = max(longest, steady() - started)
                if longest > 0.4:
                    break
            self.assertGreater(longest, 0.4)
            with self.connect() as bad:
                bad.send(frame(PING, 0, 0, bytes(8)) * 60)
                # Neither an old nor a new connection of the same address waits for that end.
                good.get(1, b"/fast")
                served(good, 1)
                with self.connect() as newcomer:
                    newcomer.get(1, b"/fast")
                    served(newcomer, 1)
                bad.poll(0)
                self.assertIsNone(bad.goaway)
                self.assertTrue(bad.wait(lambda: bad.goaway is not None, 4), "no GOAWAY")
        self.assertGreater(metric(self.gateway, "http2_ends_put_off_total"), 0)

    def test_puts_ends_off_however_many_there_were(self):
        def times(made, count):
            begun = metric(self.gateway, "http2_ends_put_off_total")
            for _ in range(count):
                with self.connect() as c:
                    c.send(made)
                    c.poll(0)
            return metric(self.gateway, "http2_ends_put_off_total") - begun

        # What is owed to the client is more than fits, which is found out while it is written.
        times(settings([(0xF0, 1)] * 2000) * 60, 400)
        until = steady() + 8
        while (put_off := times(frame(PING, 0, 0, bytes(8)) * 60, 50)) < 20 and steady() < until:
            pass
        self.assertGreaterEqual(put_off, 20)

    def test_handshakes_that_come_to_nothing_wait_and_are_served(self):
        for _ in range(60):
            with self.connect(tls=True, opening=False):
                pass
        with self.connect(tls=True) as c:
            c.get(1, b"/fast")
            served(c, 1)
        self.assertGreater(metric(self.gateway, "tls_handshakes_put_off_total"), 0)


class Slow(Suite):
    """Deadlines: what is held for a client that does nothing with it is given up."""

    settings = """
timeouts: {headers: 1s, body_progress: 1s, body_rate: 1KiB, write: 1s, idle: 2s, linger: 500ms}
"""
    routes = """
routes:
  - {name: fast, match: {path: /fast}, auth: public, respond: {status: 200, body: hi}}
  - {name: rest, match: {path: /}, auth: public, forward: {upstream: a}}
"""

    def drip(self, c, data, seconds, pause=0.1):
        until = steady() + seconds
        at = 0
        while steady() < until and c.end is None and at < len(data):
            if not c.send(data[at : at + 1]):
                break
            at += 1
            c.poll(pause)
        c.wait(lambda: c.end is not None, 0.5)

    def test_a_preface_that_comes_slowly(self):
        for tls in (False, True):
            with self.subTest(tls=tls), self.connect(tls, opening=False) as c:
                started = steady()
                self.drip(c, PREFACE, 3, 0.3)
                self.assertIsNotNone(c.end)
                self.assertLess(steady() - started, 2.5)

    def test_frames_that_come_slowly(self):
        for title, data in (
            ("HEADERS", frame(HEADERS, 5, 1, HEAD)), ("the frame's header", frame(HEADERS, 5, 1, HEAD)[:9]),
            ("CONTINUATION", frame(HEADERS, 1, 1, HEAD[:9]) + frame(CONTINUATION, 4, 1, HEAD[9:])),
            ("SETTINGS", settings([(3, 1)] * 20)), ("PING", frame(PING, 0, 0, bytes(8))), ("an unknown frame", frame(0xEE, 0, 0, bytes(99))),
        ):
            for busy in (False, True):
                with self.subTest(title, busy=busy), self.connect() as c:
                    if busy:
                        self.origin.script = lambda call: time.sleep(10)
                        c.get(1, b"/wait")
                    started = steady()
                    data = data.replace(b"\0\0\0\1", b"\0\0\0\3", 1) if busy and title != "SETTINGS" else data
                    self.drip(c, data, 5, 0.2)
                    c.closes(1)
                    self.assertIsNotNone(c.end, "the connection stays open")
                    self.assertLess(steady() - started, 3.5)

    def test_a_body_that_comes_slowly(self):
        self.origin.script = self.origin.echo
        with self.connect() as c:
            c.post(1, b"/slow")
            c.post(3, b"/slow", [(b"content-length", b"1000")])
            until = steady() + 4
            while steady() < until and not (c.stream(1).over and c.stream(3).over):
                c.data(1, b"x") if not c.stream(1).over else None
                c.data(3, b"x") if not c.stream(3).over else None
                c.poll(0.1)
            for number in (1, 3):
                answer = c.stream(number)
                self.assertTrue(answer.status == 408 or answer.reset is not None, answer.status)
            # The others on the connection go on.
            c.get(5, b"/fast")
            served(c, 5)

    def test_a_body_that_never_comes(self):
        self.origin.script = self.origin.echo
        with self.connect() as c:
            c.post(1, b"/slow")
            answer = c.answer(1, 4)
            self.assertTrue(answer.status == 408 or answer.reset is not None)

    def test_an_idle_connection_is_closed_with_goaway(self):
        for tls in (False, True):
            with self.subTest(tls=tls), self.connect(tls) as c:
                c.get(1, b"/fast")
                served(c)
                started = steady()
                while steady() - started < 5 and c.end is None:
                    c.ping()
                    time.sleep(0.3)
                    c.poll(0)
                self.assertIsNotNone(c.goaway)
                self.assertEqual(c.goaway.code, NO_ERROR)
                self.assertIsNotNone(c.end)
                self.assertLess(steady() - started, 4)

    def test_windows_that_stay_shut(self):
        """A few streams are reset; a connection that holds much ends."""
        large = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300000)
        self.origin.script = self.origin.says(large)
        with self.connect(entries=[(INITIAL_WINDOW, 0)], grow=False) as c:
            c.get(1, b"/large")
            answer = c.answer(1, 4)
            self.assertIsNotNone(answer.reset)
            self.assertFalse(answer.ended)
            c.get(3, b"/fast")
            self.assertTrue(c.alive())
        with self.connect(entries=[(INITIAL_WINDOW, 0)], grow=False) as c:
            for n in range(60):
                c.get(2 * n + 1, b"/large")
            self.assertTrue(c.wait(lambda: c.goaway is not None, 5), "no GOAWAY")
            self.assertEqual(c.goaway.code, ENHANCE_YOUR_CALM)
            self.assertTrue(c.closes(1))

    def test_windows_that_open_by_a_byte(self):
        large = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300000)
        self.origin.script = self.origin.says(large)
        with self.connect(entries=[(INITIAL_WINDOW, 0)], grow=False) as c:
            c.get(1, b"/large")
            started = steady()
            while steady() - started < 6 and c.stream(1).reset is None and c.end is None:
                c.window(1, 1)
                c.poll(0.2)
            self.assertTrue(c.stream(1).reset is not None or c.goaway is not None)
            self.assertFalse(c.stream(1).ended)

    def test_a_client_that_reads_nothing(self):
        large = b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" + bytes(8000000)
        self.origin.script = self.origin.says(large)
        with self.connect(entries=[(INITIAL_WINDOW, (1 << 31) - 1)], grow=False) as c:
            c.window(0, 1 << 30)
            c.get(1, b"/large")
            time.sleep(4)
            c.wait(lambda: c.stream(1).over or c.end is not None, 4)
            self.assertFalse(c.stream(1).ended)
            self.assertIsNotNone(c.end or c.stream(1).reset)

    def test_a_slow_reader_that_reads_is_served(self):
        self.origin.script = self.origin.says(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + bytes(20000))
        with self.connect(entries=[(INITIAL_WINDOW, 0)], grow=False) as c:
            c.get(1, b"/large")
            for _ in range(12):
                c.window(1, 2000)
                c.poll(0.4)
            self.assertEqual(len(served(c).body), 20000)

    def test_an_unread_connection_that_asks_on(self):
        """PING and SETTINGS that are never read back do not pile up."""
        with self.connect() as c:
            for _ in range(200):
                if not c.send(frame(PING, 0, 0, bytes(8)) * 20 + settings([]) * 20):
                    break
            self.assertTrue(c.closes(4))
