"""What operators do to a gateway without meaning it: logs that nobody takes, disks that are full, a second one beside
the first, files named twice, commands in a pipe."""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import Gateway, Upstream, binary
from sessions import ACCOUNTS, ADA, PASSWORDS, TINA, Browser, Directory, command
from timing import steady

SMALL_PIPE = 4096
F_SETPIPE_SZ = 1031
ROUTES = "routes: [{name: a, match: {path: /}, auth: public, respond: {body: hello}}]\n"


class Local:
    """A gateway on unix sockets whose standard output and error are what a test says."""

    def __init__(self, case, text=ROUTES, files=None, **streams):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
        case.addCleanup(shutil.rmtree, self.folder, True)
        for name, content in (files or {}).items():
            (self.folder / name).write_bytes(content)
            (self.folder / name).chmod(0o600)
        self.path = self.folder / "portcullis.yaml"
        self.text = f'ops: {{address: "unix:{self.folder}/ops"}}\nlisteners: [{{address: "unix:{self.folder}/main"}}]\nworkers: 2\n' + text
        self.path.write_text(self.text)
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([binary(), "run", "--config", self.path], **{**nowhere, **streams})
        case.addCleanup(self.end)
        until = time.monotonic() + 20
        while self.ask("/readyz", "ops") is None:
            case.assertIsNone(self.process.poll(), "it ended")
            case.assertLess(time.monotonic(), until, "it did not start")
            time.sleep(0.02)

    def ask(self, path="/", listener="main", head="GET", fields="", body="", wait=10):
        """The answer as text; None when there is none."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(wait)
            try:
                client.connect(str(self.folder / listener))
                length = f"Content-Length: {len(body)}\r\n" if body else ""
                request = f"{head} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}{length}\r\n{body}"
                client.sendall(request.encode())
                answer = b""
                while more := client.recv(65536):
                    answer += more
                return answer.decode()
            except OSError:
                return None

    def metric(self, name):
        answer = self.ask("/metrics", "ops") or ""
        return sum(float(line.split()[-1]) for line in answer.splitlines() if line.startswith("portcullis_" + name))

    def end(self, seconds=0):
        """Its status after SIGTERM; None: it did not end in time, and was killed."""
        if seconds:
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class Case(unittest.TestCase):
    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def pipe(self):
        """A small pipe that nobody reads."""
        read, write = os.pipe()
        fcntl.fcntl(write, F_SETPIPE_SZ, SMALL_PIPE)
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        return read, write

    def assertEventually(self, condition, what, seconds=10):
        until = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.02)


class Logs(Case):
    def test_nobody_takes_the_process_log(self):
        read, write = self.pipe()
        gateway = Local(self, "access_log: off\n" + ROUTES, stderr=write)
        gateway.path.write_text(gateway.text + "".join(f"key{number}: 1\n" for number in range(800)))
        for count in range(1, 7):
            gateway.process.send_signal(signal.SIGHUP)
            self.assertEventually(lambda: gateway.metric('reloads_total{result="failed"}') >= count, "no reload")
            self.assertIn("200 OK", gateway.ask() or "")
        self.assertGreater(gateway.metric("log_lost_lines_total"), 0)
        self.assertIn("[!] log", gateway.ask("/readyz?verbose", "ops"))
        # What is taken afterwards says so.
        os.set_blocking(read, False)
        said = b""

        def taken():
            nonlocal said
            try:
                said += os.read(read, 1 << 20)
            except BlockingIOError:
                pass
            return b"lines were lost" in said

        self.assertEventually(taken, "nothing is said of it")
        self.assertTrue(all(line[:2] == b"20" for line in said.splitlines()))
        gateway.path.write_text(gateway.text)
        gateway.process.send_signal(signal.SIGHUP)
        self.assertEventually(lambda: taken() and b"configuration applied" in said, "it is not written again")
        self.assertEqual(gateway.end(20), 0)

    def test_a_pipe_with_a_name_and_no_reader(self):
        pipe = self.folder() / "access"
        os.mkfifo(pipe)
        gateway = Local(self, f"access_log: {{path: {pipe}}}\n" + ROUTES)
        self.assertIn("200 OK", gateway.ask())
        read = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, read)
        self.assertIn("200 OK", gateway.ask("/later"))

        def taken():
            try:
                return b"/later" in os.read(read, 65536)
            except BlockingIOError:
                return False

        self.assertEventually(taken, "no line")
        self.assertEqual(gateway.end(20), 0)

    def test_lines_that_cannot_be_written_are_spoken_of(self):
        gateway = Gateway("access_log: {path: /dev/full}\n" + ROUTES)
        self.addCleanup(gateway.stop)
        gateway.get()
        self.assertTrue(gateway.wait_for("access log: lines cannot be written"))
        ready = gateway.get("/readyz?verbose", port=gateway.ops_port)
        self.assertEqual(ready.status, 200)
        self.assertIn("[!] access log: lines cannot be written: No space left on device", ready.body)

    def test_a_line_that_a_full_disk_cut_spoils_no_other(self):
        disk = self.folder()
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk]
        if subprocess.run(mount, capture_output=True).returncode:
            self.skipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        gateway = Local(self, f"access_log: {{path: {disk}/access.log}}\n" + ROUTES)
        (disk / "large").write_bytes(bytes(200 * 1024))
        for number in range(80):
            gateway.ask("/" + "x" * 1500)
        self.assertEventually(lambda: gateway.metric("access_log_dropped_lines_total") > 0, "the disk is not full")
        (disk / "large").unlink()
        self.assertEventually(lambda: "[!] access log" not in (gateway.ask() and gateway.ask("/readyz?verbose", "ops")), "not written again")
        self.assertEqual(gateway.end(20), 0)
        lines = (disk / "access.log").read_bytes().splitlines()
        spoilt = []
        for line in lines:
            try:
                json.loads(line)
            except ValueError:
                spoilt.append(line)
        self.assertTrue(all(line.count(b'{"time"') <= 1 for line in spoilt), spoilt)

    def test_logins_do_not_wait_for_an_audit_log_that_nobody_takes(self):
        for policy, wanted in (("deny", "503"), ("continue", "200")):
            with self.subTest(policy):
                read, write = self.pipe()
                text = ACCOUNTS + "sessions: {store: memory, cookie: {insecure: true}}\naccess_log: off\n" + ROUTES
                text += f"audit_log: {{path: /dev/stdout, on_failure: {policy}}}\n"
                gateway = Local(self, text, Directory.make().files(), stdout=write)
                body = json.dumps({"username": ADA, "password": PASSWORDS[ADA]})
                login = lambda: gateway.ask("/auth/login", head="POST", fields="Content-Type: application/json\r\n", body=body, wait=30)
                fault = lambda: "lines_lost_total 0" not in gateway.ask("/metrics", "ops")
                for _ in range(30):
                    answer = login()
                    self.assertIsNotNone(answer, "no answer")
                    if fault():
                        break
                self.assertIn(wanted, answer.splitlines()[0])
                begin = steady()
                self.assertIn(wanted, login().splitlines()[0])
                self.assertLess(steady() - begin, 4)
                ready = gateway.ask("/readyz?verbose", "ops")
                self.assertRegex(ready, r"\[%s\] audit log.*nobody takes what is written" % ("-" if policy == "deny" else "!"))
                # It is taken again.
                os.set_blocking(read, False)

                def well():
                    try:
                        os.read(read, 1 << 20)
                    except BlockingIOError:
                        pass
                    return "200" in login().splitlines()[0] and "503" not in gateway.ask("/readyz", "ops").splitlines()[0]

                self.assertEventually(well, "not written again", 20)
                self.assertEqual(gateway.end(20), 0)


class Accounts(Case):
    def test_a_file_that_cannot_be_changed_is_spoken_of(self):
        directory = Directory.make()
        text = ACCOUNTS + "sessions: {store: memory}\n" + ROUTES
        gateway = Gateway(text, directory.files())
        self.addCleanup(gateway.stop)
        lock = os.open(gateway.folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        browser = Browser(gateway.port)
        code = lambda: browser.api("/auth/login/code", {"code": directory.recovery[0]})
        self.assertEqual(browser.login_api(TINA).status, 401)
        self.assertEqual(code().status, 503)
        self.assertTrue(gateway.wait_for("accounts: the file cannot be changed"))
        ready = gateway.get("/readyz?verbose", port=gateway.ops_port)
        self.assertRegex(ready.body, r"\[!\] accounts: recovery codes are not taken: .*users\.yaml: is being changed by somebody else")
        os.close(lock)
        self.assertEqual(browser.login_api(TINA).status, 401)
        self.assertEqual(code().status, 200)
        self.assertTrue(gateway.wait_for("accounts: the file can be changed again"))

    def test_one_that_is_not_the_gateways_is_a_warning(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        folder = self.folder()
        folder.chmod(0o755)
        (folder / "users.yaml").write_bytes(Directory.make().text)
        os.chown(folder / "users.yaml", 0, 65534)
        (folder / "users.yaml").chmod(0o640)
        (folder / "p.yaml").write_text("accounts: {file: users.yaml}\nsessions: {store: memory}\n" + ROUTES)
        program = self.folder()
        program.chmod(0o755)
        shutil.copy(binary(), program / "portcullis")
        done = subprocess.run(
            [program / "portcullis", "check", "--config", folder / "p.yaml"],
            capture_output=True, text=True, user=65534, group=65534, extra_groups=[],
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("users.yaml: warning: this user may not change it", done.stderr)


class Twice(Case):
    def test_a_second_gateway_is_told_of_the_first(self):
        gateway = Gateway(ROUTES)
        self.addCleanup(gateway.stop)
        second = self.folder() / "second.yaml"

        second.write_text(
            f'ops: {{address: "127.0.0.1:{gateway.ops_port}"}}\nlisteners: [{{address: "127.0.0.1:{gateway.port}"}}]\naccess_log: off\n' + ROUTES
        )
        # On purpose, as when one takes over from another, it goes on; but it says so.
        with subprocess.Popen([binary(), "run", "--config", second], stderr=subprocess.PIPE, text=True) as process:
            said = []
            for line in process.stderr:
                said.append(line)
                if "info started" in line:
                    break
            process.terminate()
            self.assertEqual(process.wait(20), 0)
        self.assertEqual(sum("another process listens here as well" in line for line in said), 2)

    def test_one_file_is_not_two_things(self):
        folder = self.folder()
        (folder / "users.yaml").write_bytes(Directory.make().text)
        (folder / "keys.json").write_text('{"keys": []}')
        (folder / "kept").mkdir()
        path = folder / "p.yaml"
        base = "accounts: {file: users.yaml}\n" + ROUTES
        for more, key in (
            ("access_log: {path: users.yaml}", "access_log.path: is the file of accounts.file"),
            ("access_log: {path: p.yaml}", "access_log.path: is the configuration itself"),
            ("audit_log: {path: ./kept/../users.yaml}", "audit_log.path: is the file of accounts.file"),
            ("audit_log: {path: one}\naccess_log: {path: ./one}", "access_log.path: is the file of audit_log.path"),
            ("audit_log: {path: one}\nrevocation_file: one", "revocation_file: is the file of audit_log.path"),
            ("sessions: {file: one}\naccess_log: {path: one-wal}", "access_log.path: is the file of sessions.file"),
            ("issuers: [{name: a, issuer: b, audiences: [c], keys: [{jwks_file: keys.json}]}]\naccess_log: {path: keys.json}", "access_log.path: is the file of issuers"),
        ):
            with self.subTest(more):
                path.write_text(more + "\n" + base)
                self.assertIn(key, command("check", "--config", path, code=1))
        path.write_text("audit_log: {path: /dev/stdout}\naccess_log: {path: /dev/stdout}\nrevocation_file: two\n" + base)
        command("check", "--config", path)


class Ends(Case):
    def test_ctrl_c_again_waits_for_nobody(self):
        upstream = Upstream(lambda head, body, connection: None)
        self.addCleanup(upstream.stop)
        gateway = Gateway(
            'upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]\nroutes: [{name: a, auth: public, forward: {upstream: a}}]\n',
            UPSTREAM=upstream.port,
        )
        self.addCleanup(gateway.stop)
        with socket.create_connection(("127.0.0.1", gateway.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEventually(lambda: upstream.heads, "no request")
            gateway.signal(signal.SIGINT)
            self.assertTrue(gateway.wait_for("draining"))
            begin = time.monotonic()
            while gateway.process.poll() is None and time.monotonic() - begin < 15:
                gateway.signal(signal.SIGINT)
                time.sleep(0.1)
            self.assertEqual(gateway.process.poll(), 0)


class Checks(Case):
    def test_a_configuration_that_another_command_writes_slowly(self):
        words = [binary(), "check", "--quiet", "--config", "/dev/stdin"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            for line in ROUTES.splitlines(True):
                time.sleep(0.3)
                process.stdin.write(line)
                process.stdin.flush()
            process.stdin.close()
            self.assertEqual(process.wait(20), 0, process.stderr.read())

    def test_tags_mean_nothing_here_and_are_no_values(self):
        path = self.folder() / "p.yaml"
        path.write_text(ROUTES + "drain: !env DRAIN\nlimits: !include limits.yaml\nportal: !x {title: a}\ntrusted_proxies: !y []\nlog: {level: !!str info}\n")
        said = command("check", "--config", path, code=1)
        for place in ('2:8: tags ("!env")', '3:9: tags ("!include")', '4:9: tags ("!x")', '5:18: tags ("!y")'):
            self.assertIn(f"p.yaml:{place} are not supported", said)
        self.assertEqual(len(said.splitlines()), 4)

    def test_a_file_full_of_unknown_keys(self):
        path = self.folder() / "p.yaml"
        path.write_text(ROUTES + "".join(f"k{number}: 1\n" for number in range(15_000)))
        done = subprocess.run([binary(), "check", "--config", path], capture_output=True, text=True, timeout=15)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 15_000))


if __name__ == "__main__":
    unittest.main()
