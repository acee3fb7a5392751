"""A client that sends bytes as they are, and reads what comes back as strictly as RFC 9112 has it."""

import re
import socket
import struct

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
LINE = re.compile(rb"(" + TOKEN + rb"):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*")
STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*")
HOP = {b"keep-alive", b"proxy-connection", b"te", b"proxy-authenticate", b"proxy-authorization", b"trailer", b"http2-settings"}


class Malformed(AssertionError):
    """Bytes that are not HTTP/1.1 as RFC 9112 has it."""


def fields_of(lines):
    fields = []
    for line in lines:
        match = LINE.fullmatch(line)
        if not match:
            raise Malformed(f"field line {line!r}")
        fields.append((match[1].lower(), match[2]))
    return fields


def values(fields, name):
    return [value for known, value in fields if known == name.lower()]


class Reply:
    """A response as the client got it; `complete` says whether its framing was kept."""

    def __init__(self, status, fields):
        self.status, self.fields, self.interim = status, fields, []
        self.body, self.trailers, self.complete, self.framing = b"", [], False, None

    def all(self, name):
        return values(self.fields, name.encode())

    def get(self, name):
        found = self.all(name)
        return found[0].decode("latin-1") if found else None

    def closes(self):
        return any(option.strip().lower() == b"close" for value in self.all("connection") for option in value.split(b","))


class Client:
    """One connection; what it receives is read as strictly as RFC 9112 allows."""

    def __init__(self, port, patience=8):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.end = b"", None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Sends; a gateway that has closed already is no failure of ours."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def more(self):
        """Reads once; false at the end (`end` is then EOF or RST)."""
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionError, BrokenPipeError):
            self.end = "RST"
            return False
        if not data:
            self.end = "EOF"
        self.buffer += data
        return bool(data)

    def until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                return None
        data, self.buffer = self.buffer.split(mark, 1)
        return data

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.more():
                data, self.buffer = self.buffer, b""
                return data, False
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data, True

    def rest(self):
        """Everything up to the end of the connection."""
        while self.end is None and self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def closed(self):
        """Whether the gateway ends the connection without another byte."""
        return self.rest() == b"" and self.end is not None

    def stays_open(self):
        """Whether another request is answered here, and nothing stands before its answer."""
        self.send(b"GET /fixed HTTP/1.1\r\nHost: probe\r\n\r\n")
        try:
            reply = self.reply()
        except socket.timeout:
            return False
        return reply is not None and reply.status == 200 and reply.body == b"hi"

    def reply(self, method=b"GET", version=b"1.1"):
        """The next final response with its interim ones; None when the connection ends before a head."""
        interim = []
        while True:
            head = self.until(b"\r\n\r\n")
            if head is None:
                return None
            lines = head.split(b"\r\n")
            match = STATUS.fullmatch(lines[0])
            if not match:
                raise Malformed(f"status line {lines[0]!r}")
            reply = Reply(int(match[1]), fields_of(lines[1:]))
            self.check(reply, method, version)
            if reply.status >= 200 or reply.status == 101:
                break
            interim.append(reply)
        reply.interim = interim
        if version == b"1.0" and interim:
            raise Malformed("an interim answer for HTTP/1.0")
        self.content(reply, method)
        return reply

    def check(self, reply, method, version):
        """What holds for every response that an intermediary sends."""
        names = [name for name, _ in reply.fields]
        for name in HOP & set(names):
            raise Malformed(f"hop-by-hop field {name!r}")
        if b"upgrade" in names and reply.status not in (101, 426):
            raise Malformed("Upgrade")
        lengths, codings = reply.all("content-length"), reply.all("transfer-encoding")
        if len(lengths) > 1 or len(codings) > 1 or (lengths and codings):
            raise Malformed("framing twice")
        if lengths and not lengths[0].isdigit() or codings and codings[0] != b"chunked":
            raise Malformed("framing")
        if (reply.status < 200 or reply.status == 204) and (lengths or codings):
            raise Malformed(f"framing of a {reply.status}")
        if codings and version == b"1.0":
            raise Malformed("a transfer coding for HTTP/1.0")
        if reply.status >= 200 and len(reply.all("date")) < 1:
            raise Malformed("no Date")
        if len(reply.all("connection")) > 1:
            raise Malformed("Connection twice")

    def content(self, reply, method):
        if method == b"HEAD" or reply.status in (101, 204, 304):
            reply.complete, reply.framing = True, "none"
        elif reply.all("transfer-encoding"):
            reply.framing = "chunked"
            reply.complete = self.chunks(reply)
        elif reply.all("content-length"):
            reply.framing = "length"
            reply.body, reply.complete = self.exactly(int(reply.all("content-length")[0]))
        else:
            reply.framing = "close"
            if not reply.closes():
                raise Malformed("content without framing on a connection that stays")
            reply.body = self.rest()
            reply.complete = self.end == "EOF"

    def chunks(self, reply):
        while True:
            line = self.until(b"\r\n")
            if line is None:
                return False
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", line):
                raise Malformed(f"chunk line {line!r}")
            size = int(line, 16)
            if size == 0:
                break
            data, whole = self.exactly(size + 2)
            if not whole:
                reply.body += data
                return False
            if data[-2:] != b"\r\n":
                raise Malformed("chunk end")
            reply.body += data[:-2]
        while True:
            line = self.until(b"\r\n")
            if line is None:
                return False
            if not line:
                return True
            reply.trailers += fields_of([line])
