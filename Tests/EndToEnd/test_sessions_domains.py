"""One login for several sites: handed off by a code that is good once, for one site, one browser and thirty seconds."""

import os
import time
import unittest
import urllib.parse

import peers
from harness import Gateway
from sessions import ACCOUNTS, ADA, BOB, FLOW, SESSION, Browser, Live, SessionCase
from timing import steady

LOGIN, SHOP, WIKI, OTHER = "login.example.com", "shop.example.org", "wiki.example.net", "other.example"
AUTHORITY = peers.Authority()
FRONT = AUTHORITY.issue(LOGIN, SHOP, WIKI, OTHER)
CONFIGURATION = ACCOUNTS + """
workers: 2
listeners:
  - {name: main, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
sessions:
  store: memory
  maximum_per_account: 1000
  login_host: login.example.com
  sites:
    - {hosts: [login.example.com]}
    - {hosts: [shop.example.org]}
    - {hosts: [wiki.example.net], cookie: {name: __Host-wiki}}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes: [{name: all, match: {path: /}, forward: {upstream: a}}]
"""
NAMES = {LOGIN: SESSION, SHOP: SESSION, WIKI: "__Host-wiki"}


class Domains(SessionCase):
    configuration = CONFIGURATION
    files = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem}

    def setUp(self):
        super().setUp()
        self.user = Browser(self.gateway.port, LOGIN, AUTHORITY.context(["http/1.1"]))

    @classmethod
    def stranger(cls):
        return Browser(cls.gateway.port, LOGIN, AUTHORITY.context(["http/1.1"]))

    @staticmethod
    def go(browser, location):
        """Where a browser goes with a Location: itself at the right host, and the path."""
        parts = urllib.parse.urlsplit(location)
        path = parts.path + ("?" + parts.query if parts.query else "")
        return (browser.at(parts.netloc) if parts.netloc else browser), path

    @classmethod
    def follow(cls, browser, path, most=8):
        """A navigation with all its redirects; the last answer and all that were passed."""
        trail = []
        for _ in range(most):
            reply = browser.navigate(path, site="cross-site")
            if reply.status != 303:
                return reply, browser, trail
            trail.append((browser.host, path, reply))
            browser, path = cls.go(browser, reply.location)
        raise AssertionError([(host, path) for host, path, _ in trail])

    @classmethod
    def arrive(cls, browser, host=SHOP, path="/x"):
        """Asked for at a site without a session; up to the login form, and through it."""
        page, at, _ = cls.follow(browser.at(host), path)
        assert (page.status, at.host) == (200, LOGIN), (at.host, page)
        form = page.page.forms[0]
        reply = at.post(form["action"], {**form["fields"], "username": ADA, "password": "analytical engine 1843"})
        assert reply.status == 303, reply
        return at, reply

    @classmethod
    def hand_off(cls, browser, host=SHOP, path="/x"):
        """A code that has not been taken: its location."""
        at = browser.at(host)
        for _ in range(6):
            reply = at.navigate(path, site="cross-site")
            if reply.status == 200:
                form = reply.page.forms[0]
                values = {**form["fields"], "username": ADA, "password": "analytical engine 1843"}
                reply = at.post(form["action"], values)
            assert reply.status == 303, reply
            if reply.location.startswith(f"https://{host}/auth/handoff?"):
                return reply.location
            at, path = cls.go(at, reply.location)
        raise AssertionError(reply)

    def cookie(self, browser, host):
        return browser.at(host).jar.get(NAMES[host])

    def test_one_login_for_all_sites(self):
        at, reply = self.arrive(self.user, SHOP, "/cart?item=1")
        last, where, trail = self.follow(*self.go(at, reply.location))
        self.assertEqual((last.status, where.host, last.seen("X-User-Id")), (200, SHOP, [ADA]))
        self.assertIn("GET /cart?item=1 HTTP/1.1", last.text)
        # At the next site nothing is asked.
        last, where, trail = self.follow(self.user.at(WIKI), "/page")
        self.assertEqual((last.status, where.host, last.seen("X-User-Id")), (200, WIKI, [ADA]))
        self.assertEqual(len(trail), 4)
        cookies = {host: self.cookie(self.user, host) for host in NAMES}
        self.assertEqual(len(set(cookies.values())), 3)
        self.assertNotIn(None, cookies.values())
        # Each site has its own name for it, and none sees another's.
        wiki = self.user.at(WIKI)
        self.assertEqual(wiki.fetch("/x", cookies=f"{SESSION}={cookies[WIKI]}", keep=False).status, 401)
        self.assertNotIn(
            "__Host-wiki",
            self.user.at(SHOP).fetch("/x", cookies=f"a=1; __Host-wiki={cookies[WIKI]}; {SESSION}={cookies[SHOP]}", keep=False).text
        )
        # No id and no password was in any address.
        for host, path, reply in trail:
            for secret in cookies.values():
                self.assertNotIn(secret, path + (reply.location or ""))

    def test_cookies_belong_to_their_host(self):
        at, reply = self.arrive(self.user)
        shop, path = self.go(at, reply.location)
        reply = shop.navigate(path, site="cross-site")
        self.assertEqual(sorted(reply.cookies[SESSION].attributes), ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"])
        self.assertEqual(
            (reply.get("cache-control"), reply.get("referrer-policy") in ("no-referrer", "same-origin")), ("no-store", True)
        )

    def test_a_code_is_good_once(self):
        shop, path = self.go(self.user, self.hand_off(self.user))
        first = shop.navigate(path, site="cross-site")
        self.assertEqual(first.status, 303)
        cookie = self.cookie(self.user, SHOP)
        again = shop.navigate(path, site="cross-site")
        self.assertNotIn(SESSION, again.cookies)
        # Loaded again by the same browser it leads on; without the session it is refused.
        shop.jar.pop(SESSION)
        again = shop.navigate(path, site="cross-site")
        self.assertEqual((again.status, SESSION in again.cookies), (400, False))
        self.assertEqual(shop.fetch("/x", cookies=f"{SESSION}={cookie}", keep=False).status, 200)

    def test_looking_does_not_use_a_code_up(self):
        location = self.hand_off(self.user)
        at, path = self.go(self.user, location)
        reply = at.send("HEAD", path)
        self.assertEqual((reply.status, reply.get("allow")), (405, "GET"))
        self.assertEqual((at.navigate(path, site="cross-site").location, self.cookie(self.user, SHOP) is None), ("/x", False))

    def test_a_code_is_bound_to_its_browser(self):
        """Login CSRF: somebody is sent to a code that another asked for."""
        location = self.hand_off(self.user)
        victim = self.stranger()
        shop, path = self.go(victim, location)
        reply = shop.navigate(path, site="cross-site")
        self.assertEqual((reply.status, SESSION in reply.cookies), (400, False))
        # With a browser of its own, which began a hand-off itself.
        self.follow(victim.at(SHOP), "/x")
        self.assertIn(FLOW, victim.at(SHOP).jar)
        location = self.hand_off(self.user)
        shop, path = self.go(victim, location)
        reply = shop.navigate(path, site="cross-site")
        self.assertEqual((reply.status, SESSION in reply.cookies), (400, False))
        # Nor with the victim's own state.
        own = self.hand_off(victim)
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(own).query)["state"][0]
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(self.hand_off(self.stranger())).query)["code"][0]
        reply = victim.at(SHOP).navigate(f"/auth/handoff?code={code}&state={state}", site="cross-site")
        self.assertEqual((reply.status, SESSION in reply.cookies), (400, False))
        # What was asked for in order goes through.
        self.assertEqual(victim.at(SHOP).navigate(own.removeprefix(f"https://{SHOP}"), site="cross-site").status, 303)

    def test_a_code_is_for_one_site(self):
        location = self.hand_off(self.user, SHOP)
        path = location.removeprefix(f"https://{SHOP}")
        # The wiki's own state with the shop's code.
        wiki = self.user.at(WIKI)
        start = wiki.navigate("/auth/start?return_to=/x", site="none")
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(start.location).query)["state"][0]
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["code"][0]
        for query in (path, f"/auth/handoff?code={code}&state={state}"):
            reply = wiki.navigate(query, site="cross-site")
            self.assertEqual((reply.status, "__Host-wiki" in reply.cookies), (400, False), query)
        for host in (LOGIN, OTHER):
            reply = self.user.at(host).navigate(path, site="cross-site")
            self.assertEqual((reply.status, SESSION in reply.cookies), (400, False), host)

    def test_garbage(self):
        shop = self.user.at(SHOP)
        location = self.hand_off(self.user)
        code, state = (urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)[name][0] for name in ("code", "state"))
        for query in (
            "", "?code=", f"?code={code}", f"?state={state}", f"?code={code}&state=", f"?code={'A' * 43}&state={state}",
            f"?code=x&state={state}", f"?code={code}x&state={state}", f"?code={code}&state={state[:-1]}",
            f"?code={code}&code={code}&state={state}",
        ):
            reply = shop.navigate("/auth/handoff" + query, site="cross-site")
            self.assertEqual((reply.status, SESSION in reply.cookies), (400, False), query)
        # Nothing of that used it up.
        self.assertEqual(shop.navigate(f"/auth/handoff?code={code}&state={state}", site="cross-site").status, 303)

    @unittest.skipUnless(
        os.environ.get("PORTCULLIS_LOAD") == "long", "takes half a minute; PortalTests have it with a clock of their own"
    )
    def test_a_code_lasts_thirty_seconds(self):
        shop, path = self.go(self.user, self.hand_off(self.user))
        time.sleep(31)
        reply = shop.navigate(path, site="cross-site")
        self.assertEqual((reply.status, SESSION in reply.cookies), (400, False))

    def test_a_logout_anywhere_ends_all(self):
        for host in NAMES:
            user = self.stranger()
            at, reply = self.arrive(user)
            self.follow(*self.go(at, reply.location))
            self.follow(user.at(WIKI), "/x")
            cookies = {one: self.cookie(user, one) for one in NAMES}
            lives = [Live(user.at(one), "/events", cookie=f"{NAMES[one]}={cookies[one]}") for one in NAMES]
            self.assertEqual([one.status for one in lives], [200] * 3)
            begin = steady()
            reply = user.at(host).api("/auth/logout", {}, fields=[("Sec-Fetch-Site", "same-origin")])
            self.assertEqual((reply.status, reply.json["ended"]), (200, 3))
            for one, value in cookies.items():
                for _ in range(6):
                    self.assertEqual(
                        user.at(one).fetch("/x", cookies=f"{NAMES[one]}={value}", keep=False).status, 401, (host, one)
                    )
            for one in lives:
                at = one.ends(3)
                self.assertTrue(at and at - begin < 1.2, host)

    def test_a_code_of_a_login_that_ended_is_worth_nothing(self):
        shop, path = self.go(self.user, self.hand_off(self.user))
        self.assertEqual(self.user.at(LOGIN).api("/auth/logout", {}, fields=[("Sec-Fetch-Site", "same-origin")]).status, 200)
        reply = shop.navigate(path, site="cross-site")
        self.assertEqual((reply.status, SESSION in reply.cookies), (400, False))

    def test_a_session_of_a_site_lasts_no_longer(self):
        at, reply = self.arrive(self.user)
        login = at.facts().json
        self.follow(*self.go(at, reply.location))
        shop = self.user.at(SHOP).facts().json
        self.assertLessEqual(shop["absolute_seconds_left"], login["absolute_seconds_left"])
        self.assertEqual((shop["authenticated"], shop["strength"]), (login["authenticated"], login["strength"]))
        self.assertTrue(shop["method"].startswith("handoff:"))
        self.assertNotEqual(shop["csrf_token"], login["csrf_token"])
        rows = self.user.at(LOGIN).api("/auth/sessions", method="GET").json["sessions"]
        self.assertLessEqual({LOGIN, SHOP}, {row["site"] for row in rows})

    def test_an_id_of_one_site_opens_no_other(self):
        at, reply = self.arrive(self.user)
        self.follow(*self.go(at, reply.location))
        own = self.cookie(self.user, SHOP)
        for _ in range(3):
            self.assertEqual(self.user.at(SHOP).fetch("/x", keep=False).status, 200)
            for host in (LOGIN, WIKI, OTHER):
                thief = self.stranger().at(host)
                cookies = f"{NAMES.get(host, SESSION)}={own}"
                self.assertEqual(thief.fetch("/x", cookies=cookies, keep=False).status, 401, host)
                self.assertEqual(thief.facts(cookies=cookies, keep=False).status, 401, host)
        # Nor does it get a code for another site.
        thief = self.stranger()
        thief.jar[SESSION] = own
        page, where, _ = self.follow(thief.at(WIKI), "/page")
        self.assertEqual((page.status, where.host, len(page.page.forms)), (200, LOGIN, 1))

    def test_hosts_that_are_no_site(self):
        reply = self.user.at(OTHER).navigate("/auth/start?return_to=/x", site="none")
        if reply.status == 303:
            self.assertFalse(reply.location.startswith("http"), reply.location)
        for target in (
            f"https://{OTHER}/x", f"https://{SHOP}.evil.example/x", f"https://{SHOP}@evil.example/", f"http://{SHOP}/x",
            f"https://{SHOP}:444/x", f"https://{SHOP}//evil.example", f"//{SHOP}/x", f"https://{SHOP}\\@evil.example",
            f"https://{SHOP}%2eevil.example/", f"https://{SHOP.upper()}/x", f"https://{SHOP}./x",
            f"https://{SHOP}/\\evil.example",
            f"https://{SHOP}/auth/logout", f"https://user@{SHOP}/x", f"https:{SHOP}/x", f"https://{SHOP}/..//evil.example",
        ):
            browser = self.stranger()
            page = browser.navigate("/auth/login?state=" + "A" * 43 + "&return_to=" + urllib.parse.quote(target, safe=""))
            form = page.page.forms[0]
            self.assertEqual(form["fields"].get("return_to", ""), "", target)
            reply = browser.post(
                form["action"], {**form["fields"], "return_to": target, "username": BOB, "password": "eleven green bottles"}
            )
            self.assertEqual((reply.status, reply.location), (303, "/"), target)

    def test_the_form_may_lead_to_sites_and_nowhere_else(self):
        page, at, _ = self.follow(self.user.at(SHOP), "/x")
        policy = page.get("content-security-policy")
        action = next(part for part in policy.split(";") if part.strip().startswith("form-action"))
        for word in ("'self'", f"https://{SHOP}", f"https://{WIKI}"):
            self.assertIn(word, action)
        self.assertNotIn("*", action)

    def test_programs_are_told_where(self):
        reply = self.user.at(SHOP).fetch("/x")
        self.assertEqual(reply.status, 401)
        self.assertIn(reply.json["login_url"], ("/auth/start", f"https://{LOGIN}/auth/login"))

    def test_circles(self):
        """A site whose cookies are refused is not sent to and fro for ever."""
        at, reply = self.arrive(self.user)
        self.follow(*self.go(at, reply.location))
        browser, path, statuses = self.user.at(SHOP), "/x", []
        for _ in range(40):
            browser.at(SHOP).jar.pop(SESSION, None)
            reply = browser.navigate(path, site="cross-site")
            statuses.append(reply.status)
            if reply.status != 303:
                break
            browser, path = self.go(browser, reply.location)
        self.assertEqual(statuses[-1], 400, statuses)
        self.assertLess(len(statuses), 20)

    def test_a_page_that_is_opened_again_and_again_is_no_circle(self):
        """Nobody logs in: three tabs of one page, or somebody who tries once more."""
        for path in ["/x"] * 5 + ["/y"] * 5:
            page, at, _ = self.follow(self.user.at(SHOP), path)
            self.assertEqual((page.status, at.host), (200, LOGIN))
        self.arrive(self.user, SHOP, "/x")


class Shared(SessionCase):
    """One cookie for all hosts below a domain."""

    configuration = ACCOUNTS + """
workers: 2
sessions:
  store: memory
  cookie: {domain: example.com}
  sites:
    - {hosts: ["*.example.net", example.net], cookie: {domain: example.net, name: net}}
    - {hosts: [alone.example.com], cookie: {name: __Host-alone}}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes: [{name: all, match: {path: /}, forward: {upstream: a}}]
"""

    def test_a_login_for_a_site_that_the_cookie_reaches(self):
        """There is nothing to hand over, and so nothing that could fail."""
        text = self.configuration.replace("  cookie: {domain: example.com}\n", "  login_host: login.example.com\n").replace(
            "  sites:\n", "  sites:\n    - {hosts: [login.example.com, app.example.com], cookie: {name: gw_all, domain: example.com}}\n"
        )
        gateway = Gateway(text, {**self.keys.files(), **self.directory.files()}, UPSTREAM=self.upstream.port)
        self.addCleanup(gateway.stop)
        app = Browser(gateway.port, "app.example.com")
        start = app.navigate("/x")
        login = app.navigate(start.location)
        at, path = Domains.go(app, login.location)
        form = at.navigate(path).page.forms[0]
        reply = at.post(form["action"], {**form["fields"], "username": ADA, "password": "analytical engine 1843"})
        self.assertEqual(reply.status, 303)
        self.assertEqual(urllib.parse.urlsplit(reply.location).path, "/x")
        self.assertEqual(Domains.go(at, reply.location)[0].host, "app.example.com")
        cookie = f"gw_all={at.jar['gw_all']}"
        for host in ("app.example.com", "login.example.com"):
            self.assertEqual(at.at(host).fetch("/x", cookies=cookie, keep=False).status, 200)

    def test_siblings_are_one_site_and_nobody_else(self):
        for home, name, others in (
            ("app.example.com", "gw_session", ("example.com", "WIKI.example.com", "a.b.example.com:81")),
            ("app.example.net", "net", ("example.net", "wiki.example.net.", "a.b.example.net")),
        ):
            browser = Browser(self.gateway.port, home)
            self.assertEqual(browser.login_api().status, 200)
            own = browser.jar[name]
            for _ in range(3):
                for host in (home, *others):
                    one = browser.at(host)
                    self.assertEqual(one.fetch("/x", cookies=f"{name}={own}", keep=False).status, 200, host)
                    self.assertEqual(one.facts(cookies=f"{name}={own}", keep=False).status, 200, host)
                for host, called in (
                    ("alone.example.com", "__Host-alone"), ("evilexample.com", "gw_session"), ("other.example", "gw_session"),
                    ("app.example.net" if name != "net" else "app.example.com", "net" if name != "net" else "gw_session"),
                ):
                    one = browser.at(host)
                    self.assertEqual(one.fetch("/x", cookies=f"{called}={own}", keep=False).status, 401, host)
                    self.assertEqual(one.facts(cookies=f"{called}={own}", keep=False).status, 401, host)
            # A logout at one is a logout at all.
            self.assertEqual(browser.at(others[0]).post("/auth/logout", {}, cookies=f"{name}={own}").status, 303)
            self.assertEqual(browser.fetch("/x", cookies=f"{name}={own}").status, 401)
