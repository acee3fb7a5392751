"""Field lines and the fields of one hop, in both directions: RFC 9112 §5, RFC 9110 §5.5, §6.6.1, §7.6, §8.6, §10.1.4."""

from http1 import WireTest

GET = b"GET /open/x HTTP/1.1\r\nHost: a\r\n"
EMPTY = b"Content-Length: 0\r\n"


class Lines(WireTest):
    def test_lines_that_are_refused(self):
        for line in (
            b"X", b"X y", b": y", b" : y", b"X : y", b"X\t: y", b"X \t : y", b"X\0: y", b"X\r: y", b"X\x0b: y", b"X\x7f: y", b"X\x80: y", b"\xc3\xa9: y",
            b"X(a): y", b"X,Y: y", b"X/Y: y", b"X;Y: y", b"X<Y: y", b"X=Y: y", b"X>Y: y", b"X?Y: y", b"X@Y: y", b"X[Y: y", b"X\\Y: y", b"X]Y: y",
            b"X{Y: y", b"X}Y: y", b'"X": y', b"X Y: y", b"=: y", b"X: a\0", b"X: \0", b"X: a\rb", b"X: a\r", b"X: \r", b"X: a\nb: c", b"X: a\n", b"X: a\x01b",
            b"X: a\x08", b"X: a\x0bb", b"X: a\x0cb", b"X: a\x1bb", b"X: a\x1f", b"X: a\x7fb", b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\r\n ", b"X: \r\n b",
            b"X:\r\n y", b"\nX: y", b"X: y\r\n\n", b"X: y\r\nGET /open/second HTTP/1.1", b"X: y\r\n\0",
        ):
            with self.subTest(line):
                self.refused(GET + line + b"\r\n\r\n", 400)
        self.refused(b"GET /open/x HTTP/1.1\r\n Host: a\r\n\r\n", 400)
        self.refused(b"GET /open/x HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n", 400)
        self.refused(b"GET /open/x HTTP/1.1\r\n \r\nHost: a\r\n\r\n", 400)
        self.refused(b"GET /open/x HTTP/1.1\nHost: a\n\n", 400)
        self.refused(b"GET /open/x HTTP/1.1\r\nHost: a\n\r\n", 400)
        self.refused(b"GET /open/x HTTP/1.1\r\nHost: a\r\n\n", 400)
        self.refused(b"GET /open/x HTTP/1.1\r\nHost: a\r\r\n\r\n", 400)

    def test_values_that_go_on_as_they_are(self):
        for sent, arrives in (
            (b"X:y", b"y"), (b"X: y", b"y"), (b"X:\ty", b"y"), (b"X:   y \t ", b"y"), (b"X:", b""), (b"X: ", b""), (b"X: a\tb", b"a\tb"), (b"X: a  b", b"a  b"),
            (b"X: \xff\xfe\x80", b"\xff\xfe\x80"), (b"X: \xc3\xa9", b"\xc3\xa9"), (b"X: a:b:c", b"a:b:c"), (b"X: ,,a,,", b",,a,,"), (b'X: "a\\"b', b'"a\\"b'),
            (b"X: \x21\x7e", b"!~"), (b"X: " + b"a" * 8000, b"a" * 8000), (b"x: %0d%0aY: z", b"%0d%0aY: z"), (b"X: :", b":"),
        ):
            with self.subTest(sent):
                call, _ = self.forwarded(GET + sent + b"\r\n\r\n")
                self.assertEqual(call.all("x"), [arrives])

    def test_lines_of_one_name_keep_their_number_and_order(self):
        call, _ = self.forwarded(GET + b"X: 1\r\nY: a\r\nx: 2\r\nCookie: a=b\r\nX:\r\nCookie: c=d\r\nX: 3, 4\r\n\r\n")
        self.assertEqual((call.all("x"), call.all("cookie"), call.all("y")), ([b"1", b"2", b"", b"3, 4"], [b"a=b", b"c=d"], [b"a"]))
        answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX: 1\r\nSet-Cookie: b=2\r\nX: 2\r\n" + EMPTY + b"\r\n"
        self.origin.script = self.origin.says(answer)
        reply = self.exchange(GET + b"\r\n")
        self.assertEqual((reply.all("set-cookie"), reply.all("x")), ([b"a=1", b"b=2"], [b"1", b"2"]))

    def test_sizes(self):
        self.refused(GET + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431)
        self.refused(GET + b"X" * 9000 + b": a\r\n\r\n", 431)
        self.refused(GET + b"X: y\r\n" * 101 + b"\r\n", 431)
        self.refused(GET + (b"X: " + b"a" * 7000 + b"\r\n") * 5 + b"\r\n", 431)
        self.refused(GET + b"X: " + b"a" * 200000 + b"\r\n\r\n", 431)
        self.refused(GET + b"Cookie: " + b"a=b;" * 300 + b"\r\n\r\n", 431)
        self.forwarded(GET + b"X: y\r\n" * 99 + b"\r\n")
        self.forwarded(GET + (b"X: " + b"a" * 7000 + b"\r\n") * 4 + b"\r\n")

    def test_fields_that_may_stand_once(self):
        for line in (b"Authorization: Bearer a", b"Content-Type: a/b", b"Origin: http://a", b"Expect: 100-continue", b"Proxy-Authorization: Basic a", b"Max-Forwards: 1"):
            self.refused(GET + line + b"\r\n" + line + b"\r\n\r\n", 400)


class Requests(WireTest):
    def test_fields_of_the_clients_connection_stay_here(self):
        for line in (
            b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"Proxy-Authorization: Basic eDp5", b"Proxy-Authenticate: Basic", b"TE: gzip",
            b"TE: gzip;q=0.5", b"Trailer: X-Sum", b"Upgrade: websocket", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", b"Connection: close",
            b"Connection: keep-alive", b"Connection: Keep-Alive, Upgrade", b"Connection:", b"Connection: , ,", b"Expect: 100-continue", b"Via: ",
        ):
            with self.subTest(line):
                call, _ = self.forwarded(GET + line + b"\r\nX: y\r\n\r\n")
                name = line.split(b":")[0].decode().lower()
                self.assertEqual((call.all(name) if name != "via" else [], call.all("x"), call.all("connection")), ([], [b"y"], []))

    def test_what_connection_names_stays_here(self):
        for options, names in (
            (b"X-Hop", (b"X-Hop",)), (b"x-hop", (b"X-HOP",)), (b"X-HOP", (b"x-hop",)), (b"close, X-Hop", (b"X-Hop",)), (b"X-Hop,close", (b"X-Hop",)),
            (b"X-A,X-B", (b"X-A", b"X-B")), (b" X-A\t,\tX-B ", (b"X-A", b"X-B")), (b",,X-A,,X-B,", (b"X-A", b"X-B")), (b"keep-alive, x_a", (b"X_A",)),
            (b"X-A\r\nConnection: X-B", (b"X-A", b"X-B")), (b"User-Agent", (b"User-Agent",)), (b"Accept", (b"accept",)), (b"Referer", (b"Referer",)),
            (b"TE, X-A", (b"TE", b"X-A")), (b"Keep-Alive", (b"Keep-Alive",)), (b"Proxy-Connection", (b"Proxy-Connection",)), (b"X!", (b"X!",)),
            (b"Accept-Encoding, If-None-Match", (b"Accept-Encoding", b"If-None-Match")), (b"If-Modified-Since", (b"If-Modified-Since",)), (b"x-hop, x-hop", (b"X-Hop",)),
        ):
            for before in (True, False):
                with self.subTest((options, before)):
                    connection = b"Connection: " + options + b"\r\n"
                    named = b"".join(name + b": 1\r\n" + name.lower() + b": 2\r\n" for name in names)
                    call, _ = self.forwarded(GET + (connection + named if before else named + connection) + b"X-Stays: 1\r\n\r\n")
                    for name in names:
                        self.assertEqual(call.all(name.decode()), [])
                    self.assertEqual(call.all("x-stays"), [b"1"])

    def test_what_connection_must_not_name_is_refused(self):
        for name in (
            b"Host", b"Content-Length", b"Transfer-Encoding", b"Authorization", b"Cookie", b"Content-Type", b"Cache-Control", b"Date", b"Expect", b"Range",
            b"Via", b"Forwarded", b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"X-Real-IP", b"X-User-Id", b"x_user_id", b"X-User-Roles",
            b"X-Auth-Issuer", b"X-Request-Id", b"Max-Forwards", b"Origin", b"Traceparent",
        ):
            with self.subTest(name):
                self.refused(GET + b"Connection: close, " + name + b"\r\n\r\n", 400)
        for value in (b"a b", b"a;b", b"close;x", b'"close"', b"a/b", b"close=1", b"(close)", b"a@b", b"\xe9", b"a," * 40):
            self.refused(GET + b"Connection: " + value + b"\r\n\r\n", 400)

    def test_via_is_added_behind_what_came(self):
        call, _ = self.forwarded(GET + b"Via: 1.0 fred, 1.1 p.example (x)\r\nVIA: 2 q\r\n\r\n")
        self.assertEqual(call.all("via"), [b"1.0 fred, 1.1 p.example (x)", b"2 q", b"1.1 portcullis"])

    def test_te_trailers_is_said_anew(self):
        for line, arrives in (
            (b"TE: trailers", [b"trailers"]), (b"TE: Trailers, gzip", [b"trailers"]), (b"TE: gzip\r\nTE: trailers", [b"trailers"]), (b"TE:", []), (b"TE: x", []),
        ):
            call, _ = self.forwarded(GET + b"Connection: TE\r\n" + line + b"\r\n\r\n")
            self.assertEqual((call.all("te"), call.all("connection")), (arrives, [b"TE"] * len(arrives)))
        # Nobody before us can take them on.
        call, _ = self.forwarded(GET.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Connection: TE\r\nTE: trailers\r\n\r\n", version=b"1.0")
        self.assertEqual((call.all("te"), call.all("connection")), ([], []))

    def test_who_asked_is_not_what_the_client_says(self):
        for name in (b"Forwarded", b"X-Forwarded-Prefix", b"X-Forwarded-Port", b"X-Real-IP", b"X-Original-URL", b"X-Rewrite-URL", b"X-Forwarded-Server", b"X_Forwarded_For"):
            call, _ = self.forwarded(GET + name + b": evil\r\n\r\n")
            self.assertNotIn(b"evil", call.head)
        for name, told in ((b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-Proto", b"http"), (b"X-Forwarded-Host", b"a")):
            call, _ = self.forwarded(GET + name + b": evil\r\n" + name.lower() + b": evil\r\n\r\n")
            self.assertEqual(call.all(name.decode()), [told])

    def test_nothing_of_a_refused_request_reaches_the_backend(self):
        for fields, body in (
            (b"", b""), (b"Content-Length: 5\r\n", b"hello"), (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"), (b"Expect: 100-continue\r\nContent-Length: 5\r\n", b""),
            (b"Authorization: Bearer x.y.z\r\n", b""), (b"Authorization: Basic eDp5\r\nContent-Length: 5\r\n", b"hello"), (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b""),
            (b"Cookie: a=b\r\n", b""), (b"Authorization:\r\n", b""), (b"Authorization: Bearer\r\n", b""), (b"Content-Length: 500000\r\n", b"x"),
        ):
            with self.subTest(fields):
                self.origin.forget()
                reply = self.exchange(b"POST /secret HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + body)
                self.assertEqual((reply.status, len(reply.all("www-authenticate"))), (401, 1))
                self.untouched()


class Responses(WireTest):
    def answered(self, fields, body=b"", request=GET, **options):
        self.origin.script = self.origin.says(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body)
        return self.exchange(request + b"\r\n", **options)

    def test_fields_of_the_backends_connection_stay_here(self):
        for line in (
            b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"Proxy-Authenticate: Basic", b"Proxy-Authentication-Info: x", b"Upgrade: h2c", b"Upgrade: websocket",
            b"Trailer: X", b"TE: trailers", b"Connection: keep-alive", b"Connection: close", b"Connection: X-Hop\r\nX-Hop: 1", b"X-Hop: 1\r\nConnection: close, x-hop",
            b"Connection: x-hop,\r\nX-HOP: 1", b"Connection: Keep-Alive\r\nKeep-Alive: max=5",
        ):
            with self.subTest(line):
                reply = self.answered(line + b"\r\nX: y\r\n" + EMPTY)
                self.assertEqual((reply.status, reply.all("x"), reply.all("x-hop"), reply.closes()), (200, [b"y"], [], False))

    def test_connection_may_name_anything_in_a_response_and_the_framing_stays_right(self):
        for name, lines, body, seen in (
            (b"Content-Length", b"Content-Length: 2", b"ok", b"ok"), (b"Transfer-Encoding", b"Transfer-Encoding: chunked", b"2\r\nok\r\n0\r\n\r\n", b"ok"),
            (b"Transfer-Encoding", b"Content-Length: 2", b"ok", b"ok"), (b"Date", b"Date: Tue, 01 Jan 2030 00:00:00 GMT\r\nContent-Length: 2", b"ok", b"ok"),
            (b"Set-Cookie", b"Set-Cookie: a=b\r\nContent-Length: 2", b"ok", b"ok"), (b"Content-Type", b"Content-Type: a/b\r\nContent-Length: 2", b"ok", b"ok"),
            (b"Cache-Control, Location", b"Location: /x\r\nContent-Length: 2", b"ok", b"ok"), (b"Via", b"Via: 1.1 x\r\nContent-Length: 2", b"ok", b"ok"),
        ):
            with self.subTest(name):
                reply = self.answered(b"Connection: " + name + b"\r\n" + lines + b"\r\n", body)
                self.assertEqual((reply.status, reply.body, reply.complete), (200, seen, True))
                for option in name.decode().lower().split(", "):
                    if option in ("set-cookie", "content-type", "location"):
                        self.assertEqual(reply.all(option), [])
                self.assertEqual((len(reply.all("date")), reply.all("via")), (1, [b"1.1 portcullis"]))

    def test_connection_that_is_no_list_of_tokens_is_a_502(self):
        for value in (b"a b", b'"close"', b"a;b", b"a," * 40):
            self.assertEqual(self.answered(b"Connection: " + value + b"\r\n" + EMPTY).status, 502)

    def test_trailers_that_connection_names_stay_here(self):
        chunked = b"Transfer-Encoding: chunked\r\n"
        self.assertEqual(self.answered(chunked, b"0\r\nX-Sum: 1\r\n\r\n").trailers, [(b"x-sum", b"1")])
        self.assertEqual(self.answered(chunked + b"Connection: x-sum\r\n", b"0\r\nX-Sum: 1\r\n\r\n").trailers, [])
        for name in (b"Content-Length", b"Transfer-Encoding", b"Connection", b"Set-Cookie", b"Location", b"Content-Type", b"Keep-Alive", b"WWW-Authenticate"):
            self.assertEqual(self.answered(chunked, b"0\r\n" + name + b": 1\r\nX: 1\r\n\r\n").trailers, [(b"x", b"1")])

    def test_date_and_via(self):
        reply = self.answered(EMPTY)
        self.assertRegex(reply.get("date"), r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertEqual(reply.all("via"), [b"1.1 portcullis"])
        reply = self.answered(b"Date: Tue, 01 Jan 2030 00:00:00 GMT\r\nVia: 1.1 x, 1.0 y\r\n" + EMPTY)
        self.assertEqual((reply.all("date"), reply.all("via")), ([b"Tue, 01 Jan 2030 00:00:00 GMT"], [b"1.1 x, 1.0 y", b"1.1 portcullis"]))
        self.origin.script = self.origin.says(b"HTTP/1.0 200 OK\r\n" + EMPTY + b"\r\n", close=True)
        self.assertEqual(self.exchange(GET + b"\r\n").all("via"), [b"1.0 portcullis"])
        for data in (b"GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /secret HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /fixed HTTP/1.1\r\n\r\n"):
            self.assertEqual(len(self.exchange(data).all("date")), 1)

    def test_a_426_says_what_to_upgrade_to(self):
        self.origin.script = self.origin.says(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + EMPTY + b"\r\n")
        reply = self.exchange(GET + b"\r\n")
        self.assertEqual((reply.status, reply.all("upgrade"), reply.get("connection").lower()), (426, [b"websocket"], "upgrade"))

    def test_authentication_fields_of_the_backend_go_on_unchanged(self):
        reply = self.answered(b'WWW-Authenticate: Basic realm="x", Digest a=b\r\nWWW-Authenticate: Negotiate\r\n' + EMPTY)
        self.assertEqual(reply.all("www-authenticate"), [b'Basic realm="x", Digest a=b', b"Negotiate"])
