"""Where sessions are kept: what survives a killed process, a lost server and a second gateway; and the store's commands.

`PORTCULLIS_LOAD=long` kills fifty times during a thousand logins each; as it stands it is a sample of that.
"""

import base64
import http.client
import json
import os
import pathlib
import random
import signal
import sqlite3
import stat
import tempfile
import threading
import time
import unittest

import peers
from harness import Gateway, Upstream
from sessions import ACCOUNTS, ADA, BOB, DEVICE, PASSWORDS, RITA, SESSION, TINA, Browser, Directory, Live, answer, command, parallel
from timing import steady

LONG = os.environ.get("PORTCULLIS_LOAD") == "long"
REST = """
workers: 2
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes: [{name: all, match: {path: /}, forward: {upstream: a}}]
"""
SQLITE = ACCOUNTS + "sessions: {store: sqlite, file: @FILE@, maximum_per_account: 10000}\n" + REST
MEMORY = ACCOUNTS + "sessions: {store: memory, maximum: 20, maximum_per_account: 10}\n" + REST
REDIS = ACCOUNTS + """
sessions:
  store: redis
  redis: {servers: ["127.0.0.1:@REDIS@"], key_prefix: "test:", connect_timeout: 500ms, timeout: 500ms@EXTRA@}
  on_store_failure: @FAILURE@
""" + REST


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory, cls.upstream = Directory.make(), Upstream(answer)

    @classmethod
    def tearDownClass(cls):
        cls.upstream.stop()

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def gateway(self, text, files=None, **replacements):
        gateway = Gateway(text, {**self.directory.files(), **(files or {})}, UPSTREAM=self.upstream.port, **replacements)
        self.addCleanup(gateway.stop)
        return gateway

    @staticmethod
    def kill(gateway):
        gateway.process.kill()
        gateway.process.wait()

    @staticmethod
    def status(gateway, cookie):
        return Browser(gateway.port).fetch("/x", cookies=f"{SESSION}={cookie}", keep=False).status

    @staticmethod
    def logout(browser):
        return browser.api("/auth/logout", {}, fields=[("Sec-Fetch-Site", "same-origin")])

    def assertEventually(self, condition, what, seconds):
        begin = steady()
        while not condition():
            self.assertLess(steady() - begin, seconds, what)
        return steady() - begin


class SQLite(Base):
    def test_sessions_survive_a_restart(self):
        file = self.folder() / "sessions.db"
        gateway = self.gateway(SQLITE, FILE=file)
        kept, left = Browser(gateway.port).sign_in(), Browser(gateway.port).sign_in(BOB)
        gone = left.session
        facts = kept.facts().json
        self.assertEqual(self.logout(left).status, 200)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        for ending in (signal.SIGTERM, signal.SIGKILL):
            gateway.process.send_signal(ending)
            gateway.process.wait(15)
            gateway = self.gateway(SQLITE, FILE=file)
            kept.port = gateway.port
            self.assertEqual(kept.fetch("/x").seen("X-User-Id"), [ADA])
            self.assertEqual(self.status(gateway, gone), 401)
            again = kept.facts().json
            self.assertEqual(
                {key: again[key] for key in ("created", "csrf_token", "handle")},
                {key: facts[key] for key in ("created", "csrf_token", "handle")}
            )
        # So does what is known of the browser: forms of before the restart still go through.
        form = kept.form("/auth/login?step_up=1")
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(15)
        gateway = self.gateway(SQLITE, FILE=file)
        kept.port = gateway.port
        self.assertEqual(
            kept.post(form["action"], {**form["fields"], "username": ADA, "password": "analytical engine 1843"}).status, 303
        )
        self.assertEqual(self.logout(kept).status, 200)

    def test_no_id_is_in_the_file(self):
        folder = self.folder()
        gateway = self.gateway(SQLITE, FILE=folder / "sessions.db")
        browser = Browser(gateway.port).enter()
        content = b"".join(path.read_bytes() for path in folder.iterdir())
        self.assertIn(ADA.encode(), content)
        for secret in (
            browser.session.encode(), base64.urlsafe_b64decode(browser.session + "="),
            browser.jar[DEVICE].split(".")[-1].encode()
        ):
            self.assertNotIn(secret, content)

    def test_killed_at_random_moments(self):
        """Every acknowledged login is a session afterwards, every acknowledged logout has ended one."""
        rounds, each = (50, 1000) if LONG else (3, 150)
        chance = random.Random(4)
        file, crowd = self.folder() / "sessions.db", {"users.yaml": self.directory.crowd(100)}
        gateway = self.gateway(SQLITE, crowd, FILE=file)
        live, over = {}, set()
        for number in range(rounds):
            lock, done, unknown = threading.Lock(), threading.Event(), set()
            counts = [0]
            deadline = chance.randrange(each // 10, each)

            def work():
                own = []
                while not done.is_set():
                    browser = Browser(gateway.port)
                    try:
                        name = f"rita{chance.randrange(100)}"
                        reply = browser.login_api(name, PASSWORDS[RITA])
                        if reply.status != 200:
                            continue
                        with lock:
                            live[browser.session] = name
                            counts[0] += 1
                        own.append(browser)
                        if len(own) > 3:
                            leaving = own.pop(0)
                            cookie = leaving.session
                            with lock:
                                unknown.add(cookie)
                            if self.logout(leaving).status == 200:
                                with lock:
                                    unknown.discard(cookie)
                                    live.pop(cookie, None)
                                    over.add(cookie)
                    except (OSError, ValueError, http.client.HTTPException):
                        if done.is_set():
                            return

            threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
            for thread in threads:
                thread.start()
            until = steady() + 120
            while counts[0] < deadline and steady() < until:
                time.sleep(0.001)
            self.kill(gateway)
            done.set()
            for thread in threads:
                thread.join(30)
            self.assertGreaterEqual(counts[0], deadline, "too slow")
            for cookie in unknown:
                live.pop(cookie, None)
            gateway.stop()
            gateway = self.gateway(SQLITE, crowd, FILE=file)
            sample = list(live) if len(live) < 400 else chance.sample(list(live), 400)
            lost = [
                cookie for cookie,
                status in zip(sample, parallel([lambda one=one: self.status(gateway, one) for one in sample], 8)) if status != 200
            ]
            self.assertEqual(len(lost), 0, f"round {number}: {len(lost)} of {len(sample)} acknowledged logins are lost")
            sample = list(over) if len(over) < 400 else chance.sample(list(over), 400)
            back = [
                cookie for cookie,
                status in zip(sample, parallel([lambda one=one: self.status(gateway, one) for one in sample], 8)) if status != 401
            ]
            self.assertEqual(len(back), 0, f"round {number}: {len(back)} of {len(sample)} acknowledged logouts came back")
        self.assertEqual(sqlite3.connect(file).execute("PRAGMA integrity_check").fetchone(), ("ok",))

    def test_expired_sessions_are_swept(self):
        text = SQLITE.replace("maximum_per_account: 10000", "idle: 2s, lifetime: 2s")
        gateway = self.gateway(text, FILE=self.folder() / "sessions.db")
        for _ in range(20):
            Browser(gateway.port).sign_in()
        self.assertEqual(peers.metric(gateway, "sessions_created_total"), 20)
        over = [f'sessions_ended_total{{reason="{reason}"}}' for reason in ("expired_idle", "expired_absolute")]
        self.assertEventually(lambda: sum(peers.metric(gateway, name) for name in over) == 20, "not swept", 15)
        self.assertEqual(peers.metric(gateway, "sessions_live"), 0)

    def test_a_file_that_cannot_be_used_keeps_it_from_starting(self):
        folder = self.folder()
        (folder / "garbage.db").write_bytes(b"this is no database at all" * 400)
        for file in (folder / "nowhere" / "sessions.db", folder, folder / "garbage.db"):
            with self.assertRaisesRegex(AssertionError, file.name):
                self.gateway(SQLITE, FILE=file)

    def test_backup_while_it_runs(self):
        folder = self.folder()
        gateway = self.gateway(SQLITE, FILE=folder / "sessions.db")
        browser = Browser(gateway.port).sign_in()
        copy = folder / "copy.db"
        command("session", "backup", copy, "--config", gateway.path)
        self.assertEqual(stat.S_IMODE(copy.stat().st_mode), 0o600)
        self.assertEqual(sqlite3.connect(copy).execute("PRAGMA integrity_check").fetchone(), ("ok",))
        self.logout(browser)
        other = self.gateway(SQLITE, FILE=copy)
        again = Browser(other.port).sign_in()
        self.assertEqual(self.status(other, again.session), 200)
        # It does not write over a file.
        command("session", "backup", copy, "--config", gateway.path, code=1)

    def test_commands_without_a_gateway(self):
        file = self.folder() / "sessions.db"
        gateway = self.gateway(SQLITE, FILE=file)
        browsers = [Browser(gateway.port).sign_in(name) for name in (ADA, ADA, BOB)]
        self.kill(gateway)
        text = command("session", "list", "--config", gateway.path)
        for browser in browsers:
            self.assertIn(browser.handle(), text)
        listed = json.loads(command("session", "list", "--user", ADA, "--json", "--config", gateway.path))
        self.assertEqual({row["id"] for row in listed}, {browser.handle() for browser in browsers[:2]})
        command("session", "revoke", browsers[0].handle(), "--config", gateway.path)
        again = self.gateway(SQLITE, FILE=file)
        self.assertEqual([self.status(again, browser.session) for browser in browsers], [401, 200, 200])
        command("session", "revoke", "--address", "127.0.0.1", "--config", again.path)
        for browser in browsers:
            self.assertEventually(lambda: self.status(again, browser.session) == 401, "not revoked", 1.5)

    def test_sessions_of_another_issuer_count_for_nothing(self):
        """Their accounts are no accounts of this gateway, which could not end them when something becomes of those."""
        file = self.folder() / "sessions.db"
        gateway = self.gateway(SQLITE, FILE=file)
        browser = Browser(gateway.port).sign_in()
        other = self.gateway(SQLITE.replace("sessions:", "  issuer: other\nsessions:", 1), FILE=file)
        stranger = Browser(other.port)
        cookies = f"{SESSION}={browser.session}"
        self.assertEqual(self.status(other, browser.session), 401)
        self.assertEqual(stranger.facts(cookies=cookies, keep=False).status, 401)
        # Nor are they taken from the gateway that knows them.
        self.assertEqual(self.status(gateway, browser.session), 200)

    def test_most_sessions_of_an_account(self):
        gateway = self.gateway(SQLITE.replace("10000", "3"), FILE=self.folder() / "sessions.db")
        browsers = []
        for _ in range(5):
            browsers.append(Browser(gateway.port).sign_in())
            # Ages are in seconds.
            until = time.time() + 1.05
            while time.time() < until:
                time.sleep(0.02)
        self.assertEqual([self.status(gateway, browser.session) for browser in browsers], [401, 401, 200, 200, 200])


class Memory(Base):
    def test_bounded(self):
        gateway = self.gateway(MEMORY)
        statuses = [Browser(gateway.port).login_api((ADA, BOB)[number % 2]).status for number in range(20)]
        self.assertEqual(statuses, [200] * 20)
        third = Browser(gateway.port).login_api("rita")
        self.assertEqual((third.status, third.code), (503, "unavailable"))
        # Who is in already, as often as may be, may log in again: in place of the oldest login.
        self.assertEqual(Browser(gateway.port).login_api(ADA).status, 200)
        self.assertEqual(peers.metric(gateway, 'sessions_ended_total{reason="limit"}'), 1)

    def test_lost_at_the_end_as_said(self):
        gateway = self.gateway(MEMORY)
        browser = Browser(gateway.port).sign_in()
        self.kill(gateway)
        again = self.gateway(MEMORY)
        self.assertEqual(self.status(again, browser.session), 401)


class Server:
    """redis-server that writes every change down before it acknowledges it."""

    def __init__(self, *options):
        self.port = peers.free_port()
        words = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
            "--appendfsync", "always"
        ]
        self.process = peers.Process([*words, "--dir", "@FOLDER@", *options], self.port)

    def kill(self):
        self.process.kill()

    def start(self):
        self.process.start()

    def stop(self):
        self.process.stop()

    def cli(self, *words):
        code, out, error = peers.run("redis-cli", "-p", str(self.port), *words)
        assert code == 0, error
        return out.decode()

    def pause(self):
        self.process.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.process.send_signal(signal.SIGCONT)


class Redis(Base):
    def server(self, *options):
        server = Server(*options)
        self.addCleanup(server.stop)
        return server

    def two(self, server, failure="deny", extra=""):
        return [self.gateway(REDIS, REDIS=server.port, FAILURE=failure, EXTRA=extra) for _ in range(2)]

    def test_login_on_one_request_on_the_other_logout_on_the_first(self):
        server = self.server()
        first, second = self.two(server)
        for _ in range(3):
            browser = Browser(first.port).enter()
            cookie = browser.session
            for gateway in (second, first):
                self.assertEqual({self.status(gateway, cookie) for _ in range(8)}, {200})
            streams = [Live(Browser(second.port, jars=browser.jars), kind, fields) for kind, fields in
                       (("/events", ()), ("/socket", Live.UPGRADE), ("/auth/session/events", ()))]
            begin = steady()
            self.assertEqual(browser.logout().status, 303)
            self.assertEqual(self.status(first, cookie), 401)
            self.assertEventually(lambda: self.status(second, cookie) == 401, "it goes on", 1.0)
            self.assertEqual({self.status(second, cookie) for _ in range(8)}, {401})
            for one in streams:
                at = one.ends(3)
                self.assertTrue(at and at - begin < 1.2)

    def test_a_reload_says_what_of_the_store_it_does_not_change(self):
        server = self.server()
        gateway = self.gateway(REDIS, {"redis.password": b"another"}, REDIS=server.port, FAILURE="deny", EXTRA="")
        for number, extra in enumerate((', password: "file:redis.password"', ", tls: {}", ", database: 3")):
            gateway.replacements["EXTRA"] = extra
            said = sum("takes effect after a restart only" in line for line in gateway.log)
            gateway.write(REDIS)
            gateway.signal(signal.SIGHUP)
            self.assertTrue(gateway.wait_for("configuration applied", number + 1), gateway.log[-3:])
            self.assertEqual(sum("takes effect after a restart only" in line for line in gateway.log) - said, 1)

    def test_a_form_of_one_gateway_goes_through_on_the_other(self):
        server = self.server()
        first, second = self.two(server)
        browser = Browser(first.port)
        form = browser.form()
        browser.port = second.port
        self.assertEqual(
            browser.post("/auth/login", {**form["fields"], "username": ADA, "password": "analytical engine 1843"}).status, 303
        )
        page = Browser(first.port)
        form = page.login(TINA).page.forms[0]
        page.port = second.port
        self.assertIn(page.post(form["action"], {**form["fields"], "code": "000000"}).status, (401,))

    def test_no_id_is_on_the_server_and_nothing_stays_for_ever(self):
        server = self.server()
        first, _ = self.two(server)
        browser = Browser(first.port).enter()
        dump = b"".join(path.read_bytes() for path in pathlib.Path(server.process.folder).rglob("*") if path.is_file())
        self.assertIn(ADA.encode(), dump)
        for secret in (browser.session.encode(), base64.urlsafe_b64decode(browser.session + "=")):
            self.assertNotIn(secret, dump)
        keys = server.cli("--raw", "keys", "*").split()
        self.assertTrue(keys and all(key.startswith("test:") for key in keys), keys)
        named = [key for key in keys if browser.handle() in key]
        self.assertTrue(named)
        for key in named:
            self.assertTrue(0 < int(server.cli("ttl", key)) <= 8 * 3600 + 3600, key)

    def test_gone_and_back_with_deny(self):
        server = self.server()
        first, second = self.two(server)
        browser = Browser(first.port).sign_in()
        self.assertEqual({self.status(gateway, browser.session) for gateway in (first, second)}, {200})
        server.kill()
        self.assertEventually(lambda: self.status(first, browser.session) == 503, "still answered", 5)
        self.assertEqual(self.status(first, browser.session), 503)
        reply = Browser(first.port).fetch("/x", cookies=f"{SESSION}={browser.session}", keep=False)
        self.assertEqual((reply.code, reply.cookies), ("sessions_unavailable", {}))
        self.away(first)
        server.start()
        self.assertEventually(
            lambda: self.status(first, browser.session) == 200 and self.status(second, browser.session) == 200, "not back", 8
        )
        self.assertEventually(lambda: first.get("/readyz", port=first.ops_port).status == 200, "not ready", 5)
        self.assertEqual(Browser(second.port).login_api(BOB).status, 200)
        self.assertEqual(self.logout(browser).status, 200)

    def away(self, gateway):
        """What is said while the server is away."""
        begin = steady()
        reply = Browser(gateway.port).login_api(BOB)
        self.assertEqual((reply.status, reply.code), (503, "unavailable"))
        self.assertIsNotNone(reply.get("retry-after"))
        page = Browser(gateway.port).navigate("/auth/login")
        self.assertIn(page.status, (200, 503))
        self.assertLess(steady() - begin, 6)
        ready = gateway.get("/readyz?verbose", port=gateway.ops_port)
        self.assertEqual(ready.status, 503)
        self.assertRegex(ready.body, r"\[-\] sessions \(redis\)")
        self.assertEqual(gateway.get("/livez", port=gateway.ops_port).status, 200)
        # Who has no session is told so by whoever need not ask.
        self.assertEqual(Browser(gateway.port).fetch("/x").status, 401)

    def test_gone_and_back_with_grace(self):
        server = self.server()
        first, second = self.two(server, "grace 3s")
        browser, unknown = Browser(first.port).sign_in(), Browser(second.port).sign_in(BOB)
        self.assertEqual({self.status(first, browser.session) for _ in range(8)}, {200})
        server.kill()
        begin = time.monotonic()
        # Known ones go on for a while, others cannot be told.
        while time.monotonic() - begin < 2:
            self.assertEqual(self.status(first, browser.session), 200)
        self.assertEqual(self.status(first, unknown.session), 503)
        self.away(first)
        self.assertEventually(lambda: self.status(first, browser.session) == 503, "grace has no end", 4)
        self.assertGreater(time.monotonic() - begin, 2)
        server.start()
        self.assertEventually(lambda: {self.status(first, one.session) for one in (browser, unknown)} == {200}, "not back", 8)

    def test_a_server_that_hangs(self):
        server = self.server()
        first, _ = self.two(server)
        browser = Browser(first.port).sign_in()
        self.assertEqual(self.status(first, browser.session), 200)
        server.pause()
        try:
            begin = steady()
            self.assertEqual(Browser(first.port).login_api(BOB).status, 503)
            self.assertEqual(self.status(first, "A" * 43), 503)
            self.assertLess(steady() - begin, 6)
        finally:
            server.resume()
        self.assertEventually(lambda: self.status(first, browser.session) == 200, "not back", 8)

    def test_what_ended_while_a_gateway_heard_nothing_is_over(self):
        """A missed invalidation: the second gateway's connections are cut, the session ends meanwhile."""
        server = self.server()
        first, second = self.two(server)
        browser = Browser(first.port).sign_in()
        self.assertEqual({self.status(second, browser.session) for _ in range(4)}, {200})
        cookie = browser.session
        server.cli("client", "kill", "type", "pubsub")
        server.cli("client", "kill", "type", "normal")
        self.assertEventually(lambda: self.logout(browser).status == 200, "no logout", 5)
        self.assertEventually(lambda: self.status(second, cookie) == 401, "it goes on", 2.5)

    def test_nothing_is_lost_when_the_server_is_killed_under_load(self):
        server = self.server()
        first, second = self.two(server)
        live, over, lock, done = [], [], threading.Lock(), threading.Event()

        def work(gateway):
            count = 0
            while not done.is_set():
                try:
                    browser, count = Browser(gateway.port), count + 1
                    if browser.login_api(ADA).status != 200:
                        time.sleep(0.02)
                        continue
                    cookie = browser.session
                    if count % 3 == 0:
                        if self.logout(browser).status == 200:
                            with lock:
                                over.append(cookie)
                        continue
                    with lock:
                        live.append(cookie)
                except (OSError, ValueError, http.client.HTTPException):
                    pass

        threads = [threading.Thread(target=work, args=(gateway,), daemon=True) for gateway in (first, second)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            count = len(live)
            self.assertEventually(lambda: len(live) > count + 15, "no logins", 20)
            server.kill()
            time.sleep(0.2)
            server.start()
        count = len(live)
        self.assertEventually(lambda: len(live) > count + 5, "no logins", 20)
        done.set()
        for thread in threads:
            thread.join(10)
        for gateway in (first, second):
            self.assertEventually(lambda: gateway.get("/readyz", port=gateway.ops_port).status == 200, "not ready", 5)
        # 503 says nothing either way.
        self.assertEventually(lambda: {self.status(first, cookie) for cookie in live} == {200}, "a login was lost", 10)
        self.assertEventually(lambda: {self.status(second, cookie) for cookie in over} <= {401}, "a logout was lost", 10)

    def test_with_a_password(self):
        server = self.server("--requirepass", "a good one")
        gateway = self.gateway(
            REDIS, {"redis": b"a good one\n"}, REDIS=server.port, FAILURE="deny", EXTRA=', password: "file:redis"'
        )
        browser = Browser(gateway.port).sign_in()
        self.assertEqual(self.status(gateway, browser.session), 200)
        self.assertNotIn("a good one", "".join(gateway.log))

    def test_commands(self):
        server = self.server()
        first, second = self.two(server)
        browser = Browser(first.port).sign_in()
        self.assertEqual(self.status(second, browser.session), 200)
        self.assertIn(browser.handle(), command("session", "list", "--config", first.path))
        self.assertIn(ADA, command("session", "show", browser.handle(), "--config", first.path))
        command("session", "revoke", "--user", ADA, "--config", first.path)
        for gateway in (first, second):
            self.assertEventually(lambda: self.status(gateway, browser.session) == 401, "it goes on", 1.0)


SENTINEL = """port {port}
bind 127.0.0.1
sentinel monitor main 127.0.0.1 {master} 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 3000
"""


@unittest.skipUnless(LONG, "takes a quarter of a minute; SessionsTests fail over without load")
class Sentinels(Base):
    def test_nothing_is_lost_when_the_master_is_killed_under_load(self):
        master = Server()
        replica = Server("--replicaof", "127.0.0.1", str(master.port), "--repl-diskless-sync-delay", "0")
        port = peers.free_port()
        conf = {"s.conf": SENTINEL.format(port=port, master=master.port)}
        sentinel = peers.Process(["redis-server", "@FOLDER@/s.conf", "--sentinel", "--dir", "@FOLDER@"], port, conf)
        for one in (master, replica, sentinel):
            self.addCleanup(one.stop)
        told = lambda: peers.run("redis-cli", "-p", str(port), "info", "sentinel")[1]
        self.assertEventually(lambda: "master_link_status:up" in replica.cli("info", "replication"), "no replica", 15)
        self.assertEventually(lambda: b"slaves=1" in told(), "not found by the Sentinel", 15)
        crowd = {"users.yaml": self.directory.crowd(100)}
        extra = ", sentinel_master: main"
        gateways = [self.gateway(REDIS, crowd, REDIS=port, FAILURE="grace 10s", EXTRA=extra) for _ in range(2)]
        live, over, lock, done = [], [], threading.Lock(), threading.Event()

        def work(gateway, seed):
            count = seed
            while not done.is_set():
                browser, count = Browser(gateway.port), count + 7
                try:
                    if browser.login_api(f"rita{count % 100}", PASSWORDS[RITA]).status != 200:
                        time.sleep(0.02)
                        continue
                    cookie, leaves = browser.session, count % 4 == 0
                    if not leaves or self.logout(browser).status == 200:
                        with lock:
                            (over if leaves else live).append(cookie)
                except (OSError, ValueError, http.client.HTTPException):
                    pass

        threads = [threading.Thread(target=work, args=(gateways[seed % 2], seed), daemon=True) for seed in range(4)]
        for thread in threads:
            thread.start()
        self.assertEventually(lambda: len(live) > 100, "no logins", 20)
        master.kill()
        before = len(live)
        self.assertEventually(lambda: len(live) > before + 60, "no logins after the failover", 20)
        done.set()
        for thread in threads:
            thread.join(10)
        for gateway in gateways:
            self.assertEventually(lambda: gateway.get("/readyz", port=gateway.ops_port).status == 200, "not ready", 5)
            self.assertEqual({self.status(gateway, cookie) for cookie in live}, {200})
            self.assertEqual({self.status(gateway, cookie) for cookie in over}, {401})
