"""gRPC through the gateway with grpcio: all four kinds of calls, over TLS and clear text, to backends of both kinds."""

import threading
import time
import unittest
from concurrent import futures

import grpc

import peers
from harness import Gateway, Keys, TestCase
from timing import Stopwatch, steady

AUTHORITY = peers.Authority()
FRONT, BACK = AUTHORITY.issue("gateway.example"), AUTHORITY.issue("127.0.0.1", "localhost")
CONFIGURATION = Keys.ISSUERS + """
workers: 1
listeners:
  - {name: main, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
  - {name: plain, address: "127.0.0.1:0"}
upstreams:
  - {name: clear, servers: ["127.0.0.1:@CLEAR@"], protocol: h2c, refused_pause: 0s}
  - {name: secure, servers: ["127.0.0.1:@SECURE@"], protocol: h2, tls: {ca_file: ca.pem}}
  - {name: gone, servers: ["127.0.0.1:@GONE@"], protocol: h2c}
routes:
  - {name: clear, match: {path: /clear}, auth: public, forward: {upstream: clear}}
  - {name: secure, match: {path: /secure}, auth: public, forward: {upstream: secure}}
  - {name: limited, match: {path: /limited}, auth: public, forward: {upstream: clear, timeout: 300ms}}
  - {name: private, match: {path: /private}, forward: {upstream: clear}}
  - {name: scoped, match: {path: /scoped}, scopes: [admin], forward: {upstream: clear}}
  - {name: gone, match: {path: /gone}, auth: public, forward: {upstream: gone}}
"""


class Service(grpc.GenericRpcHandler):
    """Answers every service: the last part of the method says what it does."""

    def __init__(self):
        self.cancelled, self.started = threading.Event(), threading.Event()
        self.metadata = {}

    def service(self, call):
        self.metadata = dict(call.invocation_metadata)
        kind = call.method.rsplit("/", 1)[1]
        unary, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return {
            "Unary": unary(self.unary),
            "Fail": unary(self.fail),
            "Sleep": unary(self.sleep),
            "Many": many(self.many),
            "Collect": grpc.stream_unary_rpc_method_handler(self.collect),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "Wait": many(self.wait),
            "Break": many(self.broken),
        }.get(kind)

    def unary(self, request, context):
        context.send_initial_metadata((("x-first", "1"), ("x-bin", b"\0\xff")))
        context.set_trailing_metadata((("x-last", "2"),))
        return request

    def fail(self, request, context):
        context.set_trailing_metadata((("x-last", "2"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not näw")

    def sleep(self, request, context):
        self.started.set()
        time.sleep(float(request))
        return request

    def many(self, request, context):
        for number in range(int(request)):
            yield b"%d" % number * 1000

    def collect(self, requests, context):
        return b"%d" % sum(len(request) for request in requests)

    def chat(self, requests, context):
        for request in requests:
            yield b"re: " + request

    def wait(self, request, context):
        context.add_callback(self.cancelled.set)
        yield b"first"
        self.started.set()
        self.cancelled.wait(10)

    def broken(self, request, context):
        yield b"first"
        context.abort(grpc.StatusCode.DATA_LOSS, "broken")


class Calls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys, cls.service = TestCase.keys, Service()
        cls.server = grpc.server(futures.ThreadPoolExecutor(32), handlers=[cls.service])
        clear = cls.server.add_insecure_port("127.0.0.1:0")
        secure = cls.server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(BACK.key_pem, BACK.pem)]))
        cls.server.start()
        files = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem, "ca.pem": AUTHORITY.pem, **cls.keys.files()}
        cls.gateway = Gateway(CONFIGURATION, files, CLEAR=clear, SECURE=secure, GONE=peers.free_port())
        port, plain = (int(cls.gateway.addresses[name].rsplit(":", 1)[1]) for name in ("main", "plain"))
        named = [("grpc.ssl_target_name_override", "gateway.example"), ("grpc.default_authority", "gateway.example")]
        credentials = grpc.ssl_channel_credentials(AUTHORITY.pem)
        cls.secure = grpc.secure_channel(f"127.0.0.1:{port}", credentials, named + [("grpc.enable_retries", 0)])
        cls.plain = grpc.insecure_channel(f"127.0.0.1:{plain}", [("grpc.enable_retries", 0)])

    @classmethod
    def tearDownClass(cls):
        cls.secure.close()
        cls.plain.close()
        cls.gateway.stop()
        cls.server.stop(None)

    def setUp(self):
        self.service.cancelled.clear()
        self.service.started.clear()

    def ways(self):
        """Every way in with every way out."""
        return [(channel, path) for channel in (self.secure, self.plain) for path in ("/clear", "/secure")]

    def status(self, path, channel=None, request=b"x", **options):
        with self.assertRaises(grpc.RpcError) as caught:
            (channel or self.plain).unary_unary(path)(request, timeout=options.pop("timeout", 5), **options)
        return caught.exception

    def test_unary_calls_with_metadata(self):
        for channel, path in self.ways():
            for size in (0, 5, 100_000, 3 << 20):
                metadata = (("x-in", "a"), ("x-in-bin", b"\1\2\xfe"))
                answer, call = channel.unary_unary(path + "/Unary").with_call(b"x" * size, timeout=5, metadata=metadata)
                self.assertEqual(len(answer), size)
                self.assertEqual(dict(call.initial_metadata())["x-first"], "1")
                self.assertEqual(dict(call.initial_metadata())["x-bin"], b"\0\xff")
                self.assertEqual(dict(call.trailing_metadata())["x-last"], "2")
                self.assertEqual(self.service.metadata["x-in-bin"], b"\1\2\xfe")
            error = self.status(path + "/Fail", channel)
            self.assertEqual((error.code(), error.details()), (grpc.StatusCode.FAILED_PRECONDITION, "not näw"))
            self.assertEqual(dict(error.trailing_metadata())["x-last"], "2")

    def test_streams_of_all_kinds(self):
        for channel, path in self.ways():
            answers = list(channel.unary_stream(path + "/Many")(b"500", timeout=10))
            self.assertEqual([len(answer) for answer in answers], [len(str(number)) * 1000 for number in range(500)])
            pieces = [b"x" * (number * 100) for number in range(200)]
            collected = channel.stream_unary(path + "/Collect")(iter(pieces), timeout=10)
            self.assertEqual(int(collected), sum(map(len, pieces)))
            talk, gate = [], threading.Semaphore(1)

            def said():
                for number in range(20):
                    self.assertTrue(gate.acquire(timeout=5))
                    yield b"%d" % number

            for answer in channel.stream_stream(path + "/Chat")(said(), timeout=10):
                talk.append(answer)
                gate.release()
            self.assertEqual(talk, [b"re: %d" % number for number in range(20)])

    def test_a_stream_that_breaks_keeps_its_status(self):
        for channel, path in self.ways():
            with self.assertRaises(grpc.RpcError) as caught:
                list(channel.unary_stream(path + "/Break")(b"", timeout=5))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.DATA_LOSS)

    def test_many_calls_at_once(self):
        for channel, path in self.ways():
            calls = [channel.unary_unary(path + "/Unary").future(b"%d" % number, timeout=10) for number in range(200)]
            self.assertEqual([call.result() for call in calls], [b"%d" % number for number in range(200)])

    def test_deadlines(self):
        for path, timeout in (("/clear/Sleep", 0.3), ("/limited/Sleep", 5)):
            took = Stopwatch()
            error = self.status(path, request=b"1.5", timeout=timeout)
            self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
            self.assertTrue(took.within(0.1, 1), took)

    def test_the_gateways_own_deadline_is_the_callers(self):
        """A caller that does not watch its own clock is told by the gateway."""
        begin = steady()
        metadata = (("grpc-timeout", "200m"),)
        error = self.status("/clear/Sleep", request=b"1.5", timeout=None, metadata=metadata)
        self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertLess(steady() - begin, 1)

    def test_refusals_have_a_status_of_grpc(self):
        good, bad = self.keys.token(), self.keys.token(exp=1)
        for path, metadata, code in (
            ("/private/Unary", (), grpc.StatusCode.UNAUTHENTICATED),
            ("/private/Unary", (("authorization", "Bearer " + bad),), grpc.StatusCode.UNAUTHENTICATED),
            ("/scoped/Unary", (("authorization", "Bearer " + good),), grpc.StatusCode.PERMISSION_DENIED),
            ("/gone/Unary", (), grpc.StatusCode.UNAVAILABLE),
            ("/nowhere/Unary", (), grpc.StatusCode.UNIMPLEMENTED),
        ):
            for channel in (self.secure, self.plain):
                error = self.status(path, channel, metadata=metadata)
                self.assertEqual(error.code(), code, path)
                self.assertNotIn("<", error.details())
        answer = self.plain.unary_unary("/private/Unary")(b"x", timeout=5, metadata=(("authorization", "Bearer " + good),))
        self.assertEqual(answer, b"x")
        with self.assertRaises(grpc.RpcError) as caught:
            self.plain.stream_unary("/private/Collect")(iter([b"x" * 100_000] * 50), timeout=5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)

    def test_a_call_that_is_cancelled_reaches_the_backend(self):
        for channel, path in self.ways():
            self.setUp()
            call = channel.unary_stream(path + "/Wait")(b"", timeout=10)
            self.assertEqual(next(call), b"first")
            self.assertTrue(self.service.started.wait(5))
            call.cancel()
            self.assertTrue(self.service.cancelled.wait(10))
        peers.eventually(lambda: peers.metric(self.gateway, "requests_active") == 0, "exchanges stay")

    def test_a_backend_that_stops_politely(self):
        """GOAWAY of a real server: calls that run are finished, later ones are told that nobody is there."""
        service = Service()
        server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[service])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        gateway = Gateway(CONFIGURATION, {**self.keys.files(), "a.pem": FRONT.pem, "a.key": FRONT.key_pem, "ca.pem": AUTHORITY.pem},
                          CLEAR=port, SECURE=port, GONE=port)
        try:
            with grpc.insecure_channel("127.0.0.1:" + gateway.addresses["plain"].rsplit(":", 1)[1]) as channel:
                running = channel.unary_unary("/clear/Sleep").future(b"0.4", timeout=5)
                self.assertTrue(service.started.wait(5), "the call does not begin")
                stopped = server.stop(2)
                self.assertEqual(running.result(), b"0.4")
                stopped.wait(5)
                error = self.status("/clear/Unary", channel)
                self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
        finally:
            gateway.stop()
