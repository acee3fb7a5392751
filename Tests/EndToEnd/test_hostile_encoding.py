"""Hostile tokens: base64url, parts, and JSON that other readers would take in another way."""

import base64
import json

from harness import base64url
from hostile import ISSUERS, RING, Corpus, claims, dump, token

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def stray(part, bit):
    """The same octets with a stray bit behind the last one; None where there is no room for one."""
    if len(part) % 4 == 0 or len(part) % 4 == 3 and bit > 3:
        return None
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) ^ bit]


def with_length(rest):
    """A token whose parts all leave `rest` characters behind their last group of four."""
    pad = lambda content: next(
        made for n in range(4) if len(base64url(made := dump({**content, "z": "x" * n}))) % 4 == rest
    )
    return token("HS256", pad(claims("hmac")), head=pad({"alg": "HS256", "kid": "HS256"}))


class Base64(Corpus):
    def test_parts_are_strict_base64url(self):
        good = [token(algorithm).split(".") for algorithm in ("ES256", "RS256")] + [with_length(rest).split(".") for rest in (0, 2, 3)]
        for parts in good:
            for place, part in enumerate(parts):
                changed = {
                    "one =": part + "=", "two =": part + "==", "three =": part + "===", "= in front": "=" + part,
                    "= within": part[:4] + "=" + part[4:],
                    "+": part[:3] + "+" + part[4:], "/": part[:3] + "/" + part[4:], "~": part + "~", "percent": part + "%3D",
                    "escaped": "%" + part[2:],
                    "blank": part + " ", "blank within": part[:4] + " " + part[4:], "tab": part[:4] + "\t" + part[4:],
                    "comma": part[:4] + "," + part[4:],
                    "quote": '"' + part + '"', "star": part[:-1] + "*", "dollar": part + "$", "not ASCII": part + "\xe9",
                    "not UTF-8": part + "\xff",
                    "one more character": part + "A" if len(part) % 4 in (0,) else part + "AAA"[: 4 - len(part) % 4] + "A",
                    "colon": part + ":", "at": "@" + part,
                    "backslash": part + "\\", "question mark": part[:2] + "?" + part[2:], "semicolon": part + ";", "hash": part + "#",
                    "ampersand": part + "&",
                }
                for bit in (1, 2, 4, 8):
                    if stray(part, bit):
                        changed[f"stray bit {bit}"] = stray(part, bit)
                if place == 2:
                    del changed["blank"]  # White space at the end is the field's, not the token's.
                for name, text in changed.items():
                    self.refuse(f"{name} in part {place}", ".".join(parts[:place] + [text] + parts[place + 1 :]), paths=("/x",))

    def test_controls_are_not_even_heard(self):
        head, content, signature = token().split(".")
        for byte in (0, 1, 7, 8, 0x0B, 0x0C, 0x1B, 0x7F):
            self.refuse(f"byte {byte}", f"{head}.{content}{chr(byte)}.{signature}", status=400, error=None)

    def test_other_alphabets(self):
        head, content, signature = token("RS256").split(".")
        raw = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        for name, form in (("base64", base64.b64encode), ("base32", base64.b32encode), ("hexadecimal", lambda b: b.hex().encode()),
            ("base85", base64.b85encode)):
            text = ".".join(form(raw(part)).decode() for part in (head, content, signature))
            self.refuse(name, text, paths=("/x",))
        self.refuse("lower case", f"{head}.{content}.{signature.lower()}")
        self.refuse("base64url of the whole", base64url(f"{head}.{content}.{signature}".encode()))

    def test_parts_and_dots(self):
        h, p, s = token().split(".")
        forms = [
            ".", "..", "...", "....", ".....", "a", "a.b", "a.b.c", "a.b.c.d", "a.b.c.d.e", "a.b.c.d.e.f", h, f"{h}.", f"{h}..", f".{h}.",
            f"..{s}", f"{h}.{p}", f"{h}.{p}.",
            f"{h}.{p}..", f".{p}.{s}", f"{h}..{s}", f".{h}.{p}.{s}", f"{h}.{p}.{s}.", f"{h}.{p}..{s}", f"{h}..{p}.{s}", f"{h}.{p}.{s}.x",
            f"{h}.{p}.{s}.{s}", f"{h}.{p}.{s}.{s}.{s}",
            f"{h}.{h}.{p}.{s}", f"{h}.{p}.{p}.{s}", f"{h}.{p}.{s}.{h}.{p}.{s}", f"{h}-{p}-{s}", f"{h}_{p}_{s}", f"{h}%2E{p}%2E{s}",
            f"{h}{p}{s}", f"{s}.{p}.{h}", f"{p}.{h}.{s}",
        ]
        for form in forms:
            self.refuse(f"dots {form.count('.')} of {len(form)}", form)
        self.refuse("a JWE", base64url(b'{"alg":"dir","enc":"A128GCM"}') + "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
            reason="token_encrypted")
        self.refuse("a JWE with a key",
            base64url(b'{"alg":"RSA-OAEP","enc":"A256GCM"}') + ".AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
            reason="token_encrypted")
        self.refuse("PBES2", base64url(b'{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647}') + ".AAAA.AAAA.AAAA.AAAA",
            reason="token_encrypted")

    def test_json_serialization(self):
        h, p, s = token().split(".")
        flat = {"protected": h, "payload": p, "signature": s}
        for name, form in (("flattened", flat), ("general", {"payload": p, "signatures": [{"protected": h, "signature": s}]}),
            ("with header", {**flat, "header": {"kid": "ec"}})):
            text = json.dumps(form, separators=(",", ":"))
            self.refuse(name, text, paths=("/x",))
            self.refuse(f"{name}, encoded", base64url(text.encode()))
            self.refuse(f"{name}, as the payload", token(content=form), reason="unknown_issuer")


TAILS = {
    "object behind": b"{}", "brace behind": b"}", "text behind": b" x", "number behind": b"1", "NUL behind": b"\0", "comma behind": b",",
    "null behind": b" null",
    "comment behind": b" // c", "block comment behind": b"/* c */", "line comment": b"# c", "form feed behind": b"\f",
    "no-break space behind": b"\xc2\xa0", "vertical tab behind": b"\v",
}
FRONTS = {"BOM": b"\xef\xbb\xbf", "NUL in front": b"\0", "comment in front": b"/**/", "XSSI guard": b")]}'\n", "while loop": b"for(;;);",
    "no-break space": b"\xc2\xa0", "parenthesis": b"("}
MEMBERS = {
    "NaN": b'"z":NaN', "Infinity": b'"z":Infinity', "-Infinity": b'"z":-Infinity', "undefined": b'"z":undefined', "True": b'"z":True',
    "None": b'"z":None', "nul": b'"z":nul',
    "single quotes": b"'z':1", "no quotes": b"z:1", "value in single quotes": b"\"z\":'a'", "hexadecimal": b'"z":0x10', "octal": b'"z":017',
    "leading zero": b'"z":01', "plus": b'"z":+1',
    "point first": b'"z":.5', "point last": b'"z":5.', "exponent without digits": b'"z":1e', "exponent with sign only": b'"z":1e+',
    "two points": b'"z":1.2.3', "minus alone": b'"z":-',
    "minus zero one": b'"z":-01', "underscore": b'"z":1_000', "blank within a number": b'"z":1 000', "big suffix": b'"z":1n',
    "no value": b'"z":', "no colon": b'"z"', "two colons": b'"z"::1',
    "equals sign": b'"z"=1', "no comma": b'"z":1 "y":2', "two commas": b'"z":1,,"y":2', "comma last": b'"z":1,',
    "semicolon": b'"z":1;"y":2', "array with comma last": b'"z":[1,]', "array of nothing": b'"z":[,]',
    "array not closed": b'"z":[1', "closed by another": b'"z":[1}', "object not closed": b'"z":{"a":1', "string not closed": b'"z":"a',
    "raw line feed": b'"z":"a\nb"', "raw tab": b'"z":"a\tb"',
    "raw NUL": b'"z":"a\0b"', "raw escape": b'"z":"\x1b[31m"', "escape x": b'"z":"\\x41"', "escape quote": b'"z":"\\\'"',
    "escape a": b'"z":"\\a"', "escape digit": b'"z":"\\0"', "escape U": b'"z":"\\U0041"',
    "three hexadecimal digits": b'"z":"\\u041"', "no hexadecimal digits": b'"z":"\\u004g"', "escape braces": b'"z":"\\u{41}"',
    "backslash last": b'"z":"\\',
    "high surrogate": b'"z":"\\ud800"', "low surrogate": b'"z":"\\udc00"', "surrogates exchanged": b'"z":"\\udc00\\ud800"',
    "high twice": b'"z":"\\ud800\\ud800"', "half and text": b'"z":"\\ud83dx"',
    "byte 80": b'"z":"\x80"', "byte ff": b'"z":"\xff"', "overlong /": b'"z":"\xc0\xaf"', "overlong NUL": b'"z":"\xc0\x80"',
    "overlong in three": b'"z":"\xe0\x80\xaf"', "overlong in four": b'"z":"\xf0\x80\x80\xaf"',
    "encoded surrogate": b'"z":"\xed\xa0\x80"', "CESU-8": b'"z":"\xed\xa0\xbd\xed\xb8\x80"', "beyond Unicode": b'"z":"\xf4\x90\x80\x80"',
    "five octets": b'"z":"\xf8\x88\x80\x80\x80"', "cut sequence": b'"z":"\xe2\x82"',
    "Latin-1": b'"z":"\xe9t\xe9"', "bad UTF-8 in a name": b'"\xff":1', "surrogate in a name": b'"\\ud800":1',
    "depth of 17": b'"z":' + b"[" * 16 + b"]" * 16, "depth of 1000": b'"z":' + b"[" * 1000 + b"]" * 1000,
    "objects of depth 17": b'"z":' + b'{"a":' * 16 + b"1" + b"}" * 16, "depth without end": b'"z":' + b"[" * 3000,
    "5000 values": b'"z":[' + b"1," * 4999 + b"1]",
    "twice": b'"z":1,"z":1', "twice with null": b'"z":null,"z":1', "escaped twice": b'"z":1,"\\u007a":2',
    "twice within": b'"z":{"a":1,"a":2}', "twice in a list": b'"z":[{"a":1,"a":2}]',
    "empty names": b'"":1,"":2', "twice among many": b'"z":{' + b",".join(b'"m%d":1' % n for n in range(40)) + b',"m7":2}',
    "number as a name": b"1:2", "null as a name": b"null:1",
}


class JSON(Corpus):
    """Each is signed properly: an honest issuer's, or one that lets users write into its tokens."""

    def both(self, name, change, paths=("/x",)):
        header, content = dump({"alg": "ES256", "kid": "ec"}), dump(claims())
        self.refuse(f"header: {name}", token(head=change(header)), paths=paths)
        self.refuse(f"claims: {name}", token(content=change(content)), paths=paths)

    def test_members(self):
        for name, member in MEMBERS.items():
            self.both(name, lambda text: text[:-1] + b", " + member + b"}")
            self.both(name + " first", lambda text: b"{" + member + b", " + text[1:])

    def test_fronts_and_tails(self):
        for name, tail in TAILS.items():
            self.both(name, lambda text: text + tail)
        for name, front in FRONTS.items():
            self.both(name, lambda text: front + text)

    def test_whole_texts(self):
        for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-7"):
            self.both(codec, lambda text: text.decode().replace('"ec"',
                '"e+AGM-"' if codec == "utf-7" else '"ec"').encode("ascii" if codec == "utf-7" else codec) + (b" +" if codec == "utf-7" else b""))
        for name, whole in (
            ("empty", b""), ("blank", b" "), ("array", b"[]"), ("object in an array", None), ("string", b'"a"'), ("number", b"1"),
            ("null", b"null"), ("true", b"true"), ("empty object", b"{}"),
            ("brace", b"{"), ("two braces", b"}{"), ("YAML", b"alg: ES256"), ("XML", b"<a/>"), ("CBOR", b"\xa1caalg"), ("zeros", bytes(40)),
            ("gzip", b"\x1f\x8b\x08\0"),
        ):
            self.both(name, lambda text: b"[" + text + b"]" if whole is None else whole)
        self.both("as a string", lambda text: json.dumps(text.decode()).encode())
        self.both("cut", lambda text: text[:-1])
        self.both("cut in front", lambda text: text[1:])
        self.both("twice", lambda text: text + text)

    def test_names_that_count_are_there_once(self):
        for first, second in ((b'"alg":"none"', b'"alg":"ES256"'), (b'"alg":"ES256"', b'"alg":"none"'),
            (b'"alg":"ES256"', b'"alg":"ES256"'), (b'"\\u0061lg":"none"', b'"alg":"ES256"'), (b'"alg":"ES256"', b'"al\\u0067":"HS256"')):
            self.refuse(f"{first} {second}", token(head=b"{" + first + b"," + second + b"}"), reason="token_duplicate_name")
        for member in (b'"kid":"ec","kid":"rsa"', b'"kid":"ec","k\\u0069d":"ec"', b'"typ":"JWT","typ":"at+jwt"',
            b'"crit":["exp"],"crit":[]'):
            self.refuse(str(member), token(head=b'{"alg":"ES256",' + member + b"}"), reason="token_duplicate_name")
        for name, value in (("iss", ISSUERS["main"]), ("sub", "eve"), ("aud", "api"), ("exp", 1), ("scope", "admin"), ("roles", ["admin"]),
            ("nbf", 1), ("jti", "x")):
            extra = claims(scope="a", roles=[], nbf=1, jti="y")
            escaped = "".join(f"\\u{ord(character):04x}" for character in name)
            for spelled in (name, escaped, name[0] + escaped[6:]):
                member = f'"{spelled}":{json.dumps(value)}'.encode()
                self.refuse(f"{spelled} twice", token(content=dump(extra)[:-1] + b"," + member + b"}"), reason="token_duplicate_name")
                self.refuse(f"{spelled} twice, first", token(content=b"{" + member + b"," + dump(extra)[1:]), reason="token_duplicate_name")

    def test_json_that_is_fine(self):
        good = {
            "blanks": lambda text: b" \t\r\n" + text.replace(b":", b" :\n\t ").replace(b'https :\n\t ', b"https:") + b"\r\n ",
            "escapes": lambda text: text.replace(b'"a', b'"\\u0061'),
            "depth of 16": lambda text: text[:-1] + b',"z":' + b"[" * 15 + b"]" * 15 + b"}",
            "4000 values": lambda text: text[:-1] + b',"z":[' + b"1," * 3999 + b"1]}",
            "numbers": lambda text: text[:-1] + b',"z":[0,-0,1e5,1.5E-3,-0.0,1e400,123456789012345678901234567890]}',
            "empty things": lambda text: text[:-1] + b',"":"","y":{},"z":[]}',
            "a pair": lambda text: text[:-1] + b',"z":"\\ud83d\\ude00 \xf0\x9f\x98\x80"}',
            "names alike": lambda text: text[:-1] + b',"Alg":"none","ALG":"none","Sub":"eve","sub ":"eve","sub\\u0000":"eve"}',
            "two hundred names": lambda text: text[:-1] + b"".join(b',"m%d":1' % n for n in range(200)) + b"}",
            "literals": lambda text: text[:-1] + b',"z":[true,false,null]}',
        }
        for name, change in good.items():
            self.admit(f"header: {name}", token(head=change(dump({"alg": "ES256"}))))
            self.admit(f"claims: {name}", token(content=change(dump(claims()))))
        for rest in (0, 2, 3):
            self.admit(f"parts of 4n+{rest}", with_length(rest))
        self.assertEqual(len(RING.sign("HS512", b"")), 64)
        self.admit("a long one", token(content=claims(z="x" * 11000)))
