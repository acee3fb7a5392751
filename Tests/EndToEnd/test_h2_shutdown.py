"""The end of HTTP/2 connections: GOAWAY in two steps on reload and on drain, and listeners that speak nothing else."""

import signal
import socket
import threading
import unittest

import peers
from frames import H2, NO_ERROR, PING, PREFACE, PROTOCOL_ERROR, client_tls, frame
from harness import Gateway, Upstream

AUTHORITY = peers.Authority()
FRONT, SECOND = AUTHORITY.issue("gateway.example"), AUTHORITY.issue("gateway.example")
CONFIGURATION = """
workers: 1
tls: {file_check: off}
@MORE@
listeners:
  - {name: main, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
  - {name: plain, address: "127.0.0.1:0"}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: rest, match: {path: /}, auth: public, forward: {upstream: a}}
"""
LAST = (1 << 31) - 1


class Restless:
    """Requests without a pause over HTTP/2; a connection that is asked to leave finishes what it has, and is replaced."""

    def __init__(self, port, tls):
        self.port, self.tls = port, tls
        self.stopping, self.failures, self.answers, self.connections = threading.Event(), [], 0, 0
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopping.is_set():
            try:
                with H2(self.port, self.tls) as client:
                    self.connections += 1
                    self.work(client)
            except Exception as error:  # whatever it is, it is a failure of a request
                self.failures.append(repr(error))

    def work(self, client):
        number, waiting = 1, []
        while waiting or not (self.stopping.is_set() or client.goaway):
            while len(waiting) < 10 and not client.goaway and not self.stopping.is_set():
                client.get(number, b"/x")
                waiting.append(number)
                number += 2
            if not client.poll(3) and client.end is None:
                raise AssertionError(f"no answer to {waiting}")
            for one in client.frames:
                if one.kind == PING and not one.flags:
                    client.send(frame(PING, 1, 0, one.payload))
            last = LAST if client.goaway is None else int.from_bytes(client.goaway.payload[:4], "big")
            for one in [one for one in waiting if client.stream(one).over or one > last or client.end]:
                waiting.remove(one)
                answer = client.stream(one)
                self.answers += 1
                if answer.status != 200 or not answer.ended:
                    self.failures.append((one, last, answer.status, answer.ended, answer.reset, client.end))
            client.frames.clear()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(5)


class Reloads(unittest.TestCase):
    def setUp(self):
        self.upstream = Upstream()
        files = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem}
        self.gateway = Gateway(CONFIGURATION, files, UPSTREAM=self.upstream.port, MORE="")
        self.port, self.plain = (int(self.gateway.addresses[name].rsplit(":", 1)[1]) for name in ("main", "plain"))
        self.tls = client_tls(AUTHORITY.pem.decode())

    def tearDown(self):
        self.gateway.stop()
        self.upstream.stop()

    def reload(self, more=""):
        applied = sum("configuration applied" in line for line in self.gateway.log)
        version = more.startswith("versions: ")
        self.gateway.replacements["MORE"] = "" if version else more
        text = CONFIGURATION.replace("tls: {cert", "tls: {minimum_version: " + more[10:] + ", cert") if version else CONFIGURATION
        self.gateway.write(text)
        self.gateway.signal(signal.SIGHUP)
        self.assertTrue(self.gateway.wait_for("configuration applied", applied + 1))

    def leaves(self, client, patience=5):
        """Both steps: nothing that was sent before the answer to the ping is lost."""
        self.assertTrue(client.wait(lambda: client.goaway is not None, patience))
        first = client.goaway
        self.assertEqual((int.from_bytes(first.payload[:4], "big"), first.code), (LAST, NO_ERROR))
        asks = lambda: [one for one in client.frames if one.kind == PING and not one.flags]
        self.assertTrue(client.wait(asks))
        self.assertGreater(client.frames.index(asks()[0]), client.frames.index(first))

    def pong(self, client):
        ping = next(f for f in client.frames if f.kind == PING and not f.flags)
        client.send(frame(PING, 1, 0, ping.payload))

    def test_what_a_connection_stands_on_has_changed(self):
        for port, tls, more in (
            (self.plain, None, "limits: {http2: {concurrent_streams: 50}}"),
            (self.plain, None, "trusted_proxies: [127.0.0.1/32]"),
            (self.port, self.tls, "limits: {http2: {concurrent_streams: 60}}"),
            (self.port, self.tls, "versions: TLSv1.3"),
        ):
            with self.subTest(more), H2(port, tls) as client:
                client.get(1)
                self.assertEqual(client.answer(1).status, 200)
                self.reload(more)
                self.leaves(client)
                # The client did not know yet: its request is served.
                client.get(3)
                self.assertEqual(client.answer(3).status, 200)
                client.goaway = None
                self.pong(client)
                self.assertTrue(client.wait(lambda: client.goaway is not None))
                self.assertEqual(int.from_bytes(client.goaway.payload[:4], "big"), 3)
                self.assertTrue(client.closes())
                self.assertEqual(client.end, "EOF")

    def test_everything_else_changes_under_the_connection(self):
        with H2(self.port, self.tls) as client, H2(self.plain) as plain:
            SECOND.write(self.gateway.folder, "a")
            self.reload("http: {via: other}")
            for one in (client, plain):
                one.get(1)
                self.assertIn(b"Via: 2.0 other", one.answer(1).body)
                self.assertTrue(one.alive())
                self.assertIsNone(one.goaway)

    def test_a_client_that_does_not_answer_the_ping(self):
        with H2(self.plain) as client:
            self.reload("limits: {http2: {stalled: 128KiB}}")
            self.leaves(client)
            client.goaway = None
            self.assertTrue(client.wait(lambda: client.goaway is not None, 3))
            self.assertTrue(client.closes())

    def test_reloads_under_load_lose_nothing(self):
        load = Restless(self.port, self.tls)
        try:
            for turn in range(6):
                before = load.answers
                (SECOND if turn % 2 == 0 else FRONT).write(self.gateway.folder, "a")
                self.reload("limits: {http2: {concurrent_streams: %d}}" % (50 + turn))
                peers.eventually(lambda: load.answers > before + 500 or load.failures, "the load does not go on")
        finally:
            load.stop()
        self.assertEqual(load.failures, [])

    def test_between_requests(self):
        """A connection with a request under way is asked when that is answered."""
        go = threading.Event()
        self.addCleanup(go.set)
        self.upstream.answer = lambda head, body, connection: (go.wait(5), Upstream.echo(head, body, connection))[1]
        with H2(self.plain) as client:
            client.get(1)
            peers.eventually(lambda: self.upstream.heads, "the request does not arrive")
            self.reload("limits: {http2: {concurrent_streams: 50}}")
            self.assertTrue(client.alive())
            self.assertIsNone(client.goaway)
            go.set()
            self.assertEqual(client.answer(1).status, 200)
            self.leaves(client)

    def test_many_connections_do_not_all_leave_at_once(self):
        clients = [H2(self.plain) for _ in range(60)]
        try:
            self.reload("limits: {http2: {concurrent_streams: 50}}")
            clients[0].wait(lambda: clients[0].goaway is not None)
            gone = [one for one in clients if one.poll(0) and one.goaway is not None]
            self.assertLess(len(gone), 60)
            for one in clients:
                self.assertTrue(one.wait(lambda: one.goaway is not None, 3))
        finally:
            for one in clients:
                one.close()

    def test_a_drain_under_load_loses_nothing(self):
        load = Restless(self.port, self.tls)
        try:
            peers.eventually(lambda: load.answers > 100, "the load does not begin")
            self.gateway.signal(signal.SIGTERM)
            load.stopping.wait(0.2)
        finally:
            load.stop()
            self.assertEqual(self.gateway.process.wait(10), 0)
        self.assertEqual([one for one in load.failures if "refused" not in str(one).lower()], [])

    def test_a_drain_asks_before_it_closes(self):
        with H2(self.plain) as client:
            self.gateway.signal(signal.SIGTERM)
            self.leaves(client)
            client.get(1)
            self.assertEqual(client.answer(1).status, 200)
            self.pong(client)
            self.assertTrue(client.closes())
        self.assertEqual(self.gateway.process.wait(10), 0)


class OnlyHTTP2(unittest.TestCase):
    """A listener with `http1: false`."""

    CONFIGURATION = """
listeners:
  - {name: main, address: "127.0.0.1:0", http1: false}
  - {name: tls, address: "127.0.0.1:0", http1: false, tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
routes: [{name: fixed, auth: public, respond: {status: 200, body: hi}}]
"""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(cls.CONFIGURATION, {"a.pem": FRONT.pem, "a.key": FRONT.key_pem})
        cls.tls = int(cls.gateway.addresses["tls"].rsplit(":", 1)[1])

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()

    def test_requests(self):
        for port, tls in ((self.gateway.port, None), (self.tls, client_tls(AUTHORITY.pem.decode()))):
            with H2(port, tls) as client:
                client.get(1)
                self.assertEqual(client.answer(1).body, b"hi")

    def test_anything_but_the_preface_gets_goaway(self):
        for first in (b"INVALID CONNECTION PREFACE\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PREFACE[:-1] + b"x"):
            with H2(self.gateway.port, opening=False) as client:
                client.send(first)
                self.assertTrue(client.closes())
                self.assertEqual(client.goaway.code, PROTOCOL_ERROR)

    def test_a_client_without_http2_is_refused_in_the_handshake(self):
        raw = socket.create_connection(("127.0.0.1", self.tls), 5)
        with self.assertRaisesRegex(OSError, "(?i)alert no application protocol"):
            AUTHORITY.context(["http/1.1"]).wrap_socket(raw, server_hostname="gateway.example")
        raw.close()

    def test_it_has_to_speak_something(self):
        text = self.CONFIGURATION.replace("http1: false, tls: {", "http1: false, tls: {http2: false, ")
        with self.assertRaisesRegex(AssertionError, "nothing is spoken here"):
            Gateway(text, {"a.pem": FRONT.pem, "a.key": FRONT.key_pem})


if __name__ == "__main__":
    unittest.main()
