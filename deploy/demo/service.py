#!/usr/bin/env python3
"""A service to put behind the gateway: answers every request with what it saw, as JSON.

Listens on a loopback port of the kernel's choice and prints it as its first line.
`GET /_seen` tells how many requests have arrived, itself not counted.
"""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = 0
lock = threading.Lock()


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "demo"
    sys_version = ""
    timeout = 120

    def answer(self):
        global seen
        if self.path == "/_seen":
            return self.reply({"seen": seen})
        if self.path == "/healthz":
            return self.reply({"status": "ok"})
        with lock:
            seen += 1
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        if "authorization" in headers:
            headers["authorization"] = ["(present)"]  # a token has no place in an answer
        self.reply({"method": self.command, "path": self.path, "headers": headers, "body_bytes": len(body)})

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def reply(self, value):
        data = (json.dumps(value, indent=2) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
