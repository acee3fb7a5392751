"""Load from outside: wrk, many kept connections that tell apart what became of each request, and nginx as the service."""

import os
import random
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from ports import free_port
from timing import steady

REQUEST = b"GET /load HTTP/1.1\r\nHost: gateway.example\r\n\r\n"
ENDING = b"GET /load HTTP/1.1\r\nHost: gateway.example\r\nConnection: close\r\n\r\n"


class Service:
    """nginx as one process with a port of its own; killed and started again at will. It counts what it is asked."""

    TEXT = """
daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; keepalive_requests {requests}; keepalive_timeout 1h;
  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
  server {{
    listen 127.0.0.1:{port} backlog=4096 reuseport;
    location / {{ return 200 "hello from the service\\n"; }}
    location = /count {{ stub_status; }}
  }}
}}
"""

    def __init__(self, requests=1000):
        self.folder, self.port, self.process = tempfile.mkdtemp(prefix="portcullis-load-"), free_port(), None
        with open(os.path.join(self.folder, "nginx.conf"), "w") as file:
            file.write(self.TEXT.format(port=self.port, requests=requests))
        self.start()

    def start(self):
        """Returns when it accepts."""
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        arguments = [program, "-p", self.folder, "-c", "nginx.conf", "-e", os.path.join(self.folder, "error.log")]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = steady() + 10
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert steady() < until, "nginx does not start"
                time.sleep(0.002)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def count(self):
        """Requests so far, this one not included."""
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(b"GET /count HTTP/1.0\r\n\r\n")
            text = b""
            while data := client.recv(4096):
                text += data
        return int(re.search(rb"\n (\d+) (\d+) (\d+)", text)[3]) - 1


class Wrk:
    """wrk at full speed for a time, and what it counted."""

    def __init__(self, port, seconds, connections=64, token=None):
        arguments = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        if token:
            arguments += ["-H", "Authorization: Bearer " + token]
        self.process = subprocess.Popen(arguments + [f"http://127.0.0.1:{port}/load"], stdout=subprocess.PIPE, text=True)

    @property
    def runs(self):
        return self.process.poll() is None

    def stop(self):
        """Ends it early; it tells what it counted so far."""
        self.process.send_signal(signal.SIGINT)

    def result(self):
        text = self.process.communicate()[0]
        found = {"requests": int(re.search(r"(\d+) requests in", text)[1]), "bad": 0}
        found["rate"] = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        if match := re.search(r"Non-2xx or 3xx responses: (\d+)", text):
            found["bad"] = int(match[1])
        match = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        found.update(zip(("connect", "read", "write", "timeout"), map(int, match.groups()) if match else (0, 0, 0, 0)))
        return found


class One:
    """One client: its socket, and since when it waits for what."""

    def __init__(self):
        self.socket, self.state, self.since, self.due, self.buffer = None, "gone", 0.0, 0.0, b""


class Clients(threading.Thread):
    """Clients that ask, wait for the answer, and ask again, on one thread; `outcomes` has what became of each request.

    A status; `refused`: no connection; `closed`: the connection ended before a request was sent; `unanswered`: it ended
    when a request had been sent and nothing of the answer had come; `cut`: it ended within an answer.
    """

    def __init__(self, port, clients=64, pause=0.0, keep=True):
        super().__init__(daemon=True)
        self.address, self.pause, self.request = ("127.0.0.1", port), pause, REQUEST if keep else ENDING
        self.selector, self.ending = selectors.DefaultSelector(), threading.Event()
        self.outcomes, self.events, self.slowest = {}, [], 0.0
        self.all = [One() for _ in range(clients)]
        self.start()

    def run(self):
        while not self.ending.is_set():
            now = steady()
            for one in self.all:
                if one.state == "gone" and now >= one.due:
                    self.connect(one)
                elif one.state == "resting" and now >= one.due:
                    self.ask(one)
            for key, _ in self.selector.select(0.002):
                self.ready(key.data)
        for one in self.all:
            # A client that hangs is as bad as a slow one.
            if one.state == "waiting":
                self.slowest = max(self.slowest, steady() - one.since)
            if one.socket:
                one.socket.close()

    def connect(self, one):
        one.socket, one.buffer, one.state = socket.socket(), b"", "connecting"
        one.socket.setblocking(False)
        one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.socket.connect_ex(self.address)
        self.selector.register(one.socket, selectors.EVENT_WRITE, one)

    def connected(self, one):
        if one.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.end(one, "refused")
            one.due = max(one.due, steady() + 0.01)
            return
        self.selector.modify(one.socket, selectors.EVENT_READ, one)
        self.ask(one)

    def ask(self, one):
        one.state, one.since = "waiting", steady()
        try:
            # An end that has come already is seen here: then nothing is sent.
            ended = one.socket.recv(1) == b""
        except BlockingIOError:
            ended = False
        except OSError:
            ended = True
        try:
            if ended or one.socket.send(self.request) != len(self.request):
                return self.end(one, "closed")
        except OSError:
            return self.end(one, "closed")

    def ready(self, one):
        if one.state == "connecting":
            return self.connected(one)
        try:
            data = one.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self.end(one, "closed" if one.state == "resting" else "cut" if one.buffer else "unanswered")
        one.buffer += data
        head, mark, body = one.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length and len(body) < int(length[1]):
            return
        self.slowest = max(self.slowest, steady() - one.since)
        closes = re.search(rb"(?i)\r\nconnection: *close", head)
        one.buffer = b""
        self.note(one, int(head[9:12]))
        if closes:
            return self.end(one, None)
        one.state, one.due = "resting", steady() + self.pause * random.random()
        if not self.pause:
            self.ask(one)

    def end(self, one, outcome):
        self.selector.unregister(one.socket)
        one.socket.close()
        one.socket, one.state, one.due = None, "gone", steady() + self.pause * random.random()
        if outcome:
            self.note(one, outcome)

    def note(self, one, outcome):
        if outcome not in self.outcomes:
            self.outcomes[outcome] = 0
        self.outcomes[outcome] += 1
        if outcome != 200 or not self.events or self.events[-1][1] != 200:
            self.events.append((steady(), outcome))

    def first(self, outcome, after):
        """When, after a moment, an outcome was first had; None so far."""
        return next((when for when, what in list(self.events) if when >= after and what == outcome), None)

    def stop(self):
        self.ending.set()
        self.join(10)
        self.selector.close()
