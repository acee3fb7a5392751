"""TLS towards backends: who they must prove to be, and what of an answer may be believed."""

import json
import os
import socket
import ssl
import threading
import unittest

import http2
import peers
from harness import Gateway
from wire import Client as HTTP1

AUTHORITY = peers.Authority()
SERVER = AUTHORITY.issue("localhost", "127.0.0.1")
OURS = AUTHORITY.issue("gateway", client=True)
FILES = {"ca.pem": AUTHORITY.pem, "gw.pem": OURS.pem, "gw.key": OURS.key_pem}
TLS = "tls: {ca_file: ca.pem}"
CONFIGURATION = """
workers: 1
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"], protocol: @PROTOCOL@, refused_pause: 0s, @TLS@}]
routes: [{name: all, auth: public, forward: {upstream: a}}]
"""


class Security(unittest.TestCase):
    def gateway(self, port, protocol="http1", tls=TLS):
        gateway = Gateway(CONFIGURATION, FILES, UPSTREAM=port, PROTOCOL=protocol, TLS=tls)
        self.addCleanup(gateway.stop)
        return gateway

    def backend(self, context, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", stays=True, abrupt=False):
        """A backend over HTTP/1.1 that counts handshakes; `abrupt` ends without close_notify."""
        listener = socket.create_server(("127.0.0.1", 0))

        class Listener:
            port, seen, resumed = listener.getsockname()[1], [], 0

        def serve(raw):
            try:
                client = context.wrap_socket(raw, server_side=True)
                Listener.seen.append(client.version())
                Listener.resumed += client.session_reused
                while client.recv(65536):
                    client.sendall(answer)
                    if abrupt:
                        raw = client.detach()
                        os.close(raw)
                        return
                    if not stays:
                        client.unwrap()
                        return
            except (OSError, ValueError):
                raw.close()

        def accept():
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        self.addCleanup(lambda: (listener.shutdown(socket.SHUT_RDWR), listener.close()))
        return Listener

    def reason(self, gateway):
        answer = gateway.get("/")
        self.assertEqual(answer.status, 502, answer.raw)
        self.assertTrue(gateway.wait_for("TLS with a backend failed"))
        line = next(line for line in gateway.log if "TLS with a backend failed" in line)
        return json.loads(line)["reason"]

    def test_only_the_right_certificate_will_do(self):
        for certificate, tls, reason in (
            (SERVER, "tls: {ca_file: ca.pem, server_name: elsewhere.test}", "hostname mismatch"),
            (AUTHORITY.issue("other.test"), TLS, "IP address mismatch"),
            (AUTHORITY.issue("127.0.0.1", days=-1, since=-9), TLS, "certificate has expired"),
            (AUTHORITY.issue("127.0.0.1", self_signed=True), TLS, "self-signed certificate"),
            (peers.Authority("Others").issue("127.0.0.1"), TLS, "unable to get local issuer certificate"),
            (SERVER, "tls: {}", "unable to get local issuer certificate"),
        ):
            backend = self.backend(peers.server_context(certificate))
            self.assertIn(reason, self.reason(self.gateway(backend.port, "http1", tls)).lower().replace("ip", "IP"))
        for tls in (TLS, "tls: {ca_file: ca.pem, server_name: localhost}"):
            backend = self.backend(peers.server_context(SERVER))
            self.assertEqual(self.gateway(backend.port, "http1", tls).get("/").status, 200)

    def test_a_certificate_for_a_backend_that_asks(self):
        backend = self.backend(peers.server_context(SERVER, client_ca=AUTHORITY))
        self.assertEqual(self.gateway(backend.port, "http1", TLS).get("/").status, 502)
        mine = "tls: {ca_file: ca.pem, certificate_file: gw.pem, key_file: gw.key}"
        self.assertEqual(self.gateway(backend.port, "http1", mine).get("/").status, 200)

    def test_a_backend_that_refuses_our_certificate(self):
        """In TLS 1.3 it says so when for us the handshake is done: known as what it is, and not retried as a lost one."""
        foreign = peers.Authority("Others").issue("gateway", client=True)
        files = {**FILES, "other.pem": foreign.pem, "other.key": foreign.key_pem}
        for protocol in ("http1", "h2"):
            context = peers.server_context(SERVER, ["h2"] if protocol == "h2" else None, client_ca=AUTHORITY)
            backend = self.backend(context)
            for tls, reason in ((TLS, "certificate required"), (TLS[:-1] + ", certificate_file: other.pem, key_file: other.key}", "unknown CA")):
                gateway = Gateway(CONFIGURATION, files, UPSTREAM=backend.port, PROTOCOL=protocol, TLS=tls)
                self.addCleanup(gateway.stop)
                self.assertIn(reason, self.reason(gateway))
                for method in ("GET", "POST"):
                    answer = gateway.get("/", method=method, body=b"x" if method == "POST" else b"")
                    self.assertEqual((answer.status, json.loads(answer.body)["code"]), (502, "upstream_handshake_failed"))
                self.assertGreaterEqual(peers.metric(gateway, "upstream_tls_handshakes_failed_total"), 3)

    def test_the_reason_stays_while_the_backend_is_passed_over(self):
        for protocol in ("http1", "h2"):
            backend = self.backend(peers.server_context(AUTHORITY.issue("other.test"), ["h2"] if protocol == "h2" else None))
            text = CONFIGURATION.replace("refused_pause: 0s", "refused_pause: 60s")
            gateway = Gateway(text, FILES, UPSTREAM=backend.port, PROTOCOL=protocol, TLS=TLS)
            self.addCleanup(gateway.stop)
            for _ in range(3):
                answer = gateway.get("/")
                self.assertEqual((answer.status, json.loads(answer.body)["code"]), (502, "upstream_handshake_failed"))
            self.assertEqual(peers.metric(gateway, "upstream_tls_handshakes_failed_total"), 1)
            # What cannot be reached at all is unavailable meanwhile, as before.
            gone = Gateway(text, FILES, UPSTREAM=peers.free_port(), PROTOCOL=protocol, TLS=TLS)
            self.addCleanup(gone.stop)
            self.assertEqual([gone.get("/").status for _ in range(2)], [502, 503])

    def test_versions_and_protocols(self):
        old = self.backend(peers.server_context(SERVER, maximum=ssl.TLSVersion.TLSv1_2))
        self.assertEqual(self.gateway(old.port, "http1", TLS).get("/").status, 200)
        new = self.gateway(old.port, "http1", "tls: {ca_file: ca.pem, minimum_version: TLSv1.3}")
        self.assertIn("version", self.reason(new))
        self.assertIn("protocol", self.reason(self.gateway(old.port, "h2", TLS)))

    def test_sessions_are_used_again(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = peers.server_context(SERVER, minimum=version, maximum=version)
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
            backend = self.backend(context, answer, stays=False)
            gateway = self.gateway(backend.port, "http1", TLS)
            for _ in range(5):
                self.assertEqual(gateway.get("/").status, 200)
            self.assertEqual((len(backend.seen), backend.resumed), (5, 4), version)

    def test_a_truncated_answer_never_looks_complete(self):
        answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"
        for abrupt in (False, True):
            backend = self.backend(peers.server_context(SERVER), answer, stays=False, abrupt=abrupt)
            gateway = self.gateway(backend.port, "http1", TLS)
            reply = http2.Client(gateway.port).get("/")
            self.assertEqual(reply.ended, not abrupt)
            for version in (b"1.1", b"1.0"):
                with HTTP1(gateway.port) as plain:
                    plain.send(b"GET / HTTP/%s\r\nHost: a\r\n\r\n" % version)
                    self.assertEqual(plain.reply(b"GET", version).complete, not abrupt, version)
