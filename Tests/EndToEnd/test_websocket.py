"""WebSockets: over HTTP/1 with the `websockets` package, and over HTTP/2 by extended CONNECT (RFC 8441)."""

import base64
import hashlib
import logging
import os
import socket
import ssl
import threading
import time
import unittest

import websockets.exceptions
from websockets.sync.client import connect
from websockets.sync.server import serve

import http2
import peers
from harness import Gateway, Keys, TestCase, Upstream

# What the server thinks of clients that vanish is nobody's concern.
logging.getLogger("websockets").setLevel(logging.CRITICAL)
AUTHORITY = peers.Authority()
FRONT, BACK = AUTHORITY.issue("gateway.example"), AUTHORITY.issue("127.0.0.1")
MEBIBYTE = os.urandom(1 << 20)
CONFIGURATION = Keys.ISSUERS + """
workers: 1
listeners:
  - {name: main, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
  - {name: plain, address: "127.0.0.1:0"}
upstreams:
  - {name: clear, servers: ["127.0.0.1:@CLEAR@"]}
  - {name: secure, servers: ["127.0.0.1:@SECURE@"], tls: {ca_file: ca.pem}}
  - {name: nested, servers: ["127.0.0.1:@NESTED@"], protocol: h2c}
routes:
  - {name: private, match: {path: /private}, forward: {upstream: clear}}
  - {name: clear, match: {path: /clear}, auth: public, forward: {upstream: clear}}
  - {name: secure, match: {path: /secure}, auth: public, forward: {upstream: secure}}
  - {name: nested, match: {path: /nested}, auth: public, forward: {upstream: nested}}
"""


def answer(web):
    """Echoes; some words are orders."""
    for message in web:
        if message == "close":
            return web.close(4321, "as you wish")
        if message == "flood":
            for _ in range(32):
                web.send(MEBIBYTE)
            continue
        web.send(message)


def frame(opcode, data):
    """A whole frame of a client's (RFC 6455 §5.2), masked with zeroes."""
    size = len(data)
    if size < 126:
        head = bytes([0x80 | opcode, 0x80 | size])
    elif size < 65536:
        head = bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, 0xFF]) + size.to_bytes(8, "big")
    return head + bytes(4) + data


def take_frame(data):
    """The first whole frame of a server's in `data`: its code and content, and the rest; None while it is not whole."""
    if len(data) < 2:
        return None
    size, start = data[1], 2
    if size > 125:
        start = 4 if size == 126 else 10
        size = int.from_bytes(data[2:start], "big")
    if len(data) < start + size:
        return None
    return data[0] & 15, data[start : start + size], data[start + size :]


class H2Socket:
    """A WebSocket on a stream (RFC 8441)."""

    def __init__(self, client, path, token=None):
        self.client = client
        fields = (("sec-websocket-version", "13"),)
        self.stream = client.request(path, "CONNECT", fields, ends=False, token=token, protocol="websocket")
        self.reply = client.replies[self.stream]
        client.until(lambda: self.reply.fields or self.reply.over)

    def send(self, message):
        text = isinstance(message, str)
        self.client.send(self.stream, frame(1 if text else 2, message.encode() if text else message))

    def receive(self, seconds=10):
        """The next frame: its code and content; None when the stream ends before one."""
        self.client.until(lambda: take_frame(self.reply.body) or self.reply.over, seconds)
        if not (taken := take_frame(self.reply.body)):
            return None
        code, content, self.reply.body = taken
        return code, content


class WebSockets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = TestCase.keys
        secure = peers.server_context(BACK)
        cls.servers = [serve(answer, "127.0.0.1", 0, max_size=None), serve(answer, "127.0.0.1", 0, ssl=secure, max_size=None)]
        for server in cls.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        ports = [server.socket.getsockname()[1] for server in cls.servers]
        files = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem, "ca.pem": AUTHORITY.pem, **cls.keys.files()}
        inner = "workers: 1\nupstreams: [{name: a, servers: [\"127.0.0.1:@CLEAR@\"]}]\n"
        inner += "routes: [{name: all, auth: public, forward: {upstream: a}}]\n"
        cls.inner = Gateway(inner, CLEAR=ports[0])
        cls.gateway = Gateway(CONFIGURATION, files, CLEAR=ports[0], SECURE=ports[1], NESTED=cls.inner.port)
        cls.port, cls.plain = (int(cls.gateway.addresses[name].rsplit(":", 1)[1]) for name in ("main", "plain"))

    @classmethod
    def tearDownClass(cls):
        for one in (cls.gateway, cls.inner):
            one.stop()
        for server in cls.servers:
            server.shutdown()

    def connect(self, path, secure=False, **options):
        if secure:
            # In TLS 1.3 the library's reader takes session tickets while the request is written, which Python's ssl
            # before 3.13 does not bear: now and then nothing is sent.
            options |= {"ssl": AUTHORITY.context(maximum=ssl.TLSVersion.TLSv1_2), "sock": socket.create_connection(("127.0.0.1", self.port))}
        url = f"wss://gateway.example{path}" if secure else f"ws://127.0.0.1:{self.plain}{path}"
        return connect(url, max_size=None, compression=None, **options)

    def ways(self):
        return [(path, secure) for path in ("/clear", "/secure", "/nested") for secure in (False, True)]

    def test_frames_of_a_mebibyte_both_ways(self):
        for path, secure in self.ways():
            with self.connect(path, secure) as web:
                for message in ("text", b"", MEBIBYTE, MEBIBYTE[:70_000]):
                    web.send(message)
                    self.assertTrue(web.recv(10) == message, path)
                self.assertTrue(web.ping().wait(5))

    def test_closing_codes_pass(self):
        for path, secure in self.ways():
            with self.connect(path, secure) as web:
                web.send("close")
                with self.assertRaises(websockets.exceptions.ConnectionClosed) as caught:
                    web.recv(5)
                self.assertEqual((caught.exception.rcvd.code, caught.exception.rcvd.reason), (4321, "as you wish"))
            with self.connect(path, secure) as web:
                web.send("x")
                web.recv(5)
                web.close(4001, "bye")
                self.assertEqual(web.close_code, 4001)
        peers.eventually(lambda: peers.metric(self.gateway, "tunnels_open") == 0, "tunnels stay")

    def test_slow_readers_stop_the_backend(self):
        before = peers.resident(self.gateway)
        for path in ("/clear", "/nested"):
            with self.connect(path) as web:
                web.send("flood")
                time.sleep(0.2)
                self.assertLess(peers.resident(self.gateway) - before, 12 << 20)
                for _ in range(32):
                    self.assertTrue(web.recv(10) == MEBIBYTE)

    def test_over_http2(self):
        for path in ("/clear", "/secure", "/nested"):
            for port, context in ((self.port, AUTHORITY.context(["h2"])), (self.plain, None)):
                with http2.Client(port, context) as client:
                    client.until(lambda: client.settled)
                    sockets = [H2Socket(client, path) for _ in range(3)]
                    for web in sockets:
                        self.assertEqual(web.reply.status, 200)
                    for index, web in enumerate(sockets):
                        for message in (b"%d" % index, MEBIBYTE):
                            web.send(message)
                            self.assertTrue(web.receive() == (2, message))
                    self.assertEqual(client.get("/absent").status, 404)
                    sockets[0].send("close")
                    self.assertEqual(sockets[0].receive(), (8, (4321).to_bytes(2, "big") + b"as you wish"))
                    client.send(sockets[0].stream, frame(8, (4321).to_bytes(2, "big")))
                    self.assertTrue(client.until(lambda: sockets[0].reply.over))
                    client.reset(sockets[1].stream)
                    sockets[2].send("still")
                    self.assertEqual(sockets[2].receive(), (1, b"still"))
        peers.eventually(lambda: peers.metric(self.gateway, "tunnels_open") == 0, "tunnels stay")

    def test_clients_that_vanish(self):
        """Ended without a word under TLS, in clear text, reset: the backend hears of it."""
        threads = threading.active_count()
        for path, secure in self.ways():
            web = self.connect(path, secure)
            web.send("x")
            web.recv(5)
            raw = web.socket
            if secure:
                raw = socket.socket(fileno=raw.detach())
            raw.shutdown(socket.SHUT_RDWR)
            # Its number is the next connection's, which no thread of this one may touch: neither side's, both are here.
            web.recv_events_thread.join(10)
            raw.close()
            peers.eventually(lambda: threading.active_count() <= threads, "the backend hears nothing of it")
        peers.eventually(lambda: peers.metric(self.gateway, "tunnels_open") == 0, "tunnels stay")

    def test_each_direction_ends_for_itself(self):
        """The client ends its direction; what the backend still says arrives, and nothing turns in between."""
        go = threading.Event()

        def script(head, body, connection):
            key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n")
            connection.sendall(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            heard = b""
            while data := connection.recv(65536):
                heard += data
            go.wait(30)
            connection.sendall(b"heard " + heard)
            connection.shutdown(socket.SHUT_RDWR)

        upstream = Upstream(script)
        text = "workers: 1\nupstreams: [{name: a, servers: [\"127.0.0.1:@PORT@\"], protocol: @PROTOCOL@}]\n"
        text += "routes: [{name: all, auth: public, forward: {upstream: a}}]\n"
        inner = Gateway(text, PORT=upstream.port, PROTOCOL="http1")
        outer = Gateway(text, PORT=inner.port, PROTOCOL="h2c")
        try:
            for gateway in (inner, outer):
                go.clear()
                with http2.Client(gateway.port) as client, socket.create_connection(("127.0.0.1", gateway.port)) as plain:
                    client.until(lambda: client.settled)
                    web = H2Socket(client, "/")
                    client.send(web.stream, b"something", True)
                    plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n")
                    plain.sendall(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
                    while b"\r\n\r\n" not in plain.recv(65536, socket.MSG_PEEK):
                        pass
                    plain.recv(65536)
                    plain.sendall(b"something")
                    plain.shutdown(socket.SHUT_WR)
                    before = [peers.processor_time(one) for one in (inner, outer)]
                    time.sleep(0.3)
                    after = [peers.processor_time(one) for one in (inner, outer)]
                    self.assertLess(max(b - a for a, b in zip(before, after)), 0.1)
                    go.set()
                    reply = client.reply(web.stream)
                    self.assertEqual((reply.body, reply.ended), (b"heard something", True))
                    data = b""
                    while piece := plain.recv(65536):
                        data += piece
                    self.assertEqual(data, b"heard something")
        finally:
            outer.stop()
            inner.stop()
            upstream.stop()

    def test_the_gateway_is_a_server_where_it_translates(self):
        """A client of HTTP/1 whose backend speaks HTTP/2 has nobody else to judge its handshake (RFC 6455 §4.2)."""
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        version = "Sec-WebSocket-Version: 13\r\n"
        for fields, status in (
            (key + version, 101), (version, 400), (key, 400), (key + key + version, 400), ("Sec-WebSocket-Key: x\r\n" + version, 400),
            ("Sec-WebSocket-Key: " + "A" * 24 + "\r\n" + version, 400), (key + "Sec-WebSocket-Version: 8\r\n", 426),
            (key + version + version, 400),
        ):
            with self.subTest(fields), socket.create_connection(("127.0.0.1", self.plain), 5) as plain:
                plain.sendall(f"GET /nested HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{fields}\r\n".encode())
                head = b""
                while b"\r\n\r\n" not in head:
                    head += plain.recv(65536)
                self.assertTrue(head.startswith(b"HTTP/1.1 %d" % status), head)
                if status == 426:
                    self.assertIn(b"\r\nSec-WebSocket-Version: 13\r\n", head)

    def test_the_gateway_is_a_client_where_it_translates(self):
        """A client of HTTP/2 has no key: that of the gateway must be answered, and the version be the one it speaks."""

        def script(head, body, connection):
            lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            raw = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
            accept = base64.b64encode(hashlib.sha1(raw + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            line = b"Sec-WebSocket-Accept: %s\r\n"
            fields = {
                b"/good": line % accept, b"/bad": line % b"AAAA", b"/none": b"", b"/twice": line % accept + line % accept,
            }[head.split(b" ")[1]]
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n")
            connection.sendall(fields + b"\r\n\x81\x02hi")
            self.assertEqual(lines[b"sec-websocket-version"], b"13")
            while connection.recv(65536):
                pass

        upstream = Upstream(script)
        self.addCleanup(upstream.stop)
        text = "workers: 1\nupstreams: [{name: a, servers: [\"127.0.0.1:@UPSTREAM@\"]}]\n"
        gateway = Gateway(text + "routes: [{name: all, auth: public, forward: {upstream: a}}]\n", UPSTREAM=upstream.port)
        self.addCleanup(gateway.stop)
        with http2.Client(gateway.port) as client:
            client.until(lambda: client.settled)
            for path, status in (("/good", 200), ("/bad", 502), ("/none", 502), ("/twice", 502)):
                web = H2Socket(client, path)
                self.assertEqual(web.reply.status, status, path)
                if status == 200:
                    self.assertEqual(web.receive(5), (1, b"hi"))
            for fields, status in (((("x-a", "b"),), 400), ((("sec-websocket-version", "12"),), 426)):
                reply = client.replies[client.request("/good", "CONNECT", fields, ends=False, protocol="websocket")]
                client.until(lambda reply=reply: reply.over, 5)
                self.assertEqual(reply.status, status, fields)
        self.assertEqual(len(upstream.heads), 4)

    def test_a_tunnel_where_there_is_none(self):
        """An answer of success to an extended CONNECT would be taken for a tunnel."""
        upstream = Upstream()
        text = "upstreams: [{name: a, servers: [\"127.0.0.1:@UPSTREAM@\"]}]\nroutes:\n"
        text += "  - {name: off, match: {path: /off}, auth: public, forward: {upstream: a, upgrade: false}}\n"
        text += "  - {name: all, auth: public, forward: {upstream: a}}\n"
        gateway = Gateway(text, UPSTREAM=upstream.port)
        try:
            with http2.Client(gateway.port) as client:
                client.until(lambda: client.settled)
                self.assertEqual(H2Socket(client, "/x").reply.status, 502)
                self.assertEqual(H2Socket(client, "/off").reply.status, 501)
                self.assertEqual(client.get("/x").status, 200)
        finally:
            gateway.stop()
            upstream.stop()

    def test_the_gate_holds_for_upgrades(self):
        with self.assertRaises(websockets.exceptions.InvalidStatus) as caught:
            self.connect("/private")
        self.assertEqual(caught.exception.response.status_code, 401)
        token = self.keys.token()
        with self.connect("/private", additional_headers={"Authorization": "Bearer " + token}) as web:
            web.send("x")
            self.assertEqual(web.recv(5), "x")
        with http2.Client(self.port, AUTHORITY.context(["h2"])) as client:
            client.until(lambda: client.settled)
            self.assertEqual(H2Socket(client, "/private").reply.status, 401)
            web = H2Socket(client, "/private", token)
            web.send("x")
            self.assertEqual(web.receive(), (1, b"x"))


class GoneBackend(unittest.TestCase):
    def test_a_tunnel_ends_with_its_client_although_its_last_words_found_nobody(self):
        def answer(head, body, connection):
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: words\r\n\r\n")
            connection.close()

        upstream = Upstream(answer)
        self.addCleanup(upstream.stop)
        text = "upstreams: [{name: a, servers: ['127.0.0.1:@UPSTREAM@']}]\n"
        gateway = Gateway(text + "routes: [{name: a, auth: public, forward: {upstream: a}}]\n", UPSTREAM=upstream.port)
        self.addCleanup(gateway.stop)
        tunnels = lambda: peers.metric(gateway, "tunnels_open")
        with socket.create_connection(("127.0.0.1", gateway.port)) as client:
            client.settimeout(30)
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: words\r\n\r\n")
            # The backend's end comes behind its head.
            while client.recv(65536):
                pass
            self.assertEqual(tunnels(), 1)
            # The first is answered with a reset, the others find the connection gone.
            for _ in range(10):
                client.sendall(b"words")
                time.sleep(0.02)
        peers.eventually(lambda: tunnels() == 0, "the tunnel stays")
