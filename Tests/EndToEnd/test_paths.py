"""Spellings of paths: whatever two hops could read differently gets 400, or one form that everybody sees."""

import itertools
import re
import unittest
import urllib.parse

from harness import Gateway, Keys, TestCase, Upstream

CONFIGURATION = Keys.ISSUERS + """
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: public, match: {path: /public}, auth: public, forward: {upstream: a}}
  - {name: exact, match: {path_exact: /status}, auth: public, forward: {upstream: a}}
  - {name: slash, match: {path_exact: /folder/}, auth: public, forward: {upstream: a}}
  - {name: pattern, match: {path_pattern: "/users/{id}/avatar"}, auth: public, forward: {upstream: a}}
  - {name: opaque, match: {path: /opaque}, auth: public, forward: {upstream: a, encoded_slashes: true}}
  - {name: stripped, match: {path: /api/v1}, auth: public, forward: {upstream: a, strip_prefix: /api/v1}}
  - {name: short, match: {path: /aa/bb}, auth: public, forward: {upstream: a, strip_prefix: /aa}}
  - {name: replaced, match: {path: /old/app}, auth: public, forward: {upstream: a, replace_prefix: /new}}
  - {name: moved, match: {path: /moved, headers: [{name: X-Moved}]}, auth: public, redirect: {location: /, keep_path: true}}
  - {name: away, match: {path: /away}, auth: public, redirect: {location: "https://www.example/", keep_path: true}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""
DOTS = [".", "%2e", "%2E", "%252e", "%25%32%65", "%%32%65", "%c0%ae", "%c0%2e", "%e0%80%ae", "%f0%80%80%ae", "%u002e", "\uff0e"]
SLASHES = ["/", "%2f", "%2F", "%5c", "%5C", "\\", "%252f", "%255c", "%25%32%66", "%c0%af", "%c1%9c", "%e0%80%af", "%u2215", "/./", "//", ";/", "/;/"]
ROOTS = ["/public", "/status", "/users/7/avatar", "/opaque", "/api/v1", "/old/app", "/folder"]


def climbing():
    """`..` to a protected place in every mixture of spellings."""
    for first, second in itertools.product(DOTS, repeat=2):
        for slash in SLASHES[:6]:
            yield f"/public{slash}{first}{second}{slash}admin"
    for root, slash, after in itertools.product(ROOTS, SLASHES, ("/", "%2f", "\\", ";/", ";a=b/", "%00/", "%20/", "%09/", "/;x/")):
        yield f"{root}{slash}..{after}admin"
    for root in ROOTS:
        yield from (f"{root}/..;/admin", f"{root}/..;", f"{root}/..\\admin", f"{root}/.;/../admin", f"{root}/;/../admin", f"{root}/x/../../admin")
        yield from (f"{root}%00/../admin", f"{root}/%2e%2e%5cadmin", f"{root}/..%c0%afadmin", f"{root}/.%00./admin", f"{root}#/../admin")
        yield from (f"{root}/%23/../../admin", f"{root}/%3f/../../../admin", f"{root}/..%3b/admin", f"{root}/..%3B%2fadmin", f"{root}/..%23/admin")


REFUSED = (
    "/public/%00 /public/%0a /public/%0d%0a /public/%1f /public/%7f /public/%5c /public/%3b /public/%3f /public/%23 /public/%2f /public/%2F"
    " /public/%ff /public/%80 /public/%c3 /public/%c3%28 /public/%ed%a0%80 /public/%f4%90%80%80 /public/%e2%82 /public/%c0%80 /public/%zz"
    " /public/% /public/%2 /public/%%20 /public/a%252fb /public/a%255cb /public/a%2500 /public/a%252523 /public/a%253f /public/a%253bb"
    " /public/a\\b \\public /.. /../ /../public /public/../../public /public/;a /public/;/a /public/.;a /public/..;a /public/%2e /public/%2e%2e"
    " /public/%2e/ /public/a%25c0%25ae /public/a%25e0%2580%25af /public%2f /%2fpublic /%2e/public /public/a%2e%2e/%2e%2e /public/.%2e;x/a"
).split()
KEPT = (
    ("/public", "/public"), ("/public/", "/public/"), ("/public//", "/public/"), ("//public", "/public"), ("/./public", "/public"),
    ("/public/.", "/public/"), ("/public/./", "/public/"), ("/public/a/..", "/public/"), ("/public/a/../", "/public/"),
    ("/public/a/./b", "/public/a/b"), ("/x/../public/y", "/public/y"), ("/%70%75blic/%7e", "/public/~"), ("/public/%41%2d%5f", "/public/A-_"),
    ("/public/...", "/public/..."), ("/public/.a", "/public/.a"), ("/public/a.", "/public/a."), ("/public/..a", "/public/..a"),
    ("/public/a;b=c/d", "/public/a;b=c/d"), ("/public;v=1/d", "/public;v=1/d"), ("/public/a;..", "/public/a;.."), ("/public/%e2%82%ac", "/public/%E2%82%AC"),
    ("/public/[x]", "/public/%5Bx%5D"), ('/public/"<>^`{|}', "/public/%22%3C%3E%5E%60%7B%7C%7D"), ("/public/%2520", "/public/%2520"),
    ("/public/100%25", "/public/100%25"), ("/public/a%20b", "/public/a%20b"), ("/public/!$&'()*+,=:@", "/public/!$&'()*+,=:@"),
    ("/public?", "/public?"), ("/public?/../admin", "/public?/../admin"), ("/public?a=%2e%2e%2f%00", "/public?a=%2e%2e%2f%00"),
    ("/public?a?b", "/public?a?b"), ("/public/%40", "/public/%40"), ("/public/%ef%bc%8f", "/public/%EF%BC%8F"),
    ("/status", "/status"), ("/status;x", "/status;x"), ("/users/7/avatar", "/users/7/avatar"), ("/users/..a/avatar", "/users/..a/avatar"),
    ("/folder/", "/folder/"), ("/opaque/a%2fb", "/opaque/a%2Fb"), ("/opaque/%2f", "/opaque/%2F"), ("/opaque/a%2F%2Fb", "/opaque/a%2F%2Fb"),
    ("/api/v1/x", "/x"), ("/api/v1", "/"), ("/api/v1/", "/"), ("/api/v1/a/../b", "/b"), ("/api;ab/v1/x", "/x"), ("/api;ab/v1;cd/x;e", "/x;e"),
    ("/api;/v1/v1/x", "/v1/x"), ("/api/v1;/x", "/x"), ("/api/./v1//x", "/x"), ("/aa/bb", "/bb"), ("/aa;b/bb;c/d", "/bb;c/d"),
    ("/old/app", "/new"), ("/old/app/x", "/new/x"), ("/old;a/app;b/x", "/new/x"), ("/old/app;/", "/new/"),
)
PROTECTED = (
    "/ /admin /Public /PUBLIC /publi /publicx /public. /public.. /public%20 /public~ /Status /status/ /status/x /status. /folder /folder/x /users/7"
    " /users//avatar /users/7/avatar/ /users/7/8/avatar /users/7/Avatar /x/public /public/../admin /public/a/../../admin /public;/../admin"
    " /./admin //admin /public/./../admin /public//../admin /status/../admin /opaque/../admin /api/v1/../../admin /old/app/../../admin"
    " /api/v1/../v2 /api /api/v1x /old /old/appx /admin?/public /admin;/public /admin;x=/public /admin%20/public /?/public /;public"
).split()
OPAQUE_REFUSED = "/opaque/..%2fadmin /opaque/%2e%2e%2fadmin /opaque%2f..%2fadmin /opaque/a%2f..%2fb /opaque/a%2f../b /opaque/.%2fa /opaque/a%2f. /opaque/a%2f%2e%2e /opaque/%5c /opaque/..%2f;x /opaque/a%2f;b /opaque/a%252fb /opaque/a%2f..;/b /opaque/%2f../admin".split()


def segments(path):
    """What the most generous server would make of a path: it decodes twice, takes `\\` for `/`, and drops parameters."""
    for _ in range(3):
        path = urllib.parse.unquote(path, "latin-1")
    path = re.sub(r";[^/\\]*", "", path.replace("\\", "/"))
    out = []
    for part in path.split("/"):
        out = out[:-1] if part == ".." else out + [part] if part not in ("", ".") else out
    return out


class Paths(TestCase):
    configuration = CONFIGURATION

    def ask(self, target, host="a", fields=""):
        self.upstream.forget()
        lines = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"
        answer = self.gateway.raw(lines.encode("utf-8"), wait=3)
        status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
        received = self.upstream.received()
        return status, received.split(b" ")[1].decode() if received else None

    def test_no_spelling_climbs_out_of_a_public_place(self):
        cases = list(dict.fromkeys(climbing()))
        self.assertGreater(len(cases), 1500)
        for path in cases:
            with self.subTest(path):
                status, arrived = self.ask(path)
                self.assertIn(status, (200, 400, 401, 404))
                if status != 200:
                    self.assertIsNone(arrived)
                    continue
                # What passes is a path that everybody reads alike, below a public place (or below where it leads).
                where = segments(arrived.split("?")[0])
                self.assertNotIn("..", where)
                self.assertFalse(re.search(r"\\|%5c|%2e|//|/\.\.?(/|;|$)", arrived, re.I), arrived)
                public = ("public", "status", "users", "folder", "opaque", "bb", "new")
                self.assertTrue(path.startswith("/api/v1") or where and where[0] in public, arrived)

    def test_what_is_ambiguous_is_refused(self):
        for path in REFUSED + OPAQUE_REFUSED:
            with self.subTest(path):
                self.assertEqual(self.ask(path), (400, None))

    def test_what_passes_arrives_in_its_one_form(self):
        for path, arrived in KEPT:
            with self.subTest(path):
                self.assertEqual(self.ask(path), (200, arrived))
                if "%2" not in arrived and not path.startswith(("/api", "/aa", "/old")):
                    self.assertEqual(self.ask(arrived), (200, arrived))

    def test_look_alikes_of_public_paths_are_protected(self):
        for path in PROTECTED:
            with self.subTest(path):
                status, arrived = self.ask(path)
                self.assertIn(status, (400, 401))
                self.assertIsNone(arrived)

    def test_absolute_targets_follow_the_same_rules(self):
        for prefix in ("http://a", "http://a:80", "HTTP://A", "http://a.", "http://[::1]:8080", "http://other"):
            for path in ("/admin", "/public/../admin", "//admin", "/public/./../admin", "/public;/../admin", "", "?/public", "/?x"):
                with self.subTest(prefix + path):
                    self.assertEqual(self.ask(prefix + path), (401, None))
            for path in ("/public/%2e%2e/admin", "/public/..;/admin", "/public/..\\admin", "/public%2f", "/%00", "#/public", "/public#"):
                with self.subTest(prefix + path):
                    self.assertEqual(self.ask(prefix + path), (400, None))
            self.assertEqual(self.ask(prefix + "/public//x/../y?q"), (200, "/public/y?q"))
        # Nobody has ended TLS for this listener.
        for path in ("/public", "/admin", "/public/../admin", "/public/%2e%2e/"):
            status, arrived = self.ask("https://a" + path)
            self.assertIn(status, (400, 421))
            self.assertIsNone(arrived)

    def test_targets_that_are_none(self):
        for target in (
            "public", "", "?", "?/public", "*", "a:80", "//", "///", "http:/public", "http:///public", "http://", "http://@a/public", "http://u@a/public",
            "http://a@b/public", "http://a\\@b/public", "http://a%00/public", "http://a%2fpublic", "http://a/public http://b", "ftp://a/public",
            "http://a:0/public", "http://a:99999/public", "http://a:/../admin", "http://[::1/public", "http://a b/public", "javascript:/public",
        ):
            with self.subTest(target):
                status, arrived = self.ask(target)
                self.assertIn(status, (400, 401))
                self.assertIsNone(arrived)

    def test_redirects_with_a_path_stay_where_they_were_meant(self):
        for path in ("/moved/evil.example", "//moved//evil.example/", "/moved", "/moved/;evil"):
            answer = self.gateway.get(path, None, [("X-Moved", "1")])
            where = answer.field("Location") or "/"
            self.assertFalse(where.startswith(("//", "/\\")), where)
        self.assertEqual(self.gateway.get("/away/x?y").field("Location"), "https://www.example/away/x?y")
        self.assertEqual(self.gateway.get("/away/../away/%2e%2e").status, 400)


class Rewrites(unittest.TestCase):
    """Nothing that a rewrite makes is outside of what it was meant to make."""

    def test_rewrites_stay_below_their_target(self):
        upstream = Upstream()
        gateway = Gateway(
            """
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: deep, match: {path: /a/b/c}, auth: public, forward: {upstream: a, strip_prefix: /a/b, replace_prefix: /in/side}}
  - {name: open, match: {path: /o}, auth: public, forward: {upstream: a, strip_prefix: /o, replace_prefix: /in/side, encoded_slashes: true}}
""",
            UPSTREAM=upstream.port,
        )
        try:
            tails = ["", "/", "/x", ";x/y", "/../c", "/x/../../c", "//x", "/%2e%2e/x", "/..;/x", ";/../c/d", "/;x", "/./.", "/%2f..", "/x%2F..%2f..", "%2f.."]
            for first, second, tail in itertools.product(("/a", "/a;b", "/a;b/.", "//a", "/x/../a"), ("/b", "/b;c", "/b;/."), tails):
                for path in (f"{first}{second}/c{tail}", f"/o{tail}", f"/o;b/{tail}"):
                    with self.subTest(path):
                        upstream.forget()
                        answer = gateway.get(path)
                        self.assertIn(answer.status, (200, 400, 404))
                        if answer.status == 200:
                            self.assertRegex(answer.body, r"^GET /in/side(/c[;/ ]|[/ ])" if path.startswith("/o") else r"^GET /in/side/c[;/ ]")
                            self.assertNotIn("..", answer.body.split(" ")[1])
                        else:
                            self.assertEqual(upstream.received(), b"")
        finally:
            gateway.stop()
            upstream.stop()
