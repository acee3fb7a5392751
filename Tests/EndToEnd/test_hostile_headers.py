"""Hostile tokens: keys brought along, key ids, extensions, and types."""

import base64
import datetime
import json

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from harness import base64url
from hostile import MARK, RING, Corpus, claims, dump, jwk, public_pem, token

KIDS = {"RS256": "rsa", "ES256": "ec", "EdDSA": "ed"}


def certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer.example")])
    begin = datetime.datetime(2025, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, begin, begin + datetime.timedelta(days=9999))
    return builder.sign(key, hashes.SHA256())


class KeysBroughtAlong(Corpus):
    def attacks(self, key):
        cert = certificate(key)
        der = cert.public_bytes(serialization.Encoding.DER)
        set_url = f"http://127.0.0.1:{self.upstream.port}/{MARK}.json"
        chain = [base64.b64encode(der).decode()]
        return {
            "jwk": {"jwk": jwk(key)}, "jwk with the right kid": {"jwk": jwk(key, kid="ec")},
            "jwk and alg": {"jwk": jwk(key, alg="ES256", use="sig")}, "jwk set": {"jwks": {"keys": [jwk(key)]}},
            "jwk as text": {"jwk": json.dumps(jwk(key))}, "jku": {"jku": set_url},
            "jku over https": {"jku": set_url.replace("http", "https")}, "jku file": {"jku": "file:///etc/passwd"},
            "jku at the issuer": {"jku": "https://issuer.example@127.0.0.1/"}, "jku null": {"jku": None}, "x5u": {"x5u": set_url},
            "x5c": {"x5c": chain}, "x5c in PEM": {"x5c": public_pem(key).decode()},
            "x5c twice": {"x5c": chain * 2}, "x5t": {"x5t": base64url(cert.fingerprint(hashes.SHA1()))},
            "x5t#S256": {"x5t#S256": base64url(cert.fingerprint(hashes.SHA256()))}, "cert": {"cert": chain[0]},
            "key": {"key": public_pem(key).decode()}, "iss in the header": {"iss": "https://twin.example"},
            "all of them": {"jwk": jwk(key), "jku": set_url, "x5u": set_url, "x5c": chain},
        }

    def test_they_are_not_looked_at(self):
        for algorithm, key in RING.foreign.items():
            attacks = self.attacks(key) if algorithm != "EdDSA" else {"jwk": {"jwk": jwk(key)}, "jku": {"jku": "http://127.0.0.1:1/"}}
            for name, header in attacks.items():
                self.refuse(f"{algorithm} {name}", token(algorithm, header=header, key=key), reason="token_bad_signature")
                self.refuse(f"{algorithm} {name}, with kid", token(algorithm, header={**header, "kid": KIDS[algorithm]}, key=key),
                    reason="token_bad_signature")
        # The same headers change nothing for the right key.
        for name, header in self.attacks(RING.foreign["ES256"]).items():
            self.admit(name, token(header=header))
        self.assertEqual(self.upstream.received(), b"")

    def test_a_secret_brought_along(self):
        secret = b"s" * 32
        for name, header in (("jwk", {"jwk": {"kty": "oct", "k": base64url(secret)}}), ("k", {"k": base64url(secret)}),
            ("kid", {"kid": secret.decode()})):
            for issuer in ("main", "hmac"):
                self.refuse(f"{name} {issuer}", token("HS256", claims(issuer), header=header, key=secret))

    def test_key_ids(self):
        values = {
            "path": "../../../../dev/null", "absolute path": "/dev/null", "proc": "/proc/sys/kernel/randomize_va_space",
            "own file": "rsa.pem", "SQL": "x' UNION SELECT 'key' --", "command": "key.pem|id",
            "template": "${jndi:ldap://127.0.0.1/a}", "environment": "${HOME}", "NUL": "ec\0", "NUL within": "e\0c", "line feed": "ec\n",
            "CRLF": "ec\r\nX-Evil: 1", "blank": "ec ", "blank in front": " ec",
            "capitals": "EC", "another issuer's": "ES256", "strict issuer's": "256", "secret's": "HS256", "wide": "\uff45\uff43",
            "combining": "ec\u0301", "prefix": "e", "longer": "ecc", "empty": "", "URL": "http://127.0.0.1/key",
            "of 256 bytes": "k" * 256, "of 257 bytes": "k" * 257, "of 5000 bytes": "k" * 5000, "star": "*", "percent": "%",
            "regular expression": ".*", "marked": MARK, "thumbprint": base64url(bytes(32)),
        }
        for name, value in values.items():
            self.refuse(name, token(header={"kid": value}))
        for name, value in {"number": 0, "float": 1.5, "null": None, "true": True, "list": ["ec"], "object": {"kid": "ec"},
            "empty list": [], "number as it is written": 256}.items():
            self.refuse(name, token(header={"kid": value}), reason="token_bad_header")
        # As secrets that a careless look-up would make of them.
        for name, secret in (("of an empty file", b""), ("NUL", b"\0"), ("blank", b" "), ("null", b"null"), ("undefined", b"undefined"),
            ("the kid", b"/dev/null")):
            self.refuse(f"secret {name}", token("HS256", claims("hmac"), header={"kid": "/dev/null"}, key=secret or bytes(1)),
                reason="token_unknown_key")
            self.refuse(f"secret {name}, no kid", token("HS256", claims("hmac"), key=secret or bytes(1)), reason="token_bad_signature")

    def test_no_key_is_borrowed(self):
        """Keys of one issuer prove nothing about another, though their algorithm and kid fit."""
        for algorithm, kid in (("ES256", None), ("ES256", "256"), ("ES384", "384")):
            header = {"kid": kid} if kid else {}
            self.refuse(f"{algorithm} {kid} of main", token(algorithm, header=header, key=RING.second_ec if algorithm == "ES256" else None))
        self.refuse("second key for main", token("ES256", key=RING.second_ec, header={"kid": "ec"}), reason="token_bad_signature")
        self.refuse("second RSA key for all", token("RS256", claims("all"), key=RING.second_rsa, header={"kid": "RS256"}),
            reason="token_bad_signature")
        self.refuse("P-384 for twin", token("ES384", claims("twin")), reason="token_algorithm_not_allowed")


class Extensions(Corpus):
    def test_crit(self):
        for value in (
            ["exp"], ["alg"], ["kid"], ["typ"], ["b64"], ["http://example.com/UNDEFINED"], ["exp", "exp"], [""], ["x"], [], None, "", "exp",
            0, 1, True, False, {}, {"exp": True},
            [None], [1], [True], [["exp"]], [{}], ["crit"], ["jwk"], ["cnf"], ["ppt"], ["exp", "b64"], ["EXP"], [MARK],
        ):
            for also in ({}, {"exp": 1}, {"b64": True}, {"http://example.com/UNDEFINED": True, "x": 1}):
                self.refuse(f"crit {value} {also}", token(head={"alg": "ES256", "crit": value, **also}), paths=("/x",),
                    reason="token_critical_header")

    def test_b64(self):
        for value in (False, True, None, 0, "false"):
            self.refuse(f"b64 {value}", token(head={"alg": "ES256", "b64": value}), reason="token_critical_header")
        # RFC 7797: signed over the payload as it is.
        head, content = base64url(b'{"alg":"ES256","b64":false,"crit":["b64"]}'), dump(claims())
        signature = base64url(RING.sign("ES256", head.encode() + b"." + content))
        self.refuse("not encoded", f"{head}.{content.decode()}.{signature}")
        self.refuse("detached", f"{head}..{signature}")
        self.refuse("encoded after all", f"{head}.{base64url(content)}.{signature}")

    def test_compression_and_encryption(self):
        import zlib

        packed = zlib.compress(dump(claims()))[2:-4]
        for value in ("DEF", "def", "GZIP", "", None, True, ["DEF"]):
            self.refuse(f"zip {value}", token(head={"alg": "ES256", "zip": value}), reason="token_encrypted")
            self.refuse(f"zip {value}, packed", token(content=packed, head={"alg": "ES256", "zip": value}), reason="token_encrypted")
        self.refuse("packed", token(content=packed), reason="token_bad_json")
        for value in ("A128GCM", "A128CBC-HS256", "", None):
            self.refuse(f"enc {value}", token(head={"alg": "ES256", "enc": value}), reason="token_encrypted")
        for name in ("p2c", "p2s", "epk", "apu", "iv", "tag"):
            self.refuse(name, token(head={"alg": "dir", name: 1}))

    def test_nested(self):
        inner = token()
        for kind in ("JWT", "jwt", "application/jwt"):
            self.refuse(f"nested in {kind}", token(content=inner.encode(), header={"cty": kind}), reason="token_bad_json")
            self.refuse(f"nested as text in {kind}", token(content=inner, header={"cty": kind}), reason="token_bad_json")
        for name in ("jwt", "token", "payload", "claims"):
            self.refuse(f"within {name}", token(content={name: inner, "exp": claims()["exp"]}), reason="unknown_issuer")
        self.refuse("claims within claims", token(content={"claims": claims()}), reason="unknown_issuer")
        none = base64url(b'{"alg":"none"}') + "." + base64url(dump(claims())) + "."
        self.refuse("none within", token(content=none.encode(), header={"cty": "JWT"}), reason="token_bad_json")


class Types(Corpus):
    def strict(self, head, **changes):
        return token(head={"alg": "ES256", **head}, content=claims("strict", **changes))

    def test_types_that_are_asked_for(self):
        for value in ("at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/AT+JWT", "Application/at+JWT"):
            self.admit(value, self.strict({"typ": value}), path="/strict")
        for value in (
            "JWT", "jwt", "", "at", "at+jw", "at+jwtx", "xat+jwt", " at+jwt", "at+jwt ", "at+jwt\0", "at jwt", "at+jwt;charset=utf-8",
            "application/", "application/JWT", "application/application/at+jwt",
            "text/at+jwt", "application//at+jwt", "/at+jwt", "application/at+jwt/x", "id+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt",
            "JOSE", "JOSE+JSON", "rt+jwt", "*/*", "application/*", "at\u200b+jwt", "\u0410t+jwt", MARK,
        ):
            self.refuse(f"typ {value}", self.strict({"typ": value}), paths=("/strict",), reason="type_mismatch")
        self.refuse("no typ", self.strict({}), paths=("/strict",), reason="type_mismatch")
        self.refuse("cty instead", self.strict({"cty": "at+jwt"}), paths=("/strict",), reason="type_mismatch")
        self.refuse("in the claims", self.strict({"typ": "JWT"}, typ="at+jwt"), paths=("/strict",), reason="type_mismatch")

    def test_types_are_text(self):
        for value in (None, 0, True, ["at+jwt"], [], {}, {"typ": "at+jwt"}, 1.5):
            self.refuse(f"typ {value}", self.strict({"typ": value}), paths=("/strict",), reason="token_bad_header")
            self.refuse(f"typ {value} where any will do", token(head={"alg": "ES256", "typ": value}), reason="token_bad_header")

    def test_headers_that_are_fine(self):
        for header in ({}, {"typ": "JWT"}, {"typ": "at+jwt"}, {"cty": "json"}, {"z": 1, "iat": 5}, {"x5t": "a"}, {"typ": "\u00e9"},
            {"url": "https://a", "nonce": "b"}):
            self.admit(f"{header}", token(head={"alg": "ES256", **header}))
