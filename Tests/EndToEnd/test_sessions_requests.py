"""Requests with a session: who the service hears of, what it never sees, and what a request without a good one is told."""

import itertools
import math
import time
import urllib.parse

import http2
import peers
from sessions import ACCOUNTS, ADA, BOB, CODE, DEVICE, FLOW, HOST, SESSION, TINA, Browser, Clock, Live, SessionCase, parallel
from timing import Stopwatch, lost

AUTHORITY = peers.Authority()
FRONT = AUTHORITY.issue(HOST)
FRIEND, STRANGER = "https://app.friend.example", "https://evil.example"
ROUTES = """
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: optional, match: {path: /optional}, auth: optional, forward: {upstream: a}}
  - {name: admin, match: {path: /admin}, roles: {any: [admin]}, forward: {upstream: a}}
  - {name: fresh, match: {path: /fresh}, session: {max_age: 3s}, forward: {upstream: a}}
  - {name: busy, match: {path: /busy}, session: {max_idle: 2s}, forward: {upstream: a}}
  - {name: strong, match: {path: /strong}, session: {strength: 2}, forward: {upstream: a}}
  - {name: tokens, match: {path: /tokens}, issuers: [main], forward: {upstream: a}}
  - {name: logins, match: {path: /logins}, issuers: [local], forward: {upstream: a}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""


class Base(SessionCase):
    configuration = SessionCase.keys.ISSUERS + ACCOUNTS + """
workers: 2
sessions: {store: memory, maximum_per_account: 10000, origins: ["https://app.friend.example"]}
listeners:
  - {name: main, address: "127.0.0.1:0"}
  - {name: tls, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
""" + ROUTES
    files = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem}


class Identity(Base):
    def test_services_hear_who_it_is(self):
        browser = self.browser().sign_in()
        reply = browser.fetch("/x")
        self.assertEqual(reply.status, 200)
        self.assertEqual((reply.seen("X-User-Id"), reply.seen("X-User-Email")), ([ADA], ["ada@example.com"]))
        self.assertEqual(sorted(",".join(reply.seen("X-User-Roles")).replace(" ", "").split(",")), ["admin", "staff"])
        self.assertEqual(reply.seen("X-Auth-Issuer"), ["local"])
        self.assertEqual(browser.fetch("/admin").status, 200)
        refused = self.browser().sign_in(BOB).fetch("/admin")
        self.assertEqual((refused.status, refused.code), (403, "role_missing"))

    def test_spoofed_identity_is_gone(self):
        browser = self.browser().sign_in(BOB)
        for name in (
            "X-User-Id", "x-user-id", "X_User_Id", "X.User.Id", "X-User-Roles", "X_User_Roles", "X-User-Email", "X-Auth-Issuer"
        ):
            reply = browser.fetch("/x", fields=[(name, "root")])
            self.assertIn(reply.status, (200, 400), name)
            if reply.status == 200:
                self.assertNotIn("root", reply.text, name)
                self.assertEqual(reply.seen("X-User-Id"), [BOB], name)
        self.assertEqual(browser.fetch("/x", fields=[("Connection", "X-User-Id")]).status, 400)

    def test_own_cookies_are_not_for_services_and_others_stay_byte_for_byte(self):
        session = self.browser().sign_in().session
        own = f"{SESSION}={session}"
        for sent, left in (
            (own, []), ("a=1; " + own, ["a=1"]), (own + "; a=1", ["a=1"]), ("a=1; " + own + "; b=2", ["a=1; b=2"]),
            (own + f"; {FLOW}=x; {DEVICE}=y.z; {CODE}=c; a=1", ["a=1"]),
            (f'q="a, b c"; {own}; =odd; bare; x==y=; e=', ['q="a, b c"; =odd; bare; x==y=; e=']),
            (f"x{SESSION}=1; {own}; {SESSION}x=2; {SESSION.lower()}=3", [f"x{SESSION}=1; {SESSION}x=2; {SESSION.lower()}=3"]),
            (["a=1", own, "b=2"], ["a=1", "b=2"]), ([f"a=1; {own}", "b=2"], ["a=1", "b=2"]),
            ("sid=é\xff; " + own, ["sid=é\xff"]),
            ("a=" + "v" * 3000 + "; " + own, ["a=" + "v" * 3000]),
        ):
            with self.subTest(sent[:60] if isinstance(sent, str) else sent):
                reply = self.browser().fetch("/x", cookies=sent, keep=False)
                self.assertEqual(reply.status, 200)
                lines = reply.body.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")[1:]
                self.assertEqual([line.split(": ", 1)[1] for line in lines if line.lower().startswith("cookie:")], left)
                self.assertNotIn(session, reply.body.decode("latin-1"))

    def test_own_cookies_are_not_for_services_where_nobody_looks_at_them(self):
        session = self.browser().sign_in().session
        reply = self.browser().fetch("/open", cookies=f"a=1; {SESSION}={session}; {FLOW}=f; b=2", keep=False)
        self.assertEqual((reply.status, reply.seen("Cookie")), (200, ["a=1; b=2"]))
        self.assertNotIn(session, reply.text)
        token = self.keys.token()
        reply = self.browser().fetch(
            "/x", fields=[("Authorization", "Bearer " + token)], cookies=f"{SESSION}={session}", keep=False
        )
        self.assertEqual((reply.status, reply.seen("Cookie")), (200, []))

    def test_over_http2_with_split_cookie_fields(self):
        session = self.browser().sign_in().session
        port = int(self.gateway.addresses["tls"].rsplit(":", 1)[1])
        for fields in (
            [("cookie", "a=1"), ("cookie", f"{SESSION}={session}"), ("cookie", "b=2")],
            [("cookie", f"a=1; {SESSION}={session}"), ("cookie", "b=2")], [("cookie", f"{SESSION}={session}; a=1; b=2")],
            [("cookie", f"{FLOW}=f"), ("cookie", "a=1"), ("cookie", "b=2"), ("cookie", f"{SESSION}={session}")],
        ):
            with http2.Client(port, AUTHORITY.context(["h2"])) as client:
                reply = client.get("/x", fields=[("sec-fetch-site", "same-origin"), *fields])
            self.assertEqual(reply.status, 200, fields)
            lines = reply.body.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
            cookies = "; ".join(line.split(": ", 1)[1] for line in lines if line.lower().startswith("cookie:"))
            self.assertEqual(cookies, "a=1; b=2", fields)
            self.assertIn("X-User-Id: ada", lines)
        with http2.Client(port, AUTHORITY.context(["h2"])) as client:
            reply = client.get("/x", fields=[("cookie", f"{SESSION}={session}"), ("cookie", f"{SESSION}={session}")])
            self.assertEqual(reply.status, 401)
            reply = client.get("/auth/session", fields=[("cookie", "a=1"), ("cookie", f"{SESSION}={session}")])
            self.assertEqual(reply.status, 200)
            waiting = [client.request("/x", fields=[("cookie", f"{SESSION}={session}")]) for _ in range(20)]
            self.assertEqual({client.reply(stream).status for stream in waiting}, {200})

    def test_a_service_cannot_set_or_remove_our_cookies(self):
        for reply in (
            self.browser().sign_in().fetch("/setcookie", keep=False), self.browser().fetch("/open/setcookie", keep=False)
        ):
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.all("set-cookie"), ["theirs=1; Path=/", "other=2; HttpOnly", f"not{SESSION}=kept"])

    def test_nor_by_early_hints(self):
        raw = self.gateway.raw(f"GET /open/hints HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        self.assertTrue(raw.startswith(b"HTTP/1.1 103 "), raw[:40])
        self.assertIn(b"Link: </a>", raw)
        self.assertNotIn(b"early", raw)

    def test_token_and_cookie_side_by_side(self):
        browser = self.browser().sign_in(BOB)
        token = self.keys.token(sub="carol", roles=["admin"])
        bearer = [("Authorization", "Bearer " + token)]
        self.assertEqual(self.browser().fetch("/x", fields=bearer).seen("X-User-Id"), ["carol"])
        self.assertEqual(browser.fetch("/x").seen("X-User-Id"), [BOB])
        # The token is what was said on purpose.
        both = browser.fetch("/x", fields=bearer)
        self.assertEqual((both.status, both.seen("X-User-Id"), both.seen("X-User-Email")), (200, ["carol"], []))
        self.assertEqual(browser.fetch("/admin", fields=bearer).status, 200)
        # A bad one is not made up for by a cookie.
        for bad in ("Bearer x", "Bearer " + self.keys.token(exp=1), "Basic eDp5", "Bearer"):
            reply = browser.fetch("/x", fields=[("Authorization", bad)])
            self.assertEqual(reply.status, 401, bad)
        # A token needs no origin, a cookie does.
        self.assertEqual(browser.send("POST", "/x", bearer, b"x").status, 200)
        self.assertEqual(browser.send("POST", "/x", [], b"x").status, 403)
        self.assertEqual(browser.fetch("/tokens", fields=bearer).status, 200)
        self.assertIn(browser.fetch("/tokens").status, (401, 403))
        self.assertEqual(browser.fetch("/logins").status, 200)
        self.assertIn(self.browser().fetch("/logins", fields=bearer).status, (401, 403))

    def test_public_routes_do_not_look_at_cookies(self):
        live = self.browser().sign_in()
        for cookies in (f"{SESSION}={live.session}", f"{SESSION}=x", f"{SESSION}={'A' * 43}", f"{SESSION}=a; {SESSION}=b"):
            reply = self.browser().send(
                "POST", "/open", [("Origin", STRANGER), ("Sec-Fetch-Site", "cross-site")], b"x", cookies=cookies, keep=False
            )
            self.assertEqual((reply.status, reply.seen("X-User-Id"), reply.cookies), (200, [], {}), cookies)

    def test_optional_routes(self):
        live = self.browser().sign_in()
        self.assertEqual(live.fetch("/optional").seen("X-User-Id"), [ADA])
        nobody = self.browser().fetch("/optional", fields=[("X-User-Id", "root")])
        self.assertEqual((nobody.status, nobody.seen("X-User-Id")), (200, []))
        for cookies in (f"{SESSION}={'A' * 43}", f"{SESSION}=garbage", f"{SESSION}=a; {SESSION}=b"):
            reply = self.browser().fetch("/optional", cookies=cookies, keep=False)
            self.assertEqual((reply.status, reply.seen("X-User-Id"), reply.seen("Cookie")), (200, [], []), cookies)
        # A dead cookie goes with an answer that is nobody else's: out of a cache it would log others out.
        dead = f"{SESSION}={'A' * 43}"
        for control, is_cleared in (
            ("no-store", True), ("max-age=0, Private", True), ("public, max-age=60", False), ("max-age=60", False),
            ('private="x-a", max-age=60', False), ("", False)
        ):
            path = "/optional/control?" + urllib.parse.quote(control)
            cookies = self.browser().fetch(path, cookies=dead, keep=False).cookies
            self.assertEqual(SESSION in cookies and cookies[SESSION].is_cleared, is_cleared, control)
            self.assertEqual(live.fetch(path).cookies, {})
        # A request of nobody's needs no origin; one of somebody's does.
        self.assertEqual(self.browser().send("POST", "/optional", [], b"x").status, 200)
        self.assertEqual(
            live.send("POST", "/optional", [("Sec-Fetch-Site", "cross-site"), ("Origin", STRANGER)], b"x").status, 403
        )


class Negotiation(Base):
    def test_a_navigation_is_led_to_login_and_back(self):
        for path in ("/x", "/a/b?c=d&e=%2F%26", "/", "/s%20p?q=%C3%BC"):
            browser = self.browser()
            reply = browser.navigate(path)
            self.assertEqual((reply.status, reply.get("cache-control"), reply.body), (303, "no-store", b""), path)
            self.assertNotIn("x-user-id", reply.text.lower())
            target = urllib.parse.urlsplit(reply.location)
            self.assertEqual((target.scheme, target.netloc, target.path), ("", "", "/auth/login"), path)
            self.assertEqual(urllib.parse.parse_qs(target.query)["return_to"], [path])
            reply = browser.login(path=reply.location)
            self.assertEqual((reply.status, reply.location), (303, path))
            self.assertEqual(browser.navigate(reply.location, site="same-origin").status, 200)
        self.assertEqual(self.upstream.received().count(b"X-User-Id"), 4)

    def test_what_is_a_navigation(self):
        html = [("Accept", "text/html")]
        mode = lambda *words: [("Sec-Fetch-Mode", words[0]), *([("Sec-Fetch-Dest", words[1])] if words[1:] else [])]
        for method, path, fields, status in (
            ("GET", "/x", html, 303), ("HEAD", "/x", html, 303), ("GET", "/x", mode("navigate") + html, 303),
            ("GET", "/x", mode("navigate", "document"), 303),
            ("GET", "/x", [], 401), ("GET", "/x", [("Accept", "*/*")], 401),
            ("GET", "/x", [("Accept", "application/json")], 401),
            ("GET", "/x", [("Accept", "application/json, text/html;q=0")], 401),
            ("GET", "/x", [("Accept", "application/json;q=0.9,text/html;q=0.1")], 401),
            ("GET", "/x", [("Accept", "application/problem+json, text/html ; Q=0.999")], 401),
            ("GET", "/x", [("Accept", "text/html;q=0.000, */*")], 401), ("GET", "/x", [("Accept", "text/html2,x/text/html")], 401),
            ("GET", "/x", [("Accept", 'x/y;z=", text/html"')], 401), ("GET", "/x", [("Accept", "text/html;q=x")], 401),
            ("GET", "/x", [("Accept", "TEXT/HTML")], 303), ("GET", "/x", [("Accept", "a/b ,\tText/Html;level=1; q=0.5")], 303),
            ("GET", "/x", [("Accept", "application/json;q=0.5,text/html;q=0.5")], 303),
            ("GET", "/x", [("Accept", "image/png"), ("Accept", "text/html")], 303),
            ("GET", "/x", [("Accept", "text/html;q=0.4"), ("X", "y"), ("Accept", "application/json;q=0.5")], 401),
            ("POST", "/x", html, 401), ("GET", "/x", mode("cors", "empty") + html, 401),
            ("GET", "/x", mode("same-origin") + html, 401),
            ("GET", "/x", mode("no-cors", "image") + html, 401), ("GET", "/x", mode("navigate", "iframe") + html, 401),
            ("GET", "/x", mode("websocket") + html, 401), ("GET", "/x", html + [("X-Requested-With", "XMLHttpRequest")], 401),
            ("GET", "/x", html + [("X-Requested-With", "com.example.app")], 303),
            ("OPTIONS", "/x", html, 401), ("GET", "/x", html + [("Authorization", "Bearer x")], 401),
            ("PUT", "/x", mode("navigate"), 401),
            ("GET", "/x", Live.UPGRADE + html, 401), ("GET", "/optional", html, 200), ("GET", "/open", html, 200),
        ):
            with self.subTest(method=method, path=path, fields=fields):
                self.upstream.forget()
                reply = self.browser().send(method, path, fields)
                self.assertEqual(reply.status, status)
                if status != 200:
                    self.assertEqual(self.upstream.received(), b"")

    def test_programs_and_scripts_get_a_problem_that_says_where_to_log_in(self):
        for reply in (
            self.browser().fetch("/x"), self.browser().api("/x", method="GET"), self.browser().fetch("/x", "POST", body=b"{}")
        ):
            self.assertEqual((reply.status, reply.get("content-type")), (401, "application/problem+json"))
            self.assertEqual((reply.json["login_url"], reply.json["status"]), ("/auth/login", 401))
            self.assertIsNotNone(reply.get("www-authenticate"))
            self.assertIsNone(reply.get("access-control-allow-origin"))
            self.assertNotIn("location", dict(reply.fields))

    def test_scripts_that_take_pages_get_a_problem_as_well(self):
        pages = [("Accept", "text/html, */*;q=0.1")]
        script = [("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Site", "same-origin")]
        for method, fields in (
            ("GET", script), ("GET", [("X-Requested-With", "XMLHttpRequest")]), ("POST", script),
            ("POST", [("X-Requested-With", "XMLHttpRequest")]),
        ):
            reply = self.browser().send(method, "/x", pages + fields)
            self.assertEqual((reply.status, reply.get("content-type")), (401, "application/problem+json"), (method, fields))
            self.assertEqual(reply.json["login_url"], "/auth/login")
            reply = self.browser().send("GET", "/auth/sessions", pages + fields)
            self.assertEqual((reply.status, reply.location), (401, None), fields)
        # What is to be seen in a frame of a page is one itself.
        frame = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")]
        reply = self.browser().send("GET", "/x", pages + frame)
        self.assertEqual((reply.status, reply.get("content-type")), (401, "text/html; charset=utf-8"))

    def test_programs_get_no_pages_of_the_portal_that_they_did_not_ask_for(self):
        for accept in ([], [("Accept", "*/*")]):
            for method, path in (("GET", "/auth/sessions"), ("DELETE", "/auth/sessions/" + "A" * 43), ("GET", "/auth/session")):
                reply = self.browser().send(method, path, accept)
                self.assertEqual((reply.status, reply.get("content-type")), (401, "application/problem+json"), (method, path))
                self.assertEqual(reply.json["login_url"], "/auth/login")
            reply = self.browser().send("POST", "/auth/logout", accept)
            self.assertNotIn("html", reply.get("content-type") or "")
            # What is nothing but a form is one.
            reply = self.browser().send("GET", "/auth/login", accept)
            self.assertEqual((reply.status, reply.get("content-type")), (200, "text/html; charset=utf-8"))
            fields = [*accept, ("Content-Type", "application/x-www-form-urlencoded")]
            reply = self.browser().send("POST", "/auth/login", fields, b"username=a")
            self.assertEqual(reply.get("content-type"), "text/html; charset=utf-8")
        reply = self.browser().send("GET", "/auth/sessions", [("Accept", "text/html")])
        self.assertEqual((reply.status, reply.location), (303, "/auth/login?return_to=/auth/sessions"))

    def test_a_stream_of_events_is_nothing_else(self):
        live = Live(self.browser().sign_in(), "/auth/session/events")
        self.addCleanup(live.close)
        self.assertIn(b"\r\nX-Content-Type-Options: nosniff\r\n", live.bytes)

    def test_a_backslash_in_a_query_is_led_back_to(self):
        reply = self.gateway.get("/x?path=C:\\b\\", fields=[("Accept", "text/html")])
        target = urllib.parse.parse_qs(urllib.parse.urlsplit(reply.field("Location")).query)["return_to"]
        self.assertEqual((reply.status, target), (303, ["/x?path=C:%5Cb%5C"]))
        reply = self.gateway.get("/\\evil.example?a", fields=[("Accept", "text/html")])
        self.assertNotIn("return_to", reply.field("Location") or "")

    def test_the_gateway_s_own_pages_come_before_all_routes(self):
        for path in ("/auth/login", "/auth/../auth/login", "//auth/login", "/open/../auth/login"):
            reply = self.browser().navigate(path)
            self.assertIn(reply.status, (200, 400), path)
        for path in ("/auth", "/auth/"):
            reply = self.browser().navigate(path)
            self.assertEqual((reply.status, reply.location), (303, "/auth/sessions"), path)
        for path in ("/auth", "/auth/", "/auth/x", "/auth/login/x"):
            self.assertIn(self.browser().navigate(path).status, (303, 404), path)
        self.assertEqual(self.upstream.received(), b"")
        self.assertEqual(self.browser().sign_in().fetch("/authority").status, 200)
        self.assertEqual(self.browser().sign_in().fetch("/x/auth/login").status, 200)


class OtherOrigins(Base):
    def cors(self, reply):
        return reply.get("access-control-allow-origin"), reply.get("access-control-allow-credentials"), reply.get("vary")

    def test_answers_of_ours_can_be_read_by_configured_origins_only(self):
        live = self.browser().sign_in()
        for origin, may in (
            (FRIEND, True), (STRANGER, False), ("null", False), (FRIEND + ".evil.example", False), (FRIEND.upper(), False),
            ("http://app.friend.example", False)
        ):
            fields = [("Origin", origin)]
            replies = [self.browser().fetch("/x", site="cross-site", fields=fields), self.browser().fetch(
                "/auth/session", site="cross-site", fields=fields
            ),
                       live.fetch("/auth/session", site="cross-site", fields=fields)]
            for reply in replies:
                expected = (origin, "true") if may else (None, None)
                self.assertEqual(self.cors(reply)[:2], expected, (origin, reply))
                self.assertEqual((self.cors(reply)[2] or "").lower(), "origin", (origin, reply))
                self.assertNotEqual(reply.get("access-control-allow-origin"), "*")
        self.assertEqual([reply.status for reply in replies], [401, 401, 200])

    def test_preflights(self):
        asks = [("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-csrf-token")]
        # A configured origin's goes to the service, which knows what it takes.
        reply = self.browser().send("OPTIONS", "/x", [("Origin", FRIEND), *asks])
        self.assertEqual((reply.status, reply.seen("X-User-Id")), (200, []))
        for origin in (STRANGER, "null"):
            self.upstream.forget()
            reply = self.browser().send("OPTIONS", "/x", [("Origin", origin), *asks])
            self.assertEqual((reply.status, self.cors(reply)[0]), (401, None))
            self.assertEqual(self.upstream.received(), b"")
        # It carries nobody's identity, even with a cookie, and is none without its field.
        live = self.browser().sign_in()
        self.assertEqual(live.send("OPTIONS", "/x", [("Origin", FRIEND), *asks]).seen("X-User-Id"), [])
        self.assertEqual(self.browser().send("OPTIONS", "/x", [("Origin", FRIEND)]).status, 401)
        # Nor does it bring a credential that nobody looks at.
        self.upstream.forget()
        reply = self.browser().send("OPTIONS", "/x", [("Origin", FRIEND), *asks, ("Authorization", "Bearer a.b.c")])
        self.assertEqual((reply.status, self.upstream.received()), (401, b""))
        for path in ("/auth/session", "/auth/logout", "/auth/login"):
            reply = self.browser().send("OPTIONS", path, [("Origin", FRIEND), *asks])
            self.assertEqual((reply.status, self.cors(reply)[:2]), (204, (FRIEND, "true")), path)
            self.assertIsNotNone(reply.get("access-control-allow-methods"))
            self.assertIsNone(self.cors(self.browser().send("OPTIONS", path, [("Origin", STRANGER), *asks]))[0])

    def test_forged_requests(self):
        """Every way a page can make a browser send a request that changes something."""
        live = self.browser().sign_in()
        token = live.facts().json["csrf_token"]
        other = self.browser().sign_in(BOB).facts().json["csrf_token"]
        own, port = f"http://{HOST}", f"http://{HOST}:8443"
        https = f"https://{HOST}"
        cases = [
            # Sec-Fetch-Site, Origin, X-CSRF-Token → allowed
            ("same-origin", None, None, True), ("same-origin", https, None, True), ("none", None, None, True),
            (None, https, None, True), (None, FRIEND, None, True), ("cross-site", FRIEND, None, True),
            ("same-site", FRIEND, None, True),
            (None, None, token, True), ("cross-site", STRANGER, token, True), ("cross-site", None, token, True),
            (None, "null", token, True),
            (None, None, None, False), (None, STRANGER, None, False), (None, "null", None, False), (None, port, None, False),
            (None, own, None, False),
            ("cross-site", None, None, False), ("cross-site", STRANGER, None, False), ("cross-site", "null", None, False),
            ("cross-site", https, None, False),
            ("same-site", None, None, False), ("same-site", f"https://other.{HOST}", None, False),
            ("none", STRANGER, None, False), ("none", "null", None, False),
            ("", None, None, False), ("Same-Origin-x", None, None, False), (None, f"{https}.evil.example", None, False),
            (None, f"https://evil.example/{HOST}", None, False),
            (None, f"https://{HOST}@evil.example", None, False), (None, https + "/", None, False), (None, "", None, False),
            (None, HOST, None, False),
            (None, f"{https}, {https}", None, False), ("cross-site", FRIEND + ".evil.example", None, False),
            (None, None, other, False), (None, None, token[:-1], False), (None, None, token + "x", False),
            (None, None, "", False), (None, None, token.swapcase(), False),
        ]
        for site, origin, csrf, may in cases:
            fields = [
                (name, value) for name,
                value in (("Sec-Fetch-Site", site), ("Origin", origin), ("X-CSRF-Token", csrf)) if value is not None
            ]
            for method, path in (("POST", "/x"), ("DELETE", "/optional")) if may else itertools.product(
                ("POST", "PUT", "DELETE", "PATCH", "PROPFIND"), ("/x",)
            ):
                self.upstream.forget()
                reply = live.send(method, path, fields, b"x")
                self.assertEqual(reply.status, 200 if may else 403, (method, fields))
                if not may:
                    self.assertEqual((reply.code, self.upstream.received()), ("origin_unproven", b""), (method, fields))
            # What changes nothing is not asked where it comes from.
            self.assertEqual(live.send("GET", "/x", fields).status, 200, fields)
        self.assertEqual(live.send("POST", "/x", [("Origin", https), ("Origin", https)], b"x").status, 400)
        for fields in ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], [
            ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-origin")
        ],
                       [("X-CSRF-Token", token), ("X-CSRF-Token", "x")]):
            self.assertEqual(live.send("POST", "/x", fields, b"x").status, 403, fields)
        # Methods are exact: a lower-case one is another, and no safe one.
        self.assertIn(live.send("get", "/x", []).status, (400, 403, 501))

    def test_a_wish_for_another_http_is_no_tunnel(self):
        live = self.browser().sign_in()
        for fields in ([("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "AAMAAABk")], []):
            reply = live.send("GET", "/x", fields)
            self.assertEqual((reply.status, reply.seen("Upgrade")), (200, []), fields)

    def test_forged_upgrades(self):
        live = self.browser().sign_in()
        upgrade = [field for field in Live.UPGRADE if not field[0].startswith("Sec-Fetch")]
        for fields, status in (
            ([("Origin", f"https://{HOST}")], 101), ([("Sec-Fetch-Site", "same-origin"), ("Origin", f"https://{HOST}")], 101),
            ([("Origin", FRIEND)], 101),
            ([("Origin", STRANGER)], 403), ([], 403), ([("Origin", "null")], 403),
            ([("Sec-Fetch-Site", "cross-site"), ("Origin", STRANGER)], 403),
            ([("Sec-Fetch-Site", "same-site"), ("Origin", f"https://x.{HOST}")], 403),
            ([("X-CSRF-Token", live.facts().json["csrf_token"])], 101),
        ):
            one = Live(live, "/socket", upgrade + fields)
            self.assertEqual(one.status, status, fields)
            one.close()
        one = Live(live, "/socket", upgrade + [("Origin", f"https://{HOST}")], cookie="a=1")
        self.assertEqual(one.status, 401)
        self.assertNotIn(b"Location", one.bytes)


class BadCookies(Base):
    def bad(self):
        live = self.browser().sign_in().session
        own = f"{SESSION}={live}"
        other = f"{SESSION}={self.browser().sign_in(BOB).session}"
        filler = [f"c{number}=1" for number in range(256)]
        yield "two of the name", f"{own}; {own}"
        yield "two of the name, another's first", f"{other}; {own}"
        yield "two of the name in two fields", [own, other]
        yield "two of the name, one empty", f"{own}; {SESSION}="
        yield "two of the name, one without a value", f"{own}; {SESSION}"
        yield "two of the name, blanks before the sign", f"{own}; {SESSION} =x"
        yield "unknown", f"{SESSION}={'A' * 42}E"
        yield "garbage", f"{SESSION}=garbage"
        yield "empty", f"{SESSION}="
        yield "no value", SESSION
        yield "too long", f"{own}A"
        yield "too short", own[:-1]
        yield "standard alphabet", f"{SESSION}={'+' * 43}"
        yield "quoted", f'{SESSION}="{live}"'
        yield "percent-coded", f"{SESSION}=%41{live[1:]}"
        yield "not canonical", own[:-1] + next(c for c in "BCDFGHJKLNOPRST" if c != live[-1])
        yield "bytes", f"{SESSION}=" + "\xff" * 43
        for size in (4096, 8000, 10_000, 30_000):
            yield f"oversized value of {size}", f"{SESSION}={'A' * size}"
        yield "oversized field", f"a={'x' * 8170}; {own}"
        yield "large field", f"a={'x' * 30_000}; {own}"
        yield "oversized fields", ["a=" + "x" * 4000, "b=" + "x" * 4200, own]
        yield "65 cookies", "; ".join([*filler[:64], own])
        yield "65 cookies, it comes first", "; ".join([own, *filler[:64]])
        yield "64 empty pairs", ";" * 64 + own
        yield "257 cookies", "; ".join([*filler, own])
        yield "257 cookies, it comes first", "; ".join([own, *filler])
        yield "256 empty pairs", ";" * 256 + own
        yield "digest instead of the id", f"{SESSION}={Browser(0, jars={HOST: {SESSION: live}}).handle()}"

    def test_no_session_cleared_and_no_circle(self):
        for name, cookies in self.bad():
            too_much = name.startswith(("257", "256"))
            with self.subTest(name):
                self.upstream.forget()
                reply = self.browser().fetch("/x", cookies=cookies, keep=False)
                self.assertEqual(self.upstream.received(), b"")
                if too_much:
                    # Refused before anything is looked at: no login, no circle.
                    self.assertEqual({reply.status, self.browser().navigate("/x", cookies=cookies, keep=False).status}, {431})
                    continue
                self.assertEqual(reply.status, 401)
                self.assertTrue(reply.cookies[SESSION].is_cleared)
                kept = [one for one in reply.cookies[SESSION].attributes if not one.startswith(("Max-Age=", "Expires="))]
                self.assertEqual(sorted(kept), ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"])
                # A navigation goes to the login page, which stays there, whatever cookies come along.
                browser = self.browser()
                reply = browser.navigate("/x", cookies=cookies, keep=False)
                self.assertEqual(reply.status, 303)
                self.assertTrue(reply.cookies[SESSION].is_cleared)
                page = browser.navigate(reply.location, cookies=cookies, keep=False)
                self.assertEqual(page.status, 200)
                self.assertTrue(page.cookies[SESSION].is_cleared)
                self.assertEqual(browser.send("GET", "/auth/session", cookies=cookies, keep=False).status, 401)
                self.assertEqual(
                    browser.send("GET", "/auth/sessions", [("Accept", "application/json")], cookies=cookies, keep=False).status,
                    401
                )

    def test_one_that_is_good_is_not_cleared(self):
        browser = self.browser().sign_in()
        cookies = "; ".join([f"c{number}=1" for number in range(63)] + [f"{SESSION}={browser.session}"])
        reply = browser.fetch("/x", cookies=cookies, keep=False)
        self.assertEqual((reply.status, reply.cookies), (200, {}))
        self.assertEqual(self.browser().fetch("/x", cookies="a=1").cookies, {})

    def test_so_many_that_none_is_a_session_are_said_at_the_login(self):
        # Chrome keeps 180 of a domain; over HTTP/2 each may come in a field of its own.
        others = [f"name-of-cookie-{number:03}=value-{number:03}" for number in range(180)]
        for name, cookies in (("many", others), ("long", ["a=" + "x" * 9000])):
            with self.subTest(name):
                browser = self.browser()
                for cookie in cookies:
                    browser.jar[cookie.split("=")[0]] = cookie.split("=")[1]
                self.assertEqual(browser.navigate("/x").location.split("?")[0], "/auth/login")
                page = browser.post("/auth/login", {"username": ADA, "password": "any"})
                self.assertEqual((page.status, b"too many cookies" in page.body), (431, True))
                reply = browser.login_api(ADA)
                self.assertEqual((reply.status, reply.code), (431, "too_many_cookies"))
                self.assertNotIn(SESSION, reply.cookies)
                with http2.Client(self.gateway.port, name=HOST) as client:
                    stream = client.request("/x", fields=[("cookie", one) for one in cookies])
                    self.assertEqual(client.reply(stream).status, 401)

    def test_the_pages_read_cookies_as_the_gate_does_byte_by_byte(self):
        # U+037E is equal to a semicolon where characters are compared, and a mark joins the sign before it.
        mine, theirs = self.browser().sign_in(), self.browser().sign_in(BOB)
        evil = f"theme=a\u037e{SESSION}={theirs.session}".encode()
        own = f"{SESSION}={mine.session}".encode()
        for name, cookies, user in (
            ("one in another's value", [evil], None), ("beside a good one", [evil + b"; " + own], ADA),
            ("beside a good one, behind it", [own + b"; " + evil], ADA),
            ("the same name again", [own + b"; theme=a" + "\u037e".encode() + own], ADA),
            ("a mark behind the sign", [own + b"; " + f"{SESSION}=\u0301".encode()], None),
        ):
            with self.subTest(name):
                browser = self.browser()
                self.assertEqual(browser.fetch("/x", cookies=cookies, keep=False).status, 200 if user else 401)
                reply = browser.facts(cookies=cookies, keep=False)
                self.assertEqual((reply.status, reply.json.get("user")), (200 if user else 401, user))
                page = browser.navigate("/auth/login?return_to=/x", cookies=cookies, keep=False)
                self.assertEqual(page.status, 303 if user else 200)
        # A logout ends what the gate takes for the session.
        reply = self.browser().post("/auth/logout", {}, cookies=[evil + b"; " + own], keep=False)
        self.assertEqual(reply.status, 303)
        self.assertEqual([one.fetch("/x").status for one in (mine, theirs)], [401, 200])

    def test_an_id_is_good_at_the_host_where_it_began(self):
        browser = self.browser().sign_in()
        own = f"{SESSION}={browser.session}"
        for _ in range(3):
            for host in ("other.example", "sub.gateway.example", "example", "gateway.example.other", "127.0.0.1", "localhost"):
                one = browser.at(host)
                reply = one.fetch("/x", cookies=own, keep=False)
                self.assertEqual(reply.status, 401, host)
                self.assertTrue(reply.cookies[SESSION].is_cleared, host)
                self.assertEqual(one.facts(cookies=own, keep=False).status, 401, host)
                self.assertEqual(one.navigate("/auth/login", cookies=own, keep=False).status, 200, host)
                self.assertEqual(one.post("/auth/logout", {}, cookies=own, keep=False).status, 303, host)
                self.assertEqual(one.fetch("/optional", cookies=own, keep=False).seen("X-User-Id"), [], host)
            # However it is written, and at whatever port.
            for host in (HOST, "GateWay.Example", "gateway.example.", "gateway.example:8443", "gateway.example.:80"):
                one = browser.at(host)
                self.assertEqual(one.fetch("/x", cookies=own, keep=False).status, 200, host)
                self.assertEqual(one.facts(cookies=own, keep=False).status, 200, host)


class Demands(Base):
    def test_strength(self):
        browser = self.browser().enter(BOB)
        reply = browser.fetch("/strong")
        self.assertEqual((reply.status, reply.code), (401, "login_too_weak"))
        self.assertIn("insufficient_user_authentication", reply.get("www-authenticate"))
        self.assertEqual(reply.json["login_url"], "/auth/login?step_up=2")
        reply = browser.navigate("/strong?a=1")
        self.assertEqual(reply.status, 303)
        self.assertIn("step_up=2", reply.location)
        # Somebody without a second factor is told so, once.
        reply = browser.navigate(reply.location, site="same-origin")
        self.assertEqual(reply.status, 403)
        self.assertEqual(browser.fetch("/x").status, 200)
        clock = Clock(self.directory.secret)
        strong = self.browser().sign_in(TINA, code=clock.next())
        self.assertEqual(strong.fetch("/strong").status, 200)

    def test_age_and_step_up(self):
        browser = self.browser().enter()
        self.assertEqual(browser.fetch("/fresh").status, 200)
        until = browser.facts().json["authenticated"] + 3
        while time.time() < until:
            browser.fetch("/fresh")
            time.sleep(0.1)
        before = browser.session
        reply = browser.fetch("/fresh")
        self.assertEqual((reply.status, reply.code), (401, "login_too_old"))
        self.assertEqual(reply.json["login_url"], "/auth/login?step_up=1")
        self.assertEqual(browser.fetch("/x").status, 200)
        reply = browser.navigate("/fresh")
        self.assertIn("step_up=1", reply.location)
        reply = browser.login(path=reply.location)
        self.assertEqual((reply.status, reply.location), (303, "/fresh"))
        self.assertEqual(browser.navigate("/fresh", site="same-origin").status, 200)
        self.assertNotEqual(browser.session, before)
        self.assertGone(before)

    def test_idleness(self):
        browser = self.browser().enter()
        self.assertEqual(browser.fetch("/busy").status, 200)
        until = time.time() + 3.05
        while time.time() < until:
            time.sleep(0.05)
        # Asking again, or for something else in between, does not make up for it; a login does.
        for _ in range(2):
            reply = browser.fetch("/busy")
            self.assertEqual((reply.status, reply.code), (401, "login_too_old"))
            self.assertEqual(browser.fetch("/x").status, 200)
        reply = browser.login(path=browser.navigate("/busy").location)
        self.assertEqual((reply.status, reply.location), (303, "/busy"))
        self.assertEqual(browser.fetch("/busy").status, 200)


class Limits(SessionCase):
    """Sessions of two seconds without a request, and of four in all."""

    configuration = SessionCase.keys.ISSUERS + ACCOUNTS + """
workers: 2
sessions: {store: sqlite, idle: 2s, lifetime: 4s, touch: 1s, maximum_per_account: 10000}
""" + ROUTES

    def probe(self, browser, send=None):
        before = time.time()
        reply = (send or browser.fetch)("/x")
        return reply.status, before, time.time()

    def test_idleness_to_the_second(self):
        """Each session is asked once, at its own moment around the end."""

        def ask(index):
            browser = self.browser().sign_in()
            begin, last = time.time(), self.probe(browser)
            self.assertEqual(last[0], 200)
            first, latest = math.floor(last[1]) + 2, math.floor(last[2]) + 2
            time.sleep(max(0, first + (index - 12) * 0.04 - time.time()))
            status, sent, came = self.probe(browser)
            if status == 200:
                self.assertLess(sent, latest, begin)
            else:
                self.assertEqual(status, 401)
                self.assertGreaterEqual(came, first - 0.01)
            return browser, status

        # A machine that stands still at that moment shows one side of it only.
        for _ in range(4):
            results = parallel([lambda index=index: ask(index) for index in range(24)], 24)
            if {status for _, status in results} == {200, 401}:
                break
        self.assertEqual({status for _, status in results}, {200, 401})
        # Once over, over for good: also those that were asked a moment before their end.
        until = time.time() + 2.05
        while time.time() < until:
            time.sleep(0.05)
        self.assertEqual({self.probe(browser)[0] for browser, _ in results}, {401})

    def test_the_end_comes_however_busy_it_is(self):
        browser = self.browser().sign_in()
        cookie, facts = browser.session, browser.facts().json
        end = facts["created"] + 4
        self.assertLessEqual(facts["absolute_seconds_left"], 4)
        self.assertLessEqual(facts["idle_seconds_left"], 2)
        seen = []
        while time.time() < end + 0.5:
            status, sent, came = self.probe(browser)
            seen.append(status)
            if status == 200:
                self.assertLess(sent, end)
            else:
                self.assertGreaterEqual(came, end - 0.01)
            time.sleep(0.03)
        self.assertEqual((seen[0], seen[-1], sorted(seen)), (200, 401, seen))
        reply = browser.fetch("/x", cookies=f"{SESSION}={cookie}")
        self.assertTrue(reply.cookies[SESSION].is_cleared)

    def test_what_was_opened_ends_with_the_session(self):
        browser = self.browser().sign_in()
        end = browser.facts().json["created"] + 4
        lives = {
            kind: Live(browser, kind, Live.UPGRADE if kind == "/socket" else ()) for kind in (
                "/events", "/socket", "/auth/session/events"
            )
        }
        self.assertEqual([one.status for one in lives.values()], [200, 101, 200])
        while time.time() < end - 0.5:
            browser.fetch("/x")
            time.sleep(0.2)
        over, gone = [kind for kind, one in lives.items() if one.over.is_set()], lost()
        if time.time() < end:
            self.assertEqual(over, [])
        for kind, one in lives.items():
            self.assertIsNotNone(one.ends(5), kind)
            off = one.wall - end
            self.assertTrue(-0.1 <= off <= 1.0 + lost() - gone, (kind, off))
        self.assertIn(b"event: ended", lives["/auth/session/events"].bytes)

    def test_an_idle_stream_of_events_of_one_s_own_does_not_keep_the_session(self):
        browser = self.browser().sign_in()
        one = Live(browser, "/auth/session/events")
        took = Stopwatch()
        self.assertIsNotNone(one.ends(8))
        self.assertTrue(took.within(0.9, 3.5), took)
        self.assertIn(b"event: session", one.bytes)
        self.assertEqual(browser.fetch("/x").status, 401)
