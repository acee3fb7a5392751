"""Streams that stay open for long: their maximum age, and peers that are gone without a word."""

import pathlib
import threading
import unittest
from concurrent import futures

import grpc
import websockets.exceptions
from websockets.sync.client import connect

import http2
import peers
from frames import H2, INTERNAL_ERROR, PING, frame
from harness import Gateway, Upstream
from test_grpc import Service
from test_streams import AUTHORITY, FRONT, Streams
from test_websocket import H2Socket
from timing import Stopwatch, steady
from wire import Client as HTTP1

CONFIGURATION = """
workers: 1
listeners:
  - {name: main, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
  - {name: plain, address: "127.0.0.1:0"}
@TIMEOUTS@
upstreams:
  - {name: a, servers: ["127.0.0.1:@UPSTREAM@"]}
  - {name: h2, servers: ["127.0.0.1:@H2@"], protocol: h2c, @PING@}
  - {name: calls, servers: ["127.0.0.1:@CALLS@"], protocol: h2c}
routes:
  - {name: steady, match: {path: /steady}, auth: public, forward: {upstream: a, stream_age: off}}
  - {name: h2, match: {path: /h2}, auth: public, forward: {upstream: h2}}
  - {name: calls, match: {path: /calls}, auth: public, forward: {upstream: calls}}
  - {name: rest, match: {path: /}, auth: public, forward: {upstream: a}}
"""
FILES = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem}


class Base(unittest.TestCase):
    timeouts = ping = ""

    @classmethod
    def setUpClass(cls):
        cls.upstream, cls.h2 = Upstream(Streams.answer), http2.Server(Streams.answer_h2)
        cls.server = grpc.server(futures.ThreadPoolExecutor(16), handlers=[Service()])
        calls = cls.server.add_insecure_port("127.0.0.1:0")
        cls.server.start()
        cls.gateway = Gateway(
            CONFIGURATION, FILES, UPSTREAM=cls.upstream.port, H2=cls.h2.port, CALLS=calls, TIMEOUTS=cls.timeouts, PING=cls.ping
        )
        cls.port, cls.plain = (int(cls.gateway.addresses[name].rsplit(":", 1)[1]) for name in ("main", "plain"))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.upstream.stop()
        cls.h2.stop()
        cls.server.stop(None)


class Age(Base):
    timeouts = "timeouts: {stream_age: 1s}"

    def ended(self, run):
        """What it came to, and that it took as long as it may."""
        took = Stopwatch()
        value = run()
        self.assertTrue(took.within(0.9, 2.5), took)
        return value

    def test_websockets_are_closed_with_a_reason(self):
        def over_http1():
            with connect(f"ws://127.0.0.1:{self.plain}/socket") as one:
                with self.assertRaises(websockets.exceptions.ConnectionClosed) as closed:
                    while True:
                        one.recv(10)
                return closed.exception.rcvd

        def over_http2():
            with http2.Client(self.port, AUTHORITY.context(["h2"])) as client:
                client.until(lambda: client.settled)
                one = H2Socket(client, "/socket")
                while (taken := one.receive(10)) and taken[0] != 8:
                    pass
                client.until(lambda: one.reply.over, 3)
                return taken, one.reply.ended

        close = self.ended(over_http1)
        self.assertEqual(close.code, 1001)
        self.assertIn("maximum age", close.reason)
        taken, over = self.ended(over_http2)
        self.assertEqual((taken[0], taken[1][:2], over), (8, (1001).to_bytes(2, "big"), True))

    def test_event_streams_end_whole_and_others_are_cut(self):
        for path, whole in (("/events", True), ("/bytes", False), ("/h2/events", True), ("/h2/bytes", False)):

            def over_http1():
                with HTTP1(self.plain, patience=10) as client:
                    client.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                    return client.reply().complete

            def over_http2():
                with http2.Client(self.port, AUTHORITY.context(["h2"])) as client:
                    return client.get(path)

            with self.subTest(path):
                self.assertEqual(self.ended(over_http1), whole)
                reply = self.ended(over_http2)
                self.assertEqual((reply.status, reply.ended, reply.reset is None), (200, whole, whole))

    def test_calls_end_with_a_status(self):
        def call():
            with grpc.insecure_channel(f"127.0.0.1:{self.plain}") as channel:
                with self.assertRaises(grpc.RpcError) as error:
                    list(channel.unary_stream("/calls/Wait")(b"", timeout=10))
                return error.exception

        error = self.ended(call)
        self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("maximum age", error.details())

    def test_a_route_may_have_its_own(self):
        with http2.Client(self.port, AUTHORITY.context(["h2"])) as client:
            reply = client.replies[client.request("/steady/events")]
            client.until(lambda: reply.over, 1.8)
            self.assertFalse(reply.over)

    def test_it_is_counted(self):
        before = peers.metric(self.gateway, 'timeouts_total{kind="stream_age"}')
        with http2.Client(self.plain) as client:
            self.ended(lambda: client.get("/events"))
        self.assertEqual(peers.metric(self.gateway, 'timeouts_total{kind="stream_age"}') - before, 1)


class SilentBackend:
    """Takes HTTP/2 requests, begins an answer, and says nothing more, not even to PING, when it is deaf."""

    def __init__(self):
        self.deaf, self.gone = True, threading.Event()

    def answer(self, stream):
        stream.respond(200, [("content-type", "text/event-stream")], b"data: tick\n\n", ends=False)
        if self.deaf:
            with stream.connection.lock:
                self.gone.wait(10)
        else:
            self.gone.wait(10)


class DeadPeers(unittest.TestCase):
    def setUp(self):
        self.backend = SilentBackend()
        self.h2 = http2.Server(self.backend.answer)
        self.addCleanup(self.h2.stop)
        self.addCleanup(self.backend.gone.set)

    def gateway(self, timeouts="timeouts: {keepalive: 1s, keepalive_answer: 1s}", ping="ping: 1s"):
        gateway = Gateway(CONFIGURATION, FILES, UPSTREAM=self.h2.port, H2=self.h2.port, CALLS=self.h2.port, TIMEOUTS=timeouts, PING=ping)
        self.addCleanup(gateway.stop)
        self.plain = int(gateway.addresses["plain"].rsplit(":", 1)[1])
        return gateway

    def test_clients_with_open_requests_are_asked(self):
        gateway = self.gateway(ping="ping: off")
        self.backend.deaf = False
        with H2(self.plain) as deaf, H2(self.plain) as awake, H2(self.plain) as idle:
            for client in (deaf, awake):
                client.get(1, b"/h2/events")
                self.assertTrue(client.wait(lambda: client.stream(1).body))
            took, until = Stopwatch(), steady() + 8
            asked = 0
            while deaf.end is None and steady() < until:
                deaf.poll(0.05)
                awake.poll(0.05)
                pings = [one for one in awake.frames if one.kind == PING and not one.flags]
                if len(pings) > asked:
                    asked = len(pings)
                    awake.send(frame(PING, 1, 0, pings[-1].payload))
            self.assertTrue(took.within(1.8, 3.5), took)
            self.assertEqual(sum(one.kind == PING for one in deaf.frames), 1)
            self.assertGreaterEqual(asked, 1)
            self.assertTrue(awake.alive())
            self.assertFalse(awake.stream(1).over)
            # Without an open request nobody is asked.
            self.assertTrue(idle.alive())
            self.assertEqual(sum(one.kind == PING and not one.flags for one in idle.frames), 0)
        self.assertEqual(peers.metric(gateway, 'timeouts_total{kind="keepalive"}'), 1)

    def test_backends_with_open_requests_are_asked_where_it_is_wanted(self):
        gateway = self.gateway("timeouts: {keepalive: off, keepalive_answer: 1s}")
        with H2(self.plain) as client:
            client.get(1, b"/h2/events")
            answer = client.answer(1, 5)
            self.assertEqual((answer.body, answer.ended, answer.reset), (b"data: tick\n\n", False, INTERNAL_ERROR))
            self.assertEqual(peers.metric(gateway, 'timeouts_total{kind="upstream_keepalive"}'), 1)
            # One that answers goes on, however silent it is.
            self.backend.deaf = False
            client.get(3, b"/h2/events")
            client.wait(lambda: client.stream(3).over, 3.5)
            self.assertEqual((client.stream(3).body, client.stream(3).over), (b"data: tick\n\n", False))

    def test_the_kernel_asks_on_every_connection(self):
        """A keepalive timer runs on both sides of a tunnel, a plain connection and under TLS."""
        upstream = Upstream(Streams.answer)
        self.addCleanup(upstream.stop)
        gateway = Gateway(
            CONFIGURATION, FILES, UPSTREAM=upstream.port, H2=self.h2.port, CALLS=self.h2.port, TIMEOUTS="", PING="keepalive: 45s"
        )
        self.addCleanup(gateway.stop)
        ports = [int(gateway.addresses[name].rsplit(":", 1)[1]) for name in ("main", "plain")]
        with HTTP1(ports[1]) as _, H2(ports[1]) as client, HTTP1(ports[1]) as poll:
            client.get(1, b"/h2/events")
            self.assertTrue(client.wait(lambda: client.stream(1).body))
            poll.send(b"GET /poll HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(poll.reply().status, 200)

            def timers():
                """Seconds until the next keepalive probe, by the port of the gateway or of the backend."""
                found = {}
                for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
                    words = line.split()
                    local, remote = (int(words[i].rsplit(":", 1)[1], 16) for i in (1, 2))
                    kind, jiffies = words[5].split(":")
                    if words[3] != "01":
                        continue
                    if local in ports:
                        found.setdefault("clients", []).append((kind, int(jiffies, 16) / 100))
                    elif remote in (self.h2.port, upstream.port):
                        found.setdefault(remote, []).append((kind, int(jiffies, 16) / 100))
                return found

            def whole():
                found = timers()
                return found if all(kind == "02" for entries in found.values() for kind, _ in entries) else None

            found = peers.eventually(whole, "a connection without a keepalive timer")
            self.assertEqual(len(found["clients"]), 3)
            for name, most in (("clients", 30), (self.h2.port, 45), (upstream.port, 30)):
                for _, seconds in found[name]:
                    self.assertTrue(most - 10 < seconds <= most, (name, seconds))


if __name__ == "__main__":
    unittest.main()
