"""The portal's forms in a real browser, where what they lead to leads on."""

import unittest

from test_portal_browser import OTHER, BrowserCase


class LeadingOn(BrowserCase):
    """Chromium holds all redirects behind a form against `form-action`."""

    portal = "portal: {after_logout: 'https://evil.example/open/bye'}\n"

    def test_a_login_and_a_logout_may_end_at_another_origin(self):
        ada = self.person()
        ada.open("/away")
        ada.log_in()
        self.assertEqual(ada.page.url, f"https://{OTHER}/open/landed")
        for path in ("/auth/logout", "/auth/logout?return_to=/open/away"):
            if "return_to" in path:
                ada.enter()
            ada.open(path)
            ada.page.submit("form button")
            self.assertEqual(ada.page.url.split("/")[2], OTHER, path)
        self.assertEqual(ada.page.complaints(policy=True), [])


if __name__ == "__main__":
    unittest.main()
