"""What people do to the portal's pages in a real browser: they click twice, open tabs, zoom, print and paste."""

import contextlib
import http.client
import json
import ssl
import time
import unittest

import browser
import test_portal_browser as pages
from sessions import ADA, PASSWORDS, RITA, TINA, Clock

HOST, SHOP, WIKI = pages.HOST, pages.SHOP, pages.WIKI


def click_twice(page, selector, gap):
    """A double click as a mouse makes it; the first click's answer is thrown away by the browser."""
    script = f"""(() => {{ const e = document.querySelector({json.dumps(selector)});
        e.scrollIntoView({{block: 'center', behavior: 'instant'}}); const r = e.getBoundingClientRect();
        return [r.x + r.width / 2, r.y + r.height / 2] }})()"""
    x, y = page.evaluate(script)
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            page.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count, buttons=1)
        if count == 1:
            time.sleep(gap)


def arrives(page, path):
    """Waits for a page, whatever is loaded on the way."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with contextlib.suppress(browser.BrowserError):
            if page.path == path and page.evaluate("document.readyState") == "complete":
                return True
        time.sleep(0.05)
    return False


class Clicks(pages.BrowserCase):
    def slow(self, page, milliseconds):
        page.send(
            "Network.emulateNetworkConditions", offline=False, latency=milliseconds, downloadThroughput=-1, uploadThroughput=-1
        )

    def cards(self, person):
        person.open("/auth/sessions")
        return len(person.page.texts(".sessions li"))

    def test_two_clicks_on_the_code_are_one_login(self):
        clock = Clock(self.directory.secret)
        recovery = self.directory.recovery
        for latency, gap, code in ((0, 0, None), (0, 0.05, None), (300, 0.15, None), (300, 0.1, recovery[5])):
            with self.subTest(latency=latency, gap=gap, recovery=bool(code)):
                tina = self.person()
                tina.open("/orders")
                tina.log_in(TINA)
                button = "form button"
                if code:
                    tina.page.click("summary")
                    button = "details button"
                tina.page.fill("#recovery" if code else "#code", code or clock.next())
                self.slow(tina.page, latency)
                click_twice(tina.page, button, gap)
                self.assertTrue(arrives(tina.page, "/orders"), tina.page.text())
                self.slow(tina.page, 0)
                self.assertEqual(tina.page.text("#who"), TINA)
                self.assertEqual(self.cards(tina), 1, "a session of an answer that was thrown away lives")
                tina.page.submit(".everywhere button")

    def test_two_clicks_on_the_password_leave_one_session(self):
        for latency, gap in ((0, 0), (300, 0.15)):
            rita = self.person()
            rita.open("/orders")
            rita.page.fill("#username", RITA)
            rita.page.fill("#password", PASSWORDS[RITA])
            self.slow(rita.page, latency)
            click_twice(rita.page, "form button", gap)
            self.assertTrue(arrives(rita.page, "/orders"), rita.page.text())
            self.slow(rita.page, 0)
            self.assertEqual(self.cards(rita), 1)
            rita.page.submit(".everywhere button")

    def test_a_session_that_is_ended_twice_leads_to_the_list(self):
        ada, other = self.person().enter(), self.person().enter()
        ada.open("/auth/sessions")
        second = ada.page.tab()
        second.go(f"https://{HOST}/auth/sessions")
        ada.page.submit(".sessions li:not(.current) button")
        second.submit(".sessions li:not(.current) button")
        self.assertEqual(second.text("h1"), "Where you are logged in")
        self.assertEqual(second.text("[role=status]"), "This session had ended already.")
        other.open("/orders")
        self.assertEqual(other.heading, "Log in")
        ada.open("/auth/sessions?ended=777")
        self.assertFalse(ada.page.has("[role=status]"))

    def test_a_form_whose_cookie_another_tab_cleared_works_at_the_second_try(self):
        ada = self.person()
        ada.open("/one")
        second = ada.page.tab()
        second.go(f"https://{HOST}/two")
        second.fill("#username", ADA)
        second.fill("#password", PASSWORDS[ADA])
        with second.navigation():
            second.press("Enter")
        second.go(f"https://{HOST}/auth/logout")
        second.submit("form button")
        self.assertEqual(ada.log_in(), 403)
        self.assertIn("open for too long", ada.page.text("[role=alert]"))
        ada.log_in()
        self.assertEqual((ada.page.path, ada.page.text("#who")), ("/one", ADA))

    def test_a_page_of_somebody_else_logs_nobody_out(self):
        ada = self.person().enter()
        ada.open("/auth/sessions")
        second = ada.page.tab()
        second.go(f"https://{HOST}/auth/logout")
        second.submit("form button")
        second.go(f"https://{HOST}/orders")
        second.fill("#username", RITA)
        second.fill("#password", PASSWORDS[RITA])
        with second.navigation():
            second.press("Enter")
        self.assertEqual(ada.page.submit(".everywhere button"), 403)
        self.assertEqual(ada.heading, "This page had been open for too long")
        ada.looks_well("other-account")
        with ada.page.navigation():
            ada.page.click("main a")
        self.assertEqual(ada.heading, "Where you are logged in")
        self.assertIn(RITA, ada.page.text(".lead"))
        ada.page.submit(".everywhere button")


class Words(pages.BrowserCase):
    def test_the_code_page_knows_its_account_in_another_language(self):
        tina = self.person()
        tina.open("/orders")
        tina.log_in(TINA)
        tina.page.submit("footer a[hreflang=de]")
        self.assertEqual(tina.heading, "Noch ein Schritt")
        self.assertIn(f"für {TINA} anzeigt", tina.page.text(".lead"))

    def test_a_wrong_recovery_code_is_told_where_it_was_typed(self):
        tina = self.person(width=360, height=740, mobile=True)
        tina.open("/orders")
        tina.log_in(TINA)
        tina.page.click("summary")
        tina.page.fill("#recovery", "aaaa-bbbb-cccc")
        tina.page.submit("details button")
        self.assertIn("recovery code is not right", tina.page.text("[role=alert]"))
        self.assertTrue(tina.page.has("details[open]"))
        tina.page.until("document.activeElement?.id === 'recovery'")
        self.assertEqual(tina.page.attribute("#recovery", "aria-invalid"), "true")
        self.assertIsNone(tina.page.attribute("#code", "aria-invalid"))
        tina.looks_well("wrong-recovery")
        # A code that is pasted into the other field is whole.
        tina.page.fill("#code", self.directory.recovery[6])
        tina.page.submit("form button")
        self.assertEqual(tina.page.path, "/orders")

    def test_the_language_is_not_carried_into_the_service(self):
        ada = self.person().enter()
        ada.open("/auth/sessions")
        ada.page.submit("footer a[hreflang=de]")
        self.assertEqual(ada.page.attribute(".after a", "href"), "/")
        ada.open("/auth/logout?lang=de&return_to=%2Forders%3Fid%3D1")
        self.assertEqual(ada.page.attribute(".after a", "href"), "/orders?id=1")
        # The portal's own pages keep it.
        ada.page.submit("form.next button")
        ada.open("/auth/sessions?lang=de")
        self.assertEqual(ada.heading, "Anmelden")

    def test_devices_are_named_in_the_readers_language(self):
        rita = self.person(language="de").enter(RITA)
        connection = http.client.HTTPSConnection("127.0.0.1", self.gateway.port, context=ssl._create_unverified_context())
        body = json.dumps({"username": RITA, "password": PASSWORDS[RITA]})
        for agent in (None, None, "A" * 200):
            headers = {"Host": HOST, "Content-Type": "application/json", **({"User-Agent": agent} if agent else {})}
            connection.request("POST", "/auth/login", body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, 200)
        connection.close()
        rita.open("/auth/sessions")
        names = rita.page.texts(".sessions h3")
        self.assertIn("Chrome auf Linux", names)
        self.assertEqual(names.count("Unbekanntes Gerät"), 2)
        labels = rita.page.evaluate("[...document.querySelectorAll('.sessions button[aria-label]')].map(b => b.ariaLabel)")
        self.assertEqual(len(set(labels)), len(labels), labels)
        self.assertTrue(all("127.0.0.1" in label for label in labels), labels)
        rita.looks_well("long-name-german")
        rita.page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        rita.looks_well("details-german")
        narrow = self.person(width=320, height=640).enter(RITA)
        narrow.open("/auth/sessions")
        narrow.looks_well("long-name-narrow")
        narrow.page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        narrow.looks_well("details-narrow")
        narrow.page.submit(".everywhere button")

    def test_a_long_address_is_come_back_to(self):
        for count, is_kept in ((2100, True), (6000, True), (7900, False)):
            ada = self.person()
            ada.open("/a?q=" + "x" * count)
            self.assertEqual(ada.heading, "Log in")
            ada.log_in()
            self.assertEqual(ada.page.path, "/a?q=" + "x" * count if is_kept else "/")


class Ways(pages.BrowserCase):
    def links(self, person):
        return person.page.evaluate("[...document.querySelectorAll('main a')].map(a => a.getAttribute('href'))")

    def test_there_is_a_way_on_from_every_error(self):
        ada = self.person().enter()
        ada.open("/auth/no-such-page")
        self.assertEqual(self.links(ada), ["/auth/sessions"])
        ada.open("/auth/login?step_up=1&return_to=/x")
        self.assertEqual(self.links(ada), ["/"])
        ada.looks_well("step-up")
        ada.open("/auth/login?step_up=2&return_to=/x")
        self.assertEqual(self.links(ada), ["/auth/sessions"])
        ada.open("/auth/sessions")
        ada.page.send("Network.clearBrowserCookies")
        self.assertEqual(ada.page.submit(".everywhere button"), 200)
        ada.enter().open("/auth/sessions")
        self.person().enter()
        ada.page.reload()
        ada.page.send("Network.clearBrowserCookies")
        self.assertEqual(ada.page.submit(".sessions li:not(.current) button"), 401)
        self.assertEqual(self.links(ada), ["/auth/login"])
        ada.looks_well("no-session")


class Views(pages.BrowserCase):
    def test_at_400_per_cent_the_alert_is_in_view_with_the_field(self):
        ada = self.person(width=320, height=225, scale=2)
        ada.open("/orders")
        ada.log_in(password="no")
        ada.looks_well("zoom-400")
        ada.page.until("document.activeElement?.id === 'password'")
        box = "(s => { const r = document.querySelector(s).getBoundingClientRect(); return [r.top, r.bottom, innerHeight] })"
        top, bottom, height = ada.page.evaluate(box + "('[role=alert]')")
        self.assertTrue(0 <= top and bottom <= height, (top, bottom, height))
        field = ada.page.evaluate(box + "('#password')")
        self.assertTrue(bottom <= field[0] and field[1] <= height, (bottom, field))

    def test_paper_is_white(self):
        ada = self.person(dark=True).enter()
        ada.open("/auth/sessions")
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        ada.page.send("Emulation.setEmulatedMedia", media="print", features=features)
        colour = ada.page.evaluate("getComputedStyle(document.body).backgroundColor")
        self.assertGreater(sum(int(part) for part in colour[4:-1].split(",")), 600)

    def test_links_are_large_enough_to_hit(self):
        ada = self.person().enter()
        for path in ("/auth/sessions", "/auth/logout"):
            ada.open(path)
            self.assertGreaterEqual(ada.page.evaluate("document.querySelector('.after a').getBoundingClientRect().height"), 44)


class OneLogin(pages.BrowserCase):
    sessions = pages.SeveralSites.sessions

    def test_several_sites_in_one_browser_are_one_device(self):
        other = self.person()
        other.open("/cart", SHOP)
        other.log_in()
        ada = self.person()
        ada.open("/cart", SHOP)
        ada.log_in()
        ada.open("/page", WIKI)
        ada.open("/auth/sessions", SHOP)
        self.assertEqual(len(ada.page.texts(".sessions li.current")), 1)
        self.assertEqual(len(ada.page.texts(".sessions li:not(.current)")), 1)
        ada.page.click(".sessions li.current summary")
        for site in (pages.LOGIN, SHOP, WIKI):
            self.assertIn(site, ada.page.text(".sessions li.current"))
        ada.looks_well("sessions-sites")
        ada.page.submit(".sessions li:not(.current) button")
        self.assertEqual(ada.page.text("[role=status]"), "One session was ended.")
        ada.open("/cart", SHOP)
        self.assertEqual(ada.page.text("#who"), ADA)
        # Programs see each session, and which of them belong together.
        answer = ada.page.evaluate(
            "fetch('/auth/sessions', {headers: {Accept: 'application/json'}}).then(r => r.json())", wait=True
        )
        rows = answer["sessions"]
        self.assertEqual([row["current"] for row in rows].count(True), 1)
        self.assertEqual([row["current_login"] for row in rows].count(True), 3)
        self.assertEqual(len({row["login"] for row in rows}), 1)


if __name__ == "__main__":
    unittest.main()
