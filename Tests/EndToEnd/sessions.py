"""For the suites about login sessions: accounts, gateways that keep sessions, and a browser that does nothing by itself."""

import base64
import hashlib
import hmac
import html.parser
import http.client
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from harness import Gateway, TestCase, Upstream, binary
from timing import steady

HOST = "gateway.example"
SESSION, FLOW, CODE, DEVICE = "__Host-gw_session", "__Host-gw_flow", "__Host-gw_code", "__Host-gw_device"
ID = re.compile(r"[A-Za-z0-9_-]{43}")
ADA, BOB, EVE, TINA, RITA = "ada", "bob", "eve", "tina", "rita"
PASSWORDS = {
    ADA: "analytical engine 1843", BOB: "eleven green bottles", EVE: "an apple from that tree",
    TINA: "turn and face the clock", RITA: "meter maid & lovely, 100% täglich",
}

# Cheap hashes and no throttle: most suites are about something else.
ACCOUNTS = """
accounts:
  file: users.yaml
  argon2: {memory: 1MiB, iterations: 1, parallelism: 1}
  hashing: {threads: 2, queue: 4096}
  throttle: {free: 50, limit: 1000, network_per_minute: 100000}
"""


def command(*words, stdin="", code=0):
    """Runs the program; its output. A password goes in by stdin."""
    done = subprocess.run([binary(), *map(str, words)], input=stdin, capture_output=True, text=True, timeout=60)
    if code is not None and done.returncode != code:
        raise AssertionError(f"portcullis {' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Users:
    """A file of accounts, changed by the program's own commands; hashes cost what the configuration says, if there is one."""

    def __init__(self, path, configuration=None):
        self.path = pathlib.Path(path)
        self.place = ["--config", configuration] if configuration else ["--file", self.path]

    def run(self, verb, name, *options, stdin="", code=0):
        return command("user", verb, name, *self.place, *options, stdin=stdin, code=code)

    def add(self, name, password=None, *options):
        return self.run("add", name, *options, stdin=(password or PASSWORDS[name]) + "\n")

    def enrol(self, name):
        """Gives an account a second factor: its secret and the recovery codes."""
        text = self.run("totp", name, "--yes")
        secret = re.search(r"[?&]secret=([A-Z2-7]+)", text)
        if not secret:
            raise AssertionError("no otpauth URI:\n" + text)
        return secret[1], re.findall(r"\b(?:[2-9b-z]{4}-){3}[2-9b-z]{4}\b", text)


class Directory:
    """The accounts of all suites, made once per process: bytes of the file, secret and codes of who has a second factor."""

    _made = None

    @classmethod
    def make(cls):
        if cls._made is None:
            cls._made = cls()
        return cls._made

    def __init__(self):
        with tempfile.TemporaryDirectory() as folder:
            configuration = pathlib.Path(folder, "portcullis.yaml")
            configuration.write_text(ACCOUNTS + "routes: [{name: none, auth: public, respond: {status: 204}}]\n")
            users = Users(pathlib.Path(folder, "users.yaml"), configuration)
            users.path.write_text("users: []\n")
            users.path.chmod(0o600)
            users.add(ADA, None, "--email", "ada@example.com", "--role", "admin", "--role", "staff")
            users.add(BOB, None, "--email", "bob@example.org", "--role", "staff")
            users.add(EVE)
            users.run("disable", EVE)
            users.add(TINA, None, "--email", "tina@example.com")
            self.secret, self.recovery = users.enrol(TINA)
            users.add(RITA)
            self.text = users.path.read_bytes()

    def crowd(self, count):
        """A file with more accounts, `rita0` and so on, with one password."""
        one = self.text[self.text.index(b"  - name: rita") :]
        return self.text + b"".join(one.replace(b"rita", b"rita%d" % number) for number in range(count))

    def files(self, **more):
        return {"users.yaml": self.text, **more}


class Clock:
    """Codes of an authenticator app; each step is given out once."""

    def __init__(self, secret):
        self.key = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self.used = set()

    def at(self, step):
        mac = hmac.new(self.key, step.to_bytes(8, "big"), hashlib.sha1).digest()
        number = int.from_bytes(mac[mac[-1] & 15 :][:4], "big") & 0x7FFFFFFF
        return f"{number % 10**6:06d}"

    def next(self):
        """A code that is good now and was not used yet: up to three without waiting."""
        until = time.monotonic() + 65
        while time.monotonic() < until:
            # At the end of a step, the one before it may be too old when it arrives.
            now = time.time()
            present = int(now // 30)
            for step in (present - 1, present, present + 1):
                if step not in self.used and (step >= present or now % 30 < 25):
                    self.used.add(step)
                    return self.at(step)
            time.sleep(0.1)
        raise AssertionError("no code left")


class Forms(html.parser.HTMLParser):
    """The forms of a page: where they go, and what they hold."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.links, self.words, self.tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        if tag == "form":
            self.forms.append({"action": values.get("action", ""), "method": values.get("method", "get").lower(), "fields": {}})
        elif tag in ("input", "button") and self.forms and values.get("name"):
            self.forms[-1]["fields"].setdefault(values["name"], values.get("value", ""))
        elif tag == "a":
            self.links.append(values.get("href", ""))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


class Cookie:
    """One Set-Cookie field."""

    def __init__(self, text):
        pair, *attributes = text.split("; ")
        self.name, self.value = pair.split("=", 1)
        self.attributes = attributes
        self.names = {one.split("=")[0].lower(): one.partition("=")[2] for one in attributes}

    @property
    def is_cleared(self):
        return self.value == "" and self.names.get("max-age") == "0"


class Reply:
    def __init__(self, status, fields, body):
        self.status, self.body = status, body
        self.fields = [(name.lower(), value) for name, value in fields]

    def all(self, name):
        return [value for known, value in self.fields if known == name.lower()]

    def get(self, name):
        found = self.all(name)
        return ", ".join(found) if found else None

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """`code` of a problem; None for anything else."""
        try:
            return self.json.get("code")
        except ValueError:
            return None

    @property
    def location(self):
        return self.get("location")

    @property
    def cookies(self):
        return {one.name: one for one in map(Cookie, self.all("set-cookie"))}

    @property
    def page(self):
        return Forms(self.text)

    def seen(self, name):
        """What the echoing service got under a name, all values."""
        lines = self.text.split("\r\n\r\n", 1)[0].split("\r\n")[1:]
        return [line.split(":", 1)[1].strip() for line in lines if line.lower().startswith(name.lower() + ":")]

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:300]!r}"


class Browser:
    """Cookies of several hosts, and requests that say of themselves what a browser's would."""

    def __init__(self, port, host=HOST, tls=None, source=None, jars=None, scheme="https"):
        self.port, self.host, self.tls, self.source, self.scheme = port, host, tls, source, scheme
        self.jars = {} if jars is None else jars
        self.agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

    def at(self, host):
        """The same browser at another host."""
        other = Browser(self.port, host, self.tls, self.source, self.jars, self.scheme)
        other.agent = self.agent
        return other

    @property
    def jar(self):
        return self.jars.setdefault(self.host, {})

    @property
    def origin(self):
        """What it calls the page: cookies are for https, whoever ends TLS."""
        return f"{self.scheme}://{self.host}"

    @property
    def session(self):
        return self.jar.get(SESSION)

    def connect(self, seconds=20):
        raw = socket.create_connection(("127.0.0.1", self.port), seconds, (self.source, 0) if self.source else None)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(raw, server_hostname=self.host.split(":")[0]) if self.tls else raw

    def send(self, method="GET", path="/", fields=(), body=None, cookies=None, keep=True):
        """One request on a connection of its own; `cookies` replaces what the jar holds, `keep` takes what is set."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connect()
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.host)
            connection.putheader("Connection", "close")
            if not any(name.lower() == "user-agent" for name, _ in fields):
                connection.putheader("User-Agent", self.agent)
            if cookies is None:
                cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
            for one in [cookies] if isinstance(cookies, str) else cookies:
                if one:
                    connection.putheader("Cookie", one)
            for name, value in fields:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()
        if keep:
            self.take(reply)
        return reply

    def take(self, reply):
        for cookie in reply.cookies.values():
            if cookie.names.get("max-age") == "0":
                self.jar.pop(cookie.name, None)
            else:
                self.jar[cookie.name] = cookie.value

    def navigate(self, path="/", site="none", fields=(), **options):
        said = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate")]
        said += [("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", site), ("Sec-Fetch-User", "?1")]
        return self.send("GET", path, [*said, *fields], **options)

    def fetch(self, path="/", method="GET", site="same-origin", fields=(), **options):
        """A script's request."""
        said = [("Accept", "*/*"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Site", site)]
        return self.send(method, path, [*said, *fields], **options)

    def post(self, path, values, site="same-origin", origin=None, fields=(), **options):
        """A form that is sent by its button."""
        body = urllib.parse.urlencode(values).encode() if not isinstance(values, bytes) else values
        said = [("Accept", "text/html,*/*;q=0.8"), ("Content-Type", "application/x-www-form-urlencoded")]
        said += [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", site)]
        said += [("Origin", origin or self.origin)]
        return self.send("POST", path, [*said, *fields], body, **options)

    def api(self, path, values=None, method="POST", fields=(), **options):
        """A program's request, which says nothing of pages."""
        said = [("Accept", "application/json")]
        body = None
        if values is not None:
            said.append(("Content-Type", "application/json"))
            body = values if isinstance(values, bytes) else json.dumps(values).encode()
        return self.send(method, path, [*said, *fields], body, **options)

    # Flows.

    def form(self, path="/auth/login"):
        """The first form of a page with its hidden fields."""
        reply = self.navigate(path)
        if reply.status != 200 or not reply.page.forms:
            raise AssertionError(f"no form at {path}: {reply}")
        return reply.page.forms[0]

    def login(self, name=ADA, password=None, path="/auth/login", **more):
        """Fills in the login page and sends it."""
        form = self.form(path)
        values = {
            **form["fields"], "username": name, "password": PASSWORDS.get(name, "") if password is None else password, **more
        }
        return self.post(form["action"] or path, values)

    def enter(self, name=ADA, password=None, **more):
        """A login by form that must succeed; the browser itself."""
        reply = self.login(name, password, **more)
        if reply.status != 303 or self.session is None:
            raise AssertionError(f"{name} is not logged in: {reply}")
        return self

    def login_api(self, name=ADA, password=None, **more):
        return self.api(
            "/auth/login", {"username": name, "password": PASSWORDS.get(name, "") if password is None else password, **more}
        )

    def sign_in(self, name=ADA, password=None, **more):
        """A login by JSON that must succeed; the browser itself."""
        reply = self.login_api(name, password, **more)
        if reply.status >= 300 or self.session is None:
            raise AssertionError(f"{name} is not logged in: {reply}")
        return self

    def facts(self, **options):
        return self.api("/auth/session", method="GET", **options)

    def logout(self, **more):
        """The button on the page that asks."""
        form = self.form("/auth/logout")
        return self.post(form["action"] or "/auth/logout", {**form["fields"], **more})

    def handle(self):
        """The name of this session in lists."""
        value = base64.urlsafe_b64decode(self.session + "=")
        return base64.urlsafe_b64encode(hashlib.sha256(value).digest()).rstrip(b"=").decode()


class Live:
    """An answer that goes on for ever, being read: events, or a WebSocket's frames."""

    UPGRADE = [
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64.b64encode(bytes(16)).decode()), ("Sec-Fetch-Site", "same-origin"),
    ]

    def __init__(self, browser, path, fields=(), cookie=None):
        self.socket = browser.connect()
        cookie = cookie or f"{SESSION}={browser.session}"
        lines = [f"GET {path} HTTP/1.1", f"Host: {browser.host}", f"Cookie: {cookie}"]
        lines += [f"{name}: {value}" for name, value in fields]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.bytes, self.over, self.at, self.wall = b"", threading.Event(), None, None
        self.socket.settimeout(15)
        while b"\r\n\r\n" not in self.bytes and (data := self.socket.recv(4096)):
            self.bytes += data
        self.status = int(self.bytes.split(b" ", 2)[1]) if self.bytes else None
        self.socket.settimeout(60)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while data := self.socket.recv(65536):
                self.bytes += data
        except OSError:
            self.bytes += b"<RST>"
        self.at, self.wall = steady(), time.time()
        self.over.set()

    def ends(self, seconds=5):
        """When it ended, by the steady clock; None while it goes on."""
        self.over.wait(seconds)
        return self.at

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def answer(head, body, connection):
    """A service: an echo, endless events, frames, or cookies as the path says."""
    path = head.split(b" ")[1].split(b"?")[0]
    kind = path.rsplit(b"/", 1)[1]
    if kind == b"socket":
        key = re.search(rb"(?i)\r\nsec-websocket-key: *([^\r]*)", head)[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        connection.sendall(b"Sec-WebSocket-Accept: " + base64.b64encode(hashlib.sha1(key).digest()) + b"\r\n\r\n")
        piece = b"\x81\x02hi"
    elif kind == b"events":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"9\r\ndata: 1\n\n\r\n"
    elif kind == b"setcookie":
        lines = "".join(
            f"Set-Cookie: {text}\r\n"
            for text in ("theirs=1; Path=/", f"{SESSION}={'A' * 43}; Path=/; Secure", f"{SESSION}=; Max-Age=0", f" {SESSION} =x",
                         SESSION, f"={SESSION}=x; Path=/", f" = {FLOW}=x", f"{FLOW}=x; Path=/", f"{DEVICE}=x", f"{CODE}=x", "other=2; HttpOnly", f"not{SESSION}=kept")
        )
        return b"HTTP/1.1 200 OK\r\n" + lines.encode() + b"Content-Length: 2\r\n\r\nok"
    elif kind == b"control":
        text = urllib.parse.unquote_to_bytes(head.split(b" ")[1].partition(b"?")[2])
        field = b"Cache-Control: " + text + b"\r\n" if text else b""
        return b"HTTP/1.1 200 OK\r\n" + field + b"Content-Length: 2\r\n\r\nok"
    elif kind == b"hints":
        early = f"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nSet-Cookie: {SESSION}=early\r\n\r\n".encode()
        return early + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    else:
        return Upstream.echo(head, body, connection)
    try:
        while True:
            connection.sendall(piece)
            time.sleep(0.05)
    except OSError:
        return None


class SessionCase(unittest.TestCase):
    """One gateway with sessions and one service for all cases of a class."""

    configuration = ""
    files = {}
    keys = TestCase.keys

    @classmethod
    def setUpClass(cls):
        cls.directory = Directory.make()
        cls.upstream = Upstream(answer)
        files = {**cls.keys.files(), **cls.directory.files(), **cls.files}
        cls.gateway = Gateway(cls.configuration, files, UPSTREAM=cls.upstream.port)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.upstream.stop()

    def setUp(self):
        self.upstream.forget()

    def browser(self, **options):
        return Browser(self.gateway.port, **options)

    def statuses(self, browser, path="/x", count=16, gateway=None, cookie=None):
        """What new connections, which spread over the workers, are answered."""
        cookie = cookie or f"{SESSION}={browser.session}"
        one = Browser((gateway or self.gateway).port, browser.host, browser.tls)
        return {one.fetch(path, cookies=cookie, keep=False).status for _ in range(count)}

    def assertGone(self, cookie, gateway=None, count=16):
        """The cookie counts for nothing, on any worker."""
        browser = Browser((gateway or self.gateway).port)
        replies = [browser.fetch("/x", cookies=f"{SESSION}={cookie}", keep=False) for _ in range(count)]
        self.assertEqual({reply.status for reply in replies}, {401})


def parallel(works, threads=16):
    """Runs functions side by side; their results, or the first failure."""
    results, failures, lock, rest = [None] * len(works), [], threading.Lock(), list(enumerate(works))

    def run():
        while True:
            with lock:
                if not rest or failures:
                    return
                index, work = rest.pop(0)
            try:
                results[index] = work()
            except BaseException as failure:  # noqa: BLE001
                failures.append(failure)

    started = [threading.Thread(target=run, daemon=True) for _ in range(min(threads, len(works)))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(120)
    if failures:
        raise failures[0]
    return results
