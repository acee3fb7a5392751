"""The portal's pages in a real browser: what people see, type and click, in light and dark, on a phone, in German."""

import html
import os
import pathlib
import unittest

import browser
import peers
from harness import Gateway, TestCase, Upstream
from sessions import ACCOUNTS, ADA, PASSWORDS, TINA, Clock, Directory

HOST, OTHER = "gateway.example", "evil.example"
LOGIN, SHOP, WIKI = "login.example.com", "shop.example.org", "wiki.example.net"
AUTHORITY = peers.Authority()
FRONT = AUTHORITY.issue(HOST, OTHER, LOGIN, SHOP, WIKI)
CONFIGURATION = ACCOUNTS + """
workers: 2
sessions: {store: memory, @SESSIONS@}
portal: {title: Meridian}
listeners:
  - {name: main, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: a.pem, key_file: a.key}]}}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]}]
routes:
  - {name: public, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: all, match: {path: /}, forward: {upstream: a}}
"""
PICTURES = os.environ.get("PORTCULLIS_PICTURES")


def service(head, body, connection):
    """A service with pages: who is there, and links."""
    target = head.split(b" ")[1].decode()
    if target.endswith("/away"):
        return f"HTTP/1.1 302 Found\r\nLocation: https://{OTHER}/open/landed\r\nContent-Length: 0\r\n\r\n".encode()
    fields = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    who = next((value.strip().decode() for name, _, value in fields if name.lower() == b"x-user-id"), "nobody")
    page = (
        f'<!doctype html><html lang="en"><title>Service</title><main><h1>{html.escape(target)}</h1><p id="who">{who}</p>'
        '<p><a id="next" href="/next?page=2">Next</a> <a id="sessions" href="/auth/sessions">Devices</a></p></main>'
    ).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n" % len(page) + page


class Person:
    """Somebody at a screen, who knows the pages by what is written next to things."""

    def __init__(self, case, **look):
        self.case, self.page = case, case.browser.visitor(**look)
        case.addCleanup(self.page.close)

    def open(self, path="/", host=HOST):
        return self.page.go(f"https://{host}{path}")

    def labelled(self, text):
        """Selector of the field with this label."""
        name = self.page.evaluate(
            f"[...document.querySelectorAll('label')].find(l => l.innerText.trim() === {text!r})?.htmlFor"
        )
        self.case.assertTrue(name, f"no field {text!r} on:\n{self.page.text()}")
        return f"#{name}"

    def log_in(self, name=ADA, password=None):
        """Fills in the form and sends it with the return key, as most people do; the status of what comes."""
        if self.page.value("#username") != name:
            self.page.fill("#username", name)
        self.page.fill("#password", PASSWORDS[name] if password is None else password)
        since = len(self.page.browser.events)
        with self.page.navigation():
            self.page.press("Enter")
        return self.page.status(since)

    def enter(self, name=ADA, path="/", host=HOST):
        self.open(path, host)
        self.log_in(name)
        self.case.assertEqual(self.page.text("#who"), name)
        return self

    @property
    def heading(self):
        return self.page.text("h1")

    def looks_well(self, name):
        """Nothing serious for axe, nothing wider than the window, no complaint of the policy; a picture if wanted."""
        self.case.assertEqual(self.page.findings(), [], name)
        self.case.assertFalse(self.page.overflows(), name)
        self.case.assertEqual(self.page.sticking_out(), [], name)
        self.case.assertEqual(self.page.complaints(policy=True), [], name)
        self.case.assertEqual(self.page.evaluate("document.querySelectorAll('script, [style]').length"), 0, name)
        if PICTURES:
            pathlib.Path(PICTURES).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(pathlib.Path(PICTURES) / f"{name}.png")


@unittest.skipUnless(browser.program(), "chromium is not installed; Tests/run installs it")
class BrowserCase(unittest.TestCase):
    """One browser, one gateway with TLS and sessions, and one service."""

    sessions = "maximum_per_account: 1000"
    portal = "portal: {title: Meridian}\n"

    @classmethod
    def setUpClass(cls):
        cls.directory = Directory.make()
        cls.upstream = Upstream(service)
        cls.addClassCleanup(cls.upstream.stop)
        files = {**TestCase.keys.files(), **cls.directory.files(), "a.pem": FRONT.pem, "a.key": FRONT.key_pem}
        configuration = CONFIGURATION.replace("portal: {title: Meridian}\n", cls.portal).replace("@SESSIONS@", cls.sessions)
        cls.gateway = Gateway(configuration, files, UPSTREAM=cls.upstream.port)
        cls.addClassCleanup(cls.gateway.stop)
        cls.browser = browser.Browser(cls.gateway.port)
        cls.addClassCleanup(cls.browser.stop)

    def person(self, **look):
        return Person(self, **look)


class LoggingIn(BrowserCase):
    def test_a_login_leads_to_the_page_that_was_asked_for(self):
        ada = self.person()
        self.assertEqual(ada.open("/orders?id=1&sort=%C3%A4"), 200)
        self.assertTrue(ada.page.path.startswith("/auth/login?"))
        self.assertEqual((ada.heading, ada.page.title), ("Log in", "Log in · Meridian"))
        self.assertEqual(ada.page.focus, "username")
        ada.looks_well("login")
        ada.log_in()
        self.assertEqual(ada.page.path, "/orders?id=1&sort=%C3%A4")
        self.assertEqual(ada.page.text("#who"), ADA)
        cookie = next(one for one in ada.page.cookies() if one["name"] == "__Host-gw_session")
        self.assertEqual((cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]), (True, True, "Lax", "/"))
        self.assertTrue(cookie["session"])
        self.assertEqual(ada.page.evaluate("document.cookie"), "")
        with ada.page.navigation():
            ada.page.click("#next")
        self.assertEqual((ada.page.path, ada.page.text("#who")), ("/next?page=2", ADA))

    def test_a_wrong_password_is_told_and_the_name_is_kept(self):
        ada = self.person()
        ada.open("/orders")
        self.assertEqual(ada.log_in(password="not this one"), 401)
        self.assertEqual(ada.page.text("[role=alert]"), "User name or password is not right.")
        self.assertEqual((ada.page.value("#username"), ada.page.value("#password")), (ADA, ""))
        self.assertEqual(ada.page.focus, "password")
        self.assertEqual(ada.page.attribute("#password", "aria-describedby"), "problem")
        self.assertTrue(ada.page.title.startswith("Problem: "))
        ada.looks_well("wrong-password")
        ada.page.type(PASSWORDS[ADA])
        with ada.page.navigation():
            ada.page.press("Enter")
        self.assertEqual(ada.page.path, "/orders")

    def test_a_second_factor_is_asked_for_and_a_wrong_code_refused(self):
        tina, clock = self.person(), Clock(self.directory.secret)
        tina.open("/orders")
        tina.log_in(TINA)
        self.assertEqual((tina.heading, tina.page.focus), ("One more step", "code"))
        self.assertEqual(tina.page.attribute("#code", "autocomplete"), "one-time-code")
        tina.looks_well("second-factor")
        tina.page.type("000000")
        with tina.page.navigation():
            tina.page.press("Enter")
        self.assertIn("not right", tina.page.text("[role=alert]"))
        tina.looks_well("wrong-code")
        tina.page.type(clock.next())
        with tina.page.navigation():
            tina.page.press("Enter")
        self.assertEqual((tina.page.path, tina.page.text("#who")), ("/orders", TINA))

    def test_a_recovery_code_has_a_form_of_its_own(self):
        tina = self.person()
        tina.open("/orders")
        tina.log_in(TINA)
        tina.page.click("summary")
        tina.looks_well("recovery")
        tina.page.fill("#recovery", self.directory.recovery[0])
        tina.page.submit("details button")
        self.assertEqual(tina.page.path, "/orders")

    def test_all_of_it_goes_with_the_keyboard_alone(self):
        ada = self.person()
        ada.open("/orders")
        # The field that is to be filled in has it when the page is there.
        ada.page.until("document.activeElement?.id === 'username'")
        order = [ada.page.focus]
        for _ in range(2):
            ada.page.press("Tab")
            order.append(ada.page.focus or ada.page.evaluate("document.activeElement.tagName"))
        self.assertEqual(order, ["username", "password", "BUTTON"])
        self.assertNotEqual(ada.page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "none")
        ada.page.evaluate("document.querySelector('#username').focus()")
        ada.page.type(ADA)
        ada.page.press("Tab")
        ada.page.type(PASSWORDS[ADA])
        ada.page.press("Tab")
        with ada.page.navigation():
            ada.page.press(" ")
        self.assertEqual(ada.page.path, "/orders")

    def test_two_tabs_may_both_log_in(self):
        ada = self.person()
        ada.open("/first")
        second = ada.page.tab()
        second.go(f"https://{HOST}/second")
        ada.log_in()
        self.assertEqual(ada.page.path, "/first")
        second.fill("#username", ADA)
        second.fill("#password", PASSWORDS[ADA])
        with second.navigation():
            second.press("Enter")
        self.assertEqual((second.path, second.text("#who")), ("/second", ADA))

    def test_the_back_key_after_a_login_shows_no_form_that_fails(self):
        ada = self.person().enter(path="/orders")
        ada.open("/auth/login")
        self.assertNotIn("[role=alert]", ada.page.text())


class Looks(BrowserCase):
    WAYS = {
        "light": {}, "dark": {"dark": True}, "phone": {"width": 360, "height": 740, "mobile": True},
        "phone-dark-german": {"width": 360, "height": 740, "mobile": True, "dark": True, "language": "de-DE,de;q=0.9,en;q=0.8"},
        # 200 % of a window of 1280 by 900.
        "zoomed": {"width": 640, "height": 450, "scale": 2}, "narrow": {"width": 320, "height": 640},
    }

    def test_every_page_is_accessible_in_every_look(self):
        for name, look in self.WAYS.items():
            with self.subTest(name):
                ada = self.person(**look)
                ada.open("/orders")
                ada.looks_well(f"login-{name}")
                ada.log_in(password="wrong")
                ada.looks_well(f"wrong-{name}")
                ada.log_in()
                ada.open("/auth/sessions")
                ada.looks_well(f"sessions-{name}")
                ada.open("/auth/logout")
                ada.looks_well(f"confirm-{name}")
                ada.page.submit("form button")
                ada.looks_well(f"signed-out-{name}")
                self.assertEqual(ada.open("/auth/no-such-page"), 404)
                ada.looks_well(f"error-{name}")

    def test_dark_is_dark(self):
        shades = []
        for dark in (False, True):
            ada = self.person(dark=dark)
            ada.open("/orders")
            colour = ada.page.evaluate("getComputedStyle(document.body).backgroundColor")
            shades.append(sum(int(part) for part in colour[4:-1].split(",")))
        self.assertGreater(shades[0], 600)
        self.assertLess(shades[1], 150)

    def test_german_throughout(self):
        tina = self.person(language="de")
        tina.open("/orders")
        self.assertEqual((tina.heading, tina.page.evaluate("document.documentElement.lang")), ("Anmelden", "de"))
        tina.labelled("Passwort")
        tina.log_in(TINA, "falsch")
        self.assertEqual(tina.page.text("[role=alert]"), "Benutzername oder Passwort ist nicht richtig.")
        tina.log_in(TINA)
        self.assertEqual(tina.heading, "Noch ein Schritt")
        self.assertIn("Deutsch", tina.page.text("[aria-current]"))

    def test_a_language_that_is_chosen_keeps_the_target(self):
        ada = self.person()
        ada.open("/orders?id=7")
        ada.page.submit("footer a[hreflang=de]")
        self.assertEqual(ada.heading, "Anmelden")
        self.assertEqual(ada.log_in(password="falsch"), 401)
        self.assertEqual(ada.heading, "Anmelden")
        ada.log_in()
        self.assertEqual(ada.page.path, "/orders?id=7")

    def test_without_wishes_nothing_moves_and_with_them_the_gate_does(self):
        ada = self.person()
        ada.open("/auth/no-such-page")
        self.assertEqual(ada.page.evaluate("document.getAnimations().length"), 0)
        ada.page.look(motion=True)
        ada.open("/auth/no-such-page")
        self.assertEqual(ada.page.evaluate("document.querySelector('.gate > svg').getAnimations().length"), 1)


class Devices(BrowserCase):
    def rows(self, person):
        return person.page.texts(".sessions li:not(.current) h3")

    def test_another_device_is_thrown_out(self):
        desk, phone = self.person().enter(), self.person(width=360, height=740, mobile=True).enter()
        desk.open("/auth/sessions")
        self.assertEqual(desk.heading, "Where you are logged in")
        self.assertIn("Chrome", desk.page.text(".sessions .current h3"))
        self.assertIn("just now", desk.page.text(".sessions .current"))
        before = len(self.rows(desk))
        self.assertGreaterEqual(before, 1)
        desk.looks_well("sessions")
        # Newest first: the phone's.
        desk.page.submit(".sessions li:not(.current) button")
        self.assertEqual(desk.page.text("[role=status]"), "One session was ended.")
        self.assertEqual(len(self.rows(desk)), before - 1)
        desk.looks_well("session-ended")
        phone.open("/orders")
        self.assertEqual(phone.heading, "Log in")
        desk.open("/orders")
        self.assertEqual(desk.page.text("#who"), ADA)

    def test_all_devices_at_once(self):
        desk, phone = self.person().enter(), self.person().enter()
        desk.open("/auth/sessions")
        desk.page.submit(".everywhere button")
        self.assertEqual(desk.heading, "You are logged out")
        for person in (desk, phone):
            person.open("/orders")
            self.assertEqual(person.heading, "Log in")

    def test_every_button_has_a_name_of_its_own(self):
        self.person().enter()
        ada = self.person().enter()
        ada.open("/auth/sessions")
        labels = ada.page.evaluate("[...document.querySelectorAll('.sessions button[aria-label]')].map(b => b.ariaLabel)")
        self.assertTrue(labels)
        self.assertTrue(all(label.startswith("End session: ") for label in labels), labels)


class LoggingOut(BrowserCase):
    def test_a_logout_ends_it_in_the_browser_and_on_the_server(self):
        ada = self.person().enter(path="/orders")
        cookie = next(one for one in ada.page.cookies() if one["name"] == "__Host-gw_session")
        ada.open("/auth/logout")
        self.assertEqual(ada.heading, "Log out?")
        self.assertIn(ADA, ada.page.text("main"))
        ada.page.submit("form button")
        self.assertEqual(ada.heading, "You are logged out")
        ada.looks_well("signed-out")
        self.assertFalse([one for one in ada.page.cookies() if one["name"] == cookie["name"]])
        # The old cookie, put back by hand, opens nothing.
        ada.page.send(
            "Network.setCookie", name=cookie["name"], value=cookie["value"], url=f"https://{HOST}/",
            secure=True, httpOnly=True, path="/",
        )
        ada.open("/orders")
        self.assertEqual(ada.heading, "Log in")

    def test_what_was_seen_before_is_not_seen_with_the_back_key(self):
        ada = self.person().enter(path="/orders")
        ada.open("/auth/logout")
        ada.page.submit("form button")
        with ada.page.navigation():
            ada.page.evaluate("history.go(-2)")
        self.assertFalse(ada.page.has("#who"))

    def test_a_script_is_told_and_not_redirected(self):
        ada = self.person().enter(path="/orders")
        other = ada.page.tab()
        other.go(f"https://{HOST}/auth/logout")
        other.submit("form button")
        answer = ada.page.fetch("/api/orders")
        self.assertEqual((answer["status"], answer["redirected"]), (401, False))
        self.assertIn("/auth/login", answer["text"])

    def test_a_link_alone_logs_nobody_out(self):
        ada = self.person().enter()
        ada.open("/auth/logout")
        ada.open("/orders")
        self.assertEqual(ada.page.text("#who"), ADA)

    def test_a_foreign_page_logs_nobody_out(self):
        ada = self.person().enter()
        evil = f"https://{OTHER}/open/evil"
        ada.page.go(evil)
        self.assertIsNone(ada.page.fetch(f"https://{HOST}/auth/logout", method="POST", credentials="include"))
        with ada.page.navigation():
            ada.page.evaluate(
                f"""(() => {{ const f = document.createElement('form'); f.method = 'post';
                f.action = 'https://{HOST}/auth/logout'; document.body.append(f); f.submit(); }})()"""
            )
        ada.open("/orders")
        self.assertEqual(ada.page.text("#who"), ADA)


class Expiring(BrowserCase):
    sessions = "idle: 3s, touch: 1s, maximum_per_account: 1000"

    def outlive(self, page):
        """Waits, without a request, until the session has ended: the gateway says so."""
        events = (
            "new Promise(over => { const events = new EventSource('/auth/session/events');"
            " events.onerror = () => { events.close(); over(true) } })"
        )
        self.assertTrue(page.evaluate(events, wait=True))

    def test_a_session_that_ends_while_a_page_is_open(self):
        ada = self.person().enter(path="/orders")
        self.outlive(ada.page)
        # A script learns it as an answer, a click leads to the login and back.
        self.assertEqual(ada.page.fetch("/api/orders")["status"], 401)
        with ada.page.navigation():
            ada.page.click("#next")
        self.assertEqual(ada.heading, "Log in")
        ada.log_in()
        self.assertEqual((ada.page.path, ada.page.text("#who")), ("/next?page=2", ADA))

    def test_a_form_of_a_session_that_has_ended_ends_nothing(self):
        ada = self.person().enter()
        ada.open("/auth/sessions")
        # The portal's own pages let no script connect to anything: a page of the service listens.
        other = ada.page.tab()
        other.go(f"https://{HOST}/orders")
        self.outlive(other)
        ada.page.submit(".everywhere button")
        self.assertNotEqual(ada.heading, "Where you are logged in")
        ada.looks_well("too-late")


class SeveralSites(BrowserCase):
    sessions = (
        "maximum_per_account: 1000, login_host: login.example.com, sites: [{hosts: [login.example.com]},"
        " {hosts: [shop.example.org]}, {hosts: [wiki.example.net], cookie: {name: __Host-wiki}}]"
    )

    def test_one_login_and_one_logout_for_all(self):
        ada = self.person()
        ada.open("/cart?item=1", SHOP)
        self.assertTrue(ada.page.url.startswith(f"https://{LOGIN}/auth/login"))
        ada.looks_well("login-for-a-site")
        ada.log_in()
        self.assertEqual((ada.page.url, ada.page.text("#who")), (f"https://{SHOP}/cart?item=1", ADA))
        self.assertEqual(ada.page.complaints(policy=True), [])
        ada.open("/page", WIKI)
        self.assertEqual((ada.page.url, ada.page.text("#who")), (f"https://{WIKI}/page", ADA))
        ada.open("/auth/logout", WIKI)
        ada.page.submit("form button")
        self.assertEqual(ada.heading, "You are logged out")
        self.assertEqual(ada.page.complaints(policy=True), [])
        ada.open("/cart", SHOP)
        self.assertEqual(ada.heading, "Log in")


if __name__ == "__main__":
    unittest.main()
