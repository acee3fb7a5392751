"""A backend that does as it is told, and judges every request that it gets."""

import re
import socket
import struct
import threading

from wire import HOP, TOKEN, fields_of, values


class Call:
    """A request as the backend got it, and what the backend does about it."""

    def __init__(self, head, connection, buffer, number):
        self.head, self.connection, self.buffer, self.number = head, connection, buffer, number
        self.line, *lines = head.split(b"\r\n")
        self.fields = fields_of(lines)
        self.path = self.line.split(b" ")[1]
        self.body, self.trailers = b"", []

    def all(self, name):
        return values(self.fields, name.encode())

    def send(self, *pieces):
        for piece in pieces:
            self.connection.sendall(piece)

    def fill(self):
        data = self.connection.recv(1 << 18)
        if not data:
            raise ConnectionError
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def take_line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def read_body(self):
        if lengths := self.all("content-length"):
            self.body = self.take(int(lengths[0]))
        elif self.all("transfer-encoding"):
            while size := int(self.take_line(), 16):
                self.body += self.take(size + 2)[:-2]
            while line := self.take_line():
                self.trailers += fields_of([line])
        return self.body

    def close(self):
        """Ends the connection in order: what was sent arrives."""
        self.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionError

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError


class Origin:
    """Records every byte and every request; answers by `script(call)`, an echo unless a test sets another."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(512)
        self.port = self.socket.getsockname()[1]
        self.lock = threading.Lock()
        self.forget()
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self):
        with self.lock:
            self.raw, self.calls, self.faults, self.script, self.greeting = b"", [], [], self.echo, b""

    @staticmethod
    def echo(call):
        body = call.head + b"\r\n\r\n" + call.read_body()
        extra = b"" if call.line.startswith(b"HEAD ") else body
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + extra)

    @staticmethod
    def says(*pieces, close=False):
        """A script that reads the request, sends the pieces, and closes or stays."""

        def script(call):
            call.read_body()
            call.send(*pieces)
            if close:
                call.close()

        return script

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection, number):
        origin = self

        class Recorded:
            """The connection, with every byte that is read from it written down."""

            def recv(self, size):
                data = connection.recv(size)
                with origin.lock:
                    origin.raw += data
                return data

            def __getattr__(self, name):
                return getattr(connection, name)

        recorded, buffer = Recorded(), b""
        try:
            if self.greeting:
                connection.sendall(self.greeting)
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = recorded.recv(1 << 18)
                    if not data:
                        raise ConnectionError
                    buffer += data
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                call = Call(head, recorded, buffer, number)
                with self.lock:
                    self.calls.append(call)
                    self.faults += faults(call)
                self.script(call)
                buffer = call.buffer
        except (OSError, ConnectionError):
            connection.close()
        except (ValueError, AssertionError) as error:
            self.faults.append(repr(error))
            connection.close()


def faults(call):
    """What no request of an intermediary may have (RFC 9110 §7.6, RFC 9112 §3 and §6)."""
    found, names = [], [name for name, _ in call.fields]
    if not re.fullmatch(TOKEN + rb" (/[\x21-\x22\x24-\x7e]*|\*) HTTP/1\.1", call.line):
        found.append(f"request line {call.line!r}")
    if names.count(b"host") != 1 or names[0] != b"host":
        found.append("Host is not one and first")
    if names.count(b"content-length") + names.count(b"transfer-encoding") > 1:
        found.append("framing twice")
    options = {option.strip().lower() for value in call.all("connection") for option in value.split(b",") if option.strip()}
    if options - {b"te", b"upgrade"}:
        found.append(f"Connection {options}")
    for name in HOP - {b"te"} | {b"upgrade"} - options:
        if name in names:
            found.append(f"hop-by-hop field {name!r}")
    if b"te" in names and (b"te" not in options or call.all("te") != [b"trailers"]):
        found.append("TE")
    if not call.all("via") or not re.fullmatch(rb"(1\.[01]|2\.0) portcullis", call.all("via")[-1]):
        found.append("Via")
    return found
