"""Certificates that are renewed while something else is amiss: the configuration file, another file, the OCSP response."""

import datetime
import pathlib
import signal
import subprocess
import unittest

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import peers
from harness import Gateway, Keys
from sessions import ACCOUNTS, ADA, BOB, Browser, SessionCase, Users
from test_tls import AUTHORITY, FIRST, ONE, TLSTest, certificates

QUICK = "tls: {file_check: 100ms}\n"
SOON = datetime.timedelta(hours=1)


def staple(certificate, this=-SOON, following=SOON):
    """An OCSP response that says good, from `this` to `following` from now on; None: it does not say until when."""
    now = datetime.datetime.now(datetime.timezone.utc)
    root = AUTHORITY.root
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate.certificate,
        issuer=root.certificate,
        algorithm=hashes.SHA1(),
        cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=now + this,
        next_update=None if following is None else now + following,
        revocation_time=None,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, root.certificate)
    return builder.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class RenewalTest(TLSTest):
    def setUp(self):
        type(self).gateway = Gateway(self.configuration, self.files)
        self.addCleanup(self.gateway.stop)
        self.text = pathlib.Path(self.gateway.path).read_text()

    setUpClass = tearDownClass = classmethod(lambda cls: None)

    def rewrite(self, text):
        pathlib.Path(self.gateway.path).write_text(text)

    def put(self, name, content):
        fresh = pathlib.Path(self.gateway.folder, name + ".new")
        fresh.write_bytes(content)
        fresh.chmod(0o600)
        fresh.rename(pathlib.Path(self.gateway.folder, name))

    def renew(self):
        certificate = AUTHORITY.issue("gateway.example")
        certificate.write(self.gateway.folder, "first")
        return certificate

    def served(self, certificate):
        peers.eventually(lambda: self.serial() == certificate.serial, "the new certificate is not served")

    def ready(self):
        answer = self.gateway.get("/readyz?verbose", port=self.gateway.ops_port)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.body

    def refusals(self):
        return sum("reload refused" in line for line in self.gateway.log)


class BrokenConfiguration(RenewalTest):
    configuration, files = QUICK + ONE, {"first.pem": FIRST.pem, "first.key": FIRST.key_pem}

    def test_a_renewal_does_not_wait_for_it(self):
        self.rewrite(self.text + "\nbroken: [\n")
        self.served(self.renew())
        self.assertEqual(self.refusals(), 0)
        self.gateway.signal(signal.SIGHUP)
        self.assertTrue(self.gateway.wait_for("reload refused: the running configuration stays"))
        peers.eventually(lambda: "[!] reload: the last SIGHUP was refused: " in self.ready(), "it is no detail")
        self.served(self.renew())
        self.assertIn("the last SIGHUP was refused", self.ready())
        self.rewrite(self.text)
        self.gateway.signal(signal.SIGHUP)
        peers.eventually(lambda: "reload" not in self.ready(), "the detail stays")

    def test_what_the_file_says_is_not_told(self):
        self.rewrite(self.text.replace("status: 200", 'status: "hunter2"'))
        self.gateway.signal(signal.SIGHUP)
        self.assertTrue(self.gateway.wait_for("reload refused: the running configuration stays"))
        text = peers.eventually(lambda: (body := self.ready()) if "SIGHUP" in self.ready() else None, "it is no detail")
        self.assertNotIn("hunter2", text)
        self.assertIn("portcullis.yaml:", text)

    def test_edits_wait_for_their_signal(self):
        def body():
            with self.connect() as client:
                return self.answer(client, path=b"/fixed").split(b"\r\n\r\n")[1]

        self.rewrite(self.text.replace("body: hi", "body: edited"))
        self.served(self.renew())
        self.assertEqual(body(), b"hi")
        self.gateway.signal(signal.SIGHUP)
        peers.eventually(lambda: body() == b"edited", "the signal applies nothing")

    def test_a_change_of_permissions_is_a_change(self):
        applied = sum("configuration applied" in line for line in self.gateway.log)
        pathlib.Path(self.gateway.folder, "first.key").chmod(0o400)
        self.assertTrue(self.gateway.wait_for("configuration applied", applied + 1))


class BrokenCertificate(SessionCase):
    """A certificate that cannot be read stays as it was, and holds nothing else up."""

    configuration = QUICK + ACCOUNTS + f"""
sessions: {{store: memory}}
listeners:
  - {{name: main, address: "127.0.0.1:0"}}
  - {{name: tls, address: "127.0.0.1:0", tls: {{{certificates("first")}}}}}
upstreams: [{{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}}]
routes: [{{name: all, match: {{path: /x}}, forward: {{upstream: a}}}}]
"""
    files = {"first.pem": FIRST.pem, "first.key": FIRST.key_pem}

    def applied(self):
        return sum("configuration applied" in line for line in self.gateway.log)

    def ready(self):
        return self.gateway.get("/readyz?verbose", port=self.gateway.ops_port).body

    def test_a_disabled_account_ends(self):
        folder = pathlib.Path(self.gateway.folder)
        ada, bob = self.browser().sign_in(ADA), self.browser().sign_in(BOB)
        (folder / "first.pem").write_text("broken")
        peers.eventually(lambda: "changed files were refused" in self.ready(), "it is no detail")
        Users(folder / "users.yaml").run("disable", BOB)
        peers.eventually(lambda: bob.fetch("/x", keep=False).status == 401, "a disabled account goes on")
        self.assertEqual(self.browser().login_api(BOB).status, 401)
        self.assertEqual(ada.fetch("/x").status, 200)
        self.assertIn("changed files were refused", self.ready())
        port = int(self.gateway.addresses["tls"].rsplit(":", 1)[1])
        secure = Browser(port, tls=AUTHORITY.context())
        self.assertEqual(secure.fetch("/x").status, 401)
        # Tried again, but nothing is applied for it.
        before = self.applied()
        peers.eventually(lambda: peers.metric(self.gateway, 'reloads_total{result="failed"}') > 1, "not tried again")
        self.assertEqual(self.applied(), before)
        (folder / "first.pem").write_bytes(FIRST.pem)
        peers.eventually(lambda: "changed files were refused" not in self.ready(), "the detail stays")
        self.assertEqual(ada.fetch("/x").status, 200)


class AnotherBrokenFile(RenewalTest):
    """A file that is not looked at cannot be read while a certificate is renewed."""

    keys = Keys()
    configuration = QUICK + Keys.ISSUERS + ONE
    files = {"first.pem": FIRST.pem, "first.key": FIRST.key_pem} | keys.files()

    def test_the_renewal_is_tried_again_until_it_succeeds(self):
        self.put("rsa.pem", b"nothing")
        renewed = self.renew()
        peers.eventually(lambda: "[!] reload: changed files were refused" in self.ready(), "it is no detail")
        failed = 'reloads_total{result="failed"}'
        begun = peers.metric(self.gateway, failed)
        peers.eventually(lambda: peers.metric(self.gateway, failed) >= begun + 2, "it is not tried again")
        # Between certificate and key there may have been another reason.
        self.assertLessEqual(self.refusals(), 3)
        self.assertEqual(self.serial(), FIRST.serial)
        self.put("rsa.pem", self.files["rsa.pem"])
        self.served(renewed)
        self.assertNotIn("reload", self.ready())


class Staples(RenewalTest):
    configuration = QUICK + ONE.replace("key_file: first.key", "key_file: first.key, ocsp_file: o.der")
    files = {"first.pem": FIRST.pem, "first.key": FIRST.key_pem, "o.der": staple(FIRST)}

    def stapled(self, gateway=None):
        port = (gateway or self.gateway).port
        _, output, _ = peers.run(
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "gateway.example", "-status", input=b""
        )
        return b"Cert Status: good" in output

    def test_one_for_the_former_certificate_does_not_hold_a_renewal_back(self):
        self.assertTrue(self.stapled())
        renewed = self.renew()
        self.served(renewed)
        self.assertFalse(self.stapled())
        self.assertTrue(self.gateway.said("is about another certificate; it is not sent"))
        self.put("o.der", staple(renewed))
        peers.eventually(self.stapled, "the new response is not sent")
        pathlib.Path(self.gateway.folder, "o.der").unlink()
        peers.eventually(lambda: not self.stapled(), "the former response is sent still")
        self.assertEqual(self.serial(), renewed.serial)

    def test_what_cannot_be_sent_is_a_warning(self):
        hour, year = SOON, datetime.timedelta(days=365)
        for name, content, sent, words in (
            ("good", staple(FIRST), True, None),
            ("no end", staple(FIRST, following=None), True, None),
            ("no end, old", staple(FIRST, -year, None), False, "time is over"),
            ("over", staple(FIRST, -2 * hour, -hour), False, "time is over"),
            ("early", staple(FIRST, hour, 2 * hour), False, "time has not come"),
            ("foreign", staple(AUTHORITY.issue("a")), False, "is about another certificate"),
            ("garbage", b"xx", False, "is not in DER"),
            ("empty", b"", False, "is not in DER"),
        ):
            with self.subTest(name):
                gateway = Gateway(self.configuration, self.files | {"o.der": content})
                try:
                    self.assertEqual(self.stapled(gateway), sent)
                    warnings = [line for line in gateway.log if "OCSP" in line]
                    self.assertEqual(len(warnings), 1 if words else 0, warnings)
                    self.assertIn(words or "", "".join(warnings))
                finally:
                    gateway.stop()


class Twice(unittest.TestCase):
    def test_a_certificate_that_is_listed_twice_is_one_sample(self):
        files = {"first.pem": FIRST.pem, "first.key": FIRST.key_pem}
        more = "key_file: first.key}, {certificate_file: first.pem, key_file: first.key"
        gateway = Gateway(ONE.replace("key_file: first.key", more), files)
        try:
            body = gateway.get("/metrics", port=gateway.ops_port).body
            self.assertEqual(body.count("\nportcullis_certificate_expiry_seconds{"), 1)
        finally:
            gateway.stop()


class Expired(unittest.TestCase):
    def test_one_expired_certificate_does_not_take_everything_out(self):
        old = AUTHORITY.issue("old.example", days=-1, since=-10)
        files = {"first.pem": FIRST.pem, "first.key": FIRST.key_pem, "old.pem": old.pem, "old.key": old.key_pem}
        more = "key_file: first.key}, {certificate_file: old.pem, key_file: old.key"
        gateway = Gateway(ONE.replace("key_file: first.key", more), files)
        try:
            answer = gateway.get("/readyz?verbose", port=gateway.ops_port)
            self.assertEqual(answer.status, 200)
            self.assertIn("[!] certificate main old.example: expired\n", answer.body)
            self.assertIn("[+] certificate main gateway.example: expires in ", answer.body)
            self.assertEqual(gateway.get("/readyz", port=gateway.ops_port).body, "ok\n")
        finally:
            gateway.stop()
