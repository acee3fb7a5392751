"""HTTP/2 from clients: curl, httpx, h2, nghttp, h2load, nginx and Envoy; large and slow bodies, ends of every kind."""

import hashlib
import os
import select
import signal
import subprocess
import threading
import time
import unittest

import httpx

import http2
import peers
from harness import Gateway, Upstream
from origin import Origin

AUTHORITY = peers.Authority()
CERTIFICATE = AUTHORITY.issue("gateway.example", "127.0.0.1")
LARGE = os.urandom(1 << 20) * 100
DIGEST = hashlib.sha256(LARGE).hexdigest().encode()
CONFIGURATION = """
workers: 1
drain: 10s
limits: {body: unlimited}
listeners:
  - {name: main, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
  - {name: plain, address: "127.0.0.1:0"}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"], pool: {max_connections: 500}}]
routes: [{name: all, auth: public, forward: {upstream: a}}]
"""


def chunked(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def script(call):
    """What the origin does, by path."""
    path = call.path.split(b"?")[0]
    if path == b"/upload":
        digest, count = hashlib.sha256(), 0
        if lengths := call.all("content-length"):
            left = int(lengths[0])
            while left:
                if not call.buffer:
                    call.fill()
                piece, call.buffer = call.buffer[:left], call.buffer[left:]
                digest.update(piece)
                count, left = count + len(piece), left - len(piece)
        else:
            while size := int(call.take_line(), 16):
                digest.update(call.take(size + 2)[:-2])
                count += size
            while call.take_line():
                pass
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\nX-Count: %d\r\n\r\n" % count, digest.hexdigest().encode())
    elif path == b"/download":
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE), LARGE)
    elif path == b"/chunks":
        number = int(call.path.split(b"?")[1])
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for index in range(40):
            call.send(chunked(b"%04d" % number * (1 + index * 13)))
        call.send(b"0\r\nX-Sum: %d\r\n\r\n" % number)
    elif path == b"/early":
        call.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge")
        call.close()
    elif path == b"/hints":
        call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    elif path == b"/expect":
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(call.read_body()), call.body)
    elif path in (b"/204", b"/304"):
        call.send(b"HTTP/1.1 %s X\r\nETag: \"a\"\r\n\r\n" % path[1:])
    elif path.startswith(b"/cut"):
        head = {b"/cut-length": b"Content-Length: 1000", b"/cut-chunk": b"Transfer-Encoding: chunked"}[path]
        call.send(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % head, b"5\r\nhello\r\n" if path == b"/cut-chunk" else b"hello")
        call.close()
    elif path == b"/slow":
        time.sleep(0.5)
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    else:
        Origin.echo(call)


class Forgetful(Origin):
    """Does not write down what it reads: there is too much."""

    raw = property(lambda self: b"", lambda self, data: None)


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = Forgetful()
        cls.begin()

    @classmethod
    def begin(cls):
        files = {"a.pem": CERTIFICATE.pem, "a.key": CERTIFICATE.key_pem, "ca.pem": AUTHORITY.pem}
        cls.gateway = Gateway(CONFIGURATION, files, UPSTREAM=cls.origin.port)
        cls.port, cls.plain = (int(cls.gateway.addresses[name].rsplit(":", 1)[1]) for name in ("main", "plain"))
        cls.url = f"https://127.0.0.1:{cls.port}"
        cls.ca = cls.gateway.folder + "/ca.pem"

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.origin.stop()

    def setUp(self):
        self.origin.forget()
        self.origin.script = script

    def tearDown(self):
        self.assertEqual(self.origin.faults, [])

    def client(self, **options):
        return http2.Client(self.port, AUTHORITY.context(["h2"]), **options)

    # Clients of others.

    def test_curl(self):
        for url, more in ((self.url, ["--cacert", self.ca, "--http2"]), (f"http://127.0.0.1:{self.plain}", ["--http2-prior-knowledge"])):
            code, output, errors = peers.run("curl", "-sS", *more, "-w", "%{http_version} %{http_code}", url + "/x")
            self.assertEqual((code, output[-5:]), (0, b"2 200"), errors)
            code, output, errors = peers.run(
                "curl", "-sS", *more, "-H", "Expect:", "-T", "-", url + "/upload", input=LARGE, timeout=120
            )
            self.assertEqual((code, output), (0, DIGEST), errors)
            code, output, errors = peers.run("curl", "-sS", *more, url + "/download", timeout=120)
            self.assertEqual((code, hashlib.sha256(output).hexdigest().encode()), (0, DIGEST), errors)
            for path in ("/cut-length", "/cut-chunk"):
                code, output, _ = peers.run("curl", "-sS", *more, url + path)
                self.assertEqual(code, 92, path)
        code, _, _ = peers.run("curl", "-sS", "--http1.1", f"http://127.0.0.1:{self.plain}/cut-chunk")
        self.assertIn(code, (18, 56))

    def test_httpx(self):
        with httpx.Client(http2=True, verify=AUTHORITY.context()) as client:
            answer = client.post(self.url + "/upload", content=LARGE[: 8 << 20])
            self.assertEqual((answer.http_version, answer.status_code), ("HTTP/2", 200))
            self.assertEqual(answer.text, hashlib.sha256(LARGE[: 8 << 20]).hexdigest())
            self.assertEqual(client.get(self.url + "/chunks?7").status_code, 200)
            with self.assertRaises(httpx.RemoteProtocolError):
                client.get(self.url + "/cut-length")
            self.assertEqual(client.get(self.url + "/x").status_code, 200)

    def test_nghttp(self):
        code, output, errors = peers.run("nghttp", "-nv", "--no-verify-peer", "-m", "20", self.url + "/chunks?1", timeout=60)
        self.assertEqual((code, output.count(b":status: 200")), (0, 20), errors)

    def test_h2load_with_a_hundred_streams(self):
        upstream = Upstream()
        gateway = Gateway(CONFIGURATION, self.files(), UPSTREAM=upstream.port)
        try:
            for port, scheme in ((gateway.port, "https"), (int(gateway.addresses["plain"].rsplit(":", 1)[1]), "http")):
                code, output, _ = peers.run(
                    "h2load", "-n", "4000", "-c", "4", "-m", "100", "-t", "1", f"{scheme}://127.0.0.1:{port}/", timeout=120
                )
                self.assertIn(b"4000 succeeded, 0 failed, 0 errored, 0 timeout", output)
                self.assertIn(b"4000 2xx", output)
        finally:
            gateway.stop()
            upstream.stop()

    def files(self):
        return {"a.pem": CERTIFICATE.pem, "a.key": CERTIFICATE.key_pem}

    def test_nginx_and_envoy_as_clients(self):
        """Envoy says the scheme that its own client used: that of a trusted proxy may differ from the connection's."""
        gateway = Gateway("trusted_proxies: [127.0.0.1]\n" + CONFIGURATION, self.files(), UPSTREAM=self.origin.port)
        self.addCleanup(gateway.stop)
        port = peers.free_port()
        block = f"listen 127.0.0.1:{port}; location / {{ proxy_pass https://127.0.0.1:{gateway.port}; proxy_http_version 1.1;"
        with_tls = " proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem; proxy_ssl_name gateway.example;"
        block += with_tls + " proxy_ssl_server_name on; proxy_set_header Host gateway.example; proxy_request_buffering off; }"
        front = peers.nginx(port, block, files={"ca.pem": AUTHORITY.pem})
        fronts = [front]
        try:
            fronts.append(peers.envoy(peers.free_port(), gateway.port, True, ca=AUTHORITY, name="gateway.example"))
            for front in fronts:
                url = f"http://127.0.0.1:{front.port}"
                send = ["curl", "-sS", "-H", "Host: gateway.example", "-H", "Expect:"]
                code, output, errors = peers.run(*send, "-T", "-", url + "/upload", input=LARGE[: 8 << 20])
                wanted = hashlib.sha256(LARGE[: 8 << 20]).hexdigest().encode()
                self.assertEqual((code, output), (0, wanted), errors + front.output())
                code, output, _ = peers.run(*send, url + "/download")
                self.assertEqual((code, hashlib.sha256(output).hexdigest().encode()), (0, DIGEST))
                code, output, _ = peers.run(*send, "-w", "%{http_code}", url + "/cut-length")
                self.assertNotEqual((code, output), (0, b"hello200"))
            self.assertEqual(len([call for call in self.origin.calls if call.path == b"/upload"]), 2)
        finally:
            for front in fronts:
                front.stop()

    # Bodies.

    def test_slow_readers_hold_little(self):
        with self.client(keep=False) as quick:
            quick.get("/download")
        before = peers.resident(self.gateway)
        slow = [self.client(window=65535, keep=False) for _ in range(8)]
        for client in slow:
            client.takes = False
            for _ in range(4):
                client.request("/download")
            client.until(lambda: client.h2.inbound_flow_control_window == 0)
        grown = peers.resident(self.gateway) - before
        self.assertLess(grown, 24 << 20)
        for client in slow:
            client.socket.close()
        peers.eventually(lambda: peers.metric(self.gateway, "requests_active") == 0, "exchanges stay")

    def test_small_windows_at_full_speed(self):
        """What is left of a window when it is used up is no attack, however often that is."""
        for bits, streams in (("14", "3"), ("16", "2")):
            code, output, _ = peers.run(
                "h2load", "-n", "12", "-c", "1", "-m", streams, "-t", "1", "-w", bits, "-W", "15",
                f"http://127.0.0.1:{self.plain}/download", timeout=120
            )
            self.assertIn(b"12 succeeded, 0 failed, 0 errored", output, (bits, streams))

    def test_pings_that_measure_the_way(self):
        """Clients that adapt their windows send a PING with what they receive."""
        with self.client(window=65535, keep=False) as client:
            stream = client.request("/download")
            seen = 0
            while not client.replies[stream].over and client.read():
                if client.replies[stream].received > seen:
                    seen = client.replies[stream].received
                    client.h2.ping(b"measures")
                    client.flush()
            self.assertEqual((client.replies[stream].received, client.goaways), (len(LARGE), []))

    def test_large_bodies_in_little_memory(self):
        before = peers.resident(self.gateway)
        with self.client(keep=False) as client:
            stream = client.request("/upload", "POST", body=LARGE)
            client.keep = True
            reply = client.reply(stream, 120)
            self.assertEqual(reply.body, DIGEST)
        self.assertLess(peers.resident(self.gateway) - before, 24 << 20)

    def test_many_streams_with_interleaved_bodies(self):
        with self.client() as client:
            streams = {client.request(f"/chunks?{number}"): number for number in range(100)}
            for stream, number in streams.items():
                reply = client.reply(stream)
                wanted = b"".join(b"%04d" % number * (1 + index * 13) for index in range(40))
                self.assertTrue(reply.ended and reply.body == wanted, number)
                self.assertEqual(reply.trailers, [("x-sum", str(number))])

    def test_uploads_with_and_without_length_and_with_trailers(self):
        body = LARGE[: 300_000]
        digest = hashlib.sha256(body).hexdigest().encode()
        with self.client() as client:
            for fields in ((), (("content-length", str(len(body))),)):
                reply = client.reply(client.request("/upload", "PUT", fields, body))
                self.assertEqual((reply.status, reply.body), (200, digest))
            stream = client.request("/trailers", "POST", body=b"abc", ends=False)
            client.h2.send_headers(stream, [("x-sum", "9")], end_stream=True)
            client.flush()
            self.assertEqual(client.reply(stream).status, 200)
            self.assertEqual(self.origin.calls[-1].trailers, [(b"x-sum", b"9")])
            stream = client.request("/upload", "PUT", (("content-length", "10"),), b"short")
            self.assertIsNotNone(client.reply(stream).reset)
            self.assertEqual(client.get("/x").status, 200)

    def test_answers_without_content(self):
        with self.client() as client:
            for path, method, status in (("/x", "HEAD", 200), ("/204", "GET", 204), ("/304", "GET", 304), ("/chunks?1", "HEAD", 200)):
                if path == "/chunks?1":
                    self.origin.script = Origin.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                reply = client.get(path, method=method)
                self.assertEqual((reply.status, reply.body, reply.ended), (status, b"", True), path)

    def test_interim_answers(self):
        with self.client() as client:
            reply = client.get("/hints")
            self.assertEqual([dict(head)[":status"] for head in reply.interim], ["103"])
            self.assertEqual((dict(reply.interim[0])["link"], reply.status, reply.body), ("</a.css>", 200, b"ok"))
            stream = client.request("/expect", "POST", (("expect", "100-continue"), ("content-length", "4")), ends=False)
            self.assertTrue(client.until(lambda: client.replies[stream].interim))
            client.send(stream, b"body", True)
            self.assertEqual(client.reply(stream).body, b"body")

    def test_early_answers(self):
        with self.client() as client:
            stream = client.request("/early", "POST", ends=False)
            client.send(stream, LARGE[: 4 << 20])
            reply = client.reply(stream)
            self.assertEqual((reply.status, reply.body), (413, b"large"))
            self.assertTrue(client.until(lambda: reply.over))
            self.assertIn(reply.reset, (None, 0))
            self.assertEqual(client.get("/x").status, 200)

    def test_cut_answers_never_look_complete(self):
        with self.client() as client:
            for path in ("/cut-length", "/cut-chunk"):
                reply = client.get(path)
                self.assertFalse(reply.ended)
                self.assertIsNotNone(reply.reset)
            self.assertEqual(client.get("/x").status, 200)

    def test_a_request_that_the_client_takes_back(self):
        waiting = threading.Event()
        self.origin.script = lambda call: (waiting.set(), call.fill())
        with self.client() as client:
            stream = client.request("/x")
            self.assertTrue(waiting.wait(5))
            client.reset(stream)
            peers.eventually(lambda: peers.metric(self.gateway, "requests_active") == 0, "the exchange stays")
            self.origin.script = script
            self.assertEqual(client.get("/x").status, 200)

    # Reload and drain.

    def test_reloads_under_load(self):
        code, loads = 0, []
        command = [peers.program("h2load"), "-D", "2", "-c", "8", "-m", "20", "-t", "1"]
        for url in (self.url + "/x", f"http://127.0.0.1:{self.plain}/x"):
            loads.append(subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True))
        applied = sum("configuration applied" in line for line in self.gateway.log)
        while any(load.poll() is None for load in loads):
            applied += 1
            self.gateway.signal(signal.SIGHUP)
            self.assertTrue(self.gateway.wait_for("configuration applied", applied))
            time.sleep(0.05)
        for load in loads:
            output, _ = load.communicate()
            self.assertIn(" 0 failed, 0 errored, 0 timeout", output)
            self.assertIn(" 0 3xx, 0 4xx, 0 5xx", output)

    def test_drain_in_two_steps_loses_no_request(self):
        try:
            with self.client() as client:
                slow = [client.request("/slow") for _ in range(10)]
                peers.eventually(lambda: len(self.origin.calls) == 10, "the requests do not arrive")
                while client.read(0.2):
                    pass
                self.gateway.signal(signal.SIGTERM)
                # A request that crosses the GOAWAY is still served: it is sent before that, and the PING behind it, are read.
                self.assertTrue(select.select([client.socket], [], [], 5)[0])
                late = client.request("/x")
                self.assertTrue(client.until(lambda: client.goaways))
                self.assertEqual(client.goaways[0], (0, (1 << 31) - 1))
                for stream in [*slow, late]:
                    self.assertEqual((client.reply(stream).status, client.replies[stream].ended), (200, True))
                client.until(lambda: client.closed, 5)
                self.assertTrue(client.closed)
                self.assertEqual(client.goaways[-1], (0, late))
            self.assertEqual(self.gateway.process.wait(5), 0)
        finally:
            self.gateway.stop()
            type(self).begin()
