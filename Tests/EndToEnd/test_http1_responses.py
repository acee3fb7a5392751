"""Backends that misbehave: what cannot be trusted is a 502, what is cut short never looks complete (RFC 9112 §4, §6.3, §8)."""

import contextlib
import os
import pathlib
import signal
import threading
import time

from http1 import WireTest

GET = b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n"
GET_10 = b"GET /open/x HTTP/1.0\r\nHost: a\r\n\r\n"
HEAD = b"HEAD /open/x HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


class Misbehaving(WireTest):
    def ask(self, data, method=b"GET", version=b"1.1"):
        """The reply on a fresh connection; that a following request finds a backend connection free of leftovers."""
        with self.client() as client:
            client.send(data)
            reply = client.reply(method, version)
            self.assertTrue(reply is None or reply.complete is False or not reply.closes() or client.closed())
        self.origin.script = self.origin.echo
        with self.client() as client:
            client.send(b"GET /open/after HTTP/1.1\r\nHost: a\r\n\r\n")
            after = client.reply()
            self.assertTrue(after.status == 200 and after.body.startswith(b"GET /open/after "), after.body[:80])
        return reply

    def test_heads_that_are_a_502(self):
        for head in (
            b"", b"\r\n", b"hello\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 \r\n\r\n", b"HTTP/1.1 20\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 200OK\r\n\r\n",
            b"HTTP/1.1  200 OK\r\n\r\n", b"HTTP/1.1\t200\tOK\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 -20 OK\r\n\r\n", b"HTTP/1.1 099 X\r\n\r\n",
            b"HTTP/1.1 000 X\r\n\r\n", b"HTTP/1.1 600 X\r\n\r\n", b"HTTP/1.1 999 X\r\n\r\n", b"HTTP/1.1 200 O\0K\r\n\r\n", b"HTTP/1.1 200 O\rK\r\n\r\n",
            b"HTTP/1.1 200 OK\n\n", b"HTTP/1.1 200 OK\nX: y\n\n", b"http/1.1 200 OK\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/0.9 200 OK\r\n\r\n",
            b"HTTP/1.11 200 OK\r\n\r\n", b"ICY 200 OK\r\n\r\n", b" HTTP/1.1 200 OK\r\n\r\n", b"\r\nHTTP/1.1 200 OK\r\n\r\n", b"<html>hello</html>", b"SSH-2.0-x\r\n",
            b"220 mail ESMTP\r\n", GET, b"\x15\x03\x03\0\2\2\x46", b"\0" * 20, OK + b"X\r\n\r\n", OK + b": y\r\n\r\n", OK + b"X y\r\n\r\n", OK + b"X: a\0b\r\n\r\n",
            OK + b"X: a\rb\r\n\r\n", OK + b"X: a\nb\r\n\r\n", OK + b"X: a\r\n\tb\r\n\r\n", OK + b"X: a\r\n b\r\n\r\n", OK + b" X: a\r\n\r\n", OK + b"X: a\x01\r\n\r\n",
            OK + b"X\x7f: a\r\n\r\n", OK + b"X(: a\r\n\r\n", OK + b"\xff: a\r\n\r\n", OK + b"X: y\r\n\n", OK + b"X: " + b"a" * 100000 + b"\r\n\r\n",
            OK + b"X: y\r\n" * 1000 + b"\r\n", OK + (b"X: " + b"a" * 8000 + b"\r\n") * 10 + b"\r\n", b"HTTP/1.1 200 " + b"a" * 70000 + b"\r\n\r\n",
        ):
            for stays in (False, True):
                if stays and not head.endswith(b"\n"):
                    continue
                with self.subTest((head[:60], stays)):
                    self.origin.script = self.origin.says(head, close=not stays)
                    if stays and head in (b"\r\n",):
                        continue
                    self.assertEqual(self.ask(GET).status, 502)

    def test_framings_that_are_a_502(self):
        length, chunked = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"
        for fields in (
            length + chunked, chunked + length, length + length, length + b"Content-Length: 6\r\n", b"Content-Length: 5, 5\r\n", b"Content-Length: 5, 6\r\n", b"Content-Length: -5\r\n", b"Content-Length: +5\r\n",
            b"Content-Length: 0x5\r\n", b"Content-Length: five\r\n", b"Content-Length:\r\n", b"Content-Length: 5 5\r\n", b"Content-Length: 5.0\r\n",
            b"Content-Length: 99999999999999999999\r\n", b"Content-Length: 18446744073709551621\r\n", b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
            b"Transfer-Encoding: chunked, gzip\r\n", b"Transfer-Encoding: chunked, chunked\r\n", chunked + chunked, b"Transfer-Encoding: identity\r\n",
            b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: chunked;q=1\r\n", b"Transfer-Encoding:\r\n", b"Transfer-Encoding : chunked\r\n",
            b"Content-Length : 5\r\n", b"Transfer-Encoding: \x0bchunked\r\n", b"Transfer-Encoding: chunked\r\n identity\r\n",
        ):
            for method, data in ((b"GET", GET), (b"HEAD", HEAD)):
                with self.subTest((fields, method)):
                    self.origin.script = self.origin.says(OK + fields + b"\r\nhello" + FORGED)
                    self.assertEqual(self.ask(data, method).status, 502)
        self.origin.script = self.origin.says(b"HTTP/1.0 200 OK\r\n" + chunked + b"\r\n5\r\nhello\r\n0\r\n\r\n", close=True)
        self.assertEqual(self.ask(GET).status, 502)

    def test_a_blank_before_the_colon_is_removed(self):
        for line in (b"X : y", b"X\t: y", b"X \t :y"):
            self.origin.script = self.origin.says(OK + line + b"\r\nSet-Cookie : a=b\r\nContent-Length: 2\r\n\r\nok")
            reply = self.ask(GET)
            self.assertEqual((reply.status, reply.all("x"), reply.all("set-cookie"), reply.body), (200, [b"y"], [b"a=b"], b"ok"))

    def test_status_lines_that_go_on(self):
        for line, status in (
            (b"HTTP/1.1 200 OK", 200), (b"HTTP/1.1 200 ", 200), (b"HTTP/1.1 200", 200), (b"HTTP/1.1 299 \xc3\xa9t\xe9", 299), (b"HTTP/1.1 599 X Y  Z", 599),
            (b"HTTP/1.1 404 Not\tFound", 404), (b"HTTP/1.1 306 Unused", 306), (b"HTTP/1.1 418 I'm a teapot", 418), (b"HTTP/1.1 500 HTTP/1.1 200 OK", 500), (b"HTTP/1.0 200 OK", 200),
        ):
            with self.subTest(line):
                self.origin.script = self.origin.says(line + b"\r\nContent-Length: 2\r\n\r\nok")
                reply = self.ask(GET)
                self.assertEqual((reply.status, reply.body, reply.complete), (status, b"ok", True))

    def test_content_for_every_client(self):
        """Framing of the backend; body; trailers. To HTTP/1.1 with a framing, to HTTP/1.0 without a coding."""
        for sent, close, body, trailers in (
            (OK + b"Content-Length: 5\r\n\r\nhello", False, b"hello", []), (OK + b"Content-Length: 0\r\n\r\n", False, b"", []),
            (OK + b"\r\nhello", True, b"hello", []), (OK + b"\r\n", True, b"", []), (OK + b"Connection: close\r\n\r\nhello", True, b"hello", []),
            (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", False, b"hello", []), (OK + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", False, b"", []),
            (OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n03\r\nllo\r\n0;z\r\nX-Sum: 1\r\n\r\n", False, b"hello", [(b"x-sum", b"1")]),
            (b"HTTP/1.0 200 OK\r\n\r\nhello", True, b"hello", []), (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", True, b"hello", []),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", False, b"hello", []), (OK + b"Content-Length: 00005\r\n\r\nhello", False, b"hello", []),
            (OK + b"Content-Length: 70000\r\n\r\n" + b"x" * 70000, False, b"x" * 70000, []), (b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", False, b"", []),
        ):
            for data, method, version in ((GET, b"GET", b"1.1"), (GET_10, b"GET", b"1.0"), (GET_10.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"), b"GET", b"1.0")):
                with self.subTest((sent[:80], data)):
                    self.origin.script = self.origin.says(sent, close=close)
                    reply = self.ask(data, method, version)
                    self.assertEqual((reply.body, reply.complete), (body, True))
                    self.assertEqual(reply.trailers, trailers if version == b"1.1" else [])
                    self.assertEqual(reply.framing == "length", b"Content-Length" in sent)

    def test_answers_in_single_bytes(self):
        for sent, body in (
            (OK + b"Content-Length: 5\r\n\r\nhello", b"hello"), (OK + b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n", b"hello"),
            (b"HTTP/1.1 103 X\r\nLink: x\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno", b"no"), (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ):
            self.origin.script = lambda call: call.send(*(bytes([byte]) for byte in sent))
            for version in (b"1.1", b"1.0"):
                reply = self.ask(GET if version == b"1.1" else GET_10, version=version)
                self.assertEqual((reply.body, reply.complete), (body, True))
                self.origin.script = lambda call: call.send(*(bytes([byte]) for byte in sent))

    def test_no_content_whatever_the_fields_say(self):
        for status in (b"204 No Content", b"304 Not Modified"):
            for fields in (b"", b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"):
                for body in (b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", FORGED):
                    with self.subTest((status, fields, body)):
                        self.origin.script = self.origin.says(b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n" + body)
                        reply = self.ask(GET)
                        self.assertEqual((reply.status, reply.body), (int(status[:3]), b""))
                        self.assertEqual(reply.all("transfer-encoding"), [])
                        self.assertEqual(reply.get("content-length"), "5" if b"304" in status and b": 5" in fields else "0" if b"304" in status and b": 0" in fields else None)
        for fields in (b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"):
            for body in (b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", FORGED):
                with self.subTest((fields, body)):
                    self.origin.script = self.origin.says(OK + fields + b"\r\n" + body)
                    reply = self.ask(HEAD, b"HEAD")
                    self.assertEqual((reply.status, reply.body, reply.get("content-length")), (200, b"", "5" if b": 5" in fields else None))

    def test_what_is_cut_short_never_looks_complete(self):
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        for sent in (
            OK + b"Content-Length: 100\r\n\r\nhello", OK + b"Content-Length: 5\r\n\r\n", OK + b"Content-Length: 5\r\n\r\nhell", chunked, chunked + b"5", chunked + b"5\r\n",
            chunked + b"5\r\nhell", chunked + b"5\r\nhello", chunked + b"5\r\nhello\r\n", chunked + b"5\r\nhello\r\n0", chunked + b"5\r\nhello\r\n0\r\n", chunked + b"0\r\n",
            chunked + b"0\r\n\r", chunked + b"0\r\nX: y\r\n", chunked + b"5\r\nhello!!0\r\n\r\n", chunked + b"5\r\nhello\n0\r\n\r\n", chunked + b"5\nhello\r\n0\r\n\r\n",
            chunked + b"zz\r\n", chunked + b"-1\r\n", chunked + b"5\r\nhello\r\nhello", chunked + b"ffffffffff\r\nhello", chunked + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
            chunked + b"5\r\nhello\r\n0\r\nX : \0\r\n\r\n", chunked + b"5\r\nhello\r\n0\r\n folded\r\n\r\n", chunked + b"5\r\nhello\r\n0\n\n",
            OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 99999, chunked + b"186a0\r\n" + b"x" * 99999,
        ):
            for version in (b"1.1", b"1.0"):
                with self.subTest((sent[:90], version)):
                    self.origin.script = self.origin.says(sent, close=True)
                    reply = self.ask(GET if version == b"1.1" else GET_10, version=version)
                    self.assertTrue(reply is None or reply.status == 502 or not reply.complete)

    def test_a_reset_is_no_end(self):
        for sent in (OK + b"\r\nhello", OK + b"Content-Length: 9\r\n\r\nhello", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"):
            for version in (b"1.1", b"1.0"):
                with self.subTest((sent, version)), self.client() as client:
                    arrived = threading.Event()

                    def script(call):
                        call.send(sent)
                        arrived.wait(4)
                        call.reset()

                    self.origin.script = script
                    client.send(GET if version == b"1.1" else GET_10)
                    while b"hello" not in client.buffer:
                        self.assertTrue(client.more(), "no content")
                    arrived.set()
                    self.assertFalse(client.reply(version=version).complete)
                    self.assertEqual(client.end, "RST")

    def test_what_follows_an_answer_is_nobodys(self):
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        for sent in (
            OK + b"Content-Length: 2\r\n\r\nok" + FORGED, OK + b"Content-Length: 0\r\n\r\n" + FORGED, chunked + FORGED, OK + b"Content-Length: 2\r\n\r\nok\r\n",
            chunked + b"\r\n", OK + b"Content-Length: 2\r\n\r\nokX", b"HTTP/1.1 204 X\r\n\r\n" + FORGED, b"HTTP/1.1 304 X\r\n\r\n" + FORGED,
            OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n" + FORGED,
        ):
            with self.subTest(sent):
                self.origin.script = self.origin.says(sent)
                self.assertIn(self.ask(GET).body, (b"ok", b""))
                # The same for the next request of the same client, which is already there.
                self.origin.script = lambda call: (self.origin.says(sent) if call.path == b"/open/x" else self.origin.echo)(call)
                with self.client() as client:
                    client.send(GET + GET.replace(b"/x", b"/y"))
                    self.assertIn(client.reply().body, (b"ok", b""))
                    self.assertTrue(client.reply().body.startswith(b"GET /open/y"))

    def test_a_backend_that_speaks_first_or_while_idle_is_not_believed(self):
        self.origin.script = self.origin.says(OK + b"Content-Length: 2\r\n\r\nok")
        with self.client() as client:
            client.send(GET)
            self.assertEqual(client.reply().body, b"ok")
            for late in (FORGED, b"\r\n", b"x", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"):
                with self.subTest(late):
                    # What is written has arrived at the gateway's socket before the next request is sent.
                    self.origin.calls[-1].send(late)
                    self.origin.script = self.origin.echo
                    client.send(GET)
                    self.assertTrue(client.reply().body.startswith(b"GET /open/x"))
                    self.assertNotEqual(self.origin.calls[-1].number, self.origin.calls[-2].number)

    def test_nor_is_one_whose_words_come_in_the_turn_of_a_request(self):
        self.origin.script = self.origin.says(OK + b"Content-Length: 2\r\n\r\nok")
        with self.client() as client:
            client.send(GET)
            self.assertEqual(client.reply().body, b"ok")
            for first in ("client", "backend"):
                with self.subTest(first), self.asleep():
                    speak = [lambda: client.send(GET), lambda: self.origin.calls[-1].send(FORGED)]
                    for one in speak if first == "client" else speak[::-1]:
                        one()
                    self.origin.script = self.origin.echo
                self.assertTrue(client.reply().body.startswith(b"GET /open/x"))
                self.origin.script = self.origin.says(OK + b"Content-Length: 2\r\n\r\nok")
                client.send(GET)
                self.assertEqual(client.reply().body, b"ok")

    @contextlib.contextmanager
    def asleep(self):
        """The gateway does nothing meanwhile, so that all of it comes in one turn."""
        pid = self.gateway.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            while pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "T":
                time.sleep(0.001)
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_no_answer_at_all(self):
        for script in (lambda call: call.close(), lambda call: call.reset()):
            self.origin.script = script
            for data in (GET, GET.replace(b"GET", b"POST"), b"POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"):
                self.assertEqual(self.exchange(data).status, 502)
