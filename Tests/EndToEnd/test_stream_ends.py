"""How long silences may last, in either direction, and how what has no end of its own ends: by silence, by a drain."""

import base64
import hashlib
import signal
import socket
import threading
import time
import unittest
from concurrent import futures

import grpc
import h2.settings
import websockets.exceptions
from websockets.sync.client import connect

import http2
import peers
from harness import Gateway, Keys, Upstream
from test_streams import HANDSHAKE, chunk
from test_websocket import H2Socket, frame, take_frame
from timing import Stopwatch, lost
from wire import Client as HTTP1

CONFIGURATION = """
workers: 1
drain: @DRAIN@
timeouts: {@TIMEOUTS@}
listeners: [{name: main, address: "127.0.0.1:0"}]
upstreams:
  - {name: a, servers: ["127.0.0.1:@UPSTREAM@"]}
  - {name: h2, servers: ["127.0.0.1:@H2@"], protocol: h2c}
  - {name: calls, servers: ["127.0.0.1:@CALLS@"], protocol: h2c, @IDLE@}
routes:
  - {name: h2, match: {path: /h2}, auth: public, forward: {upstream: h2}}
  - {name: calls, match: {path: /calls}, auth: public, forward: {upstream: calls}}
  - {name: rest, match: {path: /}, auth: public, forward: {upstream: a}}
"""
SLOW = """
workers: 1
timeouts: {stream_idle: 1s}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes: [{name: all, auth: public, forward: {upstream: a}}]
"""
GOING_AWAY = (1001).to_bytes(2, "big")


class Service(grpc.GenericRpcHandler):
    def service(self, call):
        def collect(requests, context):
            return b"%d" % sum(1 for _ in requests)

        def listen(requests, context):
            """Says something first, and then nothing until the caller has finished."""
            yield b"first"
            yield b"%d" % sum(1 for _ in requests)

        def chat(requests, context):
            for _ in requests:
                yield b"re"

        return {
            "Collect": grpc.stream_unary_rpc_method_handler(collect),
            "Listen": grpc.stream_stream_rpc_method_handler(listen),
            "Chat": grpc.stream_stream_rpc_method_handler(chat),
        }[call.method.rsplit("/", 1)[1]]


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.heard, cls.gone = b"", threading.Event()
        cls.upstream = Upstream(cls.answer)
        cls.h2 = http2.Server(cls.answer_h2, settings={h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}, at_head=True)
        cls.server = grpc.server(futures.ThreadPoolExecutor(32), handlers=[Service()])
        cls.calls = cls.server.add_insecure_port("127.0.0.1:0")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.gone.set()
        cls.upstream.stop()
        cls.h2.stop()
        cls.server.stop(None)

    @classmethod
    def answer(cls, head, body, connection):
        """Says one thing, and nothing more; what it hears over a WebSocket is kept."""
        kind = head.split(b" ")[1].rsplit(b"/", 1)[1]
        if kind == b"socket":
            lines = {line.split(b":")[0].lower(): line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:]}
            key = lines[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            connection.sendall(HANDSHAKE % base64.b64encode(hashlib.sha1(key).digest()) + b"\x81\x04tick")
            cls.heard = b""
            connection.settimeout(10)
            while data := connection.recv(4096):
                cls.heard += data
            cls.gone.set()
            return None
        content = b"text/event-stream" if kind == b"events" else b"application/octet-stream"
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % content)
        connection.sendall(chunk(b"data: tick\n\n"))
        cls.gone.wait(10)
        return None

    @classmethod
    def answer_h2(cls, stream):
        if stream.head[":method"] == "CONNECT":
            stream.respond(200, [], b"\x81\x04tick", ends=False)
        else:
            stream.respond(200, [("content-type", "text/event-stream")], b"data: tick\n\n", ends=False)

    def start(self, timeouts="", drain="30s", idle=""):
        self.gone.clear()
        self.begun = []
        gateway = Gateway(
            CONFIGURATION, UPSTREAM=self.upstream.port, H2=self.h2.port, CALLS=self.calls, TIMEOUTS=timeouts, DRAIN=drain, IDLE=idle
        )
        self.addCleanup(gateway.stop)
        self.port = gateway.port
        return gateway

    def call(self, method, gap, count, first=False, ended=False):
        """A call whose caller says something from time to time; its answers, or its status."""

        def requests():
            if first:
                yield b"x"
            for _ in range(count):
                time.sleep(gap)
                yield b"x"

        with grpc.insecure_channel(f"127.0.0.1:{self.port}", [("x", str(time.monotonic())), ("grpc.enable_retries", 0)]) as channel:
            try:
                if method == "Collect":
                    return channel.stream_unary("/calls/Collect")(requests(), timeout=10)
                answers = []
                for answer in channel.stream_stream("/calls/" + method)(requests(), timeout=10):
                    answers.append(answer)
                    self.begun.append(method)
                return answers
            except grpc.RpcError as error:
                return error.code()

    def websocket(self, path="/socket"):
        """Waits over HTTP/1 until it is closed: the code."""
        with connect(f"ws://127.0.0.1:{self.port}{path}") as one:
            try:
                while True:
                    one.recv(10)
                    self.begun.append(path)
            except websockets.exceptions.ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None

    def h2_websocket(self, path="/socket"):
        with http2.Client(self.port) as client:
            client.until(lambda: client.settled)
            one = H2Socket(client, path)
            while (taken := one.receive(10)) and taken[0] != 8:
                self.begun.append(path)
            client.until(lambda: one.reply.over, 8)
            return taken and taken[1][:2], one.reply.ended

    def events(self, path="/events"):
        with HTTP1(self.port, patience=10) as client:
            client.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
            client.socket.recv(1, socket.MSG_PEEK)
            self.begun.append(path)
            return client.reply().complete

    def h2_events(self, path="/events"):
        with http2.Client(self.port) as client:
            stream = client.request(path)
            client.until(lambda: client.replies[stream].body)
            self.begun.append(path)
            reply = client.reply(stream)
            return reply.status, reply.ended, reply.reset

    def together(self, *runs):
        """What each came to, all at once."""
        results = [None] * len(runs)

        def run(place, one):
            results[place] = one()

        threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(runs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return results


class Silence(Base):
    def test_calls_may_say_little(self):
        """No rate of a body is asked of a call, before its answer or after."""
        gateway = self.start("body_progress: 200ms, body_rate: 1KiB")
        answers = self.together(
            lambda: self.call("Collect", 0.6, 2, first=True), lambda: self.call("Collect", 1, 1),
            lambda: self.call("Chat", 1, 1), lambda: self.call("Chat", 0.6, 2, first=True), lambda: self.call("Listen", 0.6, 2),
        )
        self.assertEqual(answers, [b"3", b"1", [b"re"], [b"re"] * 3, [b"first", b"2"]])
        self.assertEqual(peers.metric(gateway, 'timeouts_total{kind="body_progress"}'), 0)

    def test_a_slow_reader_is_not_silent(self):
        size = 24 << 20

        def answer(head, body, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            try:
                connection.sendall(bytes(size))
            except OSError:
                return None

        upstream = Upstream(answer)
        self.addCleanup(upstream.stop)
        gateway = Gateway(SLOW, UPSTREAM=upstream.port)
        self.addCleanup(gateway.stop)
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as reader:
            reader.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            got, until = 0, time.monotonic() + 3
            # A megabyte a second for three times as long as the silence may be, then the rest.
            while time.monotonic() < until:
                got += len(reader.recv(50_000))
                time.sleep(0.05)
            while got < size and (part := reader.recv(1 << 20)):
                got += len(part)
        self.assertGreaterEqual(got, size)
        self.assertEqual(peers.metric(gateway, 'timeouts_total{kind="stream_idle"}'), 0)

    def test_either_side_keeps_a_call(self):
        for timeouts, idle in (("stream_idle: 2s", ""), ("", "idle_timeout: 2s")):
            with self.subTest(timeouts + idle):
                self.start(timeouts, idle=idle)
                answers = self.together(
                    lambda: self.call("Listen", 0.5, 7), lambda: self.call("Collect", 0.5, 7),
                    lambda: self.call("Listen", 4, 1), lambda: self.call("Collect", 4, 1),
                )
                silent = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]
                self.assertEqual(answers, [[b"first", b"7"], b"7", *silent])

    def test_each_protocol_is_told(self):
        gateway = self.start("stream_idle: 1s")
        took = Stopwatch()
        results = self.together(
            self.websocket, self.h2_websocket, lambda: self.websocket("/h2/socket"), lambda: self.h2_websocket("/h2/socket"),
            self.events, self.h2_events, lambda: self.events("/h2/events"), lambda: self.h2_events("/h2/events"),
            lambda: self.events("/bytes"),
        )
        self.assertTrue(took.within(0.9, 4), took)
        whole = (200, True, None)
        web = [1001, (GOING_AWAY, True)] * 2
        self.assertEqual(results, [*web, True, whole, True, whole, False])
        self.assertEqual(peers.metric(gateway, 'timeouts_total{kind="stream_idle"}'), 9)


class Drains(Base):
    def test_what_goes_on_is_told_before_it_is_cut(self):
        gateway = self.start(drain="2s")
        result = []
        runs = (
            self.websocket, self.h2_websocket, lambda: self.websocket("/h2/socket"), self.events, self.h2_events,
            lambda: self.call("Listen", 8, 1), lambda: self.call("Collect", 8, 1), lambda: self.h2_events("/bytes"),
        )
        thread = threading.Thread(target=lambda: result.extend(self.together(*runs)), daemon=True)
        thread.start()
        peers.eventually(lambda: len(self.begun) == len(runs) - 1, "not all have begun")
        peers.eventually(lambda: peers.metric(gateway, "requests_active") == len(runs), "not all have begun")
        took = Stopwatch()
        gateway.signal(signal.SIGTERM)
        self.assertEqual(gateway.process.wait(10), 0)
        self.assertTrue(took.within(1.9, 3.5), took)
        thread.join(10)
        unavailable = grpc.StatusCode.UNAVAILABLE
        whole = (200, True, None)
        self.assertEqual(result[:-1], [1001, (GOING_AWAY, True), 1001, True, whole, unavailable, unavailable])
        # The rest is cut, and told so where there are words for it.
        self.assertEqual(result[-1][:2], (200, False))
        self.assertIsNotNone(result[-1][2])

    def test_without_patience_they_are_told_at_once(self):
        gateway = self.start(drain="off")
        result = []
        thread = threading.Thread(target=lambda: result.extend(self.together(self.websocket, self.h2_websocket, self.h2_events)), daemon=True)
        thread.start()
        peers.eventually(lambda: len(self.begun) == 3, "not all have begun")
        gateway.signal(signal.SIGTERM)
        self.assertEqual(gateway.process.wait(10), 0)
        thread.join(10)
        self.assertEqual(result, [1001, (GOING_AWAY, True), (200, True, None)])


class Backends(Base):
    """The backend of a tunnel that the gateway ends is told as well, where a frame of the client's has ended."""

    def unmasked(self, data):
        """The first frame of a client's: its code and content."""
        size, mask = data[1] & 127, data[2:6]
        self.assertTrue(data[1] & 128)
        return data[0] & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data[6 : 6 + size]))

    def test_over_http1(self):
        self.start("stream_idle: 1s")
        with http2.Client(self.port) as client:
            client.until(lambda: client.settled)
            one = H2Socket(client, "/socket")
            one.send("hi")
            client.until(lambda: one.reply.over, 8)
        self.assertTrue(self.gone.wait(10))
        said = frame(1, b"hi")
        self.assertTrue(self.heard.startswith(said))
        code, content = self.unmasked(self.heard[len(said):])
        self.assertEqual((code, content[:2]), (8, GOING_AWAY))

    def test_not_within_a_frame(self):
        self.start("stream_idle: 1s")
        with http2.Client(self.port) as client:
            client.until(lambda: client.settled)
            one = H2Socket(client, "/socket")
            client.send(one.stream, frame(1, b"hello")[:-2])
            client.until(lambda: one.reply.over, 8)
        self.assertTrue(self.gone.wait(10))
        self.assertEqual(self.heard, frame(1, b"hello")[:-2])

    def test_over_http2(self):
        self.start("stream_idle: 1s")
        with http2.Client(self.port) as client:
            client.until(lambda: client.settled)
            one = H2Socket(client, "/h2/socket")
            one.send("hi")
            client.until(lambda: one.reply.over, 8)
            stream = self.h2.streams[-1]
            peers.eventually(lambda: stream.ended, "the backend's stream goes on")
            said = frame(1, b"hi")
            self.assertTrue(stream.body.startswith(said))
            code, content = self.unmasked(stream.body[len(said):])
            self.assertEqual((code, content[:2]), (8, GOING_AWAY))


POLLS = Keys.ISSUERS + """
workers: 1
listeners: [{name: main, address: "127.0.0.1:0"}]
upstreams:
  - {name: a, servers: ["127.0.0.1:@UPSTREAM@"], first_byte_timeout: 20s}
  - {name: h2, servers: ["127.0.0.1:@H2@"], protocol: h2c}
routes:
  - {name: h2, match: {path: /h2}, forward: {upstream: h2}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""


class Polls(unittest.TestCase):
    def test_they_do_not_outlast_the_token(self):
        keys = Keys()
        release = threading.Event()

        def answer(head, body, connection):
            path = head.split(b" ")[1]
            if path == b"/begun":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nne")
                release.wait(10)
                connection.sendall(b"ws")
                return None
            release.wait(10)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnews"

        def answer_h2(stream):
            release.wait(10)
            stream.respond(200, [], b"news")

        upstream, backend = Upstream(answer), http2.Server(answer_h2)
        self.addCleanup(upstream.stop)
        self.addCleanup(backend.stop)
        gateway = Gateway(POLLS, keys.files(), UPSTREAM=upstream.port, H2=backend.port)
        self.addCleanup(gateway.stop)
        expiry, gone = int(time.time()) + 4, lost()
        token = keys.token(exp=expiry)
        ends = {}

        def ask(name, path, method="GET", body=b""):
            with HTTP1(gateway.port, patience=15) as client:
                text = f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
                client.send(text.encode() + body)
                reply = client.reply(method.encode())
                ends[name] = reply.status, reply.complete, time.time() - expiry

        work = [("get", "/x"), ("head", "/x", "HEAD"), ("h2", "/h2/x"), ("post", "/x", "POST", b"x"), ("begun", "/begun")]
        threads = [threading.Thread(target=ask, args=one, daemon=True) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads[:3]:
            thread.join(10)
        for name in ("get", "head", "h2"):
            status, complete, when = ends[name]
            self.assertEqual((status, complete), (401, True), name)
            self.assertTrue(-0.05 <= when <= 1 + lost() - gone, (name, when))
        self.assertEqual(sorted(ends), ["get", "h2", "head"])
        release.set()
        for thread in threads:
            thread.join(10)
        self.assertEqual([ends[name][:2] for name in ("post", "begun")], [(200, True)] * 2)


if __name__ == "__main__":
    unittest.main()
