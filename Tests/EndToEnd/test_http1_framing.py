"""Where a request ends: Content-Length, Transfer-Encoding, chunks and trailers (RFC 9112 §6, §7, RFC 9110 §6.5, §8.6)."""

import itertools
import threading

from http1 import WireTest

POST = b"POST /open/x HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SECOND = b"GET /open/second HTTP/1.1\r\nHost: a\r\n\r\n"


class Lengths(WireTest):
    def test_lengths_that_are_refused(self):
        for value in (
            b"", b" ", b"\t", b"+5", b"-5", b"-0", b"0x5", b"5h", b"5 5", b"5,5", b"5, 5", b"5,", b",5", b"5;x", b"5.0", b"5e0", b"'5'", b'"5"', b"five",
            b"5\x0b", b"\x0c5", b"5\xa0", b"5\0", b"\xd9\xa5", b"NaN", b"Infinity", b"0b101", b"0o5", b"1_0", b"(5)", b"5 ; 6", b"5\r\n 5",
        ):
            with self.subTest(value):
                self.refused(POST + b"Content-Length: " + value + b"\r\n\r\nhello" + SECOND, 400)
        for value in (b"9223372036854775808", b"18446744073709551621", b"18446744073709551616", b"9" * 40, b"4294967301", b"1048577"):
            with self.subTest(value):
                self.refused(POST + b"Content-Length: " + value + b"\r\n\r\nhello" + SECOND, 400, 413)

    def test_two_lengths_are_refused_even_if_they_agree(self):
        for first, second in itertools.product((b"5", b"6", b"05", b"", b"x"), repeat=2):
            with self.subTest((first, second)):
                fields = b"Content-Length: " + first + b"\r\nX: y\r\ncontent-LENGTH: " + second + b"\r\n"
                self.refused(POST + fields + b"\r\nhello" + SECOND, 400)

    def test_lengths_that_count(self):
        for value, length in ((b"5", 5), (b"0", 0), (b"05", 5), (b"0000000000000000000000000000005", 5), (b"  5 \t", 5)):
            for method in (b"POST", b"GET", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"X"):
                with self.subTest((value, method)):
                    head = method + b" /open/x HTTP/1.1\r\nHost: a\r\nContent-Length:" + value + b"\r\n\r\n"
                    call, _ = self.forwarded(head + b"hello"[:length])
                    self.assertEqual((call.all("content-length"), call.body), ([b"%d" % length], b"hello"[:length]))

    def test_what_lies_behind_a_length_is_the_next_request(self):
        with self.client() as client:
            client.send(POST + b"Content-Length: 5\r\n\r\nhello" + SECOND + POST + b"\r\n" + SECOND)
            self.assertEqual([client.reply().body.split(b" ")[1] for _ in "1234"], [b"/open/x", b"/open/second"] * 2)
        with self.client() as client:
            client.send(POST + b"Content-Length: 5\r\n\r\nhelloXGET /open/second HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(client.reply().body.split(b" ")[1], b"/open/x")
            self.assertTrue(client.reply().body.startswith(b"XGET /open/second"))

    def test_names_that_only_look_like_framing_are_no_framing_and_stay_here(self):
        for name in (b"Content_Length", b"Content.Length", b"Content~Length", b"Transfer_Encoding", b"Transfer.Encoding", b"transfer'encoding"):
            with self.subTest(name):
                call, _ = self.forwarded(b"GET /open/x HTTP/1.1\r\nHost: a\r\n" + name + b": 5\r\n\r\n")
                self.assertEqual(call.all(name.decode().lower()), [])
                self.assertEqual(call.body, b"")


class Codings(WireTest):
    def test_a_coding_that_does_not_end_with_chunked_is_a_400(self):
        for value in (
            b"gzip", b"deflate", b"compress", b"identity", b"br", b"xchunked", b"chunkedx", b"chunke", b"x-chunked", b"chunked, gzip", b"chunked, identity",
            b"chunked, chunked", b"chunked,chunked", b"gzip, chunked, gzip", b"chunked;q=1", b"chunked; x", b"chunked ;", b'"chunked"', b"'chunked'",
            b"chunked\x0b", b"\x0cchunked", b"chunked\xa0", b"\xc2\xa0chunked", b"chunked\0", b"", b",", b"chun ked", b"chunked identity", b"identity chunked",
            b"chunked\r\n identity", b"\r\n chunked", b"{chunked}", b"chunked=1", b"chunk\xc3\xa9d", b"ch\xc5\xb3nked",
        ):
            with self.subTest(value):
                self.refused(POST + b"Transfer-Encoding: " + value + b"\r\n\r\n0\r\n\r\n" + SECOND, 400)
        for value in (b"gzip, chunked", b"gzip;q=1, chunked", b"x, y, chunked", b"identity, chunked", b"gzip\r\nTransfer-Encoding: chunked"):
            with self.subTest(value):
                self.refused(POST + b"Transfer-Encoding: " + value + b"\r\n\r\n0\r\n\r\n" + SECOND, 400, 501)
        for second in (b"chunked", b"identity", b"gzip", b""):
            self.refused(POST + b"Transfer-Encoding: chunked\r\ntransfer-encoding: " + second + b"\r\n\r\n0\r\n\r\n" + SECOND, 400)

    def test_chunked_in_any_case(self):
        for line in (b"Transfer-Encoding: chunked", b"TRANSFER-ENCODING:CHUNKED", b"transfer-encoding:\tChunked \t", b"Transfer-encoding:  cHUNKED"):
            with self.subTest(line):
                call, _ = self.forwarded(POST + line + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
                self.assertEqual((call.all("transfer-encoding"), call.body), ([b"chunked"], b"hello"))

    def test_a_coding_and_a_length_are_refused_in_any_order(self):
        coding = b"Transfer-Encoding: chunked\r\n"
        for length in (b"5", b"0", b"50", b"", b"x"):
            length = b"Content-Length: " + length + b"\r\n"
            for fields in (coding + length, length + coding, length + b"X: y\r\n" + coding, coding + length + coding):
                with self.subTest(fields):
                    self.refused(POST + fields + b"\r\n0\r\n\r\n" + SECOND, 400)
        self.refused(POST + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello" + SECOND, 400)

    def test_http_1_0_has_no_codings(self):
        for fields in (b"", b"Connection: keep-alive\r\n", b"Content-Length: 5\r\n"):
            head = b"POST /open/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + fields
            self.refused(head + b"\r\n5\r\nhello\r\n0\r\n\r\n" + SECOND, 400)

    def test_blanks_and_controls_around_the_name(self):
        for line in (
            b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked", b"\tTransfer-Encoding: chunked",
            b"Transfer-Encoding\x0b: chunked", b"\x0bTransfer-Encoding: chunked", b"Transfer\xadEncoding: chunked", b"Transfer-Encoding\0: chunked",
            b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b"Transfer-Encoding\r\n: chunked", b"Transfer-Encoding chunked",
            b"Content-Length : 5", b"Content-Length\t:5", b"Content-Length\r\n : 5", b"Content Length: 5", b"\0Content-Length: 5",
        ):
            with self.subTest(line):
                self.refused(POST + line + b"\r\n\r\n0\r\n\r\n" + SECOND, 400)


class Chunks(WireTest):
    def test_chunks_that_are_refused_before_a_byte_goes_on(self):
        for chunks in (
            b"5\nhello\r\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n",
            b"5\r\nhell\r\n0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
            b"5\t\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5h\r\nhello\r\n0\r\n\r\n",
            b"g\r\nhello\r\n0\r\n\r\n", b"5,5\r\nhello\r\n0\r\n\r\n", b"5.0\r\nhello\r\n0\r\n\r\n", b"five\r\nhello\r\n0\r\n\r\n", b"\x005\r\nhello\r\n0\r\n\r\n",
            b"5\0\r\nhello\r\n0\r\n\r\n", b"5\x0b\r\nhello\r\n0\r\n\r\n", b"\xc2\xb2\r\nhello\r\n0\r\n\r\n", b"100000005\r\nhello\r\n0\r\n\r\n",
            b"FFFFFFFFFFFFFFFB\r\nhello\r\n0\r\n\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"5;\r\nhello\r\n0\r\n\r\n", b"5;=\r\nhello\r\n0\r\n\r\n",
            b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n", b"5;a=\r\nhello\r\n0\r\n\r\n", b'5;a="b\r\nhello\r\n0\r\n\r\n',
            b'5;a="b\\\r\nhello\r\n0\r\n\r\n', b"5;a\0\r\nhello\r\n0\r\n\r\n", b"5;a\x01=b\r\nhello\r\n0\r\n\r\n", b"5 a=b\r\nhello\r\n0\r\n\r\n",
            b"5;a=b c\r\nhello\r\n0\r\n\r\n", b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n", b"5\n;\r\nhello\r\n0\r\n\r\n", b"5;\n\r\nhello\r\n0\r\n\r\n",
            b"0\n\n", b"0\r\n\n", b"0\n\r\n", b"0\r\r\n\r\n", b"0\r\nX: y\n\r\n", b"0\r\nX: y\r\r\n\r\n", b"0\r\n X: y\r\n\r\n", b"0\r\nX: y\r\n z\r\n\r\n",
            b"0\r\nX : y\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX\r\n\r\n", b"0\r\nX: \0\r\n\r\n", b"0\r\nX: y\x7f\r\n\r\n", b"0\r\nX(: y\r\n\r\n",
            b"0\r\nGET /open/second HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\nhello\r\n\r\n",
        ):
            with self.subTest(chunks):
                self.refused(CHUNKED + chunks + SECOND, 400)
        for trailers in (b"X: " + b"y" * 9000 + b"\r\n", b"X: y\r\n" * 200, b"".join(b"X%d: " % i + b"y" * 2000 + b"\r\n" for i in range(6))):
            self.refused(CHUNKED + b"0\r\n" + trailers + b"\r\n", 400, 431)

    def test_chunks_that_count_are_framed_anew_without_their_extensions(self):
        for chunks, body in (
            (b"0\r\n\r\n", b""), (b"00\r\n\r\n", b""), (b"00000000\r\n\r\n", b""), (b"5\r\nhello\r\n0\r\n\r\n", b"hello"), (b"05\r\nhello\r\n000\r\n\r\n", b"hello"),
            (b"00000005\r\nhello\r\n0\r\n\r\n", b"hello"), (b"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", b"hello"), (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
            (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"), (b"5;x\r\nhello\r\n0\r\n\r\n", b"hello"), (b"5;x=y\r\nhello\r\n0;z\r\n\r\n", b"hello"),
            (b'5;x="y z"\r\nhello\r\n0\r\n\r\n', b"hello"), (b'5;x="a\\"b;c";d\r\nhello\r\n0\r\n\r\n', b"hello"), (b"5 ;x\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"5\t; x = y ; z\r\nhello\r\n0\r\n\r\n", b"hello"), (b"5;x=y;x=z\r\nhello\r\n0\r\n\r\n", b"hello"), (b"5;0\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"), (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"), (b"5\r\n\0\r\n\xff\n\r\n0\r\n\r\n", b"\0\r\n\xff\n"),
            (b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n", b"x" * 4096),
        ):
            with self.subTest(chunks):
                with self.client() as client:
                    self.origin.forget()
                    client.send(CHUNKED + chunks + SECOND)
                    reply = client.reply()
                    self.assertTrue(reply.body.endswith(b"\r\n\r\n" + body), (reply.status, reply.body))
                    self.assertEqual(client.reply().body.split(b" ")[1], b"/open/second")
                self.assertEqual((self.origin.calls[0].body, self.origin.faults), (body, []))
                self.assertNotIn(b";", self.origin.raw.split(b"\r\n\r\n", 1)[1].split(b"GET")[0])

    def test_every_cut_of_a_chunked_body_is_the_same_body(self):
        data = CHUNKED + b'3;a="\\"b"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n'
        for cut in range(len(CHUNKED) - 4, len(data)):
            self.origin.forget()
            with self.client() as client:
                client.send(data[:cut])
                # The backend hears of it at once unless the head itself is cut: then the second piece is what it waits for.
                if cut >= len(CHUNKED):
                    self.eventually(lambda: self.origin.calls, "the head did not go on")
                client.send(data[cut:])
                self.assertEqual(client.reply().status, 200)
            call = self.origin.calls[0]
            self.assertEqual((call.body, call.trailers), (b"abc0123456789", [(b"x-sum", b"1")]))

    def test_what_is_wrong_later_ends_the_request_at_the_backend_unfinished(self):
        for tail in (b"\n", b"zz\r\n", b"hellohello", b"5\nhello\r\n0\r\n\r\n", b"0\r\nX : y\r\n\r\n", b"0\r\n\n" + SECOND):
            with self.subTest(tail), self.client() as client:
                self.origin.forget()
                client.send(CHUNKED + b"5\r\nhello\r\n")
                self.eventually(lambda: b"hello" in self.origin.raw, "nothing arrived")
                client.send(tail)
                reply = client.reply()
                self.assertEqual((reply.status, reply.closes(), client.closed()), (400, True, True))
                self.assertNotIn(b"\r\n0\r\n", self.origin.raw)
                self.assertNotIn(b"second", self.origin.raw)

    def test_bodies_over_the_limit_end_with_a_413(self):
        self.refused(POST + b"Content-Length: 1048577\r\n\r\n", 413)
        self.refused(POST + b"Content-Length: 1048577\r\nExpect: 100-continue\r\n\r\n", 413)
        call, _ = self.forwarded(POST + b"Content-Length: 1048576\r\n\r\n" + b"x" * 1048576)
        self.assertEqual(len(call.body), 1048576)
        ended = threading.Event()

        def script(call):
            try:
                call.read_body()
            finally:
                ended.set()

        self.origin.script = script
        with self.client() as client:
            client.send(CHUNKED + b"100000\r\n" + b"x" * 1048576 + b"\r\n1\r\nx\r\n0\r\n\r\n")
            reply = client.reply()
            self.assertTrue(reply is None or reply.status == 413 and reply.closes())
        self.assertTrue(ended.wait(4))

    def test_lines_that_weigh_more_than_their_data_are_refused(self):
        with self.client() as client:
            client.send(CHUNKED + (b"1;" + b"a" * 250 + b"\r\nx\r\n") * 200)
            self.assertEqual(client.reply().status, 400)


class Trailers(WireTest):
    def sent(self, trailers, fields=b""):
        return self.forwarded(POST + fields + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + trailers + b"\r\n")[0]

    def test_harmless_trailers_go_on(self):
        call = self.sent(b"X-Sum: 1\r\nx-sum:2\r\nDigest: \t sha=1 \r\n")
        self.assertEqual(call.trailers, [(b"x-sum", b"1"), (b"x-sum", b"2"), (b"digest", b"sha=1")])

    def test_trailers_that_would_be_read_as_head_fields_stay_here(self):
        for name in (
            b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"Trailer", b"TE", b"Upgrade", b"Keep-Alive", b"Proxy-Connection", b"Expect",
            b"Authorization", b"Proxy-Authorization", b"Proxy-Authenticate", b"WWW-Authenticate", b"Cookie", b"Set-Cookie", b"Content-Encoding",
            b"Content-Type", b"Content-Range", b"Cache-Control", b"Max-Forwards", b"Range", b"If-Match", b"If-None-Match", b"If-Range",
            b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Forwarded", b"X-Real-IP", b"X-Request-Id", b"Via", b"Origin", b"X-User-Id",
            b"x-user-ID", b"X_User_Id", b"X.User.Id", b"X-User-Roles", b"X-Auth-Issuer", b"X-User-Email", b"X-Original-URL", b"Traceparent",
        ):
            with self.subTest(name):
                call = self.sent(name + b": 1\r\nX-Sum: 1\r\n", b"Trailer: " + name + b"\r\n")
                self.assertEqual(call.trailers, [(b"x-sum", b"1")])

    def test_trailers_that_connection_names_stay_here(self):
        self.assertEqual(self.sent(b"X-Hop: 1\r\n", b"Connection: x-hop\r\n").trailers, [])
        self.assertEqual(self.sent(b"X-Hop: 1\r\n", b"Connection: keep-alive, X-HOP, te\r\n").trailers, [])
