"""Credentials that are revoked: by the configuration, over the ops listener, over restarts; and what they had opened."""

import base64
import json
import pathlib
import signal
import socket
import tempfile
import threading
import time
import unittest

import peers
from harness import Gateway, Keys, TestCase, Upstream
from http2 import Client, Server
from timing import steady

CONFIGURATION = Keys.ISSUERS + """
workers: 2
@EXTRA@
upstreams:
  - {name: a, servers: ["127.0.0.1:@UPSTREAM@"]}
  - {name: g, servers: ["127.0.0.1:@GRPC@"], protocol: h2c}
routes:
  - {name: grpc, match: {path: /pkg.Service}, forward: {upstream: g}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""


def answer(head, body, connection):
    if head.startswith(b"GET /events"):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                connection.sendall(b"9\r\ndata: 1\n\n\r\n")
                time.sleep(0.05)
        except OSError:
            return None
    if head.startswith(b"GET /socket"):
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
        try:
            while True:
                connection.sendall(b"\x81\x02hi")
                time.sleep(0.05)
        except OSError:
            return None
    return Upstream.echo(head, body, connection)


def call(stream):
    stream.respond(200, [("content-type", "application/grpc")], ends=False)
    try:
        while True:
            stream.send(b"\0\0\0\0\2hi")
            time.sleep(0.05)
    except Exception:
        pass


class Base(unittest.TestCase):
    keys = TestCase.keys

    @classmethod
    def setUpClass(cls):
        cls.upstream, cls.grpc = Upstream(answer), Server(call, at_head=True)

    @classmethod
    def tearDownClass(cls):
        cls.upstream.stop()
        cls.grpc.stop()

    def gateway(self, extra="", text=CONFIGURATION):
        gateway = Gateway(text, self.keys.files(), UPSTREAM=self.upstream.port, GRPC=self.grpc.port, EXTRA=extra)
        self.addCleanup(gateway.stop)
        return gateway

    def send(self, gateway, content, method="POST", fields=(("Content-Type", "application/json"),)):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return gateway.get("/revocations", method=method, body=body, fields=fields, port=gateway.ops_port)

    def revoke(self, gateway, **content):
        answer = self.send(gateway, content)
        self.assertEqual(answer.status, 200, answer.body)
        return json.loads(answer.body)

    def list(self, gateway):
        answer = gateway.get("/revocations", port=gateway.ops_port)
        self.assertEqual((answer.status, answer.field("Content-Type")), (200, "application/json"))
        return json.loads(answer.body)

    def statuses(self, gateway, token, count=24):
        """What new connections, which spread over the workers, are answered."""
        return {gateway.get("/", token).status for _ in range(count)}

    def metric(self, gateway, name):
        text = gateway.get("/metrics", port=gateway.ops_port).body
        return sum(float(line.split(" ")[1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == "portcullis_" + name)


class Revocation(Base):
    def test_a_cached_token_is_refused_at_once_on_all_workers(self):
        gateway = self.gateway()
        lost, kept, other = (self.keys.token(jti=name) for name in ("lost", "kept", "other"))
        for token in (lost, kept, other):
            self.assertEqual(self.statuses(gateway, token), {200})
        told = self.revoke(gateway, issuer="main", token="lost")
        self.assertEqual(told, {"count": 1, "saved": False})
        self.assertEqual(self.statuses(gateway, lost), {401})
        answer = gateway.get("/", lost)
        self.assertEqual(json.loads(answer.body)["code"], "credential_revoked")
        self.assertIn('error="invalid_token", error_description="The credential has been revoked."', answer.field("WWW-Authenticate"))
        self.assertEqual(self.statuses(gateway, kept), {200})
        # By subject, and only what was issued until then.
        self.revoke(gateway, issuer="https://issuer.example", subject="ada", before=int(time.time()))
        self.assertEqual(self.statuses(gateway, kept), {401})
        self.assertEqual(self.statuses(gateway, self.keys.token("HS256")), {200})
        self.assertEqual(self.statuses(gateway, self.keys.token(iat=int(time.time()) + 30)), {200})
        self.assertEqual(self.metric(gateway, "revocations"), 2)

    def test_without_a_cache(self):
        gateway = self.gateway("token_cache: off")
        token = self.keys.token(jti="t")
        self.assertEqual(self.statuses(gateway, token, 4), {200})
        self.revoke(gateway, token="t")
        self.assertEqual(self.statuses(gateway, token, 4), {401})

    def test_listing_and_taking_back(self):
        gateway = self.gateway('revocations: [{subject: "4711"}, {issuer: main, token: "c", until: 2000000000}]')
        self.assertEqual(self.statuses(gateway, self.keys.token(sub="4711"), 4), {401})
        self.assertEqual(self.statuses(gateway, self.keys.token(jti="c"), 4), {401})
        self.revoke(gateway, issuer="main", token="o")
        entries = {(entry.get("issuer"), entry.get("token"), entry.get("subject"), entry["source"]) for entry in self.list(gateway)}
        main = "https://issuer.example"
        self.assertEqual(entries, {(None, None, "4711", "configuration"), (main, "c", None, "configuration"), (main, "o", None, "operator")})
        until = next(entry["until"] for entry in self.list(gateway) if entry.get("token") == "o")
        # The longest life of a token of this issuer, and its leeway twice.
        self.assertAlmostEqual(until, time.time() + 86400 + 120, delta=5)
        self.assertEqual(self.send(gateway, {"issuer": "main", "token": "o"}, "DELETE").status, 200)
        self.assertEqual(self.statuses(gateway, self.keys.token(jti="o"), 4), {200})
        self.assertEqual(self.send(gateway, {"issuer": "main", "token": "o"}, "DELETE").status, 404)
        self.assertEqual(self.send(gateway, {"subject": "4711"}, "DELETE").status, 409)

    def test_what_is_refused(self):
        gateway = self.gateway("limits: {revocations: 3}")
        for content, status in (
            (b"", 415), (b"{", 400), ({"token": ""}, 400), ({"issuer": "nobody", "token": "a"}, 400), ([], 400),
            ({"token": "a", "subject": "b"}, 400), ({"token": "a", "expires": 1}, 400), (b"x" * 2000, 400),
        ):
            fields = [("Content-Type", "application/json")] if status != 415 else []
            self.assertEqual(self.send(gateway, content, fields=fields).status, status, content)
        for fields, status in (
            ([("Content-Type", "text/plain")], 415), ([("Content-Type", "application/x-www-form-urlencoded")], 415),
            ([("Content-Type", "application/json"), ("Origin", "http://127.0.0.1:9901")], 403),
            ([("Content-Type", "application/json"), ("Origin", "null")], 403),
        ):
            self.assertEqual(self.send(gateway, {"token": "a"}, fields=fields).status, status, fields)
        self.assertEqual(self.send(gateway, {"token": "a"}, "PUT").status, 405)
        self.assertEqual(self.send(gateway, [{"token": str(number)} for number in range(4)]).status, 507)
        self.assertEqual(self.list(gateway), [])
        self.assertEqual(self.send(gateway, [{"token": str(number)} for number in range(3)]).status, 200)
        self.assertEqual(self.send(gateway, {"token": "2"}).status, 200)
        self.assertEqual(self.send(gateway, {"token": "3"}).status, 507)
        self.assertEqual(self.metric(gateway, "revocations_refused_total"), 5)
        # The data port knows nothing of it.
        self.assertEqual(gateway.get("/revocations", self.keys.token(), method="POST", body=b"{}").status, 200)
        self.assertEqual(len(self.list(gateway)), 3)

    def test_requests_one_after_the_other(self):
        gateway = self.gateway()
        one = b'POST /revocations HTTP/1.1\r\nHost: [::1]:9901\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"token":"a"}'
        get = b"GET /revocations HTTP/1.1\r\nHost: [::1]:9901\r\n\r\n"
        raw = gateway.raw((one + get) * 50, wait=1, port=gateway.ops_port)
        self.assertEqual(raw.count(b"HTTP/1.1 200 OK"), 100)
        slow = gateway.raw(one[:60], one[60:110], one[110:], wait=1, port=gateway.ops_port)
        self.assertTrue(slow.startswith(b"HTTP/1.1 200 OK"), slow)

    def test_entries_expire(self):
        gateway = self.gateway()
        token = self.keys.token(jti="t")
        until = int(time.time()) + 3
        self.revoke(gateway, token="t", until=until)
        self.assertEqual(self.statuses(gateway, token, 4), {401})
        time.sleep(max(0, until + 0.1 - time.time()))
        self.assertEqual(self.statuses(gateway, token, 4), {200})
        self.assertEqual(self.list(gateway), [])

    def test_the_configuration_s_take_effect_on_reload(self):
        gateway = self.gateway()
        token = self.keys.token(sub="x")
        self.assertEqual(self.statuses(gateway, token), {200})
        stream = Live(gateway, "/events", token)
        gateway.write(CONFIGURATION.replace("@EXTRA@", "revocations: [{subject: x}]"))
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied"))
        self.assertEqual(self.statuses(gateway, token), {401})
        self.assertLess(stream.seconds_to_end(), 1)
        gateway.write(CONFIGURATION.replace("@EXTRA@", ""))
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied", 2))
        self.assertEqual(self.statuses(gateway, token), {200})


class Live:
    """An answer that goes on for ever, being read."""

    def __init__(self, gateway, path, token, fields=()):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port))
        lines = [f"GET {path} HTTP/1.1", "Host: gateway.example", "Authorization: Bearer " + token, *fields]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.bytes, self.ended = b"", threading.Event()
        self.socket.settimeout(10)
        while b"\r\n\r\n" not in self.bytes:
            self.bytes += self.socket.recv(4096)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            while data := self.socket.recv(65536):
                self.bytes += data
        except OSError:
            self.bytes += b"<RST>"
        self.ended.set()

    def seconds_to_end(self):
        begin = steady()
        self.ended.wait(10)
        return steady() - begin


class Streams(Base):
    def test_what_was_opened_ends_within_a_second_and_the_rest_goes_on(self):
        gateway = self.gateway()
        lost, kept = self.keys.token(jti="lost", sub="eve"), self.keys.token(jti="kept")
        upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode())
        # Several of each, so that all workers have some.
        sockets = [[Live(gateway, "/socket", token, upgrade) for _ in range(6)] for token in (lost, kept)]
        events = [[Live(gateway, "/events", token) for _ in range(6)] for token in (lost, kept)]
        calls = []
        for token in (lost, kept):
            client = Client(gateway.port)
            self.addCleanup(client.socket.close)
            fields = [("content-type", "application/grpc"), ("te", "trailers")]
            calls.append((client, client.request("/pkg.Service/Watch", "POST", fields, body=b"\0\0\0\0\0", token=token)))
            self.assertTrue(client.until(lambda: client.replies[calls[-1][1]].body))
        begin = steady()
        self.revoke(gateway, issuer="main", token="lost")
        for stream in sockets[0] + events[0]:
            stream.seconds_to_end()
        client, number = calls[0]
        reply = client.reply(number)
        self.assertLess(steady() - begin, 1)
        for stream in sockets[0]:
            # Whole frames, and then a close with 1008 and why.
            frames = stream.bytes.partition(b"\r\n\r\n")[2]
            text = b"The credential has been revoked."
            close = b"\x88" + bytes([2 + len(text)]) + (1008).to_bytes(2, "big") + text
            self.assertTrue(frames.endswith(close), frames[-60:])
            self.assertEqual(frames[: -len(close)].replace(b"\x81\x02hi", b""), b"")
        for stream in events[0]:
            self.assertTrue(stream.bytes.endswith(b"data: 1\n\n\r\n0\r\n\r\n"), stream.bytes[-40:])
        self.assertEqual((reply.trailer("grpc-status"), reply.ended), ("16", True))
        counts = [len(stream.bytes) for stream in sockets[1] + events[1]]
        for stream, count in zip(sockets[1] + events[1], counts):
            peers.eventually(lambda: len(stream.bytes) > count, "a stream stands still")  # noqa: B023
            self.assertFalse(stream.ended.is_set())
        client, number = calls[1]
        count = len(client.replies[number].body)
        self.assertTrue(client.until(lambda: len(client.replies[number].body) > count))
        self.assertEqual(self.metric(gateway, "streams_ended_with_credential_total"), 13)

    def test_by_subject_and_time(self):
        gateway = self.gateway()
        now = int(time.time())
        old, new = self.keys.token(iat=now - 100), self.keys.token(iat=now + 20)
        first, second = Live(gateway, "/events", old), Live(gateway, "/events", new)
        self.revoke(gateway, subject="ada", before=now)
        self.assertLess(first.seconds_to_end(), 1)
        self.assertFalse(second.ended.is_set())


class Kept(Base):
    def test_a_restart_forgets_nothing_that_was_acknowledged(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        file = pathlib.Path(folder.name, "revocations.jsonl")
        gateway = self.gateway(f"revocation_file: {file}")
        threads, acknowledged = [], []

        def revoke(name):
            if json.loads(self.send(gateway, {"issuer": "main", "token": name}).body)["saved"]:
                acknowledged.append(name)

        for number in range(100):
            threads.append(threading.Thread(target=revoke, args=(f"t{number}",)))
            threads[-1].start()
        time.sleep(0.05)
        for thread in threads[:50]:
            thread.join()
        for thread in threads:
            thread.join()
        gateway.process.kill()
        gateway.process.wait()
        self.assertEqual(len(acknowledged), 100)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        self.assertEqual({line["token"] for line in lines}, set(acknowledged))
        gateway = self.gateway(f"revocation_file: {file}")
        self.assertEqual(len(self.list(gateway)), 100)
        for name in acknowledged[:10]:
            self.assertEqual(gateway.get("/", self.keys.token(jti=name)).status, 401)
        self.assertEqual(gateway.get("/", self.keys.token(jti="t100")).status, 200)
        self.assertEqual(self.send(gateway, {"issuer": "main", "token": "t1"}, "DELETE").status, 200)
        self.assertEqual(len(file.read_text().splitlines()), 99)

    def test_a_file_that_cannot_be_written_is_said(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        place = pathlib.Path(folder.name, "in")
        place.mkdir()
        gateway = self.gateway(f"revocation_file: {place}/revocations.jsonl")
        place.rmdir()
        token = self.keys.token(jti="t")
        self.assertEqual(gateway.get("/", token).status, 200)
        answer = self.send(gateway, {"token": "t"})
        self.assertEqual(answer.status, 500)
        self.assertIn("in force", answer.body)
        self.assertEqual(gateway.get("/", token).status, 401)
        self.assertEqual(self.metric(gateway, "revocation_file_failures_total"), 1)

    def test_a_file_that_cannot_be_read_keeps_it_from_starting(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        file = pathlib.Path(folder.name, "revocations.jsonl")
        file.write_text('{"token":"a"}\n{"token":\n')
        with self.assertRaisesRegex(AssertionError, "revocations.jsonl:2"):
            self.gateway(f"revocation_file: {file}")
