"""Connections: persistence, pipelining, half-close, early answers, retries and the pool (RFC 9112 §9, RFC 9110 §9.2.2)."""

import itertools
import threading

from http1 import WireTest

HOST = b"Host: a\r\n"
SIZE = 600000


def get(path=b"/open/x", fields=b"", version=b"1.1", method=b"GET"):
    return method + b" " + path + b" HTTP/" + version + b"\r\n" + HOST + fields + b"\r\n"


def post(fields=b"Content-Length: 5\r\n", body=b"hello", path=b"/open/x"):
    return get(path, fields, method=b"POST") + body


class Persistence(WireTest):
    def test_whether_a_connection_stays(self):
        for version, options, stays in (
            (b"1.1", None, True), (b"1.1", b"keep-alive", True), (b"1.1", b"close", False), (b"1.1", b"Close", False), (b"1.1", b"CLOSE", False),
            (b"1.1", b"close, keep-alive", False), (b"1.1", b"keep-alive, close", False), (b"1.1", b"x, close", False), (b"1.1", b",close,", False),
            (b"1.1", b"closed", True), (b"1.1", b"xclose", True), (b"1.1", b"keep-alive\r\nConnection: close", False), (b"1.1", b"", True),
            (b"1.0", None, False), (b"1.0", b"keep-alive", True), (b"1.0", b"Keep-Alive", True), (b"1.0", b"close", False), (b"1.0", b"keep-alive, close", False),
            (b"1.0", b"x", False), (b"1.0", b"keep-alive, x", True), (b"1.0", b"", False),
        ):
            for path in (b"/open/x", b"/fixed", b"/secret"):
                for method in (b"GET", b"HEAD"):
                    with self.subTest((version, options, path, method)):
                        fields = b"" if options is None else b"Connection: " + options + b"\r\n"
                        reply = self.exchange(get(path, fields, version, method), method, version)
                        self.assertEqual(not reply.closes(), stays)
                        if version == b"1.0" and stays:
                            self.assertEqual(reply.get("connection").lower(), "keep-alive")
        self.assertTrue(self.exchange(get(fields=b"Proxy-Connection: keep-alive\r\n", version=b"1.0"), version=b"1.0").closes())

    def test_an_answer_without_a_length_ends_the_connection_of_http_1_0(self):
        for sent, close in ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", False), (b"HTTP/1.1 200 OK\r\n\r\nok", True)):
            self.origin.script = self.origin.says(sent, close=close)
            reply = self.exchange(get(fields=b"Connection: keep-alive\r\n", version=b"1.0"), version=b"1.0")
            self.assertEqual((reply.body, reply.closes(), reply.framing), (b"ok", True, "close"))

    def test_what_the_backend_says_about_its_connection_is_not_passed_on(self):
        with self.client() as client:
            numbers = []
            for fields in (b"", b"Connection: keep-alive\r\n", b"Connection: close\r\n", b"", b"Connection: Keep-Alive, CLOSE\r\n", b"", b""):
                self.origin.script = self.origin.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + fields + b"\r\nok")
                client.send(get())
                reply = client.reply()
                self.assertEqual((reply.body, reply.all("connection")), (b"ok", []))
                numbers.append(self.origin.calls[-1].number)
        first = numbers[0]
        self.assertEqual([number - first for number in numbers], [0, 0, 0, 1, 1, 2, 2])

    def test_nothing_is_read_behind_a_close(self):
        for first in (get(fields=b"Connection: close\r\n"), get(version=b"1.0"), get(b"/fixed", b"Connection: close\r\n"), post(b"Content-Length: 5\r\nConnection: close\r\n")):
            with self.client() as client:
                self.origin.forget()
                client.send(first + get(b"/open/second"))
                self.assertEqual((client.reply().status, client.closed()), (200, True))
                self.assertNotIn(b"second", self.origin.raw)

    def test_a_thousand_requests_and_the_last_says_close(self):
        with self.client() as client:
            client.send(get(b"/fixed") * 1001)
            replies = [client.reply() for _ in range(1000)]
            self.assertEqual([reply.closes() for reply in replies], [False] * 999 + [True])
            self.assertTrue(client.closed())


class Pipelining(WireTest):
    def test_answers_come_in_order_whatever_they_are(self):
        kinds = {
            b"/open/get": (get(b"/open/get"), b"GET", 200), b"/fixed": (get(b"/fixed"), b"GET", 200), b"head": (get(b"/open/head", method=b"HEAD"), b"HEAD", 200),
            b"secret": (get(b"/secret"), b"GET", 401), b"post": (post(path=b"/open/post"), b"GET", 200), b"trace": (get(method=b"TRACE"), b"GET", 405),
            b"chunked": (post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"), b"GET", 200), b"nothing": (get(b"/open/none"), b"GET", 204),
        }
        def script(call):
            call.send(b"HTTP/1.1 204 No Content\r\n\r\n") if call.path == b"/open/none" else self.origin.echo(call)

        for order in itertools.islice(itertools.permutations(kinds), 0, 40320, 1500):
            with self.subTest(order), self.client() as client:
                self.origin.forget()
                self.origin.script = script
                client.send(b"".join(kinds[name][0] for name in order))
                self.assertEqual([client.reply(kinds[name][1]).status for name in order], [kinds[name][2] for name in order])
                self.assertTrue(client.stays_open())

    def test_a_malformed_request_ends_the_pipeline_after_the_answers_before_it(self):
        for bad in (b"BAD\r\n\r\n", get(fields=b"X : y\r\n"), post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), b"GET /open/x HTTP/1.1\r\n\r\n", get(b"/open/%00")):
            with self.subTest(bad), self.client() as client:
                self.origin.forget()
                client.send(get(b"/open/1") + get(b"/open/2") + bad + get(b"/open/3"))
                self.assertEqual([client.reply().status for _ in "123"], [200, 200, 400])
                self.assertTrue(client.closed())
                self.assertEqual([call.path for call in self.origin.calls], [b"/open/1", b"/open/2"])

    def test_one_request_of_a_client_is_at_the_backend_at_a_time(self):
        release = threading.Event()

        def script(call):
            release.wait(4)
            self.origin.echo(call)

        self.origin.script = script
        with self.client() as client:
            client.send(b"".join(get(b"/open/%d" % number) for number in range(5)))
            self.eventually(lambda: self.origin.calls, "nothing came")
            self.assertTrue(self.exchange(get(b"/fixed")))
            self.assertEqual(len(self.origin.calls), 1)
            release.set()
            self.assertEqual([client.reply().body.split(b" ")[1] for _ in range(5)], [b"/open/%d" % number for number in range(5)])

    def test_a_client_that_asks_for_much_and_reads_late(self):
        body = bytes(range(256)) * 1000
        self.origin.script = lambda call: call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        with self.client() as client:
            client.send(get() * 40)
            self.eventually(lambda: len(self.origin.calls) > 1, "nothing came")
            self.assertLess(len(self.origin.calls), 40)
            self.assertTrue(all(client.reply().body == body for _ in range(40)))

    def test_requests_in_single_bytes(self):
        with self.client() as client:
            for byte in post() + get(b"/fixed"):
                client.send(bytes([byte]))
            self.assertTrue(client.reply().body.endswith(b"hello"))
            self.assertEqual(client.reply().body, b"hi")


class Ends(WireTest):
    def test_a_client_that_ends_its_direction_gets_its_answers(self):
        for data, count in ((get(), 1), (post(), 1), (get(b"/fixed"), 1), (get() + get(b"/fixed") + post(), 3)):
            with self.client() as client:
                client.send(data)
                client.half_close()
                self.assertEqual([client.reply().status for _ in range(count)], [200] * count)
                self.assertTrue(client.closed())

    def test_a_client_that_ends_in_the_middle_gets_none_and_the_backend_no_whole_request(self):
        for data in (
            b"GET /open/x HTT", b"GET /open/x HTTP/1.1\r\nHost: a\r\n", post(b"Content-Length: 500\r\n"), post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n"),
            post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n"), post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhel"),
        ):
            for how in ("half_close", "reset"):
                with self.subTest((data, how)), self.client() as client:
                    self.origin.forget()
                    answered = []

                    def script(call):
                        call.read_body()
                        answered.append(call)

                    self.origin.script = script
                    client.send(data)
                    if b"POST" in data:
                        self.eventually(lambda: self.origin.calls, "nothing came")
                    getattr(client, how)()
                    if how == "half_close":
                        reply = client.reply()
                        self.assertTrue(reply is None or reply.status == 400)
                    self.assertEqual(answered, [])

    def test_an_answer_before_the_request_is_whole(self):
        for fields, body in ((b"Content-Length: %d\r\n" % SIZE, b"x" * 1000), (b"Transfer-Encoding: chunked\r\n", b"3e8\r\n" + b"x" * 1000 + b"\r\n")):
            for sent, status in ((b"HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\nno", 413), (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 200), (b"HTTP/1.1 204 X\r\n\r\n", 204)):
                with self.subTest((fields, sent)), self.client() as client:
                    self.origin.script = lambda call: call.send(sent)
                    client.send(post(fields, body))
                    reply = client.reply()
                    self.assertEqual((reply.status, reply.complete, reply.closes()), (status, True, True))
                    # What the client goes on sending is no request.
                    self.origin.forget()
                    client.send(b"x" * 1000 + get(b"/open/second"))
                    self.assertTrue(client.closed())
                    self.assertTrue(self.exchange(get(b"/open/after")).body.startswith(b"GET /open/after"))
                    self.assertNotIn(b"second", self.origin.raw)

    def test_an_early_answer_reaches_a_client_that_is_still_sending(self):
        for framing, body in ((b"Content-Length: %d\r\n" % SIZE, b"x" * SIZE), (b"Transfer-Encoding: chunked\r\n", b"%x\r\n" % SIZE + b"x" * SIZE + b"\r\n0\r\n\r\n")):
            for path, status in ((b"/open/x", 413), (b"/secret", 401)):
                with self.subTest((framing, path)):
                    self.origin.script = lambda call: (call.send(b"HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\nno"), call.read_body())
                    self.assertEqual(self.exchange(post(framing, body, path)).status, status)

    def test_an_answer_that_grows_with_the_request(self):
        def script(call):
            call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while size := int(call.take_line(), 16):
                data = call.take(size + 2)[:-2]
                call.send(b"%x\r\n" % len(data) + data + b"\r\n")
            call.take_line()
            call.send(b"0\r\n\r\n")

        self.origin.script = script
        with self.client() as client:
            client.send(post(b"Transfer-Encoding: chunked\r\n", b""))
            for number in range(20):
                client.send(b"2\r\n%02d\r\n" % number)
                while b"%02d\r\n" % number not in client.buffer:
                    self.assertTrue(client.more())
            client.send(b"0\r\n\r\n")
            reply = client.reply()
            self.assertEqual((reply.body, reply.complete, reply.closes()), (b"".join(b"%02d" % n for n in range(20)), True, True))

    def test_a_client_that_leaves_takes_its_backend_connection_with_it(self):
        for data in (get(), post(), post(b"Content-Length: 500\r\n")):
            ended = threading.Event()

            def script(call):
                try:
                    call.fill() if call.all("content-length") == [b"500"] else call.read_body()
                    call.fill()
                finally:
                    ended.set()

            self.origin.forget()
            self.origin.script = script
            with self.client() as client:
                client.send(data)
                self.eventually(lambda: self.origin.calls, "nothing came")
                client.reset()
                self.assertTrue(ended.wait(4))

    def test_an_answer_that_comes_before_the_backend_closes_is_not_lost(self):
        for close in ("close", "send"):
            def script(call):
                call.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % SIZE + b"x" * SIZE)
                call.close() if close == "close" else None

            self.origin.script = script
            for _ in range(5):
                reply = self.exchange(get())
                self.assertEqual((len(reply.body), reply.complete), (SIZE, True))


class Retries(WireTest):
    def stale(self, count=1):
        """Leaves a connection in the pool that ends as soon as another request comes over it."""
        self.origin.forget()
        script = self.origin.script

        def dying(call):
            if call.path == b"/open/first":
                return script(call)
            if any(other.number == call.number and other.path == b"/open/first" for other in self.origin.calls):
                call.read_body()
                call.close()
            script(call)

        self.origin.script = dying
        self.exchange(get(b"/open/first"))

    def test_what_is_safe_is_sent_again_over_a_new_connection(self):
        for method in (b"GET", b"HEAD", b"OPTIONS"):
            with self.subTest(method):
                self.stale()
                self.assertEqual(self.exchange(get(b"/open/again", method=method), method).status, 200)
                self.assertEqual([call.path for call in self.origin.calls], [b"/open/first", b"/open/again", b"/open/again"])

    def test_what_is_not_safe_is_never_sent_twice(self):
        for data in (
            post(path=b"/open/once"), post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"/open/once"), get(b"/open/once", method=b"POST"),
            get(b"/open/once", method=b"PATCH"), get(b"/open/once", method=b"X"), get(b"/open/once", method=b"get"),
        ):
            with self.subTest(data):
                self.stale()
                self.assertEqual(self.exchange(data).status, 502)
                self.assertEqual([call.path for call in self.origin.calls], [b"/open/first", b"/open/once"])

    def test_an_answer_that_has_begun_is_not_asked_for_again(self):
        for begun in (b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"):
            with self.subTest(begun):
                self.origin.forget()
                self.exchange(get(b"/open/first"))
                self.origin.script = self.origin.says(begun, close=True)
                with self.client() as client:
                    client.send(get(b"/open/x"))
                    reply = client.reply()
                    self.assertTrue(reply.status == 502 or not reply.complete)
                self.assertEqual([call.path for call in self.origin.calls], [b"/open/first", b"/open/x"])

    def test_a_connection_that_ended_while_idle_is_not_used(self):
        for data in (get(), post()):
            self.origin.forget()
            self.exchange(get(b"/open/first"))
            self.origin.calls[-1].connection.shutdown(2)
            self.assertEqual(self.exchange(data).status, 200)
            self.assertEqual([call.path for call in self.origin.calls], [b"/open/first", b"/open/x"])
