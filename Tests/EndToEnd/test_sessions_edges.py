"""Sessions where parts meet: HTTP/2, connections that are shared or cut, reloads, logs, assertions, plain http."""

import base64
import http.client
import json
import pathlib
import random
import shutil
import signal
import socket
import tempfile
import threading
import time
import unittest

import http2
import peers
from harness import Gateway, Upstream
from sessions import ACCOUNTS, ADA, BOB, CODE, DEVICE, FLOW, HOST, PASSWORDS, RITA, SESSION, TINA, Browser, Clock, Directory, Live, SessionCase
from sessions import answer, command, parallel
from test_websocket import take_frame
from timing import steady

AUTHORITY = peers.Authority()
FRONT = AUTHORITY.issue(HOST)
ROUTES = """
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: asserted, match: {path: /asserted}, assertion: {audience: orders}, forward: {upstream: a}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""
CONFIGURATION = ACCOUNTS + """
workers: 2
sessions: {store: sqlite, maximum_per_account: 10000, remember_me: 720h}
access_log: {path: access.log}
assertion: {issuer: "https://gateway.example", algorithm: ES256, key: "file:assertion.pem", claims: [email, roles]}
listeners:
  - {name: main, address: "127.0.0.1:0"}
  - {name: tls, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
""" + ROUTES
OWN = [("Sec-Fetch-Site", "same-origin")]
POST = f"POST /auth/login HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nAccept: application/json\r\n"


class Base(SessionCase):
    configuration = CONFIGURATION
    files = {"a.pem": FRONT.pem, "a.key": FRONT.key_pem}

    @property
    def tls(self):
        return int(self.gateway.addresses["tls"].rsplit(":", 1)[1])

    def h2(self):
        client = http2.Client(self.tls, AUTHORITY.context(["h2"]))
        self.addCleanup(client.socket.close)
        client.until(lambda: client.settled)
        return client


class OverHTTP2(Base):
    def test_login_and_logout(self):
        client = self.h2()
        body = json.dumps({"username": ADA, "password": PASSWORDS[ADA]}).encode()
        fields = [("content-type", "application/json"), ("accept", "application/json")]
        reply = client.get("/auth/login", method="POST", fields=fields, body=body)
        self.assertEqual(reply.status, 200)
        cookies = [value.split(";")[0] for name, value in reply.fields if name == "set-cookie"]
        cookie = next(one for one in cookies if one.startswith(SESSION))
        self.assertIn(b"X-User-Id: ada", client.get("/x", fields=[("cookie", cookie)]).body)
        self.assertEqual(client.get("/auth/login", method="HEAD").body, b"")
        # In pieces, and more of it than is taken.
        stream = client.request("/auth/login", "POST", fields, ends=False)
        client.send(stream, body[:10])
        client.send(stream, body[10:], ends=True)
        self.assertEqual(client.reply(stream).status, 200)
        stream = client.request("/auth/login", "POST", fields, body=b"x" * 40000)
        self.assertEqual(client.reply(stream).status, 413)
        reply = client.get(
            "/auth/logout", method="POST", fields=[*fields, ("cookie", cookie), ("sec-fetch-site", "same-origin")], body=b"{}"
        )
        self.assertEqual(reply.status, 200)
        self.assertEqual(client.get("/x", fields=[("cookie", cookie)]).status, 401)

    def test_content_and_trailers_wait_for_the_session(self):
        """Nothing of a request goes to the backend before its head, though the session is looked up first."""
        for number in range(6):
            # Each is unknown to the worker when it is used first.
            cookie = self.browser().sign_in().session
            client = self.h2()
            fields = [("cookie", f"{SESSION}={cookie}"), *[(name.lower(), value) for name, value in OWN]]
            smuggled = b"GET /admin HTTP/1.1\r\nHost: a\r\nX-User-Id: root\r\n\r\n"
            self.upstream.forget()
            stream = client.h2.get_next_available_stream_id()
            client.replies[stream] = http2.Reply()
            head = [(":method", "POST"), (":scheme", "https"), (":authority", HOST), (":path", f"/x{number}")]
            client.h2.send_headers(stream, head + fields)
            client.h2.send_data(stream, smuggled)
            client.h2.send_headers(stream, [("x-t", "1")], end_stream=True)
            client.flush()
            self.assertEqual(client.reply(stream).status, 200)
            received = self.upstream.received()
            self.assertTrue(received.startswith(f"POST /x{number} HTTP/1.1\r\n".encode()), received[:200])
            head, _, content = received.partition(b"\r\n\r\n")
            self.assertTrue(content.startswith(b"%x\r\n" % len(smuggled) + smuggled + b"\r\n0\r\n"), content)
            self.assertTrue(content.lower().endswith(b"\r\n0\r\nx-t: 1\r\n\r\n"), content)

    def test_streams_end_with_logout_and_others_go_on(self):
        client, browser, other = self.h2(), self.browser().sign_in(), self.browser().sign_in(BOB)
        cookie, kept = (("cookie", f"{SESSION}={one.session}") for one in (browser, other))
        own = client.request("/auth/session/events", fields=[cookie])
        events = client.request("/events", fields=[cookie])
        kept_on = client.request("/events", fields=[kept])
        web = client.request(
            "/socket", "CONNECT", [("sec-websocket-version", "13"), ("sec-fetch-site", "same-origin"), cookie], ends=False,
            protocol="websocket"
        )
        forged = client.request(
            "/socket", "CONNECT", [("sec-websocket-version", "13"), ("origin", "https://evil.example"), cookie], ends=False,
            protocol="websocket"
        )
        self.assertEqual(client.reply(forged).status, 403)
        self.assertTrue(client.until(lambda: all(client.replies[one].body for one in (own, events, kept_on, web))))
        begin = steady()
        browser.api("/auth/logout", {}, fields=OWN)
        for stream in (own, events, web):
            self.assertTrue(client.until(lambda: client.replies[stream].over, 5), stream)
        self.assertLess(steady() - begin, 1.0)
        self.assertIn(b"event: ended", client.replies[own].body)
        self.assertTrue(client.replies[own].ended and client.replies[events].ended)
        frames, rest = [], client.replies[web].body
        while taken := take_frame(rest):
            frames.append(taken[:2])
            rest = taken[2]
        self.assertEqual((frames[-1][0], frames[-1][1][:2]), (8, (1008).to_bytes(2, "big")))
        before = client.replies[kept_on].received
        self.assertTrue(client.until(lambda: client.replies[kept_on].received > before))

    def test_a_stream_of_events_that_nobody_hears_any_more(self):
        client, browser = self.h2(), self.browser().sign_in()
        stream = client.request("/auth/session/events", fields=[("cookie", f"{SESSION}={browser.session}")])
        self.assertTrue(client.until(lambda: client.replies[stream].body))
        client.reset(stream)
        self.assertEqual(client.get("/x", fields=[("cookie", f"{SESSION}={browser.session}")]).status, 200)


class Connections(Base):
    def test_requests_one_after_the_other_on_one_connection(self):
        browser = self.browser().sign_in()
        body = json.dumps({"username": BOB, "password": PASSWORDS[BOB]})
        head = f"Host: {HOST}\r\nCookie: {SESSION}={browser.session}\r\n"
        login = f"{POST}Content-Length: {len(body)}\r\n\r\n{body}"
        chunked = f"{POST}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n0\r\n\r\n"
        get, facts = f"GET /x HTTP/1.1\r\n{head}\r\n", f"GET /auth/session HTTP/1.1\r\n{head}\r\n"
        last = f"GET /x HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
        raw = self.gateway.raw((get + login + facts + chunked + get + facts + login + last).encode(), wait=5)
        self.assertEqual(raw.count(b"HTTP/1.1 200 OK"), 8, raw[-500:])
        self.assertTrue(raw.endswith(b"<EOF>"))
        self.assertEqual(raw.count(b"X-User-Id: ada"), 3)
        self.assertEqual(raw.count(b'"user":"bob"') , 3)
        self.assertEqual(raw.count(b'"user":"ada"'), 2)

    def test_a_body_that_is_waited_for(self):
        body = json.dumps({"username": BOB, "password": PASSWORDS[BOB]})
        head = f"{POST}Expect: 100-continue\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        raw = self.gateway.raw(head.encode(), body[:9].encode(), body[9:].encode(), wait=5, pause=0.2)
        self.assertTrue(raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "), raw[:80])
        self.assertIn(SESSION.encode(), raw)
        old = POST.replace("HTTP/1.1", "HTTP/1.0") + f"Content-Length: {len(body)}\r\n\r\n{body}"
        raw = self.gateway.raw(old.encode(), wait=5)
        self.assertIn(SESSION.encode(), raw)
        self.assertTrue(raw.endswith(b"<EOF>"))

    def test_long_bodies(self):
        """Whatever is below the limit is read whole, and what is above it is refused, however it comes."""
        for size, status in ((7000, 200), (9000, 200), (16000, 200), (16500, 413), (100_000, 413)):
            text = json.dumps({"username": BOB, "password": PASSWORDS[BOB], "return_to": "/" + "x" * 2000, "other": ""})
            body = (text[:-2] + "x" * (size - len(text)) + text[-2:]).encode()
            head = POST + "Connection: close\r\n"
            parts = [body[at : at + 3000] for at in range(0, size, 3000)]
            pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
            for raw in (
                self.gateway.raw(f"{head}Content-Length: {size}\r\n\r\n".encode() + body, wait=5),
                self.gateway.raw(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + pieces, wait=5),
                self.gateway.raw(f"{head}Content-Length: {size}\r\n\r\n".encode(), body[:8000], body[8000:], wait=5),
            ):
                self.assertIn(b"HTTP/1.1 %d" % status, raw[:20], size)
            client = self.h2()
            fields = [("content-type", "application/json"), ("accept", "application/json")]
            self.assertEqual(client.reply(client.request("/auth/login", "POST", fields, body=body), 5).status, status, size)

    def test_who_leaves_in_between_disturbs_nobody(self):
        """Many clients, each with a session of its own, some of which cut their connections; no answer is another's."""
        names = (ADA, BOB, RITA)
        people = [(name, Browser(self.gateway.port).sign_in(name).session) for name in names for _ in range(8)]
        body = json.dumps({"username": ADA, "password": PASSWORDS[ADA]}).encode()
        done = threading.Event()

        def leave(seed):
            chance = random.Random(seed)
            while not done.is_set():
                time.sleep(0.05 if peers.SANITIZER else 0.005)
                name, cookie = chance.choice(people)
                one = socket.create_connection(("127.0.0.1", self.gateway.port))
                path = chance.choice(("/x", "/auth/session", "/auth/sessions", "/auth/session/events", "/events"))
                head = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {SESSION}={cookie}\r\n\r\n".encode()
                if chance.random() < 0.5:
                    head = f"{POST}Content-Length: {len(body)}\r\n\r\n".encode() + body
                one.sendall(head[: chance.choice((len(head), len(head) // 2))])
                if chance.random() < 0.5:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                one.close()

        def stay(seed):
            chance = random.Random(seed)
            connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=20)
            for _ in range(120):
                name, cookie = chance.choice(people)
                path = chance.choice(("/x", "/auth/session"))
                connection.request(
                    "GET", path, headers={"Host": HOST, "Cookie": f"{SESSION}={cookie}", "Accept": "application/json"}
                )
                reply = connection.getresponse()
                content = reply.read().decode()
                assert reply.status == 200, (reply.status, content)
                wanted = f"X-User-Id: {name}\r\n" if path == "/x" else f'"user":"{name}"'
                assert wanted in content, (name, content)

        leavers = [threading.Thread(target=leave, args=(seed,), daemon=True) for seed in range(4)]
        for thread in leavers:
            thread.start()
        try:
            parallel([lambda seed=seed: stay(seed) for seed in range(8)], 8)
        finally:
            done.set()
        for thread in leavers:
            thread.join(10)
        # Nothing of them is left.
        peers.eventually(lambda: peers.metric(self.gateway, "connections_open") <= 1, "connections are left", 8)

    def test_many_ask_for_one_session_at_once(self):
        cookie = self.browser().sign_in().session
        statuses = parallel(
            [lambda: self.browser().fetch("/x", cookies=f"{SESSION}={cookie}", keep=False).status for _ in range(40)], 20
        )
        self.assertEqual(set(statuses), {200})


class Reloads(Base):
    def test_sessions_forms_and_half_logins_go_on_over_a_reload(self):
        browser, form, half = self.browser().sign_in(), self.browser(), self.browser()
        fields = form.form()["fields"]
        code = half.login(TINA).page.forms[0]
        one = Live(browser, "/events")
        done = sum('"message":"configuration applied"' in line for line in self.gateway.log)
        self.gateway.write(self.configuration.replace("name: open,", "name: opened,"))
        self.gateway.signal(signal.SIGHUP)
        self.assertTrue(self.gateway.wait_for("configuration applied", done + 1))
        self.assertEqual(self.statuses(browser), {200})
        self.assertFalse(one.over.is_set())
        self.assertEqual(form.post("/auth/login", {**fields, "username": BOB, "password": PASSWORDS[BOB]}).status, 303)
        reply = half.post(code["action"], {**code["fields"], "code": Clock(self.directory.secret).next()})
        self.assertEqual(reply.status, 303)
        one.close()

    def test_a_key_ring_that_turns_logs_nobody_out(self):
        text = self.configuration.replace("remember_me: 720h", "secrets: [@RING@]")
        files = {**self.keys.files(), **self.directory.files(), **self.files, "old": b"o" * 40, "new": b"n" * 40}
        gateway = Gateway(text, files, UPSTREAM=self.upstream.port, RING='"file:old"')
        self.addCleanup(gateway.stop)
        browser = Browser(gateway.port).sign_in()
        form = Browser(gateway.port)
        fields = form.form()["fields"]
        for number, ring in enumerate(('"file:new", "file:old"', '"file:new"')):
            gateway.replacements["RING"] = ring
            gateway.write(text)
            gateway.signal(signal.SIGHUP)
            self.assertTrue(gateway.wait_for("configuration applied", number + 1))
            self.assertEqual(browser.fetch("/x").status, 200)
            status = form.post("/auth/login", {**fields, "username": BOB, "password": PASSWORDS[BOB]}, keep=False).status
            # A form of the old key goes through as long as that is in the ring.
            self.assertEqual(status, 303 if number == 0 else 403)


class Telling(Base):
    def test_assertions_are_about_the_session_s_account(self):
        browser = self.browser().sign_in()
        reply = browser.fetch("/asserted")
        token = reply.seen("X-Portcullis-Assertion")[0]
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        self.assertEqual(
            (claims["sub"], claims["aud"], claims["email"], claims["roles"]),
            (ADA, "orders", "ada@example.com", ["admin", "staff"])
        )
        self.assertLessEqual(claims["exp"], time.time() + 300)
        self.assertNotIn(browser.session, reply.text)

    def test_the_access_log_names_the_account_and_holds_no_secret(self):
        browser = self.browser().enter(BOB)
        token = browser.facts().json["csrf_token"]
        browser.fetch("/x?marked=1")
        browser.navigate(f"/auth/handoff?code={'C' * 43}&state={'S' * 43}")
        browser.fetch("/x", cookies=f"{SESSION}=garbage-that-is-seen", keep=False)
        path = pathlib.Path(self.gateway.folder, "access.log")
        peers.eventually(lambda: "marked=1" in path.read_text() or '"/x"' in path.read_text(), "no log")
        time.sleep(0.2)
        text = path.read_text()
        self.assertIn('"bob"', text)
        for secret in (browser.session, token, browser.jar[FLOW], PASSWORDS[BOB], "C" * 43, "S" * 43, "garbage-that-is-seen"):
            self.assertNotIn(secret, text)

    def test_metrics(self):
        browser = self.browser().sign_in()
        browser.fetch("/x")
        browser.api("/auth/logout", {}, fields=OWN)
        self.browser().login_api(ADA, "quite another password")
        from test_operations import parse
        kinds, samples = parse(self.gateway.get("/metrics", port=self.gateway.ops_port).body)
        names = {name for name, _ in samples}
        self.assertGreaterEqual(samples["portcullis_sessions_created_total", ""], 1)
        self.assertGreaterEqual(samples["portcullis_sessions_ended_total", 'reason="logout"'], 1)
        for part in ("sessions_live", "session_cache_hits_total", "session_cache_misses_total", "session_store_failures_total"):
            self.assertIn("portcullis_" + part, names)
        self.assertTrue(any("hashing" in name for name in names))
        for result in ("login", "wrong_credentials", "throttled"):
            self.assertIn(("portcullis_logins_total", f'result="{result}"'), samples)
        self.assertGreaterEqual(samples["portcullis_logins_total", 'result="wrong_credentials"'], 1)


class Remembered(Base):
    def test_only_who_asks_for_it_stays_logged_in(self):
        browser = self.browser()
        form = browser.form()
        self.assertIn("remember", form["fields"])
        values = {**form["fields"], "username": ADA, "password": PASSWORDS[ADA]}
        values.pop("remember")
        reply = browser.post(form["action"], values)
        self.assertNotIn("max-age", reply.cookies[SESSION].names)
        self.assertLessEqual(browser.facts().json["absolute_seconds_left"], 8 * 3600)
        browser = self.browser()
        form = browser.form()
        reply = browser.post(form["action"], {**form["fields"], "username": ADA, "password": PASSWORDS[ADA], "remember": "1"})
        self.assertEqual(reply.cookies[SESSION].names["max-age"], str(720 * 3600))
        self.assertGreater(browser.facts().json["absolute_seconds_left"], 719 * 3600)
        self.assertGreater(browser.facts().json["idle_seconds_left"], 8 * 3600)
        # Confirming who one is does not take it away.
        reply = browser.login(path="/auth/login?step_up=1")
        self.assertEqual((reply.status, reply.cookies[SESSION].names["max-age"]), (303, str(720 * 3600)))
        self.assertGreater(browser.facts().json["absolute_seconds_left"], 719 * 3600)
        self.assertGreater(browser.facts().json["idle_seconds_left"], 8 * 3600)
        other = self.browser().sign_in()
        reply = other.login(path="/auth/login?step_up=1")
        self.assertNotIn("max-age", reply.cookies[SESSION].names)


class Insecure(unittest.TestCase):
    """Development on one's own machine, without TLS."""

    TEXT = ACCOUNTS + "sessions: {store: memory, cookie: {insecure: true}}\n" + ROUTES.replace(
        "  - {name: asserted, match: {path: /asserted}, assertion: {audience: orders}, forward: {upstream: a}}\n", ""
    )

    def test_cookies_go_over_plain_http(self):
        upstream = Upstream(answer)
        self.addCleanup(upstream.stop)
        gateway = Gateway(self.TEXT, Directory.make().files(), UPSTREAM=upstream.port)
        self.addCleanup(gateway.stop)
        host = f"localhost:{gateway.port}"
        browser = Browser(gateway.port, host, scheme="http")
        reply = browser.login()
        self.assertEqual(reply.status, 303)
        self.assertEqual({name for name in reply.cookies}, {"gw_session", "gw_flow", "gw_device"})
        self.assertEqual(sorted(reply.cookies["gw_session"].attributes), ["HttpOnly", "Path=/", "SameSite=Lax"])
        seen = browser.fetch("/x")
        self.assertEqual((seen.seen("X-User-Id"), seen.seen("Cookie")), ([ADA], []))
        for origin, status in (
            (f"http://{host}", 200), (f"https://{host}", 403), ("http://localhost", 403), ("http://evil.example", 403)
        ):
            self.assertEqual(browser.send("POST", "/x", [("Origin", origin)], b"x").status, status, origin)
        self.assertEqual(browser.navigate("/y", cookies="gw_session=x", keep=False).cookies["gw_session"].is_cleared, True)
        self.assertEqual(browser.logout().status, 303)
        text = command("check", "--config", gateway.path)
        self.assertIn("insecure", text)

    def test_cookies_as_configured_are_set_and_cleared_alike(self):
        upstream = Upstream(answer)
        self.addCleanup(upstream.stop)
        for settings, name, attributes in (
            ("{domain: example.com}", "gw_session", ["Domain=example.com", "HttpOnly", "Path=/", "SameSite=Lax", "Secure"]),
            ("{same_site: strict}", SESSION, ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]),
            ("{name: __Secure-id, same_site: none}", "__Secure-id", ["HttpOnly", "Path=/", "SameSite=None", "Secure"]),
        ):
            gateway = Gateway(self.TEXT.replace("{insecure: true}", settings), Directory.make().files(), UPSTREAM=upstream.port)
            self.addCleanup(gateway.stop)
            browser = Browser(gateway.port, "app.example.com")
            made = browser.login().cookies[name]
            self.assertEqual(sorted(made.attributes), attributes)
            seen = browser.fetch("/x")
            self.assertEqual((seen.status, seen.seen("Cookie")), (200, []))
            dead = browser.fetch("/x", cookies=f"{name}=x", keep=False).cookies[name]
            for gone in (dead, browser.logout().cookies[name]):
                self.assertTrue(gone.is_cleared)
                self.assertEqual(sorted(one for one in gone.attributes if not one.startswith(("Max-Age=", "Expires="))), attributes)

    def test_not_where_others_can_listen(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        (folder / "users.yaml").write_bytes(Directory.make().text)
        (folder / "users.yaml").chmod(0o600)
        path = folder / "portcullis.yaml"
        path.write_text('listeners: [{name: main, address: "0.0.0.0:8080"}]\n' + self.TEXT.replace("@UPSTREAM@", "1"))
        text = command("check", "--config", path, code=None)
        self.assertIn("loopback", text)

    def test_the_pages_cookies_have_their_names(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        (folder / "users.yaml").write_text("users: []\n")
        (folder / "users.yaml").chmod(0o600)
        path = folder / "portcullis.yaml"
        for name, code in ((FLOW, 1), (CODE, 1), (DEVICE, 1), ("gw_flow", 1), ("gw_flows", 0)):
            path.write_text(
                f"accounts: {{file: users.yaml}}\nsessions: {{store: memory, cookie: {{name: {name}}}}}\n"
                "routes: [{name: a, auth: public, respond: {status: 204}}]\n"
            )
            text = command("check", "--config", path, code=code)
            self.assertEqual("choose another" in text, code == 1, text)
        for place, is_vain in (
            ("path: /auth", True), ("path: /auth/x", True), ("path_exact: /auth", True), ("path: /authors", False), ("path: /", False)
        ):
            path.write_text(
                "accounts: {file: users.yaml}\nsessions: {store: memory}\n"
                f"routes: [{{name: a, match: {{{place}}}, auth: public, respond: {{status: 204}}}}]\n"
            )
            self.assertEqual("no request matches" in command("check", "--config", path), is_vain, place)


class BehindAProxy(SessionCase):
    configuration = CONFIGURATION.replace("workers: 2", "workers: 2\ntrusted_proxies: [127.0.0.0/8]")
    files = Base.files

    def test_a_request_id_comes_through_once_however_cold_the_session_is(self):
        browser = self.browser()
        browser.login_api()
        # New connections spread over the workers, of which at least one has not seen the session.
        for number in range(12):
            reply = browser.fetch("/x", fields=[("X-Request-Id", f"given-{number}")], keep=False)
            self.assertEqual((reply.status, reply.seen("x-request-id")), (200, [f"given-{number}"]))

    def test_the_head_of_the_events_is_no_stream(self):
        browser = self.browser()
        browser.login_api()
        reply = browser.fetch("/auth/session/events", method="HEAD", keep=False)
        self.assertEqual((reply.status, reply.text), (200, ""))
