"""Logging out: on both sides, everywhere, on another device, by an operator; and what goes on ends with it."""

import json
import pathlib
import time
import urllib.parse

import peers
from sessions import ACCOUNTS, ADA, BOB, CODE, FLOW, RITA, SESSION, TINA, Live, SessionCase, Users, command, parallel
from timing import steady

CONFIGURATION = ACCOUNTS + """
workers: 2
sessions: {store: @STORE@, maximum_per_account: 10000, origins: ["https://app.friend.example"]}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""
STREAMS = {"/events": (), "/socket": Live.UPGRADE, "/auth/session/events": ()}


class Base(SessionCase):
    configuration = CONFIGURATION.replace("@STORE@", "sqlite")

    def ops(self, path, method="GET", fields=(), body=b""):
        return self.gateway.get(path, method=method, fields=fields, body=body, port=self.gateway.ops_port)

    def session_command(self, *words, code=0):
        return command("session", *words, "--config", self.gateway.path, code=code)


class Logout(Base):
    def test_on_both_sides(self):
        browser = self.browser().enter()
        cookie = browser.session
        self.assertEqual(self.statuses(browser), {200})
        form = browser.form("/auth/logout")
        self.assertEqual(form["method"], "post")
        reply = browser.post(form["action"], form["fields"])
        self.assertEqual(reply.status, 303)
        self.assertTrue(reply.cookies[SESSION].is_cleared)
        self.assertEqual(reply.get("clear-site-data"), '"cache", "storage"')
        self.assertEqual(reply.get("cache-control"), "no-store")
        self.assertGone(cookie, count=24)
        page = browser.navigate(reply.location, site="same-origin")
        self.assertEqual((page.status, page.page.forms), (200, []))
        self.assertIn("/auth/login", page.page.links)
        self.assertEqual(browser.navigate("/x").status, 303)

    def test_json(self):
        browser = self.browser().sign_in()
        cookie, token = browser.session, browser.facts().json["csrf_token"]
        reply = browser.api("/auth/logout", {"csrf": token})
        self.assertEqual((reply.status, reply.json["signed_out"], reply.json["ended"]), (200, True, 1))
        self.assertTrue(reply.cookies[SESSION].is_cleared)
        self.assertGone(cookie)

    def test_at_once_on_every_worker_with_the_session_in_all_caches(self):
        for _ in range(10):
            browser = self.browser().sign_in()
            cookie = browser.session
            self.assertEqual(self.statuses(browser, count=12), {200})
            self.assertEqual(browser.api("/auth/logout", {}, fields=[("Sec-Fetch-Site", "same-origin")]).status, 200)
            self.assertGone(cookie, count=12)

    def test_requests_at_the_same_time_do_not_bring_it_back(self):
        for _ in range(5):
            browser = self.browser().sign_in()
            cookie = browser.session
            jar = f"{SESSION}={cookie}"
            parallel([lambda: browser.fetch("/x", cookies=jar, keep=False) for _ in range(20)]
                     + [lambda: browser.api("/auth/logout", {}, fields=[("Sec-Fetch-Site", "same-origin")])]
                     + [lambda: browser.fetch("/x", cookies=jar, keep=False) for _ in range(20)], 12)
            self.assertGone(cookie, count=8)

    def test_a_link_logs_nobody_out(self):
        browser = self.browser().enter()
        for path in ("/auth/logout", "/auth/logout?everywhere=true", "/auth/logout?csrf=" + browser.facts().json["csrf_token"]):
            page = browser.navigate(path, site="cross-site")
            self.assertEqual(page.status, 200)
            self.assertTrue(page.page.forms)
            self.assertEqual(page.cookies, {})
        self.assertEqual(browser.fetch("/x").status, 200)
        told = browser.api("/auth/logout", method="GET")
        self.assertEqual((told.status, told.json["user"]), (200, ADA))

    def test_another_site_logs_nobody_out(self):
        browser = self.browser().enter()
        token = browser.facts().json["csrf_token"]
        foreign = self.browser().sign_in(BOB).facts().json["csrf_token"]
        for site, origin, values in (
            ("cross-site", "https://evil.example", {}), ("cross-site", "https://evil.example", {"csrf": foreign}),
            ("same-site", "https://x.gateway.example", {}),
            ("cross-site", "null", {"csrf": ""}), ("none", "https://evil.example", {}),
        ):
            for path in ("/auth/logout", "/auth/logout?everywhere=true", "/auth/sessions"):
                reply = browser.post(path, {**values, "handle": browser.handle()}, site=site, origin=origin)
                self.assertEqual(reply.status, 403, (site, path))
        for fields in ([], [("Origin", "https://evil.example")], [("Origin", "null")]):
            self.assertEqual(browser.api("/auth/logout", {}, fields=fields).status, 403, fields)
            self.assertEqual(
                browser.api("/auth/sessions/" + browser.handle(), method="DELETE", fields=fields).status, 403, fields
            )
        self.assertEqual(browser.fetch("/x").status, 200)
        self.assertEqual(browser.api("/auth/logout", {}, fields=[("X-CSRF-Token", token)]).status, 200)

    def test_without_a_session(self):
        browser = self.browser()
        reply = browser.post("/auth/logout", {})
        self.assertEqual(reply.status, 303)
        page = browser.navigate("/auth/logout")
        self.assertEqual((page.status, page.page.forms), (200, []))
        browser.jar[SESSION] = "A" * 43
        reply = browser.post("/auth/logout", {})
        self.assertTrue(reply.cookies[SESSION].is_cleared)

    def test_two_cookies_of_the_name_and_both_end(self):
        ada, bob, other = self.browser().sign_in(), self.browser().sign_in(BOB), self.browser().sign_in(RITA)
        values = f"{SESSION}=x; {SESSION}={ada.session}; {SESSION}={bob.session}"
        for fields in ([], [("Sec-Fetch-Site", "cross-site")], [("Origin", "https://evil.example")]):
            reply = ada.api("/auth/logout", {}, fields=fields, cookies=values, keep=False)
            self.assertEqual(reply.status, 403, fields)
        self.assertEqual([one.fetch("/x").status for one in (ada, bob)], [200, 200])
        reply = ada.post("/auth/logout", {}, cookies=values, keep=False)
        self.assertEqual(reply.status, 303)
        self.assertTrue(reply.cookies[SESSION].is_cleared)
        self.assertEqual([self.statuses(one) for one in (ada, bob, other)], [{401}, {401}, {200}])
        # However many were planted in front.
        planted = "; ".join(f"{SESSION}={number:043d}" for number in range(60))
        self.assertEqual(other.post("/auth/logout", {}, cookies=f"{planted}; {SESSION}={other.session}", keep=False).status, 303)
        self.assertEqual(self.statuses(other), {401})

    def test_the_page_keeps_what_it_is_for_in_another_language(self):
        ada = self.browser().enter(ADA)
        links = ada.navigate("/auth/logout?return_to=/bye").page.links
        link = next(link for link in links if "lang=de" in link)
        page = ada.navigate(urllib.parse.urljoin("/auth/logout", link))
        self.assertEqual(page.page.forms[0]["fields"]["return_to"], "/bye")

    def test_everywhere(self):
        browsers = [self.browser().sign_in(ADA) for _ in range(4)]
        other = self.browser().sign_in(BOB)
        cookies = [browser.session for browser in browsers]
        lives = [Live(browser, "/events") for browser in browsers]
        for browser in browsers:
            self.assertEqual(self.statuses(browser, count=4), {200})
        form = browsers[0].form("/auth/logout?everywhere=true")
        begin = steady()
        reply = browsers[0].post(form["action"], {**form["fields"], "everywhere": "true"})
        self.assertEqual(reply.status, 303)
        for cookie in cookies:
            self.assertGone(cookie, count=6)
        for one in lives:
            self.assertLess(one.ends() - begin, 1.5)
        self.assertEqual(other.fetch("/x").status, 200)

    def test_half_a_login_is_no_session_and_ends_with_logout(self):
        browser = self.browser()
        reply = browser.login(TINA)
        self.assertEqual((reply.status, browser.session), (200, None))
        self.assertIn(CODE, browser.jar)
        self.assertEqual(browser.navigate("/x").status, 303)
        reply = browser.post("/auth/logout", {})
        for name in (CODE, FLOW):
            self.assertTrue(reply.cookies[name].is_cleared, name)


class Devices(Base):
    def test_my_sessions(self):
        here, phone = self.browser(), self.browser()
        phone.agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
        here.enter(RITA)
        phone.enter(RITA)
        rows = here.api("/auth/sessions", method="GET").json["sessions"]
        mine = {row["handle"]: row for row in rows}
        self.assertEqual([row["handle"] for row in rows if row["current"]], [here.handle()])
        self.assertEqual(
            (mine[here.handle()]["device"], mine[phone.handle()]["device"]), ("Firefox on Linux", "Safari on iPhone")
        )
        self.assertEqual({row["address"] for row in rows}, {"127.0.0.1"})
        self.assertTrue(all(row["ends"] > time.time() and abs(row["created"] - time.time()) < 100 for row in rows))
        page = here.navigate("/auth/sessions")
        for word in ("Firefox on Linux", "Safari on iPhone", "127.0.0.1"):
            self.assertIn(word, page.page.text)
        handles = [form["fields"].get("handle") for form in page.page.forms]
        self.assertIn(phone.handle(), handles)
        for secret in (here.session, phone.session):
            self.assertNotIn(secret, page.text)
        # From the page.
        form = next(form for form in page.page.forms if form["fields"].get("handle") == phone.handle())
        cookie, one = phone.session, Live(phone, "/events")
        self.assertEqual(self.statuses(phone, count=4), {200})
        begin = steady()
        reply = here.post(form["action"], form["fields"])
        self.assertEqual((reply.status, reply.location.split("?")[0]), (303, "/auth/sessions"))
        self.assertGone(cookie)
        self.assertLess(one.ends() - begin, 1.5)
        self.assertEqual(here.fetch("/x").status, 200)
        self.assertNotIn(phone.handle(), here.api("/auth/sessions", method="GET").text)

    def test_another_device_by_a_program(self):
        here, there = self.browser().sign_in(), self.browser().sign_in()
        token = here.facts().json["csrf_token"]
        cookie = there.session
        reply = here.api("/auth/sessions/" + there.handle(), method="DELETE", fields=[("X-CSRF-Token", token)])
        self.assertEqual((reply.status, reply.json["ended"]), (200, 1))
        self.assertGone(cookie)
        again = here.api("/auth/sessions/" + there.handle(), method="DELETE", fields=[("X-CSRF-Token", token)])
        self.assertEqual((again.status, again.code), (404, "no_such_session"))
        # One's own is a logout.
        cookie = here.session
        reply = here.api("/auth/sessions/" + here.handle(), method="DELETE", fields=[("X-CSRF-Token", token)])
        self.assertEqual((reply.status, reply.json["signed_out"]), (200, True))
        self.assertGone(cookie)

    def test_others_sessions_are_not_there(self):
        ada, bob = self.browser().sign_in(ADA), self.browser().sign_in(BOB)
        self.assertNotIn(bob.handle(), ada.api("/auth/sessions", method="GET").text)
        token = ada.facts().json["csrf_token"]
        problems = []
        for handle in (bob.handle(), "A" * 43, "x", bob.session, "A" * 42 + "E"):
            reply = ada.api("/auth/sessions/" + handle, method="DELETE", fields=[("X-CSRF-Token", token)])
            self.assertEqual(reply.status, 404, handle)
            problem = reply.json
            problem.pop("request_id")
            problems.append(problem)
        self.assertTrue(all(problem == problems[0] for problem in problems))
        self.assertEqual(bob.fetch("/x").status, 200)
        for method in ("GET", "PUT"):
            self.assertEqual(ada.api("/auth/sessions/" + ada.handle(), method=method).status, 405)
        nobody = self.browser()
        self.assertEqual(nobody.api("/auth/sessions", method="GET").status, 401)
        self.assertEqual(
            nobody.api("/auth/sessions/" + ada.handle(), method="DELETE", fields=[("X-CSRF-Token", token)]).status, 401
        )
        self.assertEqual(nobody.navigate("/auth/sessions").status, 303)


class Streams(Base):
    def open(self, browser, count=3):
        """Several of each kind, so that every worker has some."""
        lives = [(kind, Live(browser, kind, fields)) for kind, fields in STREAMS.items() for _ in range(count)]
        self.assertEqual([one.status for _, one in lives], [200] * count + [101] * count + [200] * count)
        return lives

    def closed(self, lives, begin):
        for kind, one in lives:
            at = one.ends(3)
            self.assertIsNotNone(at, kind)
            self.assertLess(at - begin, 1.0, kind)
            content = one.bytes.partition(b"\r\n\r\n")[2]
            if kind == "/socket":
                self.assertIn(b"\x88", content)
                self.assertIn((1008).to_bytes(2, "big"), content)
            elif kind == "/events":
                self.assertTrue(content.endswith(b"0\r\n\r\n"), content[-40:])
            else:
                self.assertIn(b"event: ended", content)
                self.assertTrue(content.endswith(b"0\r\n\r\n"), content[-40:])

    def test_logout(self):
        browser, other = self.browser().sign_in(), self.browser().sign_in()
        lives, kept = self.open(browser), self.open(other, 2)
        begin = steady()
        self.assertEqual(browser.api("/auth/logout", {}, fields=[("Sec-Fetch-Site", "same-origin")]).status, 200)
        self.closed(lives, begin)
        counts = {id(one): len(one.bytes) for _, one in kept}
        for kind, one in kept:
            if kind != "/auth/session/events":
                peers.eventually(lambda: len(one.bytes) > counts[id(one)], "it stands still")  # noqa: B023
            self.assertFalse(one.over.is_set(), kind)
            one.close()

    def test_login_over_it(self):
        browser = self.browser().sign_in()
        lives = self.open(browser, 1)
        begin = steady()
        browser.sign_in(BOB)
        self.closed(lives, begin)

    def test_events_say_how_long_it_lasts(self):
        browser = self.browser().sign_in()
        one = Live(browser, "/auth/session/events")
        until = steady() + 8
        while b"\n\n" not in one.bytes.partition(b"\r\n\r\n")[2] and steady() < until:
            time.sleep(0.01)
        self.assertIn(b"content-type: text/event-stream", one.bytes.lower())
        self.assertIn(b"cache-control: no-store", one.bytes.lower())
        content = one.bytes.partition(b"\r\n\r\n")[2]
        self.assertIn(b"event: session", content)
        told = json.loads(content[content.index(b"{") : content.index(b"}") + 1])
        self.assertTrue(1790 <= told["idle_seconds_left"] <= 1800 and 28790 <= told["absolute_seconds_left"] <= 28800, told)
        one.close()
        nobody = self.browser().send("GET", "/auth/session/events", [("Accept", "text/event-stream")])
        self.assertEqual((nobody.status, nobody.get("content-type")), (401, "application/problem+json"))


class Operators(Base):
    def test_by_the_command(self):
        ada, bob = self.browser().sign_in(ADA), self.browser().sign_in(BOB)
        text = self.session_command("list", "--user", ADA)
        self.assertIn(ada.handle(), text)
        self.assertNotIn(bob.handle(), text)
        self.assertNotIn(ada.session, text)
        shown = self.session_command("show", ada.handle())
        for word in (ADA, "127.0.0.1", "Firefox on Linux", "pwd"):
            self.assertIn(word, shown)
        self.assertNotIn(ada.session, shown)
        lives = [(kind, Live(ada, kind, fields)) for kind, fields in STREAMS.items()]
        cookie = ada.session
        self.assertEqual(self.statuses(ada), {200})
        self.session_command("revoke", ada.handle())
        begin = steady()
        while self.browser().fetch("/x", cookies=f"{SESSION}={cookie}", keep=False).status == 200:
            self.assertLess(steady() - begin, 1.0)
        for kind, one in lives:
            at = one.ends(3)
            self.assertTrue(at and at - begin < 1.0, kind)
        self.assertGone(cookie)
        self.assertEqual(bob.fetch("/x").status, 200)
        # All of an account.
        more = [self.browser().sign_in(BOB) for _ in range(3)]
        self.session_command("revoke", "--user", BOB)
        begin = steady()
        for one in [bob, *more]:
            while self.browser().fetch("/x", cookies=f"{SESSION}={one.session}", keep=False).status == 200:
                self.assertLess(steady() - begin, 1.0)
        self.assertNotEqual(self.session_command("show", ada.handle(), code=None), "")
        self.assertNotIn(ada.handle(), self.session_command("list"))

    def test_an_id_that_begins_with_a_dash_is_no_option(self):
        for words in (["show", "-" + "A" * 42], ["revoke", "--json", "--" + "B" * 40 + "A"]):
            self.assertIn(f"there is no session {words[-1]}", self.session_command(*words, code=1))

    def test_a_user_is_called_as_at_login(self):
        def begin():
            browser = self.browser().sign_in(ADA)
            self.assertEqual(browser.fetch("/x").status, 200)
            return browser

        for user in ("ADA", " Ada ", "ada@example.com", "ADA@Example.com"):
            browser = begin()
            self.assertIn(browser.handle(), self.session_command("list", "--user", user))
            self.assertIn("ended", self.session_command("revoke", "--user", user))
            started = steady()
            while browser.fetch("/x", keep=False).status == 200:
                self.assertLess(steady() - started, 1.0, user)
            browser = begin()
            asked = "/sessions?account=" + urllib.parse.quote(user)
            self.assertIn(browser.handle(), self.ops(asked).body)
            self.assertNotEqual(json.loads(self.ops(asked, "DELETE").body), {"ended": 0}, user)
            self.assertGone(browser.session)
        # Who ends nobody's hears of it.
        for words in (["--user", "nobody"], ["--user", "nobody@example.com"], ["--json", "--user", "nobody"]):
            self.assertIn("nothing ended", self.session_command("revoke", *words, code=1))

    def test_an_address_is_one_however_it_is_written(self):
        browser = self.browser().sign_in(ADA)
        for address in ("127.0.0.1", "::ffff:127.0.0.1", "::FFFF:7f00:1"):
            self.assertIn(browser.handle(), self.session_command("list", "--address", address), address)
            self.assertIn(browser.handle(), self.ops("/sessions?address=" + urllib.parse.quote(address)).body, address)
        for address in ("127.0.0.01", "localhost", "127.0.0.1/8"):
            self.assertIn("--address", self.session_command("list", "--address", address, code=None), address)
            self.assertEqual(self.ops("/sessions?address=" + urllib.parse.quote(address, safe="")).status, 400, address)

    def test_ends_come_in_no_pages(self):
        all_of_them = [self.browser().sign_in(BOB) for _ in range(3)]
        for query in ("account=bob&limit=1", "account=bob&after=" + "A" * 43, "limit=1", f"older_than={2 ** 40}&limit=1000"):
            self.assertEqual(self.ops("/sessions?" + query, "DELETE").status, 400, query)
        self.assertEqual({one.fetch("/x").status for one in all_of_them}, {200})
        self.assertEqual(len(json.loads(self.ops("/sessions?account=bob&limit=1").body)), 1)

    def test_who_is_revoked_is_logged_in_nowhere_and_may_log_in_again(self):
        browser, other = self.browser().enter(RITA), self.browser().sign_in(BOB)
        self.assertEqual(browser.fetch("/x").status, 200)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        entry = {"issuer": "local", "subject": RITA, "before": stamp}
        reply = self.ops("/revocations", "POST", [("Content-Type", "application/json")], json.dumps(entry).encode())
        self.assertLess(reply.status, 300, reply.body)
        self.assertEqual(self.statuses(browser), {401})
        gone = browser.facts(keep=False)
        self.assertEqual((gone.status, gone.code), (401, "no_session"))
        self.assertEqual(browser.fetch("/auth/session/events", keep=False).status, 401)
        self.assertEqual(browser.api("/auth/sessions", method="GET", keep=False).status, 401)
        # No circle: the form is shown, and the cookie is taken back.
        where = browser.navigate("/x")
        self.assertEqual(where.status, 303)
        page = browser.navigate(where.location)
        self.assertEqual((page.status, len(page.page.forms)), (200, 1))
        self.assertTrue(page.cookies[SESSION].is_cleared)
        self.assertEqual(other.facts().status, 200)
        # What begins later is not meant.
        while time.time() < int(time.mktime(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))) - time.timezone + 1.1:
            time.sleep(0.05)
        self.assertEqual(browser.enter(RITA).fetch("/x").status, 200)
        self.assertEqual(browser.facts().json["user"], RITA)

    def test_who_is_revoked_for_good_does_not_log_in(self):
        """As if the account were disabled: never with a session that opens nothing."""
        entry, header = json.dumps({"issuer": "local", "subject": RITA}).encode(), [("Content-Type", "application/json")]
        self.assertLess(self.ops("/revocations", "POST", header, entry).status, 300)
        try:
            reply = self.browser().login_api(RITA)
            self.assertEqual((reply.status, reply.code), (401, "wrong_credentials"))
            self.assertEqual(self.browser().login(RITA).status, 401)
            entry_of_tina = entry.replace(RITA.encode(), TINA.encode())
            self.assertLess(self.ops("/revocations", "POST", header, entry_of_tina).status, 300)
            # The second factor is not even asked for.
            self.assertEqual(self.browser().login_api(TINA).code, "wrong_credentials")
            self.assertEqual(self.ops("/revocations", "DELETE", header, entry_of_tina).status, 200)
        finally:
            self.assertEqual(self.ops("/revocations", "DELETE", header, entry).status, 200)
        self.assertEqual(self.browser().sign_in(RITA).fetch("/x").status, 200)

    def test_over_the_ops_listener(self):
        ada, bob = self.browser().sign_in(ADA), self.browser().sign_in(BOB)
        listed = self.ops(f"/sessions?account={ADA}")
        self.assertEqual((listed.status, listed.field("Content-Type")), (200, "application/json"))
        self.assertIn(ada.handle(), listed.body)
        self.assertNotIn(bob.handle(), listed.body)
        self.assertNotIn(ada.session, listed.body)
        self.assertNotIn(ada.facts().json["csrf_token"], listed.body)
        self.assertEqual(json.loads(self.ops("/sessions/" + ada.handle()).body)["account"], ADA)
        self.assertEqual(self.statuses(ada), {200})
        lives = [(kind, Live(ada, kind, fields)) for kind, fields in STREAMS.items()]
        # Not for pages.
        for fields in ([("Origin", "http://127.0.0.1:9901")], [("Origin", "null")]):
            self.assertEqual(self.ops("/sessions/" + ada.handle(), "DELETE", fields).status, 403, fields)
        begin = steady()
        reply = self.ops("/sessions/" + ada.handle(), "DELETE")
        self.assertEqual(reply.status, 200, reply.body)
        self.assertGone(ada.session)
        for kind, one in lives:
            at = one.ends(3)
            self.assertTrue(at and at - begin < 1.0, kind)
        self.assertEqual(bob.fetch("/x").status, 200)
        self.assertEqual(self.ops("/sessions/" + ada.handle(), "DELETE").status, 404)
        self.assertEqual(self.ops("/sessions?account=" + BOB, "DELETE").status, 200)
        self.assertGone(bob.session)
        # The data port knows nothing of it.
        self.assertEqual(self.browser().fetch("/sessions").status, 401)


class Audit(Base):
    configuration = Base.configuration + "audit_log: {path: audit.log}\n"

    def test_what_commands_end_is_in_it_beside_what_the_gateway_writes(self):
        path = pathlib.Path(self.gateway.folder, "audit.log")
        handles = []
        for _ in range(3):
            browser = self.browser().sign_in(BOB)
            handles.append(browser.handle())
            self.session_command("revoke", handles[-1])
        self.browser().login_api(BOB, "quite another password")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for handle in handles:
            self.assertEqual([line["event"] for line in lines if line.get("session") == handle], ["login", "revoke"])
        self.assertEqual({line["account"] for line in lines if line.get("session") in handles}, {BOB})
        command("audit", "verify", path)

    def test_what_happened_is_in_the_audit_log(self):
        browser = self.browser().sign_in(BOB)
        handle = browser.handle()
        browser.login_api(BOB, "quite another password")
        browser.api("/auth/logout", {}, fields=[("Sec-Fetch-Site", "same-origin")])
        path = pathlib.Path(self.gateway.folder, "audit.log")
        until = steady() + 8
        kinds = []
        while steady() < until and "logout" not in kinds:
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            kinds = [line.get("event") for line in lines if line.get("session") == handle]
        self.assertEqual(kinds, ["login", "logout"])
        self.assertIn("failure", [line.get("event") for line in lines if line.get("account") == BOB])
        text = path.read_text()
        for secret in (browser.jar.get(SESSION) or "", "quite another password", "eleven green bottles"):
            self.assertTrue(not secret or secret not in text)
        command("audit", "verify", path)
        lines = path.read_text().splitlines()
        pathlib.Path(self.gateway.folder, "forged.log").write_text("\n".join(lines[:1] + lines[2:]) + "\n")
        self.assertIn("2", command("audit", "verify", pathlib.Path(self.gateway.folder, "forged.log"), code=1))

    def test_ends_that_nobody_asked_for_are_in_it_too(self):
        handle = self.browser().sign_in(RITA).handle()
        one = self.browser().sign_in(ADA)
        self.assertEqual(self.ops("/sessions/" + one.handle(), "DELETE").status, 200)
        Users(pathlib.Path(self.gateway.folder, "users.yaml"), self.gateway.path).run("disable", RITA)
        path = pathlib.Path(self.gateway.folder, "audit.log")
        wanted = {(handle, "account_change", "account_disabled"), (one.handle(), "revoke", "revoked")}
        until, seen = steady() + 8, set()
        while steady() < until and not wanted <= seen:
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            seen = {(line.get("session"), line["event"], line.get("reason")) for line in lines}
            time.sleep(0.02)
        self.assertLessEqual(wanted, seen)
