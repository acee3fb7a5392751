"""A client that writes HTTP/2 frame by frame, right or wrong, and reads frames and field sections (RFC 9113, RFC 7541)."""

import select
import socket
import ssl
import struct

from timing import steady


DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR = range(7)
REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(7, 12)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32
TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_HEADER_LIST = range(1, 7)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# RFC 7541 Appendix A.
STATIC = [(b"", b"")] + [
    tuple(part.encode() for part in entry.split("=", 1))
    for entry in (
        ":authority= :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200 :status=204 "
        ":status=206 :status=304 :status=400 :status=404 :status=500 accept-charset= accept-encoding=gzip,_deflate "
        "accept-language= accept-ranges= accept= access-control-allow-origin= age= allow= authorization= cache-control= "
        "content-disposition= content-encoding= content-language= content-length= content-location= content-range= "
        "content-type= cookie= date= etag= expect= expires= from= host= if-match= if-modified-since= if-none-match= "
        "if-range= if-unmodified-since= last-modified= link= location= max-forwards= proxy-authenticate= "
        "proxy-authorization= range= referer= refresh= retry-after= server= set-cookie= strict-transport-security= "
        "transfer-encoding= user-agent= vary= via= www-authenticate="
    ).split(" ")
]
STATIC[16] = (b"accept-encoding", b"gzip, deflate")


def _codes():
    """The code of RFC 7541 Appendix B, which is canonical: the lengths of the 257 symbols say it all (A is 5 bits)."""
    lengths = [
        ord(letter) - 60
        for letter in "ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBB"
        "BABCBAABCCCCCKGJIXPRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVVPORSRUVVVWWVTUOQVWWVWTQQVVXWWW"
        "PTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWVZ"
    ]
    codes, code, last = [None] * 257, 0, 0
    for symbol in sorted(range(257), key=lambda symbol: (lengths[symbol], symbol)):
        code <<= lengths[symbol] - last
        last = lengths[symbol]
        codes[symbol] = (code, last)
        code += 1
    return codes


CODES = _codes()
SYMBOLS = {(length, code): symbol for symbol, (code, length) in enumerate(CODES)}


def huffman(text, padding=1, extra=b""):
    """Text in the code, padded with ones, or with what `padding` says."""
    bits = "".join(format(code, f"0{length}b") for code, length in (CODES[byte] for byte in text))
    bits += str(padding) * (-len(bits) % 8)
    return int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:] + extra


def unhuffman(data):
    out, code, length = bytearray(), 0, 0
    for byte in data:
        for place in range(7, -1, -1):
            code, length = code << 1 | byte >> place & 1, length + 1
            symbol = SYMBOLS.get((length, code))
            if symbol is not None:
                out.append(symbol)
                code, length = 0, 0
    assert length < 8 and code == (1 << length) - 1, "padding"
    return bytes(out)


def integer(value, bits, first=0):
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytearray([first | most]), value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def string(text, coded=False):
    return integer(len(huffman(text)), 7, 128) + huffman(text) if coded else integer(len(text), 7) + text


def literal(name, value):
    """A field that is not indexed, all spelled out."""
    return b"\0" + string(name) + string(value)


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


class Decoder:
    """Field sections of the gateway."""

    def __init__(self):
        self.table, self.size, self.most = [], 0, 4096

    def _integer(self, data, at, bits):
        most = (1 << bits) - 1
        value, at = data[at] & most, at + 1
        if value == most:
            shift = 0
            while True:
                byte, at = data[at], at + 1
                value += (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
        return value, at

    def _string(self, data, at):
        coded = data[at] & 128
        length, at = self._integer(data, at, 7)
        text = data[at : at + length]
        assert len(text) == length
        return (unhuffman(text) if coded else text), at + length

    def _entry(self, index):
        assert index > 0
        return STATIC[index] if index < 62 else self.table[index - 62]

    def _add(self, field):
        self.table.insert(0, field)
        self.size += len(field[0]) + len(field[1]) + 32
        self._evict()

    def _evict(self):
        while self.size > self.most:
            name, value = self.table.pop()
            self.size -= len(name) + len(value) + 32

    def decode(self, data):
        at, fields = 0, []
        while at < len(data):
            first = data[at]
            if first & 128:
                index, at = self._integer(data, at, 7)
                fields.append(self._entry(index))
            elif first & 0xE0 == 0x20:
                self.most, at = self._integer(data, at, 5)
                self._evict()
            else:
                index, at = self._integer(data, at, 6 if first & 64 else 4)
                name = None
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = self._string(data, at)
                value, at = self._string(data, at)
                fields.append((name, value))
                if first & 64:
                    self._add((name, value))
        return fields


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    @property
    def code(self):
        """The error code of RST_STREAM and GOAWAY."""
        return struct.unpack(">I", self.payload[4:8] if self.kind == GOAWAY else self.payload[:4])[0]

    def __repr__(self):
        return f"<{self.kind} flags={self.flags:#x} stream={self.stream} {self.payload[:24]!r}>"


def frame(kind, flags, stream, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">BHBBI", length >> 16, length & 65535, kind, flags, stream) + payload


def settings(entries, flags=0, stream=0):
    return frame(SETTINGS, flags, stream, b"".join(struct.pack(">HI", *entry) for entry in entries))


def request(method=b"GET", path=b"/", scheme=b"http", authority=b"gateway.example"):
    return [(b":method", method), (b":scheme", scheme), (b":path", path), (b":authority", authority)]


class Answered:
    """What came on one stream."""

    def __init__(self):
        self.interim, self.fields, self.body, self.trailers = [], None, b"", None
        self.ended, self.reset = False, None

    @property
    def status(self):
        return int(dict(self.fields)[b":status"]) if self.fields else None

    @property
    def over(self):
        return self.ended or self.reset is not None

    def get(self, name):
        return next((value.decode("latin-1") for known, value in self.fields or [] if known == name.encode()), None)


class H2:
    """One connection. Windows are kept open by hand: `grow` gives all that came back."""

    def __init__(self, port, tls=None, patience=3, entries=(), opening=True, grow=True, server_name="gateway.example"):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=server_name)
            assert self.socket.selected_alpn_protocol() == "h2", "ALPN"
        self.scheme = b"https" if tls is not None else b"http"
        self.patience, self.grow = patience, grow
        self.buffer, self.frames, self.end = b"", [], None
        self.decoder, self.section, self.streams = Decoder(), None, {}
        self.goaway, self.acknowledged, self.peer, self.pongs = None, 0, {}, []
        if opening:
            self.send(PREFACE + settings(entries))
            self.wait(lambda: self.acknowledged > 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    # Writing.

    def send(self, *pieces):
        """Sends; that the gateway has closed already is for reading to find."""
        try:
            self.socket.settimeout(5)
            self.socket.sendall(b"".join(pieces))
            return True
        except OSError:
            return False

    def headers(self, stream, fields, ends=True, flags=END_HEADERS, extra=b""):
        return self.send(frame(HEADERS, flags | (END_STREAM if ends else 0), stream, block(fields) + extra))

    def get(self, stream, path=b"/", fields=(), method=b"GET", ends=True, authority=b"gateway.example"):
        return self.headers(stream, request(method, path, self.scheme, authority) + list(fields), ends)

    def post(self, stream, path=b"/", fields=(), ends=False):
        return self.get(stream, path, fields, b"POST", ends)

    def data(self, stream, content=b"", ends=False):
        return self.send(frame(DATA, END_STREAM if ends else 0, stream, content))

    def ping(self, payload=b"12345678"):
        return self.send(frame(PING, 0, 0, payload))

    def window(self, stream, increment):
        return self.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment)))

    def reset(self, stream, code=CANCEL):
        return self.send(frame(RST_STREAM, 0, stream, struct.pack(">I", code)))

    # Reading.

    def stream(self, number):
        return self.streams.setdefault(number, Answered())

    def poll(self, seconds):
        """Reads what comes within a time; false when nothing did, or the connection is over."""
        if self.end is not None:
            return False
        if not (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()):
            if not select.select([self.socket], [], [], max(0, seconds))[0]:
                return False
        try:
            self.socket.settimeout(max(0.05, seconds))
            data = self.socket.recv(1 << 18)
        except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
            return True
        except OSError:
            self.end = "RST"
            return False
        if not data:
            self.end = "EOF"
            return False
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
            got = Frame(kind, flags, stream, self.buffer[9 : 9 + length])
            self.buffer = self.buffer[9 + length :]
            self._take(got)
        return True

    def _take(self, got):
        self.frames.append(got)
        assert len(got.payload) <= 16384, "a frame that is too large"
        if got.kind == SETTINGS:
            if got.flags & ACK:
                self.acknowledged += 1
            else:
                for at in range(0, len(got.payload), 6):
                    name, value = struct.unpack(">HI", got.payload[at : at + 6])
                    self.peer[name] = value
                self.send(frame(SETTINGS, ACK, 0))
        elif got.kind == GOAWAY:
            self.goaway = got
        elif got.kind == PING and got.flags & ACK:
            self.pongs.append(got.payload)
        elif got.kind == RST_STREAM:
            self.stream(got.stream).reset = got.code
        elif got.kind in (HEADERS, CONTINUATION):
            if got.kind == HEADERS:
                assert not got.flags & (PADDED | PRIORITIZED)
                self.section = (got.stream, got.flags & END_STREAM, b"")
            stream, ends, text = self.section
            self.section = (stream, ends, text + got.payload)
            if got.flags & END_HEADERS:
                self._fields(stream, ends, self.decoder.decode(text + got.payload))
        elif got.kind == DATA:
            answer = self.stream(got.stream)
            assert answer.fields is not None and not answer.ended, "DATA out of place"
            answer.body += got.payload
            answer.ended = bool(got.flags & END_STREAM)
            if self.grow and got.payload:
                self.window(0, len(got.payload))
                if not answer.ended:
                    self.window(got.stream, len(got.payload))

    def _fields(self, stream, ends, fields):
        answer = self.stream(stream)
        assert not answer.ended, "HEADERS after the end"
        if answer.fields is not None:
            assert ends, "trailers that end nothing"
            answer.trailers = fields
        else:
            assert fields[0][0] == b":status", "no status"
            for name, value in fields:
                assert name == name.lower() and name not in (b"connection", b"transfer-encoding", b"keep-alive"), name
            if fields[0][1].startswith(b"1"):
                assert not ends, "an interim answer that ends the stream"
                answer.interim.append(fields)
            else:
                answer.fields = fields
        answer.ended = bool(ends)

    def wait(self, condition, seconds=None):
        """Reads until a condition holds; whether it does before the time or the connection is over."""
        until = steady() + (self.patience if seconds is None else seconds)
        while not condition():
            left = until - steady()
            if left <= 0 or (not self.poll(left) and self.end is not None):
                return condition()
        return True

    def answer(self, stream, seconds=None):
        """What came on a stream, when it or the connection is over."""
        self.wait(lambda: self.stream(stream).over, seconds)
        return self.stream(stream)

    def alive(self):
        """Whether a PING is still answered."""
        before = len(self.pongs)
        self.ping(b"alive %2d" % (before % 100))
        return self.wait(lambda: len(self.pongs) > before)

    def closes(self, seconds=None):
        """Whether the gateway ends the connection."""
        self.wait(lambda: self.end is not None, seconds)
        return self.end is not None


def client_tls(authority=None):
    """A context that offers HTTP/2 alone; without an authority it trusts anybody."""
    context = ssl.create_default_context(cadata=authority)
    if authority is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context
