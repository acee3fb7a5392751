"""Certificates over time: replaced on disk under load, about to expire, wrong; what operators are told."""

import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import peers
from harness import Gateway, binary
from test_tls import AUTHORITY, FILES, FIRST, ONE, WILD, TLSTest
from timing import steady


class Swaps(TLSTest):
    """A certificate is replaced on disk while clients come and go."""

    configuration = "workers: 2\ntls: {file_check: 1s}\n" + ONE

    def test_new_connections_get_the_new_one_and_nothing_fails(self):
        folder, stopping, failures, serials = self.gateway.folder, threading.Event(), [], []

        def clients():
            context = AUTHORITY.context()
            while not stopping.is_set():
                try:
                    with self.connect(context=context) as client:
                        serials.append(int(client.getpeercert()["serialNumber"], 16))
                        if not self.answer(client).startswith(b"HTTP/1.1 200 "):
                            failures.append("answer")
                except OSError as error:
                    failures.append(repr(error))

        threads = [threading.Thread(target=clients) for _ in range(3)]
        load = subprocess.Popen(
            [peers.program("h2load"), "-D", "4", "-c", "20", "-m", "10", f"https://127.0.0.1:{self.port()}/"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for thread in threads:
            thread.start()
        second, third = AUTHORITY.issue("gateway.example"), AUTHORITY.issue("gateway.example", kind="rsa")
        try:
            for certificate, signals in ((second, False), (third, True)):
                applied = sum("configuration applied" in line for line in self.gateway.log)
                certificate.write(folder, "first")
                if signals:
                    self.gateway.signal(signal.SIGHUP)
                self.assertTrue(self.gateway.wait_for("configuration applied", applied + 1))
                peers.eventually(lambda: self.serial() == certificate.serial, "the new certificate is not served")
                for _ in range(20):
                    self.assertEqual(self.serial(), certificate.serial)
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        output, _ = load.communicate(timeout=20)
        self.assertEqual(failures, [])
        self.assertIn(" 0 failed, 0 errored, 0 timeout", output)
        self.assertEqual(set(serials), {FIRST.serial, second.serial, third.serial})

    def test_a_key_that_does_not_fit_changes_nothing(self):
        before = self.serial()
        path = pathlib.Path(self.gateway.folder, "first.key")
        old = path.read_bytes()
        path.write_bytes(WILD.key_pem)
        self.gateway.signal(signal.SIGHUP)
        self.assertTrue(self.gateway.wait_for("reload refused: the running configuration stays"))
        self.assertEqual(self.serial(), before)
        path.write_bytes(old)


class DuringReload(TLSTest):
    """A certificate is replaced after a reload has read it and before the reload is over."""

    configuration = (
        "tls: {file_check: 200ms}\nupstreams: [{name: a, servers: [\"127.0.0.1:1\"], tls: {ca_file: ca.pem}}]\n"
        + ONE.replace("routes: [", "routes: [{name: b, match: {path: /b}, auth: public, forward: {upstream: a}}, ")
    )
    files = FILES | {"ca.pem": AUTHORITY.pem}

    def test_it_is_noticed_at_the_next_look(self):
        folder, second = pathlib.Path(self.gateway.folder), AUTHORITY.issue("gateway.example", "127.0.0.1")
        # The reload that this causes stands at the pipe, which is read last.
        os.mkfifo(folder / "pipe")
        os.rename(folder / "pipe", folder / "ca.pem")
        with open(folder / "ca.pem", "wb") as pipe:
            time.sleep(0.3)
            for name, content in (("ca.pem", AUTHORITY.pem), ("first.key", second.key_pem), ("first.pem", second.pem)):
                (folder / "new").write_bytes(content)
                (folder / "new").chmod(0o600)
                os.rename(folder / "new", folder / name)
            pipe.write(AUTHORITY.pem)
        end = steady() + 5
        while self.serial() != second.serial and steady() < end:
            time.sleep(0.1)
        self.assertEqual(self.serial(), second.serial)


class Operators(unittest.TestCase):
    """What is said of certificates: metric, readiness, check."""

    def check(self, files, configuration=ONE):
        gateway = Gateway.__new__(Gateway)
        folder = tempfile.mkdtemp(prefix="portcullis-test-")
        gateway.path, gateway.replacements, gateway.folder = folder + "/portcullis.yaml", {}, folder
        for name, content in files.items():
            pathlib.Path(folder, name).write_bytes(content)
            pathlib.Path(folder, name).chmod(0o600)
        gateway.write(configuration)
        done = subprocess.run([binary(), "check", "--config", gateway.path], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_check_warns_and_refuses_with_the_place(self):
        def pair(certificate, key=None):
            return {"first.pem": certificate.pem, "first.key": (key or certificate).key_pem}

        code, text = self.check(pair(FIRST))
        self.assertEqual(code, 0, text)
        self.assertNotIn("warning", text)
        for certificate, words in ((AUTHORITY.issue("a", days=10), "expires in"), (AUTHORITY.issue("a", days=-2, since=-9), "expired")):
            code, text = self.check(pair(certificate))
            self.assertEqual(code, 0, text)
            self.assertRegex(text, r"portcullis\.yaml:\d+:\d+: warning: .*" + words)
        for files, words in (
            (pair(FIRST, WILD), "is not the key of the certificate"),
            ({"first.pem": b"no certificate", "first.key": FIRST.key_pem}, "certificate"),
            ({"first.pem": FIRST.pem, "first.key": b"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n"}, "key"),
            ({"first.pem": FIRST.pem}, "does not exist"),
        ):
            code, text = self.check(files)
            self.assertNotEqual(code, 0)
            self.assertRegex(text, r"portcullis\.yaml:\d+:\d+: .*" + words)

    def test_check_warns_of_certificates_of_ours_for_upstreams(self):
        text = (
            'upstreams: [{name: a, servers: ["127.0.0.1:1"], tls: {ca_file: ca.pem, certificate_file: first.pem, '
            "key_file: first.key}}]\nroutes: [{name: all, auth: public, forward: {upstream: a}}]\n"
        )
        for certificate, words in (
            (AUTHORITY.issue("gw", client=True), None),
            (AUTHORITY.issue("gw", client=True, days=10), "first.pem: expires in"),
            (AUTHORITY.issue("gw", client=True, days=-2, since=-9), "first.pem: has expired 2 days ago; upstreams refuse it"),
            (AUTHORITY.issue("gw"), "first.pem: is not for clients"),
        ):
            files = {"ca.pem": AUTHORITY.pem, "first.pem": certificate.pem, "first.key": certificate.key_pem}
            code, output = self.check(files, text)
            self.assertEqual(code, 0, output)
            if words:
                self.assertRegex(output, r"portcullis\.yaml:\d+:\d+: warning: .*" + words)
            else:
                self.assertNotIn("warning", output)

    def test_check_warns_of_a_certificate_that_is_never_sent(self):
        twin, wide = AUTHORITY.issue("gateway.example"), AUTHORITY.issue("gateway.example", "more.example")
        more = "key_file: first.key}, {certificate_file: more.pem, key_file: more.key"
        for other, is_used in ((twin, False), (wide, True), (AUTHORITY.issue("gateway.example", kind="rsa"), True)):
            files = {"first.pem": FIRST.pem, "first.key": FIRST.key_pem, "more.pem": other.pem, "more.key": other.key_pem}
            code, output = self.check(files, ONE.replace("key_file: first.key", more))
            self.assertEqual(code, 0, output)
            self.assertEqual("more.pem: is never sent" in output, not is_used, output)

    def test_expiry_is_a_metric_and_a_detail_of_readiness(self):
        soon = AUTHORITY.issue("gateway.example", days=10)
        gateway = Gateway(ONE, {"first.pem": soon.pem, "first.key": soon.key_pem})
        try:
            after = int(soon.certificate.not_valid_after_utc.timestamp())
            self.assertEqual(peers.metric(gateway, "certificate_expiry_seconds"), after)
            ready = gateway.get("/readyz?verbose", port=gateway.ops_port)
            self.assertIn("certificate main gateway.example", ready.body)
            self.assertRegex(ready.body, r"expires in (9|10) days")
        finally:
            gateway.stop()
