"""Health checks over TLS and HTTP/2, and the health service of gRPC."""

import socket
import ssl
import threading
import time
import unittest

from harness import Gateway
from http2 import Server
from peers import Authority, server_context
from timing import steady

CONFIGURATION = """
upstreams: [{name: a, servers: ["127.0.0.1:@PORT@"], @UPSTREAM@, health: {interval: 100ms, timeout: 500ms, healthy: 1, unhealthy: 1, @HEALTH@}}]
routes: [{name: all, auth: public, forward: {upstream: a}}]
"""


class Plain:
    """HTTP/1 over TLS that answers probes with a status."""

    def __init__(self, context):
        self.status, self.heads = b"200", []
        self.context = context
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as connection:
                self.heads.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 %s X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status)
        except OSError:
            pass

    def stop(self):
        self.socket.close()


class Health(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.certificate = cls.authority.issue("127.0.0.1", "backend.example")
        cls.files = {"ca.pem": cls.authority.pem, "other.pem": Authority("Another").pem}

    def gateway(self, port, upstream, health=""):
        gateway = Gateway(CONFIGURATION, self.files, PORT=port, UPSTREAM=upstream, HEALTH=health)
        self.addCleanup(gateway.stop)
        return gateway

    def state(self, gateway):
        text = gateway.get("/readyz?verbose", port=gateway.ops_port).body
        return next(line.rsplit(": ", 1)[1] for line in text.splitlines() if "backend a" in line)

    def becomes(self, gateway, state, seconds=5):
        until = steady() + seconds
        while steady() < until:
            if self.state(gateway) == state:
                return True
            time.sleep(0.02)
        return False

    def stays(self, gateway, state, seconds=0.5):
        return not self.becomes(gateway, "out" if state == "in" else "in", seconds)

    def test_http1_over_tls(self):
        server = Plain(server_context(self.certificate))
        self.addCleanup(server.stop)
        gateway = self.gateway(server.port, "tls: {ca_file: ca.pem}", "path: /well")
        self.assertTrue(self.stays(gateway, "in"))
        self.assertTrue(server.heads[0].startswith(b"GET /well HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % server.port))
        server.status = b"503"
        self.assertTrue(self.becomes(gateway, "out"))
        server.status = b"204"
        self.assertTrue(self.becomes(gateway, "in"))

    def test_a_certificate_that_does_not_convince_is_a_bad_answer(self):
        server = Plain(server_context(self.certificate))
        self.addCleanup(server.stop)
        for tls in ("{ca_file: other.pem}", "{ca_file: ca.pem, server_name: elsewhere.example}"):
            gateway = self.gateway(server.port, "tls: " + tls)
            self.assertTrue(self.becomes(gateway, "out"), tls)
            self.assertTrue(gateway.said('"reason":"TLS: '), gateway.log[-3:])
        gateway = self.gateway(server.port, "tls: {ca_file: ca.pem, server_name: backend.example}")
        self.assertTrue(self.stays(gateway, "in"))

    def test_http2_with_and_without_tls(self):
        for upstream, tls in (("protocol: h2c", None), ("protocol: h2, tls: {ca_file: ca.pem}", server_context(self.certificate, ["h2"]))):
            status = ["200"]
            server = Server(lambda stream: stream.respond(int(status[0]), body=b"x" * 100), tls)
            self.addCleanup(server.stop)
            gateway = self.gateway(server.port, upstream, "path: /well, host: check.example")
            self.assertTrue(self.stays(gateway, "in"), server.failures)
            head = server.streams[0].head
            self.assertEqual((head[":method"], head[":path"], head[":authority"]), ("GET", "/well", "check.example"))
            status[0] = "500"
            self.assertTrue(self.becomes(gateway, "out"))
            status[0] = "200"
            self.assertTrue(self.becomes(gateway, "in"))

    def test_a_server_that_speaks_something_else_is_out(self):
        server = Plain(server_context(self.certificate))
        self.addCleanup(server.stop)
        self.assertTrue(self.becomes(self.gateway(server.port, "protocol: h2, tls: {ca_file: ca.pem}"), "out"))
        self.assertTrue(self.becomes(self.gateway(server.port, "protocol: h2c"), "out"))

    def test_grpc(self):
        serving = b"\0\0\0\0\2\x08\1"
        answer = [serving, "0"]

        def check(stream):
            stream.respond(200, [("content-type", "application/grpc")], body=answer[0], trailers=[("grpc-status", answer[1])])

        for upstream, tls in (("protocol: h2c", None), ("protocol: h2, tls: {ca_file: ca.pem}", server_context(self.certificate, ["h2"]))):
            answer[:] = [serving, "0"]
            server = Server(check, tls)
            self.addCleanup(server.stop)
            gateway = self.gateway(server.port, upstream, "type: grpc, service: pkg.Orders")
            self.assertTrue(self.stays(gateway, "in"), server.failures)
            stream = server.streams[0]
            self.assertEqual((stream.head[":method"], stream.path), ("POST", "/grpc.health.v1.Health/Check"))
            self.assertEqual((stream.head["content-type"], stream.head["te"]), ("application/grpc", "trailers"))
            self.assertEqual(stream.body, b"\0\0\0\0\x0c\x0a\x0apkg.Orders")
            for message, status in (
                (b"\0\0\0\0\2\x08\2", "0"), (b"\0\0\0\0\2\x08\0", "0"), (b"\0\0\0\0\0", "0"), (serving, "5"), (b"", "0"),
                (serving + serving, "0"), (b"\1" + serving[1:], "0"), (b"\0\0\0\0\3\x08\1", "0"), (b"x" * 5000, "0"),
            ):
                answer[:] = [message, status]
                self.assertTrue(self.becomes(gateway, "out"), (message[:9], status))
                # A field that is not known changes nothing.
                answer[:] = [b"\0\0\0\0\6\x12\2hi\x08\1", "0"]
                self.assertTrue(self.becomes(gateway, "in"))

    def test_a_real_service(self):
        try:
            import concurrent.futures

            import grpc
            from grpc_health.v1 import health, health_pb2, health_pb2_grpc
        except ImportError:
            self.skipTest("grpcio-health-checking is not installed")
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        service = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(0).wait())
        gateway = self.gateway(port, "protocol: h2c", "type: grpc, service: pkg.Orders")
        self.assertTrue(self.becomes(gateway, "out"))
        service.set("pkg.Orders", health_pb2.HealthCheckResponse.SERVING)
        self.assertTrue(self.becomes(gateway, "in"))
        service.set("pkg.Orders", health_pb2.HealthCheckResponse.NOT_SERVING)
        self.assertTrue(self.becomes(gateway, "out"))
        whole = self.gateway(port, "protocol: h2c", "type: grpc")
        self.assertTrue(self.stays(whole, "in"))
