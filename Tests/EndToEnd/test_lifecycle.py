"""Reload, drain, restarts of backends, limits and deadlines, and what operators see."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from harness import Gateway, Keys, TestCase, Upstream, binary
from timing import steady

CONFIGURATION = Keys.ISSUERS + """
drain: 10s
timeouts: {headers: 1s, body_progress: 1s}
limits: {body: 64KiB}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"], first_byte_timeout: 5s}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""


class Load:
    """Clients on kept connections, until they are stopped; every answer's status is counted."""

    def __init__(self, port, path="/open", clients=8, token=None):
        self.port, self.path, self.token = port, path, token
        self.stopping, self.lock = threading.Event(), threading.Lock()
        self.statuses, self.failures, self.slowest = {}, [], 0.0
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        client = None
        while not self.stopping.is_set():
            try:
                if client is None:
                    client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                    client.connect()
            except OSError as error:
                with self.lock:
                    self.statuses["connect"] = self.statuses.get("connect", 0) + 1
                client = None
                time.sleep(0.005)
                continue
            begin = steady()
            try:
                client.request("GET", self.path, headers={"Authorization": "Bearer " + self.token} if self.token else {})
                answer = client.getresponse()
                answer.read()
                with self.lock:
                    self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                    self.slowest = max(self.slowest, steady() - begin)
                if answer.will_close:
                    client.close()
                    client = None
            except (OSError, http.client.HTTPException) as error:
                with self.lock:
                    self.failures.append(repr(error))
                client = None

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(10)


class Lifecycle(unittest.TestCase):
    def setUp(self):
        self.keys = Keys.__new__(Keys)
        self.keys.__dict__.update(TestCase.keys.__dict__)
        self.upstream = Upstream()
        self.gateway = Gateway(CONFIGURATION, self.keys.files(), UPSTREAM=self.upstream.port)

    def tearDown(self):
        self.gateway.stop()

    def test_reloads_under_load_lose_nothing(self):
        load = Load(self.gateway.port, "/x", token=self.keys.token())
        for count in range(1, 31):
            self.gateway.signal(signal.SIGHUP)
            self.assertTrue(self.gateway.wait_for("configuration applied", count))
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(list(load.statuses), [200])

    def test_a_bad_file_changes_nothing_and_says_so(self):
        self.gateway.write(CONFIGURATION.replace("upstreams:", "upstream:"))
        self.gateway.signal(signal.SIGHUP)
        self.assertTrue(self.gateway.wait_for("reload refused: the running configuration stays"))
        self.assertTrue(self.gateway.said("did you mean", "upstreams"))
        self.assertEqual(self.gateway.get("/x", self.keys.token()).status, 200)

    def test_a_reload_applies_the_new_routes(self):
        self.gateway.write(CONFIGURATION.replace("/open", "/elsewhere"))
        self.gateway.signal(signal.SIGHUP)
        self.assertTrue(self.gateway.wait_for("configuration applied"))
        self.assertEqual(self.gateway.get("/elsewhere").status, 200)
        self.assertEqual(self.gateway.get("/open").status, 401)

    def test_sigterm_answers_what_has_begun(self):
        release = threading.Event()
        self.upstream.answer = lambda head, body, connection: (release.wait(5), Upstream.echo(head, body, connection))[1]
        answers = []
        begun = [threading.Thread(target=lambda: answers.append(self.gateway.get("/open"))) for _ in range(8)]
        for thread in begun:
            thread.start()
        while len(self.upstream.heads) < 8:
            time.sleep(0.01)
        self.gateway.signal(signal.SIGTERM)
        self.assertTrue(self.gateway.wait_for("draining"))
        release.set()
        for thread in begun:
            thread.join()
        self.assertEqual([answer.status for answer in answers], [200] * 8)
        self.assertEqual(self.gateway.process.wait(5), 0)

    def test_connections_on_which_an_answer_ends_do_not_hold_the_end_up(self):
        """Their clients were told to keep them when the answer began, and say nothing more."""
        go = threading.Event()

        def answer(head, body, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegin")
            go.wait(10)
            return b"ended"

        self.upstream.answer = answer
        with socket.create_connection(("127.0.0.1", self.gateway.port)) as client:
            client.settimeout(15)
            client.sendall(b"GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
            data = b""
            while not data.endswith(b"begin"):
                data += client.recv(65536)
            self.assertNotIn(b"connection: close", data.lower())
            self.gateway.signal(signal.SIGTERM)
            self.assertTrue(self.gateway.wait_for("draining"))
            go.set()
            begin = time.monotonic()
            while piece := client.recv(65536):
                data += piece
        self.assertTrue(data.endswith(b"beginended"))
        self.assertEqual(self.gateway.process.wait(5), 0)
        self.assertLess(time.monotonic() - begin, 6)

    def test_sigterm_under_load_loses_no_request(self):
        load = Load(self.gateway.port)
        time.sleep(0.5)
        self.gateway.signal(signal.SIGTERM)
        self.assertEqual(self.gateway.process.wait(10), 0)
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertLessEqual(set(load.statuses), {200, "connect"})

    def test_a_backend_that_dies_and_returns(self):
        load = Load(self.gateway.port)
        time.sleep(0.3)
        port = self.upstream.port
        self.upstream.stop()
        time.sleep(0.5)
        self.upstream = Upstream(port=port)
        back = steady()
        while self.gateway.get("/open").status != 200:
            self.assertLess(steady() - back, 2)
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertLessEqual(set(load.statuses), {200, 502, 503, 504})
        self.assertLess(load.slowest, 2)

    def test_no_backend_is_told_with_retry_after(self):
        self.upstream.stop()
        statuses = [self.gateway.get("/open") for _ in range(4)]
        self.assertLessEqual({answer.status for answer in statuses}, {502, 503})
        self.assertTrue(all(answer.field("Retry-After") for answer in statuses if answer.status == 503))

    def test_deadlines_and_limits(self):
        self.assertTrue(self.gateway.raw(b"GET /open HTTP/1.1\r\nHo", wait=3).startswith(b"HTTP/1.1 408 "))
        slow = self.gateway.raw(b"POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\nx", wait=4)
        self.assertTrue(slow.startswith(b"HTTP/1.1 408 "), slow[:60])
        large = b"POST /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        answer = self.gateway.raw(large, *[b"4000\r\n" + b"x" * 0x4000 + b"\r\n"] * 6, wait=3, pause=0.02)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 ") or answer == b"<RST>", answer[:60])

    def test_operators_see_it(self):
        self.assertEqual(self.gateway.get("/livez", port=self.gateway.ops_port).status, 200)
        ready = self.gateway.get("/readyz?verbose", port=self.gateway.ops_port)
        self.assertEqual(ready.status, 200, ready.body)
        self.assertIn("issuer main", ready.body)
        self.assertEqual(self.gateway.get("/startupz", port=self.gateway.ops_port).status, 200)
        self.gateway.get("/x")
        metrics = self.gateway.get("/metrics", port=self.gateway.ops_port).body
        self.assertIn('portcullis_auth_total{outcome="rejected",reason="no_credential"} 1', metrics)
        self.assertEqual(self.gateway.get("/metrics").status, 401)


class DeafNameService(unittest.TestCase):
    """The name service takes questions and never answers."""

    UPSTREAMS = "".join(f'  - {{name: u{i}, resolve_ttl: 1s, servers: ["s{i}.corp.example:80"]}}\n' for i in range(9))
    TEXT = (
        Keys.ISSUERS
        + f"revocation_file: revoked.json\nupstreams:\n{UPSTREAMS}routes:\n"
        + "  - {name: own, match: {path: /x}, auth: public, respond: {status: @STATUS@}}\n"
        + "".join(f"  - {{name: r{i}, match: {{path: /p{i}}}, auth: public, forward: {{upstream: u{i}}}}}\n" for i in range(9))
    )

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="portcullis-test-")
        self.addCleanup(folder.cleanup)
        deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(deaf.close)
        try:
            deaf.bind(("127.53.53.53", 53))
            subprocess.run(["unshare", "-rm", "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("needs port 53 and a mount namespace")
        pathlib.Path(folder.name, "resolv.conf").write_text("nameserver 127.53.53.53\noptions timeout:10 attempts:2\n")
        inner = f'mount --bind {folder.name}/resolv.conf /etc/resolv.conf && exec {binary()} "$@"'
        program = pathlib.Path(folder.name, "portcullis")
        program.write_text(f"#!/bin/sh\nexec unshare -rm sh -c '{inner}' sh \"$@\"\n")
        program.chmod(0o755)
        former = os.environ.get("PORTCULLIS_BIN")
        os.environ["PORTCULLIS_BIN"] = str(program)
        self.addCleanup(lambda: os.environ.pop("PORTCULLIS_BIN") if former is None else os.environ.update(PORTCULLIS_BIN=former))

    def test_start_reload_revocation_and_end_do_not_wait_for_it(self):
        keys = Keys.__new__(Keys)
        keys.__dict__.update(TestCase.keys.__dict__)
        begun = steady()
        gateway = Gateway(self.TEXT, keys.files(), STATUS=200)
        self.addCleanup(gateway.stop)
        self.assertLess(steady() - begun, 6)
        time.sleep(2.5)
        gateway.replacements["STATUS"] = 204
        gateway.write(self.TEXT)
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied", seconds=10))
        self.assertEqual(gateway.get("/x").status, 204)
        begun = steady()
        connection = http.client.HTTPConnection("127.0.0.1", gateway.ops_port, timeout=20)
        connection.request("POST", "/revocations", json.dumps({"token": "a", "issuer": "main"}), {"Content-Type": "application/json"})
        self.assertLess(connection.getresponse().status, 300)
        gateway.signal(signal.SIGTERM)
        gateway.process.wait(20)
        self.assertLess(steady() - begun, 6)


class AccessLog(unittest.TestCase):
    def test_lines_tell_what_happened_without_secrets_and_survive_rotation(self):
        keys, upstream = TestCase.keys, Upstream()
        gateway = Gateway(CONFIGURATION + "access_log: {path: access.log}\n", keys.files(), UPSTREAM=upstream.port)
        try:
            path, token = pathlib.Path(gateway.folder, "access.log"), keys.token()
            gateway.get("/x?secret=1", token)
            gateway.get("/y", "not.a.token")
            gateway.raw(b"GET /bad\x01 HTTP/1.1\r\n\r\n")
            lines = self.lines(path, 3)
            self.assertNotIn(token[:20], path.read_text())
            self.assertNotIn("secret", path.read_text())
            first = next(line for line in lines if line.get("path") == "/x")
            self.assertEqual((first["status"], first["principal"], first["issuer"], first["route"]), (200, "ada", "main", "rest"))
            self.assertEqual(next(line for line in lines if line.get("path") == "/y")["status"], 401)
            os.rename(path, str(path) + ".1")
            gateway.signal(signal.SIGUSR1)
            until = steady() + 5
            while not path.exists() and steady() < until:
                time.sleep(0.01)
            gateway.get("/after", token)
            self.assertEqual(self.lines(path, 1)[0]["path"], "/after")
        finally:
            gateway.stop()
            upstream.stop()

    def lines(self, path, count):
        until = steady() + 5
        while steady() < until:
            lines = path.read_text().splitlines() if path.exists() else []
            if len(lines) >= count:
                return [json.loads(line) for line in lines]
            time.sleep(0.02)
        self.fail(f"no {count} lines in the access log")
