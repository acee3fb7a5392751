"""What services are told about the caller, and what no client can make them believe."""

import base64
import json
import time

from harness import Keys, TestCase
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

ROUTES = """
assertion: {issuer: "https://gateway.example", algorithm: ES256, key: "file:assertion.pem", claims: [email, roles]}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: stripped, match: {path: /stripped}, forward: {upstream: a, strip_prefix: /stripped, authorization: strip}}
  - {name: asserted, match: {path: /asserted}, assertion: {audience: orders}, forward: {upstream: a}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""
ALIASES = (
    "X-User-Id x-user-id X-USER-ID X_User_Id x_user_id X.User.Id X-User_Id X~User~Id x!user-id X-User-Email X_User_Email X-User-Roles "
    "X.User.Roles X-Auth-Issuer x_auth_issuer X-Portcullis-Assertion X_Portcullis_Assertion x.portcullis.assertion X|User|Id X'User'Id "
    "X*User*Id X+User+Id X^User^Id X`User`Id X&User&Id X%User%Id X$User$Id X#User#Id"
).split()
FORWARDED = (
    "X-Forwarded-For Forwarded X-Real-IP X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-Server "
    "X-Forwarded-User X-Original-URL X-Original-URI X-Original-Method X-Rewrite-URL X-Request-Id X_Forwarded_For X.Forwarded.For"
).split()


class Identity(TestCase):
    configuration = Keys.ISSUERS + ROUTES

    def test_no_alias_of_an_identity_header_survives(self):
        token = self.keys.token()
        for alias in ALIASES:
            for path, credential in (("/open", None), ("/x", token), ("/asserted", token)):
                with self.subTest(alias, path=path):
                    answer = self.gateway.get(path, credential, [(alias, "forged"), (alias, "forged too")])
                    self.assertEqual(answer.status, 200)
                    self.assertNotIn("forged", answer.body)
                    self.assertEqual(answer.seen("X-User-Id"), ["ada"] if credential else [])

    def test_trailers_cannot_forge_identity(self):
        body = b"5\r\nhello\r\n0\r\nX-User-Id: forged\r\nX_User_Id: forged\r\nX-Check: kept\r\n\r\n"
        answer = self.gateway.raw(
            b"POST /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        )
        self.assertIn(b"X-Check: kept", answer)
        self.assertNotIn(b"forged", answer)

    def test_what_strangers_say_about_clients_is_dropped(self):
        token = self.keys.token()
        for name in FORWARDED:
            with self.subTest(name):
                self.assertNotIn("forged", self.gateway.get("/x", token, [(name, "forged")]).body)

    def test_hop_by_hop_fields_stay_here(self):
        fields = [
            ("Connection", "X-Hop, keep-alive"), ("X-Hop", "hop"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "hop"),
            ("Proxy-Authorization", "hop"), ("HTTP2-Settings", "hop"), ("Upgrade", "h2c"), ("TE", "gzip"),
        ]
        body = self.gateway.get("/x", self.keys.token(), fields).body.lower()
        for word in ("x-hop", "keep-alive", "proxy-", "http2-settings", "upgrade", "te:"):
            self.assertNotIn(word, body)
        self.assertIn("via: 1.1 portcullis", body)

    def test_values_cannot_break_a_line_or_a_list(self):
        token = self.keys.token(sub="zo\u00eb\r\nX-Evil: 1", email=" a@b.example ", roles=["a", "b,c", "100%", "d e"])
        answer = self.gateway.get("/x", token)
        self.assertEqual(answer.seen("X-User-Id"), ["zo%C3%AB%0D%0AX-Evil: 1"])
        self.assertEqual(answer.seen("X-User-Email"), ["%20a@b.example%20"])
        self.assertEqual(answer.seen("X-User-Roles"), ["a,b%2Cc,100%25,d e"])
        self.assertEqual(answer.seen("X-Evil"), [])

    def test_authorization_is_kept_or_stripped_by_route(self):
        token = self.keys.token()
        self.assertEqual(self.gateway.get("/x", token).seen("Authorization"), ["Bearer " + token])
        stripped = self.gateway.get("/stripped/a/b?q=1", token)
        self.assertEqual(stripped.seen("Authorization"), [])
        self.assertTrue(stripped.body.startswith("GET /a/b?q=1 HTTP/1.1"))

    def test_trace_context_goes_on_or_begins(self):
        token, parent = self.keys.token(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.assertEqual(self.gateway.get("/x", token, [("traceparent", parent)]).seen("traceparent"), [parent])
        for bad in ("00-" + "0" * 32 + "-b7ad6b7169203331-01", "garbage", parent.upper(), parent + "-x"):
            self.assertNotIn(bad, self.gateway.get("/x", token, [("traceparent", bad)]).body)
        self.assertRegex(self.gateway.get("/x", token).seen("traceparent")[0], "^00-[0-9a-f]{32}-[0-9a-f]{16}-00$")

    def test_the_assertion_verifies_with_the_published_key_and_is_used_again(self):
        token = self.keys.token(email="ada@example.com", roles=["x"])
        # Both workers keep their own: at most two different ones come.
        seen = {self.gateway.get("/asserted", token).seen("X-Portcullis-Assertion")[0] for _ in range(12)}
        self.assertLessEqual(len(seen), 8)
        head, payload, signature = seen.pop().split(".")
        decode = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        claims, raw = json.loads(decode(payload)), decode(signature)
        self.assertEqual((claims["iss"], claims["aud"], claims["sub"]), ("https://gateway.example", "orders", "ada"))
        self.assertEqual((claims["email"], claims["roles"]), ("ada@example.com", ["x"]))
        self.assertLessEqual(claims["exp"] - claims["iat"], 60)
        published = json.loads(self.gateway.get("/.well-known/portcullis/jwks.json").body)["keys"][0]
        self.assertEqual(published["kid"], json.loads(decode(head))["kid"])
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(decode(published["x"]), "big"), int.from_bytes(decode(published["y"]), "big"), ec.SECP256R1()
        )
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        numbers.public_key().verify(der, f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
        self.assertNotIn("d", published)


class TrustedPeers(TestCase):
    configuration = "trusted_proxies: [127.0.0.0/8]\n" + Keys.ISSUERS + ROUTES

    def test_what_a_trusted_proxy_says_goes_on(self):
        answer = self.gateway.get(
            "/x", self.keys.token(),
            [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Request-Id", "abc-123")],
        )
        self.assertEqual(answer.seen("X-Forwarded-For"), ["203.0.113.7, 127.0.0.1"])
        self.assertEqual(answer.seen("X-Forwarded-Proto"), ["https"])
        self.assertEqual(answer.seen("X-Request-Id"), ["abc-123"])

    def test_identity_is_not_the_proxys_to_say(self):
        self.assertEqual(self.gateway.get("/x", self.keys.token(), [("X-User-Id", "root")]).seen("X-User-Id"), ["ada"])
