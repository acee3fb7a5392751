"""What operators see and set: probes, metrics, logs, and keys of the configuration that only show from outside."""

import json
import math
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest

from harness import Gateway, Keys, TestCase, Upstream, binary
from timing import steady

CONFIGURATION = Keys.ISSUERS + """
access_log: {path: access.log, queue: 64KiB}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"], health: {path: /healthz, interval: 200ms}}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: fixed, match: {path: /fixed}, auth: public, respond: {status: 204}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""
LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')


def parse(text):
    """Prometheus text, strictly: samples of a family stand together behind its HELP and TYPE, no sample is there twice."""
    kinds, samples, current = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in kinds and len(line.split(" ", 3)[3]) > 5, line
            current = name
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and kind in ("counter", "gauge", "histogram", "summary"), line
            kinds[name] = kind
            continue
        match = LINE.match(line)
        assert match, line
        name, labels, value = match[1], match[2] or "", float(match[3])
        family = name if name == current else re.sub("_(bucket|sum|count)$", "", name)
        assert family == current and kinds[family], line
        assert name.startswith("portcullis_") and not name.startswith("portcullis_portcullis"), line
        if kinds[family] == "counter":
            assert name.endswith("_total"), line
        assert (name, labels) not in samples and not math.isnan(value), line
        samples[name, labels] = value
    return kinds, samples


class Operations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys, cls.upstream = TestCase.keys, Upstream()
        cls.gateway = Gateway(CONFIGURATION, cls.keys.files(), UPSTREAM=cls.upstream.port)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()

    def ops(self, path, method="GET"):
        return self.gateway.get(path, method=method, port=self.gateway.ops_port)

    def test_probes(self):
        for path in ("/livez", "/readyz", "/startupz"):
            self.assertEqual((self.ops(path).status, self.ops(path).body), (200, "ok\n"))
            self.assertEqual((self.ops(path, "HEAD").status, self.ops(path, "HEAD").body), (200, ""))
            self.assertEqual(self.ops(path, "POST").status, 405)
            self.assertIn(self.gateway.get(path).status, (401, 404))
        for query in ("?verbose", "?verbose=1", "?x&verbose"):
            text = self.ops("/readyz" + query).body
            for line in ("[+] configuration: generation 1", "[+] workers:", "[+] draining: no", "[+] issuer main: 3 keys", "[+] backend a 127.0.0.1", "ready\n"):
                self.assertIn(line, text)
        self.assertEqual(self.ops("/readyzz").status, 404)
        self.assertEqual(self.ops("/../metrics").status, 404)

    def test_metrics_are_prometheus_text(self):
        token = self.keys.token()
        before = parse(self.ops("/metrics").body)[1]
        for path, credential in (("/open", None), ("/fixed", None), ("/x", token), ("/x", token), ("/x", None), ("/x", "bad"), ("/open/..;", None)):
            self.gateway.get(path, credential, [("X_Odd", "1"), ("X-User-Id", "1")])
        answer = self.ops("/metrics")
        self.assertEqual(answer.field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")
        kinds, after = parse(answer.body)
        for name, labels, more in (
            ("requests_total", 'route="open",code="200"', 1), ("requests_total", 'route="fixed",code="204"', 1), ("requests_total", 'route="rest",code="200"', 2),
            ("requests_total", 'route="rest",code="401"', 2), ("requests_total", 'route="(none)",code="400"', 1), ("auth_total", 'outcome="accepted",reason="none"', 2),
            ("auth_total", 'outcome="anonymous",reason="none"', 2), ("auth_total", 'outcome="rejected",reason="no_credential"', 1), ("connections_accepted_total", "", 7),
            ("request_duration_seconds_count", "", 7), ("upstream_duration_seconds_count", "", 3), ("identity_fields_stripped_total", "", 6), ("fields_dropped_total", "", 3),
        ):
            self.assertEqual(after["portcullis_" + name, labels] - before.get(("portcullis_" + name, labels), 0), more, (name, labels))
        self.assertGreaterEqual(after["portcullis_token_cache_hits_total", ""] + after["portcullis_token_cache_misses_total", ""], 2)
        for name in ("requests_active", "connections_open", "upstream_connections_open", "backend_up", "build_info", "configuration_generation"):
            self.assertEqual(kinds["portcullis_" + name], "gauge")
        self.assertEqual(after["portcullis_requests_active", ""], 0)
        for name in ("request_duration_seconds", "upstream_duration_seconds"):
            buckets = [value for (family, labels), value in after.items() if family == f"portcullis_{name}_bucket"]
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual(after[f"portcullis_{name}_bucket", 'le="+Inf"'], after[f"portcullis_{name}_count", ""])

    def test_every_limit_has_its_answer_and_its_metric(self):
        upstream = Upstream()
        limits = "request_line: 1KiB, headers: 4KiB, header: 1KiB, fields: 10, token: 512B, body: 1KiB, chunk_extension: 8B, trailers: 64B, requests_per_connection: 3"
        gateway = Gateway(f"limits: {{{limits}}}\n" + CONFIGURATION.replace("path: access.log", "path: off").replace(", queue: 64KiB", ""), self.keys.files(), UPSTREAM=upstream.port)
        chunked = b"POST /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        get = b"GET /fixed HTTP/1.1\r\nHost: a\r\n"
        try:
            for name, data, status in (
                ("request_line", b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414), ("header", get + b"X: " + b"a" * 2000 + b"\r\n\r\n", 431),
                ("headers", get + b"".join(b"X: %s\r\n" % (b"a" * 900) for _ in range(6)) + b"\r\n", 431), ("fields", get + b"X: a\r\n" * 12 + b"\r\n", 431),
                ("token", b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer " + b"a" * 600 + b"\r\n\r\n", 401),
                ("body", b"POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, 413), ("body", chunked + b"800\r\n" + b"x" * 2048 + b"\r\n0\r\n\r\n", 413),
                ("chunk_extension", chunked + b"1;" + b"e" * 50 + b"\r\nx\r\n0\r\n\r\n", 400), ("trailers", chunked + b"1\r\nx\r\n0\r\nX: " + b"t" * 100 + b"\r\n\r\n", 431),
                ("requests_per_connection", (get + b"\r\n") * 5, 204),
            ):
                with self.subTest(name):
                    hits = lambda: parse(gateway.get("/metrics", port=gateway.ops_port).body)[1]["portcullis_limits_hit_total", f'limit="{name}"']
                    before, answer = hits(), gateway.raw(data, wait=3)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer[:60])
                    self.assertEqual(answer.count(b"HTTP/1.1 "), 3 if name == "requests_per_connection" else 1)
                    self.assertEqual(hits(), before + 1)
        finally:
            gateway.stop()
            upstream.stop()

    FIELDS = {"time", "id", "client", "method", "host", "path", "protocol", "status", "bytes_in", "bytes_out", "duration_ms"}

    def lines(self, *paths):
        path, until, lines = pathlib.Path(self.gateway.folder, "access.log"), steady() + 5, []
        while steady() < until:
            lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
            found = [next((line for line in lines if line.get("path") == wanted), None) for wanted in paths]
            if all(found):
                return found
            time.sleep(0.05)
        self.fail(f"{paths} not in {lines}")

    def test_access_log(self):
        token = self.keys.token(sub='a"b\\c\n\u00e9' + "x" * 300)
        self.gateway.get("/log/%22a%5B?secret=s1", token, [("Cookie", "session=s2"), ("X-Api-Key", "s3"), ("Proxy-Authorization", "Basic s4")])
        self.gateway.get("/log/none", None, [("User-Agent", "s5")])
        self.gateway.get("/log/bad", token[:-6] + "AAAAAA")
        self.gateway.get("/open/log", "s6", method="POST", body=b"12345")
        good, none, bad, post = self.lines("/log/%22a%5B", "/log/none", "/log/bad", "/open/log")
        for line in (good, none, bad, post):
            self.assertLessEqual(self.FIELDS, set(line))
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual((line["client"], line["host"], line["protocol"]), ("127.0.0.1", "gateway.example", "HTTP/1.1"))
        self.assertEqual((good["status"], good["route"], good["auth"], good["issuer"]), (200, "rest", "accepted", "main"))
        self.assertTrue(good["principal"].startswith('a"b\\c\n\u00e9xxx') and len(good["principal"]) < 300)
        self.assertEqual(good["upstream"], f"127.0.0.1:{self.upstream.port}")
        self.assertLessEqual(good["upstream_ms"], good["duration_ms"])
        self.assertEqual((none["status"], none["auth"], none["reason"]), (401, "rejected", "no_credential"))
        self.assertEqual((bad["status"], bad["reason"]), (401, "token_bad_signature"))
        self.assertEqual((post["status"], post["auth"], post["method"], post["bytes_in"]), (200, "anonymous", "POST", 5))
        text = pathlib.Path(self.gateway.folder, "access.log").read_text()
        for secret in ("s1", "s2", "s3", "s4", "s5", "s6", token.split(".")[1], token.split(".")[2]):
            self.assertNotIn(secret, text.replace("bytes", ""))
        self.assertNotIn(token.split(".")[1], "".join(self.gateway.log))

    def test_rotation_loses_no_line(self):
        path = pathlib.Path(self.gateway.folder, "access.log")
        for round in range(4):
            self.gateway.get(f"/fixed/rotate{round}")
            self.lines(f"/fixed/rotate{round}")
            os.rename(path, f"{path}.{round}")
            self.gateway.signal(signal.SIGUSR1)
            until = steady() + 5
            while not path.exists() and steady() < until:
                time.sleep(0.01)
        kept = "".join(pathlib.Path(f"{path}.{round}").read_text() for round in range(4))
        for round in range(4):
            self.assertEqual(kept.count(f'"/fixed/rotate{round}"'), 1)

    def test_the_client_as_trusted_proxies_tell_it(self):
        gateway = Gateway(
            "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]\naccess_log: {path: access.log}\nroutes: [{name: a, match: {path: /}, auth: public, respond: {status: 204}}]\n"
        )
        cases = [
            ([("X-Forwarded-For", "192.0.2.1")], "192.0.2.1"), ([("X-Forwarded-For", "192.0.2.1, 10.0.0.1")], "192.0.2.1"),
            ([("X-Forwarded-For", "192.0.2.9, 192.0.2.1, 10.0.0.1")], "192.0.2.1"), ([("X-Forwarded-For", "192.0.2.9"), ("X-Forwarded-For", "10.1.1.1")], "192.0.2.9"),
            ([("X-Forwarded-For", "192.0.2.1:4711")], "192.0.2.1"), ([("X-Forwarded-For", "[2001:db8::1]:80")], "2001:db8::1"), ([("X-Forwarded-For", "2001:db8::1")], "2001:db8::1"),
            ([("X-Forwarded-For", "192.0.2.1, nonsense")], "127.0.0.1"), ([("X-Forwarded-For", "192.0.2.1,")], "192.0.2.1"), ([("X-Forwarded-For", "")], "127.0.0.1"),
            ([("Forwarded", "for=192.0.2.1")], "192.0.2.1"), ([("Forwarded", 'proto=https; For="192.0.2.1:1" ;by=x')], "192.0.2.1"), ([("Forwarded", 'for="[2001:db8::1]"')], "2001:db8::1"),
            ([("Forwarded", "for=192.0.2.1, for=10.0.0.3")], "192.0.2.1"), ([("Forwarded", "for=192.0.2.1, for=_hidden")], "127.0.0.1"), ([("Forwarded", "by=192.0.2.1")], "127.0.0.1"),
            ([("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")], "192.0.2.2"), ([("X-Real-IP", "192.0.2.1")], "127.0.0.1"), ([("X-Forwarded-For", "192.0.2.1:x")], "127.0.0.1"),
        ]
        try:
            for index, (fields, _) in enumerate(cases):
                self.assertEqual(gateway.get(f"/{index}", None, fields).status, 204)
            path, until = pathlib.Path(gateway.folder, "access.log"), steady() + 5
            while path.read_text().count("\n") < len(cases) and steady() < until:
                time.sleep(0.05)
            seen = {line["path"]: line["client"] for line in map(json.loads, path.read_text().splitlines())}
            self.assertEqual([seen[f"/{index}"] for index in range(len(cases))], [client for _, client in cases])
        finally:
            gateway.stop()

    def test_the_ops_listener_bears_strangers(self):
        port = self.gateway.ops_port
        for data, answer in (
            (b"GET /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"), (b"\0" * 100, b"HTTP/1.1 400"), (b"GET /" + b"a" * 9000, b"HTTP/1.1 414"),
            (b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"HTTP/1.1 431"), (b"GET /livez HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"),
            (b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", b"HTTP/1.1 405"), (b"GET http://a/livez HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200"),
        ):
            with self.subTest(data[:30]):
                reply = self.gateway.raw(data, port=port)
                self.assertTrue(reply.startswith(answer) and reply.endswith((b"<EOF>", b"<RST>")), reply[:80])
        pipelined = self.gateway.raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * 50 + b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", port=port)
        self.assertEqual(pipelined.count(b"HTTP/1.1 200 OK"), 51)
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        self.assertEqual(self.gateway.get("/open").status, 200)
        for client in idle:
            client.close()
        until = steady() + 5
        while self.ops("/livez").status != 200 and steady() < until:
            time.sleep(0.02)
        self.assertEqual(self.ops("/livez").status, 200)

    def test_a_log_that_cannot_be_written_drops_and_counts(self):
        upstream = Upstream()
        folder = pathlib.Path(self.gateway.folder, "pipe")
        folder.mkdir()
        os.mkfifo(folder / "log")
        reader = os.open(folder / "log", os.O_RDONLY | os.O_NONBLOCK)
        gateway = Gateway(CONFIGURATION.replace("path: access.log", f"path: {folder}/log"), self.keys.files(), UPSTREAM=upstream.port)
        try:
            request = b"GET /fixed/" + b"x" * 900 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
            for _ in range(4):
                answer = gateway.raw(request * 100, b"GET /fixed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", wait=5)
                self.assertEqual(answer.count(b"HTTP/1.1 204"), 101)
            until, dropped = steady() + 5, 0
            while not dropped and steady() < until:
                _, samples = parse(gateway.get("/metrics", port=gateway.ops_port).body)
                dropped = samples["portcullis_access_log_dropped_lines_total", ""]
            self.assertGreater(dropped, 0)
            self.assertEqual(gateway.get("/open").status, 200)
        finally:
            os.close(reader)
            gateway.stop()
            upstream.stop()


class Draining(unittest.TestCase):
    def test_readiness_ends_when_a_stop_begins(self):
        release = threading.Event()
        upstream = Upstream(lambda *_: (release.wait(30), b"HTTP/1.1 204 No Content\r\n\r\n")[1])
        gateway = Gateway(CONFIGURATION.replace("health: {path: /healthz, interval: 200ms}", "retries: 0").replace("access_log: {path: access.log, queue: 64KiB}", ""), TestCase.keys.files(), UPSTREAM=upstream.port)
        try:
            answers = []
            thread = threading.Thread(target=lambda: answers.append(gateway.get("/open").status))
            gateway.signal(signal.SIGUSR1)
            thread.start()
            while not upstream.heads:
                time.sleep(0.01)
            gateway.signal(signal.SIGTERM)
            self.assertTrue(gateway.wait_for("draining"))
            ready = gateway.get("/readyz", port=gateway.ops_port)
            self.assertEqual(ready.status, 503)
            self.assertIn("[-] draining", ready.body)
            self.assertEqual(gateway.get("/livez", port=gateway.ops_port).status, 200)
            release.set()
            thread.join()
            self.assertEqual((answers, gateway.process.wait(10)), ([204], 0))
        finally:
            gateway.stop()
            upstream.stop()


class Keywords(unittest.TestCase):
    """Keys of the reference that have an effect outside of HTTP's own rules."""

    def start(self, text, **options):
        gateway = Gateway(text, **options)
        self.addCleanup(gateway.stop)
        return gateway

    @staticmethod
    def two(port):
        """Two connections that are both served, or None."""
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        try:
            for client in clients:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                if not client.recv(4096).startswith(b"HTTP/1.1 204"):
                    raise ConnectionResetError
            return clients
        except ConnectionError:
            for client in clients:
                client.close()
            return None

    def test_listeners_have_limits_of_their_own(self):
        gateway = self.start(
            'listeners: [{name: main, address: "127.0.0.1:0", max_connections: 2}, {name: other, address: "127.0.0.1:0"}]\n'
            "routes: [{name: all, match: {path: /}, auth: public, respond: {status: 204}}]\n"
        )
        other = int(gateway.addresses["other"].rsplit(":", 1)[1])
        for _ in range(3):
            # A connection that was closed a moment ago may still count.
            until = steady() + 5
            while (clients := self.two(gateway.port)) is None and steady() < until:
                time.sleep(0.01)
            self.assertIsNotNone(clients)
            self.assertIn(gateway.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (b"<EOF>", b"<RST>"))
            self.assertEqual([gateway.get(port=other).status for _ in range(5)], [204] * 5)
            for client in clients:
                client.close()
            until = steady() + 5
            while gateway.get().status != 204 and steady() < until:
                time.sleep(0.01)
            self.assertEqual(gateway.get().status, 204)

    def test_sockets_have_the_permissions_that_are_written(self):
        folder = pathlib.Path(self.start("routes: [{name: a, match: {path: /}, auth: public, respond: {status: 204}}]\n").folder)
        text = f'listeners: [{{name: main, address: "unix:{folder}/main", mode: "0600"}}]\nops: {{address: "unix:{folder}/ops", mode: "0640"}}\n'
        text += "access_log: off\nroutes: [{name: a, match: {path: /}, auth: public, respond: {status: 204}}]\n"
        path = folder / "sockets.yaml"
        path.write_text(text)
        process = subprocess.Popen([binary(), "run", "--config", str(path)], stderr=subprocess.DEVNULL)
        try:
            until = steady() + 10
            while not (folder / "ops").exists() and steady() < until:
                time.sleep(0.01)
            modes = lambda: [stat.S_IMODE((folder / name).stat().st_mode) for name in ("main", "ops")]
            while modes() != [0o600, 0o640] and steady() < until:
                time.sleep(0.01)
            self.assertEqual(modes(), [0o600, 0o640])
        finally:
            process.terminate()
            process.wait(10)

    def test_choices_of_headers(self):
        upstream = Upstream(lambda head, *_: b"HTTP/1.1 200 OK\r\nServer: theirs\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
        self.addCleanup(upstream.stop)
        routes = 'upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]\nroutes: [{name: a, match: {path: /}, auth: public, forward: {upstream: a, host: "own.example:81"}}]\n'
        gateway = self.start('http: {via: "", server: remove, begin_trace: false, forwarded: off, method_override: pass}\n' + routes, UPSTREAM=upstream.port)
        answer = gateway.get("/", None, [("X-HTTP-Method-Override", "PUT"), ("X-Forwarded-For", "192.0.2.1")])
        self.assertEqual((answer.seen("Via"), answer.field("Via"), answer.field("Server")), ([], None, None))
        self.assertEqual((answer.seen("traceparent"), answer.seen("X-Forwarded-For"), answer.seen("Forwarded")), ([], [], []))
        self.assertEqual((answer.seen("X-HTTP-Method-Override"), answer.seen("Host")), (["PUT"], ["own.example:81"]))
        gateway = self.start('http: {via: v, server: ours, forwarded: forwarded, unusual_names: reject}\n' + routes, UPSTREAM=upstream.port)
        answer = gateway.get("/")
        self.assertEqual((answer.seen("Via"), answer.field("Via"), answer.field("Server")), (["1.1 v"], "1.1 v", "ours"))
        self.assertEqual((answer.seen("X-Forwarded-For"), answer.seen("Forwarded")), ([], ['for=127.0.0.1;host="gateway.example";proto=http']))
        self.assertEqual(gateway.get("/", None, [("X_Odd", "1")]).status, 400)
        self.assertEqual(answer.seen("X-HTTP-Method-Override"), [])
