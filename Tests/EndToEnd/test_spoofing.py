"""What a client says of itself: identity, addresses, methods, ids. Nothing of it is believed, in whatever spelling."""

import itertools
import json
import re

from harness import Keys, TestCase

ROUTES = """
assertion: {issuer: "https://gateway.example", key: "file:assertion.pem", claims: [email]}
identity:
  headers:
    - {claim: sub, header: X-User-Id}
    - {claim: email, header: X-User-Email}
    - {claim: roles, header: X-User-Roles}
    - {claim: iss, header: X-Auth-Issuer}
    - {claim: tenant.id, header: Tenant}
    - {claim: n, header: X-N-1}
  protected_headers: [X-Internal-Secret]
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: maybe, match: {path: /maybe}, auth: optional, forward: {upstream: a}}
  - {name: asserted, match: {path: /asserted}, auth: optional, assertion: {audience: x}, forward: {upstream: a}}
  - {name: rest, match: {path: /}, forward: {upstream: a, authorization: strip}}
  - {name: proto, match: {path: /proto, headers: [{name: X-Forwarded-Proto, value: https}]}, auth: public, respond: {status: 299}}
  - {name: noproto, match: {path: /proto}, auth: public, respond: {status: 298}}
  - {name: method, match: {path: /method, headers: [{name: X-HTTP-Method-Override, value: DELETE}]}, auth: public, respond: {status: 299}}
  - {name: nomethod, match: {path: /method}, auth: public, respond: {status: 298}}
  - {name: id, match: {path: /id, headers: [{name: X-Request-Id}]}, auth: public, respond: {status: 299}}
  - {name: ownid, match: {path: /id, headers: [{name: X-Correlation-Id}]}, auth: public, respond: {status: 297}}
  - {name: noid, match: {path: /id}, auth: public, respond: {status: 298}}
"""
PROTECTED = "X-User-Id X-User-Email X-User-Roles X-Auth-Issuer X-Portcullis-Assertion X-Internal-Secret Tenant X-N-1".split()
SEPARATORS = "_.!#$%&'*+^|~`-"


def folded(name):
    """As the most generous server would read a name."""
    return re.sub("-+", "-", re.sub("[^a-z0-9]", "-", name.lower())).strip("-")


def aliases(name):
    parts = name.split("-")
    yield from (name, name.lower(), name.upper(), name.swapcase())
    for separator in SEPARATORS[:-1]:
        yield separator.join(parts)
    if len(parts) > 2:
        yield parts[0] + "-" + "_".join(parts[1:])
        yield "_".join(parts[:-1]) + "-" + parts[-1]
        yield parts[0] + "." + "-".join(parts[1:]).upper()
    if len(parts) > 1:
        yield from ("--".join(parts), "__".join(parts), "-_".join(parts), "_-_".join(parts), "..".join(parts).lower())
    for separator in "-_.~":
        yield from (separator + name, name + separator, separator * 2 + name, separator + name + separator)


ALIASES = {name: list(dict.fromkeys(aliases(name))) for name in PROTECTED}
FORWARDING = (
    "X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-Server X-Forwarded-User "
    "X-Forwarded-Email X-Forwarded-Uri X-Forwarded-Method X-Forwarded-Groups X-Forwarded-Client-Cert X-Forwarded-Ssl X-Forwarded-By "
    "X-Forwarded-Scheme X-Forwarded-Path X-Forwarded-Access-Token X-Forwarded Forwarded X-Real-IP X-Client-IP X-Cluster-Client-IP "
    "True-Client-IP CF-Connecting-IP X-Original-URL X-Original-URI X-Original-Method X-Original-Host X-Original-Forwarded-For "
    "X-Rewrite-URL X-Envoy-External-Address X-Envoy-Original-Path X-Envoy-Internal"
).split()
OVERRIDES = "X-HTTP-Method-Override X-HTTP-Method X-Method-Override".split()


class Spoofing(TestCase):
    unusual = "drop"
    configuration = Keys.ISSUERS + ROUTES

    def check_gone(self, path, credential, fields):
        """Sends many fields at once, each with a value of its own, and finds none of them at the service."""
        self.upstream.forget()
        sent = [(name, f"forged-{index}") for index, name in enumerate(fields)]
        answer = self.gateway.get(path, credential, sent)
        self.assertEqual(answer.status, 200)
        for (name, value) in sent:
            with self.subTest(name, path=path):
                self.assertNotRegex(answer.body, rf"{value}(?![0-9])")
        return answer

    def test_no_spelling_of_a_protected_field_arrives(self):
        token = self.keys.token(email="a@b.example", roles=["r"], tenant={"id": "t"}, n=5)
        told = {"X-User-Id": "ada", "X-User-Email": "a@b.example", "X-User-Roles": "r", "Tenant": "t", "X-N-1": "5"}
        for name in PROTECTED:
            self.assertTrue(all(folded(alias) == name.lower() for alias in ALIASES[name]))
            for path, credential in (("/open", None), ("/maybe", None), ("/maybe", token), ("/x", token), ("/asserted", None)):
                answer = self.check_gone(path, credential, ALIASES[name])
                for header, value in told.items():
                    self.assertEqual(answer.seen(header), [value] if credential else [])
                self.assertEqual(answer.seen("X-Internal-Secret"), [])
                self.assertEqual(answer.seen("X-Portcullis-Assertion"), [])

    def test_one_by_one_repeated_and_empty(self):
        for name in PROTECTED:
            for alias in ALIASES[name][:4] + ALIASES[name][-4:]:
                for values in (["forged"], ["forged", "forged"], [""], ["", "forged"]):
                    with self.subTest(alias, values=values):
                        body = self.gateway.get("/open", None, [(alias, value) for value in values]).body
                        names = {folded(line.split(":")[0]) for line in body.split("\r\n")[1:] if ":" in line}
                        self.assertNotIn(name.lower(), names)

    def test_no_spelling_arrives_as_a_trailer(self):
        for name in PROTECTED + FORWARDING + OVERRIDES + ["Authorization", "Host", "Content-Length", "X-Request-Id", "Cookie", "Proxy"]:
            lines = "".join(f"{alias}: forged\r\n" for alias in ALIASES.get(name, [name, name.lower(), name.replace("-", "_")]))
            answer = self.gateway.raw(
                b"POST /open HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"5\r\nhello\r\n0\r\nX-Check: kept\r\n" + lines.encode() + b"\r\n"
            )
            with self.subTest(name):
                self.assertIn(b"X-Check: kept", answer)
                self.assertNotIn(b"forged", answer)

    def test_connection_cannot_take_a_protected_field_away(self):
        names = [alias for name in PROTECTED for alias in ALIASES[name][:12] + ALIASES[name][-6:]]
        names += FORWARDING + OVERRIDES + ["Authorization", "Cookie", "X-Request-Id", "traceparent", "tracestate", "Host"]
        for name in names:
            for value in (name, "close, " + name, "keep-alive,\t" + name + " ,"):
                with self.subTest(value):
                    self.upstream.forget()
                    answer = self.gateway.get("/x", self.keys.token(), [("Connection", value)])
                    self.assertEqual((answer.status, self.upstream.received()), (400, b""))

    def test_nobody_says_where_a_request_came_from_or_what_it_was(self):
        spellings = [name.lower() for name in FORWARDING + OVERRIDES] + [name.upper() for name in FORWARDING + OVERRIDES]
        for names in (FORWARDING, OVERRIDES, spellings[:50], spellings[50:], [n.replace("-", "_") for n in FORWARDING + OVERRIDES]):
            for path, credential in (("/open", None), ("/x", self.keys.token())):
                answer = self.check_gone(path, credential, names)
                self.assertEqual(answer.seen("X-Forwarded-For"), ["127.0.0.1"])
                self.assertEqual(answer.seen("X-Forwarded-Proto"), ["http"])
                self.assertEqual(answer.seen("X-Forwarded-Host"), ["gateway.example"])

    def test_no_program_behind_cgi_is_told_of_a_proxy(self):
        self.check_gone("/open", None, ["Proxy", "proxy", "PROXY", "Proxy_", "_proxy", ".Proxy"])
        self.assertIn("kept", self.gateway.get("/open", None, [("Proxy-Kind", "kept")]).body)

    def test_no_route_is_chosen_by_what_a_stranger_says(self):
        self.assertEqual(self.gateway.get("/proto", None, [("X-Forwarded-Proto", "https")]).status, 298)
        self.assertEqual(self.gateway.get("/proto", None, [("x-forwarded-proto", "https")] * 2).status, 298)
        self.assertEqual(self.gateway.get("/method", None, [("X-HTTP-Method-Override", "DELETE")]).status, 298)
        self.assertEqual(self.gateway.get("/id", None, [("X-Request-Id", "a")]).status, 298)
        # Not the name of the id here.
        self.assertEqual(self.gateway.get("/id", None, [("X-Correlation-Id", "a")]).status, 297)

    def test_request_ids_are_ours(self):
        for name in ("X-Request-Id", "x-request-id", "X-REQUEST-ID", "X_Request_Id", "X.Request.Id"):
            seen = self.gateway.get("/open", None, [(name, "forged")]).seen("X-Request-Id")
            self.assertEqual(len(seen), 1)
            self.assertRegex(seen[0], "^[0-9a-f]{32}$")

    def test_the_token_reaches_only_services_that_may_have_it(self):
        token = self.keys.token()
        self.assertEqual(self.gateway.get("/maybe", token).seen("Authorization"), ["Bearer " + token])
        for name in ("Authorization", "authorization", "AUTHORIZATION"):
            answer = self.gateway.get("/x", None, [(name, "Bearer " + token)])
            self.assertEqual((answer.status, answer.seen("Authorization")), (200, []))
        self.assertNotIn(token, self.gateway.get("/x", token, [("Proxy-Authorization", "Bearer " + token)]).body)

    def test_trace_context_is_well_formed_or_ours(self):
        good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        bad = [
            "", "00", good[:-1], good + "0", good + "-", good.upper(), good.replace("-", "_"), "ff" + good[2:], "0" * 55,
            "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
            good.replace("a", "g"), good + "," + good, " ".join([good, good]), "00--" + good[4:], good[:-2] + "0x",
        ]
        for fields, kept in [([("traceparent", good), ("tracestate", "a=1")], True), ([("traceparent", good)] * 2, False)] + [
            ([("traceparent", value), ("tracestate", "a=1")], False) for value in bad
        ] + [([("tracestate", "a=1")], False)]:
            with self.subTest(fields):
                answer = self.gateway.get("/open", None, fields)
                seen = answer.seen("traceparent")
                self.assertEqual(len(seen), 1)
                self.assertRegex(seen[0], "^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$")
                self.assertEqual(seen[0] == good, kept)
                self.assertEqual(answer.seen("tracestate"), ["a=1"] if kept else [])

    CLAIMS = (
        ("ada", "ada"), ("a,b", "a%2Cb"), ("a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"), ("\n", "%0A"), ("\x00", "%00"), ("\x7f", "%7F"),
        ("\t", "%09"), (" a", "%20a"), ("a ", "a%20"), (" ", "%20"), ("a b", "a b"), ("%", "%25"), ("%2C", "%252C"), ("zo\u00eb", "zo%C3%AB"),
        ("\u2028", "%E2%80%A8"), ("\U0001f600", "%F0%9F%98%80"), ("", None), (None, None), (True, "true"), (False, "false"), (0, "0"),
        (-7, "-7"), (1.5, "1.5"), (12345678901234567890123, "12345678901234567890123"), ([], None), ([[]], None), ([["a"]], None),
        ({}, None), ({"a": 1}, None), ([{"a": 1}], None), ([None], None), (["a"], "a"), (["a", "b"], "a,b"), (["a,b"], "a%2Cb"),
        (["a", ""], "a,"), (["", "a"], ",a"), ([1, True, "x"], "1,true,x"), (["a\r\nb", " c "], "a%0D%0Ab,%20c%20"), ("x" * 4096, "x" * 4096),
        ("x" * 4097, None), (["y" * 3000, "z" * 3000], None), ("\u00e9" * 1400, None), (["a"] * 2049, None), ('"\\;=<>', '"\\;=<>'),
    )

    def test_no_claim_breaks_a_line_or_a_list(self):
        for claim, told in self.CLAIMS:
            for name, header in (("roles", "X-User-Roles"), ("email", "X-User-Email")):
                with self.subTest(claim, header=header):
                    answer = self.gateway.get("/x", self.keys.token(**{name: claim}), [(header, "forged")])
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(answer.seen(header), [] if told is None else [told])
                    self.assertEqual(answer.seen("X-Evil"), [])
                    self.assertEqual(answer.seen("X-User-Id"), ["ada"])

    def test_lists_are_told_unambiguously(self):
        words = ["", "a", ",", "%", " ", "a,b", "%2C", "\u00e9", "\r"]
        seen = {}
        for roles in itertools.product(words, repeat=2):
            value = self.gateway.get("/x", self.keys.token(roles=list(roles))).seen("X-User-Roles")[0]
            self.assertEqual(seen.setdefault(value, roles), roles)

    def test_claims_that_are_no_text_are_refused(self):
        for raw in (b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"', b'"\xc0\xaf"', b'"a\nb"', b'"a\x00b"', b'"\\x41"'):
            with self.subTest(raw):
                text = lambda content: json.dumps(content).encode().replace(b'"@"', raw)
                self.assertEqual(self.gateway.get("/x", self.keys.token(raw=text, email="@")).status, 401)


class UnusualNamesAllowed(Spoofing):
    """The same with `unusual_names: allow`: folding alone protects."""

    configuration = "http: {unusual_names: allow}\n" + Keys.ISSUERS + ROUTES

    def test_other_unusual_names_do_arrive(self):
        answer = self.gateway.get("/open", None, [("my_field", "kept"), ("My.Own~Field", "kept"), ("user_agents", "kept")])
        self.assertEqual(answer.body.count("kept"), 3)

    def test_spellings_of_fields_with_a_meaning_do_not(self):
        names = "Content_Length Transfer_Encoding X_Real_IP Host. _Host Cookie_ X__Forwarded__For Forwarded_ X-HTTP-Method_Override Connection_"
        self.check_gone("/open", None, names.split())

    def test_nor_do_long_ones(self):
        for name in FORWARDING + OVERRIDES + ["X-Request-Id", "Content-Length"]:
            squeezed = name.replace("-", "_" * 60)
            self.check_gone("/open", None, [squeezed, "_" * 70 + name, name + "." * 70, "~" * 200 + squeezed + "~" * 200])
        self.check_gone("/open", None, ["X_Forwarded_" + "a" * 100, "x.original." + "b." * 50])
        answer = self.gateway.get("/open", None, [("my_" + "long_" * 30 + "field", "kept"), ("_" * 70 + "Forwarded_Fors", "kept")])
        self.assertEqual(answer.body.count("kept"), 2)


class TrustedPeers(TestCase):
    configuration = "trusted_proxies: [127.0.0.0/8]\nhttp: {forwarded: both, request_id_header: X-Correlation-Id}\n" + Keys.ISSUERS + ROUTES

    def test_what_a_trusted_proxy_says_of_the_client_goes_on(self):
        fields = [
            ("X-Forwarded-For", "203.0.113.7, 198.51.100.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "public.example"),
            ("Forwarded", "for=203.0.113.7"), ("X-Real-IP", "203.0.113.7"), ("X-Original-URL", "/x"), ("X-Correlation-Id", "abc-123"),
        ]
        answer = self.gateway.get("/open", None, fields)
        self.assertEqual(answer.seen("X-Forwarded-For"), ["203.0.113.7, 198.51.100.1, 127.0.0.1"])
        self.assertEqual(answer.seen("X-Forwarded-Proto"), ["https"])
        self.assertEqual(answer.seen("X-Forwarded-Host"), ["public.example"])
        self.assertEqual(answer.seen("Forwarded"), ["for=203.0.113.7", 'for=127.0.0.1;host="gateway.example";proto=http'])
        self.assertEqual(answer.seen("X-Correlation-Id"), ["abc-123"])
        self.assertEqual(self.gateway.get("/proto", None, [("X-Forwarded-Proto", "https")]).status, 299)
        self.assertEqual(self.gateway.get("/id", None, [("X-Correlation-Id", "a")]).status, 297)
        self.assertEqual(self.gateway.get("/id", None, [("X-Request-Id", "a")]).status, 298)
        self.assertEqual(self.gateway.get("/method", None, [("X-HTTP-Method-Override", "DELETE")]).status, 298)

    def test_lines_of_addresses_become_one(self):
        for lines, told in (
            (["203.0.113.7", "198.51.100.1"], "203.0.113.7, 198.51.100.1, 127.0.0.1"), ([""], "127.0.0.1"),
            (["203.0.113.7", ""], "203.0.113.7, 127.0.0.1"), (["", " ", "203.0.113.7"], "203.0.113.7, 127.0.0.1"),
        ):
            answer = self.gateway.get("/open", None, [("X-Forwarded-For", line) for line in lines])
            self.assertEqual(answer.seen("X-Forwarded-For"), [told])

    def test_an_id_that_is_none_is_replaced(self):
        for value in ("", "a b", "a\x09b", 'a"b', "a" * 129, "<x>", "a,b", "a{b}", "\xe9"):
            with self.subTest(value):
                seen = self.gateway.get("/open", None, [("X-Correlation-Id", value)]).seen("X-Correlation-Id")
                self.assertEqual(len(seen), 1)
                self.assertRegex(seen[0], "^[0-9a-f]{32}$")

    def test_identity_methods_and_tokens_are_not_its_to_say(self):
        for name in PROTECTED + OVERRIDES:
            for alias in ALIASES.get(name, [name]):
                with self.subTest(alias):
                    self.assertNotIn("forged", self.gateway.get("/open", None, [(alias, "forged")]).body)


class OwnIDName(TestCase):
    """The field of the request's id is protected under whatever name it has."""

    configuration = "http: {unusual_names: allow, request_id_header: X-Correlation-Id}\n" + Keys.ISSUERS + ROUTES

    def test_ids_under_that_name_are_ours(self):
        for name in aliases("X-Correlation-Id"):
            with self.subTest(name):
                answer = self.gateway.get("/open", None, [(name, "forged"), ("X-Other", "kept")])
                self.assertNotIn("forged", answer.body)
                self.assertIn("kept", answer.body)
                self.assertEqual(len(answer.seen("X-Correlation-Id")), 1)

    def test_no_route_is_chosen_by_it(self):
        self.assertEqual(self.gateway.get("/id", None, [("X-Correlation-Id", "a")]).status, 298)

    def test_no_id_arrives_as_a_trailer(self):
        lines = "".join(f"{name}: forged\r\n" for name in aliases("X-Correlation-Id"))
        answer = self.gateway.raw(
            b"POST /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n0\r\nX-Check: kept\r\n" + lines.encode() + b"\r\n"
        )
        self.assertIn(b"X-Check: kept", answer)
        self.assertNotIn(b"forged", answer)

    def test_connection_cannot_take_it_away(self):
        for name in aliases("X-Correlation-Id"):
            for value in (name, "close, " + name):
                with self.subTest(value):
                    self.upstream.forget()
                    answer = self.gateway.get("/open", None, [("Connection", value)])
                    self.assertEqual((answer.status, self.upstream.received()), (400, b""))
