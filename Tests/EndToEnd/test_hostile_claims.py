"""Hostile tokens, signed properly: times, issuers, audiences, subjects, and what rules ask of scopes, roles and claims."""

import json
import time

from harness import base64url
from hostile import ISSUERS, MARK, RING, Corpus, claims, dump, token


def written(name, text, **changes):
    """Claims in which one value is this very text."""
    content = {**claims(**changes), name: "@@"}
    return dump(content).replace(b'"@@"', text.encode("utf-8", "surrogatepass"))


class Times(Corpus):
    def test_dates_are_numbers(self):
        later = int(time.time()) + 300
        for name in ("exp", "nbf", "iat"):
            for text in (
                f'"{later}"', '"now"', '""', '"2030-01-01T00:00:00Z"', "null", "true", "false", "[]", f"[{later}]", "{}", '{"$date":1}',
                "-1", "-0.5", f"-{later}", "-1e300",
                "1e400", "1E400", "-1e400", "1e19", "9223372036854775807", "9223372036854775808", "18446744073709551616", "9" * 30,
                "9" * 300, "253402300800", f"{later}000000000", f"{later}.{'0' * 80}",
            ):
                self.refuse(f"{name} {text[:30]}", token(content=written(name, text)), reason="token_bad_claim")
        # Milliseconds lie beyond the year 9999.
        for name in ("exp", "nbf", "iat"):
            self.refuse(f"{name} in milliseconds", token(content=written(name, f"{later}000")), reason="token_bad_claim")
        for text in ("253402300799", "99999999999", "99999999999.9"):
            self.refuse(f"exp {text}", token(content=written("exp", text)), reason="lifetime_too_long")
            self.refuse(f"nbf {text}", token(content=written("nbf", text)), reason="token_not_yet_valid")
            self.refuse(f"iat {text}", token(content=written("iat", text)), reason="token_issued_in_future")
        for text in ("0", "1", "0.0", "-0", "-0.0", "1e0", "0e999", "1e-400", "1000000000", "1e9"):
            self.refuse(f"exp {text}", token(content=written("exp", text)), reason="token_expired")

    def test_dates_in_other_spellings(self):
        later = int(time.time()) + 300
        for text in (str(later), f"{later}.5", f"{later}.999999", f"{later / 1e9!r}e9", f"{later}e0", f"{later}E+0", f"{later}0e-1"):
            self.admit(f"exp {text}", token(content=written("exp", text)))
        for text in ("0", "1.5", "1e9", str(later - 400), f"{later - 400}.9"):
            self.admit(f"nbf {text}", token(content=written("nbf", text)))
        self.admit("no iat", token(content=claims(iat=None)))

    def test_the_edges(self):
        now = int(time.time())
        for changes in ({"exp": now - 50}, {"nbf": now + 50}, {"iat": now + 50}, {"nbf": now}, {"exp": now + 86400},
            {"iat": None, "exp": now + 86390}, {"iat": now - 80000, "exp": now + 6400}):
            self.admit(f"{changes}", token(content=claims(**changes)))
        for reason, changes in (
            ("token_expired", {"exp": now - 60}), ("token_expired", {"exp": now - 61}), ("token_expired", {"exp": now - 90000}),
            ("token_not_yet_valid", {"nbf": now + 75}), ("token_not_yet_valid", {"nbf": now + 500}),
            ("token_issued_in_future", {"iat": now + 75}), ("token_issued_in_future", {"iat": now + 90000, "exp": now + 90060}),
            ("lifetime_too_long", {"iat": now, "exp": now + 86401}),
            ("lifetime_too_long", {"iat": None, "exp": now + 86420}), ("lifetime_too_long", {"iat": now - 86000, "exp": now + 500}),
            ("lifetime_too_long", {"iat": 0}), ("lifetime_too_long", {"exp": now + 10**9}),
            ("expiry_missing", {"exp": None}), ("expiry_missing", {"exp": None, "Exp": now + 60}),
            ("expiry_missing", {"exp": None, "expires_in": 60}),
        ):
            self.refuse(f"{changes}", token(content=claims(**changes)), reason=reason)

    def test_an_issuer_without_leeway(self):
        now = int(time.time())
        head = {"alg": "ES256", "typ": "at+jwt"}
        self.admit("now", token(head=head, content=claims("strict")), path="/strict")
        self.admit("the longest life", token(head=head, content=claims("strict", exp=now + 600, iat=now)), path="/strict")
        for reason, changes in (
            ("token_expired", {"exp": now}), ("token_expired", {"exp": now - 1}), ("token_not_yet_valid", {"nbf": now + 20}),
            ("token_issued_in_future", {"iat": now + 20}), ("lifetime_too_long", {"exp": now + 601, "iat": now}),
        ):
            self.refuse(f"{changes}", token(head=head, content=claims("strict", **changes)), paths=("/strict",), reason=reason)

    def test_no_date_in_capitals_or_within(self):
        for name in ("EXP", "Exp", "exp ", "exp\0", "expiry"):
            self.refuse(name, token(content=claims(exp=None, **{name: int(time.time()) + 60})), reason="expiry_missing")
        self.refuse("exp within", token(content=claims(exp=None, z={"exp": int(time.time()) + 60})), reason="expiry_missing")


class Names(Corpus):
    def test_issuers(self):
        right = ISSUERS["main"]
        for value in (
            right + "/", right.upper(), right.title(), " " + right, right + " ", right + "\0", right + "\n", right.replace("https", "http"),
            right.replace("https://", ""), right + ":443", right + "?", right + "#", right[:-1],
            right + ".evil.example", "https://evil.example", "https://evil.example/https://issuer.example",
            right.replace("issuer", "\u0456ssuer"), right.replace("/", "\\"), "https://user@issuer.example", "", "*", "main",
            ISSUERS["all"][:-1], f"{right} {ISSUERS['all']}", f"{right},{ISSUERS['all']}", "https://issuer.example%00",
            "https://%69ssuer.example", MARK,
        ):
            self.refuse(f"iss {value!r}", token(content=claims(iss=value)), reason="unknown_issuer")
        for value in ([right], [right, "https://evil.example"], [], {}, {"0": right}, 0, 1.5, True, False):
            self.refuse(f"iss {value!r}", token(content=claims(iss=value)), reason="token_bad_claim")
        self.refuse("iss null", token(content=written("iss", "null")), reason="token_bad_claim")
        for changes in ({"iss": None}, {"iss": None, "issuer": right}, {"iss": None, "Iss": right}, {"iss": None, "ISS": right}):
            self.refuse(f"{changes}", token(content=claims(**changes)), reason="unknown_issuer")
        self.refuse("iss in the header", token(header={"iss": right}, content=claims(iss=None)), reason="unknown_issuer")

    def test_a_key_of_two_issuers_speaks_for_each_by_its_rules(self):
        self.admit("twin", token(content=claims("twin")))
        self.refuse("twin for main's audience", token(content=claims("twin", aud="api")), reason="audience_mismatch")
        self.refuse("main for twin's audience", token(content=claims("main", aud="twin")), reason="audience_mismatch")
        self.refuse("strict has no typ", token(content=claims("strict")), reason="type_mismatch")
        self.refuse("nameless for twin's audience", token(content=claims("nameless", aud="twin")), reason="audience_mismatch")

    def test_audiences(self):
        for value in (
            "API", "Api", "ap", "apis", "xapi", " api", "api ", "api,other", "api other", "other", "", "*", "api\0", "api\n", "api/",
            "https://api", "[\"api\"]", "\uff41pi", MARK,
            [], [""], ["API"], ["x", "y"], ["api "], ["apis", "xapi"], ["*"], [MARK] * 50,
        ):
            self.refuse(f"aud {value!r}", token(content=claims(aud=value)), reason="audience_mismatch")
        for value in (0, 1.5, True, {}, {"api": True}, {"0": "api"}, [["api"]], ["api", 1], ["api", None], [None, "api"], [{"aud": "api"}],
            [True], ["api", []], ["api", {}]):
            self.refuse(f"aud {value!r}", token(content=claims(aud=value)), reason="token_bad_claim")
        self.refuse("aud null", token(content=written("aud", "null")), reason="token_bad_claim")
        for changes in ({"aud": None}, {"aud": None, "azp": "api"}, {"aud": None, "client_id": "api"}, {"aud": None, "Aud": "api"},
            {"aud": None, "aud ": "api"}):
            self.refuse(f"{changes}", token(content=claims(**changes)), reason="audience_mismatch")
        for value in (["api"], ["x", "api"], ["api", "api"], ["api", ""], ["x"] * 100 + ["api"]):
            self.admit(f"aud {len(value)}", token(content=claims(aud=value)))
        self.admit("aud escaped", token(content=written("aud", '"\\u0061p\\u0069"')))
        # A route that asks for more.
        strict = lambda **changes: token(head={"alg": "ES256", "typ": "at+jwt"}, content=claims("strict", **changes))
        self.admit("billing", strict(aud=["orders", "billing"]), path="/billing")
        self.admit("billing alone", strict(aud="billing"), path="/billing")
        self.refuse("orders only", strict(), paths=("/billing",), reason="route_audience_mismatch")
        self.refuse("another issuer's", token(), paths=("/billing",), reason="route_audience_mismatch")

    def test_subjects(self):
        for value in (0, 1, 1.5, True, False, [], ["ada"], {}, {"id": "ada"}):
            self.refuse(f"sub {value!r}", token(content=claims(sub=value)), reason="token_bad_claim")
        self.refuse("sub null", token(content=written("sub", "null")), reason="token_bad_claim")
        for changes in ({"sub": None}, {"sub": ""}, {"sub": None, "Sub": "ada"}, {"sub": None, "subject": "ada"},
            {"sub": None, "sub ": "ada"}, {"sub": None, "user": {"sub": "ada"}}):
            self.refuse(f"{changes}", token(content=claims(**changes)), reason="claim_missing")
        for value, told in (
            ("ada\r\nX-Evil: 1", "ada%0D%0AX-Evil: 1"), ("ada\n", "ada%0A"), ("\r", "%0D"), ("\0", "%00"), ("a\0b", "a%00b"), ("\t", "%09"),
            (" ", "%20"), (" ada", "%20ada"), ("ada ", "ada%20"), ("a b", "a b"), ("\x7f", "%7F"), ("\x1b[31m", "%1B[31m"),
            ("zo\u00eb", "zo%C3%AB"), ("\U0001f600", "%F0%9F%98%80"), ("\u202eada", "%E2%80%AEada"), ("\u2028", "%E2%80%A8"),
            ("a,b", "a%2Cb"), ("100%", "100%25"), ("%0d%0a", "%250d%250a"), ('"', '"'), ("a;b", "a;b"),
            ("x" * 4096, "x" * 4096), ("auth0|5f", "auth0|5f"), ("../admin", "../admin"), ("null", "null"), ("0", "0"),
        ):
            self.admit(f"sub {value[:20]!r}", token(content=claims(sub=value)), subject=told)

    def test_claims_that_an_issuer_must_make(self):
        strict = lambda **changes: token(head={"alg": "ES256", "typ": "at+jwt"}, content=claims("strict", **changes))
        for changes in ({"jti": None}, {"jti": ""}, {"client_id": None}, {"client_id": ""}, {"tenant": None}, {"tenant": {}},
            {"tenant": {"id": None}}, {"tenant": {"id": ""}}, {"tenant": 7}, {"tenant": "id"}, {"tenant": ["id"]},
            {"tenant": None, "tenant.id": 7}, {"tenant": {"ID": 7}}):
            self.refuse(f"{changes}", strict(**changes), paths=("/strict",), reason="claim_missing")
        for value in (0, True, [], {}):
            self.refuse(f"jti {value}", strict(jti=value), paths=("/strict",), reason="token_bad_claim")
        for changes in ({"client_id": 0}, {"tenant": {"id": False}}, {"tenant": {"id": 0, "z": None}}):
            self.admit(f"{changes}", strict(**changes), path="/strict")


class Rules(Corpus):
    def deny(self, name, text, path, reason, **more):
        more = {"status": 403, "error": None, **more}
        self.refuse(name, text, paths=(path,), reason=reason, **more)

    def test_scopes(self):
        named = {"error": "insufficient_scope", "scope": "orders.read orders.write"}
        both = "orders.read orders.write"
        for value in (
            "", " ", "orders.read", "orders.write", "orders.readorders.write", "orders.read\torders.write", "orders.read\norders.write",
            "orders.read,orders.write", "orders.read;orders.write", "orders.read\u00a0orders.write", "orders.read\0 orders.write",
            "ORDERS.READ ORDERS.WRITE", "orders", "orders.*", "*", "orders.rea orders.write", "orders.readx orders.write",
            "xorders.read orders.write", '"orders.read" "orders.write"', "orders.read orders.writ", f"{MARK} orders.read",
            0, 1.5, True, {}, {"orders.read": 1, "orders.write": 1}, [], [[]], [["orders.read", "orders.write"]], [both], ["orders.read"],
            ["orders.read", None], ["orders.read", 1], ["orders.read", "ORDERS.WRITE"], [{"orders.read": 1}, "orders.write"],
        ):
            self.deny(f"scope {value!r}", token(content=claims(scope=value)), "/scoped", "scope_missing", **named)
        for changes in ({}, {"scp": both}, {"Scope": both}, {"scopes": both}, {"permissions": ["orders.read", "orders.write"]},
            {"z": {"scope": both}}):
            self.deny(f"{changes}", token(content=claims(**changes)), "/scoped", "scope_missing", **named)
        self.deny("scope null", token(content=written("scope", "null")), "/scoped", "scope_missing", **named)
        for value in (both, "orders.write orders.read", f"a {both} b", "  orders.read   orders.write ", f"{both} {both}",
            ["orders.read", "orders.write"], ["orders.write", "x", "orders.read", "orders.read"]):
            self.admit(f"scope {value!r}", token(content=claims(scope=value)), path="/scoped")
        for value, right in (("a", True), ("b c", True), (["b"], True), ("ab", False), ("A", False), ("c d", False), (["ab"], False)):
            if right:
                self.admit(f"any {value}", token(content=claims(scope=value)), path="/any")
            else:
                self.deny(f"any {value}", token(content=claims(scope=value)), "/any", "scope_missing", error="insufficient_scope",
                    scope="a b")

    def test_roles(self):
        for value in ([], [""], ["Admin"], ["administrator"], ["adm"], [["admin"]], [{"admin": True}], {"admin": True}, 0, True, "",
            "Admin", "administrator", ["admin "], ["admin\0"], ["user,admin"], "user,admin", [None, "x"], [1, "x"], MARK):
            self.deny(f"roles {value!r}", token(content=claims(roles=value)), "/role", "role_missing")
        for changes in ({}, {"role": "admin"}, {"Roles": ["admin"]}, {"realm_access": {"roles": ["admin"]}}, {"groups": ["admin"]}):
            self.deny(f"{changes}", token(content=claims(**changes)), "/role", "role_missing")
        for value in (["admin"], ["root"], ["x", "admin"], "admin", ["admin", "admin"], [1, "admin"]):
            self.admit(f"roles {value!r}", token(content=claims(roles=value)), path="/role")
        # An issuer that keeps them elsewhere.
        strict = lambda **changes: token(head={"alg": "ES256", "typ": "at+jwt"}, content=claims("strict", **changes))
        self.admit("roles within", strict(realm_access={"roles": ["admin"]}), path="/role")
        for changes in ({"roles": ["admin"]}, {"realm_access.roles": ["admin"]}, {"realm_access": ["admin"]},
            {"realm_access": {"Roles": ["admin"]}}, {"realm_access": [{"roles": ["admin"]}]}, {"realm_access": {"roles": {"admin": 1}}}):
            self.deny(f"strict {changes}", strict(**changes), "/role", "role_missing")
        self.admit("scp", strict(scp="a"), path="/any")
        self.deny("scope where it is scp", strict(scope="a"), "/any", "scope_missing", error="insufficient_scope", scope="a b")

    def test_conditions(self):
        self.admit("tenant", token(content=claims(tenant={"id": 7})), path="/tenant")
        for value in ({"id": "7"}, {"id": 7.0}, {"id": 70}, {"id": -7}, {"id": [7]}, {"id": None}, {"id": True}, {"ID": 7}, {}, [], 7, "7",
            {"tenant": {"id": 7}}, [{"id": 7}]):
            self.deny(f"tenant {value!r}", token(content=claims(tenant=value)), "/tenant", "claim_condition_failed")
        self.deny("flat name", token(content=claims(**{"tenant.id": 7})), "/tenant", "claim_condition_failed")
        for number in ("7e0", "0.7e1", "7.0", "70e-1", '"7"'):
            self.deny(f"tenant {number}", token(content=written("tenant", f'{{"id":{number}}}')), "/tenant", "claim_condition_failed")

    def test_issuers_of_a_route(self):
        for issuer, algorithm in (("main", "ES256"), ("all", "ES384"), ("hmac", "HS256"), ("twin", "ES256"), ("nameless", "ES256")):
            text = token(algorithm, claims(issuer), header={"typ": "at+jwt"})
            self.admit(f"{issuer} elsewhere", text)
            self.refuse(issuer, text, paths=("/strict",), reason="issuer_not_accepted")

    def test_anonymous_callers(self):
        for path in ("/x", "/scoped", "/any", "/role", "/tenant", "/strict", "/billing"):
            self.refuse(f"nobody at {path}", paths=(path,), error=None, reason="no_credential")
        self.admit("nobody where it is optional", path="/optional", subject=None)
        self.admit("nobody where it is public", path="/public", subject=None)
        for name, text in (("none", base64url(b'{"alg":"none"}') + "." + base64url(dump(claims())) + "."),
            ("forged", token(key=RING.second_ec)), ("garbage", "x")):
            self.admit(f"{name} where it is public", text, path="/public", subject=None, fields=[("X-User-Id", "root")])
        self.assertEqual(json.loads(dump(claims()))["sub"], "ada")
