"""TLS towards clients: certificates by name, versions, sessions, client certificates, what comes before the first request."""

import signal
import socket
import ssl
import tempfile
import time
import unittest

import peers
from harness import Gateway, Upstream
from timing import Stopwatch

AUTHORITY, CLIENTS = peers.Authority(), peers.Authority("Clients")
EXACT = AUTHORITY.issue("a.example")
EXACT_RSA = AUTHORITY.issue("a.example", kind="rsa")
WILD = AUTHORITY.issue("*.wild.example")
INSIDE = AUTHORITY.issue("rsa.wild.example", kind="rsa")
FIRST = AUTHORITY.issue("gateway.example", "127.0.0.1")
FILES = {"clients.pem": CLIENTS.pem}
for _name, _certificate in {"first": FIRST, "exact": EXACT, "rsa": EXACT_RSA, "wild": WILD, "inside": INSIDE}.items():
    FILES |= {_name + ".pem": _certificate.pem, _name + ".key": _certificate.key_pem}


def certificates(*names):
    return "certificates: [" + ", ".join(f"{{certificate_file: {n}.pem, key_file: {n}.key}}" for n in names) + "]"


CONFIGURATION = f"""
workers: 2
tls: {{file_check: off}}
timeouts: {{handshake: 1500ms}}
listeners:
  - {{name: main, address: "127.0.0.1:0", tls: {{{certificates("first", "wild", "exact", "rsa")}, hsts: {peers.HSTS}}}}}
  - {{name: strict, address: "127.0.0.1:0", tls: {{{certificates("exact")}, strict_sni: true, minimum_version: TLSv1.3}}}}
  - {{name: optional, address: "127.0.0.1:0", tls: {{{certificates("first")}, client_certificates: optional, client_ca_file: clients.pem}}}}
  - {{name: required, address: "127.0.0.1:0", tls: {{{certificates("first")}, client_certificates: required, client_ca_file: clients.pem}}}}
  - {{name: mixed, address: "127.0.0.1:0", tls: {{{certificates("first", "wild", "inside")}}}}}
  - {{name: redirect, address: "127.0.0.1:0", redirect_to_https: 8443}}
  - {{name: plain, address: "127.0.0.1:0", proxy_protocol: {{from: [127.0.0.1/32]}}}}
  - {{name: proxied, address: "127.0.0.1:0", proxy_protocol: {{from: [127.0.0.1/32]}}, tls: {{{certificates("first")}}}}}
upstreams: [{{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}}]
routes:
  - {{name: fixed, match: {{path: /fixed}}, auth: public, respond: {{status: 200, body: hi}}}}
  - {{name: rest, match: {{path: /}}, auth: public, forward: {{upstream: a}}}}
"""
ONE = f"""
listeners: [{{name: main, address: "127.0.0.1:0", tls: {{{certificates("first")}}}}}]
routes: [{{name: fixed, auth: public, respond: {{status: 200, body: hi}}}}]
"""
GET = b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"


class TLSTest(unittest.TestCase):
    configuration, files = CONFIGURATION, FILES

    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.gateway = Gateway(cls.configuration, cls.files, UPSTREAM=cls.upstream.port)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.upstream.stop()

    def port(self, listener="main"):
        return int(self.gateway.addresses[listener].rsplit(":", 1)[1])

    def connect(self, name="gateway.example", listener="main", context=None, session=None, first=b"", source=None):
        raw = socket.create_connection(("127.0.0.1", self.port(listener)), 5, source_address=source)
        raw.sendall(first)
        return (context or AUTHORITY.context()).wrap_socket(raw, server_hostname=name, session=session)

    def answer(self, client, host=b"gateway.example", path=b"/"):
        client.sendall(GET.replace(b" / ", b" " + path + b" ") % host)
        data = b""
        while piece := client.recv(65536):
            data += piece
        return data

    def serial(self, *arguments, **options):
        with self.connect(*arguments, **options) as client:
            return int(client.getpeercert()["serialNumber"], 16)

    def refused(self, *arguments, **options):
        """Refused in the handshake, or by the first read behind it, as TLS 1.3 tells it."""
        with self.assertRaises((ssl.SSLError, ConnectionError)) as caught:
            with self.connect(*arguments, **options) as client:
                if not self.answer(client):
                    raise ConnectionError("closed")
        return str(caught.exception)


class Handshakes(TLSTest):
    def test_the_certificate_is_the_one_for_the_name(self):
        self.assertIn(self.serial("a.example"), (EXACT.serial, EXACT_RSA.serial))
        self.assertEqual(self.serial("b.wild.example"), WILD.serial)
        unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        for name in ("elsewhere.test", "x.b.wild.example", None):
            with self.connect(name, context=unchecked) as client:
                self.assertEqual(ssl.DER_cert_to_PEM_cert(client.getpeercert(True)).encode(), FIRST.pem, name)

    def test_rsa_and_ecdsa_stand_side_by_side(self):
        for suites, wanted in (("ECDHE+aECDSA", EXACT), ("ECDHE+aRSA", EXACT_RSA)):
            context = AUTHORITY.context(maximum=ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(suites)
            self.assertEqual(self.serial("a.example", context=context), wanted.serial)

    def test_a_wildcard_of_another_kind_does_not_take_a_name_s_place(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = AUTHORITY.context(minimum=version, maximum=version)
            self.assertEqual(self.serial("rsa.wild.example", "mixed", context=context), INSIDE.serial)

    def test_only_tls_12_and_13(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.connect(context=AUTHORITY.context(minimum=version, maximum=version)) as client:
                self.assertTrue(self.answer(client).startswith(b"HTTP/1.1 200 "))
        old = AUTHORITY.context(minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.assertIn("ALERT_PROTOCOL_VERSION", self.refused(context=old))
        at_most_12 = AUTHORITY.context(maximum=ssl.TLSVersion.TLSv1_2)
        self.assertIn("VERSION", self.refused("a.example", "strict", context=at_most_12))

    def test_the_protocol_inside_is_the_best_of_both(self):
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), (["http/1.0"], "http/1.0")):
            with self.connect(context=AUTHORITY.context(offered)) as client:
                self.assertEqual(client.selected_alpn_protocol(), chosen)
        self.assertIn("no application protocol", self.refused(context=AUTHORITY.context(["smtp"])))

    def test_sessions_resume_on_every_worker_and_over_a_reload(self):
        before = peers.metric(self.gateway, "tls_resumptions_total")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = AUTHORITY.context(minimum=version, maximum=version)
            with self.connect(context=context) as client:
                self.answer(client)
                session = client.session
            for round in range(16):
                if round == 8:
                    applied = sum("configuration applied" in line for line in self.gateway.log)
                    self.gateway.signal(signal.SIGHUP)
                    self.assertTrue(self.gateway.wait_for("configuration applied", applied + 1))
                with self.connect(context=context, session=session) as client:
                    self.assertTrue(client.session_reused, (version, round))
                    self.answer(client)
        self.assertEqual(peers.metric(self.gateway, "tls_resumptions_total") - before, 32)

    def test_client_certificates(self):
        good = AUTHORITY.context(certificate=CLIENTS.issue("ada", client=True))
        foreign = AUTHORITY.context(certificate=peers.Authority("Strangers").issue("eve", client=True))
        old = AUTHORITY.context(certificate=CLIENTS.issue("ada", client=True, days=-1, since=-10))
        server = AUTHORITY.context(certificate=CLIENTS.issue("ada"))
        for listener in ("optional", "required"):
            with self.connect(listener=listener, context=good) as client:
                self.assertTrue(self.answer(client).startswith(b"HTTP/1.1 200 "))
            for context in (foreign, old, server):
                self.refused(listener=listener, context=context)
        with self.connect(listener="optional") as client:
            self.assertTrue(self.answer(client).startswith(b"HTTP/1.1 200 "))
        self.assertIn("CERTIFICATE_REQUIRED", self.refused(listener="required"))
        with self.connect(context=good) as client:
            self.assertTrue(self.answer(client).startswith(b"HTTP/1.1 200 "))

    def test_a_client_certificate_with_a_broken_name_is_refused_with_an_alert(self):
        odd = CLIENTS.issue("ada\0.evil", client=True)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = AUTHORITY.context(certificate=odd, minimum=version, maximum=version)
            for listener in ("optional", "required"):
                self.assertIn("BAD_CERTIFICATE", self.refused(listener=listener, context=context))

    def test_strict_names(self):
        self.assertEqual(self.serial("a.example", "strict"), EXACT.serial)
        self.assertIn("UNRECOGNIZED_NAME", self.refused("b.example", "strict"))
        unnamed = AUTHORITY.context()
        unnamed.check_hostname = False
        self.assertIn("UNRECOGNIZED_NAME", self.refused(None, "strict", context=unnamed))

    def test_what_browsers_are_told(self):
        for path in (b"/", b"/fixed"):
            with self.connect() as client:
                data = self.answer(client, path=path)
                self.assertEqual(data.lower().count(b"strict-transport-security: max-age=31536000; includesubdomains"), 1)
        self.assertNotIn(b"strict-transport", self.gateway.raw(GET % b"a", port=self.port("redirect")).lower())

    def test_browsers_are_told_by_the_listener_alone(self):
        def answer(head, body, connection):
            return b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=0\r\nstrict-transport-security: max-age=1\r\nX: y\r\nContent-Length: 0\r\n\r\n"

        self.upstream.answer = answer
        self.addCleanup(lambda: setattr(self.upstream, "answer", self.upstream.echo))
        lines = lambda data: [line.split(b": ")[1] for line in data.split(b"\r\n") if line.lower().startswith(b"strict-transport-security:")]
        with self.connect() as client:
            data = self.answer(client)
        self.assertEqual((lines(data), b"\r\nX: y\r\n" in data), ([b"max-age=31536000; includeSubDomains"], True))
        with self.connect(listener="optional") as client:
            self.assertEqual(lines(self.answer(client)), [b"max-age=0", b"max-age=1"])

    def test_plain_is_sent_to_https(self):
        for target, host, location in (
            (b"/x/../y?q=1", b"a.example", b"https://a.example:8443/y?q=1"),
            (b"/", b"a.example:80", b"https://a.example:8443/"),
            (b"/", b"[::1]:80", b"https://[::1]:8443/"),
        ):
            request = (GET % host).replace(b" / ", b" " + target + b" ")
            answer = self.gateway.raw(request, port=self.port("redirect"))
            self.assertTrue(answer.startswith(b"HTTP/1.1 308 "), answer)
            self.assertIn(b"\r\nLocation: " + location + b"\r\n", answer)

    def test_what_cannot_be_sent_to_https(self):
        for request, status in (
            (b"GET / HTTP/1.0\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"400"),
            (b"TRACE / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", b"405"),
            (b"GET / HTTP/1.0\r\nHost: a.example\r\n\r\n", b"308"),
        ):
            answer = self.gateway.raw(request, port=self.port("redirect"))
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status + b" "), answer)

    def test_a_host_that_the_certificate_is_not_for(self):
        with self.connect("a.example") as client:
            self.assertTrue(self.answer(client, b"a.example").startswith(b"HTTP/1.1 200 "))
        for host in (b"gateway.example", b"b.wild.example", b"x.a.example"):
            with self.connect("a.example") as client:
                self.assertTrue(self.answer(client, host).startswith(b"HTTP/1.1 421 "), host)
        with self.connect("b.wild.example") as client:
            self.assertTrue(self.answer(client, b"c.wild.example:443").startswith(b"HTTP/1.1 200 "))

    def test_handshakes_have_a_deadline(self):
        for first in (b"", b"\x16\x03\x01\x02\x00\x01\x00", b"\x16"):
            took = Stopwatch()
            self.assertEqual(self.gateway.raw(first, wait=5, port=self.port()), b"<EOF>")
            self.assertTrue(took.within(1.4, 3), took)
        answer = self.gateway.raw(b"PROXY TCP4 1.2", wait=5, port=self.port("plain"))
        self.assertIn(answer, (b"<EOF>", b"<RST>"))

    def test_clear_text_on_a_tls_port(self):
        self.assertTrue(self.gateway.raw(GET % b"a", port=self.port()).endswith((b"<EOF>", b"<RST>")))

    def test_a_request_and_the_end_in_one_go(self):
        with self.connect() as client:
            client.sendall(b"GET /fixed HTTP/1.1\r\nHost: gateway.example\r\n\r\n")
            socket.socket.shutdown(client, socket.SHUT_WR)
            data = b""
            client.settimeout(8)
            while piece := client.recv(65536):
                data += piece
        self.assertTrue(data.startswith(b"HTTP/1.1 200 "), data)


class ProxyHeaders(TLSTest):
    V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
    V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 8, 192, 0, 2, 1, 1, 2, 3, 4])
    V2_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"

    def test_listed_peers_tell_the_client(self):
        for header, address in ((self.V1, b"192.0.2.7"), (self.V2, b"192.0.2.8"), (self.V2_LOCAL, b"127.0.0.1")):
            for pieces in ((header + GET % b"a",), (header, GET % b"a"), (header[:9], header[9:] + GET % b"a")):
                answer = self.gateway.raw(*pieces, port=self.port("plain"))
                self.assertIn(b"X-Forwarded-For: " + address + b"\r\n", answer)
            with self.connect(listener="proxied", first=header) as client:
                self.assertIn(b"X-Forwarded-For: " + address + b"\r\n", self.answer(client))

    def test_an_end_that_comes_with_the_first_bytes(self):
        """The client's last segment holds the rest of the header, a request, and the end of its direction."""
        with socket.create_connection(("127.0.0.1", self.port("plain")), 5) as client:
            client.sendall(self.V1[:9])
            time.sleep(0.1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            client.sendall(self.V1[9:] + b"GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            client.settimeout(8)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"hi"), answer)

    def test_listed_peers_must(self):
        for start in (b"", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY TCP9 a b c d\r\n", self.V1[:-2] + b"\n"):
            answer = self.gateway.raw(start + GET % b"a", port=self.port("plain"))
            self.assertIn(answer, (b"<EOF>", b"<RST>"), start)
        self.refused(listener="proxied")

    def test_large_headers_and_checksums(self):
        def header(*extensions):
            content = bytes([192, 0, 2, 8, 192, 0, 2, 1, 1, 2, 3, 4])
            for kind, value in extensions:
                content += bytes([kind]) + len(value).to_bytes(2, "big") + value
            return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + len(content).to_bytes(2, "big") + content

        def checked(*extensions):
            text, value = header(*extensions, (3, bytes(4))), 0xFFFFFFFF
            for byte in text:
                value ^= byte
                for _ in range(8):
                    value = value >> 1 ^ 0x82F63B78 * (value & 1)
            return text[:-4] + (value ^ 0xFFFFFFFF).to_bytes(4, "big")

        large = (0x20, b"x" * 4000)
        for first, is_taken in (
            (header(large), True),
            (checked(), True),
            (checked((2, b"a.example"), large), True),
            (header((0x20, b"x" * 4096)), False),
            (header((3, b"abcd")), False),
            (header((3, b"abc")), False),
            (checked((3, b"abcd")), False),
        ):
            answer = self.gateway.raw(first + GET % b"a", port=self.port("plain"))
            self.assertEqual(b"X-Forwarded-For: 192.0.2.8\r\n" in answer, is_taken, (first[:40], answer[:80]))

    def test_others_must_not(self):
        elsewhere = ("127.0.0.2", 0)
        with self.connect(listener="proxied", source=elsewhere) as client:
            self.assertIn(b"X-Forwarded-For: 127.0.0.2\r\n", self.answer(client))
        self.refused(listener="proxied", source=elsewhere, first=self.V1)
        with socket.create_connection(("127.0.0.1", self.port("plain")), 5, source_address=elsewhere) as client:
            client.sendall(self.V1 + GET % b"a")
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 400 "))


class BehindAUnixSocket(unittest.TestCase):
    def test_every_peer_sends_a_header(self):
        with tempfile.TemporaryDirectory() as folder:
            path, upstream = folder + "/s", Upstream()
            self.addCleanup(upstream.stop)
            gateway = Gateway(
                f"workers: 2\nlisteners: [{{name: main, address: \"unix:{path}\", proxy_protocol: {{}}}}]\n"
                'upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]\n'
                "routes: [{name: all, auth: public, forward: {upstream: a}}]\n",
                UPSTREAM=upstream.port,
            )
            self.addCleanup(gateway.stop)

            def ask(first):
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(5)
                    client.connect(path)
                    data = b""
                    try:
                        client.sendall(first + GET % b"a")
                        while piece := client.recv(65536):
                            data += piece
                    except ConnectionError:
                        pass
                    return data

            for header, address in ((ProxyHeaders.V1, b"192.0.2.7"), (ProxyHeaders.V2, b"192.0.2.8")):
                self.assertIn(b"X-Forwarded-For: " + address + b"\r\n", ask(header))
            self.assertTrue(ask(ProxyHeaders.V2_LOCAL).startswith(b"HTTP/1.1 200 "))
            self.assertEqual(ask(b""), b"")


class Limits(TLSTest):
    configuration = "workers: 1\nlimits: {handshakes_per_second: 3}\n" + ONE

    def test_handshakes_per_second(self):
        done, refused = 0, 0
        for _ in range(6):
            try:
                with self.connect() as client:
                    done += self.answer(client).startswith(b"HTTP/1.1 200 ")
            except (ssl.SSLError, ConnectionError):
                refused += 1
        self.assertGreaterEqual(done, 3)
        self.assertGreaterEqual(refused, 2)
        self.assertEqual(peers.metric(self.gateway, 'limits_hit_total{limit="handshakes"}'), refused)
        peers.eventually(self._may, "handshakes do not come back")

    def _may(self):
        try:
            return self.serial()
        except (ssl.SSLError, ConnectionError):
            return None
