"""Tokens: what is believed, what is not, and what the caller is told."""

import base64
import json
import os
import time

from harness import ISSUER, Keys, TestCase, base64url
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


def hostile(keys):
    """Tokens that must never be believed, by name."""
    now = int(time.time())
    good = keys.token("RS256")
    head, payload, signature = good.split(".")
    es = keys.token("ES256")
    pem = keys.public_pem(keys.rsa)
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    text = lambda extra: lambda content: json.dumps(content).encode()[:-1] + extra
    return {
        "none": keys.token("none", signature=""),
        "None": keys.token("None", signature=""),
        "none with a signature": keys.token("none", signature=signature),
        "noNE": keys.token("noNE", signature=signature),
        "no alg": keys.token(raw_header=b'{"typ":"JWT"}', sign_as="RS256"),
        "secret is the public key": keys.token("HS256", key=pem, iss=ISSUER),
        "secret is the public key, with its kid": keys.token("HS256", key=pem, iss=ISSUER, header={"kid": "rsa"}),
        "secret of another issuer": keys.token("HS256", iss=ISSUER),
        "empty secret": keys.token("HS256", key=b"\0"),
        "another family with the same key": keys.token("PS256"),
        "foreign RSA key": keys.token("RS256", key=keys.foreign_rsa),
        "foreign EC key": keys.token("ES256", key=keys.foreign_ec),
        "signed by another algorithm": keys.token("ES256", sign_as="RS256"),
        "empty signature": f"{head}.{payload}.",
        "no signature": f"{head}.{payload}",
        "four parts": good + ".x",
        "five parts": "a.b.c.d.e",
        "only dots": "..",
        "no token at all": "abc",
        "swapped payload": f"{head}.{base64url(json.dumps(dict(claims, sub='eve')).encode())}.{signature}",
        "signature of another token": f"{head}.{payload}.{keys.token('RS256', sub='eve').split('.')[2]}",
        "expired": keys.token(exp=now - 61),
        "not yet": keys.token(nbf=now + 120),
        "issued in the future": keys.token(iat=now + 120),
        "no exp": keys.token(exp=None),
        "exp as text": keys.token(exp=str(now + 100)),
        "exp negative": keys.token(exp=-1),
        "exp huge": keys.token(exp=10**15),
        "exp true": keys.token(exp=True),
        "exp null": keys.token(raw=lambda c: json.dumps(dict(c, exp=None)).encode()),
        "exp infinite": keys.token(raw=lambda c: json.dumps(dict(c, exp=0)).replace('"exp": 0', '"exp": 1e400').encode()),
        "too long a life": keys.token(exp=now + 90000),
        "another audience": keys.token(aud="other"),
        "no audience": keys.token(aud=None),
        "other audiences": keys.token(aud=["x", "y"]),
        "audience with the right beginning": keys.token(aud="api2"),
        "audience in another case": keys.token(aud="API"),
        "audience is an object": keys.token(aud={"api": 1}),
        "audience is a number": keys.token(aud=5),
        "empty audiences": keys.token(aud=[]),
        "unknown issuer": keys.token(iss="https://evil.example"),
        "no issuer": keys.token(iss=None),
        "issuer with a slash": keys.token(iss=ISSUER + "/"),
        "issuer in another case": keys.token(iss=ISSUER.upper()),
        "issuer in a list": keys.token(iss=[ISSUER]),
        "no subject": keys.token(sub=None),
        "empty subject": keys.token(sub=""),
        "subject is a number": keys.token(sub=5),
        "crit": keys.token(header={"crit": ["exp"]}),
        "crit with b64": keys.token(header={"crit": ["b64"], "b64": False}),
        "crit empty": keys.token(header={"crit": []}),
        "alg twice": keys.token(raw_header=b'{"alg":"none","alg":"RS256"}', sign_as="RS256"),
        "sub twice": keys.token(raw=text(b',"sub":"eve"}')),
        "alg in a list": keys.token(raw_header=b'{"alg":["RS256"]}', sign_as="RS256"),
        "alg in lower case": keys.token(raw_header=b'{"alg":"rs256"}', sign_as="RS256"),
        "alg with a blank": keys.token(raw_header=b'{"alg":"RS256 "}', sign_as="RS256"),
        "unknown kid": keys.token(header={"kid": "nope"}),
        "kid of another key": keys.token("RS256", header={"kid": "ec"}),
        "kid is a number": keys.token(header={"kid": 5}),
        "kid too long": keys.token(header={"kid": "k" * 300}),
        "kid is a path": keys.token(header={"kid": "../../dev/null"}),
        "embedded key": keys.token("RS256", key=keys.foreign_rsa, header={"jwk": {"kty": "RSA", "n": "x", "e": "AQAB"}}),
        "key by URL": keys.token("RS256", key=keys.foreign_rsa, header={"jku": "http://127.0.0.1/x", "x5u": "http://x"}),
        "compressed": keys.token(header={"zip": "DEF"}),
        "encrypted": keys.token(header={"enc": "A128GCM"}),
        "padding": good + "=",
        "padding inside": f"{head}=.{payload}.{signature}",
        "plus and slash": good[:-3] + "+/+",
        "payload is a list": keys.token(raw=lambda c: b"[1]"),
        "payload is no JSON": keys.token(raw=lambda c: b"hello"),
        "payload with a tail": keys.token(raw=text(b"} x")),
        "payload with a BOM": keys.token(raw=lambda c: b"\xef\xbb\xbf" + json.dumps(c).encode()),
        "payload not UTF-8": keys.token(raw=text(b',"z":"\xff"}')),
        "payload too deep": keys.token(raw=text(b',"z":' + b"[" * 40 + b"]" * 40 + b"}")),
        "NaN": keys.token(raw=text(b',"z":NaN}')),
        "single quotes": keys.token(raw=lambda c: str(c).encode()),
        "ECDSA signature in DER": f"{head}.{payload}." + base64url(keys.ec.sign(f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))),
        "ECDSA signature of zeros": es.rsplit(".", 1)[0] + "." + base64url(bytes(64)),
        "ECDSA signature cut": es[:-4],
        "EdDSA signature cut": keys.token("EdDSA")[:-4],
    }


class Tokens(TestCase):
    configuration = Keys.ISSUERS + """
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: optional, match: {path: /optional}, auth: optional, forward: {upstream: a}}
  - {name: scoped, match: {path: /scoped}, scopes: {all: [orders.read]}, forward: {upstream: a}}
  - {name: role, match: {path: /role}, roles: {any: [admin, root]}, forward: {upstream: a}}
  - {name: tenant, match: {path: /tenant}, claims: [{claim: tenant.id, equals: 7}], forward: {upstream: a}}
  - {name: issuer, match: {path: /issuer}, issuers: [hmac], forward: {upstream: a}}
  - {name: trial, match: {path: /trial}, roles: {any: [admin]}, report_only: true, forward: {upstream: a}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""

    def test_every_algorithm_is_believed_with_and_without_kid(self):
        for algorithm, kid in (("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed"), ("HS256", None)):
            for header in ({}, {"kid": kid} if kid else {}):
                with self.subTest(algorithm, header=header):
                    answer = self.gateway.get("/x", self.keys.token(algorithm, header=header))
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(answer.seen("X-User-Id"), ["ada"])

    def test_the_cache_of_verified_tokens_changes_nothing(self):
        token = self.keys.token(exp=int(time.time()) - 58)
        self.assertEqual([self.gateway.get("/x", token).status for _ in range(3)], [200] * 3)
        time.sleep(3)
        self.assertEqual(self.gateway.get("/x", token).status, 401)

    def test_hostile_tokens_are_refused_and_reach_nobody(self):
        for name, token in hostile(self.keys).items():
            for path in ("/x", "/optional"):
                with self.subTest(name, path=path):
                    self.upstream.forget()
                    answer = self.gateway.get(path, token)
                    self.assertEqual(answer.status, 401)
                    self.assertIn('error="invalid_token"', answer.field("WWW-Authenticate"))
                    self.assertTrue(answer.field("WWW-Authenticate").startswith("Bearer "))
                    self.assertEqual(answer.field("Content-Type"), "application/problem+json")
                    self.assertEqual(json.loads(answer.body)["status"], 401)
                    self.assertNotIn(token[:40], answer.body)
                    self.assertEqual(self.upstream.received(), b"")

    def test_the_scheme_is_exactly_bearer_in_any_case(self):
        token = self.keys.token()
        for scheme in ("Bearer ", "bearer ", "BEARER ", "bEaReR "):
            self.assertEqual(self.gateway.get("/x", authorization=scheme + token).status, 200, scheme)
        for value in (
            "XBearer " + token, "Basic " + token, "Bearer" + token, "Bearer  " + token, "Bearer\t" + token, f"Bearer {token}, Bearer x",
            "Bearer", "Bearer ", f"Bearer {token} x", f'Bearer "{token}"', token, "Bearer=" + token, "Bearer:" + token, "DPoP " + token,
        ):
            with self.subTest(value[:20]):
                self.upstream.forget()
                answer = self.gateway.get("/x", authorization=value)
                self.assertEqual(answer.status, 401)
                self.assertEqual(self.upstream.received(), b"")

    def test_no_credential_is_asked_for_without_an_error(self):
        answer = self.gateway.get("/x")
        self.assertEqual((answer.status, answer.field("WWW-Authenticate")), (401, 'Bearer realm="portcullis"'))

    def test_a_browser_gets_a_page(self):
        answer = self.gateway.get("/x", fields=[("Accept", "text/html,*/*")])
        self.assertEqual(answer.status, 401)
        self.assertIn("<!doctype html>", answer.body)

    def test_missing_scope_is_named(self):
        answer = self.gateway.get("/scoped", self.keys.token())
        self.assertEqual(answer.status, 403)
        self.assertIn('error="insufficient_scope"', answer.field("WWW-Authenticate"))
        self.assertIn('scope="orders.read"', answer.field("WWW-Authenticate"))
        for scope, status in (("a orders.read b", 200), (["orders.read"], 200), ("orders.readx", 403), ("xorders.read", 403), ("", 403)):
            self.assertEqual(self.gateway.get("/scoped", self.keys.token(scope=scope)).status, status, scope)

    def test_conditions(self):
        for path, claims, status in (
            ("/role", {"roles": ["user"]}, 403), ("/role", {"roles": ["root"]}, 200), ("/role", {}, 403),
            ("/tenant", {"tenant": {"id": 7}}, 200), ("/tenant", {"tenant": {"id": "7"}}, 403), ("/tenant", {"tenant": 7}, 403),
            ("/trial", {"roles": ["user"]}, 200), ("/issuer", {}, 401), ("/optional", {}, 200),
        ):
            with self.subTest(path, claims=claims):
                self.assertEqual(self.gateway.get(path, self.keys.token(**claims)).status, status)
        self.assertEqual(self.gateway.get("/issuer", self.keys.token("HS256")).status, 200)
        self.assertEqual(self.gateway.get("/trial").status, 401)
        anonymous = self.gateway.get("/optional", fields=[("X-User-Id", "root")])
        self.assertEqual((anonymous.status, anonymous.seen("X-User-Id")), (200, []))
