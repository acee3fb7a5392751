"""Requests over HTTP/2 that would be read differently as HTTP/1.1: refused, and not one byte of them reaches a backend."""

import re
import time

from frames import END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, block, frame, request
from h2cases import Outcome, Suite, served

REFUSALS = (400, 401, 405, 413, 414, 417, 421, 431, 501)
# What each case sends: (title, fields, pieces of content and whether the last one ends the stream).
CASES = []


def case(title, fields, *content, ends=None):
    CASES.append((title, fields, content, not content if ends is None else ends))


def get(*extra, **changes):
    """The fields of a request, with some pseudo-header fields changed and others added."""
    fields = [(name, changes.get(name[1:].decode(), value)) for name, value in request(path=b"/public")]
    return [field for field in fields if field[1] is not None] + list(extra)


# Names.
for name in (
    b"", b" x", b"x ", b"x y", b"x:", b"x:y", b":x", b"x\r\ny", b"x\ny", b"x\ry", b"x\r", b"x\n", b"x\0", b"\0x", b"x\t", b"X-Upper", b"eXtra",
    b"x\x7f", b"x\x80", b"x\xff", b"x\xc3\xa9", b"x\x01", b"transfer-encoding ", b"transfer-encoding:", b"content-length ", b"host ",
    b"authorization\t", b"x: y\r\nz",
):
    case(f"name {name!r}", get((name, b"v")))
for byte in b'"(),/;<=>?@[\\]{}':
    case(f"name with {chr(byte)!r}", get((b"x" + bytes([byte]) + b"y", b"v")))

# Values.
for value in (
    b"a\r\nx: y", b"a\ny", b"a\rb", b"a\0b", b" a", b"a ", b"\ta", b"a\t", b" ", b"a\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n", b"a\r",
    b"a\n", b"\0",
):
    case(f"value {value!r}", get((b"x", value)))
for code in [*range(1, 9), 11, 12, *range(14, 32), 127]:
    case(f"control {code} in a value", get((b"x", b"a" + bytes([code]) + b"b")))
for name in (b"cookie", b"user-agent", b"content-type", b"te"):
    case(f"CR LF in {name!r}", get((name, b"trailers\r\nx-user-id: root")))

# Fields of one connection, and framing of another protocol.
for name, value in (
    (b"connection", b"close"), (b"connection", b"x-user-id"), (b"connection", b"upgrade"), (b"connection", b""), (b"keep-alive", b"timeout=5"),
    (b"proxy-connection", b"keep-alive"), (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity"),
    (b"transfer-encoding", b""), (b"transfer-encoding", b"gzip, chunked"), (b"upgrade", b"h2c"), (b"upgrade", b"websocket"),
    (b"te", b"gzip"), (b"te", b"trailers, gzip"), (b"te", b"trailers;q=1"), (b"te", b""), (b"te", b"chunked"),
):
    case(f"{name.decode()}: {value.decode()}", get((name, value)))
case("chunks as content", get((b"transfer-encoding", b"chunked"), method=b"POST"), b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n", ends=True)

# Lengths.
for value in (
    b"+1", b"-1", b"1,1", b"1, 1", b"0x1", b"1 1", b"", b"1a", b"a", b"1.0", b"9" * 20, b"18446744073709551616", b"\xef\xbc\x91", b"1;",
):
    case(f"length {value!r}", get((b"content-length", value), method=b"POST"), b"a", ends=True)
case("two lengths", get((b"content-length", b"1"), (b"content-length", b"2"), method=b"POST"), b"a", ends=True)
case("two equal lengths", get((b"content-length", b"1"), (b"content-length", b"1"), method=b"POST"), b"a", ends=True)
case("a length and no content", get((b"content-length", b"5"), method=b"POST"))
case("a length with GET and no content", get((b"content-length", b"5")))

# Pseudo-header fields.
for path in (
    b"", b"public", b"*", b"?a", b"http://gateway.example/public", b"https://evil.example/", b"/public x", b"/public\r\nx: y", b"/public\n", b"/public\r",
    b"/public\0", b"/public\x7f", b"/public#frag", b"/public\xc3\xa9", b"/public\t", b" /public", b"/public ", b"/public HTTP/1.1\r\nHost: a\r\n\r\n",
    b"/public/../admin", b"/public/%2e%2e/admin", b"/public/..%2fadmin", b"//admin", b"/public\\..\\admin", b"/public/%00", b"/%70ublic/../admin",
    b"/public?a b", b"/" + b"a" * 9000,
):
    case(f"path {path[:40]!r}", get(path=path))
for method in (
    b"", b"GE T", b"GET ", b" GET", b"GET\r\n", b"GET /admin HTTP/1.1\r\nx:", b"G\0T", b"GET\t", b"G@T", b"CONNECT", b"TRACE", b"G\xc3\x89T", b"G" * 9000,
):
    case(f"method {method[:40]!r}", get(method=method))
for scheme in (b"", b"ftp", b"javascript", b"http ", b"http\r\nx: y", b"h", b"ws", b"http://a"):
    case(f"scheme {scheme!r}", get(scheme=scheme))
for authority in (
    b"", b"a b", b"user@a", b"user:pass@a", b"a,b", b"a/b", b"a\r\nx: y", b"a\n", b"a\0", b"a:b", b"a:99999", b"[::1", b"a#b", b"a?b", b"a\\b", b"a:80:80",
    b" a", b"a ", b"a:-1",
):
    case(f"authority {authority!r}", get(authority=authority))
case("another host", get((b"host", b"evil.example")))
case("another port in host", get((b"host", b"gateway.example:81")))
case("an empty host", get((b"host", b"")))
case("two hosts", get((b"host", b"gateway.example"), (b"host", b"gateway.example")))
case("two hosts and no authority", get((b"host", b"a.example"), (b"host", b"b.example"), authority=None))
case("neither host nor authority", get(authority=None))
case("an empty host and no authority", get((b"host", b""), authority=None))
case("host with a blank and no authority", get((b"host", b"a b"), authority=None))
case("two authorities", get()[:1] + [(b":authority", b"a.example")] + get()[1:])
case("a response's field", [(b":status", b"200")] + get())
case("an unknown pseudo-header field", [(b":x", b"y")] + get())
case("a protocol without CONNECT", [(b":protocol", b"websocket")] + get())
case("CONNECT with an unknown protocol", [(b":protocol", b"h2c")] + get(method=b"CONNECT"), ends=False)
case("CONNECT with an authority alone", get(method=b"CONNECT", path=None, scheme=None), ends=False)
case("CONNECT with two protocols", [(b":protocol", b"websocket"), (b":protocol", b"websocket")] + get(method=b"CONNECT"), ends=False)
case("a pseudo-header field behind others", get((b"x", b"y"), (b":path", b"/admin")))
case("a path behind others", get((b"x", b"y"), (b":path", b"/public"), path=None))
case("an unknown expectation", get((b"expect", b"200-ok"), (b"content-length", b"0"), method=b"POST"))

# Sizes.
case("a long field", get((b"x", b"a" * 9000)))
case("many fields", get(*[(b"x%d" % number, b"a") for number in range(120)]))
case("a long list", get(*[(b"x%d" % number, b"a" * 400) for number in range(80)]))
case("long cookies", get(*[(b"cookie", b"a%d=" % number + b"b" * 200) for number in range(150)]))
case("very many cookies", get(*[(b"cookie", b"a=b") for _ in range(900)]))
case("two credentials", get((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")))
case("no credential", get(path=b"/admin"))
case("a credential that is none", get((b"authorization", b"Bearer x"), path=b"/admin"))
case("a large body", get((b"content-length", b"99999999"), method=b"POST"), ends=False)

IDENTITY = """
identity:
  headers: [{claim: sub, header: X-User-Id}]
  protected_headers: [X-Internal-Secret]
"""


class Downgrade(Suite):
    settings = IDENTITY
    routes = """
routes:
  - {name: public, match: {path: /public}, auth: public, forward: {upstream: a}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""

    def setUp(self):
        # What the case before left on its way has arrived by then.
        time.sleep(0.1)
        super().setUp()

    def send(self, c, fields, content, ends):
        if c.scheme == b"https":
            fields = [(name, b"https" if (name, value) == (b":scheme", b"http") else value) for name, value in fields]
        text = block(fields)
        pieces = [text[at : at + 16000] for at in range(0, len(text), 16000)]
        out = []
        for place, piece in enumerate(pieces):
            flags = (END_HEADERS if place == len(pieces) - 1 else 0) | (END_STREAM if ends and not content and not place else 0)
            out.append(frame(9 if place else HEADERS, flags, 1, piece))
        for place, piece in enumerate(content):
            out.append(frame(0, END_STREAM if ends and place == len(content) - 1 else 0, 1, piece))
        c.send(*out)

    def refused(self, tls):
        for title, fields, content, ends in CASES:
            with self.subTest(title), self.connect(tls) as c:
                self.origin.forget()
                self.send(c, fields, content, ends)
                c.wait(lambda: c.stream(1).over or c.goaway is not None or c.end is not None)
                answer = c.stream(1)
                if answer.reset is None and c.goaway is None:
                    self.assertIn(answer.status, REFUSALS)
                elif answer.fields is None:
                    self.assertIn(c.goaway.code if c.goaway else answer.reset, (PROTOCOL_ERROR, 11))
                self.assertEqual(self.origin.raw, b"", "bytes reached the backend")
                self.assertEqual(len(answer.interim), 0)
                if c.goaway is None:
                    self.assertTrue(c.alive(), "the connection is gone")

    def test_refused_in_clear_text(self):
        self.refused(False)

    def test_refused_under_tls(self):
        self.refused(True)

    def test_what_is_asked_of_https_comes_over_it(self):
        with self.connect(False) as c:
            c.headers(1, request(path=b"/public", scheme=b"https"))
            self.assertEqual(c.answer(1).reset, PROTOCOL_ERROR)
            self.assertEqual(self.origin.raw, b"")

    def one(self, c, stream=1):
        """The one request that the backend got; whatever it was, it was unambiguous."""
        served(c, stream)
        self.assertEqual(self.origin.faults, [])
        self.assertEqual(len(self.origin.calls), 1)
        return self.origin.calls.pop()

    def test_lengths_that_content_does_not_have(self):
        for length, pieces in ((5, [b"test"]), (3, [b"test"]), (4, [b"te", b"st!"]), (0, [b"a"]), (10, [b"te", b"st"]), (1, [b""])):
            with self.subTest(length=length, pieces=pieces), self.connect() as c:
                self.origin.forget()
                c.post(1, b"/public", [(b"content-length", b"%d" % length)])
                for place, piece in enumerate(pieces):
                    c.data(1, piece, ends=place == len(pieces) - 1)
                answer = c.answer(1)
                # A request without content may have been answered before its content came.
                isOver = length == 0 and (answer.status, answer.reset) == (200, 0)
                self.assertTrue(isOver or answer.reset == PROTOCOL_ERROR, (answer.status, answer.reset))
                self.assertTrue(all(call.body == b"" for call in self.origin.calls), "a request arrived whole")
                self.assertTrue(c.alive())

    def test_content_that_looks_like_a_request_stays_content(self):
        smuggled = b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
        for fields in ([], [(b"content-length", b"%d" % len(smuggled))]):
            with self.subTest(fields), self.connect() as c:
                self.origin.forget()
                c.post(1, b"/public", fields)
                c.data(1, smuggled, ends=True)
                self.assertEqual(self.one(c).body, smuggled)

    def test_trailers_bring_nothing_that_heads_must_not(self):
        for fields, allowed in (
            ([(b"x-user-id", b"root")], True), ([(b"x_user_id", b"root")], True), ([(b"x-internal-secret", b"1")], True),
            ([(b"authorization", b"Bearer a")], True), ([(b"host", b"evil.example")], True), ([(b"cookie", b"a=b")], True),
            ([(b"content-length", b"0")], False), ([(b"transfer-encoding", b"chunked")], False), ([(b"connection", b"close")], False),
            ([(b":path", b"/admin")], False), ([(b"x", b"a\r\ny: z")], False), ([(b"X", b"y")], False), ([(b"x y", b"z")], False),
            ([(b"te", b"gzip")], False), ([(b"upgrade", b"h2c")], False), ([(b"x", b"a" * 9000)], False),
            ([(b"x%d" % number, b"a") for number in range(120)], False),
        ):
            with self.subTest(fields=fields[:1]), self.connect() as c:
                self.origin.forget()
                c.post(1, b"/public", [(b"te", b"trailers")])
                c.data(1, b"test")
                c.headers(1, fields)
                answer = c.answer(1)
                text = self.origin.raw
                for part in (b"root", b"secret", b"evil", b"/admin", b"y: z", b"Bearer", b"a=b"):
                    self.assertNotIn(part, text)
                if allowed and answer.reset is None:
                    self.assertIn(answer.status, (200, 400))
                if not allowed:
                    self.assertTrue(answer.reset is not None or answer.status in REFUSALS, answer.status)
                    self.assertNotIn(b"\r\n0\r\n", self.origin.raw, "a request arrived whole")

    def test_what_a_client_says_of_itself_is_dropped(self):
        names = (
            b"x-user-id x_user_id x-internal-secret x-forwarded-for x-forwarded-host x-forwarded-proto forwarded x-real-ip x-original-url "
            b"x-rewrite-url x-http-method-override x-forwarded-client-cert http2-settings proxy-authorization"
        ).split()
        with self.connect() as c:
            c.get(1, b"/public", [(name, b"spoofed") for name in names])
            self.assertNotIn(b"spoofed", self.one(c).head)

    def test_a_host_that_says_the_same_is_one_host(self):
        for fields, authority in (([(b"host", b"gateway.example")], b"gateway.example"), ([(b"host", b"GATEWAY.example")], b"gateway.example")):
            with self.connect() as c:
                self.origin.forget()
                c.get(1, b"/public", fields, authority=authority)
                self.assertEqual(len(self.one(c).all("host")), 1)

    def test_cookie_crumbs_are_joined(self):
        with self.connect() as c:
            # As many as one field may hold, beside as many other fields as there may be.
            crumbs = [b"a=%d" % number for number in range(60)]
            c.get(1, b"/public", [(b"cookie", crumb) for crumb in crumbs] + [(b"x%d" % number, b"a") for number in range(60)])
            self.assertEqual(self.one(c).all("cookie"), [b"; ".join(crumbs)])

    def test_every_stream_is_judged_for_itself(self):
        token = self.keys.token().encode()
        good = [(b"authorization", b"Bearer " + token)]
        with self.connect() as c:
            c.get(1, b"/admin", good)
            self.assertEqual(self.one(c).all("x-user-id"), [b"ada"])
            for number, fields in ((3, []), (5, [(b"authorization", b"Bearer " + token[:-4] + b"AAAA")]), (7, good + good), (9, [(b"x-user-id", b"ada")])):
                self.origin.forget()
                c.get(number, b"/admin", fields)
                self.assertIn(c.answer(number).status, (400, 401))
                self.assertEqual(self.origin.raw, b"")
            # A token behind the content is none.
            c.get(11, b"/admin", method=b"POST", ends=False)
            c.data(11, b"test")
            c.headers(11, good)
            self.assertEqual(c.answer(11).status, 401)
            self.assertEqual(self.origin.raw, b"")
            c.get(13, b"/admin", good)
            served(c, 13)

    def test_streams_at_once_do_not_share_a_credential(self):
        token = self.keys.token().encode()
        good = [(b"authorization", b"Bearer " + token)]
        with self.connect() as c:
            c.send(*[frame(HEADERS, 5, 1 + 2 * n, block(request(path=b"/admin/%d" % n) + (good if n % 2 else []))) for n in range(60)])
            for n in range(60):
                self.assertEqual(c.answer(1 + 2 * n).status, 200 if n % 2 else 401)
            self.assertEqual(sorted(int(call.path[7:]) for call in self.origin.calls), list(range(1, 60, 2)))

    def test_a_host_that_the_certificate_does_not_cover(self):
        with self.connect(tls=True) as c:
            c.get(1, b"/public", authority=b"evil.example")
            self.assertEqual(c.answer(1).status, 421)
            self.assertEqual(self.origin.raw, b"")
            c.get(3, b"/public")
            served(c, 3)

    def test_a_backend_cannot_switch_protocols(self):
        for head in (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", b"HTTP/1.1 101 X\r\n\r\n"):
            with self.subTest(head), self.connect() as c:
                self.origin.script = lambda call: call.send(head)
                c.get(1, b"/public")
                self.assertEqual(c.answer(1).status, 502)

    def test_a_backends_fields_of_one_connection_stay_there(self):
        with self.connect() as c:
            self.origin.script = self.origin.says(
                b"HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nProxy-Connection: close\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Trailer: 1\r\n\r\n"
            )
            c.get(1, b"/public")
            answer = served(c)
            self.assertEqual(answer.body, b"hi")
            self.assertFalse({name for name, _ in answer.fields} & {b"x-hop", b"keep-alive", b"upgrade", b"proxy-connection", b"connection"})

    def test_http1_does_not_upgrade(self):
        for upgrade in (b"h2c", b"h2c, websocket", b"H2C"):
            raw = b"GET /public HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" % upgrade
            answer = self.gateway.raw(raw, wait=1)
            self.assertRegex(answer, rb"^HTTP/1\.1 (200|400|502) ")
            self.assertNotIn(b"101", answer[:13])
            for call in self.origin.calls:
                self.assertEqual(call.all("http2-settings"), [])
                self.assertFalse(re.search(rb"(?i)h2c", call.head))

    def test_other_protocols_than_the_one_agreed(self):
        for first in (b"GET / HTTP/1.1\r\nHost: gateway.example\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 64):
            with self.subTest(first), self.connect(tls=True, opening=False) as c:
                c.send(first)
                self.assertTrue(c.wait(lambda: c.goaway is not None))
                self.assertEqual(c.goaway.code, PROTOCOL_ERROR)
                self.assertTrue(c.closes(1))
                self.assertEqual(self.origin.raw, b"")

    def test_a_preface_that_is_none_in_clear_text(self):
        for first in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI * HTTP/2.0\r\nHost: a\r\n\r\n", b"PRI * HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI"):
            with self.subTest(first):
                self.assertRegex(self.gateway.raw(first, wait=1, half=True), rb"^HTTP/1\.1 (4|5)\d\d |^<EOF>")
                self.assertEqual(self.origin.raw, b"")
