"""An HTTP/2 client and a scripted HTTP/2 server over python h2."""

import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from timing import steady


def announce(connection, settings):
    """What the first SETTINGS say; a later change would count only once it is acknowledged."""
    values = {**connection.local_settings, **settings}
    connection.local_settings = h2.settings.Settings(connection.config.client_side, values)


# The library takes GOAWAY for the end of everything; requests that are under way go on (RFC 9113 §6.8).
_States, _Inputs = h2.connection.ConnectionState, h2.connection.ConnectionInputs
for _state in (_States.CLIENT_OPEN, _States.SERVER_OPEN):
    h2.connection.H2ConnectionStateMachine._transitions[_state, _Inputs.RECV_GOAWAY] = (None, _state)


class Reply:
    """What came on one stream so far."""

    def __init__(self):
        self.fields, self.interim, self.trailers = [], [], []
        self.pieces, self.ended, self.reset = [], False, None
        self.received = 0

    @property
    def body(self):
        """What came of the content, joined when it is asked for: adding to bytes would copy all of it each time."""
        self.pieces = [b"".join(self.pieces)]
        return self.pieces[0]

    @body.setter
    def body(self, content):
        self.pieces = [content]

    @property
    def status(self):
        return int(dict(self.fields).get(":status", 0)) or None

    def field(self, name):
        return dict(self.fields).get(name)

    def trailer(self, name):
        return dict(self.trailers).get(name)

    @property
    def over(self):
        return self.ended or self.reset is not None


class Client:
    """One connection to the gateway; single-threaded: `read` moves it on."""

    def __init__(self, port, context=None, name="gateway.example", window=None, keep=True, authority=None):
        self.authority = authority or name
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
            assert self.socket.selected_alpn_protocol() == "h2", self.socket.selected_alpn_protocol()
        self.scheme = "https" if context else "http"
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        if window is not None:
            announce(self.h2, {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.h2.initiate_connection()
        self.replies, self.goaways, self.closed, self.settled = {}, [], False, False
        self.takes, self.keep = True, keep
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def request(self, path="/", method="GET", fields=(), body=None, ends=True, token=None, protocol=None):
        """Opens a stream; with `body` all of it is sent."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", self.scheme), (":authority", self.authority), (":path", path)]
        if protocol:
            head.append((":protocol", protocol))
        if token:
            head.append(("authorization", "Bearer " + token))
        self.h2.send_headers(stream, head + list(fields), end_stream=ends and body is None)
        self.replies[stream] = Reply()
        self.flush()
        if body is not None:
            self.send(stream, body, ends)
        return stream

    def send(self, stream, data, ends=False):
        """Content within the windows, reading while they are shut; stops when the answer is over."""
        view = memoryview(data)
        while view and not self.replies[stream].over and not self.closed:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(view))
            if room == 0:
                self.read()
                continue
            self.h2.send_data(stream, bytes(view[:room]))
            self.flush()
            view = view[room:]
        if ends and not self.replies[stream].over:
            self.h2.end_stream(stream)
            self.flush()

    def reset(self, stream, code=h2.errors.ErrorCodes.CANCEL):
        self.h2.reset_stream(stream, code)
        self.flush()

    def read(self, seconds=5.0):
        """Takes what comes within the time; false when nothing did."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 18)
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(data):
            self.take(event)
        self.flush()
        return True

    def take(self, event):
        stream = getattr(event, "stream_id", None)
        reply = self.replies.get(stream)
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settled = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((event.error_code, event.last_stream_id))
        elif reply is None:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            reply.fields = event.headers
        elif isinstance(event, h2.events.InformationalResponseReceived):
            reply.interim.append(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            reply.trailers = event.headers
        elif isinstance(event, h2.events.DataReceived):
            reply.received += len(event.data)
            if self.keep:
                reply.pieces.append(event.data)
            if self.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.StreamEnded):
            reply.ended = True
        elif isinstance(event, h2.events.StreamReset):
            reply.reset = event.error_code

    def until(self, condition, seconds=30):
        until = steady() + seconds
        while not condition():
            left = until - steady()
            if left <= 0 or self.closed:
                return False
            self.read(left)
        return True

    def reply(self, stream, seconds=30):
        """The whole answer, or as far as it came."""
        reply = self.replies[stream]
        self.until(lambda: reply.over, seconds)
        return reply

    def get(self, path="/", **options):
        return self.reply(self.request(path, **options))


class Stream:
    """A request at a scripted server."""

    def __init__(self, connection, number, fields):
        self.connection, self.number, self.fields = connection, number, fields
        self.head = {}
        for name, value in fields:
            self.head[name] = value if name not in self.head else self.head[name] + ", " + value
        self.body, self.trailers, self.ended, self.reset_code = b"", [], False, None

    @property
    def path(self):
        return self.head[":path"]

    def _do(self, action, *arguments, **options):
        with self.connection.lock:
            action(*arguments, **options)
            self.connection.flush()

    def respond(self, status=200, fields=(), body=None, trailers=None, ends=True):
        """The head, and with `body` the content; `ends` ends it, with trailers if there are any."""
        done = ends and not body and not trailers
        self._do(self.connection.h2.send_headers, self.number, [(":status", str(status)), *fields], end_stream=done)
        if body:
            self.send(body, ends and not trailers)
        if trailers:
            self.finish(trailers)

    def finish(self, trailers):
        self._do(self.connection.h2.send_headers, self.number, trailers, end_stream=True)

    def send(self, data, ends=False):
        """Content within the windows; waits for more in the connection's own thread."""
        view = memoryview(data)
        while view:
            with self.connection.lock:
                if self.reset_code is not None or self.connection.over:
                    raise ConnectionError
                h2c = self.connection.h2
                room = min(h2c.local_flow_control_window(self.number), h2c.max_outbound_frame_size, len(view))
                if room > 0:
                    h2c.send_data(self.number, bytes(view[:room]), end_stream=ends and room == len(view))
                    self.connection.flush()
                    view = view[room:]
                    continue
                self.connection.changed.wait(10)
        if ends and not data:
            self.end()

    def end(self):
        self._do(self.connection.h2.end_stream, self.number)

    def reset(self, code):
        self._do(self.connection.h2.reset_stream, self.number, code)


class Server:
    """Accepts HTTP/2; `script(stream)` runs in a thread of its own per request, at its head, or at its end.

    `settings` are announced at first.
    """

    def __init__(self, script, tls=None, settings=None, at_head=False, port=0):
        self.script, self.tls, self.settings, self.at_head = script, tls, settings or {}, at_head
        self.lock = threading.Lock()
        self.streams, self.connections, self.most, self.resumed = [], [], 0, 0
        self.failures = []
        self.socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._begin, args=(raw,), daemon=True).start()

    def _begin(self, raw):
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                raw = self.tls.wrap_socket(raw, server_side=True)
                self.resumed += raw.session_reused
            connection = Connection(self, raw)
            with self.lock:
                self.connections.append(connection)
            connection.run()
        except (OSError, h2.exceptions.ProtocolError) as error:
            self.failures.append(repr(error))
            raw.close()

    def stop(self):
        """Stops as a killed process does."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            connection.cut()


class Connection:
    """One connection at a scripted server."""

    def __init__(self, server, raw):
        self.server, self.socket = server, raw
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.open, self.over, self.takes = {}, False, True
        announce(self.h2, server.settings)
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data and not self.over:
            try:
                self.socket.sendall(data)
            except OSError:
                self.over = True

    def cut(self):
        self.over = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()
        except OSError:
            pass

    def goaway(self, last=None, code=h2.errors.ErrorCodes.NO_ERROR):
        """GOAWAY on the wire, without the library's belief that everything ends with it."""
        last = self.h2.highest_inbound_stream_id if last is None else last
        with self.lock:
            self.flush()
            self.socket.sendall(b"\0\0\x08\x07\0\0\0\0\0" + last.to_bytes(4, "big") + int(code).to_bytes(4, "big"))

    def run(self):
        while True:
            try:
                data = self.socket.recv(1 << 18)
            except OSError:
                if not self.over:
                    raise
                data = b""
            with self.lock:
                if not data:
                    self.over = True
                    self.changed.notify_all()
                    self.socket.close()
                    return
                for event in self.h2.receive_data(data):
                    self.take(event)
                self.flush()
                self.changed.notify_all()

    def take(self, event):
        stream = self.open.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RequestReceived):
            stream = Stream(self, event.stream_id, event.headers)
            self.open[event.stream_id] = stream
            with self.server.lock:
                self.server.streams.append(stream)
                self.server.most = max(self.server.most, self.h2.open_inbound_streams)
            if self.server.at_head:
                self.start(stream)
        elif stream is None:
            return
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            if self.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = event.headers
        elif isinstance(event, h2.events.StreamReset):
            stream.reset_code = event.error_code
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
            if not self.server.at_head:
                self.start(stream)

    def start(self, stream):
        threading.Thread(target=self.answer, args=(stream,), daemon=True).start()

    def answer(self, stream):
        try:
            self.server.script(stream)
        except (OSError, h2.exceptions.ProtocolError) as error:
            self.server.failures.append(repr(error))
