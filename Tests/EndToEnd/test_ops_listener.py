"""The ops listener as a server of HTTP: half-closed and pipelining clients, refusals that arrive, and who gets no data."""

import pathlib
import socket
import tempfile
import time
import unittest

from harness import Gateway, TestCase

CONFIGURATION = """
issuers:
  - {name: main, issuer: "https://issuer.example", audiences: [api], keys: [{secret: "0123456789012345678901234567890123456789", algorithm: HS256}]}
routes: [{name: a, match: {path: /}, auth: public, respond: {status: 204}}]
revocation_file: @FILE@
"""


def post(body=b'{"token":"a"}', fields=b""):
    head = b"POST /revocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
    return head % (fields, len(body)) + body


class OpsListener(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.gateway = Gateway(CONFIGURATION, TestCase.keys.files(), FILE=pathlib.Path(cls.folder.name, "revocations.jsonl"))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.folder.cleanup()

    def raw(self, *pieces, **options):
        return self.gateway.raw(*pieces, port=self.gateway.ops_port, **options)

    def test_a_client_that_ends_its_side_is_answered(self):
        for _ in range(10):
            answer = self.raw(post(), half=True, wait=5)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
            self.assertTrue(answer.endswith(b"<EOF>"), answer)
        answer = self.raw(post() * 3, half=True, wait=5)
        self.assertEqual((answer.count(b"HTTP/1.1 200 OK"), answer[-5:]), (3, b"<EOF>"), answer)
        # What is cut off in the middle has no answer.
        self.assertEqual(self.raw(post()[:-3], half=True, wait=5), b"<EOF>")

    def test_requests_wait_in_the_socket_for_an_answer_that_comes_later(self):
        one = post()
        answer = self.raw(one * 100 + b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", wait=5)
        self.assertEqual((answer.count(b"HTTP/1.1 200 OK"), answer[-5:]), (101, b"<EOF>"), answer[-200:])

    def test_a_refused_method_hears_of_the_others(self):
        for path, allow in (("/livez", "GET, HEAD"), ("/metrics", "GET, HEAD"), ("/revocations", "GET, HEAD, POST, DELETE")):
            answer = self.gateway.get(path, method="PUT", port=self.gateway.ops_port)
            self.assertEqual((answer.status, answer.field("Allow")), (405, allow), path)
        self.assertIsNone(self.gateway.get("/livez", port=self.gateway.ops_port).field("Allow"))

    def test_content_is_asked_for(self):
        request = post(fields=b"Expect: 100-continue\r\nConnection: close\r\n")
        with socket.create_connection(("127.0.0.1", self.gateway.ops_port)) as client:
            client.settimeout(5)
            client.sendall(request[:-13])
            self.assertEqual(client.recv(4096), b"HTTP/1.1 100 Continue\r\n\r\n")
            for byte in request[-13:]:
                client.sendall(bytes([byte]))
                time.sleep(0.005)
            answer = b""
            while data := client.recv(4096):
                answer += data
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
            self.assertEqual(answer.count(b"HTTP/1.1"), 1, answer)
        # Not when it is there already, nor when it is not wanted.
        self.assertTrue(self.raw(request, wait=5).startswith(b"HTTP/1.1 200 OK"))
        refused = self.raw(b"POST /revocations HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n", half=True, wait=5)
        self.assertTrue(refused.startswith(b"HTTP/1.1 413 "), refused)

    def test_a_refusal_arrives_before_the_end(self):
        for _ in range(5):
            answer = self.raw(post(b"x" * (4 << 20)), half=True, wait=5)
            self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
            self.assertTrue(answer.endswith(b"\n<EOF>"), answer)

    def test_web_pages_get_no_data(self):
        port = self.gateway.ops_port

        def status(path, host, *fields):
            lines = [b"GET %s HTTP/1.1" % path, b"Host: " + host, b"Connection: close", *fields]
            return int(self.raw(b"\r\n".join(lines) + b"\r\n\r\n", wait=5).split(b" ", 2)[1])

        for host in (b"127.0.0.1:%d" % port, b"127.0.0.1", b"localhost", b"LocalHost:%d" % port, b"[::1]:%d" % port, b"[::1]", b"192.0.2.1"):
            self.assertEqual(status(b"/revocations", host), 200, host)
        for host in (b"evil.example", b"evil.example:%d" % port, b"localhost.evil.example", b"127.0.0.1.evil.example", b"127.1.evil"):
            for path in (b"/revocations", b"/sessions", b"/sessions/x", b"/throttle"):
                self.assertEqual(status(path, host), 403, (path, host))
            for path in (b"/livez", b"/readyz", b"/startupz", b"/metrics"):
                self.assertEqual(status(path, host), 200, (path, host))
        for field in (b"Origin: null", b"Origin: http://127.0.0.1", b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Site: same-site", b"Sec-Fetch-Site: "):
            self.assertEqual(status(b"/revocations", b"127.0.0.1", field), 403, field)
            self.assertEqual(status(b"/livez", b"127.0.0.1", field), 200, field)
        for field in (b"Sec-Fetch-Site: none", b"Sec-Fetch-Site: same-origin"):
            self.assertEqual(status(b"/revocations", b"127.0.0.1", field), 200, field)
        # Without a name there is none that was made to lead here.
        self.assertIn(b" 200 OK", self.raw(b"GET /revocations HTTP/1.0\r\n\r\n", wait=5))

    def test_elsewhere_operators_have_names(self):
        with tempfile.TemporaryDirectory() as folder:
            for address in ("0.0.0.0:0", f"unix:{folder}/ops"):
                gateway = Elsewhere(CONFIGURATION, TestCase.keys.files(), FILE=pathlib.Path(folder, "revocations.jsonl"), OPS=address)
                try:
                    for field, status in (("", 200), ("Origin: https://ops.example\r\n", 403)):
                        answer = gateway.ask(f"GET /revocations HTTP/1.1\r\nHost: ops.example\r\nConnection: close\r\n{field}\r\n".encode())
                        self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), (address, answer))
                finally:
                    gateway.stop()


class Elsewhere(Gateway):
    """A gateway whose ops listener is not on a loopback address."""

    def write(self, text):
        super().write(text)
        path = pathlib.Path(self.path)
        path.write_text(path.read_text().replace('ops: {address: "127.0.0.1:0"}', f'ops: {{address: "{self.replacements["OPS"]}"}}'))

    def get(self, path="/", **options):
        if not self.addresses["ops"].startswith("unix:"):
            return super().get(path, **options)
        answer = self.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return type("Answer", (), {"status": int(answer.split(b" ", 2)[1]), "body": answer.decode()})

    @property
    def ops_port(self):
        return 0 if self.addresses["ops"].startswith("unix:") else super().ops_port

    def ask(self, data):
        place = self.addresses["ops"]
        if place.startswith("unix:"):
            client = socket.socket(socket.AF_UNIX)
            client.connect(place[5:])
        else:
            client = socket.create_connection(("127.0.0.1", self.ops_port))
        with client:
            client.settimeout(5)
            client.sendall(data)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer
