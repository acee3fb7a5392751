"""Who may pass: rules, groups, claims, scopes, roles, audiences and issuers; and the assertion that services verify."""

import base64
import json
import pathlib
import subprocess
import tempfile
import time
import unittest

from harness import AUDIENCE, Gateway, Keys, TestCase, Upstream, binary
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

CONDITIONS = (
    # (condition, claims that satisfy it, claims that do not)
    ("claim: tenant, equals: acme", [{"tenant": "acme"}], [{}, {"tenant": "ACME"}, {"tenant": "acme "}, {"tenant": ["acme"]}, {"tenant": None}, {"tenant": {"acme": 1}}]),
    ("claim: level, equals: 7", [{"level": 7}], [{"level": "7"}, {"level": 7.0}, {"level": 7.5}, {"level": [7]}, {"level": True}, {"level": 70}]),
    ('claim: level, equals: "7"', [{"level": "7"}], [{"level": 7}, {"level": "07"}]),
    ("claim: ok, equals: true", [{"ok": True}], [{"ok": "true"}, {"ok": 1}, {"ok": False}, {}]),
    ("claim: ok, equals: false", [{"ok": False}], [{"ok": 0}, {"ok": None}, {"ok": ""}, {}]),
    ("claim: org.unit.id, equals: x", [{"org": {"unit": {"id": "x"}}}], [{"org.unit.id": "x"}, {"org": {"unit": "x"}}, {"org": {"unit.id": "x"}}, {"org": [{"unit": {"id": "x"}}]}]),
    ('claim: ["https://a.example/b.c", d], equals: x', [{"https://a.example/b.c": {"d": "x"}}], [{"d": "x"}, {"https://a.example/b": {"c": {"d": "x"}}}]),
    ("claim: plan, one_of: [pro, 3, true]", [{"plan": "pro"}, {"plan": 3}, {"plan": True}], [{"plan": "free"}, {"plan": "3"}, {"plan": ["pro"]}, {"plan": "true"}, {}]),
    ("claim: tags, contains: beta", [{"tags": ["a", "beta"]}, {"tags": "beta"}, {"tags": "alpha beta"}], [{"tags": ["betas"]}, {"tags": "betas"}, {"tags": [["beta"]]}, {"tags": {"beta": 1}}, {"tags": []}, {}]),
    ("claim: ids, contains: 4", [{"ids": [1, 4]}, {"ids": 4}], [{"ids": ["4"]}, {"ids": [44]}, {"ids": "4"}]),
    ("claim: seat, present: true", [{"seat": 0}, {"seat": ""}, {"seat": False}, {"seat": []}], [{}, {"seat": None}]),
    ("claim: banned, present: false", [{}, {"banned": None}], [{"banned": False}, {"banned": 1}]),
)
SCOPES = (
    ("scopes: [a, b]", [{"scope": "a b"}, {"scope": "b c a"}, {"scope": ["a", "b"]}], [{}, {"scope": "a"}, {"scope": "ab"}, {"scope": "A B"}, {"scope": "a,b"}, {"scope": "a\tb"}, {"scope": ["a b"]}, {"scope": {"a": 1, "b": 1}}]),
    ("scopes: {any: [a, b]}", [{"scope": "b"}, {"scope": "x a"}], [{}, {"scope": "c"}, {"scope": ""}, {"scope": "a:b"}]),
    ("scopes: {all: [a], any: [b, c]}", [{"scope": "a c"}], [{"scope": "a"}, {"scope": "b c"}]),
)
ROLES = (
    ("roles: [admin]", [{"roles": ["x", "admin"]}, {"roles": "admin"}], [{}, {"roles": []}, {"roles": ["Admin"]}, {"roles": ["admin "]}, {"roles": {"admin": True}}, {"role": ["admin"]}, {"roles": [["admin"]]}]),
    ("roles: {any: [a, b]}", [{"roles": ["b"]}], [{"roles": ["c"]}, {"roles": ["ab"]}]),
)
CASES = [(f"claims: [{{{condition}}}]", good, bad, 403) for condition, good, bad in CONDITIONS]
CASES += [(rule, good, bad, 403) for rule, good, bad in SCOPES + ROLES]
CASES += [
    ("audiences: [orders]", [{"aud": ["api", "orders"]}], [{"aud": "api"}, {"aud": ["api", "Orders"]}, {"aud": ["api", "orders2"]}], 401),
    ("issuers: [hmac]", [], [{}], 401),
]
RULES = "".join(f"  - {{name: r{i}, match: {{path: /r{i}}}, {rule}, forward: {{upstream: a}}}}\n" for i, (rule, *_) in enumerate(CASES))


class Rules(TestCase):
    configuration = Keys.ISSUERS + 'upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]\nroutes:\n' + RULES + """
  - {name: hmac, match: {path: /hmac}, issuers: [hmac], forward: {upstream: a}}
  - {name: maybe, match: {path: /maybe}, auth: optional, forward: {upstream: a}}
  - {name: maybe-rule, match: {path: /maybe-rule}, auth: optional, roles: [x], forward: {upstream: a}}
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: trial, match: {path: /trial}, auth: optional, roles: [x], report_only: true, forward: {upstream: a}}
groups:
  - name: staff
    match: {path: /staff}
    roles: [staff]
    groups:
      - name: money
        match: {path: /staff/money}
        scopes: [money]
        routes:
          - {name: books, match: {path: /staff/money/books}, claims: [{claim: mfa, equals: true}], forward: {upstream: a}}
          - {name: aside, match: {path: /staff/money/aside}, weaken: true, auth: public, forward: {upstream: a}}
          - {name: tried, match: {path: /staff/money/tried}, claims: [{claim: mfa, equals: true}], report_only: true, forward: {upstream: a}}
    routes:
      - {name: desk, match: {path: /staff/desk}, forward: {upstream: a}}
      - {name: open-desk, match: {path: /staff/open}, weaken: true, auth: optional, forward: {upstream: a}}
"""

    def ask(self, path, *credential, **claims):
        self.upstream.forget()
        answer = self.gateway.get(path, credential[0] if credential else self.keys.token(**claims))
        self.assertEqual(bool(self.upstream.received()), answer.status == 200)
        return answer

    def test_conditions(self):
        for i, (rule, good, bad, refused) in enumerate(CASES):
            for claims, expected in [(claims, 200) for claims in good] + [(claims, refused) for claims in bad]:
                with self.subTest(rule, claims=claims):
                    self.assertEqual(self.ask(f"/r{i}", **claims).status, expected)
            with self.subTest(rule, credential=None):
                self.assertEqual(self.ask(f"/r{i}", None).status, 401)

    def test_what_is_refused_says_what_would_do(self):
        index = next(i for i, case in enumerate(CASES) if case[0] == "scopes: [a, b]")
        answer = self.ask(f"/r{index}", scope="a")
        self.assertEqual(answer.status, 403)
        self.assertIn('error="insufficient_scope"', answer.field("WWW-Authenticate"))
        self.assertIn('scope="a b"', answer.field("WWW-Authenticate"))
        body = json.loads(answer.body)
        self.assertEqual((answer.field("Content-Type"), body["status"], body["scope"]), ("application/problem+json", 403, "a b"))

    def test_issuers(self):
        self.assertEqual(self.ask("/hmac", self.keys.token("HS256")).status, 200)
        self.assertEqual(self.ask("/hmac").status, 401)
        self.assertIn('error="invalid_token"', self.ask("/hmac").field("WWW-Authenticate"))

    def test_optional_and_public(self):
        for credential, statuses in (
            (None, (200, 401, 200)), ("nonsense", (401, 401, 200)), (self.keys.token(exp=1), (401, 401, 200)), (self.keys.token(roles=["x"]), (200, 200, 200)),
        ):
            self.assertEqual(tuple(self.ask(path, credential).status for path in ("/maybe", "/maybe-rule", "/open")), statuses)
        self.assertEqual(self.ask("/open", self.keys.token()).seen("X-User-Id"), [])

    def test_groups_add_up(self):
        full = {"roles": ["staff"], "scope": "money", "mfa": True}
        for path, needed in (
            ("/staff/desk", ["roles"]), ("/staff/money/books", ["roles", "scope", "mfa"]), ("/staff/money/tried", ["roles", "scope"]),
        ):
            for left in range(8):
                claims = {name: value for bit, (name, value) in enumerate(full.items()) if left >> bit & 1}
                with self.subTest(path, claims=claims):
                    self.assertEqual(self.ask(path, **claims).status, 200 if all(name in claims for name in needed) else 403)
            self.assertEqual(self.ask(path, None).status, 401)
        self.assertEqual(self.ask("/staff/money/aside", None).status, 200)
        self.assertEqual(self.ask("/staff/open", None).status, 200)
        for path in ("/staff", "/staff/", "/staff/money", "/staff/other"):
            self.assertEqual(self.ask(path, **full).status, 404)

    def test_rules_that_only_report_refuse_nobody_and_are_counted(self):
        def counted(reason):
            lines = self.gateway.get("/metrics", port=self.gateway.ops_port).body.splitlines()
            line = next((line for line in lines if f'outcome="report_only",reason="{reason}"' in line), "x 0")
            return int(line.split()[-1])

        for path, claims, reason in (
            ("/trial", {}, "role_missing"), ("/trial", None, "no_credential"), ("/staff/money/tried", {"roles": ["staff"], "scope": "money"}, "claim_condition_failed"),
        ):
            before = counted(reason)
            self.assertEqual((self.ask(path, **claims) if claims is not None else self.ask(path, None)).status, 200)
            self.assertEqual(counted(reason), before + 1, reason)
        before = counted("role_missing")
        self.assertEqual(self.ask("/trial", roles=["x"]).status, 200)
        self.assertEqual(counted("role_missing"), before)


class Weakening(unittest.TestCase):
    """What would make a rule weaker than its group is refused with the word to write if it is meant."""

    def test_it_takes_a_word(self):
        upstreams = 'upstreams: [{name: a, servers: ["127.0.0.1:9"]}]\n'
        group = "groups: [{{name: g, {}, routes: [{{name: r, match: {{path: {}}}, {}forward: {{upstream: a}}}}]}}]\n"
        for bounds, path, rule, complaint in (
            ("auth: required", "/x", "auth: public, ", "auth: public is weaker than required"), ("auth: required", "/x", "auth: optional, ", "is weaker"),
            ("roles: [a]", "/x", "auth: public, ", "is weaker"), ("auth: optional", "/x", "auth: public, ", "is weaker"),
            ("match: {path: /in}", "/out", "", "lies outside of group"), ("match: {path: /in}", "/", "", "lies outside"), ("match: {path: /in}", "/inside", "", "lies outside"),
            ("match: {hosts: [a.b]}", "/x", "", ""), ("auth: public, roles: [a]", "/x", "", "public looks at no credentials"),
            ("auth: required", "/x", "weaken: true, auth: public, ", ""), ("issuers: [hmac]", "/x", "issuers: [main], ", "no issuer satisfies both"),
        ):
            with self.subTest(bounds, path=path, rule=rule), tempfile.TemporaryDirectory() as folder:
                for name, content in Keys().files().items():
                    pathlib.Path(folder, name).write_bytes(content)
                    pathlib.Path(folder, name).chmod(0o600)
                file = pathlib.Path(folder, "c.yaml")
                file.write_text("access_log: off\n" + Keys.ISSUERS + upstreams + group.format(bounds, path, rule))
                result = subprocess.run([binary(), "check", "--config", str(file)], capture_output=True, text=True, timeout=30)
                self.assertEqual(result.returncode, 1 if complaint else 0, result.stderr)
                self.assertIn(complaint, result.stderr)


def parts(token):
    head, payload, signature = token.split(".")
    decode = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return json.loads(decode(head)), json.loads(decode(payload)), decode(signature), f"{head}.{payload}".encode()


class Assertions(unittest.TestCase):
    CONFIGURATION = """
workers: 1
assertion: {issuer: "https://gateway.example", algorithm: @ALGORITHM@, key: "file:own.pem", lifetime: 4s, kid: now, claims: [email, roles, org.id, iss, exp, aud]}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: one, match: {path: /one}, assertion: {audience: one}, forward: {upstream: a}}
  - {name: two, match: {path: /two}, assertion: {audience: "https://two.example/\\"x"}, forward: {upstream: a}}
  - {name: maybe, match: {path: /maybe}, auth: optional, assertion: {audience: one}, forward: {upstream: a, authorization: strip}}
  - {name: plain, match: {path: /plain}, forward: {upstream: a}}
"""

    def seen(self, gateway, path, token, fields=()):
        return gateway.get(path, token, fields).seen("X-Portcullis-Assertion")

    def test_services_can_rely_on_them(self):
        keys = Keys()
        for algorithm, own in (("ES256", keys.assertion), ("EdDSA", keys.ed)):
            upstream = Upstream()
            files = dict(keys.files(), **{"own.pem": keys.private_pem(own)})
            gateway = Gateway(Keys.ISSUERS + self.CONFIGURATION, files, UPSTREAM=upstream.port, ALGORITHM=algorithm)
            try:
                self.check(gateway, keys, algorithm)
            finally:
                gateway.stop()
                upstream.stop()

    def check(self, gateway, keys, algorithm):
        token = keys.token(email="a@b", roles=["x", "\u00e9\"\\"], org={"id": 5})
        first = self.seen(gateway, "/one", token)
        self.assertEqual(len(first), 1)
        head, claims, signature, signed = parts(first[0])
        now = time.time()
        self.assertEqual((head["alg"], head["kid"], head["typ"]), (algorithm, "now", "JWT"))
        self.assertEqual((claims["iss"], claims["aud"], claims["sub"]), ("https://gateway.example", "one", "ada"))
        self.assertEqual((claims["email"], claims["roles"], claims["org.id"]), ("a@b", ["x", "\u00e9\"\\"], 5))
        self.assertTrue(now - 3 <= claims["iat"] <= now + 1 and 1 <= claims["exp"] - claims["iat"] <= 4)

        published = gateway.get("/.well-known/portcullis/jwks.json")
        self.assertEqual(published.field("Content-Type"), "application/jwk-set+json")
        (key,) = json.loads(published.body)["keys"]
        self.assertEqual((key["kid"], "d" in key), ("now", False))
        number = lambda name: base64.urlsafe_b64decode(key[name] + "==")
        if algorithm == "ES256":
            public = ec.EllipticCurvePublicNumbers(int.from_bytes(number("x"), "big"), int.from_bytes(number("y"), "big"), ec.SECP256R1()).public_key()
            der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            verify = lambda data: public.verify(der, data, ec.ECDSA(hashes.SHA256()))
        else:
            verify = lambda data: ed25519.Ed25519PublicKey.from_public_bytes(number("x")).verify(signature, data)
        verify(signed)
        with self.assertRaises(InvalidSignature):
            verify(signed + b"x")

        # One for each audience, used again until shortly before it expires.
        self.assertEqual(self.seen(gateway, "/one", token), first)
        second = self.seen(gateway, "/two", token)
        self.assertEqual(parts(second[0])[1]["aud"], 'https://two.example/"x')
        self.assertEqual(self.seen(gateway, "/one", token), first)
        self.assertNotEqual(self.seen(gateway, "/one", keys.token(sub="bob")), first)
        until, asked = time.time() + 8, time.time()
        while (later := self.seen(gateway, "/one", token)) == first and asked < until:
            self.assertLess(asked, claims["exp"])
            time.sleep(0.1)
            asked = time.time()
        self.assertNotEqual(later, first)
        self.assertNotEqual(parts(later[0])[1]["jti"], claims["jti"])

        # Never from a client, never without a caller, never where it is not asked for, never longer than the token.
        forged = [("X-Portcullis-Assertion", later[0]), ("x_portcullis_assertion", later[0])]
        self.assertEqual(self.seen(gateway, "/plain", token, forged), [])
        self.assertEqual(self.seen(gateway, "/maybe", None, forged), [])
        self.assertEqual(len(self.seen(gateway, "/maybe", token, forged)), 1)
        self.assertEqual(gateway.get("/one", later[0]).status, 401)
        brief = parts(self.seen(gateway, "/one", keys.token(exp=int(time.time()) - 58))[0])[1]
        self.assertLessEqual(brief["exp"], time.time() + 3)
