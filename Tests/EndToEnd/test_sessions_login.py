"""Logging in: by form and by JSON, what is refused and how, cookies to the letter, and ids that are always new."""

import base64
import math
import re
import urllib.parse
from collections import Counter

import peers
from sessions import ACCOUNTS, ADA, BOB, CODE, DEVICE, EVE, FLOW, HOST, ID, PASSWORDS, RITA, SESSION, TINA, Browser, Clock
from sessions import SessionCase, parallel

AUTHORITY = peers.Authority()
FRONT = AUTHORITY.issue(HOST)
CONFIGURATION = ACCOUNTS + """
workers: 2
sessions: {store: memory, maximum_per_account: 10000}
listeners:
  - {name: main, address: "127.0.0.1:0"}
  - {name: tls, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""
WRONG = "quite another password"


def clear(html):
    """A page without what is new in every one of them."""
    html = re.sub(r'name="csrf" value="[^"]*"|value="[^"]*" name="csrf"', "", html)
    return re.sub(r'value="(ada|bob|eve|nobody-of-ours|ada@example\.com)"', "", html)


class Login(SessionCase):
    configuration = CONFIGURATION
    files = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem}

    def secure(self, **options):
        port = int(self.gateway.addresses["tls"].rsplit(":", 1)[1])
        return Browser(port, tls=AUTHORITY.context(["http/1.1"]), **options)

    # What goes well.

    def test_a_form(self):
        browser = self.browser()
        page = browser.navigate("/auth/login?return_to=/inbox%3Fpage%3D2")
        self.assertEqual((page.status, page.get("content-type")), (200, "text/html; charset=utf-8"))
        self.assertEqual((page.get("cache-control"), page.get("x-content-type-options")), ("no-store", "nosniff"))
        policy = page.get("content-security-policy")
        for word in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            self.assertIn(word, policy)
        for word in ("script-src", "unsafe-eval", "*"):
            self.assertNotIn(word, policy)
        form = page.page.forms[0]
        self.assertEqual((form["method"], form["fields"]["return_to"]), ("post", "/inbox?page=2"))
        self.assertNotIn(SESSION, page.cookies)
        reply = browser.post(form["action"], {**form["fields"], "username": ADA, "password": PASSWORDS[ADA]})
        self.assertEqual((reply.status, reply.location), (303, "/inbox?page=2"))
        self.assertEqual(reply.get("cache-control"), "no-store")
        seen = browser.navigate(reply.location, site="same-origin")
        self.assertEqual((seen.status, seen.seen("X-User-Id"), seen.seen("X-User-Email")), (200, [ADA], ["ada@example.com"]))
        self.assertIn("GET /inbox?page=2 HTTP/1.1", seen.text)

    def test_json(self):
        browser = self.browser()
        reply = browser.login_api(return_to="/inbox")
        self.assertEqual(
            (reply.status, reply.get("content-type"), reply.get("cache-control")), (200, "application/json", "no-store")
        )
        told = reply.json
        self.assertEqual((told["user"], told["email"], told["roles"]), (ADA, "ada@example.com", ["admin", "staff"]))
        self.assertEqual(
            (told["location"], told["strength"], told["method"], told["handle"]), ("/inbox", 1, "pwd", browser.handle())
        )
        self.assertNotIn(browser.session, reply.text)
        self.assertEqual(browser.fetch("/x").seen("X-User-Id"), [ADA])

    def test_by_email_and_in_any_case(self):
        for name in ("ada@example.com", "ADA@Example.COM", "Ada", "ADA"):
            self.assertEqual(self.browser().sign_in(name, PASSWORDS[ADA]).facts().json["user"], ADA, name)

    def test_passwords_of_any_characters_to_the_last_one(self):
        self.browser().enter(RITA)
        password = PASSWORDS[RITA]
        for wrong in (
            password[:-1], password + " ", " " + password, password.swapcase(), password + "\0", password.replace("ä", "a")
        ):
            self.assertNotEqual(self.browser().login_api(RITA, wrong).status, 200, wrong)

    def test_after_login_the_page_leads_on_at_once(self):
        browser = self.browser().enter()
        before = browser.session
        reply = browser.navigate("/auth/login?return_to=/a")
        self.assertEqual((reply.status, reply.location, browser.session), (303, "/a", before))

    # What is refused.

    def test_a_wrong_password_an_unknown_and_a_disabled_account_look_the_same(self):
        attempts = [(ADA, WRONG), ("nobody-of-ours", WRONG), (EVE, PASSWORDS[EVE]), (EVE, WRONG), ("ada@example.com", WRONG)]
        pages, problems = [], []
        for name, password in attempts:
            browser = self.browser()
            page, problem = browser.login(name, password), browser.login_api(name, password)
            self.assertEqual((page.status, problem.status, problem.code), (401, 401, "wrong_credentials"))
            self.assertIsNone(browser.session)
            self.assertEqual(page.page.forms[0]["fields"]["username"], name)
            self.assertNotIn(password, page.text)
            fields = lambda reply: sorted(
                f for f in reply.fields if f[0] not in ("set-cookie", "content-length", "date", "x-request-id")
            )
            pages.append((fields(page), clear(page.text)))
            body = problem.json
            body.pop("request_id")
            problems.append((fields(problem), body))
        self.assertTrue(all(one == pages[0] for one in pages))
        self.assertTrue(all(one == problems[0] for one in problems))
        self.assertEqual(problems[0][1]["login_url"], "/auth/login")

    def test_empty_and_oversized_credentials(self):
        for name, password in (("", "x"), (ADA, ""), ("", ""), ("a" * 257, "x"), (ADA, "x" * 1025)):
            reply = self.browser().login_api(name, password)
            self.assertEqual((reply.status, reply.code), (400, "incomplete"), (name[:5], password[:5]))
        browser = self.browser()
        self.assertEqual(browser.api("/auth/login", {"username": ADA, "password": "x" * 20000}).status, 413)
        form = browser.form()
        self.assertEqual(browser.post("/auth/login", {**form["fields"], "username": ADA, "password": "x" * 20000}).status, 413)

    def test_bodies_that_are_none(self):
        browser = self.browser()
        for body in (
            b"", b"{", b"[]", b'"x"', b'{"username":"ada","username":"eve"}', b'{"username":["ada"]}', b"\xff",
            b'{"username":"a\\u0000"}'
        ):
            reply = browser.api("/auth/login", body)
            self.assertEqual((reply.status, reply.code), (400, "malformed_body"), body)
        for kind in ("text/plain", "multipart/form-data; boundary=x", "application/xml", "application/json-patch+json", "x"):
            reply = browser.send(
                "POST", "/auth/login", [("Content-Type", kind), ("Accept", "application/json")], b'{"username":"ada"}'
            )
            self.assertEqual((reply.status, reply.code), (415, "unsupported_body"), kind)
        form = browser.form()
        token = urllib.parse.quote(form["fields"]["csrf"])
        for body in (
            b"username=%zz", b"username=%", b"username=%ff&password=x",
            b"csrf=" + token.encode() + b"&username=ada&username=eve&password=x"
        ):
            self.assertEqual(browser.post("/auth/login", body).status, 400, body)
        for method in ("PUT", "DELETE", "PATCH"):
            reply = browser.api("/auth/login", {}, method)
            self.assertEqual((reply.status, reply.get("allow")), (405, "GET, HEAD, POST"), method)
        self.assertEqual(browser.api("/auth/nothing", method="GET").status, 404)

    def test_head_has_no_body(self):
        reply = self.browser().send("HEAD", "/auth/login", [("Accept", "text/html")])
        self.assertEqual((reply.status, reply.body), (200, b""))

    # The form's own protection.

    def test_the_form_takes_only_its_own_browser_and_its_own_token(self):
        victim, attacker = self.browser(), self.browser()
        foreign = attacker.form()["fields"]
        own = victim.form()["fields"]
        filled = {"username": BOB, "password": PASSWORDS[BOB]}
        for name, values in {
            "another browser's token": {**foreign, **filled}, "no token": {**own, **filled, "csrf": ""},
            "cut": {**own, **filled, "csrf": own["csrf"][:-2]},
            "another end": {**own, **filled, "csrf": "9999999999." + own["csrf"].split(".")[1]},
            "garbage": {**own, **filled, "csrf": "x"},
        }.items():
            with self.subTest(name):
                reply = victim.post("/auth/login", values)
                self.assertEqual(reply.status, 403)
                self.assertIsNone(victim.session)
                # The form comes again with a good token, and what was typed but for the password.
                self.assertEqual(reply.page.forms[0]["fields"]["username"], BOB)
                self.assertNotIn(PASSWORDS[BOB], reply.text)
        # Without the cookie it comes again with a new one, once.
        without = victim.post("/auth/login", {**own, **filled}, cookies="", keep=False)
        self.assertEqual((without.status, FLOW in without.cookies, SESSION in without.cookies), (403, True, False))
        again = without.page.forms[0]
        refused = victim.post(again["action"], {**again["fields"], **filled}, cookies="", keep=False)
        self.assertEqual((refused.status, SESSION in refused.cookies), (400, False))
        for flow in ("x", "1.2.3", victim.jar[FLOW][:-1], victim.jar[FLOW] + "x"):
            reply = victim.post("/auth/login", {**own, **filled}, cookies=f"{FLOW}={flow}", keep=False)
            self.assertEqual(reply.status, 403, flow)
            self.assertNotIn(SESSION, reply.cookies)
        twice = victim.post("/auth/login", {**own, **filled}, cookies=f"{FLOW}={victim.jar[FLOW]}; {FLOW}=x", keep=False)
        self.assertNotIn(SESSION, twice.cookies)
        self.assertEqual(victim.post("/auth/login", {**own, **filled}).status, 303)

    def test_a_login_that_another_site_sends_is_refused(self):
        for site, origin in (
            ("cross-site", "https://evil.example"), ("same-site", "https://other.gateway.example"),
            ("none", "https://evil.example")
        ):
            browser = self.browser()
            form = browser.form()
            reply = browser.post(
                "/auth/login", {**form["fields"], "username": ADA, "password": PASSWORDS[ADA]}, site=site, origin=origin
            )
            self.assertEqual((reply.status, browser.session), (403, None), (site, origin))
        for fields in (
            [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")], [("Origin", "https://evil.example")],
            [("Origin", "null")],
[("Origin", f"https://{HOST}.evil.example")],
            [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], [("Origin", f"https://{HOST}:81")],
            [("Origin", f"http://{HOST}")], [("Origin", "")],
        ):
            browser = self.browser()
            reply = browser.api("/auth/login", {"username": ADA, "password": PASSWORDS[ADA]}, fields=fields)
            self.assertEqual((reply.status, browser.session), (403, None), fields)
        twice = [("Origin", f"https://{HOST}"), ("Origin", "https://evil.example")]
        self.assertEqual(
            self.browser().api("/auth/login", {"username": ADA, "password": PASSWORDS[ADA]}, fields=twice).status, 400
        )
        for fields in (
            [], [("Origin", f"https://{HOST}")], [("Sec-Fetch-Site", "same-origin")],
            [("Sec-Fetch-Site", "same-origin"), ("Origin", f"https://{HOST}")]
        ):
            self.assertEqual(
                self.browser().api("/auth/login", {"username": ADA, "password": PASSWORDS[ADA]}, fields=fields).status, 200,
                fields
            )

    def test_pages_and_problems_by_what_is_accepted(self):
        browser = self.browser()
        for accept, kind in (
            ("text/html", "text/html"), ("application/json", "application/json"),
            ("application/json, text/html;q=0.5", "application/json"),
            ("text/html, application/json;q=0.9", "text/html"), ("*/*", "text/html"),
        ):
            reply = browser.send("GET", "/auth/login", [("Accept", accept)])
            self.assertTrue(reply.get("content-type").startswith(kind), (accept, reply.get("content-type")))
        token = browser.api("/auth/login", method="GET").json["csrf_token"]
        reply = browser.post("/auth/login", {"csrf": token, "username": ADA, "password": PASSWORDS[ADA]})
        self.assertEqual(reply.status, 303)

    # Cookies.

    def test_cookies_to_the_letter(self):
        browser = self.secure()
        reply = browser.login()
        cookies = reply.cookies
        self.assertEqual(set(cookies), {SESSION, FLOW, DEVICE})
        self.assertEqual(sorted(cookies[SESSION].attributes), ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"])
        self.assertRegex(cookies[SESSION].value, ID)
        self.assertLessEqual(len(cookies[SESSION].value), 64)
        for name in (FLOW, DEVICE):
            kept = [one for one in cookies[name].attributes if not one.startswith("Max-Age=")]
            self.assertEqual(sorted(kept), ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"], name)
        self.assertTrue(all(len(line) < 1024 for line in reply.all("set-cookie")))
        gone = browser.logout()
        self.assertTrue(gone.cookies[SESSION].is_cleared)
        kept = [one for one in gone.cookies[SESSION].attributes if not one.startswith(("Max-Age=", "Expires="))]
        self.assertEqual(sorted(kept), ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"])
        self.assertIsNone(browser.session)

    def test_whoever_ends_tls_the_origin_is_an_https_one(self):
        for browser in (self.secure().enter(), self.browser().enter()):
            self.assertEqual(browser.send("POST", "/x", [("Origin", f"https://{HOST}")], b"x").status, 200)
            self.assertEqual(browser.send("POST", "/x", [("Origin", f"http://{HOST}")], b"x").status, 403)

    def test_who_comes_over_plain_http_is_told_what_is_missing(self):
        """Browsers keep no cookies for https there, and say nothing of where a form comes from but its origin."""
        for authority in (HOST, f"{HOST}:8080", "192.0.2.7:8080"):
            browser = self.browser(host=authority)
            form = browser.navigate("/auth/login").page.forms[0]
            values = {**form["fields"], "username": ADA, "password": PASSWORDS[ADA]}
            said = [("Accept", "text/html"), ("Accept-Language", "de"), ("Content-Type", "application/x-www-form-urlencoded")]
            body = urllib.parse.urlencode(values).encode()
            for path in ("/auth/login", "/auth/login/code"):
                reply = browser.send("POST", path, [*said, ("Origin", f"http://{authority}")], body, cookies="", keep=False)
                self.assertEqual((reply.status, reply.cookies), (403, {}))
                self.assertIn("https://", reply.text)
                self.assertIn("Diese Adresse ist nicht sicher", reply.text)
            for origin in ("http://evil.example", f"http://{authority}.evil.example", "null"):
                reply = browser.send("POST", "/auth/login", [*said, ("Origin", origin)], body, cookies="", keep=False)
                self.assertEqual(reply.status, 403, origin)
                self.assertIn("von anderswo", reply.text)

    def test_a_thousand_ids_are_random(self):
        """No id twice, every character of 43 in use about equally, no bit that is stuck."""
        browsers = parallel([lambda: self.browser().sign_in() for _ in range(1000)], 8)
        ids = [browser.session for browser in browsers]
        self.assertEqual(len(set(ids)), 1000)
        self.assertTrue(all(ID.fullmatch(one) for one in ids))
        raw = [base64.urlsafe_b64decode(one + "=") for one in ids]
        self.assertEqual({len(one) for one in raw}, {32})
        for bit in range(256):
            ones = sum(one[bit // 8] >> bit % 8 & 1 for one in raw)
            self.assertTrue(500 - 110 < ones < 500 + 110, (bit, ones))
        counts = Counter(b"".join(raw))
        entropy = -sum(count / 32000 * math.log2(count / 32000) for count in counts.values())
        self.assertGreater(entropy, 7.98)
        # Nothing of one id is in the next.
        self.assertEqual(len({one[:8] for one in ids} | {one[-8:] for one in ids}), 2000)

    # Fixation and rotation.

    def test_an_id_that_the_client_brings_is_never_adopted(self):
        planted = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()
        other = self.browser().sign_in(BOB).session
        for brought in (planted, "A" * 43, other, "x", ""):
            for way in ("form", "json"):
                with self.subTest(brought=brought[:4], way=way):
                    browser = self.browser()
                    browser.jar[SESSION] = brought
                    if way == "form":
                        page = browser.navigate("/auth/login?step_up=1") if brought == other else browser.navigate("/auth/login")
                        if brought == other:
                            # Another's session is confirmed by its owner's password only.
                            form = page.page.forms[0]
                            reply = browser.post(
                                form["action"], {**form["fields"], "username": ADA, "password": PASSWORDS[ADA]}
                            )
                            self.assertEqual(reply.status, 401)
                            continue
                        form = page.page.forms[0]
                        reply = browser.post("/auth/login", {**form["fields"], "username": ADA, "password": PASSWORDS[ADA]})
                        self.assertEqual(reply.status, 303)
                    else:
                        self.assertEqual(browser.login_api(ADA).status, 200)
                    self.assertNotEqual(browser.session, brought)
                    self.assertGone(brought or planted, count=2)
                    if brought == other:
                        other = self.browser().sign_in(BOB).session

    def test_every_login_has_a_new_id_and_the_old_one_is_over(self):
        browser = self.browser().sign_in()
        ids = [browser.session]
        for name in (ADA, BOB, ADA):
            browser.sign_in(name)
            self.assertNotIn(browser.session, ids)
            for old in ids:
                self.assertGone(old)
            ids.append(browser.session)
            self.assertEqual(browser.fetch("/x").seen("X-User-Id"), [name])

    def test_a_step_up_has_a_new_id_and_the_old_one_is_over(self):
        browser = self.browser().enter()
        before, facts = browser.session, browser.facts().json
        form = browser.form("/auth/login?step_up=1&return_to=/a")
        self.assertEqual(form["fields"].get("username", ADA), ADA)
        reply = browser.post(form["action"], {**form["fields"], "username": ADA, "password": PASSWORDS[ADA]})
        self.assertEqual((reply.status, reply.location), (303, "/a"))
        self.assertNotEqual(browser.session, before)
        self.assertGone(before)
        after = browser.facts().json
        self.assertNotEqual(after["csrf_token"], facts["csrf_token"])
        self.assertEqual(after["user"], ADA)

    def test_a_second_factor_has_a_new_id(self):
        browser = self.browser().enter(BOB)
        before = browser.session
        token = browser.form("/auth/login?step_up=1")["fields"]["csrf"]
        # Without step_up it is a login of its own.
        page = browser.post("/auth/login", {"csrf": token, "username": TINA, "password": PASSWORDS[TINA]})
        self.assertEqual((page.status, browser.session), (200, before))
        form = page.page.forms[0]
        reply = browser.post(form["action"], {**form["fields"], "code": Clock(self.directory.secret).next()})
        self.assertEqual(reply.status, 303)
        self.assertNotEqual(browser.session, before)
        self.assertGone(before)
        self.assertTrue(reply.cookies[CODE].is_cleared)
        self.assertEqual((browser.facts().json["user"], browser.facts().json["strength"]), (TINA, 2))

    def test_the_store_of_the_process_knows_no_id(self):
        """What the gateway tells of a session names it by its digest."""
        browser = self.browser().sign_in()
        for reply in (browser.facts(), browser.api("/auth/sessions", method="GET"), browser.navigate("/auth/sessions")):
            self.assertNotIn(browser.session, reply.text)
        self.assertNotIn(browser.session, "".join(self.gateway.log))
        self.assertNotIn(PASSWORDS[ADA], "".join(self.gateway.log))

    # Circles.

    def test_a_browser_that_goes_in_circles_is_told_so(self):
        """A session cookie that is refused by the browser: login succeeds, and the service is asked without it."""
        browser = self.browser()
        browser.login()
        statuses = []
        for _ in range(6):
            browser.jar.pop(SESSION, None)
            reply = browser.navigate("/x", site="same-origin")
            self.assertEqual(reply.status, 303)
            reply = browser.navigate(reply.location, site="same-origin")
            statuses.append(reply.status)
            if reply.status != 200:
                break
            form = reply.page.forms[0]
            browser.post(form["action"], {**form["fields"], "username": ADA, "password": PASSWORDS[ADA]})
        self.assertEqual(statuses[-1], 400, statuses)
        self.assertLessEqual(len(statuses), 4)
        self.assertIn("cookie", reply.page.text.lower())
