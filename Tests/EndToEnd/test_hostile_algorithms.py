"""Hostile tokens: algorithms that are not the key's, and signatures that are almost right."""

import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, utils

from harness import base64url
from hostile import ASYMMETRIC, CURVES, MARK, RING, SIZES, SYMMETRIC, Corpus, claims, dump, jwk, public_pem, token

ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": int("1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def issuer_of(algorithm):
    return "hmac" if algorithm in SYMMETRIC else "all"


def public_forms(key):
    """Every spelling of a public key that somebody might have taken for an HMAC secret."""
    public = key.public_key()
    encoding, form = serialization.Encoding, serialization.PublicFormat
    pem = public_pem(key)
    forms = {
        "PEM": pem, "PEM without the last line end": pem.rstrip(), "PEM with one more": pem + b"\n",
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "PEM on one line": pem.replace(b"\n", b""), "PEM without its frame": b"".join(pem.splitlines()[1:-1]),
        "DER": public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
        "JWK": json.dumps(jwk(key), separators=(",", ":")).encode(), "JWK, sorted": json.dumps(jwk(key), sort_keys=True).encode(),
        "JWK set": json.dumps({"keys": [jwk(key)]}).encode(),
    }
    forms.update({f"member {name}": value.encode() for name, value in jwk(key).items() if len(value) > 10})
    if hasattr(public, "curve"):
        for name in ("UncompressedPoint", "CompressedPoint"):
            forms[name] = public.public_bytes(encoding.X962, getattr(form, name))
    elif hasattr(public, "public_numbers"):
        forms["PKCS1 PEM"] = public.public_bytes(encoding.PEM, form.PKCS1)
        forms["PKCS1 DER"] = public.public_bytes(encoding.DER, form.PKCS1)
    else:
        forms["raw"] = public.public_bytes(encoding.Raw, form.Raw)
    return forms


class Algorithms(Corpus):
    def test_public_keys_are_no_secrets(self):
        for kind, kid in (("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")):
            for form, secret in public_forms(RING.keys[kind]).items():
                self.refuse(f"{kind} as {form}", token("HS256", header={"kid": kid}, key=secret))
        for form, secret in public_forms(RING.rsa).items():
            self.refuse(f"{form}, no kid", token("HS512", claims("all"), key=secret))
            self.refuse(f"{form}, at the issuer with secrets", token("HS256", claims("hmac"), header={"kid": "HS256"}, key=secret))

    def test_none_does_not_exist(self):
        es = RING.sign("ES256", b"x")
        for value in ("none", "None", "NONE", "nOnE", "none ", " none", "none\0", "", "null", "nonce", None, 0, 1, True, False, [],
            ["none"], ["ES256"], {}, {"alg": "ES256"}):
            for signature in (b"", b"\0", es):
                self.refuse(f"alg {value!r} with {len(signature)} bytes", token(head={"alg": value, "typ": "JWT"}, signature=signature))
        self.refuse("no alg", token(head={"typ": "JWT"}))
        self.refuse("no alg and no signature", token(head={}, signature=b""))

    def test_names_are_exact(self):
        for name in (
            "es256", "Es256", "eS256", "ES256 ", " ES256", "ES256\n", "ES256\0", "ES 256", "ES-256", "ES_256", "ES25", "ES2566", "ES256K",
            "ES", "256",
            "SHA256", "ECDSA", "HS1", "HS256/64", "none,ES256", "ES256,none", "ES256;", "ES256%00", "\u0395S256", "ES\uff12\uff15\uff16",
            "EdDsa", "eddsa", "ed25519", "Ed448", "ML-DSA-44", "RSA-OAEP", "dir", "A128KW", "A256GCM", "PBES2-HS256+A128KW", "ECDH-ES",
            MARK,
        ):
            self.refuse(name, token(head={"alg": name}))
        for name in ("rs256", "RSA256", "RS1", "RS224", "SHA256withRSA", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"):
            self.refuse(name, token(head={"alg": name}, signed_with="RS256"))

    def test_an_issuer_uses_its_own_algorithms_only(self):
        for algorithm in ("RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512"):
            for header in ({}, {"kid": "rsa"}, {"kid": "ec"}):
                self.refuse(f"{algorithm} {header}", token(algorithm, header=header))
        for algorithm in SYMMETRIC:
            for issuer in ("main", "all", "strict", "twin", "nameless"):
                self.refuse(f"{algorithm} of {issuer}", token(algorithm, claims(issuer)))
            for other in SYMMETRIC:
                if other != algorithm:
                    self.refuse(f"{algorithm} with the secret of {other}", token(algorithm, claims("hmac"), key=RING.keys[other]))
                    self.refuse(f"{algorithm} named {other}", token(algorithm, claims("hmac"), header={"kid": other}))
        for algorithm in ("ES256", "RS256", "EdDSA"):
            self.refuse(f"{algorithm} at the issuer with secrets", token(algorithm, claims("hmac")))
        for algorithm in ("EdDSA", "RS256"):
            self.refuse(f"{algorithm} of strict", token(algorithm, claims("strict"), header={"typ": "at+jwt"}))

    def test_the_header_says_what_signed(self):
        for said in ASYMMETRIC:
            for used in ASYMMETRIC + ["HS256"]:
                if said != used:
                    self.refuse(f"{said} signed with {used}", token(said, claims("all"), signed_with=used), paths=("/x",))

    def test_a_kid_names_one_key(self):
        for said, kid in (("RS256", "ec"), ("RS256", "ed"), ("ES256", "rsa"), ("ES256", "ed"), ("EdDSA", "rsa"), ("EdDSA", "ec")):
            self.refuse(f"{said} named {kid}", token(said, header={"kid": kid}))
        for name, key in RING.foreign.items():
            for header in ({}, {"kid": {"RS256": "rsa", "ES256": "ec", "EdDSA": "ed"}[name]}):
                self.refuse(f"foreign {name} {header}", token(name, key=key, header=header))
        self.refuse("the key of an issuer without names", token("RS256", key=RING.second_rsa))
        self.refuse("the second EC key", token("ES256", claims("twin"), key=RING.second_ec))

    def test_every_algorithm_is_believed(self):
        for algorithm in ASYMMETRIC + SYMMETRIC:
            kid = "RS256" if algorithm[0] in "RP" else algorithm
            for header in ({}, {"kid": kid}):
                self.admit(f"{algorithm} {header}", token(algorithm, claims(issuer_of(algorithm)), header=header))
        for algorithm, kid in (("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")):
            for header in ({}, {"kid": kid}):
                self.admit(f"{algorithm} {header}", token(algorithm, header=header))
        self.admit("Ed25519 is EdDSA", token(head={"alg": "Ed25519"}, signed_with="EdDSA"))
        for algorithm, key in (("RS256", RING.rsa), ("RS256", RING.second_rsa), ("ES256", RING.second_ec), ("ES256", RING.keys["ES256"])):
            for header in ({}, {"kid": "anything"}):
                self.admit(f"nameless {algorithm}", token(algorithm, claims("nameless"), header=header, key=key))


class Signatures(Corpus):
    def changes(self, algorithm):
        """Signatures of any algorithm that are almost right."""
        flip = lambda place, bit: lambda s: s[:place] + bytes([s[place] ^ bit]) + s[place + 1 :]
        changed = {
            "empty": lambda s: b"", "one byte": lambda s: s[:1], "half": lambda s: s[: len(s) // 2], "cut by one": lambda s: s[:-1],
            "cut in front": lambda s: s[1:], "a zero behind": lambda s: s + b"\0", "a zero in front": lambda s: b"\0" + s,
            "zeros": lambda s: bytes(len(s)), "ones": lambda s: b"\xff" * len(s), "backwards": lambda s: s[::-1], "twice": lambda s: s + s,
            "halves exchanged": lambda s: s[len(s) // 2 :] + s[: len(s) // 2], "as hexadecimal": lambda s: s.hex().encode(),
            "as base64url once more": lambda s: base64url(s).encode(), "first bit": lambda s: flip(0, 0x80)(s),
            "last bit": lambda s: flip(len(s) - 1, 1)(s),
            "bit in the middle": lambda s: flip(len(s) // 2, 4)(s), "first byte zero": lambda s: flip(0, s[0] or 1)(s),
            "of nothing": lambda s: RING.sign(algorithm, b""),
        }
        return changed

    def test_changed_signatures(self):
        for algorithm in ASYMMETRIC + SYMMETRIC:
            for name, change in self.changes(algorithm).items():
                self.refuse(f"{algorithm} {name}", token(algorithm, claims(issuer_of(algorithm)), signature=change), paths=("/x",))

    def test_changed_texts(self):
        for algorithm in ASYMMETRIC + SYMMETRIC:
            issuer = issuer_of(algorithm)
            head, content, signature = token(algorithm, claims(issuer)).split(".")
            eve = base64url(dump(claims(issuer, sub="eve" + MARK)))
            other = base64url(dump({"alg": algorithm, "typ": "JWT", "x": 1}))
            self.refuse(f"{algorithm} other claims", f"{head}.{eve}.{signature}")
            self.refuse(f"{algorithm} other header", f"{other}.{content}.{signature}")
            self.refuse(f"{algorithm} header and claims exchanged", f"{content}.{head}.{signature}")
            self.refuse(f"{algorithm} no claims", f"{head}..{signature}")
            self.refuse(f"{algorithm} no header", f".{content}.{signature}")

    def test_ecdsa_numbers_out_of_range(self):
        for algorithm, size in SIZES.items():
            n = ORDERS[algorithm]
            whole = lambda r, s: r.to_bytes(size, "big") + s.to_bytes(size, "big")
            pair = lambda signature: (int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
            most = 2 ** (8 * size) - 1
            cases = {
                "r=s=0": lambda s: bytes(2 * size), "r=0": lambda s: whole(0, pair(s)[1]), "s=0": lambda s: whole(pair(s)[0], 0),
                "r=n": lambda s: whole(n, pair(s)[1]), "s=n": lambda s: whole(pair(s)[0], n), "r=s=n": lambda s: whole(n, n),
                "r=0,s=1": lambda s: whole(0, 1),
                "r=1,s=0": lambda s: whole(1, 0), "r=s=1": lambda s: whole(1, 1), "r=n-1": lambda s: whole(n - 1, pair(s)[1]),
                "r=n+1": lambda s: whole(n + 1, 1),
                "r=s=all ones": lambda s: whole(most, most), "r=1,s=n+1": lambda s: whole(1, n + 1),
                "exchanged": lambda s: s[size:] + s[:size],
                "DER": lambda s: utils.encode_dss_signature(*pair(s)), "a point's prefix": lambda s: b"\x04" + s,
                "numbers of another length": lambda s: b"\0" + s[:size] + b"\0" + s[size:], "r alone": lambda s: s[:size],
                "a tail": lambda s: s + b"\0" * 8, "DER of zeros": lambda s: b"\x30\x06\x02\x01\x00\x02\x01\x00",
            }
            for other in SIZES:
                if other != algorithm:
                    cases[f"as long as {other}"] = lambda s, other=other: (s + bytes(200))[: 2 * SIZES[other]]
            for name, change in cases.items():
                self.refuse(f"{algorithm} {name}", token(algorithm, claims("all"), signature=change), paths=("/x",))
            for other in CURVES:
                if other != algorithm:
                    key = RING.keys[other]
                    self.refuse(f"{algorithm} by the key of {other}",
                        token(algorithm, claims("all"), signature=lambda s: (RING.sign(other, b"x", key) + bytes(200))[: 2 * size]))

    def test_rsa_paddings(self):
        text = lambda algorithm: base64url(dump({"alg": algorithm})) + "." + base64url(dump(claims("all")))
        n, size = RING.rsa.public_key().public_numbers().n, 256
        for algorithm in ("RS256", "PS256"):
            data = text(algorithm)
            sha = hashes.SHA256()
            forms = {
                "salt of 0": padding.PSS(padding.MGF1(sha), 0), "salt of 20": padding.PSS(padding.MGF1(sha), 20),
                "salt of 31": padding.PSS(padding.MGF1(sha), 31),
                "longest salt": padding.PSS(padding.MGF1(sha), padding.PSS.MAX_LENGTH),
                "MGF1 with SHA-1": padding.PSS(padding.MGF1(hashes.SHA1()), 32),
                "MGF1 with SHA-512": padding.PSS(padding.MGF1(hashes.SHA512()), 32),
            }
            for name, form in forms.items():
                self.refuse(f"{algorithm} {name}", data + "." + base64url(RING.rsa.sign(data.encode(), form, sha)))
            for digest in (hashes.SHA1(), hashes.SHA224(), hashes.SHA512()):
                self.refuse(f"{algorithm} {digest.name}", data + "." + base64url(RING.rsa.sign(data.encode(), padding.PKCS1v15(), digest)))
            for value in (0, 1, 2, n - 1, n, n + 1, 2 ** (8 * size) - 1):
                self.refuse(f"{algorithm} is {str(value)[:8]}", data + "." + base64url(value.to_bytes(size, "big")))
        # The message itself instead of its signature, unpadded.
        data = text("RS256")
        self.refuse("digest instead of a signature", data + "." + base64url(bytes(size - 32) + RING.keys["HS256"][:32]))

    def test_eddsa_is_not_malleable(self):
        add = lambda s, times: s[:32] + (int.from_bytes(s[32:], "little") + times * ED25519_ORDER).to_bytes(32, "little")
        small = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")
        cases = {
            "S+L": lambda s: add(s, 1), "S+2L": lambda s: add(s, 2), "S+8L": lambda s: add(s, 8), "R=0": lambda s: bytes(32) + s[32:],
            "S=0": lambda s: s[:32] + bytes(32),
            "R is the neutral point": lambda s: b"\1" + bytes(31) + s[32:], "R=1,S=0": lambda s: b"\1" + bytes(63),
            "R of small order": lambda s: small + bytes(32),
            "of Ed448's length": lambda s: s + bytes(50), "top bits of S": lambda s: s[:63] + bytes([s[63] | 0xE0]),
            "R not a point": lambda s: b"\2" + bytes(31) + s[32:],
        }
        for name, change in cases.items():
            for issuer in ("main", "all"):
                self.refuse(f"{name} {issuer}", token("EdDSA", claims(issuer), signature=change))
