"""The commands as a user types them: keys, tokens, and a configuration file with ten mistakes."""

import base64
import json
import os
import pathlib
import pty
import re
import select
import stat
import subprocess
import tempfile
import unittest

from harness import binary

PUBLIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SECRET = ["HS256", "HS384", "HS512"]
CLAIMS = ("--issuer", "https://i.example", "--audience", "api", "--subject", "ada")


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="portcullis-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_it(self, *arguments, status=0, text=None):
        """What a command printed, and what it complained of."""
        done = subprocess.run([binary(), *arguments], cwd=self.folder, input=text, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def make(self, algorithm, name="k"):
        size = ["--bits", "2048"] if algorithm[0] in "RP" else []
        return self.run_it("key", "generate", "--algorithm", algorithm, "--out", name, *size)

    def mode(self, name):
        return stat.S_IMODE(os.stat(self.folder / name).st_mode)

    # Keys and tokens.

    def test_every_algorithm_there_and_back(self):
        for algorithm in PUBLIC:
            with self.subTest(algorithm):
                name = "k" + algorithm
                told, _ = self.make(algorithm, name)
                self.assertEqual(told.split(), [name + ".pem", name + ".pub.pem", name + ".jwks.json"])
                self.assertEqual([self.mode(name + end) for end in (".pem", ".pub.pem", ".jwks.json")], [0o600, 0o644, 0o644])
                self.assertNotIn("PRIVATE", (self.folder / (name + ".pub.pem")).read_text())
                keys = json.loads((self.folder / (name + ".jwks.json")).read_text())["keys"]
                self.assertEqual((len(keys), keys[0]["alg"], keys[0]["use"]), (1, algorithm, "sig"))
                self.assertFalse(set(keys[0]) & {"d", "p", "q", "dp", "dq", "qi", "k"})
                signing = ["--key", name + ".pem", "--algorithm", algorithm]
                if algorithm[0] == "E":
                    signing = signing[:2]
                token = self.run_it("token", "mint", *signing, *CLAIMS, "--claim", 'roles=["a"]', "--claim", "n=5", "--claim", "t=a=b",
                    "--type", "at+jwt")[0].strip()
                head, claims = (decoded(part) for part in token.split(".")[:2])
                self.assertEqual((head["alg"], head["typ"], head["kid"]), (algorithm, "at+jwt", keys[0]["kid"]))
                self.assertEqual((claims["roles"], claims["n"], claims["t"], claims["aud"], claims["exp"] - claims["iat"]),
                    (["a"], 5, "a=b", "api", 300))
                for source in (name + ".jwks.json", name + ".pub.pem", name + ".pem"):
                    told, _ = self.run_it("token", "verify", "--keys", source, "--issuer", "https://i.example", "--audience", "api",
                        "--type", "AT+JWT", "-", text=token + "\n")
                    self.assertEqual(told.splitlines()[0], "valid")
                self.run_it("token", "verify", "--keys", name + ".jwks.json", token[:-8] + "AAAAAAAA", status=1)

    def test_private_keys_as_jwk(self):
        for algorithm in PUBLIC + SECRET:
            with self.subTest(algorithm):
                size = ["--bits", "2048"] if algorithm[0] in "RP" else []
                printed, _ = self.run_it("key", "generate", "--algorithm", algorithm, "--format", "private-jwk", *size)
                key = json.loads(printed)
                self.assertTrue(set(key) & {"d", "k"})
                (self.folder / "j.json").write_text(printed)
                token = self.run_it("token", "mint", "--key", "j.json", *CLAIMS)[0].strip()
                self.assertEqual(decoded(token.split(".")[0])["kid"], key["kid"])
                self.assertIn("valid", self.run_it("token", "verify", "--keys", "j.json", token)[0])
        printed, _ = self.run_it("key", "generate", "--algorithm", "ES256", "--format", "jwk")
        self.assertNotIn("d", json.loads(printed))

    def test_secrets(self):
        for algorithm in SECRET:
            with self.subTest(algorithm):
                self.assertEqual(self.make(algorithm, algorithm)[0], algorithm + ".secret\n")
                self.assertEqual(self.mode(algorithm + ".secret"), 0o600)
                self.assertGreaterEqual(len((self.folder / (algorithm + ".secret")).read_bytes()), int(algorithm[2:]) // 8)
                source = ["--secret-file", algorithm + ".secret", "--algorithm", algorithm]
                token = self.run_it("token", "mint", *source, *CLAIMS)[0].strip()
                self.assertIn("valid", self.run_it("token", "verify", *source, token)[0])
                (self.folder / "other").write_bytes(b"x" * 64)
                told = self.run_it("token", "verify", "--secret-file", "other", "--algorithm", algorithm, token, status=1)[1]
                self.assertIn("token_bad_signature", told)
        # An editor's line end is not part of it; too short a secret is none.
        (self.folder / "line").write_bytes((self.folder / "HS256.secret").read_bytes() + b"\n")
        token = self.run_it("token", "mint", "--secret-file", "line", "--algorithm", "HS256", *CLAIMS)[0].strip()
        self.run_it("token", "verify", "--secret-file", "HS256.secret", "--algorithm", "HS256", token)
        (self.folder / "short").write_bytes(b"x" * 31)
        self.assertIn("256 are needed", self.run_it("token", "mint", "--secret-file", "short", "--algorithm", "HS256", *CLAIMS,
            status=1)[1])

    def test_keys_are_not_overwritten_and_not_shown(self):
        self.make("ES256")
        before = (self.folder / "k.pem").read_bytes()
        self.assertIn("is there already; use --force", self.run_it("key", "generate", "--algorithm", "ES256", "--out", "k", status=1)[1])
        self.assertEqual((self.folder / "k.pem").read_bytes(), before)
        os.chmod(self.folder / "k.pem", 0o644)
        told, _ = self.run_it("key", "generate", "--algorithm", "ES256", "--out", "k", "--force")
        self.assertEqual(self.mode("k.pem"), 0o600)
        self.assertNotEqual((self.folder / "k.pem").read_bytes(), before)
        self.assertNotIn("PRIVATE", told)
        # Not through a link, not into a folder that is not there.
        (self.folder / "target").write_text("")
        os.symlink("target", self.folder / "l.pem")
        self.run_it("key", "generate", "--algorithm", "ES256", "--out", "l", "--force", status=1)
        self.assertEqual((self.folder / "target").read_text(), "")
        self.assertIn("cannot write", self.run_it("key", "generate", "--algorithm", "ES256", "--out", "no/k", status=1)[1])

    def test_a_terminal_gets_a_private_key_only_when_it_asks(self):
        for more, shown in (([], False), (["--print"], True), (["--format", "jwk"], False)):
            main, other = pty.openpty()
            done = subprocess.run([binary(), "key", "generate", "--algorithm", "ES256", *more], stdout=other, stderr=other, timeout=30)
            os.close(other)
            text = os.read(main, 65536).decode() if select.select([main], [], [], 5)[0] else ""
            os.close(main)
            self.assertEqual((done.returncode, "PRIVATE" in text), (1 if not more else 0, shown), text)

    def test_inspect_shows_without_believing(self):
        self.make("ES256")
        token = self.run_it("token", "mint", "--key", "k.pem", *CLAIMS)[0].strip()
        for argument, text in ((token, None), ("Bearer " + token, None), ("-", token), ("-", f"bearer {token}\r\n")):
            told, _ = self.run_it("token", "inspect", argument, text=text)
            self.assertIn('"sub" : "ada"', told)
            self.assertIn("NOT VERIFIED", told)
        part = lambda content: base64.urlsafe_b64encode(content).rstrip(b"=").decode()
        told, _ = self.run_it("token", "inspect", part(b'{"alg":"none"}') + "." + part('{"a":"\x9b2J\u202e","a":1}'.encode()) + ".")
        self.assertIn("REFUSED", told)
        self.assertFalse(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", told), "a terminal obeys")
        for bad in ("x", "a.b", "a.b.c.d.e", "!.!.!", f"{part(b'[]')}.{part(b'{}')}.x", f"{part(b'{')}.{part(b'{}')}.x"):
            self.run_it("token", "inspect", bad, status=1)
        self.assertIn("no token", self.run_it("token", "inspect", text="", status=1)[1])

    def test_verify_says_why_not(self):
        self.make("ES256")
        self.make("ES256", "other")
        mint = lambda *more: self.run_it("token", "mint", "--key", "k.pem", *CLAIMS, *more)[0].strip()
        token = mint()
        cases = (
            (mint("--ttl=-1m"), (), "expired 60 s ago|expired 61 s ago"), (mint("--claim", "exp=null"), (), "token_bad_claim"),
            (mint("--claim", "nbf=99999999999"), (), "becomes valid in"),
            (mint("--claim", "iat=99999999999"), (), "in the future"), (token, ("--issuer", "https://j.example"),
                "iss is not https://j.example"), (token, ("--audience", "other"), "aud has no other"),
            (token, ("--type", "at+jwt"), "typ is not at"),
            (token, ("--algorithm", "ES384"), "token_algorithm_not_allowed|does not fit|no key"),
            (token + "A", (), "token_bad_base64|token_bad_signature"), ("a.b", (), "token_malformed"),
        )
        for given, more, reason in cases:
            out, error = self.run_it("token", "verify", "--keys", "k.jwks.json", *more, given, status=1)
            self.assertRegex(error, reason)
            self.assertEqual(out, "")
        self.assertIn("token_unknown_key", self.run_it("token", "verify", "--keys", "other.jwks.json", token, status=1)[1])
        self.assertIn("token_bad_signature", self.run_it("token", "verify", "--keys", "other.pub.pem", token, status=1)[1])
        self.run_it("token", "verify", "--keys", "k.pub.pem", "--leeway", "2m", mint("--ttl=-1m"))

    def test_usage_errors_say_what_to_write(self):
        self.make("ES256")
        self.make("RS256", "r")
        for arguments, status, told in (
            (("key", "generate"), 64, "--algorithm"), (("key", "generate", "--algorithm", "ES257"), 64, "ES256…512"),
            (("key", "generate", "--algorithm", "es256"), 64, "ES256…512"), (("key", "generate", "--algorithm", "none"), 64, "ES256…512"),
            (("key", "generate", "--algorithm", "RS256", "--bits", "1024"), 64, "2048 to 8192"),
            (("key", "generate", "--algorithm", "ES256", "--bits", "2048"), 64, "for RSA keys"),
            (("key", "generate", "--algorithm", "HS256", "--format", "pem"), 64, "private-jwk"),
            (("key", "generate", "--algorithm", "ES256", "--out", "x", "--print"), 64, "leave out --print"),
            (("token", "mint", "--issuer", "x"), 64, "either --key or --secret-file"),
            (("token", "mint", "--issuer", "x", "--key", "k.pem", "--secret-file", "k.pem"), 64, "either"),
            (("token", "mint", "--issuer", "x", "--key", "no.pem"), 1, "cannot read no.pem: No such file"),
            (("token", "mint", "--issuer", "x", "--key", "k.pub.pem"), 1, "no private key"),
            (("token", "mint", "--issuer", "x", "--key", "r.pem"), 1, "--algorithm RS256"),
            (("token", "mint", "--issuer", "x", "--key", "k.pem", "--algorithm", "RS256"), 1, "does not fit"),
            (("token", "mint", "--issuer", "x", "--key", "k.pem", "--ttl", "5"), 64, "5m"),
            (("token", "mint", "--issuer", "x", "--key", "k.pem", "--claim", "x"), 64, "name=value"),
            (("token", "mint", "--issuer", "x", "--secret-file", "k.pem", "--algorithm", "HS256"), 1, "PEM file is given as HMAC secret"),
            (("token", "mint", "--issuer", "x", "--secret-file", "k.pem", "--algorithm", "ES256"), 64, "HS256, HS384 or HS512"),
            (("token", "verify", "x"), 64, "either --keys"), (("token", "verify", "--keys", ".", "x"), 1, "cannot read"),
            (("token", "verify", "--keys", "k.pem", "--leeway", "x", "x"), 64, "60s"), (("nonsense",), 64, "Usage"),
            (("check",), 64, "--config"), (("run", "--config", "no.yaml"), 1, "no.yaml"),
        ):
            with self.subTest(arguments):
                out, error = self.run_it(*arguments, status=status)
                self.assertIn(told, error)
                self.assertEqual(out, "")

    def test_output_that_is_not_written_is_no_success(self):
        self.make("ES256")
        (self.folder / "c.yaml").write_text("routes: [{name: a, match: {path: /}, auth: public, respond: {status: 200}}]\n")
        for arguments in (
            ("key", "generate", "--algorithm", "ES256", "--print"), ("token", "mint", "--issuer", "x", "--key", "k.pem"), ("schema",),
            ("reference",), ("version",), ("check", "--config", "c.yaml"), ("--help",), ("--version",),
        ):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                done = subprocess.run([binary(), *arguments], cwd=self.folder, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
                self.assertEqual(done.returncode, 1)
                self.assertIn("output could not be written", done.stderr)

    def test_every_command_has_help(self):
        for words in ((), ("run",), ("check",), ("key",), ("key", "generate"), ("token",), ("token", "mint"), ("token", "inspect"),
            ("token", "verify"), ("reference",), ("schema",), ("version",)):
            told, _ = self.run_it(*words, "--help")
            self.assertRegex(told, r"(?s)OVERVIEW: \w.*\..*USAGE: portcullis")
        self.assertRegex(self.run_it("version")[0], r"^portcullis \d+\.\d+\.\d+\n$")


MISTAKES = """\
listeners:
  - {name: main, adress: "127.0.0.1:8080"}
limits: {headers: 32}
timeouts:
  idle: 75 seconds
issuers:
  - name: main
    issuer: https://issuer.example
    audiences: [api]
    algorithms: [RS265]
    keys: [{pem_file: missing.pem, algorithm: RS256}]
upstreams:
  - {name: a, servers: ["127.0.0.1:99999"]}
routes:
  - {name: one, match: {path: api}, forward: {upstream: a}}
  - {name: two, match: {path: /two}, auth: requierd, forward: {upstream: a}}
  - {name: three, match: {path: /three}, forward: {upstream: b}}
  - {name: one, match: {path: /four}, forward: {upstream: a}}
  - {name: five, match: {path: /five}, report_only: maybe, forward: {upstream: a}}
"""
# Line, what stands at the place that is told, and what the message must say.
EXPECTED = [
    (2, "adress", 'did you mean "address"'), (3, "32", "1KiB to 256KiB"), (5, "75 seconds", "30s"), (10, "RS265", 'did you mean "RS256"'),
    (11, "missing.pem", "does not exist"), (13, '"127.0.0.1:99999"', "127.0.0.1:8080"), (15, "api", 'must begin with "/"'),
    (16, "requierd", 'did you mean "required"'), (17, "b}", 'did you mean "a"'), (18, "one", "already is a route named .one., in line 15"),
    (19, "maybe", "true or false"),
]


class Check(unittest.TestCase):
    setUp, run_it = Commands.setUp, Commands.run_it

    def test_ten_mistakes_at_once(self):
        (self.folder / "bad.yaml").write_text(MISTAKES)
        out, error = self.run_it("check", "--config", "bad.yaml", status=1)
        self.assertEqual(out, "")
        found = {}
        for line in error.splitlines():
            place = re.match(r"(?:\S*/)?bad\.yaml:(\d+):(\d+): (.+)", line)
            self.assertTrue(place, line)
            found.setdefault((int(place[1]), int(place[2])), []).append(place[3])
        for line, what, hint in EXPECTED:
            place = (line, MISTAKES.splitlines()[line - 1].index(what) + 1)
            self.assertIn(place, found, error)
            self.assertTrue(any(re.search(hint, message) for message in found[place]), found[place])
        self.assertLessEqual(len(found), len(EXPECTED) + 1, error)

    def test_keys_that_cannot_be_used(self):
        good = {"kty": "EC", "crv": "P-256", "use": "sig", **self.point("ES256")}
        weak = {"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}
        other = {"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"}
        pem = (self.folder / "k.pub.pem").read_text()
        for name, source, content, told in (
            ("a", "{jwks_file: f}", json.dumps({"keys": [good, weak, other]}),
                r'a\.yaml:7:\d+: warning: left out of the set: key "weak": RSA key of 17 bits'),
            ("b", "{jwks_file: f}", json.dumps({"keys": [weak]}),
                r'b\.yaml:7:\d+: no usable key in the set: key "weak": RSA key of 17 bits'),
            ("c", "{jwks_file: f}", "{", r"c\.yaml:7:\d+: unusable key: not valid JSON"),
            ("d", "{pem_file: f}", pem + pem, r"d\.yaml:7:\d+: unusable key: more than one key"),
            ("e", "{pem_file: f}", "nonsense", r"e\.yaml:7:\d+: unusable key: no PEM block"),
            ("g", '{secret: "file:f", algorithm: HS256}', pem, r"g\.yaml:7:\d+: unusable key: a PEM file is given as HMAC secret"),
            ("h", '{secret: "file:f", algorithm: HS256}', json.dumps(good), r"h\.yaml:7:\d+: unusable key: a JSON Web Key is given"),
            ("i", '{secret: "file:f", algorithm: HS256}', "short", r"i\.yaml:7:\d+: .*at least 32"),
            ("j", "{pem_file: f, algorithm: RS256}", pem, r"j\.yaml:7:\d+: unusable key: the algorithm does not fit"),
            ("k", "{jwks_file: f}", json.dumps({"keys": [{**good, "alg": "ES384"}]}),
                r"k\.yaml:7:\d+: no usable key in the set: key 1: the algorithm does not fit"),
            ("l", f"{{pem_file: f, kid: {'k' * 257}}}", pem, r"l\.yaml:7:\d+: kid of 257 bytes"),
        ):
            with self.subTest(name):
                (self.folder / "f").write_text(content)
                os.chmod(self.folder / "f", 0o600)
                (self.folder / f"{name}.yaml").write_text(
                    "routes: [{name: a, forward: {upstream: a}}]\nupstreams: [{name: a, servers: [\"127.0.0.1:9\"]}]\nissuers:\n"
                    f"  - name: main\n    issuer: https://i.example\n    audiences: [api]\n    keys: [{source}]\n"
                )
                out, error = self.run_it("check", "--config", f"{name}.yaml", status=0 if "warning" in told else 1)
                self.assertRegex(error, told)
                self.assertEqual(len(error.splitlines()), 1, error)
                self.assertEqual(bool(out), "warning" in told)

    def point(self, algorithm):
        self.run_it("key", "generate", "--algorithm", algorithm, "--out", "k")
        key = json.loads((self.folder / "k.jwks.json").read_text())["keys"][0]
        return {name: key[name] for name in ("x", "y")}
