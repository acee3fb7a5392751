"""Backends over HTTP/2: nghttpd, nginx, Envoy and a scripted server; their limits, retries, and ends of every kind."""

import hashlib
import os
import threading
import time
import unittest

import h2.exceptions
import h2.settings

import frames
import http2
import peers
from harness import Gateway, Upstream
from sessions import ACCOUNTS, SESSION, Directory
from wire import Client as HTTP1

AUTHORITY = peers.Authority()
SERVER = AUTHORITY.issue("localhost", "127.0.0.1")
BODY = os.urandom(1 << 20) * 12
DIGEST = hashlib.sha256(BODY).hexdigest()
CONFIGURATION = """
workers: 1
limits: {body: unlimited}
upstreams:
  - name: a
    servers: ["127.0.0.1:@UPSTREAM@"]
    protocol: @PROTOCOL@
    connect_timeout: 2s
    refused_pause: 0s
    pool: {max_connections: @CONNECTIONS@}
    @TLS@
routes: [{name: all, auth: public, forward: {upstream: a}}]
"""
TLS = "tls: {ca_file: ca.pem}"
FILES = {"ca.pem": AUTHORITY.pem}


def echo(stream):
    length = str(len(stream.body))
    digest = hashlib.sha256(stream.body).hexdigest()
    content = None if stream.head[":method"] == "HEAD" else stream.path.encode()
    stream.respond(200, [("x-length", length), ("x-sum", digest)], content)


class UpstreamTest(unittest.TestCase):
    def gateway(self, port, protocol="h2c", tls="", connections=8):
        gateway = Gateway(CONFIGURATION, FILES, UPSTREAM=port, PROTOCOL=protocol, TLS=tls, CONNECTIONS=connections)
        self.addCleanup(gateway.stop)
        return gateway

    def server(self, script=echo, gateway=True, **options):
        server = http2.Server(script, **options)
        self.addCleanup(lambda: server.socket.fileno() >= 0 and server.stop())
        return (server, self.gateway(server.port)) if gateway else server

    def peer(self, process):
        self.addCleanup(process.stop)
        return process

    def client(self, gateway):
        client = http2.Client(gateway.port)
        self.addCleanup(client.socket.close)
        return client


class Programs(UpstreamTest):
    def load(self, gateway, path="/index.html"):
        """Many requests over HTTP/1 and HTTP/2; every one is served."""
        for more in (["-m", "20"], ["--h1"]):
            code, output, _ = peers.run(
                "h2load", "-n", "1000", "-c", "5", "-t", "1", *more, f"http://127.0.0.1:{gateway.port}{path}", timeout=60
            )
            self.assertIn(b"1000 succeeded, 0 failed, 0 errored", output)
            self.assertIn(b"1000 2xx", output)

    def test_nghttpd(self):
        for tls in (False, True):
            port = peers.free_port()
            words = ["nghttpd", "-d", "@FOLDER@", "-a", "127.0.0.1", "--trailer", "x-end: 1", "-m", "100"]
            words += [str(port), "server.key", "server.pem"] if tls else ["--no-tls", str(port)]
            files = {"index.html": b"nghttpd", "large": BODY, "server.pem": SERVER.pem, "server.key": SERVER.key_pem}
            self.peer(peers.Process(words, port, files))
            gateway = self.gateway(port, "h2" if tls else "h2c", TLS if tls else "")
            self.load(gateway)
            client = self.client(gateway)
            reply = client.reply(client.request("/large"), 60)
            self.assertEqual(hashlib.sha256(reply.body).hexdigest(), DIGEST)
            self.assertEqual(reply.trailer("x-end"), "1")
            self.assertEqual(client.get("/index.html", method="HEAD").status, 200)
            self.assertEqual(client.get("/absent").status, 404)

    def test_nginx(self):
        port, plain = peers.free_port(), Upstream()
        self.addCleanup(plain.stop)
        block = (
            f"listen 127.0.0.1:{port} ssl http2; ssl_certificate server.pem; ssl_certificate_key server.key; root .;"
            f" location /echo {{ proxy_pass http://127.0.0.1:{plain.port}; }}"
        )
        self.peer(peers.nginx(port, block, SERVER, files={"index.html": b"nginx", "large": BODY}))
        gateway = self.gateway(port, "h2", TLS)
        self.load(gateway)
        client = self.client(gateway)
        self.assertEqual(hashlib.sha256(client.reply(client.request("/large"), 60).body).hexdigest(), DIGEST)
        body = BODY[: 8 << 20]
        reply = client.reply(client.request("/echo", "POST", body=body), 60)
        self.assertTrue(reply.ended and reply.body.endswith(body[-1000:]))

    def test_envoy(self):
        plain = Upstream()
        self.addCleanup(plain.stop)
        for certificate in (None, SERVER):
            proxy = self.peer(peers.envoy(peers.free_port(), plain.port, certificate=certificate))
            gateway = self.gateway(proxy.port, "h2" if certificate else "h2c", TLS if certificate else "")
            self.load(gateway, "/x")
            client = self.client(gateway)
            reply = client.reply(client.request("/echo", "POST", body=BODY), 60)
            self.assertTrue(reply.ended and reply.body.endswith(BODY[-1000:]))
            proxy.kill()
            self.assertIn(client.get("/x").status, (502, 503))
            proxy.start()
            peers.eventually(lambda: client.get("/x").status == 200, "a backend that is back is not used")


class Scripted(UpstreamTest):
    def test_many_requests_share_few_connections(self):
        server, gateway = self.server()
        client = self.client(gateway)
        for _ in range(2):
            streams = [client.request(f"/{number}") for number in range(100)]
            for number, stream in enumerate(streams):
                self.assertEqual(client.reply(stream).body, b"/%d" % number)
        self.assertLessEqual(len(server.connections), 2)
        self.assertEqual(server.failures, [])

    def test_the_peers_limit_of_streams(self):
        codes = h2.settings.SettingCodes
        script = lambda stream: (time.sleep(0.002), echo(stream))
        server = self.server(script, False, settings={codes.MAX_CONCURRENT_STREAMS: 3})
        for connections in (1, 4):
            server.most = 0
            gateway = self.gateway(server.port, connections=connections)
            client = self.client(gateway)
            streams = [client.request("/x", "POST" if number % 2 else "GET", body=b"b") for number in range(60)]
            self.assertEqual([client.reply(stream).status for stream in streams], [200] * 60)
            self.assertLessEqual(server.most, 3)
        self.assertLessEqual(len(server.connections), 6)
        self.assertEqual(server.failures, [])

    def test_what_becomes_of_many_does_not_end_the_connection_for_all(self):
        """Resets by a backend, and content on its way to clients that have gone, are not held against the backend."""
        go, content = threading.Event(), bytes(100 << 10)

        def script(stream):
            if stream.path == "/kept":
                stream.respond(200, ends=False)
                go.wait(30)
                stream.send(b"whole", ends=True)
            elif stream.path == "/reset":
                stream.reset(2)
            else:
                stream.respond(200, ends=False)
                try:
                    while True:
                        stream.send(content[:1000])
                except (ConnectionError, h2.exceptions.ProtocolError):
                    pass

        server, gateway = self.server(script)
        kept = self.client(gateway)
        stream = kept.request("/kept")
        kept.until(lambda: kept.replies[stream].fields)
        for _ in range(8):
            client = self.client(gateway)
            for _ in range(4):
                streams = [client.request("/reset") for _ in range(50)]
                self.assertEqual({client.reply(one).status for one in streams}, {502})
            for _ in range(30):
                one = client.request("/content")
                client.until(lambda: client.replies[one].received > 0)
                client.reset(one)
        go.set()
        self.assertEqual(kept.reply(stream).body, b"whole")
        self.assertTrue(kept.replies[stream].ended)
        self.assertEqual(server.failures, [])

    def test_refused_streams_are_sent_again(self):
        refused = []

        def script(stream):
            if stream.head[":method"] + stream.path not in refused:
                refused.append(stream.head[":method"] + stream.path)
                return stream.reset(7)
            echo(stream)

        server, gateway = self.server(script)
        client = self.client(gateway)
        for method, body in (("GET", None), ("POST", b"small"), ("PUT", b"")):
            reply = client.reply(client.request("/a", method, body=body))
            self.assertEqual((method, reply.status), (method, 200))
        self.assertEqual(len(refused), 3)

    def test_a_connection_that_ends_before_the_answer_is_replaced(self):
        """A safe request on a connection that was in use before is sent again at once, on a new one."""
        held, hold = [], threading.Event()

        def script(stream):
            if stream.connection is server.connections[0] and hold.is_set():
                return held.append(stream)
            echo(stream)

        for last in (None, "now", "before"):
            hold.clear(), held.clear()
            server, gateway = self.server(script)
            client, other = self.client(gateway), HTTP1(gateway.port)
            self.addCleanup(other.socket.close)
            self.assertEqual(client.get("/first").status, 200)
            hold.set()
            streams = [client.request(f"/{number}", method) for number, method in enumerate(("GET", "HEAD", "GET"))]
            client.flush()
            other.send(b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n")
            peers.eventually(lambda: len(held) == 4, "requests do not come")
            if last:
                server.connections[0].goaway(None if last == "now" else 1)
            server.connections[0].cut()
            for stream in streams:
                self.assertEqual(client.reply(stream).status, 200, last)
            self.assertEqual(other.reply().status, 200, last)
            self.assertEqual(server.failures, [])

    def test_a_request_that_names_no_host_is_for_the_server_s_own(self):
        server, gateway = self.server()
        with HTTP1(gateway.port) as client:
            client.send(b"GET /x HTTP/1.0\r\n\r\n")
            self.assertEqual(client.reply(version=b"1.0").status, 200)
        self.assertEqual([stream.head[":authority"] for stream in server.streams], [f"127.0.0.1:{server.port}"])

    def test_a_backend_that_takes_no_tunnels(self):
        _, gateway = self.server()
        with HTTP1(gateway.port) as client:
            client.send(
                b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            reply = client.reply()
        self.assertEqual(reply.status, 502)
        self.assertIn(b"upstream_without_tunnels", reply.body)

    def test_what_may_have_been_acted_upon_is_not_sent_again(self):
        server, gateway = self.server(lambda stream: stream.reset(2))
        client = self.client(gateway)
        for method in ("GET", "POST", "GET"):
            self.assertEqual(client.get("/a", method=method).status, 502)
        self.assertEqual(len(server.streams), 3)

    def test_goaway_replaces_the_connection(self):
        """Requests that the backend did not take go to the next connection, those it took are finished on the old one."""
        taken, go = threading.Event(), threading.Event()

        def script(stream):
            if stream.path == "/taken":
                taken.set()
                go.wait(5)
            if stream.path == "/late" and stream.connection is server.connections[0]:
                return stream.connection.goaway(stream.number - 2)
            echo(stream)

        server, gateway = self.server(script)
        client = self.client(gateway)
        first = client.request("/taken")
        self.assertTrue(taken.wait(5))
        for method in ("GET", "POST"):
            self.assertEqual(client.reply(client.request("/late", method, body=b"x")).status, 200)
        go.set()
        self.assertEqual(client.reply(first).status, 200)
        self.assertEqual(len(server.connections), 2)
        peers.eventually(lambda: server.connections[0].over, "a retired connection stays open")

    def test_a_reset_in_the_middle_is_a_cut_for_the_client(self):
        def script(stream):
            fields = [("content-length", "1000")] if stream.path == "/length" else []
            stream.respond(200, fields, b"hello", ends=False)
            if stream.path == "/gone":
                stream.connection.cut()
            else:
                stream.reset(2)

        _, gateway = self.server(script)
        client = self.client(gateway)
        for path in ("/length", "/plain", "/gone"):
            reply = client.get(path)
            self.assertFalse(reply.ended, path)
            self.assertIsNotNone(reply.reset)
            with HTTP1(gateway.port) as plain:
                plain.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                self.assertFalse(plain.reply(b"GET").complete, path)

    def test_a_length_that_is_not_kept(self):
        def script(stream):
            body = {"/none": None, "/short": b"1234", "/long": b"123456"}[stream.path]
            stream.respond(200, [("content-length", "5")], body)

        _, gateway = self.server(script)
        client = self.client(gateway)
        for path in ("/none", "/short", "/long"):
            reply = client.get(path)
            self.assertFalse(reply.ended and reply.status == 200, path)
            with HTTP1(gateway.port) as plain:
                plain.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                self.assertFalse((answer := plain.reply(b"GET")).complete and answer.status == 200, path)

    def test_trailers_both_ways(self):
        def script(stream):
            stream.respond(200, (), b"x", [("x-sum", dict(stream.trailers).get("x-in", "none"))])

        _, gateway = self.server(script)
        client = self.client(gateway)
        stream = client.request("/x", "POST", (("te", "trailers"),), b"abc", False)
        client.h2.send_headers(stream, [("x-in", "9")], end_stream=True)
        client.flush()
        self.assertEqual(client.reply(stream).trailer("x-sum"), "9")
        with HTTP1(gateway.port) as plain:
            plain.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-In: 8\r\n\r\n")
            self.assertEqual(plain.reply(b"POST").trailers, [(b"x-sum", b"8")])

    def test_trailers_behind_a_told_length(self):
        def script(stream):
            stream.respond(200, [("x-in", repr(stream.trailers)), ("x-length", stream.head.get("content-length", ""))], stream.body)

        _, gateway = self.server(script)
        client = self.client(gateway)
        length = (("content-length", "3"),)
        stream = client.request("/x", "POST", length, b"abc", False)
        client.h2.send_headers(stream, [("x-user-id", "root"), ("x-in", "9")], end_stream=True)
        client.flush()
        reply = client.reply(stream)
        self.assertEqual((reply.body, reply.field("x-length"), reply.field("x-in")), (b"abc", "3", "[('x-in', '9')]"))
        # Without any, and with an end that comes for itself.
        stream = client.request("/x", "POST", length, b"abc", False)
        client.h2.end_stream(stream)
        client.flush()
        reply = client.reply(stream)
        self.assertEqual((reply.body, reply.field("x-in")), (b"abc", "[]"))
        stream = client.request("/x", "POST", length, b"abc")
        self.assertEqual(client.reply(stream).body, b"abc")

    def test_an_answer_before_the_end_of_a_told_length(self):
        _, gateway = self.server(lambda stream: stream.respond(200, (), b"early"), at_head=True)
        client = self.client(gateway)
        for body in (b"ab", b"abc"):
            stream = client.request("/x", "POST", (("content-length", "3"),), body, False)
            reply = client.reply(stream)
            self.assertEqual((reply.status, reply.body), (200, b"early"))

    def test_large_uploads_through_small_windows(self):
        port = peers.free_port()
        self.peer(peers.Process(["nghttpd", "--no-tls", "--echo-upload", "-w", "12", "-W", "14", str(port)], port))
        gateway = self.gateway(port)
        client = self.client(gateway)
        before = peers.resident(gateway)
        streams = [client.request("/x", "POST", body=BODY[: 3 << 20]) for _ in range(2)]
        for stream in streams:
            self.assertEqual(hashlib.sha256(client.reply(stream, 60).body).digest(), hashlib.sha256(BODY[: 3 << 20]).digest())
        code, output, errors = peers.run(
            "curl", "-sS", "-H", "Expect:", "-T", "-", f"http://127.0.0.1:{gateway.port}/", input=BODY[: 3 << 20]
        )
        self.assertEqual(output, BODY[: 3 << 20], errors)
        self.assertLess(peers.resident(gateway) - before, 16 << 20)

    def test_uploads_with_other_buffers(self):
        """Whatever a connection may hold, an upload that has come goes on."""
        server = self.server(gateway=False)
        for buffer in ("16KiB", "1MiB"):
            gateway = Gateway(
                CONFIGURATION.replace("limits: {", f"limits: {{buffer: {buffer}, http2: {{stream_window: 1MiB}}, "),
                FILES, UPSTREAM=server.port, PROTOCOL="h2c", TLS="", CONNECTIONS=8,
            )
            self.addCleanup(gateway.stop)
            client = self.client(gateway)
            for size in (15 << 10, 100_000, 300_000, 1 << 20):
                with self.subTest((buffer, size)):
                    reply = client.reply(client.request("/x", "POST", body=BODY[:size]))
                    self.assertEqual(reply.field("x-length"), str(size))
                    with HTTP1(gateway.port) as plain:
                        plain.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + BODY[:size])
                        self.assertEqual(plain.reply(b"POST").get("x-length"), str(size))

    def test_slow_readers_do_not_keep_others_waiting(self):
        """Many answers that nobody takes stand on the connection that another client's answer comes over."""
        def script(stream):
            stream.respond(200, (), BODY[: 1 << 20] if stream.path == "/large" else b"small")

        server = self.server(script, False)
        gateway = self.gateway(server.port, connections=1)
        before = peers.resident(gateway)
        slow, quick = self.client(gateway), self.client(gateway)
        slow.takes = False
        streams = [slow.request("/large") for _ in range(40)]
        peers.eventually(lambda: not slow.read(0.3), "the answers have no end")
        for _ in range(3):
            self.assertEqual(quick.reply(quick.request("/x")).body, b"small")
        self.assertLess(peers.resident(gateway) - before, 24 << 20)
        self.assertEqual(len(server.connections), 1)
        self.assertFalse(any(slow.replies[stream].over for stream in streams))

    def test_a_backend_that_takes_nothing_and_a_client_that_leaves(self):
        server = self.server(lambda stream: None, False, at_head=True)
        gateway = self.gateway(server.port)
        client = self.client(gateway)
        stream = client.request("/x", "POST", ends=False)
        peers.eventually(lambda: server.streams, "the request does not arrive")
        server.connections[0].takes = False
        client.send(stream, BODY[:65000])
        client.reset(stream)
        peers.eventually(lambda: server.streams[0].reset_code is not None, "the reset does not reach the backend")
        self.assertEqual(server.streams[0].reset_code, 8)

    def test_killed_and_restarted(self):
        server, gateway = self.server(lambda stream: None if stream.path == "/wait" else echo(stream))
        client = self.client(gateway)
        self.assertEqual(client.get("/x").status, 200)
        waiting = [client.request("/wait") for _ in range(5)]
        peers.eventually(lambda: len(server.streams) == 6, "the requests do not arrive")
        server.stop()
        self.assertEqual([client.reply(stream).status for stream in waiting], [502] * 5)
        self.assertIn(client.get("/x").status, (502, 503))
        again = http2.Server(echo, port=server.port)
        self.addCleanup(again.stop)
        self.assertEqual(client.get("/x").status, 200)


class WhileASessionIsLookedUp(unittest.TestCase):
    CONFIGURATION = ACCOUNTS + """
workers: 1
sessions: {file: sessions.db}
identity: {headers: [{claim: sub, header: X-User-Id}]}
upstreams: [{name: a, protocol: h2c, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes: [{name: all, auth: optional, forward: {upstream: a}}]
"""

    def test_trailers_that_came_meanwhile_are_judged_like_any(self):
        got = []

        def script(stream):
            got.append((stream.body, stream.trailers))
            stream.respond(200)

        server = http2.Server(script)
        self.addCleanup(server.stop)
        gateway = Gateway(self.CONFIGURATION, Directory.make().files(), UPSTREAM=server.port)
        self.addCleanup(gateway.stop)
        with frames.H2(gateway.port) as c:
            number = 1
            for length in ((), ((b"content-length", b"4"),)):
                for pieces in ([b"test"], [b"te", b"st"]):
                    # Nobody's, and a new one each time: the store is asked.
                    cookie = b"%s=%s%02dA" % (SESSION.encode(), b"A" * 40, number)
                    head = frames.block([*frames.request(b"POST"), *length, (b"cookie", cookie)])
                    trailers = frames.block([(b"x-user-id", b"root"), (b"x_user_id", b"root"), (b"host", b"evil.example"), (b"x-fine", b"1")])
                    c.send(
                        frames.frame(frames.HEADERS, frames.END_HEADERS, number, head),
                        *[frames.frame(frames.DATA, 0, number, piece) for piece in pieces],
                        frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, number, trailers),
                    )
                    self.assertEqual(c.answer(number, 10).status, 200)
                    self.assertEqual(got.pop(), (b"test", [("x-fine", "1")]), (length, pieces))
                    number += 2
