"""Accounts: guesses are slowed down and owners are not locked out, second factors, and changes that reach sessions at once."""

import json
import os
import pathlib
import re
import signal
import stat
import tempfile
import time
import unittest

import peers
from harness import Gateway, Upstream
from sessions import ACCOUNTS, ADA, BOB, CODE, DEVICE, EVE, FLOW, HOST, PASSWORDS, RITA, SESSION, TINA, Browser, Clock, Directory, Live
from sessions import Users, answer, command, parallel
from timing import steady

REST = """
workers: 2
sessions: {store: memory, maximum_per_account: 10000}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: admin, match: {path: /admin}, roles: {any: [admin]}, forward: {upstream: a}}
  - {name: strong, match: {path: /strong}, session: {strength: 2}, forward: {upstream: a}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""
WRONG = "quite another password"
THROTTLED = """
accounts:
  file: users.yaml
  argon2: {memory: 1MiB, iterations: 1, parallelism: 1}
  throttle: {free: 3, longest_delay: 4s, limit: 10, network_per_minute: @NETWORK@}
"""


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory, cls.upstream = Directory.make(), Upstream(answer)

    @classmethod
    def tearDownClass(cls):
        cls.upstream.stop()

    def gateway(self, text=ACCOUNTS + REST, files=None, **replacements):
        gateway = Gateway(text, files or self.directory.files(), UPSTREAM=self.upstream.port, **replacements)
        self.addCleanup(gateway.stop)
        gateway.users = Users(pathlib.Path(gateway.folder, "users.yaml"), gateway.path)
        return gateway


class Throttle(Base):
    def setUp(self):
        self.slow = self.gateway(THROTTLED + REST, NETWORK=1000)

    def browser(self, source="127.0.0.2"):
        return Browser(self.slow.port, source=source)

    def fail(self, name, count, source="127.0.0.2", browser=None):
        browser = browser or self.browser(source)
        return [browser.login_api(name, WRONG).status for _ in range(count)]

    def test_by_account_however_it_is_called_and_from_wherever(self):
        names = [ADA, "ada@example.com", "ADA"]
        self.assertEqual([self.browser(f"127.0.0.{10 + n}").login_api(names[n], WRONG).status for n in range(3)], [401] * 3)
        reply = self.browser("127.0.0.20").login_api(ADA, WRONG)
        self.assertEqual((reply.status, reply.code), (429, "throttled"))
        self.assertIn(int(reply.get("retry-after")), range(1, 5))
        self.assertEqual(reply.json["retry_after"], int(reply.get("retry-after")))
        # Not even the right password gets in now, so it tells nothing.
        self.assertEqual(self.browser("127.0.0.20").login_api(ADA).status, 429)
        page = self.browser("127.0.0.21").login(ADA)
        self.assertEqual((page.status, int(page.get("retry-after")) > 0, len(page.page.forms)), (429, True, 1))
        # Others are not concerned.
        self.assertEqual(self.browser("127.0.0.20").login_api(BOB).status, 200)
        # The delay passes, and doubles.
        first = int(reply.get("retry-after"))
        until = steady() + 8
        while (again := self.browser("127.0.0.20").login_api(ADA, WRONG)).status == 429:
            self.assertLess(steady(), until)
            time.sleep(0.1)
        self.assertEqual(again.status, 401)
        again = self.browser("127.0.0.20").login_api(ADA)
        self.assertEqual(again.status, 429)
        self.assertGreater(int(again.get("retry-after")), first)
        # The owner waits, and is in.
        while (reply := self.browser("127.0.0.20").login_api(ADA)).status == 429:
            self.assertLess(steady(), until)
            time.sleep(0.1)
        self.assertEqual(reply.status, 200)
        self.assertEqual(self.browser("127.0.0.20").login_api(ADA, WRONG).status, 401)

    def test_unknown_names_are_throttled_alike(self):
        for name in ("nobody-of-ours", EVE):
            self.assertEqual(self.fail(name, 4), [401, 401, 401, 429], name)

    def test_attempts_at_the_same_time_do_not_pass_together(self):
        browsers = [self.browser(f"127.0.0.{30 + n}") for n in range(24)]
        statuses = parallel([lambda one=one: one.login_api(ADA, WRONG).status for one in browsers], 12)
        self.assertEqual(statuses.count(401), 3, statuses)

    def test_the_owner_on_a_known_device_gets_in(self):
        owner = self.browser("127.0.0.3").enter(ADA)
        owner.logout()
        self.assertIn(DEVICE, owner.jar)
        self.fail(ADA, 3, "127.0.0.4")
        self.assertEqual(self.browser("127.0.0.5").login_api(ADA).status, 429)
        self.assertEqual(owner.login_api(ADA).status, 200)
        # From the attacker's own network too.
        near = Browser(self.slow.port, source="127.0.0.4", jars={HOST: {DEVICE: owner.jar[DEVICE]}})
        self.assertEqual(near.login_api(ADA).status, 200)
        # The device is good for its account only, and has limits of its own.
        self.fail(BOB, 3, "127.0.0.4")
        self.assertEqual(
            Browser(self.slow.port, source="127.0.0.4", jars={HOST: {DEVICE: owner.jar[DEVICE]}}).login_api(BOB).status, 429
        )
        guesser = Browser(self.slow.port, source="127.0.0.6", jars={HOST: {DEVICE: owner.jar[DEVICE]}})
        statuses = self.fail(ADA, 5, browser=guesser)
        self.assertEqual((statuses[:3], statuses[3]), ([401] * 3, 429))
        for forged in (owner.jar[DEVICE][:-1], "x.y.z", owner.jar[DEVICE].replace(".", ".1", 1), owner.jar[DEVICE] + ".a.b"):
            one = Browser(self.slow.port, source="127.0.0.7", jars={HOST: {DEVICE: forged}})
            self.assertEqual(one.login_api(ADA).status, 429, forged)

    def test_too_many_in_a_row_need_a_known_device(self):
        self.slow = self.gateway(THROTTLED.replace("longest_delay: 4s", "longest_delay: 1s") + REST, NETWORK=1000)
        owner = self.browser("127.0.0.3").enter(BOB)
        failures, until = 0, steady() + 40
        while failures < 10:
            self.assertLess(steady(), until)
            status = self.browser(f"127.0.1.{failures}").login_api(BOB, WRONG).status
            failures += status == 401
            if status == 429:
                time.sleep(0.1)
        time.sleep(1.2)
        self.assertEqual(self.browser("127.0.0.9").login_api(BOB).status, 429)
        owner.jar.pop(SESSION, None)
        self.assertEqual(owner.login_api(BOB).status, 200)

    def test_the_second_factor_is_throttled_as_well(self):
        browser = self.browser("127.0.0.8")
        statuses = []
        for _ in range(12):
            reply = browser.login_api(TINA, code="000000")
            statuses.append(reply.status)
        self.assertIn(429, statuses)
        self.assertLessEqual(statuses.count(401), 4)

    def test_an_owner_with_a_second_factor_gets_in_between_guesses(self):
        """A right password is no failure: the delay does not begin anew with it, and the code need not wait either."""
        self.slow = self.gateway(THROTTLED.replace("free: 3", "free: 1") + REST, NETWORK=1000)
        self.fail(TINA, 1, "127.0.0.9")
        clock, owner = Clock(self.directory.secret), self.browser("127.0.0.8")
        time.sleep(1.1)
        form = owner.login(TINA).page.forms[0]
        self.assertIn("/auth/login/code", form["action"])
        reply = owner.post(form["action"], {**form["fields"], "code": clock.next()})
        self.assertEqual((reply.status, owner.session is None), (303, False))
        # Somebody guesses between password and code.
        self.fail(TINA, 1, "127.0.0.9")
        time.sleep(1.1)
        owner = self.browser("127.0.0.7")
        form = owner.login(TINA).page.forms[0]
        self.assertEqual(self.fail(TINA, 1, "127.0.0.10"), [401])
        reply = owner.post(form["action"], {**form["fields"], "code": clock.next()})
        self.assertEqual(reply.status, 303)

    def test_codes_after_a_wrong_one_wait(self):
        self.slow = self.gateway(THROTTLED.replace("free: 3", "free: 1") + REST, NETWORK=1000)
        browser = self.browser()
        form = browser.login(TINA).page.forms[0]
        statuses = [browser.post(form["action"], {**form["fields"], "code": "000000"}).status for _ in range(3)]
        self.assertEqual(statuses, [401, 429, 429])

    def test_refusals_are_audited_once_a_minute(self):
        self.slow = self.gateway(THROTTLED + REST + "audit_log: {path: audit.log}\n", NETWORK=1000)
        lines = lambda: [
            line
            for line in map(json.loads, pathlib.Path(self.slow.folder, "audit.log").read_text().splitlines())
            if line["event"] == "throttled"
        ]
        statuses = self.fail(BOB, 40)
        self.assertGreater(statuses.count(429), 30)
        self.assertEqual([(line["account"], "left_out" in line) for line in lines()], [(BOB, False)])
        self.fail(ADA, 12)
        told = lines()
        self.assertEqual((len(told), told[1]["account"]), (2, ADA))
        self.assertEqual(told[1]["left_out"], statuses.count(429) - 1)
        command("audit", "verify", pathlib.Path(self.slow.folder, "audit.log"))

    def test_no_session_is_lost_by_it(self):
        browser = self.browser().sign_in(ADA)
        self.fail(ADA, 8, "127.0.0.4")
        self.assertEqual(browser.fetch("/x").status, 200)


class Networks(Base):
    def test_by_network(self):
        gateway = self.gateway(THROTTLED.replace("free: 3", "free: 50").replace("limit: 10,", "limit: 1000,") + REST, NETWORK=8)
        names = [f"guess{number}" for number in range(12)]
        statuses = [Browser(gateway.port, source="127.0.0.2").login_api(name, WRONG).status for name in names]
        self.assertEqual(statuses, [401] * 8 + [429] * 4)
        reply = Browser(gateway.port, source="127.0.0.2").login_api(ADA)
        self.assertEqual(reply.status, 429)
        self.assertLessEqual(int(reply.get("retry-after")), 60)
        self.assertEqual(Browser(gateway.port, source="127.0.0.3").login_api(ADA).status, 200)
        # Good logins do not use it up: an office behind one address.
        for _ in range(20):
            self.assertEqual(Browser(gateway.port, source="127.0.0.4").login_api(ADA).status, 200)
        # What a client says of its address counts for nothing.
        for number in range(3):
            fields = [("X-Forwarded-For", f"10.0.0.{number}"), ("Forwarded", f"for=10.0.0.{number}")]
            body = {"username": ADA, "password": PASSWORDS[ADA]}
            self.assertEqual(Browser(gateway.port, source="127.0.0.2").api("/auth/login", body, fields=fields).status, 429)


class Hashing(Base):
    def test_more_than_can_be_hashed_get_503_and_requests_go_on(self):
        text = ACCOUNTS.replace("memory: 1MiB, iterations: 1", "memory: 64MiB, iterations: 3").replace(
            "{threads: 2, queue: 4096}", "{threads: 1, queue: 2}"
        )
        gateway = self.gateway(text + REST)
        live = Browser(gateway.port).sign_in(BOB)
        statuses = []

        def guess():
            reply = Browser(gateway.port).login_api("nobody-of-ours", WRONG)
            statuses.append(reply.status)
            if reply.status == 503:
                assert reply.code == "busy" and reply.get("retry-after"), reply

        def request():
            assert live.fetch("/x", keep=False).status == 200

        until = steady() + 10
        while not statuses or 503 not in statuses and steady() < until:
            parallel([guess, request] * 20, 20)
        self.assertEqual(set(statuses), {401, 503})

    def test_hashes_are_renewed_when_their_cost_changed(self):
        gateway = self.gateway(ACCOUNTS.replace("iterations: 1", "iterations: 2") + REST)
        before = gateway.users.path.read_text()
        browser = Browser(gateway.port).sign_in(ADA)
        until = steady() + 5
        while gateway.users.path.read_text() == before and steady() < until:
            time.sleep(0.02)
        after = gateway.users.path.read_text()
        self.assertEqual(after.count("t=2"), before.count("t=2") + 1)
        self.assertEqual(stat.S_IMODE(gateway.users.path.stat().st_mode), 0o600)
        self.assertEqual(Browser(gateway.port).sign_in(ADA).fetch("/x").status, 200)
        # A renewed hash is no changed password.
        time.sleep(0.3)
        self.assertEqual(browser.fetch("/x").status, 200)


class SecondFactor(Base):
    def setUp(self):
        self.totp = self.gateway()
        self.clock = Clock(self.directory.secret)

    def browser(self):
        return Browser(self.totp.port)

    def test_login_with_a_code_and_each_code_once(self):
        browser = self.browser()
        page = browser.login(TINA, return_to="/a")
        self.assertEqual((page.status, browser.session), (200, None))
        self.assertIn(CODE, browser.jar)
        self.assertEqual(browser.fetch("/x").status, 401)
        form = page.page.forms[0]
        code = self.clock.next()
        reply = browser.post(form["action"], {**form["fields"], "code": code[:3] + " " + code[3:]})
        self.assertEqual((reply.status, reply.location), (303, "/a"))
        facts = browser.facts().json
        self.assertEqual((facts["strength"], facts["method"]), (2, "pwd+otp"))
        self.assertEqual(browser.fetch("/strong").status, 200)
        # The same code, by form and by JSON, on another device.
        other = self.browser()
        form = other.login(TINA).page.forms[0]
        again = other.post(form["action"], {**form["fields"], "code": code})
        self.assertEqual((again.status, other.session), (401, None))
        self.assertEqual(self.browser().login_api(TINA, code=code).code, "wrong_code")
        self.assertEqual(other.post(form["action"], {**form["fields"], "code": self.clock.next()}).status, 303)

    def test_json(self):
        reply = self.browser().login_api(TINA)
        self.assertEqual((reply.status, reply.code), (401, "second_factor_required"))
        for bad in ("000000", "", "12345", "1234567", "abcdef", "１２３４５６"):
            reply = self.browser().login_api(TINA, code=bad)
            self.assertEqual(reply.status, 401, bad)
            self.assertNotIn(SESSION, reply.cookies)
        self.assertEqual(self.browser().sign_in(TINA, code=self.clock.next()).facts().json["strength"], 2)
        # A wrong password says nothing of the code.
        reply = self.browser().login_api(TINA, WRONG, code=self.clock.next())
        self.assertEqual((reply.status, reply.code), (401, "wrong_credentials"))

    def test_codes_at_the_same_time_go_through_once(self):
        code = self.clock.next()
        statuses = parallel([lambda: self.browser().login_api(TINA, code=code).status for _ in range(8)], 8)
        self.assertEqual(sorted(statuses), [200] + [401] * 7)

    def test_recovery_codes_are_good_once(self):
        self.assertEqual(len(self.directory.recovery), 10)
        first, second = self.directory.recovery[:2]
        browser = self.browser()
        form = browser.login(TINA).page.forms[0]
        reply = browser.post(form["action"], {**form["fields"], "code": first.upper().replace("-", " ")})
        self.assertEqual((reply.status, browser.facts().json["method"]), (303, "pwd+recovery"))
        self.assertEqual(self.browser().login_api(TINA, code=first).status, 401)
        statuses = parallel([lambda: self.browser().login_api(TINA, code=second).status for _ in range(6)], 6)
        self.assertEqual(sorted(statuses), [200] + [401] * 5)
        # Used up in the file, and the session that used it goes on.
        time.sleep(0.3)
        self.assertEqual(browser.fetch("/x").status, 200)
        self.assertEqual(self.totp.users.path.stat().st_mode & 0o777, 0o600)

    def test_five_wrong_codes_and_it_begins_anew(self):
        browser = self.browser()
        form = browser.login(TINA).page.forms[0]
        for _ in range(4):
            reply = browser.post(form["action"], {**form["fields"], "code": "000000"})
            self.assertEqual(reply.status, 401)
        reply = browser.post(form["action"], {**form["fields"], "code": "000000"})
        self.assertIn("/auth/login", reply.page.forms[0]["action"])
        self.assertNotIn("/code", reply.page.forms[0]["action"])
        reply = browser.post(form["action"], {**form["fields"], "code": self.clock.next()})
        self.assertIsNone(browser.session)

    def test_half_a_login_belongs_to_one_browser(self):
        victim, attacker = self.browser(), self.browser()
        form = victim.login(TINA).page.forms[0]
        attacker.form()
        attacker.jar[CODE] = victim.jar[CODE]
        reply = attacker.post(form["action"], {**form["fields"], "code": self.clock.next()})
        self.assertIsNone(attacker.session)
        self.assertIn(reply.status, (400, 403))
        jar = {CODE: victim.jar[CODE], FLOW: attacker.jar[FLOW]}
        other = Browser(self.totp.port, jars={HOST: jar})
        page = other.navigate("/auth/login/code")
        self.assertEqual((page.status, page.location), (303, "/auth/login"))
        self.assertNotIn(TINA, page.text)
        other.jar[CODE] = victim.jar[CODE]
        reply = other.post(form["action"], {**form["fields"], "code": self.clock.next()})
        self.assertIsNone(other.session)

    def test_a_password_that_changes_in_between_ends_it(self):
        browser = self.browser()
        form = browser.login(TINA).page.forms[0]
        self.totp.users.run("passwd", TINA, stdin="another one that is long\n")
        self.assertTrue(self.totp.wait_for("configuration applied"))
        reply = browser.post(form["action"], {**form["fields"], "code": self.clock.next()})
        self.assertEqual(reply.status, 400)
        self.assertIsNone(browser.session)

    def test_required_of_everybody(self):
        gateway = self.gateway(ACCOUNTS + "  second_factor: required\n" + REST)
        self.assertEqual(Browser(gateway.port).login_api(ADA).status, 403)
        self.assertEqual(Browser(gateway.port).login_api(ADA, WRONG).status, 401)
        self.assertEqual(Browser(gateway.port).login_api(TINA, code=self.clock.next()).status, 200)

    def test_off(self):
        gateway = self.gateway(ACCOUNTS + "  second_factor: off\n" + REST)
        browser = Browser(gateway.port).sign_in(TINA)
        self.assertEqual(browser.facts().json["strength"], 1)
        # A route that wants it all the same gets it, and by one login.
        reply = browser.navigate("/strong")
        self.assertIn("step_up=2", reply.location)
        form = browser.login(TINA, path=reply.location).page.forms[0]
        reply = browser.post(form["action"], {**form["fields"], "code": self.clock.next()})
        self.assertEqual((reply.status, reply.location), (303, "/strong"))
        self.assertEqual(browser.navigate("/strong", site="same-origin").status, 200)
        self.assertIn("whoever has one is asked for it there", command("check", "--config", gateway.path))

    def test_another_language_is_the_same_login(self):
        browser, state = self.browser(), "A" * 43
        page = browser.login(TINA, path=f"/auth/login?step_up=2&state={state}&return_to=/a%3Fb")
        self.assertIn(CODE, browser.jar)
        link = next(link for link in page.page.links if "lang=de" in link)
        self.assertTrue(link.startswith("/auth/login/code?"), link)
        for word in ("step_up=2", "state=" + state, "return_to=%2Fa%3Fb"):
            self.assertIn(word, link)
        page = browser.navigate(link, site="same-origin")
        self.assertEqual((page.status, page.get("content-language")), (200, "de"))
        form = page.page.forms[0]
        reply = browser.post(form["action"], {**form["fields"], "code": self.clock.next()})
        self.assertEqual((reply.status, reply.location), (303, "/a?b"))


class Changes(Base):
    def setUp(self):
        self.live = self.gateway()
        self.users = self.live.users

    def browser(self):
        return Browser(self.live.port)

    def ends(self, browser, seconds=2.0):
        """Waits until the session is over, and for how long that took."""
        begin = steady()
        while browser.fetch("/x", keep=False).status == 200:
            self.assertLess(steady() - begin, seconds)
        return steady() - begin

    def logs_in(self, name, password):
        """Soon: not so often that it is throttled."""
        peers.eventually(lambda: self.browser().login_api(name, password).status == 200 or time.sleep(0.1), "no login")

    def test_a_disabled_account_ends_its_sessions_at_once(self):
        ada, bob = self.browser().sign_in(ADA), self.browser().sign_in(BOB)
        one = Live(ada, "/events")
        self.users.run("disable", ADA)
        self.ends(ada)
        self.assertIsNotNone(one.ends(2))
        self.assertEqual(self.browser().login_api(ADA).status, 401)
        self.assertEqual(bob.fetch("/x").status, 200)
        self.users.run("enable", ADA)
        self.logs_in(ADA, PASSWORDS[ADA])
        # What ended stays ended.
        self.assertEqual(ada.fetch("/x").status, 401)

    def test_disabled_and_enabled_before_anybody_looks(self):
        ada, bob = self.browser().sign_in(ADA), self.browser().sign_in(BOB)
        # Both at once for whoever watches the file.
        apart = Users(self.users.path.with_name("apart.yaml"))
        apart.path.write_bytes(self.users.path.read_bytes())
        apart.path.chmod(0o600)
        apart.run("disable", ADA)
        apart.run("enable", ADA)
        apart.path.replace(self.users.path)
        self.ends(ada)
        self.assertEqual(bob.fetch("/x").status, 200)
        self.logs_in(ADA, PASSWORDS[ADA])
        again = self.browser().sign_in(ADA)
        self.users.run("roles", BOB, "--add", "reader")
        time.sleep(0.5)
        self.assertEqual(again.fetch("/x").status, 200)

    def test_a_new_password_ends_the_sessions(self):
        ada = self.browser().sign_in(ADA)
        self.users.run("passwd", ADA, stdin="difference engine no 2\n")
        self.ends(ada)
        self.logs_in(ADA, "difference engine no 2")
        self.assertEqual(self.browser().login_api(ADA).status, 401)

    def test_new_roles_are_in_force_without_a_new_login(self):
        bob = self.browser().sign_in(BOB)
        self.assertEqual(bob.fetch("/admin").status, 403)
        self.users.run("roles", BOB, "--add", "admin")
        self.assertTrue(peers.eventually(lambda: bob.fetch("/admin").status == 200, "roles are old"))
        self.assertEqual(sorted(",".join(bob.fetch("/x").seen("X-User-Roles")).replace(" ", "").split(",")), ["admin", "staff"])
        self.users.run("roles", BOB, "--remove", "admin")
        self.assertTrue(peers.eventually(lambda: bob.fetch("/admin").status == 403, "roles are old"))
        self.assertEqual(bob.facts().json["roles"], ["staff"])

    def test_an_account_that_is_gone(self):
        rita = self.browser().sign_in(RITA)
        text = self.users.path.read_text()
        start = text.index("rita")
        start = text.rindex("\n", 0, start) + 1
        self.users.path.write_text(text[:start])
        self.ends(rita)

    def test_a_broken_file_changes_nothing(self):
        ada = self.browser().sign_in(ADA)
        text = self.users.path.read_text()
        for broken in (
            "", "users: [", text.replace("$argon2id$", "argon2id"), text + text,
            "users:\n  - {name: 5, password: 6, oops: 7}\n", "\0\0"
        ):
            self.users.path.write_text(broken)
            self.live.signal(signal.SIGHUP)
            until = time.monotonic() + 0.4
            while time.monotonic() < until:
                self.assertEqual(ada.fetch("/x").status, 200, broken[:30])
            self.assertEqual(self.browser().login_api(ADA).status, 200, broken[:30])
        self.assertTrue(any("users.yaml" in line for line in self.live.log))
        self.assertNotIn("$argon2id$v", "".join(self.live.log))
        self.users.path.write_text(text)
        self.users.run("disable", ADA)
        self.ends(ada)

    def test_a_file_that_is_broken_at_the_start_keeps_it_from_starting(self):
        with self.assertRaisesRegex(AssertionError, "users.yaml"):
            self.gateway(files={"users.yaml": b"users: ["})

    def test_many_changes_in_a_row(self):
        ada = self.browser().sign_in(ADA)
        for number in range(10):
            self.users.run("roles", BOB, "--set", f"role{number}")
        self.assertEqual(ada.fetch("/x").status, 200)
        bob = self.browser().sign_in(BOB)
        self.assertTrue(peers.eventually(lambda: bob.facts().json["roles"] == ["role9"], "old roles"))


class HTPasswd(Base):
    def test_a_file_of_apache_s(self):
        users = {"bea": ["-B", "-C", "5"], "mac": ["-m"], "des": ["-5"], "sec": ["-2"]}
        lines = []
        for name, options in users.items():
            code, out, error = peers.run("htpasswd", "-nb", *options, name, f"secret word of {name}")
            self.assertEqual(code, 0, error)
            lines.append(out.strip())
        text = (ACCOUNTS + REST).replace("users.yaml", "htpasswd")
        gateway = self.gateway(text, {"htpasswd": b"\n".join(lines) + b"\n"})
        for name in users:
            browser = Browser(gateway.port).sign_in(name, f"secret word of {name}")
            self.assertEqual(browser.fetch("/x").seen("X-User-Id"), [name])
            self.assertEqual(Browser(gateway.port).login_api(name, f"secret word of {name}x").status, 401)
        self.assertEqual(Browser(gateway.port).login_api("nobody", "x").status, 401)
        # Nothing is written to a file of others'.
        self.assertEqual(pathlib.Path(gateway.folder, "htpasswd").read_bytes(), b"\n".join(lines) + b"\n")
        # bcrypt takes 72 bytes: a longer password is no match by its beginning.
        self.assertEqual(Browser(gateway.port).login_api("bea", "secret word of bea" + "x" * 80).status, 401)


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.users = Users(pathlib.Path(self.folder.name, "users.yaml"))

    def test_no_password_on_the_command_line_and_none_in_the_file(self):
        self.users.add(ADA)
        text = self.users.path.read_text()
        self.assertNotIn(PASSWORDS[ADA], text)
        self.assertIn("$argon2id$v=19$", text)
        self.assertEqual(self.users.path.stat().st_mode & 0o777, 0o600)
        for words in (["user", "add", "x", "--password", "y"], ["user", "add", "x", "a password that is long"]):
            command(*words, "--file", self.users.path, stdin="", code=64)

    def test_what_is_refused(self):
        self.users.add(ADA)
        before = self.users.path.read_bytes()
        for name, password in (
            (ADA, PASSWORDS[ADA]), ("ADA", PASSWORDS[ADA]), ("new", "short"), ("new", "password1234567"), ("new", ""),
            ("", PASSWORDS[ADA]), ("a:b\n", PASSWORDS[ADA])
        ):
            text = self.users.run("add", name, stdin=password + "\n", code=None)
            self.assertEqual(self.users.path.read_bytes(), before, (name, password, text))
        self.assertNotEqual(self.users.run("disable", "nobody", code=None), "")
        self.assertEqual(self.users.path.read_bytes(), before)

    def test_names_with_quotes(self):
        for number, name in enumerate(('say "hi" & *bye', "it's & *her's", '"', "\\", '\\" *a', "& *b")):
            self.users.add(f"user{number}", "pass phrase number one", "--display-name", name)
        self.assertEqual(len(re.findall(r"\buser\d\b", command("user", "list", "--file", self.users.path))), 6)
        self.users.path.write_text("users:\n  - {name: a, display_name: 'it''s & *her''s'}\n")
        self.assertIn("a", command("user", "list", "--file", self.users.path))
        self.users.path.write_text("users:\n  - {name: a, display_name: 'x' , email: *b}\n")
        self.assertIn("aliases", command("user", "list", "--file", self.users.path, code=None))

    def test_listing(self):
        self.users.add(ADA, None, "--role", "admin")
        self.users.add(BOB)
        self.users.run("disable", BOB)
        secret, codes = self.users.enrol(ADA)
        self.assertEqual((len(secret) >= 32, len(set(codes))), (True, 10))
        text = command("user", "list", "--file", self.users.path)
        for word in (ADA, BOB, "admin", "disabled"):
            self.assertIn(word, text)
        for hidden in ("$argon2", secret, codes[0]):
            self.assertNotIn(hidden, text)
        for code in codes:
            self.assertNotIn(code, self.users.path.read_text())

    def test_changes_at_the_same_time_are_all_kept(self):
        self.users.add(ADA)
        add = lambda number: self.users.run("add", f"user{number}", stdin=f"pass phrase number {number}\n")
        parallel([lambda number=number: add(number) for number in range(12)], 6)
        text = command("user", "list", "--file", self.users.path)
        self.assertEqual(len(re.findall(r"\buser\d+\b", text)), 12)
        self.assertEqual(os.listdir(self.folder.name).count("users.yaml"), 1)
