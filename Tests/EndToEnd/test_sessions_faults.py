"""What goes wrong beside the gateway: a Redis that loses or refuses what it should keep, an audit log that somebody
changes, files that go away; and commands that get into each other's way."""

import os
import pty
import re
import signal
import subprocess
import termios
import time

import peers
from harness import binary
from sessions import ADA, BOB, RITA, SESSION, Browser, command
from test_sessions_stores import MEMORY, REDIS, SQLITE, Base, Server
from timing import steady

AUDITED = MEMORY.replace("upstreams:", "audit_log: {path: @AUDIT@, on_failure: deny}\nupstreams:")


class Faults(Base):
    def server(self, *options):
        server = Server(*options)
        self.addCleanup(server.stop)
        return server

    def two(self, server):
        return [self.gateway(REDIS, REDIS=server.port, FAILURE="deny", EXTRA="") for _ in range(2)]

    def known(self, gateways, name=ADA):
        """A session that every worker of all gateways has in its cache."""
        browser = Browser(gateways[0].port).sign_in(name)
        for gateway in gateways:
            self.assertEqual({self.status(gateway, browser.session) for _ in range(12)}, {200})
        return browser

    def over(self, gateway, cookie, seconds):
        self.assertEventually(lambda: {self.status(gateway, cookie) for _ in range(6)} == {401}, "it goes on", seconds)

    def ready(self, gateway):
        reply = gateway.get("/readyz?verbose", port=gateway.ops_port)
        return reply.status, reply.body

    def said(self, gateway, text):
        self.assertEventually(lambda: text in "".join(gateway.log), f"{text} is not in the log", 8)


class Redis(Faults):
    def test_a_logout_of_what_the_server_lost_is_heard_by_the_other_gateway(self):
        server = self.server()
        gateways = self.two(server)
        browser = self.known(gateways)
        cookie = browser.session
        server.cli("flushall")
        self.assertEqual(self.logout(browser).status, 200)
        for gateway in gateways:
            self.over(gateway, cookie, 2)

    def test_sessions_end_when_the_stream_of_changes_is_gone(self):
        server = self.server()
        gateways = self.two(server)
        for _ in range(2):
            cookie = self.known(gateways).session
            server.cli("flushall")
            for gateway in gateways:
                self.over(gateway, cookie, 4)

    def test_a_session_that_vanished_ends_with_the_next_touch(self):
        text = REDIS.replace("on_store_failure", "touch: 1s\n  on_store_failure")
        server = self.server()
        gateways = [self.gateway(text, REDIS=server.port, FAILURE="deny", EXTRA="") for _ in range(2)]
        cookie = self.known(gateways).session
        for key in server.cli("--raw", "keys", "test:s:*").split():
            server.cli("del", key)
        self.over(gateways[0], cookie, 6)
        self.over(gateways[1], cookie, 2)

    def test_a_vanished_session_is_not_cached_for_long(self):
        server = self.server()
        gateways = self.two(server)
        cookie = self.known(gateways).session
        for key in server.cli("--raw", "keys", "test:s:*").split():
            server.cli("del", key)
        self.over(gateways[1], cookie, 18)

    def test_a_server_that_refuses_writes_is_not_ready(self):
        server = self.server("--maxmemory-policy", "noeviction")
        gateway = self.gateway(REDIS, REDIS=server.port, FAILURE="deny", EXTRA="")
        self.assertEqual(self.ready(gateway)[0], 200)
        server.cli("config", "set", "maxmemory", "1mb")
        self.assertEventually(lambda: self.ready(gateway)[0] == 503, "still ready", 8)
        self.assertRegex(self.ready(gateway)[1], "the store refuses writes: OOM")
        self.said(gateway, "session store: refuses writes")
        server.cli("config", "set", "maxmemory", "0")
        self.assertEventually(lambda: self.ready(gateway)[0] == 200, "not ready again", 8)
        self.said(gateway, "session store: takes writes again")

    def test_why_the_store_is_away_is_said(self):
        server = self.server()
        gateway = self.gateway(REDIS, REDIS=server.port, FAILURE="deny", EXTRA="")
        browser = Browser(gateway.port).sign_in()
        server.kill()
        self.said(gateway, "session store: away")
        line = next(line for line in gateway.log if "session store: away" in line)
        self.assertRegex(line, rf"127\.0\.0\.1:{server.port}: .*[a-z]")
        self.assertRegex(self.ready(gateway)[1], rf"the store does not answer: 127\.0\.0\.1:{server.port}: ")
        # A logout is told what it is about.
        reply = self.logout(browser)
        self.assertEqual((reply.status, reply.code), (503, "logout_unavailable"))
        self.assertIsNotNone(browser.session)
        server.start()
        self.said(gateway, "session store: back")
        self.assertEqual(self.logout(browser).status, 200)


class Cluster(Faults):
    def setUp(self):
        ports = [peers.free_port() for _ in range(3)]
        words = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes", "--dir", "@FOLDER@"]
        for port in ports:
            one = peers.Process([*words, "--port", str(port), "--cluster-port", str(peers.free_port())], port)
            self.addCleanup(one.stop)
        nodes = [f"127.0.0.1:{port}" for port in ports]
        code, out, error = peers.run("redis-cli", "--cluster", "create", *nodes, "--cluster-yes")
        self.assertEqual(code, 0, f"{out} {error}")
        state = lambda port: peers.run("redis-cli", "-p", str(port), "cluster", "info")[1]
        for port in ports:
            self.assertEventually(lambda: b"cluster_state:ok" in state(port), "no cluster", 15)
        self.ports = ports

    def memory(self, limit):
        for port in self.ports:
            peers.run("redis-cli", "-p", str(port), "config", "set", "maxmemory", limit)

    def test_a_logout_is_heard_although_memory_is_full(self):
        gateways = [self.gateway(REDIS, REDIS=port, FAILURE="deny", EXTRA=", cluster: true") for port in self.ports[:2]]
        browser, other = self.known(gateways), self.known(gateways, BOB)
        self.memory("1mb")
        cookie = browser.session
        self.assertEqual(self.logout(browser).status, 200)
        for gateway in gateways:
            self.over(gateway, cookie, 3)
        self.memory("0")
        cookie = other.session
        self.assertEqual(self.logout(other).status, 200)
        self.over(gateways[1], cookie, 3)


class Audit(Faults):
    def setUp(self):
        self.path = self.folder() / "audit.log"

    def log(self):
        gateway = self.gateway(AUDITED, AUDIT=self.path)
        for name in (ADA, BOB, ADA):
            Browser(gateway.port).sign_in(name)
        return gateway

    def change(self, body):
        content = body(self.path.read_bytes().splitlines(True))
        with open(self.path, "r+b") as file:
            file.write(content)
            file.truncate(len(content))

    changes = {
        "longer": lambda lines: b"".join(lines[:-1]) + lines[-1].replace(b'"ada"', b'"eve1"'),
        "as long": lambda lines: b"".join(lines[:-1]) + lines[-1].replace(b'"ada"', b'"eve"'),
        "garbage": lambda lines: b"".join(lines[:-1]) + b"nothing to see here\n",
    }

    def test_what_is_changed_under_it_is_found(self):
        for name, change in {**self.changes, "cut": lambda lines: b"".join(lines[:-2])}.items():
            with self.subTest(name):
                gateway = self.log()
                self.change(change)
                self.assertEqual(Browser(gateway.port).login_api(RITA).status, 200)
                self.assertIn(b'"event":"tampered"', self.path.read_bytes())
                self.assertTrue(gateway.said("lines that were written"))
                command("audit", "verify", self.path, code=1)
                gateway.stop()
                self.path.unlink()

    def test_lines_that_are_gone_from_another_file_of_the_name_are_missed(self):
        gateway = self.log()
        lines = self.path.read_bytes().splitlines(True)
        other = self.path.with_name("other.log")
        other.write_bytes(b"".join(lines[:-1]))
        other.rename(self.path)
        self.assertEqual(Browser(gateway.port).login_api(RITA).status, 200)
        self.assertIn(b'"event":"tampered"', self.path.read_bytes())
        command("audit", "verify", self.path, code=1)

    def test_what_is_changed_between_two_runs_is_found(self):
        for name, change in self.changes.items():
            with self.subTest(name):
                self.log().stop()
                self.change(change)
                gateway = self.gateway(AUDITED, AUDIT=self.path)
                self.assertEqual(Browser(gateway.port).login_api(RITA).status, 200)
                command("audit", "verify", self.path, code=1)
                gateway.stop()
                self.path.unlink()

    def test_what_rotations_do_is_no_change(self):
        gateway = self.log()
        copy = self.path.with_name("audit.1")
        copy.write_bytes(self.path.read_bytes())
        os.truncate(self.path, 0)
        Browser(gateway.port).sign_in(RITA)
        command("audit", "verify", copy, self.path)

    def test_a_removed_file_is_made_again(self):
        gateway = self.log()
        self.path.unlink()
        self.assertEqual(Browser(gateway.port).login_api(RITA).status, 200)
        self.assertIn(b'"rita"', self.path.read_bytes())
        command("audit", "verify", self.path)

    def test_a_log_that_cannot_be_written_is_said(self):
        gateway = self.log()
        self.path.unlink()
        self.path.mkdir()
        self.assertEqual(Browser(gateway.port).login_api(RITA).status, 503)
        status, text = self.ready(gateway)
        self.assertEqual(status, 503)
        self.assertRegex(text, r"\[-\] audit log: .*audit\.log")
        self.path.rmdir()
        self.assertEventually(lambda: self.ready(gateway)[0] == 200, "not ready again", 8)
        self.assertEqual(Browser(gateway.port).login_api(RITA).status, 200)

    def test_names_of_nobody_are_not_in_it(self):
        gateway = self.log()
        for _ in range(2):
            Browser(gateway.port).login_api("hunter2hunter2", "a password")
        text = self.path.read_text()
        self.assertNotIn("hunter2", text)
        self.assertEqual(len(set(re.findall(r'"account":"(unknown:[^"]+)"', text))), 1)


class Files(Faults):
    def test_a_removed_store_is_noticed(self):
        file = self.folder() / "sessions.db"
        gateway = self.gateway(SQLITE, FILE=file)
        self.assertEqual(self.ready(gateway)[0], 200)
        file.rename(file.with_name("elsewhere.db"))
        self.said(gateway, "session store: in danger")
        self.assertEventually(lambda: self.ready(gateway)[0] == 503, "still ready", 5)
        self.assertIn("was removed", self.ready(gateway)[1])
        file.with_name("elsewhere.db").rename(file)
        self.assertEventually(lambda: self.ready(gateway)[0] == 200, "not ready again", 5)

    def test_a_former_cookie_is_not_for_services(self):
        gateway = self.gateway(MEMORY)
        cookie = Browser(gateway.port).sign_in().session
        gateway.write(self.renamed(gateway))
        gateway.signal(signal.SIGHUP)
        gateway.wait_for("configuration applied")
        cookies = f"__Host-other={cookie}; {SESSION}={cookie}; mine=1"
        reply = Browser(gateway.port).fetch("/x", cookies=cookies, keep=False)
        self.assertEqual((reply.status, reply.seen("Cookie")), (200, ["mine=1"]))

    def renamed(self, gateway):
        text = MEMORY.replace("store: memory,", "store: memory, cookie: {name: __Host-other},")
        return text.replace("@UPSTREAM@", str(self.upstream.port))

    def test_one_file_is_not_two_things(self):
        folder = self.folder()
        users = folder / "users.yaml"
        users.write_bytes(self.directory.text)
        text = "accounts: {file: users.yaml}\nroutes: [{name: a, match: {path: /}, auth: public, respond: {status: 204}}]\n"
        for more in (
            "audit_log: {path: users.yaml}\n", "sessions: {store: sqlite, file: users.yaml}\n",
            "sessions: {store: sqlite, file: one}\naudit_log: {path: one}\n"
        ):
            (folder / "p.yaml").write_text(more + text)
            self.assertIn("is the file of", command("check", "--config", folder / "p.yaml", code=1))

    def test_check_shows_no_secrets(self):
        folder = self.folder()
        (folder / "users.yaml").write_text("users: []\n")
        text = "accounts: {file: users.yaml}\nroutes: [{name: a, match: {path: /}, auth: public, respond: {status: 204}}]\n"
        for more in (
            "{secrets: [hunter2hunter2]}", "{secrets: hunter2hunter2}",
            "{store: redis, redis: {servers: ['redis://u:hunter2hunter2@127.0.0.1:1']}}"
        ):
            (folder / "p.yaml").write_text(f"sessions: {more}\n" + text)
            self.assertNotIn("hunter2", command("check", "--config", folder / "p.yaml", code=1))
        for users in ("users:\n  - name: a\n    recovery_codes: [hunter2]\n", "hunter2hunter2\n"):
            (folder / "u.yaml").write_text(users)
            self.assertNotIn("hunter2", command("user", "list", "--file", folder / "u.yaml", code=1))


class Commands(Faults):
    def users(self):
        path = self.folder() / "users.yaml"
        path.write_bytes(self.directory.text)
        path.chmod(0o600)
        return path

    def test_roles_that_are_added_at_once_are_all_there(self):
        users = self.users()
        words = [binary(), "user", "roles", "--file", users, BOB, "--add"]
        all = [subprocess.Popen([*words, f"role{number}"], stdout=subprocess.DEVNULL) for number in range(8)]
        self.assertEqual([one.wait(30) for one in all], [0] * 8)
        roles = command("user", "roles", "--file", users, BOB).split()
        self.assertLessEqual({f"role{number}" for number in range(8)}, set(roles))

    def test_a_link_to_a_file_that_is_not_there_yet(self):
        folder = self.folder()
        link = folder / "link.yaml"
        link.symlink_to("users.yaml")
        command("user", "add", "--file", link, ADA, stdin="analytical engine 1843\n")
        self.assertTrue(link.is_symlink())
        self.assertIn(ADA, (folder / "users.yaml").read_text())

    def test_an_interrupted_prompt_leaves_the_terminal_as_it_was(self):
        users = self.users()
        pid, terminal = pty.fork()
        if pid == 0:
            # What runs in the background ignores it, and so do its children.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execv(binary(), ["portcullis", "user", "passwd", "--file", str(users), ADA])
        try:
            said = b""
            while b"New password" not in said:
                said += os.read(terminal, 1000)
            self.assertFalse(termios.tcgetattr(terminal)[3] & termios.ECHO)
            os.write(terminal, b"\x03")
            begin, status = steady(), (0, 0)
            while status[0] == 0 and steady() - begin < 5:
                status = os.waitpid(pid, os.WNOHANG)
                time.sleep(0.02)
            self.assertNotEqual(status[0], 0, "it does not end")
            self.assertEqual(os.WTERMSIG(status[1]), signal.SIGINT)
            self.assertTrue(termios.tcgetattr(terminal)[3] & termios.ECHO)
            pid = 0
        finally:
            if pid:
                os.kill(pid, signal.SIGKILL)
            os.close(terminal)
