"""What the suites of HTTP/2 share: a gateway that listens in clear text and under TLS, and the outcomes of a case."""

import datetime
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import frames
from frames import H2
from harness import Gateway, Keys, TestCase
from origin import Origin


def certificate(*names):
    """A certificate that vouches for itself, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.utcnow()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), Keys.private_pem(key)


class Suite(unittest.TestCase):
    """One gateway and one recording backend for all cases of a class."""

    keys = TestCase.keys
    settings = ""
    upstreams = ""
    routes = "routes: [{name: all, match: {path: /}, auth: public, forward: {upstream: a}}]\n"
    listeners = """
listeners:
  - {name: main, address: "127.0.0.1:0"}
  - {name: tls, address: "127.0.0.1:0", tls: {certificates: [{certificate_file: tls.pem, key_file: tls.key}]}}
"""

    @classmethod
    def setUpClass(cls):
        cls.origin = Origin()
        pem, key = certificate("gateway.example", "*.gateway.example")
        cls.authority = pem.decode()
        text = cls.keys.ISSUERS + cls.settings + cls.listeners + cls.routes
        text += 'upstreams:\n  - {name: a, idle_timeout: 2s, servers: ["127.0.0.1:@ORIGIN@"]}\n' + cls.upstreams
        cls.gateway = Gateway(text, {**cls.keys.files(), "tls.pem": pem, "tls.key": key}, ORIGIN=cls.origin.port)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.origin.stop()

    def setUp(self):
        self.origin.forget()

    @classmethod
    def listener(cls, name):
        return int(cls.gateway.addresses[name].rsplit(":", 1)[1])

    def connect(self, tls=False, **options):
        if tls:
            return H2(self.listener("tls"), frames.client_tls(self.authority), **options)
        return H2(self.listener("main"), **options)


class Outcome(AssertionError):
    """A case did not end as it must."""


def connection_error(c, *codes):
    """GOAWAY with the right code arrives, and the connection ends within a second."""
    if not c.wait(lambda: c.goaway is not None):
        raise Outcome(f"no GOAWAY, the connection is {c.end or 'open'}: {c.frames[-4:]}")
    if c.goaway.code not in codes:
        raise Outcome(f"GOAWAY with {c.goaway.code}, not {codes}")
    if not c.closes(1):
        raise Outcome("the connection stays open")


def stream_error(c, stream, *codes):
    """RST_STREAM with the right code, or the same as an error of the connection."""
    c.wait(lambda: c.stream(stream).reset is not None or c.goaway is not None or c.end is not None)
    found = c.stream(stream).reset
    if found is None:
        return connection_error(c, *codes)
    if found not in codes:
        raise Outcome(f"RST_STREAM with {found}, not {codes}")


def served(c, stream=1, status=200):
    answer = c.answer(stream)
    if answer.status != status or not answer.ended:
        raise Outcome(f"stream {stream}: {answer.status}, ended {answer.ended}, reset {answer.reset}, {c.goaway}, {c.end}")
    return answer


def alive(c):
    if not c.alive():
        raise Outcome(f"PING is not answered: {c.goaway}, {c.end}")


class Cases(list):
    """Cases by section of a document; each is a function of a connection."""

    def __call__(self, section, title, **options):
        def take(function):
            self.append((section, title, function, options))
            return function

        return take

    def run(self, suite, tls):
        for section, title, function, options in self:
            with suite.subTest(f"{section} {title}"):
                if tls and options.get("clear"):
                    continue
                options_here = {name: value for name, value in options.items() if name != "clear"}
                suite.origin.forget()
                with suite.connect(tls, **options_here) as c:
                    c.suite = suite
                    function(c)
