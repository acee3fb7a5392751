"""A real headless Chromium, driven over its own protocol (CDP): what a person at the screen can see and do."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import websockets.sync.client

QUIET = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --no-default-browser-check --disable-sync --mute-audio"
    " --disable-background-networking --disable-component-update --disable-default-apps --disable-extensions"
    " --disable-dev-shm-usage --hide-scrollbars --password-store=basic --disable-features=Translate"
).split()
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}


def program():
    """The path of Chromium; None when it is not installed."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


class BrowserError(Exception):
    """The browser refused a command, or did not do something in time."""


class Browser:
    """One process; each visitor is a context of its own, as separate as two people's computers.

    Every host name, at every port, leads to `port` of this machine: sites have addresses as in earnest, and nothing
    else is reached.
    """

    def __init__(self, port, patience=30):
        self.patience = patience
        self.profile = tempfile.mkdtemp(prefix="portcullis-browser-")
        self.log = open(pathlib.Path(self.profile) / "log", "wb")
        self.process = subprocess.Popen(
            [
                program(),
                *QUIET,
                "--remote-debugging-port=0",
                "--ignore-certificate-errors",
                f"--host-resolver-rules=MAP * 127.0.0.1:{port}",
                f"--user-data-dir={self.profile}/profile",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        self.number, self.events = 0, []
        try:
            self.socket = websockets.sync.client.connect(self._address(), max_size=None, proxy=None)
        except BaseException:
            self.stop()
            raise

    def _address(self):
        file = pathlib.Path(self.profile) / "profile" / "DevToolsActivePort"
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, ValueError):
                port, path = file.read_text().split("\n")[:2]
                return f"ws://127.0.0.1:{port}{path}"
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise BrowserError("chromium does not start:\n" + (pathlib.Path(self.profile) / "log").read_text()[-2000:])

    def stop(self):
        with contextlib.suppress(Exception):
            self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        # Its children may still be writing for a moment.
        for _ in range(50):
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                break
            time.sleep(0.05)

    def send(self, method, session=None, **parameters):
        """Sends a command and gives its result; events that come in between are kept."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self.socket.send(json.dumps(message))
        deadline = time.monotonic() + self.patience
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]

    def _receive(self, deadline):
        try:
            answer = json.loads(self.socket.recv(timeout=max(0.001, deadline - time.monotonic())))
        except TimeoutError:
            raise BrowserError("chromium does not answer") from None
        if "method" in answer:
            self.events.append(answer)
        return answer

    def event(self, method, session, since, patience=None):
        """The first event of this kind among those from index `since`, those still to come included."""
        deadline = time.monotonic() + (patience or self.patience)
        index = since
        while True:
            while index < len(self.events):
                event = self.events[index]
                if event["method"] == method and event.get("sessionId") == session:
                    return event["params"]
                index += 1
            self._receive(deadline)

    def visitor(self, **look):
        """A page of somebody who was never here before."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, context, session, **look)


class Page:
    """One tab. Selectors are CSS; a click is a click at the middle of what it hits."""

    def __init__(self, browser, context, session, **look):
        self.browser, self.context, self.session = browser, context, session
        for domain in ("Page", "Runtime", "Network", "Log", "Security"):
            with contextlib.suppress(BrowserError):
                self.send(f"{domain}.enable")
        self.look(**look)

    def send(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def tab(self):
        """Another tab of the same visitor."""
        target = self.browser.send("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        session = self.browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self.browser, self.context, session)

    def close(self):
        with contextlib.suppress(BrowserError):
            self.browser.send("Target.disposeBrowserContext", browserContextId=self.context)

    def look(self, width=1280, height=900, dark=False, language="en", mobile=False, scale=1, motion=False):
        """How the visitor sees: size in CSS pixels, colours, language, motion."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=mobile,
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "no-preference" if motion else "reduce"},
        ]
        self.send("Emulation.setEmulatedMedia", features=features)
        agent = self.browser.send("Browser.getVersion")["userAgent"].replace("Headless", "")
        self.send("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)

    # Going places

    @contextlib.contextmanager
    def navigation(self):
        """Waits until what is done inside has led to a page that is loaded."""
        since = len(self.browser.events)
        yield
        self.browser.event("Page.loadEventFired", self.session, since)

    def go(self, url):
        """Opens an address and gives the status of the page that it led to."""
        since = len(self.browser.events)
        with self.navigation():
            result = self.send("Page.navigate", url=url)
            if "errorText" in result:
                raise BrowserError(f"{url}: {result['errorText']}")
        return self.status(since)

    def reload(self):
        since = len(self.browser.events)
        with self.navigation():
            self.send("Page.reload")
        return self.status(since)

    def status(self, since=0):
        """Status of the newest document among the answers from event `since`."""
        answers = [
            event["params"]["response"]
            for event in self.browser.events[since:]
            if event["method"] == "Network.responseReceived"
            and event.get("sessionId") == self.session
            and event["params"].get("type") == "Document"
        ]
        return answers[-1]["status"] if answers else None

    @property
    def url(self):
        return self.evaluate("location.href")

    @property
    def path(self):
        return self.evaluate("location.pathname + location.search")

    @property
    def title(self):
        return self.evaluate("document.title")

    # Seeing

    def evaluate(self, expression, wait=False):
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=wait)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def text(self, selector="body"):
        """What can be read there; None when there is nothing of the kind."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText")

    def texts(self, selector):
        return self.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)")

    def has(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)}) !== null")

    def value(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.value")

    def attribute(self, selector, name):
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.getAttribute({json.dumps(name)})")

    @property
    def focus(self):
        """`id` of the element that the keyboard goes to."""
        return self.evaluate("document.activeElement?.id ?? ''")

    def overflows(self):
        """Whether one has to scroll sideways."""
        return self.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def sticking_out(self):
        """What reaches out of the card or of the window, where a hidden overflow cuts it off."""
        return self.evaluate(
            """(() => { const card = document.querySelector('main')?.getBoundingClientRect();
            const out = (e, left, right) => { const r = e.getBoundingClientRect();
              return r.width > 0 && (r.left < left - 1 || r.right > right + 1) };
            const name = e => `${e.tagName} ${e.className} ${e.innerText?.slice(0, 30)}`;
            const inside = card ? [...document.querySelectorAll('main .inside *')].filter(e => out(e, card.left, card.right)) : [];
            const all = [...document.querySelectorAll('.brand, .brand span, footer, footer *')].filter(e => out(e, 0, innerWidth));
            return [...inside, ...all].map(name) })()"""
        )

    def complaints(self, policy=False):
        """Errors that the console tells of; only violations of the content security policy, if so asked."""
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(event["params"]["exceptionDetails"]["text"])
        return [text for text in found if not policy or "Content Security Policy" in text]

    def cookies(self):
        return self.browser.send("Storage.getCookies", browserContextId=self.context)["cookies"]

    def screenshot(self, path, whole=True):
        # A tab behind another is not painted.
        self.send("Page.bringToFront")
        taken = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        pathlib.Path(path).write_bytes(base64.b64decode(taken["data"]))

    def until(self, expression, patience=None):
        """Waits until a JavaScript expression is true."""
        deadline = time.monotonic() + (patience or self.browser.patience)
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise BrowserError(f"never became true: {expression}")
            time.sleep(0.05)

    # Doing

    def click(self, selector):
        place = self.evaluate(
            f"""(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;
            e.scrollIntoView({{block: 'center', behavior: 'instant'}}); const r = e.getBoundingClientRect();
            return [r.x + r.width / 2, r.y + r.height / 2]; }})()"""
        )
        if place is None:
            raise BrowserError(f"there is no {selector} on {self.url}")
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1, buttons=1
            )

    def fill(self, selector, text):
        """Types into a field, in place of what is in it."""
        self.click(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.type(text)

    def type(self, text):
        self.send("Input.insertText", text=text)

    def press(self, key):
        code = KEYS[key]
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def submit(self, selector):
        """Clicks and waits for the page that comes; its status."""
        since = len(self.browser.events)
        with self.navigation():
            self.click(selector)
        return self.status(since)

    def fetch(self, url, **options):
        """A script of the page asks for something: status, address, text; None when the browser does not let it."""
        script = (
            f"fetch({json.dumps(url)}, {json.dumps(options)}).then(async r => ({{status: r.status, url: r.url,"
            " redirected: r.redirected, text: await r.text()})).catch(() => null)"
        )
        return self.evaluate(script, wait=True)

    # Accessibility

    def findings(self, impacts=("serious", "critical")):
        """What axe finds that is at least serious: rule, and the elements that break it."""
        self.evaluate(axe())
        result = self.evaluate("axe.run(document, {resultTypes: ['violations']})", wait=True)
        return [
            (rule["id"], rule["impact"], [node["target"] for node in rule["nodes"]])
            for rule in result["violations"]
            if rule["impact"] in impacts
        ]


def axe():
    """The source of axe-core."""
    import axe_core_python

    return (pathlib.Path(axe_core_python.__file__).parent / "axe.min.js").read_text() + ";undefined"
