"""For the corpora of hostile tokens: keys and tokens of every kind, two gateways (with and without the token cache), and one check for all."""

import json
import os
import pathlib
import re
import signal
import socket
import time
import unittest

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from harness import Answer, Gateway, Upstream, base64url

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
SIZES = {"ES256": 32, "ES384": 48, "ES512": 66}
ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SYMMETRIC = ["HS256", "HS384", "HS512"]
# What must never be told or logged; corpora put it into key ids and claims.
MARK = "zQmArKz"


class Ring:
    """One key of every kind, and an attacker's."""

    def __init__(self):
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.keys = {name: self.rsa for name in ASYMMETRIC if name[0] in "RP"}
        self.keys.update({name: ec.generate_private_key(curve()) for name, curve in CURVES.items()})
        self.keys["EdDSA"] = ed25519.Ed25519PrivateKey.generate()
        self.keys.update({name: os.urandom(int(name[2:]) // 16).hex().encode() for name in SYMMETRIC})
        self.second_rsa = rsa.generate_private_key(65537, 2048)
        self.second_ec = ec.generate_private_key(ec.SECP256R1())
        self.foreign = {
            "RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }

    def sign(self, algorithm, data, key=None):
        key = self.keys[algorithm] if key is None else key
        if algorithm == "EdDSA":
            return key.sign(data)
        digest = HASHES[algorithm[2:]]()
        if algorithm[0] == "H":
            code = hmac.HMAC(key, digest)
            code.update(data)
            return code.finalize()
        if algorithm[0] == "R":
            return key.sign(data, padding.PKCS1v15(), digest)
        if algorithm[0] == "P":
            return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(SIZES[algorithm], "big") + s.to_bytes(SIZES[algorithm], "big")


RING = Ring()


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def number(value, size=None):
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(key, **more):
    """The public JWK of a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        values = key.public_key().public_numbers()
        return {"kty": "RSA", "n": number(values.n), "e": number(values.e), **more}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw), **more}
    values, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
    name = {256: "P-256", 384: "P-384", 521: "P-521"}[key.curve.key_size]
    return {"kty": "EC", "crv": name, "x": number(values.x, size), "y": number(values.y, size), **more}


ISSUERS = {
    "main": "https://issuer.example", "all": "https://all.example", "hmac": "https://hmac.example",
    "strict": "https://strict.example", "twin": "https://twin.example", "nameless": "https://nameless.example",
}


def claims(of="main", **changes):
    """Claims that are right for an issuer, with changes; `None` leaves one out."""
    now = int(time.time())
    content = {"iss": ISSUERS[of], "aud": "twin" if of == "twin" else "api", "sub": "ada", "iat": now, "exp": now + 600}
    if of == "strict":
        content.update(aud="orders", exp=now + 300, jti="j1", client_id="c1", tenant={"id": 7})
    content.update(changes)
    return {name: value for name, value in content.items() if value is not None}


def dump(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def token(algorithm="ES256", content=None, *, header=None, head=None, signed_with=None, key=None, signature=None):
    """A token: `head` instead of a usual header, `content` as claims or bytes, `signature` as bytes or a change of the right one."""
    first = head if head is not None else {"alg": algorithm, "typ": "JWT", **(header or {})}
    text = base64url(dump(first)) + "." + base64url(dump(claims() if content is None else content))
    if not isinstance(signature, bytes):
        right = RING.sign(signed_with or algorithm, text.encode(), key)
        signature = signature(right) if signature else right
    return text + "." + base64url(signature)


CONFIGURATION = """
token_cache: {enabled: @CACHE@}
access_log: {path: access.log}
issuers:
  - name: main
    issuer: https://issuer.example
    audiences: [api]
    algorithms: [RS256, ES256, EdDSA]
    keys: [{pem_file: rsa.pem, algorithm: RS256, kid: rsa}, {pem_file: ec.pem, kid: ec}, {pem_file: ed.pem, kid: ed}]
  - name: all
    issuer: https://all.example
    audiences: [api]
    algorithms: [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA]
    keys: [{jwks_file: all.json}]
  - name: hmac
    issuer: https://hmac.example
    audiences: [api]
    keys: [{secret: "file:HS256", algorithm: HS256, kid: HS256}, {secret: "file:HS384", algorithm: HS384, kid: HS384}, {secret: "file:HS512", algorithm: HS512, kid: HS512}]
  - name: strict
    issuer: https://strict.example
    audiences: [orders, billing]
    typ: [at+jwt]
    leeway: 0s
    max_lifetime: 10m
    required_claims: [sub, jti, client_id, tenant.id]
    scope_claim: scp
    roles_claim: realm_access.roles
    algorithms: [ES256, ES384]
    keys: [{pem_file: ec.pem, kid: "256"}, {pem_file: ec384.pem, kid: "384"}]
  - name: twin
    issuer: https://twin.example
    audiences: [twin]
    algorithms: [ES256]
    keys: [{pem_file: ec.pem}]
  - name: nameless
    issuer: https://nameless.example
    audiences: [api]
    algorithms: [RS256, ES256]
    keys:
      - {pem_file: second_rsa.pem, algorithm: RS256}
      - {pem_file: rsa.pem, algorithm: RS256}
      - {pem_file: second_ec.pem}
      - {pem_file: ec.pem}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: optional, match: {path: /optional}, auth: optional, forward: {upstream: a}}
  - {name: public, match: {path: /public}, auth: public, forward: {upstream: a}}
  - {name: scoped, match: {path: /scoped}, scopes: {all: [orders.read, orders.write]}, forward: {upstream: a}}
  - {name: any, match: {path: /any}, scopes: {any: [a, b]}, forward: {upstream: a}}
  - {name: role, match: {path: /role}, roles: {any: [admin, root]}, forward: {upstream: a}}
  - {name: tenant, match: {path: /tenant}, claims: [{claim: tenant.id, equals: 7}], forward: {upstream: a}}
  - {name: strict, match: {path: /strict}, issuers: [strict], forward: {upstream: a}}
  - {name: billing, match: {path: /billing}, audiences: [billing], forward: {upstream: a}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""


def files():
    names = {"rsa": RING.rsa, "ec": RING.keys["ES256"], "ec384": RING.keys["ES384"], "ed": RING.keys["EdDSA"]}
    names.update(second_rsa=RING.second_rsa, second_ec=RING.second_ec)
    found = {name + ".pem": public_pem(key) for name, key in names.items()}
    found.update({name: RING.keys[name] for name in SYMMETRIC})
    keys = [jwk(RING.keys[name], kid=name) for name in ("RS256", "ES256", "ES384", "ES512", "EdDSA")]
    found["all.json"] = json.dumps({"keys": keys}).encode()
    return found


class Client:
    """Requests one after the other on a connection that is kept, opened again when the gateway closed it."""

    def __init__(self, port):
        self.port, self.socket = port, None

    def send(self, data):
        for attempt in (0, 1):
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), 10)
            try:
                self.socket.sendall(data)
                answer = self.read()
            except OSError:
                answer = b""
            if answer:
                return Answer(answer)
            self.close()
        raise AssertionError("no answer")

    def read(self):
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.socket.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
        while len(body) < length:
            body += self.socket.recv(65536)
        if re.search(rb"(?i)\r\nconnection: *close", head):
            self.close()
        return head + b"\r\n\r\n" + body

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


CHALLENGE = re.compile(r'^Bearer realm="portcullis"(?:, error="([a-z_]+)", error_description="[^"\\]*"(?:, scope="([^"\\]*)")?)?$')


class Corpus(unittest.TestCase):
    """Two gateways before one upstream that records; `refuse` and `admit` check one request on both."""

    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.gateways = [Gateway(CONFIGURATION, files(), UPSTREAM=cls.upstream.port, CACHE=cache) for cache in ("true", "false")]
        cls.clients = [Client(gateway.port) for gateway in cls.gateways]
        cls.secrets, cls.requests, cls.count = set(), 0, {"refused": 0, "admitted": 0}
        cls.reasons = {}

    @classmethod
    def tearDownClass(cls):
        text = ""
        for client, gateway in zip(cls.clients, cls.gateways):
            client.close()
            gateway.signal(signal.SIGTERM)
            gateway.process.wait(20)
            gateway.reader.join(5)
            text += "".join(gateway.log) + pathlib.Path(gateway.folder, "access.log").read_text()
            gateway.stop()
        cls.upstream.stop()
        lines = text.count('"status":')
        assert lines >= cls.requests, f"{cls.requests} requests, {lines} lines in the access logs"
        leaks = [secret for secret in cls.secrets if secret in text]
        assert not leaks and MARK not in text, f"in the logs: {MARK if MARK in text else ''} {leaks[:3]}"
        logged = {entry["id"]: entry.get("reason") for entry in (json.loads(line) for line in text.splitlines()) if "id" in entry}
        wrong = [(name, reason, logged.get(id)) for id, (name, reason) in cls.reasons.items() if logged.get(id) != reason]
        assert not wrong, f"refused for another reason: {wrong[:8]}"
        if os.environ.get("PORTCULLIS_COUNT"):
            print(cls.__name__, cls.count)

    def setUp(self):
        self.upstream.forget()

    def ask(self, client, path, authorization, fields, method="GET", body=b""):
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway.example"]
        if authorization is not None:
            lines.append("Authorization: " + authorization)
        lines += [f"{name}: {value}" for name, value in fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        type(self).requests += 1
        return client.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def refuse(self, name, text=None, paths=("/x", "/optional"), status=401, error="invalid_token", scope=None, reason=None,
        authorization=None, fields=(), **more):
        """The request gets this answer everywhere, tells nothing, and reaches nobody; `reason` is what the access log says."""
        if authorization is None and text is not None:
            authorization = "Bearer " + text
        parts = {part for part in re.split(r"[^A-Za-z0-9_-]", authorization or "") if len(part) >= 20}
        type(self).secrets |= {part[:60] for part in parts}
        type(self).count["refused"] += 1
        for client, cache in zip(self.clients, ("on", "off")):
            for path in paths:
                with self.subTest(name, path=path, cache=cache):
                    answer = self.ask(client, path, authorization, fields, **more)
                    self.check_refusal(answer, status, error, scope)
                    if reason:
                        self.reasons[json.loads(answer.body)["request_id"]] = (name, reason)
                    for part in parts:
                        self.assertNotIn(part[:60].encode(), answer.raw)
                    self.assertNotIn(MARK.encode(), answer.raw)
                    self.assertEqual(self.upstream.received(), b"")
                self.upstream.forget()

    def check_refusal(self, answer, status, error, scope=None):
        problem = json.loads(answer.body)
        self.assertEqual((answer.status, problem["status"]), (status, status), answer.body)
        self.assertEqual(answer.field("Content-Type"), "application/problem+json")
        self.assertEqual(set(problem) - {"scope"}, {"type", "title", "status", "code", "detail", "request_id"})
        challenge = answer.field("WWW-Authenticate")
        if status == 401 or error:
            found = CHALLENGE.match(challenge or "")
            self.assertTrue(found, challenge)
            self.assertEqual(found.group(1, 2), (error, scope))
        else:
            self.assertIsNone(challenge)

    def admit(self, name, text=None, path="/x", subject="ada", authorization=None, fields=(), **more):
        """The request reaches the service, which is told the subject (as it is encoded), twice: verified, then cached."""
        if authorization is None and text is not None:
            authorization = "Bearer " + text
        type(self).count["admitted"] += 1
        for client, cache in zip(self.clients, ("on", "off")):
            for round in (1, 2):
                with self.subTest(name, path=path, cache=cache, round=round):
                    answer = self.ask(client, path, authorization, fields, **more)
                    self.assertEqual(answer.status, 200, answer.body)
                    self.assertEqual(answer.seen("X-User-Id"), [] if subject is None else [subject])
        self.upstream.forget()
