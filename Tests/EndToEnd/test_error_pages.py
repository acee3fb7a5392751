"""Errors of the gate as pages: in the reader's language, with the portal's look, and with a way on."""

import html
import re

from frames import CONTINUATION, END_HEADERS, END_STREAM, H2, HEADERS, block, frame, request
from sessions import ACCOUNTS, BOB, SessionCase

ROUTES = """
upstreams:
  - {name: a, servers: ["127.0.0.1:@UPSTREAM@"]}
  - {name: dead, servers: ["127.0.0.1:1"], refused_pause: 0s}
routes:
  - {name: dead, match: {path: /dead}, auth: public, forward: {upstream: dead}}
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: admin, match: {path: /admin}, roles: {any: [admin]}, forward: {upstream: a}}
  - {name: all, match: {path: /x}, forward: {upstream: a}}
"""
NAVIGATION = [("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]


class ErrorPages(SessionCase):
    configuration = ACCOUNTS + """
workers: 1
listeners: [{name: main, address: "127.0.0.1:0"}]
sessions: {store: memory}
limits: {body: 2KiB}
portal: {title: "Bell & Sons"}
""" + ROUTES

    def page(self, path, language="en", method="GET", browser=None, body=None, fields=()):
        browser = browser or self.browser()
        return browser.send(method, path, [*NAVIGATION, ("Accept-Language", language), *fields], body)

    def test_they_look_like_the_portal_in_the_readers_language(self):
        bob = self.browser().sign_in(BOB)
        for browser, path, status, english, german in (
            (bob, "/admin", 403, "You may not use this page", "Sie dürfen diese Seite nicht benutzen"),
            (bob, "/nowhere", 404, "There is no such page", "Diese Seite gibt es nicht"),
            (bob, "/dead", 502, "This service gives no proper answer", "Dieser Dienst antwortet nicht richtig"),
        ):
            for language, tag, title in (
                ("en", "en", english), ("de", "de", german), ("DE-at, en;q=0.9", "de", german), ("fr, *", "en", english),
                ("en;q=0.2, de;q=0.4", "de", german), ("de;q=0, en", "en", english), ("", "en", english),
                ("fr;q=1,de;q=0.8,en;q=0.9", "en", english), (",;q=, de", "de", german), ("d, deu", "en", english),
            ):
                with self.subTest(path=path, language=language):
                    reply = self.page(path, language, browser=browser)
                    self.assertEqual((reply.status, reply.get("content-language")), (status, tag))
                    self.assertEqual(reply.get("content-type"), "text/html; charset=utf-8")
                    self.assertEqual(reply.get("cache-control"), "no-store")
                    self.assertIn(f"<h1>{title}</h1>", reply.text)
                    self.assertIn(f'<html lang="{tag}"', reply.text)
                    self.assertIn("Bell &amp; Sons", reply.text)
                    self.assertIn(reply.get("x-request-id"), reply.text)
                    self.assertNotIn("slot-", reply.text)
                    self.assertNotIn("lang=de", reply.text)
                    policy = reply.get("content-security-policy")
                    self.assertIn("style-src 'sha256-", policy)
                    self.assertNotIn("unsafe-inline", policy)
                    self.assertIn("<style>", reply.text)

    def test_a_form_that_was_sent_without_a_session_leads_to_the_login_and_back(self):
        browser = self.browser()
        for referer, target in (
            (browser.origin + "/x/form?id=7&b=%22", "/x/form?id=7&b=%22"), ("https://evil.example/x", None),
            (browser.origin + ".evil.example/x", None), (browser.origin + "//evil.example", None), (None, None),
        ):
            with self.subTest(referer):
                fields = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", browser.origin)]
                if referer:
                    fields.append(("Referer", referer))
                reply = self.page("/x/save", "de", "POST", body=b"a=1", fields=fields)
                self.assertEqual((reply.status, reply.get("www-authenticate") is not None), (401, True))
                self.assertIn("wurde nicht gespeichert", reply.text)
                self.assertNotIn("token", reply.text)
                link = html.unescape(re.search(r'href="(/auth/login[^"]*)"', reply.text)[1])
                self.assertNotIn("evil", link)
                self.assertEqual("return_to" in link, target is not None)
                if target:
                    browser = self.browser()
                    reply = browser.login(path=link)
                    self.assertEqual((reply.status, reply.location), (303, target))

    def test_heads_that_are_too_large(self):
        """What was read of them says how to tell it: browsers send Accept before cookies."""
        for path, fields, status, english, german in (
            ("/x/" + "a" * 8300, [], 414, "This address is too long", "Diese Adresse ist zu lang"),
            ("/x", [("Cookie", "a=" + "x" * 33_000)], 431, "Your browser sent too much along", "zu viel mitgeschickt"),
            ("/x", [("Cookie", "a=1; " * 256 + "b=2")], 431, "Your browser sent too much along", "zu viel mitgeschickt"),
            ("/x", [(f"X-{n}", "x" * 4000) for n in range(10)], 431, "Your browser sent too much along", "zu viel mitgeschickt"),
            ("/x", [(f"X-{n}", "x") for n in range(120)], 431, "Your browser sent too much along", "zu viel mitgeschickt"),
        ):
            for language, tag, title in (("en", "en", english), ("de-DE,de;q=0.9", "de", german)):
                with self.subTest(status=status, language=language, fields=len(fields)):
                    reply = self.page(path, language, fields=fields)
                    self.assertEqual((reply.status, reply.get("content-language")), (status, tag))
                    self.assertEqual(reply.get("content-type"), "text/html; charset=utf-8")
                    self.assertIn(title, reply.text)
                    self.assertIn(reply.get("x-request-id"), reply.text)
                    self.assertEqual(self.page(path, language, "HEAD", fields=fields).body, b"")
            for accept in ([], [("Accept", "*/*")], [("Accept", "application/json, text/html;q=0.5")]):
                reply = self.browser().send("GET", path, [*accept, *fields])
                self.assertEqual((reply.status, reply.get("content-type")), (status, "application/problem+json"))

    def test_heads_that_are_too_large_over_http2(self):
        head = [(b"accept", b"text/html"), (b"accept-language", b"de")]
        for fields, status, title in (
            (request(path=b"/" + b"a" * 9000) + head, 414, "Diese Adresse ist zu lang"),
            (request() + head + [(b"x", b"a" * 40000)], 431, "zu viel mitgeschickt"),
            (request() + head + [(b"x%d" % number, b"a") for number in range(120)], 431, "zu viel mitgeschickt"),
            (request() + [(b"x", b"a" * 40000)] + head, 431, None),
        ):
            with self.subTest(status=status, title=title), H2(self.gateway.port) as client:
                text = block(fields)
                pieces = [text[at : at + 16000] for at in range(0, len(text), 16000)]
                for number, piece in enumerate(pieces):
                    kind = CONTINUATION if number else HEADERS
                    flags = (0 if number else END_STREAM) | (END_HEADERS if piece is pieces[-1] else 0)
                    client.send(frame(kind, flags, 1, piece))
                answer = client.answer(1)
                self.assertEqual(answer.status, status)
                body = bytes(answer.body).decode()
                self.assertTrue(title in body if title else body.startswith("{"), body[:200])

    def test_programs_still_get_problems(self):
        for accept in ("application/json", "*/*", "application/json, text/html;q=0.5"):
            reply = self.browser().send("GET", "/nowhere", [("Accept", accept), ("Accept-Language", "de")])
            self.assertEqual((reply.status, reply.get("content-type")), (404, "application/problem+json"))
            self.assertEqual(reply.json["code"], "no_route")
            self.assertIsNone(reply.get("content-language"))

    def test_head_and_too_much(self):
        reply = self.page("/nowhere", method="HEAD")
        self.assertEqual((reply.status, reply.body), (404, b""))
        reply = self.page("/open", "de", "POST", body=b"x" * 2049)
        self.assertEqual(reply.status, 413)
        self.assertIn("Das war zu viel", reply.text)
