"""What has no end of its own: event streams, long polls, downloads and tunnels; how each ends with its credential."""

import base64
import hashlib
import threading
import time
import unittest
from concurrent import futures

import grpc
import websockets.exceptions
from websockets.sync.client import connect

import http2
import peers
from harness import Gateway, Keys, TestCase, Upstream
from test_grpc import Service
from test_websocket import H2Socket, take_frame
from timing import lost, steady
from wire import Client as HTTP1

AUTHORITY = peers.Authority()
FRONT = AUTHORITY.issue("gateway.example")
CONFIGURATION = Keys.ISSUERS + """
workers: 1
listeners:
  - {name: main, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
  - {name: plain, address: "127.0.0.1:0"}
upstreams:
  - {name: a, servers: ["127.0.0.1:@UPSTREAM@"]}
  - {name: h2, servers: ["127.0.0.1:@H2@"], protocol: h2c}
  - {name: calls, servers: ["127.0.0.1:@CALLS@"], protocol: h2c}
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: h2, match: {path: /h2}, forward: {upstream: h2}}
  - {name: calls, match: {path: /calls}, forward: {upstream: calls}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""
HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Streams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = TestCase.keys
        cls.upstream, cls.h2 = Upstream(cls.answer), http2.Server(cls.answer_h2)
        cls.service = Service()
        cls.server = grpc.server(futures.ThreadPoolExecutor(16), handlers=[cls.service])
        calls = cls.server.add_insecure_port("127.0.0.1:0")
        cls.server.start()
        files = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem, **cls.keys.files()}
        cls.gateway = Gateway(CONFIGURATION, files, UPSTREAM=cls.upstream.port, H2=cls.h2.port, CALLS=calls)
        cls.port, cls.plain = (int(cls.gateway.addresses[name].rsplit(":", 1)[1]) for name in ("main", "plain"))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.upstream.stop()
        cls.h2.stop()
        cls.server.stop(None)

    @staticmethod
    def answer(head, body, connection):
        """Streams by the path, twenty pieces a second, for as long as somebody listens."""
        path = head.split(b" ")[1]
        kind = path.rsplit(b"/", 1)[1]
        if kind == b"poll":
            time.sleep(0.5)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnews"
        if kind in (b"socket", b"frame"):
            lines = {line.split(b":")[0].lower(): line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:]}
            key = lines[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            connection.sendall(HANDSHAKE % base64.b64encode(hashlib.sha1(key).digest()))
            if kind == b"frame":
                connection.sendall(b"\x82\x7f" + (1 << 24).to_bytes(8, "big"))
            piece = b"\x81\x04tick" if kind == b"socket" else b"x" * 1000
        else:
            content = b"text/event-stream" if kind == b"events" else b"application/octet-stream"
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % content)
            piece = chunk(b"data: tick\n\n")
        while True:
            connection.sendall(piece)
            time.sleep(0.05)

    @staticmethod
    def answer_h2(stream):
        content = "text/event-stream" if stream.path.endswith("events") else "application/octet-stream"
        stream.respond(200, [("content-type", content)], b"data: tick\n\n", ends=False)
        while True:
            stream.send(b"data: tick\n\n")
            time.sleep(0.05)

    def secure(self):
        client = http2.Client(self.port, AUTHORITY.context(["h2"]))
        client.until(lambda: client.settled)
        self.addCleanup(client.socket.close)
        return client

    def test_events_are_not_kept_back(self):
        with HTTP1(self.plain) as client:
            begin = steady()
            client.send(b"GET /open/events HTTP/1.1\r\nHost: a\r\n\r\n")
            data = client.until(b"\n\n\r\n") + client.until(b"\n\n\r\n")
            self.assertIn(b"data: tick", data)
            self.assertLess(steady() - begin, 3)
        client = self.secure()
        begin = steady()
        reply = client.replies[client.request("/open/events")]
        self.assertTrue(client.until(lambda: reply.body.count(b"tick") >= 3))
        self.assertLess(steady() - begin, 3)

    def test_long_polls(self):
        client = self.secure()
        streams = [client.request("/open/poll") for _ in range(20)]
        begin = steady()
        self.assertEqual([client.reply(stream).body for stream in streams], [b"news"] * 20)
        self.assertLess(steady() - begin, 4)

    def test_streams_end_with_their_credential(self):
        """All kinds at once: those with the short token end within one second of it, the others go on."""
        expiry, gone = int(time.time()) + 4, lost()
        short, long = self.keys.token(exp=expiry), self.keys.token(exp=expiry + 600)
        ends, lock, kept = {}, threading.Lock(), {}

        def ended(name, value):
            with lock:
                ends[name] = (value, time.time())

        def h1(name, path, token):
            with HTTP1(self.plain) as client:
                client.send(b"GET %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n" % (path, token.encode()))
                client.socket.settimeout(10)
                ended(name, client.reply().complete)

        def web(name, path, token):
            with connect(f"ws://127.0.0.1:{self.plain}{path}", additional_headers={"Authorization": "Bearer " + token}) as one:
                try:
                    while True:
                        one.recv(10)
                except websockets.exceptions.ConnectionClosed as closed:
                    ended(name, (closed.rcvd.code if closed.rcvd else None, closed.rcvd.reason if closed.rcvd else None))

        def h2(name, path, token):
            with http2.Client(self.port, AUTHORITY.context(["h2"])) as client:
                reply = client.get(path, token=token)
                ended(name, (reply.status, reply.ended, reply.reset))

        def h2_web(name, path, token):
            with http2.Client(self.port, AUTHORITY.context(["h2"])) as client:
                client.until(lambda: client.settled)
                one = H2Socket(client, path, token)
                while (taken := one.receive(10)) and taken[0] != 8:
                    pass
                client.until(lambda: one.reply.over, 8)
                ended(name, (taken, one.reply.over))

        def call(name, path, token, endless=True):
            with grpc.insecure_channel(f"127.0.0.1:{self.plain}") as channel:
                metadata = (("authorization", "Bearer " + token),)
                try:
                    if endless:
                        list(channel.unary_stream(path)(b"", metadata=metadata, timeout=10))
                    else:
                        channel.unary_unary(path)(b"8", metadata=metadata, timeout=10)
                except grpc.RpcError as error:
                    ended(name, error.code())

        work = {
            "h1 events": (h1, b"/events"), "h1 bytes": (h1, b"/bytes"), "h1 h2 events": (h1, b"/h2/events"),
            "h1 h2 bytes": (h1, b"/h2/bytes"), "web": (web, "/socket"), "web frame": (web, "/frame"),
            "h2 events": (h2, "/events"), "h2 bytes": (h2, "/bytes"), "h2 h2 events": (h2, "/h2/events"),
            "h2 h2 bytes": (h2, "/h2/bytes"), "h2 web": (h2_web, "/socket"), "h2 web frame": (h2_web, "/frame"),
            "call": (call, "/calls/Wait"),
        }
        threads = [threading.Thread(target=run, args=(name, path, short), daemon=True) for name, (run, path) in work.items()]
        threads.append(threading.Thread(target=call, args=("waiting call", "/calls/Sleep", short, False), daemon=True))
        client = self.secure()
        kept["events"] = client.replies[client.request("/events", token=long)]
        kept["h2 events"] = client.replies[client.request("/h2/events", token=long)]
        kept["poll"] = client.replies[client.request("/open/bytes")]
        kept_on = H2Socket(client, "/socket", long)
        for thread in threads:
            thread.start()
        until = steady() + 12
        while steady() < until and any(thread.is_alive() for thread in threads):
            client.read(0.1)
        self.assertEqual([name for name in [*work, "waiting call"] if name not in ends], [])
        for name, (_, when) in ends.items():
            self.assertTrue(-0.05 <= when - expiry <= 1.0 + lost() - gone, (name, when - expiry))
        for name in ("h1 events", "h1 h2 events"):
            self.assertTrue(ends[name][0], name)
        for name in ("h1 bytes", "h1 h2 bytes"):
            self.assertFalse(ends[name][0], name)
        self.assertEqual(ends["web"][0][0], 1008)
        self.assertIn("expired", ends["web"][0][1])
        self.assertEqual(ends["web frame"][0], (None, None))
        for name in ("h2 events", "h2 h2 events"):
            self.assertEqual(ends[name][0], (200, True, None))
        for name in ("h2 bytes", "h2 h2 bytes"):
            self.assertEqual(ends[name][0][:2], (200, False))
            self.assertIsNotNone(ends[name][0][2])
        taken, over = ends["h2 web"][0]
        self.assertEqual((taken[0], taken[1][:2], over), (8, (1008).to_bytes(2, "big"), True))
        self.assertEqual(ends["h2 web frame"][0], (None, True))
        self.assertEqual(ends["call"][0], grpc.StatusCode.UNAUTHENTICATED)
        self.assertEqual(ends["waiting call"][0], grpc.StatusCode.UNAUTHENTICATED)
        for name, reply in kept.items():
            before = reply.received
            self.assertFalse(reply.over, name)
            self.assertTrue(client.until(lambda: reply.received > before), name)
        self.assertFalse(kept_on.reply.over)
        self.assertTrue(client.until(lambda: take_frame(kept_on.reply.body)))
        count = peers.metric(self.gateway, "streams_ended_with_credential_total")
        self.assertEqual(count, len(work) + 1)
