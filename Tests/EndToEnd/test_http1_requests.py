"""Request lines, targets, Host and methods: RFC 9112 §2.2, §2.3, §3 and RFC 9110 §7.1, §7.2, §7.6.2, §9."""

from http1 import CONFIGURATION, WireTest

HOST = b"Host: a\r\n"


def ask(line, fields=HOST):
    return line + b"\r\n" + fields + b"\r\n"


class Lines(WireTest):
    def test_lines_that_are_no_request_lines(self):
        for line in (
            b"GET", b"GET ", b"GET /open/x", b"GET /open/x ", b"GET\t/open/x\tHTTP/1.1", b"GET /open/x\tHTTP/1.1", b"GET /open/x HTTP/1.1\t",
            b"GET /open/x HTTP/1.1 HTTP/1.1", b"GET /open/x  HTTP/1.1", b" GET /open/x HTTP/1.1", b"\tGET /open/x HTTP/1.1",
            b"GET\x0b/open/x HTTP/1.1", b"GET\x0c/open/x HTTP/1.1", b"GET\xa0/open/x HTTP/1.1", b"GET\0/open/x HTTP/1.1", b"\0GET /open/x HTTP/1.1",
            b"GET /open/x HTTP/1.1\x0b", b"GET /open/x HTTP/1.1,", b"GET /open/x HTTP /1.1", b"GET /open/x HTTP/ 1.1", b"GET /open/x HTTP/1 .1",
            b"GET /open/x HTTP/1,1", b"GET /open/x HTTP/1.1.1", b"GET /open/x HTTP/01.1", b"GET /open/x HTTP/1.01", b"GET /open/x HTTP/1.10",
            b"GET /open/x HTTP/-1.1", b"GET /open/x HTTP/1.-1", b"GET /open/x HTTP/+1.1", b"GET /open/x HTTP/x.y", b"GET /open/x HTTP/1.x",
            b"GET /open/x HTTP\\1.1", b"GET /open/x HTTP1.1", b"GET /open/x hTTP/1.1", b"GET /open/x Http/1.1", b"GET /open/x HTTPS/1.1",
            b"GET /open/x ICY/1.1", b"GET /open/x SIP/2.0", b"GET /open/x RTSP/1.0", b"GET HTTP/1.1 /open/x", b"HTTP/1.1 200 OK",
            b"/open/x GET HTTP/1.1", b"GET,HEAD /open/x HTTP/1.1", b"GET: /open/x HTTP/1.1", b'"GET" /open/x HTTP/1.1', b"<GET> /open/x HTTP/1.1",
            b"GET/open/x HTTP/1.1", b"G\xc9T /open/x HTTP/1.1", b"\xef\xbb\xbfGET /open/x HTTP/1.1", b"GET /open/x HTTP/1.1\r", b"\rGET /open/x HTTP/1.1",
            b"GET /open/\rx HTTP/1.1", b"GE\rT /open/x HTTP/1.1", b"GET /open/x HTTP/1.1\rX: y", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"SSH-2.0-OpenSSH_9.2", b"EHLO gateway.example",
        ):
            with self.subTest(line):
                self.refused(ask(line), 400, 501, 505)

    def test_versions_that_are_not_spoken(self):
        for version in (b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/2.1", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/0.0", b"HTTP/0.1"):
            with self.subTest(version):
                self.refused(ask(b"GET /open/x " + version), 505)
        self.refused(ask(b"PRI * HTTP/2.0"), 400, 405, 505)
        self.refused(b"PRI * HTTP/2.0\r\n\r\nGET /open/x HTTP/1.1\r\nHost: a\r\n\r\n", 400, 405, 505)

    def test_the_whole_request_is_one_version_higher_or_lower_on_each_side(self):
        call, reply = self.forwarded(ask(b"GET /open/x HTTP/1.0"), version=b"1.0")
        self.assertEqual((call.line, call.all("via"), reply.closes()), (b"GET /open/x HTTP/1.1", [b"1.0 portcullis"], True))
        call, reply = self.forwarded(ask(b"GET /open/x HTTP/1.1"))
        self.assertEqual((call.line, call.all("via"), reply.closes()), (b"GET /open/x HTTP/1.1", [b"1.1 portcullis"], False))

    def test_one_empty_line_before_a_request_is_skipped(self):
        self.forwarded(b"\r\n" + ask(b"GET /open/x HTTP/1.1"))
        for before in (b"\n", b"\r\n\n", b"\r", b"\r\r\n", b" \r\n", b"\t\r\n", b"x\r\n", b"\0\r\n"):
            with self.subTest(before):
                self.refused(before + ask(b"GET /open/x HTTP/1.1"), 400)

    def test_a_post_with_an_empty_line_too_many_is_followed_by_another_request(self):
        with self.client() as client:
            client.send(ask(b"POST /open/x HTTP/1.1", HOST + b"Content-Length: 2\r\n") + b"hi\r\n" + ask(b"GET /open/y HTTP/1.1"))
            self.assertEqual([client.reply().body.split(b" ")[1] for _ in "12"], [b"/open/x", b"/open/y"])

    def test_lengths_of_the_line(self):
        for size in (4000, 7900, 8000):
            self.forwarded(ask(b"GET /open/" + b"a" * size + b" HTTP/1.1"))
            self.forwarded(ask(b"GET /open/?" + b"a" * size + b" HTTP/1.1"))
        for size in (8300, 20000, 40000, 200000):
            self.refused(ask(b"GET /open/" + b"a" * size + b" HTTP/1.1"), 414)
            self.refused(ask(b"GET /open/?" + b"a" * size + b" HTTP/1.1"), 414)
        self.refused(ask(b"A" * 40 + b" /open/x HTTP/1.1"), 501)
        self.refused(ask(b"A" * 40000 + b" /open/x HTTP/1.1"), 501, 414)
        self.forwarded(ask(b"A" * 20 + b" /open/x HTTP/1.1"))


class Methods(WireTest):
    def test_every_token_is_a_method_and_goes_on_as_it_is(self):
        for method in (
            b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"get", b"Get", b"gET", b"head", b"post", b"options", b"trace", b"connect", b"PROPFIND",
            b"M-SEARCH", b"QUERY", b"X", b"!#$%&'*+-.^_`|~", b"G3T", b"GETT", b"GE", b"PURGE", b"LINK", b"BASELINE-CONTROL",
        ):
            with self.subTest(method):
                call, reply = self.forwarded(ask(method + b" /open/x HTTP/1.1"))
                self.assertEqual(call.line, method + b" /open/x HTTP/1.1")
                self.assertFalse(reply.closes())

    def test_head_has_no_content_whoever_answers(self):
        call, reply = self.forwarded(ask(b"HEAD /open/x HTTP/1.1"), b"HEAD")
        self.assertEqual((call.line, reply.body), (b"HEAD /open/x HTTP/1.1", b""))
        self.assertGreater(int(reply.get("content-length")), 0)
        for data, status in (
            (ask(b"HEAD /fixed HTTP/1.1"), 200), (ask(b"HEAD /secret HTTP/1.1"), 401), (ask(b"HEAD /open/%00 HTTP/1.1"), 400),
            (ask(b"HEAD /open/x HTTP/1.1", b""), 400), (ask(b"HEAD /open/x HTTP/1.1", HOST + b"X\0: y\r\n"), 400),
            (ask(b"HEAD /open/x HTTP/1.1", HOST + b"Expect: x\r\n"), 417), (ask(b"HEAD /open/x HTTP/1.1", HOST + HOST), 400),
            (ask(b"HEAD /open/x HTTP/1.1", HOST + b"Content-Length: -1\r\n"), 400), (ask(b"HEAD /open/x HTTP/1.5"), 505),
        ):
            with self.subTest(data):
                self.assertEqual(self.exchange(data, b"HEAD").status, status)

    def test_trace_and_connect_end_here(self):
        for target in (b"/open/x", b"http://a/open/x"):
            reply = self.exchange(ask(b"TRACE " + target + b" HTTP/1.1", HOST + b"Cookie: secret\r\n"))
            self.assertEqual(reply.status, 405)
            self.assertIn("GET", reply.get("allow"))
            self.assertNotIn(b"secret", reply.body)
        self.exchange(ask(b"TRACE /open/x HTTP/1.1", HOST + b"Max-Forwards: 0\r\n"))
        self.untouched()
        for target in (b"a:443", b"a", b"/open/x", b"http://a:443/", b"*", b"127.0.0.1:22", b"[::1]:22"):
            self.refused(ask(b"CONNECT " + target + b" HTTP/1.1") + b"\x16\x03\x01early", 400, 405, 501)

    def test_max_forwards_is_spent_on_options(self):
        for hops, arrives in ((b"1", b"0"), (b"7", b"6"), (b"100", b"99"), (b"010", b"9"), (b"0" * 40 + b"8", b"7"), (b"9" * 40, b"999999999")):
            call, _ = self.forwarded(ask(b"OPTIONS /open/x HTTP/1.1", HOST + b"Max-Forwards: " + hops + b"\r\n"))
            self.assertEqual(call.all("max-forwards"), [arrives])
        for hops in (b"0", b"00", b"0" * 40):
            reply = self.exchange(ask(b"OPTIONS /open/x HTTP/1.1", HOST + b"Max-Forwards: " + hops + b"\r\n"))
            self.assertEqual((reply.status // 100, bool(reply.get("allow"))), (2, True))
        self.origin.forget()
        for hops in (b"x", b"-1", b"", b"1, 2", b"1.5", b"99999999999999999999x"):
            self.assertEqual(self.exchange(ask(b"OPTIONS /open/x HTTP/1.1", HOST + b"Max-Forwards: " + hops + b"\r\n")).status, 400)
        self.untouched()
        call, _ = self.forwarded(ask(b"GET /open/x HTTP/1.1", HOST + b"Max-Forwards: 0\r\n"))
        self.assertEqual(call.all("max-forwards"), [b"0"])


class Targets(WireTest):
    def test_absolute_form_decides_host_path_and_query(self):
        for target, host, path in (
            (b"http://real.example/open/x", b"real.example", b"/open/x"), (b"http://real.example:8080/open/x", b"real.example:8080", b"/open/x"),
            (b"HTTP://real.example/open/x", b"real.example", b"/open/x"), (b"hTTp://REAL.example/open/x?a=b", b"REAL.example", b"/open/x?a=b"),
            (b"http://[::1]:80/open/x", b"[::1]:80", b"/open/x"), (b"http://127.0.0.1/open/x", b"127.0.0.1", b"/open/x"),
            (b"http://real.example//open//x", b"real.example", b"/open/x"), (b"http://real.example/open/../open/x", b"real.example", b"/open/x"),
        ):
            for other in (b"other.example", b"real.example", b"other.example:99"):
                with self.subTest((target, other)):
                    call, _ = self.forwarded(ask(b"GET " + target + b" HTTP/1.1", b"Host: " + other + b"\r\n"))
                    self.assertEqual((call.line.split(b" ")[1], call.all("host")), (path, [host]))
                    self.assertEqual(call.all("x-forwarded-host"), [host])
        call, _ = self.forwarded(b"GET http://real.example/open/x HTTP/1.0\r\n\r\n", version=b"1.0")
        self.assertEqual(call.all("host"), [b"real.example"])

    def test_targets_that_are_refused(self):
        for target in (
            b"open/x", b"a:80", b"a.example", b"http:", b"http:/", b"http://", b"http:///open/x", b"http:/open/x", b"http:open/x", b"://a/open/x",
            b"http://u@a/open/x", b"http://u:p@a/open/x", b"http://@a/open/x", b"ftp://a/open/x", b"file:///open/x", b"ws://a/open/x",
            b"gopher://a/open/x", b"http://a:x/open/x", b"http://a:99999/open/x", b"http://a:0/open/x", b"http://a b/open/x", b"http://a\\b/open/x",
            b"http://a#b/open/x", b"http://%61/open/x", b"http://a%00/open/x", b"http://a,b/open/x", b"http://[::1/open/x", b"http://::1/open/x",
            b"/open/x#f", b"/open/\x00x", b"/open/\x7f", b"/open/\x1f", b"/open/\x80", b"/open/\xc3\xa9", b"/open/x?\xc3\xa9", b"/open/x?\x01",
            b"*/open/x", b"**", b"?x", b"#", b"\\open\\x", b"%2fopen/x", b"javascript:alert(1)", b"/open/x?a#b",
        ):
            with self.subTest(target):
                self.refused(ask(b"GET " + target + b" HTTP/1.1"), 400)
        for method in (b"GET", b"POST", b"HEAD", b"DELETE", b"X"):
            self.refused(ask(method + b" * HTTP/1.1"), 400, method=method)

    def test_https_is_not_served_without_tls(self):
        for target in (b"https://a/open/x", b"HTTPS://a:443/open/x", b"https://a/fixed"):
            self.origin.forget()
            self.assertEqual(self.exchange(ask(b"GET " + target + b" HTTP/1.1")).status, 421)
            self.untouched()

    def test_options_about_the_server_itself(self):
        for target in (b"*", b"http://a", b"http://a:80"):
            self.origin.forget()
            reply = self.exchange(ask(b"OPTIONS " + target + b" HTTP/1.1"))
            self.assertEqual((reply.status // 100, bool(reply.get("allow"))), (2, True))
            self.untouched()
        call, _ = self.forwarded(ask(b"OPTIONS http://a/open/x HTTP/1.1"))
        self.assertEqual(call.line, b"OPTIONS /open/x HTTP/1.1")

    def test_what_stands_in_a_query_goes_on_as_it_is(self):
        for query in (b"", b"?", b"a=b&c=d", b"/../..//", b"%2e%2e%2f%00", b"a=%zz", b"http://b/", b"x|y", b"{}", b"'\"<>", b"a;b", b"[1]", b"a\\b"):
            with self.subTest(query):
                call, _ = self.forwarded(ask(b"GET /open/x?" + query + b" HTTP/1.1"))
                self.assertEqual(call.line.split(b" ")[1], b"/open/x?" + query)


class Hosts(WireTest):
    def test_hosts_that_are_refused(self):
        for fields in (
            b"", b"Host:\r\n", b"Host: \t\r\n", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nhost: b\r\n", b"Host: a\r\nX: y\r\nHOST: a\r\n", b"Host : a\r\n",
            b"Host\t: a\r\n", b" Host: a\r\n", b"Host: a b\r\n", b"Host: a,b\r\n", b"Host: a, b\r\n", b"Host: a/\r\n", b"Host: a/b\r\n",
            b"Host: a?b\r\n", b"Host: a#b\r\n", b"Host: u@a\r\n", b"Host: u:p@a\r\n", b"Host: http://a\r\n", b"Host: //a\r\n", b"Host: a:\x01\r\n",
            b"Host: a:b\r\n", b"Host: a:80:80\r\n", b"Host: a:65536\r\n", b"Host: a:-80\r\n", b"Host: a:0\r\n", b"Host: [::1\r\n",
            b"Host: [::1]x\r\n", b"Host: ::1\r\n", b"Host: [::1]]:80\r\n", b"Host: [g::1]\r\n", b"Host: [::1%25lo]\r\n", b"Host: a\\b\r\n", b"Host: a..b\r\n",
            b"Host: .a\r\n", b"Host: a%2eb\r\n", b"Host: a%00b\r\n", b"Host: \xc3\xa9\r\n", b"Host: a\r\n b\r\n", b"Host: a;b\r\n", b"Host: <a>\r\n",
            b"Host: " + b"a" * 300 + b"\r\n", b"Hosts: a\r\n", b"X-Host: a\r\n", b"H\xf6st: a\r\n",
        ):
            with self.subTest(fields):
                self.refused(ask(b"GET /open/x HTTP/1.1", fields), 400)
        self.refused(ask(b"GET /open/x HTTP/1.0", HOST + HOST), 400)
        self.refused(ask(b"GET http://a/open/x HTTP/1.1", b""), 400)
        self.refused(ask(b"GET http://a/open/x HTTP/1.1", HOST + HOST), 400)

    def test_hosts_that_go_on_as_they_are(self):
        for host in (b"a", b"A.Example", b"a.example:8080", b"a.example.", b"127.0.0.1", b"[::1]:8080", b"a_b.example", b"xn--bcher-kva.example", b"a" * 200):
            for line in (b"Host: " + host, b"hOsT:" + host, b"X: y\r\nHost:\t" + host + b" \t"):
                with self.subTest(line):
                    call, _ = self.forwarded(ask(b"GET /open/x HTTP/1.1", line + b"\r\n"))
                    self.assertEqual((call.all("host"), call.all("x-forwarded-host")), ([host], [host]))

    def test_without_a_host_in_http_1_0(self):
        call, _ = self.forwarded(b"GET /open/x HTTP/1.0\r\n\r\n", version=b"1.0")
        self.assertEqual(len(call.all("host")), 1)
        self.assertNotIn(b"", call.all("x-forwarded-host"))


class BehindAProxy(WireTest):
    configuration = CONFIGURATION + 'trusted_proxies: ["127.0.0.1/32"]\n'

    def test_what_a_trusted_proxy_may_say(self):
        call, _ = self.forwarded(ask(b"GET https://real.example/open/x HTTP/1.1"))
        self.assertEqual((call.line, call.all("host")), (b"GET /open/x HTTP/1.1", [b"real.example"]))
        call, _ = self.forwarded(ask(b"GET /open/x HTTP/1.1", HOST + b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"))
        self.assertEqual((call.all("x-forwarded-for"), call.all("x-forwarded-proto")), ([b"192.0.2.1, 127.0.0.1"], [b"https"]))
        for name in (b"X-Forwarded-For", b"Forwarded", b"X-Forwarded-Proto"):
            self.refused(ask(b"GET /open/x HTTP/1.1", HOST + b"Connection: " + name + b"\r\n"), 400)
