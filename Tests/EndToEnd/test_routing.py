"""Which route a request gets: hosts, paths, methods, header fields; never by the order in the file."""

import itertools
import pathlib
import random
import subprocess
import tempfile
import unittest

from harness import Gateway, binary

ROUTES = """
  - {name: h-exact, match: {hosts: [api.example.com], path: /}, auth: public, respond: {body: h-exact}}
  - {name: h-wild, match: {hosts: ["*.example.com"], path: /}, auth: public, respond: {body: h-wild}}
  - {name: h-deep, match: {hosts: ["*.deep.example.com"], path: /}, auth: public, respond: {body: h-deep}}
  - {name: h-six, match: {hosts: ["[::1]"], path: /}, auth: public, respond: {body: h-six}}
  - {name: h-long, match: {hosts: ["[2001:0db8:0::000a]"], path: /}, auth: public, respond: {body: h-long}}
  - {name: h-puny, match: {hosts: [xn--bcher-kva.example], path: /}, auth: public, respond: {body: h-puny}}
  - {name: h-four, match: {hosts: [192.0.2.1], path: /}, auth: public, respond: {body: h-four}}
  - {name: h-part, match: {hosts: [part.example.com], path: /only}, auth: public, respond: {body: h-part}}
  - {name: root, match: {path_exact: /}, auth: public, respond: {body: root}}
  - {name: p, match: {path: /p}, auth: public, respond: {body: p}}
  - {name: p-q, match: {path: /p/q}, auth: public, respond: {body: p-q}}
  - {name: p-exact, match: {path_exact: /p/q/r}, auth: public, respond: {body: p-exact}}
  - {name: user, match: {path_pattern: "/u/{id}"}, auth: public, respond: {body: user}}
  - {name: me, match: {path_exact: /u/me}, auth: public, respond: {body: me}}
  - {name: post, match: {path_pattern: "/u/{id}/posts/{post}"}, auth: public, respond: {body: post}}
  - {name: drafts, match: {path_pattern: "/u/{id}/posts/drafts"}, auth: public, respond: {body: drafts}}
  - {name: m-get, match: {path: /m, methods: [GET]}, auth: public, respond: {body: m-get}}
  - {name: m-write, match: {path: /m, methods: [POST, PUT]}, auth: public, respond: {body: m-write}}
  - {name: m-purge, match: {path: /m, methods: [PURGE]}, auth: public, respond: {body: m-purge}}
  - {name: m-below, match: {path: /m/any}, auth: public, respond: {body: m-below}}
  - {name: f-none, match: {path: /f}, auth: public, respond: {body: f-none}}
  - {name: f-some, match: {path: /f, headers: [{name: X-Kind}]}, auth: public, respond: {body: f-some}}
  - {name: f-a, match: {path: /f, headers: [{name: X-Kind, value: a}]}, auth: public, respond: {body: f-a}}
  - {name: f-ab, match: {path: /f, headers: [{name: X-Kind, value: a}, {name: X-More, value: b}]}, auth: public, respond: {body: f-ab}}
  - {name: f-get, match: {path: /f, methods: [DELETE], headers: [{name: X-Kind, value: a}]}, auth: public, respond: {body: f-get}}
  - {name: f-not, match: {path: /g, headers: [{name: X-Kind, present: false}]}, auth: public, respond: {body: f-not}}
  - {name: f-else, match: {path: /g}, auth: public, respond: {body: f-else}}
  - {name: f-socket, match: {path: /s, headers: [{name: Upgrade, value: websocket}]}, auth: public, respond: {body: f-socket}}
"""
HOSTS = (
    ("api.example.com", "h-exact"), ("API.Example.COM", "h-exact"), ("api.example.com.", "h-exact"), ("api.example.com:443", "h-exact"),
    ("API.EXAMPLE.COM.:8080", "h-exact"), ("www.example.com", "h-wild"), ("WWW.example.com:1", "h-wild"), ("a.b.example.com", "h-wild"),
    ("x.deep.example.com", "h-deep"), ("deep.example.com", "h-wild"), ("example.com", "404"), ("notexample.com", "404"),
    ("api.example.com.evil.org", "404"), ("xapi.example.com", "h-wild"), ("example.com.", "404"), ("[::1]", "h-six"), ("[::1]:99", "h-six"),
    ("[0::1]", "h-six"), ("[0:0:0:0:0:0:0:1]:99", "h-six"), ("[::0001]", "h-six"), ("[::0.0.0.1]", "h-six"), ("[2001:DB8::0A]", "h-long"),
    ("[2001:db8:0:0::a]", "h-long"), ("[2001:db8::a:0]", "404"), ("[::ffff:0:0:1]", "404"), ("[::2]", "404"), ("192.0.2.1", "h-four"), ("192.0.2.1:80", "h-four"), ("192.0.2.01", "404"), ("xn--bcher-kva.example", "h-puny"),
    ("XN--BCHER-KVA.example", "h-puny"), ("part.example.com", "h-wild"), (".example.com", "400"), ("api..example.com", "400"),
    ("api.example.com..", "400"), ("b\u00fccher.example", "400"), ("api.example.com%00", "400"), ("api.example.com/", "400"), ("u@api.example.com", "400"),
    ("api.example.com,other", "400"), ("api.example.com other", "400"), ("api.example.com:", "h-exact"), ("api.example.com:0", "400"),
    ("api.example.com:http", "400"), ("[api.example.com]", "400"), ("*.example.com", "400"), ("::1", "400"), ("a" * 256, "400"), ("api.example.com#", "400"),
    ("api.example.com?", "400"), ("api\\example.com", "400"), ("api%2eexample.com", "400"), ("[::1", "400"), ("[::ffff:192.0.2.1]", "404"), ("", "400"),
)
PATHS = (
    ("/", "root"), ("/p", "p"), ("/p/", "p"), ("/px", "404"), ("/p/x", "p"), ("/p/q", "p-q"), ("/p/q/", "p-q"), ("/p/qq", "p"), ("/p/q/r", "p-exact"),
    ("/p/q/r/", "p-q"), ("/p/q/r/s", "p-q"), ("/p/q/../x", "p"), ("/p/./q//r", "p-exact"), ("/P", "404"), ("/u/7", "user"), ("/u/me", "me"),
    ("/u/ME", "user"), ("/u/m%65", "me"), ("/u/", "404"), ("/u", "404"), ("/u/7/", "404"), ("/u/7/posts/1", "post"), ("/u/7/posts/drafts", "drafts"),
    ("/u/me/posts/drafts", "drafts"), ("/u/7/posts/", "404"), ("/u/7/posts", "404"), ("/u//posts/1", "404"), ("/u/7/posts/1/2", "404"), ("/u/7;x", "user"),
    ("/u/me;x", "me"), ("/u/%2e%2e", "400"), ("/u/a%20b", "user"), ("/x", "404"), ("/p?x=/q", "p"),
)
METHODS = (
    ("GET", "/m", "m-get"), ("POST", "/m", "m-write"), ("PUT", "/m/x", "m-write"), ("PURGE", "/m", "m-purge"), ("HEAD", "/m", "404"),
    ("get", "/m", "404"), ("Get", "/m", "404"), ("purge", "/m", "404"), ("PURGEX", "/m", "404"), ("DELETE", "/m", "404"), ("FOO", "/m", "404"),
    ("GET", "/m/any", "m-below"), ("DELETE", "/m/any", "m-below"), ("FOO", "/m/any", "m-below"), ("TRACE", "/m/any", "405"), ("TRACE", "/m", "405"),
    ("OPTIONS", "/m", "404"), ("G%45T", "/m", "404"), ("GET-", "/m", "404"), ("_GET", "/m", "404"),
)
FIELDS = (
    ((), "f-none"), ((("X-Kind", "x"),), "f-some"), ((("X-Kind", ""),), "f-some"), ((("x-kind", "a"),), "f-a"), ((("X-KIND", " a "),), "f-a"),
    ((("X-Kind", "A"),), "f-some"), ((("X-Kind", "a,b"),), "f-some"), ((("X-Kind", "a"), ("X-Kind", "b")), "f-some"),
    ((("X-Kind", "a"), ("X-Kind", "a")), "f-a"), ((("X-Kind", "b"), ("X-Kind", "a")), "f-some"), ((("X-Kind", "a"), ("X-More", "b")), "f-ab"),
    ((("X-Kind", "a"), ("X-More", "c")), "f-a"), ((("X_Kind", "a"),), "f-none"), ((("X-Kind", "a"), ("Connection", "x-kind")), "f-none"),
    ((("X-Kind", '"a"'),), "f-some"), ((("X-Kind", "a;q=1"),), "f-some"), ((("X-Kind-", "a"),), "f-none"),
)


class Routing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        routes = ROUTES.strip("\n").split("\n")
        cls.gateways = [Gateway("routes:\n" + "\n".join(routes))]
        random.Random(7).shuffle(routes)
        cls.gateways.append(Gateway("routes:\n" + "\n".join(routes)))

    @classmethod
    def tearDownClass(cls):
        for gateway in cls.gateways:
            gateway.stop()

    def check(self, expected, target="/", host="h", method="GET", fields=()):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"] if host is not None else [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields]
        for gateway in self.gateways:
            answer = gateway.raw("\r\n".join(lines).encode() + b"\r\n\r\n", wait=3)
            status = answer.split(b" ", 2)[1].decode()
            found = answer.split(b"\r\n\r\n", 1)[1].removesuffix(b"<EOF>").decode() if status == "200" else status
            with self.subTest(target=target, host=host, method=method, fields=fields):
                self.assertEqual(found, expected)

    def test_hosts(self):
        for host, expected in HOSTS:
            self.check(expected, "/x", host)

    def test_the_absolute_target_decides(self):
        for host, expected in HOSTS:
            if host and not set(host) & set("/\\#? "):
                self.check(expected, f"http://{host}/x", "other.org")
        self.check("h-exact", "http://api.example.com/x", "www.example.com")
        self.check("404", "http://example.com/x", "api.example.com")
        self.check("400", "http://api.example.com/x", "not a host")

    def test_a_host_without_the_path_falls_back(self):
        self.check("h-part", "/only/x", "part.example.com")
        self.check("h-wild", "/other", "part.example.com")
        self.check("p", "/p", "example.org")

    def test_paths(self):
        for path, expected in PATHS:
            self.check(expected, path)

    def test_methods_are_exact(self):
        for method, path, expected in METHODS:
            self.check(expected, path, method=method)

    def test_header_fields_with_all_their_values(self):
        for fields, expected in FIELDS:
            self.check(expected, "/f", fields=fields)
        self.check("f-get", "/f", method="DELETE", fields=(("X-Kind", "a"),))
        self.check("f-not", "/g")
        self.check("f-else", "/g", fields=(("X-Kind", ""),))
        self.check("f-not", "/g", fields=(("Connection", "X-Kind"), ("X-Kind", "a")))
        self.check("f-socket", "/s", fields=(("Connection", "upgrade"), ("Upgrade", "websocket")))

    def test_head_and_fixed_answers(self):
        for gateway in self.gateways:
            answer = gateway.get("/p", method="HEAD")
            self.assertEqual((answer.status, answer.body, answer.field("Content-Length")), (200, "", "1"))


def check(text):
    """Problems that `portcullis check` finds, its exit status, and the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "c.yaml")
        path.write_text(text)
        result = subprocess.run([binary(), "check", "--config", str(path)], capture_output=True, text=True, timeout=60)
        return result.stderr, result.returncode, result.stdout


def route(name, match, extra="auth: public, respond: {status: 204}"):
    return f"  - {{name: {name}, match: {{{match}}}, {extra}}}\n"


class Checking(unittest.TestCase):
    def test_conflicts_are_told(self):
        same = [
            ("path: /a", "path: /a"), ("path: /a", "path: /a/"), ("path: /%61", "path: /a"), ("path_exact: /a", "path_exact: /a"),
            ('path_pattern: "/a/{x}"', 'path_pattern: "/a/{y}"'), ("path: /a, methods: [GET]", "path: /a, methods: [GET]"),
            ("path: /a, methods: [GET, PUT]", "path: /a, methods: [PUT, POST]"), ("hosts: [a.b], path: /", "hosts: [A.B.], path: /"),
            ("hosts: [a.b, c.d], path: /", "hosts: [c.d], path: /"),
            ('hosts: ["[::1]"], path: /', 'hosts: ["[0:0::1]"], path: /'), ('hosts: ["*.a.b"], path: /', 'hosts: ["*.A.b"], path: /'),
            ("path: /, headers: [{name: A, value: x}]", "path: /, headers: [{name: a, value: x}]"),
        ]
        for left, right in same:
            with self.subTest(left, right=right):
                problems, status, _ = check("routes:\n" + route("one", left) + route("two", right))
                self.assertEqual(status, 1)
                self.assertRegex(problems, r'c\.yaml:3:\d+: route "two" (matches exactly|shares the method)')
        fine = [
            ("path: /a", "path_exact: /a"), ("path: /a", "path: /A"), ("path_exact: /a", "path_exact: /a/"), ("path: /a", "path: /a, methods: [GET]"),
            ("path: /a, methods: [GET]", "path: /a, methods: [HEAD]"), ("hosts: [a.b], path: /", 'hosts: ["*.b"], path: /'), ("path: /a/b", 'path_pattern: "/a/{b}"'),
            ("path: /, headers: [{name: A, value: x}]", "path: /, headers: [{name: A, value: y}]"), ("path: /, headers: [{name: A}]", "path: /"),
        ]
        for left, right in fine:
            with self.subTest(left, right=right):
                problems, status, _ = check("routes:\n" + route("one", left) + route("two", right))
                self.assertEqual((status, problems), (0, ""))
        problems, status, _ = check("routes:\n" + route("one", "path: /, headers: [{name: A}]") + route("two", "path: /, headers: [{name: B}]"))
        self.assertEqual(status, 0)
        self.assertIn('warning: route "two" has header conditions that some requests fulfil together', problems)

    def test_conditions_that_only_a_forger_could_fulfil_are_refused(self):
        problems, status, _ = check("routes:\n" + route("one", "path: /, headers: [{name: X-User-Roles, value: admin}]"))
        self.assertEqual(status, 1)
        self.assertIn("clients cannot send X-User-Roles", problems)

    def test_routes_that_nothing_reaches_are_told(self):
        problems, status, _ = check("routes:\n" + route("one", "path: /, methods: [TRACE]") + route("two", "path: /b"))
        self.assertEqual((status, "TRACE and CONNECT are never served" in problems), (0, True))

    def test_thousands_of_routes(self):
        paths = [f"/s{i}/v{i % 7}" for i in range(5000)]
        text = "access_log: off\nroutes:\n" + "".join(
            route(f"r{i}", f"path: {path}", f"auth: public, respond: {{body: r{i}}}") for i, path in enumerate(paths)
        )
        problems, status, table = check(text)
        self.assertEqual((problems, status, len(table.splitlines())), ("", 0, 5001))
        gateway = Gateway(text)
        try:
            pipeline = b"".join(b"GET %s/x HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode() for path in paths[::11])
            answers = gateway.raw(pipeline, b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", wait=10)
            bodies = [part.split(b"HTTP/1.1")[0].decode() for part in answers.split(b"\r\n\r\n")[1:-1]]
            self.assertEqual(bodies, [f"r{i}" for i in range(0, 5000, 11)])
            self.assertIn(b"HTTP/1.1 404", answers)
        finally:
            gateway.stop()

    def test_hosts_by_thousands_are_matched_alike(self):
        few, many = (
            Gateway("routes:\n" + "".join(route(f"r{i}", f"hosts: [h{i}.example], path: /", f"auth: public, respond: {{body: r{i}}}") for i in range(count)))
            for count in (10, 2000)
        )
        try:
            for gateway, host in itertools.product((few, many), ("h7.example", "H7.EXAMPLE", "h7.example.", "h7.Example:80")):
                answer = gateway.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                self.assertTrue(answer.endswith(b"\r\n\r\nr7<EOF>"), answer)
        finally:
            few.stop()
            many.stop()
