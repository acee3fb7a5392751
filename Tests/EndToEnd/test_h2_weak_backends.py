"""Backends over HTTP/2 that take no request, fall silent on a connection, or die of a request: what it costs the others."""

import threading
import time
import unittest

import h2.settings

import http2
import peers
from harness import Gateway
from wire import Client as HTTP1

CODES = h2.settings.SettingCodes
CONFIGURATION = """
workers: 1
@LIMITS@
upstreams: [{name: a, servers: ["127.0.0.1:@PORT@"], protocol: h2c, refused_pause: 0s, pool: {max_connections: 50}}]
routes: [{name: all, auth: public, forward: {upstream: a}}]
"""
CALL = (("content-type", "application/grpc"), ("te", "trailers"))
WEBSOCKET = (
    b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class WeakBackends(unittest.TestCase):
    def start(self, script, limits="", **options):
        self.server = http2.Server(script, at_head=True, **options)
        self.addCleanup(self.server.stop)
        self.gateway = Gateway(CONFIGURATION, PORT=self.server.port, LIMITS=limits)
        self.addCleanup(self.gateway.stop)

    def client(self):
        client = http2.Client(self.gateway.port)
        self.addCleanup(client.socket.close)
        return client

    def test_one_that_takes_nothing_is_not_asked_over_and_over(self):
        """SETTINGS_MAX_CONCURRENT_STREAMS of 0: no further connection would take more."""
        settings = {CODES.MAX_CONCURRENT_STREAMS: 0, CODES.ENABLE_CONNECT_PROTOCOL: 1}
        self.start(lambda stream: stream.reset(7), settings=settings)
        with HTTP1(self.gateway.port, patience=10) as client:
            for _ in range(3):
                client.send(WEBSOCKET)
                self.assertEqual(client.reply().status, 502)
        self.assertLessEqual(len(self.server.connections), 3)
        # Nor are such connections kept.
        peers.eventually(lambda: all(one.over for one in self.server.connections), "useless connections stay open")

    def test_a_connection_on_which_nothing_comes_any_more_gets_no_further_request(self):
        """As after a firewall has forgotten it: new connections would be fine."""
        gone = threading.Event()
        self.addCleanup(gone.set)

        def script(stream):
            if stream.connection is self.server.connections[0]:
                if stream.path == "/last":
                    with stream.connection.lock:
                        gone.wait(30)
                elif stream.path == "/stream":
                    return stream.respond(200, ends=False)
            stream.respond(200, body=b"well")

        self.start(script)
        client = self.client()
        self.assertEqual(client.get("/").body, b"well")
        stream = client.request("/stream")
        self.assertTrue(client.until(lambda: client.replies[stream].fields))
        call = client.get("/last", method="POST", fields=(*CALL, ("grpc-timeout", "1500m")), body=b"\0\0\0\0\0")
        self.assertEqual(call.field("grpc-status"), "4")
        for _ in range(3):
            self.assertEqual(client.reply(client.request("/"), 5).body, b"well")
        self.assertEqual(len(self.server.connections), 2)
        # What goes on there goes on.
        self.assertFalse(client.replies[stream].over)

    def test_one_that_is_only_slow_keeps_its_connection(self):
        def script(stream):
            if stream.path != "/slow":
                stream.respond(200, body=b"well")

        self.start(script)
        client = self.client()
        slow = client.request("/slow", "POST", (*CALL, ("grpc-timeout", "1500m")), body=b"\0\0\0\0\0")
        while not client.replies[slow].over:
            self.assertEqual(client.get("/").body, b"well")
            client.until(lambda: client.replies[slow].over, 0.2)
        self.assertEqual(client.get("/").body, b"well")
        self.assertEqual(len(self.server.connections), 1)

    def test_a_request_that_kills_connections_is_sent_twice_at_most(self):
        go, arrived = threading.Event(), []

        def script(stream):
            if stream.path == "/deadly":
                arrived.append(stream)
                return stream.connection.cut()
            go.wait(10)
            stream.respond(200, body=b"well")

        self.start(script, settings={CODES.MAX_CONCURRENT_STREAMS: 1})
        client = self.client()
        streams = [client.request("/") for _ in range(6)]
        peers.eventually(lambda: len(self.server.streams) == 6, "requests do not come")
        go.set()
        self.assertEqual([client.reply(stream).status for stream in streams], [200] * 6)
        self.assertEqual(client.get("/deadly").status, 502)
        self.assertEqual(len(arrived), 2)
        self.assertEqual(client.get("/").status, 200)

    def test_heads_as_long_as_the_configuration_allows(self):
        fields = [(f"x-{number}", "v" * 8000) for number in range(20)]
        self.start(lambda stream: stream.respond(200, fields, b"well"), "limits: {response_headers: 200KiB}")
        with HTTP1(self.gateway.port) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            reply = client.reply()
        self.assertEqual((reply.status, reply.body), (200, b"well"))
        self.assertEqual(len([name for name, _ in reply.fields if name.startswith(b"x-")]), 20)


if __name__ == "__main__":
    unittest.main()
