"""The gateway as a child process, an upstream that records every byte, and tokens of every kind."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from timing import steady


ROOT = pathlib.Path(__file__).resolve().parents[2]
ISSUER, HMAC_ISSUER, AUDIENCE = "https://issuer.example", "https://hmac.example", "api"


def binary():
    named = os.environ.get("PORTCULLIS_BIN")
    return named or str(ROOT / ".build" / "release" / "portcullis")


class Upstream:
    """Reads requests and answers with `answer(head, body, connection)`; `None` leaves the connection to that function."""

    def __init__(self, answer=None, port=0, address="127.0.0.1"):
        self.answer = answer or self.echo
        self.lock = threading.Lock()
        self.raw, self.heads, self.connections = [], [], []
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen(512)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def echo(head, body, connection):
        line = head.split(b"\r\n", 1)[0]
        content = head + b"\r\n\r\n" + body
        extra = b"" if line.startswith(b"HEAD ") else content
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + extra

    def forget(self):
        with self.lock:
            self.raw.clear()
            self.heads.clear()

    def received(self):
        with self.lock:
            return b"".join(self.raw)

    def stop(self):
        """Stops listening and cuts every connection, as a killed process does."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _more(self, connection, buffer):
        data = connection.recv(262144)
        if not data:
            raise ConnectionError
        with self.lock:
            self.raw.append(data)
        return buffer + data

    def _serve(self, connection):
        buffer = b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    buffer = self._more(connection, buffer)
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                with self.lock:
                    self.heads.append(head)
                fields = {
                    line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:]
                }
                if b"expect" in fields:
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = b""
                if b"content-length" in fields:
                    length = int(fields[b"content-length"])
                    while len(buffer) < length:
                        buffer = self._more(connection, buffer)
                    body, buffer = buffer[:length], buffer[length:]
                elif b"transfer-encoding" in fields:
                    while True:
                        while b"\r\n" not in buffer:
                            buffer = self._more(connection, buffer)
                        size, buffer = buffer.split(b"\r\n", 1)
                        size = int(size, 16)
                        if size == 0:
                            while b"\r\n" not in buffer or not (buffer.startswith(b"\r\n") or b"\r\n\r\n" in buffer):
                                buffer = self._more(connection, buffer)
                            if buffer.startswith(b"\r\n"):
                                buffer = buffer[2:]
                            else:
                                trailers, buffer = buffer.split(b"\r\n\r\n", 1)
                                body += b"\r\ntrailers: " + trailers
                            break
                        while len(buffer) < size + 2:
                            buffer = self._more(connection, buffer)
                        body, buffer = body + buffer[:size], buffer[size + 2 :]
                answer = self.answer(head, body, connection)
                if answer is None:
                    return
                connection.sendall(answer)
        except (OSError, ConnectionError, ValueError):
            connection.close()


class Gateway:
    """A running gateway with a configuration of its own; `@NAME@` in the text is replaced.

    `descriptors` is the most that it may open.
    """

    def __init__(self, text, files=None, environment=None, descriptors=None, **replacements):
        self.folder = tempfile.mkdtemp(prefix="portcullis-test-")
        self.environment = dict(os.environ, **(environment or {}))
        self.replacements = replacements
        for name, content in (files or {}).items():
            path = pathlib.Path(self.folder, name)
            path.write_bytes(content)
            path.chmod(0o600)
        self.path = os.path.join(self.folder, "portcullis.yaml")
        self.write(text)
        self.log, self.addresses, self.started = [], {}, threading.Event()
        self.process = subprocess.Popen(
            [binary(), "run", "--config", self.path],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=self.environment,
            preexec_fn=descriptors and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))),
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.started.wait(40) or "ops" not in self.addresses or self.process.poll() is not None:
            self.stop()
            raise AssertionError("the gateway did not start:\n" + "".join(self.log))
        until = steady() + 20
        while (ready := self.get("/readyz?verbose", port=self.ops_port)).status != 200:
            if steady() > until:
                self.stop()
                raise AssertionError("the gateway is not ready:\n" + ready.body)
            time.sleep(0.005)

    def write(self, text):
        base = 'ops: {address: "127.0.0.1:0"}\nlog: {format: json}\n'
        if "listeners:" not in text:
            base += 'listeners: [{name: main, address: "127.0.0.1:0"}]\n'
        if "access_log:" not in text:
            base += "access_log: off\n"
        for name, value in self.replacements.items():
            text = text.replace("@" + name + "@", str(value))
        pathlib.Path(self.path).write_text(base + text)

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("message") == "listening":
                self.addresses[entry["listener"]] = entry["address"]
            if entry.get("message") == "started":
                self.started.set()
        self.started.set()

    def said(self, *texts, seconds=10):
        """The first line of the log with all of these texts, as soon as it is there; None when none came."""
        until = steady() + seconds
        while not (line := next((line for line in list(self.log) if all(text in line for text in texts)), None)):
            if steady() > until:
                return None
            time.sleep(0.01)
        return line

    def wait_for(self, message, count=1, seconds=10):
        until = steady() + seconds
        while steady() < until:
            if sum(f'"message":"{message}"' in line for line in self.log) >= count:
                return True
            time.sleep(0.01)
        return False

    @property
    def port(self):
        return int(self.addresses["main"].rsplit(":", 1)[1])

    @property
    def ops_port(self):
        return int(self.addresses["ops"].rsplit(":", 1)[1])

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode

    # Requests.

    def raw(self, *pieces, wait=1.0, half=False, pause=0.05, port=None):
        """Sends bytes as they are; returns what came back, with `<EOF>`, `<RST>` or `<OPEN>` at its end."""
        client = socket.create_connection(("127.0.0.1", port or self.port))
        client.settimeout(wait)
        answer, until = b"", None
        try:
            for index, piece in enumerate(pieces):
                if index:
                    time.sleep(pause)
                client.sendall(piece)
            if half:
                client.shutdown(socket.SHUT_WR)
            while True:
                until = until or steady() + wait
                try:
                    data = client.recv(1 << 20)
                except socket.timeout:
                    if steady() < until:
                        continue
                    return answer + b"<OPEN>"
                if not data:
                    return answer + b"<EOF>"
                answer, until = answer + data, None
        except OSError:
            return answer + b"<RST>"
        finally:
            client.close()

    def get(self, path="/", token=None, fields=(), method="GET", body=b"", port=None, authorization=None):
        # The ops listener gives no data to those that call it by a name.
        host = "127.0.0.1" if port and port == self.ops_port else "gateway.example"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        if token is not None:
            authorization = "Bearer " + token
        if authorization is not None:
            lines.append("Authorization: " + authorization)
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in fields]
        answer = self.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body, wait=10, port=port)
        return Answer(answer)


class Answer:
    def __init__(self, raw):
        self.raw = raw
        head, _, rest = raw.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        self.ending = rest[-5:].decode("latin-1") if rest.endswith(b">") else ""
        self.body = rest[: -len("<EOF>")].decode("latin-1") if rest.endswith((b"<EOF>", b"<RST>")) else rest.decode("latin-1")
        parts = self.head.split(" ", 2)
        self.status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None

    def field(self, name):
        values = [
            line.split(":", 1)[1].strip() for line in self.head.split("\r\n")[1:] if line.lower().startswith(name.lower() + ":")
        ]
        return ", ".join(values) if values else None

    def seen(self, name):
        """What the echoing upstream saw under a name, all values."""
        lines = self.body.split("\r\n\r\n", 1)[0].split("\r\n")[1:]
        return [line.split(":", 1)[1].strip() for line in lines if line.lower().startswith(name.lower() + ":")]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keys:
    """Keys of one run, and tokens made with them."""

    def __init__(self):
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.ed = ed25519.Ed25519PrivateKey.generate()
        self.assertion = ec.generate_private_key(ec.SECP256R1())
        self.secret = os.urandom(32).hex().encode()
        self.foreign_rsa = rsa.generate_private_key(65537, 2048)
        self.foreign_ec = ec.generate_private_key(ec.SECP256R1())

    @staticmethod
    def public_pem(key):
        return key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @staticmethod
    def private_pem(key):
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def files(self):
        return {
            "rsa.pem": self.public_pem(self.rsa),
            "ec.pem": self.public_pem(self.ec),
            "ed.pem": self.public_pem(self.ed),
            "secret": self.secret,
            "assertion.pem": self.private_pem(self.assertion),
        }

    ISSUERS = """
issuers:
  - name: main
    issuer: https://issuer.example
    audiences: [api]
    algorithms: [RS256, ES256, EdDSA]
    keys:
      - {pem_file: rsa.pem, algorithm: RS256, kid: rsa}
      - {pem_file: ec.pem, kid: ec}
      - {pem_file: ed.pem, kid: ed}
  - name: hmac
    issuer: https://hmac.example
    audiences: [api]
    algorithms: [HS256]
    keys: [{secret: "file:secret", algorithm: HS256}]
"""

    def sign(self, algorithm, data, key=None):
        if algorithm == "HS256":
            return hmac.new(key or self.secret, data, hashlib.sha256).digest()
        if algorithm == "RS256":
            return (key or self.rsa).sign(data, padding.PKCS1v15(), hashes.SHA256())
        if algorithm == "PS256":
            return (key or self.rsa).sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        if algorithm == "ES256":
            r, s = decode_dss_signature((key or self.ec).sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if algorithm == "EdDSA":
            return (key or self.ed).sign(data)
        return b""

    def token(self, algorithm="ES256", *, header=None, raw_header=None, raw=None, key=None, signature=None, sign_as=None, **claims):
        now = int(time.time())
        content = {
            "iss": HMAC_ISSUER if algorithm == "HS256" else ISSUER,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 600,
        }
        content.update(claims)
        content = {name: value for name, value in content.items() if value is not None}
        first = raw_header if raw_header is not None else json.dumps({"alg": algorithm, "typ": "JWT", **(header or {})}).encode()
        second = raw(content) if raw else json.dumps(content).encode()
        text = base64url(first) + "." + base64url(second)
        if signature is None:
            signature = base64url(self.sign(sign_as or algorithm, text.encode(), key))
        return text + "." + signature


class TestCase(unittest.TestCase):
    """One gateway and one upstream for all cases of a class."""

    configuration = ""
    keys = Keys()

    @classmethod
    def setUpClass(cls):
        cls.upstream = Upstream()
        cls.gateway = Gateway(cls.configuration, cls.keys.files(), UPSTREAM=cls.upstream.port)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.upstream.stop()

    def setUp(self):
        self.upstream.forget()
