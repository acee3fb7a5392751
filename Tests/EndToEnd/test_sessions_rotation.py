"""Ids that take the place of others, and routes that ask for a recent login: nobody is logged out or led in circles by it."""

import threading
import time
import unittest

from harness import TestCase
from sessions import (
    ACCOUNTS, ADA, BOB, CODE, PASSWORDS, SESSION, TINA, Browser, Clock, Live, SessionCase, parallel
)
from test_sessions_stores import Base, Server
from timing import Stopwatch, steady

ROUTES = """
workers: 2
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: optional, match: {path: /optional}, auth: optional, forward: {upstream: a}}
  - {name: audience, match: {path: /audience}, audiences: [api], forward: {upstream: a}}
  - {name: issuer, match: {path: /issuer}, issuers: [main], forward: {upstream: a}}
  - {name: age, match: {path: /age}, session: {max_age: 3s}, forward: {upstream: a}}
  - {name: idle, match: {path: /idle}, session: {max_idle: 3s}, forward: {upstream: a}}
  - {name: both, match: {path: /both}, session: {max_age: 3s, strength: 2}, forward: {upstream: a}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""
OWN, CROSS = [("Sec-Fetch-Site", "same-origin")], [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")]


class Rotation(SessionCase):
    configuration = TestCase.keys.ISSUERS + ACCOUNTS + "sessions: {file: s.db, maximum_per_account: 10000}\n" + ROUTES

    def step_up(self, browser, **more):
        reply = browser.api("/auth/login?step_up=1", {"password": PASSWORDS[ADA], **more})
        self.assertEqual(reply.status, 200, reply)

    def test_what_was_under_way_with_the_old_id_leaves_the_new_cookie_alone(self):
        browser = self.browser().enter()
        old = dict(browser.jar)
        self.assertEqual(self.statuses(browser), {200})
        self.step_up(browser)
        late = "; ".join(f"{name}={value}" for name, value in old.items())
        answers = {
            "poll": browser.fetch("/x", cookies=late, keep=False),
            "navigation": browser.navigate("/x", cookies=late, keep=False),
            "login page": browser.navigate("/auth/login", cookies=late, keep=False),
            "logout page": browser.navigate("/auth/logout", cookies=late, keep=False),
            "facts": browser.facts(cookies=late, keep=False),
            "list": browser.api("/auth/sessions", method="GET", cookies=late, keep=False),
        }
        self.assertEqual(answers["poll"].status, 401)
        for name, reply in answers.items():
            self.assertNotIn(SESSION, reply.cookies, name)
        self.assertEqual(self.statuses(browser), {200})

    def test_a_new_login_over_an_old_one_as_well(self):
        browser = self.browser().sign_in()
        old = browser.session
        browser.sign_in(BOB)
        for _ in range(8):
            self.assertEqual(browser.fetch("/x", cookies=f"{SESSION}={old}").cookies, {})
        self.assertEqual(browser.fetch("/x").seen("X-User-Id"), [BOB])

    def test_polls_at_the_moment_of_the_step_up(self):
        for _ in range(6):
            browser, order, lock = self.browser().enter(), [], threading.Lock()
            form = browser.form("/auth/login?step_up=1")
            cookies = "; ".join(f"{name}={value}" for name, value in browser.jar.items())

            def poll(_=None):
                while len(order) < 40 and not any(kind == "step" for kind, _ in order):
                    reply = self.browser().fetch("/x", cookies=cookies, keep=False)
                    with lock:
                        order.append(("poll", reply))

            def step():
                reply = browser.post(form["action"], {**form["fields"], "password": PASSWORDS[ADA]}, cookies=cookies, keep=False)
                with lock:
                    order.append(("step", reply))

            parallel([step, poll, poll, poll], 4)
            for _, reply in order:
                browser.take(reply)
            self.assertEqual(browser.fetch("/x", keep=False).status, 200)

    def test_what_ended_otherwise_is_cleared_at_once(self):
        browser = self.browser().sign_in()
        cookie = f"{SESSION}={browser.session}"
        self.assertEqual(browser.api("/auth/logout", {}, fields=OWN).status, 200)
        self.assertTrue(browser.fetch("/x", cookies=cookie).cookies[SESSION].is_cleared)
        for path in ("/auth/session", "/auth/sessions", "/x"):
            for value in (cookie, f"{SESSION}=garbage"):
                reply = self.browser().api(path, method="GET", cookies=value)
                self.assertEqual(reply.status, 401)
                self.assertTrue(reply.cookies[SESSION].is_cleared, (path, value))

    def test_where_no_login_helps_none_is_asked_for(self):
        browser = self.browser().sign_in()
        for path in ("/audience/x", "/issuer/x"):
            for reply in (browser.navigate(path, keep=False), browser.api(path, method="GET", keep=False)):
                self.assertEqual((reply.status, reply.get("www-authenticate")), (403, None), path)
            self.assertEqual(self.browser().navigate(path).status, 303)

    def test_login_pages_that_are_opened_again_are_no_circle(self):
        browser = self.browser().enter()
        self.assertEqual({browser.navigate("/auth/login").status for _ in range(6)}, {303})
        browser = self.browser().enter()
        self.assertEqual({browser.navigate(f"/auth/login?return_to=/t{one}").status for one in range(40)}, {303})

    def test_refused_portal_answers_name_a_scheme(self):
        replies = (
            self.browser().login_api(ADA, "wrong"), self.browser().login(ADA, "wrong"), self.browser().facts(),
            self.browser().api("/auth/sessions", method="GET"), self.browser().login_api(TINA)
        )
        for reply in replies:
            self.assertEqual((reply.status, reply.get("www-authenticate")), (401, 'Cookie realm="portcullis"'))


class Submissions(SessionCase):
    configuration = ACCOUNTS + "sessions: {store: memory, maximum_per_account: 10000}\n" + ROUTES.replace(
        "  - {name: audience, match: {path: /audience}, audiences: [api], forward: {upstream: a}}\n", ""
    ).replace("  - {name: issuer, match: {path: /issuer}, issuers: [main], forward: {upstream: a}}\n", "")

    def test_nothing_of_any_type_is_nothing(self):
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            fields = [("Accept", "application/json"), ("Content-Type", kind), *OWN]
            browser, other = self.browser().sign_in(), self.browser().sign_in()
            reply = browser.send("DELETE", "/auth/sessions/" + other.handle(), fields, b"")
            self.assertEqual((reply.status, other.fetch("/x").status), (200, 401), kind)
            self.assertEqual(browser.send("POST", "/auth/logout", fields, b"").status, 200, kind)

    def test_content_that_is_encoded_is_none(self):
        for coding, status in (("gzip", 415), ("identity", 200), ("identity, gzip", 415), ("br", 415)):
            fields = [("Content-Type", "application/json"), ("Content-Encoding", coding), ("Accept", "application/json")]
            body = b'{"username":"ada","password":"%s"}' % PASSWORDS[ADA].encode()
            self.assertEqual(self.browser().send("POST", "/auth/login", fields, body).status, status, coding)

    def test_everywhere_is_never_less(self):
        for value, status in (
            (True, 200), ("TRUE", 200), ("yes", 200), ("On", 200), (1, 200), (2, 400), ("everything", 400), ("", 400)
        ):
            one, other = self.browser().sign_in(BOB), self.browser().sign_in(BOB)
            self.assertEqual(one.api("/auth/logout", {"everywhere": value}, fields=OWN).status, status, value)
            self.assertEqual(other.fetch("/x").status, 401 if status == 200 else 200, value)
        for value in (False, "no", "0"):
            one, other = self.browser().sign_in(BOB), self.browser().sign_in(BOB)
            self.assertEqual(one.api("/auth/logout", {"everywhere": value}, fields=OWN).status, 200, value)
            self.assertEqual(other.fetch("/x").status, 200, value)

    def test_gate_and_portal_judge_a_source_alike(self):
        own, evil = ("Origin", "https://gateway.example"), ("Origin", "https://evil.example")
        site = "Sec-Fetch-Site"
        browser = self.browser().sign_in()
        for fields, good in (
            ([(site, "cross-site"), (site, "cross-site"), own], False), ([(site, "same-origin"), (site, "same-origin"), own], False),
            ([own, evil], False), ([own, own], False), ([(site, "same-origin"), own, own], False),
            ([(site, "none")], True), ([(site, "none"), own], True), ([(site, "none"), evil], False), ([(site, "same-site"), own], False),
            ([("Origin", "https://GATEWAY.example")], True), ([(site, "Same-Origin")], True), ([(site, "")], False),
            ([(site, "same-origin"), evil], True), ([("Origin", "HTTPS://gateway.example")], False), ([("Origin", "null")], False),
        ):
            gate = browser.send("POST", "/x", fields, b"", keep=False).status
            portal = browser.send("POST", "/auth/logout", [("Accept", "application/json"), *fields], b"", keep=False).status
            # Two of Origin do not come as far.
            self.assertIn((gate, portal), [(200, 200)] if good else [(403, 403), (400, 400)], fields)
            if portal == 200:
                browser.sign_in()

    def test_a_logout_ends_the_half_done_login(self):
        clock = Clock(self.directory.secret)
        browser = self.browser()
        self.assertEqual(browser.login_api(TINA).code, "second_factor_required")
        kept = dict(browser.jar)
        self.assertIn(CODE, kept)
        self.assertEqual(browser.api("/auth/logout", {}).status, 200)
        browser.jar.update(kept)
        self.assertEqual(browser.api("/auth/login/code", {"code": clock.next()}).code, "login_expired")

    def test_forms_may_lead_on_to_where_a_service_leads(self):
        def action(reply):
            return next(part.split() for part in reply.get("content-security-policy").split("; ") if part.startswith("form-action"))

        self.assertEqual(action(self.browser().navigate("/auth/login")), ["form-action", "'self'", "https:"])
        self.assertEqual(action(self.browser().login(TINA)), ["form-action", "'self'", "https:"])
        browser = self.browser().enter()
        for path, wanted in (("/auth/logout", []), ("/auth/sessions", []), ("/auth/logout?return_to=/bye", ["https:"])):
            self.assertEqual(action(browser.navigate(path)), ["form-action", "'self'", *wanted], path)


class Codes(SessionCase):
    configuration = TestCase.keys.ISSUERS + ACCOUNTS + "sessions: {store: memory}\n" + ROUTES

    def test_a_program_s_code_counts_once(self):
        clock, client = Clock(self.directory.secret), self.browser()
        for code in (clock.next(), self.directory.recovery[0]):
            self.assertEqual(client.login_api(TINA).status, 401)
            cookies = "; ".join(f"{name}={value}" for name, value in client.jar.items())
            replies = [client.api("/auth/login/code", {"code": code}, cookies=cookies, keep=False) for _ in range(3)]
            self.assertEqual([reply.status for reply in replies], [200, 400, 400])
            session = f"{SESSION}={replies[0].cookies[SESSION].value}"
            self.assertEqual(client.fetch("/x", cookies=session, keep=False).status, 200)

    def test_a_page_of_before_a_step_up_logs_out(self):
        browser = self.browser().enter(ADA)
        form = browser.form("/auth/logout")
        self.assertEqual(browser.login(ADA, path="/auth/login?step_up=1").status, 303)
        session = browser.session
        self.assertEqual(browser.post(form["action"], form["fields"]).status, 303)
        self.assertEqual(browser.fetch("/x", cookies=f"{SESSION}={session}", keep=False).status, 401)


class AfterLogout(SessionCase):
    configuration = Submissions.configuration + "portal: {after_logout: 'http://127.0.0.1:8080/bye?x'}\n"

    def test_its_origin_is_allowed_where_a_form_logs_out(self):
        browser = self.browser().enter()
        for path in ("/auth/logout", "/auth/sessions"):
            self.assertIn("form-action 'self' https: http://127.0.0.1:8080;", browser.navigate(path).get("content-security-policy"))


class Ages(SessionCase):
    configuration = ACCOUNTS.replace("accounts:\n", "accounts:\n  second_factor: 'off'\n") + """
sessions: {store: memory, idle: 30s, maximum_per_account: 10000}
""" + Submissions.configuration.replace(ACCOUNTS, "").split("\n", 1)[1]

    def test_streams_end_when_the_route_asks_for_another_login(self):
        took, began = Stopwatch(), steady()
        browser = self.browser().sign_in()
        kinds = (("/age/socket", Live.UPGRADE), ("/age/events", ()), ("/idle/socket", Live.UPGRADE), ("/idle/events", ()))
        streams = [Live(browser, path, fields) for path, fields in kinds]
        other = Live(browser, "/socket", Live.UPGRADE)
        self.assertEqual([one.status for one in streams], [101, 200, 101, 200])
        for one, (path, _) in zip(streams, kinds):
            at = one.ends(9)
            self.assertTrue(at and at - began < 6, path)
            self.assertTrue(took.within(1.9, 9), took)
        self.assertIsNone(other.at)
        other.close()

    def test_use_makes_the_pause_begin_again_and_the_age_goes_on(self):
        browser = self.browser().sign_in()
        socket, old = Live(browser, "/idle/socket", Live.UPGRADE), Live(browser, "/age/socket", Live.UPGRADE)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            self.assertEqual(browser.fetch("/x").status, 200)
            self.assertIsNone(socket.at)
            time.sleep(0.2)
        self.assertIsNotNone(old.at)
        self.assertIsNotNone(socket.ends(8))

    def test_one_step_up_does_for_age_and_strength_and_makes_nothing_weaker(self):
        clock = Clock(self.directory.secret)
        browser = self.browser().sign_in(TINA)
        began = browser.facts().json["created"]
        while time.time() < began + 3.1:
            time.sleep(0.05)
        where = browser.navigate("/both/x", site="same-origin")
        self.assertIn("step_up=2", where.location)
        self.assertEqual(browser.api(where.location, {"password": PASSWORDS[TINA], "code": clock.next()}).status, 200)
        self.assertEqual(browser.fetch("/both/x").status, 200)
        began = browser.facts().json["created"]
        while time.time() < began + 3.1:
            time.sleep(0.05)
        where = browser.navigate("/both/x", site="same-origin")
        self.assertIn("step_up=1", where.location)
        self.assertEqual(browser.api(where.location, {"password": PASSWORDS[TINA]}).code, "second_factor_required")
        self.assertEqual(browser.api("/auth/login/code?step_up=1", {"code": clock.next()}).json["strength"], 2)
        self.assertEqual(browser.fetch("/both/x").status, 200)

    def test_a_stream_of_events_that_begins_near_the_end_says_so(self):
        live = Live(self.browser().sign_in(), "/auth/session/events")
        until = steady() + 10
        while b"event: expiring" not in live.bytes and steady() < until:
            time.sleep(0.02)
        self.assertIn(b"event: session", live.bytes)
        self.assertIn(b"event: expiring", live.bytes)
        live.close()


class Refused(SessionCase):
    configuration = Submissions.configuration.replace("{store: memory,", "{store: memory, idle: 3s, touch: 1s,")

    def test_what_another_site_s_page_asks_for_keeps_nothing_alive(self):
        browser = self.browser().sign_in()
        until = time.monotonic() + 5
        while time.monotonic() < until:
            browser.send("POST", "/auth/logout", [("Accept", "application/json"), *CROSS], b"", keep=False)
            time.sleep(0.2)
        self.assertEqual(browser.fetch("/x").status, 401)


class TwoGateways(Base):
    TEXT = ACCOUNTS + """
sessions:
  store: redis
  redis: {servers: ["127.0.0.1:@REDIS@"]}
  idle: 40s
  touch: 1s
workers: 2
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: idle, match: {path: /idle}, session: {max_idle: 6s}, forward: {upstream: a}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""

    def two(self):
        server = Server()
        self.addCleanup(server.stop)
        return [self.gateway(self.TEXT, REDIS=server.port) for _ in range(2)]

    def test_a_session_that_is_used_elsewhere_makes_no_pause(self):
        first, second = self.two()
        browser = Browser(first.port).sign_in()
        cookie = f"{SESSION}={browser.session}"

        def there(path):
            return {Browser(second.port).fetch(path, cookies=cookie, keep=False).status for _ in range(6)}

        self.assertEqual(there("/idle/x"), {200})
        until = time.monotonic() + 8
        while time.monotonic() < until:
            self.assertEqual(browser.fetch("/idle/x").status, 200)
            time.sleep(0.2)
        # The request of a route that does not mind must not hide what the store knows.
        self.assertEqual((there("/x"), there("/idle/x")), ({200}, {200}))

    def test_a_recovery_code_is_good_once(self):
        first, second = self.two()
        code = self.directory.recovery[0]
        self.assertEqual(Browser(first.port).login_api(TINA, code=code).status, 200)
        reply = Browser(second.port).login_api(TINA, code=code)
        self.assertEqual((reply.status, reply.code), (401, "wrong_code"))

    def test_an_id_that_was_replaced_at_the_other_gateway_is_left_alone(self):
        first, second = self.two()
        browser = Browser(first.port).sign_in()
        for warm in (True, False):
            old = f"{SESSION}={browser.session}"
            if warm:
                self.assertEqual(Browser(second.port).fetch("/x", cookies=old).status, 200)
            self.assertEqual(browser.api("/auth/login?step_up=1", {"password": PASSWORDS[ADA]}).status, 200)
            self.assertEventually(
                lambda: Browser(second.port).fetch("/x", cookies=old).status == 401, "it goes on", 8  # noqa: B023
            )
            for _ in range(6):
                self.assertEqual(Browser(second.port).fetch("/x", cookies=old).cookies, {})
            self.assertEqual(Browser(second.port).facts(cookies=old).cookies, {})


if __name__ == "__main__":
    unittest.main()
