"""Where logins, logouts and hand-offs lead: nowhere that an attacker chose (advisory D31)."""

import re
import urllib.parse

from sessions import ACCOUNTS, ADA, HOST, PASSWORDS, SESSION, SessionCase, parallel

CONFIGURATION = ACCOUNTS + """
workers: 2
sessions: {store: memory, maximum_per_account: 10000}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes: [{name: all, match: {path: /}, forward: {upstream: a}}]
"""
PREFIXES = [
    # Another authority by slashes and backslashes, and what parsers remove or fold between them.
    "//", "///", "////", "/////", "/\\", "\\/", "\\\\", "\\", "/\\/", "\\/\\/", "//\\", "/\\\\", "/\t/", "/\n/", "/\r/",
    "/\r\n/", "/\x00/", "/\x0b/", "/\x1f/",
    "\t//", "\n//", "\r//", " //", "  //", "\x00//", "\x01//", "\x1b//", "\x7f//", "\t/\t/\t", "/ /", "/\xa0/", "/\u2028/",
    "/\ufeff/", "\ufeff//", "\u3000//", "／／", "/／", "／/",
    "//\t", "//\n", "// ", "//\x00", "//\\\\", "//;@", "//@", "//:@", "//:80@", "//x:y@", f"//{HOST}@", f"//{HOST}:443@",
    f"//{HOST}%40", f"//{HOST}\\@", f"//{HOST}#@", f"//{HOST}?@",
    # The same, escaped once or twice.
    "/%09/", "/%0a/", "/%0d/", "/%0d%0a/", "/%00/", "/%20/", "/%2f", "/%2F", "/%2f/", "%2f/", "%2f%2f", "/%5c", "/%5C",
    "%5c%5c", "/%5c/", "%5c/", "/%2f%2f", "/%2f%5c", "/%255c", "/%252f",
    "/%252f%252f", "%09//", "%0a//", "%00//", "%20//", "/%E2%80%A8/", "/%ef%bc%8f", "/%u002f", "/%c0%af", "/%c0%2f",
    # Dot segments that bring slashes to the front.
    "/.//", "/..//", "/./\\", "/../\\", "/a/..//", "/a/../\\", "/%2e//", "/%2e%2e//", "/a/%2e%2e//", "/.%2e//", "/%2e.//",
    "/./%2f", "/a/../%2f", "/..;//", "/.;//", "/;/..//", "/a//../..//", "./", ".//", "../", "..//", ".\\",
    # Schemes.
    "http://", "https://", "HTTPS://", "hTtPs://", "https:/", "https:", "http:", "https:\\\\", "https:/\\", "https:///",
    "https:////", "https:\\", "https://\\", "https:\t//", "https:\n//", "ht\ttps://", "h\nttps://",
    "\thttps://", " https://", "\x00https://", "https%3a//", "https%3A%2F%2F", "https:%2f%2f", "https:%0a//", "https://x:y@",
    f"https://{HOST}@", f"https://{HOST}:443@", f"https://{HOST}%40", f"https://{HOST}\\@",
    f"https://{HOST}.", f"https://{HOST}:80@", f"https://{HOST}%00.", f"https://{HOST}\\.", f"https://{HOST}#.",
    f"https://{HOST}-", f"https://{HOST}:1", f"https://{HOST}:443.", f"https://{HOST}:", f"https:{HOST}@",
    f"https://x{HOST}/", f"http://{HOST}:80@", "ftp://", "ws://", "wss://", "file:///", "file://", "blob:https://",
    "filesystem:https://", "view-source:https://", "javascript://", "javascript:alert(1)//",
    "JaVaScRiPt:alert(1)//", "java\tscript:alert(1)//", "\x01javascript:alert(1)//", "data:text/html,<script>//", "data://",
    "vbscript:x//", "about:", "mailto:", "jar:https://", "feed:https://", "x:", ":", "://", "//https://",
    "?", "#", "&", "=", "@", "*", "~/", "", "/x\r\nLocation: https://", "/x%0d%0aLocation:%20https://",
    "/x\r\nSet-Cookie: a=b\r\n\r\n", "/x\nX: ", "/x%E5%98%8A%E5%98%8DLocation:https://",
]
EVIL = [
    "evil.example", "evil.example:443/x", "%65vil.example", "evil%E3%80%82example", "evil。example", "[::ffff:127.0.0.1]",
    "2130706433", "evil.example/..", f"evil.example?{HOST}"
]
PAYLOADS = sorted(
    {prefix + host for prefix in PREFIXES for host in EVIL[:3]} | {prefix + host for prefix in PREFIXES[:60] for host in EVIL}
)
LOOPS = ["/auth/login", "/auth/logout", "/auth/logout?everywhere=true", "/auth/login?return_to=/auth/login", "/auth",
         "/auth/", "/auth/start", "/auth/handoff?code=x", "/auth/session/events",
         "/AUTH/LOGIN", "/auth//login", "//auth/login", "/%61uth/logout", "/auth%2flogout", "/x/../auth/logout", "/auth/./logout"]
GOOD = [
    "/", "/a", "/a/b?c=d&e=f", "/?x=//evil.example", "/a?next=https://evil.example/", "/a#top", "/a%20b", "/%C3%BC", "/a;b=c",
    "/a:b@c", "/~x", "/authority", "/auth2/x", "/a/.well-known/x", "/a..b/..c", "/x?a=%2F%2F"
]


def destination(location, base=f"https://{HOST}/auth/login"):
    """The origin that a browser goes to (WHATWG URL: blanks at the ends and line ends go, backslashes are slashes)."""
    text = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(0x21)))))
    if match := re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text):
        scheme, rest = match[1].lower(), text[match.end() :].replace("\\", "/")
        if scheme not in ("http", "https", "ws", "wss", "ftp"):
            return scheme + ":"
        if scheme == "https" and not rest.startswith("/"):
            return "https://" + HOST
        return f"{scheme}://" + re.split(r"[/?#]", rest.lstrip("/"))[0]
    text = text.replace("\\", "/")
    if text.startswith("//"):
        return "https://" + re.split(r"[/?#]", text.lstrip("/"))[0]
    merged = urllib.parse.urljoin(base, text)
    path = urllib.parse.unquote(urllib.parse.urlsplit(merged).path).replace("\\", "/")
    return "https://" + (re.split(r"[/?#]", path.lstrip("/"))[0] if path.startswith("//") else HOST)


class Redirects(SessionCase):
    configuration = CONFIGURATION

    def assertHome(self, location, payload):
        self.assertTrue(
            location.startswith("/") and all(0x20 < ord(c) < 0x7F and c != "\\" for c in location), (payload, location)
        )
        self.assertEqual(destination(location), f"https://{HOST}", (payload, location))
        self.assertFalse(re.match(r"/(auth/|%2f|%5c|/)", location, re.I), (payload, location))

    def check(self, works):
        parallel(works, 8)

    def test_there_are_several_hundred(self):
        self.assertGreater(len(PAYLOADS), 700)
        self.assertEqual(destination("/\\evil.example"), "https://evil.example")
        self.assertEqual(destination("/a/..//evil.example"), "https://evil.example")
        self.assertEqual(destination(" https:evil.example"), f"https://{HOST}")
        self.assertEqual(destination("/a"), f"https://{HOST}")

    def test_where_a_login_begins(self):
        browser = self.browser()
        browser.form()

        def one(payload):
            page = browser.navigate(
                "/auth/login?return_to=" + urllib.parse.quote(payload.encode("utf-8", "surrogateescape"), safe=""), keep=False
            )
            self.assertEqual(page.status, 200, payload)
            self.assertIsNone(page.location)
            form = page.page.forms[0]
            kept = form["fields"].get("return_to", "")
            if kept:
                self.assertHome(kept, payload)
            self.assertEqual(destination(form["action"]), f"https://{HOST}")
            self.assertTrue(form["action"].startswith("/auth/login"), form["action"])
            self.assertNotIn("<script", page.text)

        self.check([lambda payload=payload: one(payload) for payload in PAYLOADS + LOOPS])

    def test_where_a_login_begins_with_what_is_not_escaped(self):
        """As an attacker writes a link: only what would end the request line is escaped."""

        def one(payload):
            raw = "".join(c if 0x20 < ord(c) < 0x7F and c != "#" else urllib.parse.quote(c) for c in payload)
            reply = self.gateway.get("/auth/login?return_to=" + raw, fields=[("Accept", "text/html")])
            self.assertIn(reply.status, (200, 400), payload)
            if reply.status == 200:
                kept = re.search(r'name="return_to"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="return_to"', reply.body)
                value = kept and (kept[1] or kept[2] or "")
                if value:
                    self.assertHome(
                        urllib.parse.unquote(value.replace("&amp;", "&").replace("&#x2F;", "/").replace("&#47;", "/")), payload
                    )

        self.check([lambda payload=payload: one(payload) for payload in PAYLOADS[::3]])

    def test_where_a_login_ends(self):
        """The target is checked again: it comes from the browser."""
        browser = self.browser()
        fields = browser.form()["fields"]

        def form(payload):
            values = {
                **fields, "return_to": payload.encode("utf-8", "surrogateescape"), "username": ADA, "password": PASSWORDS[ADA]
            }
            reply = browser.post("/auth/login", values, keep=False)
            # A NUL is in no form.
            if "\0" in payload:
                return self.assertIn(reply.status, (303, 400), payload)
            self.assertEqual((reply.status, len(reply.all("location"))), (303, 1), payload)
            self.assertHome(reply.location, payload)
            self.assertEqual(
                {cookie.name for cookie in reply.cookies.values()} - {SESSION}, {"__Host-gw_flow", "__Host-gw_device"}, payload
            )

        def json(payload):
            reply = browser.api("/auth/login", {"username": ADA, "password": PASSWORDS[ADA], "return_to": payload}, keep=False)
            if "\0" in payload:
                return self.assertIn(reply.status, (200, 400), payload)
            self.assertEqual(reply.status, 200, payload)
            self.assertHome(reply.json["location"], payload)

        self.check([lambda payload=payload: form(payload) for payload in PAYLOADS[::2] + LOOPS])
        self.check([lambda payload=payload: json(payload) for payload in PAYLOADS[1::2] + LOOPS])

    def test_where_somebody_who_is_logged_in_is_sent(self):
        browser = self.browser().sign_in()
        cookie = f"{SESSION}={browser.session}"

        def one(payload):
            reply = browser.navigate(
                "/auth/login?return_to=" + urllib.parse.quote(payload, safe=""), cookies=cookie, keep=False
            )
            self.assertEqual(reply.status, 303, payload)
            self.assertHome(reply.location, payload)

        self.check([lambda payload=payload: one(payload) for payload in PAYLOADS + LOOPS])

    def test_where_a_logout_leads(self):
        # Not logged in: the target is read all the same.
        browser = self.browser()

        def one(payload):
            reply = browser.post("/auth/logout", {"return_to": payload.encode("utf-8", "surrogateescape")}, keep=False)
            self.assertIn(reply.status, (303,) if "\0" not in payload else (303, 400), payload)
            if reply.status == 303:
                if reply.location != "/auth/logout":
                    self.assertHome(reply.location, payload)
                self.assertEqual(destination(reply.location), f"https://{HOST}", payload)

        self.check([lambda payload=payload: one(payload) for payload in PAYLOADS + LOOPS])
        live = self.browser().sign_in()
        cookie = f"{SESSION}={live.session}"

        def asks(payload):
            page = live.navigate("/auth/logout?return_to=" + urllib.parse.quote(payload, safe=""), cookies=cookie, keep=False)
            self.assertEqual(page.status, 200, payload)
            kept = page.page.forms[0]["fields"].get("return_to", "")
            if kept:
                self.assertHome(kept, payload)
            for link in page.page.links:
                if link != "/auth/sessions":
                    self.assertEqual(destination(link), f"https://{HOST}", (payload, link))

        self.check([lambda payload=payload: asks(payload) for payload in PAYLOADS[::3]])
        for payload in PAYLOADS[::40]:
            leaving = self.browser().sign_in()
            reply = leaving.post("/auth/logout", {"return_to": payload.encode("utf-8", "surrogateescape")})
            self.assertIn(reply.status, (303, 400))
            if reply.status == 303 and reply.location != "/auth/logout":
                self.assertHome(reply.location, payload)

    def test_where_hand_offs_begin_without_sites(self):
        browser = self.browser()

        def one(payload):
            for path in (
                "/auth/start?return_to=", "/auth/handoff?code=x&state=y&return_to=",
                "/auth/login?state=" + "A" * 43 + "&return_to="
            ):
                reply = browser.navigate(path + urllib.parse.quote(payload, safe=""), keep=False)
                if reply.location:
                    self.assertEqual(destination(reply.location), f"https://{HOST}", (path, payload))
                    self.assertTrue(reply.location.startswith("/auth/login"), (path, payload))
                    for value in urllib.parse.parse_qs(urllib.parse.urlsplit(reply.location).query).get("return_to", []):
                        self.assertHome(value, payload)

        self.check([lambda payload=payload: one(payload) for payload in PAYLOADS[::3]])

    def test_paths_that_lead_to_login_are_led_back_to_as_they_are(self):
        """A path that the gateway itself was asked for, with slashes and escapes of all kinds."""

        def one(payload):
            raw = "".join(c if 0x20 < ord(c) < 0x7F and c not in "#\\" else urllib.parse.quote(c) for c in payload)
            if not raw.startswith("/"):
                return
            answer = self.gateway.get(raw, fields=[("Accept", "text/html")])
            self.assertIn(answer.status, (200, 303, 400, 401, 404), payload)
            if answer.status == 303 and answer.field("Location") != "/auth/sessions":
                self.assertEqual(destination(answer.field("Location")), f"https://{HOST}", payload)
                for value in urllib.parse.parse_qs(urllib.parse.urlsplit(answer.field("Location")).query).get("return_to", []):
                    self.assertHome(value, payload)

        self.check([lambda payload=payload: one(payload) for payload in PAYLOADS + LOOPS])

    def test_good_targets_stay_as_they_are(self):
        browser = self.browser()
        fields = browser.form()["fields"]
        for target in GOOD + ["/auth/sessions"]:
            page = browser.navigate("/auth/login?return_to=" + urllib.parse.quote(target, safe=""), keep=False)
            if target != "/":
                self.assertEqual(page.page.forms[0]["fields"]["return_to"], target)
            reply = browser.post(
                "/auth/login", {**fields, "return_to": target, "username": ADA, "password": PASSWORDS[ADA]}, keep=False
            )
            self.assertEqual((reply.status, reply.location), (303, target))
        own = browser.post(
            "/auth/login", {**fields, "return_to": f"https://{HOST}/a?b", "username": ADA, "password": PASSWORDS[ADA]},
            keep=False
        )
        self.assertEqual(own.location, "/a?b")

    def test_the_host_of_the_request_decides_nothing(self):
        """A Location is never made of what a client says of the host (`users.md` 33)."""
        for fields in (
            [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "http")],
            [("Forwarded", "host=evil.example;proto=http")], [("X-Original-URL", "//evil.example")]
        ):
            reply = self.browser().navigate("/x", fields=fields)
            self.assertEqual(reply.location, "/auth/login?return_to=/x")
            page = self.browser().navigate("/auth/login", fields=fields)
            self.assertNotIn("evil.example", page.text)
        for host in ("evil.example", "evil.example:443", "evil.example.", "127.0.0.1"):
            browser = self.browser(host=host)
            reply = browser.navigate("/x")
            self.assertEqual(reply.location, "/auth/login?return_to=/x")
            self.assertNotIn("evil.example", browser.navigate("/auth/login").text)
