"""Client certificates as credentials, and tokens that are bound to them."""

import base64
import hashlib
import json
import pathlib
import signal
import socket
import ssl
import tempfile
import time
import unittest

from cryptography.hazmat.primitives import serialization

from harness import Answer, Gateway, Keys, TestCase, Upstream
from http2 import Client
from peers import Authority
from sessions import ACCOUNTS, SESSION, Directory
from timing import lost, steady

IDENTITY = '      client_identity: {name: machines, issuer: "urn:machines"@SUBJECT@}\n'
LISTENERS = """
listeners:
  - name: main
    address: "127.0.0.1:0"
    tls:
      certificates: [{certificate_file: server.pem, key_file: server.key}]
      client_certificates: optional
      client_ca_file: clients.pem
""" + IDENTITY + """
  - {name: clear, address: "127.0.0.1:0"}
"""
MACHINES = "  - {name: machines, match: {path: /machines}, issuers: [machines], forward: {upstream: a}}\n"
ROUTES = """
access_log: {path: access.log}
identity:
  headers:
    - {claim: sub, header: X-User-Id}
    - {claim: iss, header: X-Auth-Issuer}
    - {claim: dns, header: X-Names}
    - {claim: serial, header: X-Serial}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
""" + MACHINES + """
  - {name: people, match: {path: /people}, issuers: [main], forward: {upstream: a}}
  - {name: names, match: {path: /names}, claims: [{claim: dns, contains: b.example}], forward: {upstream: a}}
  - {name: optional, match: {path: /optional}, auth: optional, forward: {upstream: a}}
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""
CONFIGURATION = LISTENERS + Keys.ISSUERS + ROUTES


def thumbprint(certificate):
    der = certificate.certificate.public_bytes(serialization.Encoding.DER)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


class Base(unittest.TestCase):
    keys = TestCase.keys

    @classmethod
    def setUpClass(cls):
        cls.upstream, cls.authority = Upstream(), Authority()
        cls.server = cls.authority.issue("gateway.example")
        cls.files = {
            **cls.keys.files(), "server.pem": cls.server.pem, "server.key": cls.server.key_pem,
            "clients.pem": cls.authority.pem,
        }
        cls.ada = cls.authority.issue("ada.example", "b.example", client=True)
        cls.bob = cls.authority.issue("bob.example", client=True)
        cls.gateway = cls.start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.upstream.stop()

    @classmethod
    def start(cls, text=CONFIGURATION, subject=""):
        return Gateway(text, cls.files, UPSTREAM=cls.upstream.port, SUBJECT=subject)

    def another(self, *arguments):
        gateway = self.start(*arguments)
        self.addCleanup(gateway.stop)
        return gateway

    def connect(self, certificate=None, gateway=None):
        context = self.authority.context(certificate=certificate)
        raw = socket.create_connection(("127.0.0.1", (gateway or self.gateway).port), 10)
        client = context.wrap_socket(raw, server_hostname="gateway.example")
        self.addCleanup(client.close)
        return client

    def ask(self, client, path="/", token=None, fields=(), method="GET"):
        """One request on a connection that stays open."""
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway.example"]
        if token is not None:
            lines.append("Authorization: Bearer " + token)
        lines += [f"{name}: {value}" for name, value in fields]
        client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        answer = b""
        while True:
            data = client.recv(1 << 16)
            if not data:
                return Answer(answer + b"<EOF>")
            answer += data
            head, mark, body = answer.partition(b"\r\n\r\n")
            lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if mark and lengths and len(body) >= int(lengths[0][15:]):
                return Answer(answer)

    def refused(self, answer, code):
        self.assertEqual((answer.status, json.loads(answer.body)["code"]), (401, code))


class Pages(Base):
    """A browser adds the certificate to whatever a page asks for, as it does with cookies."""

    OURS, FOREIGN = ("Origin", "https://gateway.example"), ("Origin", "https://evil.example")
    UPGRADE = [
        ("Connection", "upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]

    def site(self, value):
        return ("Sec-Fetch-Site", value)

    def test_foreign_ones_change_nothing(self):
        allowed = (
            [], [self.OURS], [self.site("same-origin"), self.OURS], [self.site("same-origin")], [self.site("none")],
        )
        foreign = (
            [self.FOREIGN], [self.site("cross-site")], [self.site("same-site"), self.FOREIGN], [self.site("none"), self.FOREIGN],
            [self.site("cross-site"), self.OURS], [("Origin", "null")],
            [("Origin", "http://gateway.example")], [self.site("x"), self.site("x"), self.OURS],
        )
        for method, more in (("POST", []), ("DELETE", []), ("GET", self.UPGRADE)):
            fields = more + ([("Content-Length", "0")] if method == "POST" else [])
            for signs, status in [(one, 200) for one in allowed] + [(one, 403) for one in foreign]:
                with self.subTest(method=method, signs=signs):
                    answer = self.ask(self.connect(self.ada), fields=fields + signs, method=method)
                    self.assertEqual(answer.status, status, answer.raw)
                    if status == 403:
                        self.assertEqual(json.loads(answer.body)["code"], "origin_unproven")
        # What changes nothing may be read, if the other origin lets the page read it; a token is no doing of the browser's.
        client = self.connect(self.ada)
        self.assertEqual(self.ask(client, fields=foreign[0]).status, 200)
        self.assertEqual(self.ask(client, token=self.keys.token(), fields=foreign[0], method="DELETE").status, 200)
        self.assertEqual(self.ask(client, "/open", fields=foreign[0], method="DELETE").status, 200)

    def test_over_http2(self):
        with Client(self.gateway.port, self.authority.context(["h2"], certificate=self.ada)) as client:
            client.until(lambda: client.settled)
            self.assertEqual(client.get("/", method="DELETE", fields=[("origin", "https://evil.example")]).status, 403)
            self.assertEqual(client.get("/", method="DELETE", fields=[("origin", "https://gateway.example")]).status, 200)
            version = ("sec-websocket-version", "13")
            stream = client.request("/", "CONNECT", [version, ("origin", "https://evil.example")], ends=False, protocol="websocket")
            self.assertEqual(client.reply(stream).status, 403)


class BesideSessions(Base):
    def test_a_cookie_that_proves_nothing_does_not_hide_the_certificate(self):
        directory = Directory.make()
        text = ACCOUNTS + "sessions: {store: memory}\n" + LISTENERS + Keys.ISSUERS + ROUTES.replace("{name: people", "{name: local")
        gateway = Gateway(
            text.replace("issuers: [main], forward", "issuers: [local], forward"), {**self.files, **directory.files()},
            UPSTREAM=self.upstream.port, SUBJECT=""
        )
        self.addCleanup(gateway.stop)
        client = self.connect(self.ada, gateway)
        for cookie in ("garbage", "A" * 42 + "E", "A" * 43 + f"; {SESSION}=b"):
            for path in ("/", "/machines"):
                answer = self.ask(client, path, fields=[("Cookie", f"{SESSION}={cookie}")])
                self.assertEqual((answer.status, answer.seen("X-User-Id")), (200, ["ada.example"]), cookie)
                self.assertNotIn(SESSION, answer.body)
        self.refused(self.ask(client, "/people", fields=[("Cookie", f"{SESSION}=garbage")]), "token_invalid")
        nobody = self.connect(gateway=gateway)
        self.refused(self.ask(nobody, "/", fields=[("Cookie", f"{SESSION}=garbage")]), "session_unknown")


class Certificates(Base):
    def test_a_certificate_is_a_credential(self):
        client = self.connect(self.ada)
        for path in ("/", "/machines", "/names", "/optional", "/machines"):
            answer = self.ask(client, path, fields=[("X-User-Id", "root"), ("x_serial", "1")])
            self.assertEqual(answer.status, 200, path)
            self.assertEqual(answer.seen("X-User-Id"), ["ada.example"])
            self.assertEqual(answer.seen("X-Auth-Issuer"), ["urn:machines"])
            self.assertEqual(answer.seen("X-Names"), ["ada.example,b.example"])
            self.assertEqual([int(serial, 16) for serial in answer.seen("X-Serial")], [self.ada.serial])
        # On a public route nobody is looked at.
        self.assertEqual(self.ask(client, "/open").seen("X-User-Id"), [])
        bob = self.connect(self.bob)
        self.assertEqual(self.ask(bob, "/machines").seen("X-User-Id"), ["bob.example"])
        self.assertEqual(self.ask(bob, "/names").status, 403)
        self.refused(self.ask(bob, "/people"), "token_invalid")

    def test_without_one_a_token_is_asked_for(self):
        client = self.connect()
        self.refused(self.ask(client), "no_credential")
        self.assertEqual(self.ask(client, "/optional").seen("X-User-Id"), [])
        self.assertEqual(self.ask(client, "/people", token=self.keys.token()).seen("X-User-Id"), ["ada"])

    def test_a_token_goes_before_the_certificate(self):
        client = self.connect(self.ada)
        answer = self.ask(client, "/", token=self.keys.token(sub="eve"))
        self.assertEqual(answer.seen("X-User-Id"), ["eve"])
        self.assertEqual(answer.seen("X-Auth-Issuer"), ["https://issuer.example"])
        # A bad one is not made good by it, nor does the token satisfy a rule for certificates.
        self.assertEqual(self.ask(client, "/", token=self.keys.token(exp=1)).status, 401)
        self.assertEqual(self.ask(client, "/machines", token=self.keys.token()).status, 401)
        self.assertEqual(self.ask(client, "/", fields=[("Authorization", "Basic YTpi")]).status, 401)
        self.assertEqual(self.ask(client, "/").seen("X-User-Id"), ["ada.example"])

    def test_the_streams_of_a_connection_share_it(self):
        context = self.authority.context(alpn=["h2"], certificate=self.ada)
        with Client(self.gateway.port, context) as client:
            streams = [client.request("/machines") for _ in range(10)]
            for stream in streams:
                reply = client.reply(stream)
                self.assertEqual(reply.status, 200)
                self.assertIn(b"X-User-Id: ada.example\r\n", reply.body)
            self.assertIn(b"X-User-Id: ada\r\n", client.get("/people", token=self.keys.token()).body)

    def test_the_log_names_the_caller(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "access.log")
            gateway = self.another(CONFIGURATION.replace("access.log", str(log)))
            self.ask(self.connect(self.ada, gateway), "/machines")
            gateway.stop()
            line = json.loads(log.read_text().splitlines()[0])
        self.assertEqual((line["principal"], line["issuer"], line["auth"]), ("ada.example", "machines", "accepted"))

    def test_parts_of_the_subject(self):
        machine = self.authority.issue("m.example", "spiffe://example/m", "m@example.org", client=True)
        parts = {"dns": "m.example", "uri": "spiffe://example/m", "email": "m@example.org", "distinguished_name": "CN=m.example"}
        for part, expected in parts.items():
            gateway = self.another(CONFIGURATION, ", subject: " + part)
            self.assertEqual(self.ask(self.connect(machine, gateway), "/machines").seen("X-User-Id"), [expected])
            if part in ("uri", "email"):
                # What has not got that part is nobody.
                self.refused(self.ask(self.connect(self.bob, gateway), "/machines"), "no_credential")

    def test_reloads(self):
        gateway = self.another()
        client = self.connect(self.ada, gateway)
        self.assertEqual(self.ask(client, "/machines").status, 200)
        # Issuers move in the list: the same connection is judged by the new one.
        fewer = Keys.ISSUERS.split("  - name: hmac")[0]
        gateway.write(CONFIGURATION.replace(Keys.ISSUERS, fewer).replace("urn:machines", "urn:robots"))
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied"))
        self.assertEqual(self.ask(client, "/machines").seen("X-Auth-Issuer"), ["urn:robots"])
        self.assertEqual(self.ask(client, "/people").status, 401)
        # Other authorities: what was shown to the former ones is worth nothing, and has to be shown again.
        other = Authority("Another")
        pathlib.Path(gateway.folder, "clients.pem").write_bytes(other.pem)
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied", 2))
        answer = self.ask(client, "/machines")
        self.assertEqual((answer.status, answer.field("Connection")), (421, "close"))
        with self.assertRaises(OSError):
            self.ask(self.connect(self.ada, gateway), "/machines")
        # A certificate without meaning.
        gateway.write(CONFIGURATION.replace(IDENTITY, "").replace(MACHINES, ""))
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied", 3))
        self.assertEqual(self.ask(self.connect(other.issue("x.example", client=True), gateway)).status, 401)

    def test_revoked(self):
        gateway = self.another()
        ada, bob = self.connect(self.ada, gateway), self.connect(self.bob, gateway)
        json_content = [("Content-Type", "application/json")]

        def revoke(**content):
            body = json.dumps(content).encode()
            answer = gateway.get("/revocations", method="POST", body=body, fields=json_content, port=gateway.ops_port)
            self.assertEqual(answer.status, 200, answer.body)

        for client in (ada, bob):
            self.assertEqual(self.ask(client, "/machines").status, 200)
        revoke(issuer="machines", token=thumbprint(self.ada))
        self.refused(self.ask(ada, "/machines"), "credential_revoked")
        self.refused(self.ask(self.connect(self.ada, gateway), "/machines"), "credential_revoked")
        self.assertEqual(self.ask(bob, "/machines").status, 200)
        revoke(issuer="urn:machines", subject="bob.example")
        self.refused(self.ask(bob, "/machines"), "credential_revoked")
        # The connection itself still carries tokens.
        self.assertEqual(self.ask(bob, "/people", token=self.keys.token()).status, 200)


class OtherAuthorities(Base):
    """What is open when the authorities of client certificates change."""

    @staticmethod
    def endless(head, body, connection):
        if b" /machines" not in head and b" /people" not in head:
            return Upstream.echo(head, body, connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"6\r\n: go\n\n\r\n")
            time.sleep(0.05)

    def setUp(self):
        self.streams = Upstream(self.endless)
        self.addCleanup(self.streams.stop)

    def open(self, text=CONFIGURATION):
        gateway = Gateway(text, self.files, UPSTREAM=self.streams.port, SUBJECT="")
        self.addCleanup(gateway.stop)
        return gateway

    def client(self, gateway, certificate):
        client = Client(gateway.port, self.authority.context(alpn=["h2"], certificate=certificate))
        self.addCleanup(client.socket.close)
        return client

    def begun(self, client, path, token=None):
        reply = client.replies[client.request(path, token=token)]
        self.assertTrue(client.until(lambda: reply.body))
        return reply

    def reload(self, gateway, pem):
        pathlib.Path(gateway.folder, "clients.pem").write_bytes(pem)
        applied = sum("configuration applied" in line for line in gateway.log)
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied", applied + 1))

    def test_streams_of_certificates_that_are_none_any_more_end(self):
        gateway = self.open()
        ada, bob = self.client(gateway, self.ada), self.client(gateway, self.bob)
        bound = self.keys.token(cnf={"x5t#S256": thumbprint(self.ada)})
        ends = [(ada, self.begun(ada, "/machines")), (bob, self.begun(bob, "/machines")), (ada, self.begun(ada, "/people", bound))]
        stays = self.begun(ada, "/people", self.keys.token())
        plain = self.connect(self.ada, gateway)
        plain.sendall(b"GET /machines HTTP/1.1\r\nHost: gateway.example\r\n\r\n")
        plain.settimeout(5)
        self.assertIn(b"text/event-stream", plain.recv(1 << 16))
        # One more authority: nothing ends.
        other = Authority("Another")
        self.reload(gateway, self.authority.pem + other.pem)
        for client, reply in ends:
            before = reply.received
            self.assertTrue(client.until(lambda: reply.received > before + 30))
            self.assertFalse(reply.over)
        self.reload(gateway, other.pem)
        begin = steady()
        for client, reply in ends:
            self.assertTrue(client.until(lambda: reply.over, 5))
            self.assertTrue(reply.ended)
        text = b""
        while data := plain.recv(1 << 16):
            text += data
        self.assertTrue(text.endswith(b"0\r\n\r\n"))
        self.assertLess(steady() - begin, 1)
        before = stays.received
        self.assertTrue(ada.until(lambda: stays.received > before))
        self.assertFalse(stays.over)

    def test_where_nobody_comes_in_without_one_everything_ends(self):
        text = CONFIGURATION.replace(IDENTITY, "").replace(MACHINES, "").replace("client_certificates: optional", "client_certificates: required")
        gateway = self.open(text)
        ada, idle = self.client(gateway, self.ada), self.connect(self.ada, gateway)
        self.assertEqual(self.ask(idle, "/open").status, 200)
        reply = self.begun(ada, "/people", self.keys.token())
        self.reload(gateway, Authority("Another").pem)
        self.assertTrue(ada.until(lambda: reply.over, 5))
        idle.settimeout(5)
        self.assertEqual(idle.recv(100), b"")

    def test_a_certificate_that_expires_while_its_connection_is_open(self):
        gateway = self.open()
        brief = self.authority.issue("brief.example", days=3 / 86400, client=True)
        client, plain = self.client(gateway, brief), self.connect(brief, gateway)
        self.assertEqual(self.ask(plain, "/").seen("X-User-Id"), ["brief.example"])
        reply = self.begun(client, "/machines")
        until, gone = brief.certificate.not_valid_after_utc.timestamp(), lost()
        self.assertTrue(client.until(lambda: reply.over, 8))
        late = time.time() - until
        self.assertTrue(0 <= late <= 1.1 + lost() - gone, late)
        self.refused(self.ask(plain, "/"), "certificate_expired")
        with self.assertRaises(OSError):
            self.ask(self.connect(brief, gateway))


class BoundTokens(Base):
    def bound(self, certificate, **more):
        return self.keys.token(cnf={"x5t#S256": thumbprint(certificate), **more})

    def test_only_over_a_connection_with_that_certificate(self):
        token = self.bound(self.ada)
        ada, bob, nobody = self.connect(self.ada), self.connect(self.bob), self.connect()
        # Cached or not, and in whatever order.
        for client, expected in ((nobody, 401), (ada, 200), (bob, 401), (ada, 200), (nobody, 401), (ada, 200)):
            answer = self.ask(client, "/people", token=token)
            self.assertEqual(answer.status, expected)
            if expected == 401:
                self.refused(answer, "token_certificate_mismatch")
                self.assertIn('error="invalid_token"', answer.field("WWW-Authenticate"))
            else:
                self.assertEqual(answer.seen("X-User-Id"), ["ada"])
        port = int(self.gateway.addresses["clear"].rsplit(":", 1)[1])
        self.assertEqual(self.gateway.get("/people", token, port=port).status, 401)
        self.assertEqual(self.gateway.get("/people", self.keys.token(), port=port).status, 200)

    def test_over_http2(self):
        token = self.bound(self.ada)
        for certificate, expected in ((self.bob, 401), (self.ada, 200), (self.bob, 401)):
            with Client(self.gateway.port, self.authority.context(alpn=["h2"], certificate=certificate)) as client:
                for _ in range(3):
                    self.assertEqual(client.get("/people", token=token).status, expected)

    def test_what_cannot_be_checked_is_refused(self):
        client = self.connect(self.ada)
        for confirmation in ({"jkt": "x"}, {}, {"jwk": {}}, "x", [], {"x5t#S256": thumbprint(self.ada) + "="}):
            answer = self.ask(client, "/people", token=self.keys.token(cnf=confirmation))
            self.refused(answer, "token_binding_unsupported")
        self.refused(self.ask(client, "/people", token=self.bound(self.ada, jkt="x")), "token_binding_unsupported")

    def test_unless_the_configuration_leaves_it_to_others(self):
        line = "    algorithms: [RS256, ES256, EdDSA]\n"
        gateway = self.another(CONFIGURATION.replace(line, line + "    unverifiable_binding: ignore\n"))
        nobody, ada = self.connect(gateway=gateway), self.connect(self.ada, gateway)
        self.assertEqual(self.ask(nobody, "/people", token=self.keys.token(cnf={"jkt": "x"})).status, 200)
        self.assertEqual(self.ask(nobody, "/people", token=self.bound(self.ada, jkt="x")).status, 401)
        self.assertEqual(self.ask(ada, "/people", token=self.bound(self.ada, jkt="x")).status, 200)
