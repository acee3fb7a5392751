"""Certificates, and the programs that the TLS and HTTP/2 suites talk to: nginx, nghttpd, Envoy, h2load, curl."""

import datetime
import ipaddress
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ports import free_port
from timing import steady

HSTS = "{ max_age: 8760h, include_subdomains: true }"


class Certificate:
    """A certificate with its key, and files of both once it is written."""

    def __init__(self, certificate, key, issuer=None):
        self.certificate, self.key, self.issuer = certificate, key, issuer
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.key_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def serial(self):
        return self.certificate.serial_number

    def write(self, folder, name):
        """`NAME.pem` and `NAME.key`, each exchanged as a whole."""
        for suffix, content in ((".pem", self.pem), (".key", self.key_pem)):
            fresh = pathlib.Path(folder, name + suffix + ".new")
            fresh.write_bytes(content)
            fresh.chmod(0o600)
            fresh.rename(pathlib.Path(folder, name + suffix))
        return str(pathlib.Path(folder, name + ".pem")), str(pathlib.Path(folder, name + ".key"))


# Which sanitizer the gateway was built with: it is slower by far then.
SANITIZER = os.environ.get("PORTCULLIS_SANITIZER")


class Authority:
    """Signs certificates."""

    def __init__(self, name="Test Authority"):
        key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=400))
        builder = builder.not_valid_after(now + datetime.timedelta(days=400))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        builder = builder.add_extension(x509.KeyUsage(*[index in (5, 6) for index in range(9)]), critical=True)
        self.root = Certificate(builder.sign(key, hashes.SHA256()), key)
        self.pem = self.root.pem

    @staticmethod
    def alternative(name):
        if "://" in name:
            return x509.UniformResourceIdentifier(name)
        if "@" in name:
            return x509.RFC822Name(name)
        return x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)

    def issue(self, *names, kind="ec", days=90, since=-1, client=False, self_signed=False):
        """A certificate for host names or addresses (or a client's, for a common name), valid `days` from now on."""
        key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
        builder = builder.issuer_name(subject if self_signed else self.name).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + datetime.timedelta(days=min(since, days - 1)))
        builder = builder.not_valid_after(now + datetime.timedelta(days=days))
        alternatives = [self.alternative(name) for name in names]
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return Certificate(builder.sign(key if self_signed else self.root.key, hashes.SHA256()), key, self)

    def context(self, alpn=None, certificate=None, minimum=None, maximum=None):
        """A client that trusts this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.pem.decode())
        if minimum:
            context.minimum_version = minimum
        if maximum:
            context.maximum_version = maximum
        if alpn:
            context.set_alpn_protocols(alpn)
        if certificate:
            with tempfile.TemporaryDirectory() as folder:
                context.load_cert_chain(*certificate.write(folder, "client"))
        return context


def server_context(certificate, alpn=None, client_ca=None, minimum=None, maximum=None):
    """The server's side of TLS, for scripted backends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*certificate.write(folder, "server"))
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    if alpn:
        context.set_alpn_protocols(alpn)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.pem.decode())
    return context


def program(name):
    """The path of an installed program; a missing one fails the test, it is not skipped."""
    beside = pathlib.Path(sys.executable).with_name(name)
    path = str(beside) if beside.exists() else shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise AssertionError(f"{name} is not installed; Tests/run installs it")
    return path


def run(*words, timeout=120, **options):
    """Runs a program to its end; its exit code, output and error output."""
    done = subprocess.run([program(words[0]), *words[1:]], capture_output=True, timeout=timeout, **options)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


class Process:
    """A server program with a folder of its own, ready when its port answers."""

    def __init__(self, command, port, files=None):
        self.folder = tempfile.mkdtemp(prefix="portcullis-peer-")
        self.port = port
        for name, content in (files or {}).items():
            path = pathlib.Path(self.folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            path.chmod(0o644)
        self.command = [program(command[0]), *(word.replace("@FOLDER@", self.folder) for word in command[1:])]
        self.start()

    def start(self):
        self.log = open(pathlib.Path(self.folder, "log"), "ab")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, cwd=self.folder)
        until = steady() + 40
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or steady() > until:
                    raise AssertionError(f"{self.command[0]} did not start:\n{self.output()}") from None
                time.sleep(0.01)

    def output(self):
        return pathlib.Path(self.folder, "log").read_text("utf-8", "replace")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def nginx(port, server, certificate=None, outside="", files=None):
    """nginx in the foreground with one server block (`listen` included)."""
    files = dict(files or {})
    if certificate:
        files |= {"server.pem": certificate.pem, "server.key": certificate.key_pem}
    files["nginx.conf"] = (
        "daemon off; master_process off; pid nginx.pid; error_log stderr warn; events { worker_connections 512; }\n"
        "http { access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;"
        " scgi_temp_path t5; client_max_body_size 0; keepalive_requests 100000; server_tokens off;"
        f" {outside}\n server {{ {server} }} }}\n"
    )
    return Process(["nginx", "-p", "@FOLDER@", "-c", "nginx.conf", "-e", "stderr"], port, files)


def envoy(port, upstream_port, upstream_http2=False, certificate=None, ca=None, name="127.0.0.1"):
    """Envoy that proxies everything to one port: HTTP/1 or HTTP/2 in on `port`, the upstream as told."""
    options = "http2_protocol_options: {}" if upstream_http2 else "http_protocol_options: {}"
    down = up = ""
    if certificate:
        down = (
            "      transport_socket: {name: tls, typed_config: {'@type': "
            "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: "
            "{alpn_protocols: [h2, http/1.1], tls_certificates: [{certificate_chain: {filename: server.pem}, "
            "private_key: {filename: server.key}}]}}}\n"
        )
    if ca:
        alpn = "h2" if upstream_http2 else "http/1.1"
        up = (
            "    transport_socket: {name: tls, typed_config: {'@type': "
            "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: " + name + ", "
            "common_tls_context: {alpn_protocols: [" + alpn + "], validation_context: {trusted_ca: {filename: ca.pem}}}}}\n"
        )
    manager = (
        "{name: m, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager"
        ".v3.HttpConnectionManager, stat_prefix: m, codec_type: AUTO, route_config: {virtual_hosts: [{name: v, domains: "
        "['*'], routes: [{match: {prefix: /}, route: {cluster: c, timeout: 0s}}]}]}, http_filters: [{name: r, "
        "typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}"
    )
    text = (
        "static_resources:\n  listeners:\n  - name: l\n"
        f"    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}\n"
        f"    filter_chains:\n    - filters: [{manager}]\n{down}"
        "  clusters:\n  - name: c\n    connect_timeout: 5s\n    type: STATIC\n"
        f"    load_assignment: {{cluster_name: c, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: "
        f"{{address: 127.0.0.1, port_value: {upstream_port}}}}}}}}}]}}]}}\n"
        "    typed_extension_protocol_options:\n      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
        "        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
        f"        explicit_http_config: {{{options}}}\n{up}"
    )
    files = {"envoy.yaml": text}
    if certificate:
        files |= {"server.pem": certificate.pem, "server.key": certificate.key_pem}
    if ca:
        files["ca.pem"] = ca.pem
    command = ["envoy", "-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "warn"]
    return Process(command, port, files)


def resident(gateway):
    """Memory of the gateway's process in bytes; none that counts under a sanitizer, which keeps what was freed."""
    if SANITIZER:
        return 0
    text = pathlib.Path(f"/proc/{gateway.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS"))


def processor_time(gateway):
    """Seconds that the gateway's process has worked."""
    words = pathlib.Path(f"/proc/{gateway.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def eventually(condition, what, seconds=10):
    """Waits until the condition holds; its value."""
    until = steady() + seconds
    while not (value := condition()):
        assert steady() < until, what
        time.sleep(0.005)
    return value


def metric(gateway, name):
    """A metric, its sum over all labels when none are given."""
    name = "portcullis_" + name
    lines = gateway.get("/metrics", port=gateway.ops_port).body.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name if name.endswith("}") else name + "{")))
