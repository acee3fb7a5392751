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
import time
import unittest

from harness import Gateway, Keys, TestCase, Upstream, binary

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

    FIELDS = {"time", "id", "client", "method", "host", "path", "protocol", "status", "bytes_in", "bytes_out", "duration_ms"}

    def lines(self, *paths):
        path, until, lines = pathlib.Path(self.gateway.folder, "access.log"), time.monotonic() + 5, []
        while time.monotonic() < until:
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
            until = time.monotonic() + 5
            while not path.exists() and time.monotonic() < until:
                time.sleep(0.01)
        kept = "".join(pathlib.Path(f"{path}.{round}").read_text() for round in range(4))
        for round in range(4):
            self.assertEqual(kept.count(f'"/fixed/rotate{round}"'), 1)

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
            until, dropped = time.monotonic() + 5, 0
            while not dropped and time.monotonic() < until:
                _, samples = parse(gateway.get("/metrics", port=gateway.ops_port).body)
                dropped = samples["portcullis_access_log_dropped_lines_total", ""]
            self.assertGreater(dropped, 0)
            self.assertEqual(gateway.get("/open").status, 200)
        finally:
            os.close(reader)
            gateway.stop()
            upstream.stop()


class Keywords(unittest.TestCase):
    """Keys of the reference that have an effect outside of HTTP's own rules."""

    def start(self, text, **options):
        gateway = Gateway(text, **options)
        self.addCleanup(gateway.stop)
        return gateway

    def test_listeners_have_limits_of_their_own(self):
        gateway = self.start(
            'listeners: [{name: main, address: "127.0.0.1:0", max_connections: 2}, {name: other, address: "127.0.0.1:0"}]\n'
            "routes: [{name: all, match: {path: /}, auth: public, respond: {status: 204}}]\n"
        )
        other = int(gateway.addresses["other"].rsplit(":", 1)[1])
        for _ in range(3):
            clients = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(2)]
            for client in clients:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 204"))
            self.assertIn(gateway.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (b"<EOF>", b"<RST>"))
            self.assertEqual([gateway.get(port=other).status for _ in range(5)], [204] * 5)
            for client in clients:
                client.close()
            until = time.monotonic() + 5
            while gateway.get().status != 204 and time.monotonic() < until:
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
            until = time.monotonic() + 10
            while not (folder / "ops").exists() and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(0.1)
            self.assertEqual([stat.S_IMODE((folder / name).stat().st_mode) for name in ("main", "ops")], [0o600, 0o640])
        finally:
            process.terminate()
            process.wait(10)

    def test_choices_of_headers(self):
        upstream = Upstream(lambda head, *_: b"HTTP/1.1 200 OK\r\nServer: theirs\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
        self.addCleanup(upstream.socket.close)
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
