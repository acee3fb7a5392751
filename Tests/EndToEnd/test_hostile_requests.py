"""Credentials that are no bearer tokens, and what the cache of verified tokens and a reload must never make possible."""

import json
import pathlib
import signal
import time

from harness import base64url
from hostile import CONFIGURATION, MARK, RING, Corpus, claims, dump, files, jwk, public_pem, token

# What the configuration says of the first issuer.
MAIN = "algorithms: [RS256, ES256, EdDSA]\n"
RSA, EC = "    keys: [{pem_file: rsa.pem, algorithm: RS256, kid: rsa}, ", "{pem_file: ec.pem, kid: ec}, "


class Requests(Corpus):
    def test_schemes(self):
        good = token()
        for value in ("Bearer ", "bearer ", "BEARER ", "bEARER ", "bEaReR "):
            self.admit(value, authorization=value + good)
            self.admit(f"{value}with blanks behind", authorization=value + good + "  \t ")
            self.admit(f"{value}with blanks in front", authorization="  \t" + value + good)
        for value in (
            f"XBearer {good}", f"Bearer{good}", f"Bearer\t{good}", f"Bearer={good}", f"Bearer:{good}", f"Bearer: {good}", f"Bearer,{good}",
            f"Bearer,Bearer {good}", f"Basic {good}", f"Basic Bearer {good}", f"Digest {good}",
            f"DPoP {good}", f"Token {good}", f"JWT {good}", f"MAC {good}", f"Negotiate {good}", f"Bearers {good}", f"Beare {good}",
            f"B {good}", f"Bearer\u00a0{good}", f"\u00a0Bearer {good}", f'"Bearer" {good}', f'"Bearer {good}"', good,
            f".{good}", f"B\u00ebarer {good}", f"bearer_token {good}", f"Bearer-{good}", f"Bearer/{good}", "a", "Bear", "", "Basic",
            "Basic YTpi", f"token={good}", f"access_token={good}", f"Authorization: Bearer {good}", f"{good} Bearer",
        ):
            self.refuse(f"scheme {value[:14]!r}", authorization=value, error=None, reason="scheme_unsupported")

    def test_values(self):
        good, other = token(), token("RS256")
        for value in (
            "Bearer", "Bearer ", "Bearer    ", f"Bearer  {good}", f"Bearer \t{good}", f"Bearer   {good}", f"Bearer {good} {other}",
            f"Bearer {good} x", f"Bearer x {good}", f"Bearer {good},{other}", f"Bearer {good}, Bearer {other}", f"Bearer {good},",
            f"Bearer ,{good}", f"Bearer {good}, Basic YTpi", f"Bearer {good};", f"Bearer {good}; charset=utf-8", f'Bearer "{good}"',
            f"Bearer '{good}'", f"Bearer <{good}>", f"Bearer ({good})", f"Bearer token={good}", f'Bearer token="{good}"',
            f"Bearer Bearer {good}", f"Bearer ={good}", f"Bearer {good}=", f"Bearer {good}==", f"Bearer +{good}", f"Bearer /{good}",
            f"Bearer ~{good}", f"Bearer {good}~", f"Bearer {good}\u00a0", f"Bearer \u00a0{good}", f"Bearer {good}\u00ff",
            f"Bearer {good[:20]} {good[20:]}", f"Bearer {good[:20]}\t{good[20:]}", "Bearer ~", "Bearer +/=", "Bearer =", 'Bearer realm="x"',
            f'Bearer realm="x", token="{good}"',
        ):
            self.refuse(f"value {value[:14]!r}", authorization=value, reason="credential_malformed")
        self.refuse("the scheme before the token", authorization=f"Bearer Bearer{good}")

    def test_the_field_is_there_once(self):
        good, bad = token(), token(key=RING.second_ec)
        for first, second in ((good, bad), (bad, good), (good, good)):
            self.refuse("two fields", first, fields=[("Authorization", "Bearer " + second)], status=400, error=None)
            self.refuse("another case", first, fields=[("authorization", "Bearer " + second)], status=400, error=None)
        self.refuse("Basic first", authorization="Basic YTpi", fields=[("Authorization", "Bearer " + good)], status=400, error=None)
        self.refuse("an empty one first", authorization="", fields=[("Authorization", "Bearer " + good)], status=400, error=None)
        self.refuse("on a public route", good, fields=[("Authorization", "Bearer " + bad)], status=400, error=None, paths=("/public",))

    def test_tokens_elsewhere_are_ignored(self):
        good = token()
        type(self).secrets.add(good[:60])
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        for name, path, fields, more in (
            ("query", f"/x?access_token={good}", [], {}), ("query of another name", f"/x?token={good}&jwt={good}", [], {}),
            ("form", "/x", form, {"method": "POST", "body": f"access_token={good}".encode()}),
            ("form and query", f"/x?access_token={good}", form, {"method": "POST", "body": b"a=1"}),
            ("cookie", "/x", [("Cookie", f"access_token={good}; Authorization=Bearer {good}")], {}),
            ("Proxy-Authorization", "/x", [("Proxy-Authorization", f"Bearer {good}")], {}),
            ("X-Authorization", "/x", [("X-Authorization", f"Bearer {good}"), ("X-Access-Token", good)], {}),
            ("underscore", "/x", [("Authorization_", f"Bearer {good}")], {}),
            ("X-Forwarded-Authorization", "/x", [("X-Forwarded-Authorization", f"Bearer {good}"), ("X-Forwarded-Access-Token", good)], {}),
            ("WebSocket", "/x", [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Protocol", f"bearer, {good}")], {}),
            ("X-Original-Authorization", "/x", [("X-Original-Authorization", f"Bearer {good}")], {}),
        ):
            self.refuse(name, paths=(path,), fields=fields, error=None, reason="no_credential", **more)
        self.admit("query where it is optional", path=f"/optional?access_token={good}", subject=None)
        self.refuse("a bad token beside a good one in the query", token(key=RING.second_ec), paths=(f"/x?access_token={good}",))
        self.refuse("a colon after a blank", fields=[("Authorization ", f"Bearer {good}")], status=400, error=None)
        self.refuse("folded", fields=[("X-A", f"1\r\n Authorization: Bearer {good}")], status=400, error=None)

    def test_long_tokens(self):
        longest = 16384
        sized = lambda size: next(made for n in range(size * 3 // 4 - 700, size) if len(made := token(content=claims(z="x" * n))) >= size)
        at = sized(longest - 4)
        self.assertLessEqual(len(at), longest)
        self.admit("as long as may be", at)
        self.refuse("a little too long", sized(longest + 1), reason="token_too_large")
        for size in (17000, 30000):
            self.refuse(f"{size} bytes", "a" * size, status=431, error=None)
            self.refuse(f"{size} dots", "." * size, status=431, error=None)
        self.refuse("dots", "." * 16000, reason="token_malformed")
        self.refuse("a long header", base64url(dump({"alg": "ES256", "z": "x" * 11000})) + ".e30.AAAA")

    def test_what_a_challenge_tells(self):
        same = set()
        for text in (token(key=RING.second_ec), token(header={"kid": MARK}), token(head={"alg": "none"}, signature=b""),
            token(content=claims(iss=MARK)), "a.b.c", token("HS256"), token(header={"crit": ["x"]}), token(content=b"[]")):
            answer = self.ask(self.clients[0], "/x", "Bearer " + text, ())
            same.add((answer.field("WWW-Authenticate"), json.loads(answer.body)["code"], json.loads(answer.body)["detail"]))
            self.assertEqual(answer.field("Cache-Control"), "no-store")
        self.assertEqual(len(same), 1, "a forger learns which check failed")


class Cache(Corpus):
    def test_neighbours_of_a_cached_token(self):
        for algorithm in ("ES256", "RS256", "EdDSA"):
            good = token(algorithm)
            for _ in range(3):
                self.admit(algorithm, good)
            places = {*range(0, len(good), max(1, len(good) // 60)), len(good) - 1, len(good) - 2, good.index("."), good.rindex(".")}
            for place in sorted(places):
                other = "A" if good[place] != "A" else "B"
                self.refuse(f"{algorithm} character {place}", good[:place] + other + good[place + 1 :], paths=("/x",))
            for name, text in (("shorter", good[:-1]), ("longer", good + "A"), ("twice", good + good),
                ("case of the last letter", good[:-1] + good[-1].swapcase() if good[-1].isalpha() else good + "a"),
                ("signature gone", good[: good.rindex(".") + 1])):
                self.refuse(f"{algorithm} {name}", text, paths=("/x",))
            self.admit(f"{algorithm} still", good)

    def test_a_cached_token_is_authorized_anew(self):
        good = token(content=claims(scope="orders.read", roles=["user"]))
        scope = {"status": 403, "error": "insufficient_scope"}
        for _ in range(2):
            self.admit("anywhere", good)
            self.refuse("scope", good, paths=("/scoped",), scope="orders.read orders.write", reason="scope_missing", **scope)
            self.refuse("any scope", good, paths=("/any",), scope="a b", reason="scope_missing", **scope)
            self.refuse("role", good, paths=("/role",), status=403, error=None, reason="role_missing")
            self.refuse("claim", good, paths=("/tenant",), status=403, error=None, reason="claim_condition_failed")
            self.refuse("issuer", good, paths=("/strict",), reason="issuer_not_accepted")
            self.refuse("audience", good, paths=("/billing",), reason="route_audience_mismatch")
            self.admit("optional", good, path="/optional")
            self.admit("public knows nobody", good, path="/public", subject=None)
        self.refuse("no token after a cached one on the same connection", paths=("/x", "/scoped"), error=None)

    def test_callers_are_never_mixed_up(self):
        texts = {f"user{number}": token("HS256", claims("hmac", sub=f"user{number}")) for number in range(300)}
        for _ in range(2):
            for subject, text in texts.items():
                for client in self.clients:
                    self.assertEqual(self.ask(client, "/x", "Bearer " + text, ()).seen("X-User-Id"), [subject])

    def test_expiry_ends_a_cached_token(self):
        # The shortest wait: an issuer without leeway.
        until = int(time.time()) + 3
        text = token(head={"alg": "ES256", "typ": "at+jwt"}, content=claims("strict", exp=until))
        for client in self.clients:
            while (now := time.time()) < until + 1.2:
                status = self.ask(client, "/strict", "Bearer " + text, ()).status
                if now < until - 0.2:
                    self.assertEqual(status, 200)
                elif now > until + 0.2:
                    self.assertEqual(status, 401)
                time.sleep(0.1)
            self.upstream.forget()
            self.refuse("expired", text, paths=("/strict",), reason="token_expired")


class Reload(Corpus):
    """Each change on one running gateway; the connection, the worker and the cache stay."""

    def change(self, *pairs, written=None):
        text = CONFIGURATION
        for old, new in pairs:
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.changes = getattr(self, "changes", 0) + 1
        for gateway in self.gateways:
            for name, content in {**files(), **(written or {})}.items():
                pathlib.Path(gateway.folder, name).write_bytes(content)
            gateway.write(text)
            gateway.signal(signal.SIGHUP)
            self.assertTrue(gateway.wait_for("configuration applied", self.changes))

    def test_a_change_counts_at_once_for_cached_tokens(self):
        mains = {name: token(name) for name in ("ES256", "RS256", "EdDSA")}
        mains["kid"] = token(header={"kid": "ec"})
        other = token("ES256", claims("all"))

        def known():
            for name, text in mains.items():
                self.admit(name, text)
            self.admit("another issuer", other)

        known()
        self.change()
        known()
        self.change((EC, ""))
        self.refuse("the key is gone", mains["ES256"], reason="token_algorithm_not_allowed")
        self.refuse("the named key is gone", mains["kid"], reason="token_algorithm_not_allowed")
        self.admit("another key", mains["EdDSA"])
        self.admit("the same key at another issuer", other)
        self.change()
        known()
        self.change(written={"ec.pem": public_pem(RING.second_ec)})
        self.refuse("the key is another", mains["ES256"], reason="token_bad_signature")
        self.admit("the new key", token(key=RING.second_ec))
        self.change()
        known()
        self.refuse("the new key is gone again", token(key=RING.second_ec), reason="token_bad_signature")
        self.change(written={"all.json": json.dumps({"keys": [jwk(RING.rsa, kid="r")]}).encode()})
        self.refuse("out of the set", other, reason="token_algorithm_not_allowed")
        for name, old, new, reason in (
            ("audience", "audiences: [api]\n    " + MAIN,
                "audiences: [other]\n    " + MAIN, "audience_mismatch"),
            ("algorithm", MAIN + RSA + EC, MAIN.replace("ES256, ", "") + RSA, "token_algorithm_not_allowed"),
            ("issuer", "issuer: https://issuer.example", "issuer: https://renamed.example", "unknown_issuer"),
            ("type", MAIN, MAIN + "    typ: [at+jwt]\n", "type_mismatch"),
            ("required claim", MAIN,
                MAIN + "    required_claims: [sub, jti]\n", "claim_missing"),
            ("lifetime", MAIN, MAIN + "    max_lifetime: 1m\n",
                "lifetime_too_long"),
        ):
            self.change()
            known()
            self.change((old, new))
            self.refuse(f"{name} changed", mains["ES256"], reason=reason)
        self.change()
        known()
        # A file that cannot be used changes nothing.
        for gateway in self.gateways:
            pathlib.Path(gateway.folder, "ec.pem").write_bytes(b"nonsense")
            gateway.signal(signal.SIGHUP)
            self.assertTrue(gateway.wait_for("reload refused: the running configuration stays"))
        known()
