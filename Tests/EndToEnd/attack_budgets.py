"""One client attacks at full speed, another one works: what the other one feels of it, and what the gateway remembers.

By hand: attack_budgets.py [--seconds 60] [--attackers 1] [name of an attack ...]
"""

import argparse
import multiprocessing
import socket
import ssl
import struct
import sys
import time

from frames import (
    DATA, END_HEADERS, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, H2, INITIAL_WINDOW, PREFACE, block, frame, literal, request, settings,
)
from h2cases import Suite
from test_h2_abuse import FLOODS, HEAD

ATTACKS = {
    name: (start, b"".join(make(n) for n in range(min(rounds, 3000))), codes) for name, (make, codes, start, rounds) in FLOODS.items()
}
LARGE = block(request(path=b"/large"))
ATTACKS["windows that stay shut"] = (
    settings([(INITIAL_WINDOW, 0)]), b"".join(frame(HEADERS, 5, 2 * n + 1, LARGE) for n in range(100)), (ENHANCE_YOUR_CALM,)
)
ATTACKS["windows that open by a byte"] = (
    settings([(INITIAL_WINDOW, 1)]),
    b"".join(frame(HEADERS, 5, 2 * n + 1, LARGE) for n in range(100))
    + b"".join(frame(8, 0, 2 * (n % 100) + 1, b"\0\0\0\1") for n in range(20000)),
    (ENHANCE_YOUR_CALM,),
)
# Those that are over only when a deadline is.
PATIENT = {"windows that stay shut"}
# Those that never come to a frame; what they do is `shake`.
HANDSHAKES = {"TLS handshakes", "TLS handshakes that are left", "TLS of garbage"}
for name in HANDSHAKES:
    ATTACKS[name] = (b"", b"", (None,))


def attack(port, start, rounds, patient, until, results):
    """Connects, sends as fast as it goes, and does so again when it is cut off."""
    connections, codes, sent = 0, {}, 0
    while time.time() < until:
        connections += 1
        got, over = b"", False
        try:
            with socket.create_connection(("127.0.0.1", port)) as c:
                c.settimeout(0.2)
                view = memoryview(PREFACE + settings([]) + start + rounds)
                while view and time.time() < until and not over:
                    try:
                        view = view[(n := c.send(view[: 1 << 16])) :]
                        sent += n
                    except TimeoutError:
                        pass
                    except OSError:
                        over = True
                while time.time() < until:
                    try:
                        data = c.recv(1 << 18)
                        if not data:
                            break
                        got += data
                    except TimeoutError:
                        if not patient and not over:
                            continue
        except OSError:
            pass
        code = None
        while len(got) >= 9:
            length = int.from_bytes(got[:3], "big")
            if got[3] == GOAWAY:
                code = struct.unpack(">I", got[13:17])[0]
            got = got[9 + length :]
        if time.time() < until:
            codes[code] = codes.get(code, 0) + 1
    results.put((connections, codes, sent))


def shake(port, name, until, results):
    """Makes the gateway shake hands, one connection after the other."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connections = 0
    while time.time() < until:
        connections += 1
        try:
            with socket.create_connection(("127.0.0.1", port)) as c:
                if name == "TLS handshakes":
                    context.wrap_socket(c).close()
                elif name == "TLS of garbage":
                    c.sendall(bytes(range(256)) * 64)
                    c.recv(1 << 16)
                else:
                    hello = ssl.MemoryBIO()
                    try:
                        context.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
                    except ssl.SSLWantReadError:
                        c.sendall(hello.read())
                    c.recv(1 << 16)
        except OSError:
            pass
    results.put((connections, {}, 0))


def work(port, until, results):
    """A client that asks every few milliseconds; its latencies in milliseconds."""
    times = []
    with H2(port) as c:
        stream = 1
        while time.time() < until:
            begun = time.perf_counter()
            c.get(stream, b"/good")
            answer = c.answer(stream)
            assert answer.status == 200 and answer.ended, (answer.status, c.goaway, c.end)
            times.append((time.perf_counter() - begun) * 1000)
            c.streams.pop(stream)
            c.frames.clear()
            stream += 2
            time.sleep(0.004)
    results.put(sorted(times))


def backend(ready):
    """A backend of its own process, so that what the attack does to ours is not felt."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready.put(listener.getsockname()[1])
    import selectors

    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ)
                continue
            try:
                data = key.fileobj.recv(1 << 16)
                if data:
                    key.fileobj.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" * data.count(b"\r\n\r\n"))
                    continue
            except OSError:
                pass
            selector.unregister(key.fileobj)
            key.fileobj.close()


def spin(until):
    """A neighbour who has nothing to do with the gateway: what is felt of it is the machine's doing."""
    while time.time() < until:
        pass


def processor(pid):
    """Seconds of processor time that a process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


class Budgets(Suite):
    settings = """
workers: 1
limits: {requests_per_connection: 1000000000}
timeouts: {write: 1s, linger: 500ms}
"""
    routes = """
routes:
  - {name: fast, match: {path: /fast}, auth: public, respond: {status: 200, body: hi}}
  - {name: large, match: {path: /large}, auth: public, forward: {upstream: a}}
  - {name: good, match: {path: /good}, auth: public, forward: {upstream: good}}
  - {name: wait, match: {path: /}, auth: public, forward: {upstream: a}}
"""
    seconds = 1.5

    @classmethod
    def setUpClass(cls):
        ready = multiprocessing.Queue()
        cls.good = multiprocessing.Process(target=backend, args=(ready,), daemon=True)
        cls.good.start()
        cls.upstreams = '  - {name: good, servers: ["127.0.0.1:%d"]}\n' % ready.get()
        super().setUpClass()
        large = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(200000)
        cls.answers = lambda call: call.send(large) if call.path == b"/large" else call.read_body()
        cls.quiet = cls.measure(cls, None)
        cls.beside = [cls.measure(cls, None, neighbours=n)[0] for n in (1, 2)]

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.good.kill()

    def measure(self, name, neighbours=0):
        """What the working client sees and what the gateway holds and uses while an attack runs, or none."""
        results, attacks = multiprocessing.Queue(), multiprocessing.Queue()
        until = time.time() + max(self.seconds, 3 if name in PATIENT else 0)
        worker = multiprocessing.Process(target=work, args=(self.listener("main"), until, results))
        worker.start()
        attackers = []
        for _ in range(self.attackers if name else 0):
            start, rounds, _ = ATTACKS[name]
            target, args = attack, (self.listener("main"), start, rounds, name in PATIENT, until, attacks)
            if name in HANDSHAKES:
                target, args = shake, (self.listener("tls"), name, until, attacks)
            attackers.append(multiprocessing.Process(target=target, args=args))
            attackers[-1].start()
        for _ in range(neighbours):
            multiprocessing.Process(target=spin, args=(until,)).start()
        begun, used = time.time(), processor(self.gateway.process.pid)
        most = 0
        while time.time() < until:
            most = max(most, resident(self.gateway.process.pid))
            time.sleep(0.02)
        share = (processor(self.gateway.process.pid) - used) / (time.time() - begun)
        times = results.get(timeout=20)
        worker.join()
        found = (0, {}, 0)
        for attacker in attackers:
            connections, codes, sent = attacks.get(timeout=20)
            found = (found[0] + connections, {c: found[1].get(c, 0) + codes.get(c, 0) for c in {*found[1], *codes}}, found[2] + sent)
        for attacker in attackers:
            attacker.join()
        return times[int(len(times) * 0.99)], most, share, found

    def test_budgets(self):
        quiet, memory, share, _ = self.quiet
        print(f"\nquiet: p99 {quiet:.2f} ms, {memory} KiB, {share:.0%} of a processor", file=sys.stderr)
        beside = ", ".join(f"{p99:.2f} ms" for p99 in self.beside)
        print(f"beside one or two busy processes that leave the gateway alone: p99 {beside}", file=sys.stderr)
        for name in self.names or ATTACKS:
            with self.subTest(name):
                self.origin.forget()
                self.origin.script = type(self).answers
                if self.strict:
                    # The machine is not equally quiet all the time.
                    quiet = self.measure(None)[0]
                p99, most, share, (connections, codes, sent) = self.measure(name)
                print(
                    f"{name:52} p99 {p99:7.2f} ms ({p99 / quiet:4.1f}x)  {most:6} KiB ({most / memory:4.2f}x)  {share:4.0%}  "
                    f"{connections} connections, {sent >> 10} KiB, codes {codes}",
                    file=sys.stderr,
                )
                self.assertGreater(connections, 1, "the attack was never cut off")
                self.assertLessEqual(set(codes), set(ATTACKS[name][2]), "closed without the right code")
                self.assertLess(most, 2 * memory)
                # Short runs on a busy machine say little about the hundredth part.
                self.assertLess(p99, 3 * quiet if self.strict else max(3 * quiet, 30))

    names, strict, attackers = (), False, 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--attackers", type=int, default=1)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    Budgets.seconds, Budgets.names, Budgets.strict = options.seconds, options.names, True
    Budgets.attackers = options.attackers
    import unittest

    unittest.main(argv=sys.argv[:1])
