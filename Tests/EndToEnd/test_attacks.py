"""Requests that two hops could read differently: refused, closed, and not one byte of them reaches an upstream."""

import time

from harness import TestCase

GET = b"GET /public HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /public HTTP/1.1\r\nHost: a\r\n"
SECOND = b"GET /public/second HTTP/1.1\r\nHost: a\r\n\r\n"
CASES = []


def case(name, data, *statuses):
    CASES.append((name, data, statuses or (400,)))


case("both framings", POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND)
case("both framings, other order", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SECOND)
case("two lengths", POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + SECOND)
case("two equal lengths", POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + SECOND)
for value in (b"+5", b"-5", b"0x5", b"5 5", b"5,5", b"", b"5a", b"1e1", b"9" * 23, b"\x0b5", b"5;", b"5.0", b"\xef\xbc\x95"):
    case(f"length {value!r}", POST + b"Content-Length: " + value + b"\r\n\r\nhello" + SECOND, 400, 413)
for value in (
    b"gzip", b"gzip, chunked", b"identity", b"chunked, gzip", b"chunked, chunked", b"xchunked", b"chunked;q=1", b'"chunked"',
    b"\x0bchunked", b"", b"chunked,", b"cow", b"chunked identity", b",chunked", b"chun ked",
):
    case(f"coding {value!r}", POST + b"Transfer-Encoding: " + value + b"\r\n\r\n0\r\n\r\n" + SECOND, 400, 501)
case("coding twice", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, 400, 501)
case("coding in HTTP/1.0", b"POST /public HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND)
case("blank before the colon", POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SECOND)
case("folded field", GET + b"X: a\r\n b\r\n\r\n")
case("folded field by tab", GET + b"X: a\r\n\tb\r\n\r\n")
case("folded first field", b"GET /public HTTP/1.1\r\n Host: a\r\n\r\n")
case("bare LF", b"GET /public HTTP/1.1\r\nHost: a\nX: b\r\n\r\n")
case("bare LF everywhere", b"GET /public HTTP/1.1\nHost: a\n\n")
case("bare LF at the end", GET + b"X: b\r\n\n")
case("bare CR", GET + b"X: a\rb\r\n\r\n")
case("NUL in a value", GET + b"X: a\0b\r\n\r\n")
case("NUL in a name", GET + b"X\0: b\r\n\r\n")
for code in (1, 7, 8, 11, 12, 27, 127):
    case(f"control {code} in a value", GET + b"X: a" + bytes([code]) + b"b\r\n\r\n")
case("empty name", GET + b": b\r\n\r\n")
case("no colon", GET + b"XYZ\r\n\r\n")
for byte in b' ()/;<=>?@[\\]{}"':
    case(f"name with {chr(byte)!r}", GET + b"X" + bytes([byte]) + b"Y: b\r\n\r\n")
case("name not ASCII", GET + b"X\xff: b\r\n\r\n")
case("no host", b"GET /public HTTP/1.1\r\n\r\n")
case("two equal hosts", GET + b"Host: a\r\n\r\n")
case("two hosts", GET + b"Host: b\r\n\r\n")
for value in (b"a b", b"a,b", b"a/b", b"user@a", b"a:b", b"a:99999", b"[::1", b"a?b", b"a#b", b"", b"a\\b", b"a:80:80", b"a:-1"):
    case(f"host {value!r}", b"GET /public HTTP/1.1\r\nHost: " + value + b"\r\n\r\n")
for line in (
    b"GET  /public HTTP/1.1", b"GET /public  HTTP/1.1", b"GET\t/public HTTP/1.1", b" GET /public HTTP/1.1",
    b"GET /public HTTP/1.1 ", b"GET /public", b"GET /public HTTP/1.2", b"GET /public HTTP/2.0", b"GET /public HTTP/0.9",
    b"GET /public http/1.1", b"GET /public HTTP/11", b"GET /public HTTP/1.", b"GET /public HTTP/1.1\x00", b"GET /public XTTP/1.1",
    b"G@T( /public HTTP/1.1", b"GET public HTTP/1.1", b"GET * HTTP/1.1", b"GET  HTTP/1.1", b"GET /pub lic HTTP/1.1",
    b"GET /public\x7f HTTP/1.1", b"GET /public#fragment HTTP/1.1", b"GET /public\xc3\xa9 HTTP/1.1", b"GET /public?a b HTTP/1.1",
    b"GET /public?a\xff HTTP/1.1", b"GET ftp://a/public HTTP/1.1", b"GET http://u:p@a/public HTTP/1.1",
    b"GET http:///public HTTP/1.1", b"CONNECT a:80 HTTP/1.1", b"CONNECT /public HTTP/1.1", b"PRI * HTTP/2.0", b"GET /public HTTP/1.1\r",
):
    case(f"line {line!r}", line + b"\r\nHost: a\r\n\r\n", 400, 405, 501, 505)
case("empty lines before", b"\r\n\r\n\r\n" + GET + b"\r\n")
for name in (
    b"host", b"authorization", b"content-length", b"transfer-encoding", b"cookie", b"X-User-Id", b"x_user_id", b"X-Forwarded-For",
    b"close, x-user-ID", b"Forwarded",
):
    case(f"connection names {name!r}", GET + b"Connection: " + name + b"\r\nX-User-Id: 3\r\n\r\n")
case("unknown expectation", POST + b"Expect: 200-ok\r\nContent-Length: 0\r\n\r\n", 417)
for chunks in (
    b"5;\n\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff1\r\nhello", b"5\rhello\r\n0\r\n\r\n",
    b"-1\r\nhello\r\n0\r\n\r\n", b"5;" + b"a" * 1000 + b"\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    b"5\r\nhello\r\n0\r\n X: y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\n\r\n", b"000000000005\r\nhello\r\n0\r\n\r\n",
):
    case(f"chunk {chunks[:24]!r}", POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + SECOND, 400, 431)
case("long line", b"GET /public" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414)
case("long field", GET + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431)
case("many fields", GET + b"".join(b"X%d: a\r\n" % i for i in range(200)) + b"\r\n", 431)
case("long head", GET + b"".join(b"X%d: " % i + b"a" * 4000 + b"\r\n" for i in range(20)) + b"\r\n", 431)
case("two credentials", GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n")
case("large body", POST + b"Content-Length: 99999999\r\n\r\n", 413)
case("trace", b"TRACE /public HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405)


class Attacks(TestCase):
    configuration = TestCase.keys.ISSUERS + """
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: public, match: {path: /public}, auth: public, forward: {upstream: a}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""

    def test_refused_closed_and_not_forwarded(self):
        for name, data, statuses in CASES:
            with self.subTest(name):
                self.upstream.forget()
                answer = self.gateway.raw(data, wait=3)
                self.assertRegex(answer, rb"^HTTP/1\.1 (%s) " % b"|".join(b"%d" % s for s in statuses))
                self.assertTrue(answer.endswith((b"<EOF>", b"<RST>")), "the connection stayed open")
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1, "a second request was answered")
                self.assertEqual(self.upstream.received(), b"", "bytes reached the upstream")

    def test_dripping_a_head_gets_the_same_answers(self):
        for name, data, statuses in CASES[:20]:
            with self.subTest(name):
                self.upstream.forget()
                cut = data.index(b"\r\n\r\n") + 2 if b"\r\n\r\n" in data else len(data) - 1
                answer = self.gateway.raw(data[:9], data[9:cut], data[cut:], wait=3, pause=0.01)
                self.assertRegex(answer, rb"^HTTP/1\.1 (%s) |^<RST>" % b"|".join(b"%d" % s for s in statuses))
                self.assertEqual(self.upstream.received(), b"")


PATHS = (
    "/public/../admin /public/%2e%2e/admin /public/..%2fadmin /public/%2e%2e%2fadmin /public/..;/admin /public/..\\admin "
    "/public/%5cadmin /public%2f..%2fadmin /public/%252e%252e/admin /public/%00 /public/%c0%ae%c0%ae/admin /public/%zz /public/% "
    "/../../etc /public/;/../admin /public/.;/admin //admin /./admin /public/%2E./admin /public/.%2e/admin /%70ublic/../admin "
    "/public/%ff /public/%3b /public/%23 /public/%3f /public/..%5cadmin /public/..%00/admin /public/..%0d/ /public/%e0%80%ae/ "
    "/public/..;x=1/admin /public/a/../../admin /public//../admin /PUBLIC /publicx /public%20/../admin /public;/../admin "
    "http://a/public/../admin /public/..%252fadmin /public/%2e%2e;/admin /public/./../admin /public/.../../../admin"
).split()


class Paths(TestCase):
    configuration = Attacks.configuration

    def test_no_spelling_of_a_path_leaves_the_public_route(self):
        for path in PATHS:
            with self.subTest(path):
                self.upstream.forget()
                answer = self.gateway.raw(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode(), wait=3)
                self.assertRegex(answer, rb"^HTTP/1\.1 (400|401) ")
                self.assertEqual(self.upstream.received(), b"")

    def test_a_canonical_path_is_what_arrives(self):
        for sent, arrived in (
            ("/public/%7Eada", "/public/~ada"), ("/public//a///b", "/public/a/b"), ("/public/./a", "/public/a"),
            ("/public/a/../b", "/public/b"), ("/public/%e2%82%ac", "/public/%E2%82%AC"), ("/public/a?b=/../c", "/public/a?b=/../c"),
            ("/public/a;v=1/b", "/public/a;v=1/b"), ("/public/a%20b", "/public/a%20b"), ("/public", "/public"), ("/public/", "/public/"),
        ):
            with self.subTest(sent):
                self.assertEqual(self.gateway.get(sent).body.split(" ")[1], arrived)
