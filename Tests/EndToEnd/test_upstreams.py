"""Services with several servers: who is asked, who is passed over, what is tried again, and what the client hears."""

import json
import os
import socket
import tempfile
import threading
import time
import unittest

from harness import Gateway, Upstream
from ports import free_port
from timing import Stopwatch, steady

ROUTE = "routes: [{name: all, match: {path: /}, auth: public, forward: {upstream: a@FORWARD@}}]\n"


def named(name, **options):
    """A server that answers with its name."""
    return Upstream(lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name), **options)


class Base(unittest.TestCase):
    def gateway(self, servers, options="", forward="", before="", **more):
        text = f"workers: 1\n{before}upstreams: [{{name: a, servers: [{', '.join(servers)}]{options}}}]\n" + ROUTE
        gateway = Gateway(text, FORWARD=forward, **more)
        self.addCleanup(gateway.stop)
        return gateway

    def upstream(self, *arguments, **options):
        upstream = named(*arguments, **options) if arguments and isinstance(arguments[0], bytes) else Upstream(*arguments, **options)
        self.addCleanup(upstream.stop)
        return upstream

    def metric(self, gateway, name):
        text = gateway.get("/metrics", port=gateway.ops_port).body
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("portcullis_" + name))

    def until(self, condition, seconds=8):
        end = steady() + seconds
        while not (result := condition()) and steady() < end:
            time.sleep(0.02)
        return result


def at(upstream, weight=1):
    return f'{{address: "127.0.0.1:{upstream if isinstance(upstream, int) else upstream.port}", weight: {weight}}}'


class Balancing(Base):
    def test_round_robin_by_weight(self):
        one, two, three = (self.upstream(name) for name in (b"1", b"2", b"3"))
        gateway = self.gateway([at(one, 3), at(two), at(three, 2)])
        answers = [gateway.get().body for _ in range(24)]
        self.assertEqual([answers.count(name) for name in "123"], [12, 4, 8])
        self.assertLessEqual(max(len(run) for run in "".join(answers).replace("1", " ").split()), 2)

    def test_least_connections(self):
        release = threading.Event()

        def answering(name):
            def answer(head, *_):
                if b"/hold" in head:
                    release.wait(30)
                return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name

            return answer

        one, two = self.upstream(answering(b"1")), self.upstream(answering(b"2"))
        gateway = self.gateway([at(one), at(two)], ", balance: least_connections")
        holding = [threading.Thread(target=gateway.get, args=("/hold",)) for _ in range(3)]
        for count, thread in enumerate(holding, 1):
            thread.start()
            self.assertTrue(self.until(lambda: len(one.heads) + len(two.heads) == count))  # noqa: B023
        busy, idle = sorted((one, two), key=lambda upstream: -len(upstream.heads))
        self.assertEqual((len(busy.heads), len(idle.heads)), (2, 1))
        answers = {gateway.get().body for _ in range(6)}
        release.set()
        self.assertEqual(answers, {"1" if idle is one else "2"})
        for thread in holding:
            thread.join()

    def test_limits_of_the_pool(self):
        active, most, lock = [0], [0], threading.Lock()

        def slow(*_):
            with lock:
                active[0] += 1
                most[0] = max(most[0], active[0])
            time.sleep(0.1)
            with lock:
                active[0] -= 1
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

        upstream = self.upstream(slow)
        for timeout, expected in (("3s", {200}), ("150ms", {200, 503})):
            gateway = self.gateway([at(upstream)], f", pool: {{max_connections: 2}}, connect_timeout: {timeout}")
            statuses = []
            threads = [threading.Thread(target=lambda: statuses.append(gateway.get().status)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(set(statuses), expected)
            self.assertLessEqual(most[0], 2)
            self.assertGreater(self.metric(gateway, 'limits_hit_total{limit="upstream_connections"}'), 0)

    def test_idle_connections_are_kept_in_numbers_and_for_a_time(self):
        for options, at_least, at_most in (("max_idle: 0", 5, 5), ("max_idle: 4", 1, 1), ("idle_timeout: 3s", 1, 1)):
            upstream = self.upstream(b"x")
            gateway = self.gateway([at(upstream)], f", pool: {{{options}}}")
            for _ in range(5):
                gateway.get()
            self.assertTrue(at_least <= len(upstream.connections) <= at_most, options)
            if "timeout" in options:
                # Counted once a second: there, then gone.
                for open_now in (1, 0):
                    self.assertTrue(self.until(lambda: self.metric(gateway, "upstream_connections_open") == open_now, 10))
                self.assertEqual(gateway.get().status, 200)
                self.assertEqual(len(upstream.connections), 2)


class Faults(Base):
    def test_refused_then_passed_over_then_back(self):
        port = free_port()
        gateway = self.gateway([at(port)], ", refused_pause: 2s")
        first, second = gateway.get(), gateway.get()
        self.assertEqual((first.status, json.loads(first.body)["code"]), (502, "upstream_refused"))
        self.assertEqual((second.status, second.field("Retry-After")), (503, "1"))
        self.assertEqual(self.metric(gateway, "upstream_unavailable_total"), 1)
        upstream = self.upstream(b"x", port=port)
        self.assertTrue(self.until(lambda: gateway.get().status == 200))
        self.assertGreater(len(upstream.heads), 0)

    def test_another_server_is_tried(self):
        alive = self.upstream(b"x")
        gateway = self.gateway([at(free_port()), at(free_port()), at(alive)], ", refused_pause: 30s")
        self.assertEqual({gateway.get().status for _ in range(20)}, {200})
        self.assertEqual(self.metric(gateway, "upstream_connect_failures_total"), 2)
        self.assertEqual(gateway.get(method="POST", body=b"body").status, 200)
        none = self.gateway([at(free_port()), at(free_port()), at(alive)], ", retries: 0, refused_pause: off")
        self.assertEqual({none.get().status for _ in range(9)}, {200, 502})

    def test_a_connection_that_is_not_taken_in_time(self):
        with socket.socket() as hole:
            hole.bind(("127.0.0.1", 0))
            hole.listen(0)
            stuffed = [socket.socket() for _ in range(4)]
            for client in stuffed:
                client.setblocking(False)
                client.connect_ex(hole.getsockname())
            time.sleep(0.1)
            port = hole.getsockname()[1]
            gateway = self.gateway([at(port)], ", connect_timeout: 400ms")
            took = Stopwatch()
            answer = gateway.get()
            self.assertEqual((answer.status, json.loads(answer.body)["code"]), (504, "upstream_timeout"))
            self.assertTrue(took.within(0.3, 1.5), took)
            both = self.gateway([at(port), at(self.upstream(b"x"))], ", connect_timeout: 1s, refused_pause: 30s")
            self.assertEqual({both.get().status for _ in range(4)}, {200})
            for client in stuffed:
                client.close()

    def test_deadlines_of_the_answer(self):
        over = threading.Event()
        self.addCleanup(over.set)

        def slow(head, body, connection):
            path = head.split(b" ")[1]
            if path == b"/part":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            over.wait(0.5 if path == b"/x" else 30)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

        upstream = self.upstream(slow)
        short = self.gateway([at(upstream)], ", first_byte_timeout: 200ms, idle_timeout: 200ms")
        self.assertEqual(short.get("/never").status, 504)
        self.assertEqual(short.get("/never", method="POST", body=b"abc").status, 504)
        self.assertEqual(self.metric(short, "upstream_timeouts_total"), 2)
        cut = short.get("/part")
        self.assertEqual((cut.status, cut.ending), (200, "<RST>"), cut.raw)
        for forward, path, status in (
            (", timeout: 8s", "/x", 200), (", timeout: off", "/x", 200), (", timeout: 8s, request_timeout: 200ms", "/never", 504)
        ):
            self.assertEqual(self.gateway([at(upstream)], ", first_byte_timeout: 200ms", forward).get(path).status, status, forward)

    def test_only_safe_requests_are_sent_again(self):
        def once(head, body, connection):
            count = served[connection] = served.get(connection, 0) + 1
            if count > 1:
                time.sleep(0.02)
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
                return None
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

        for method, body, status in (
            ("GET", b"", 200), ("HEAD", b"", 200), ("OPTIONS", b"", 200), ("POST", b"", 502), ("POST", b"x", 502), ("PUT", b"x", 502),
            ("DELETE", b"", 502), ("PATCH", b"", 502), ("GET", b"x", 200), ("PURGE", b"", 502),
        ):
            with self.subTest(method, body=body):
                served = {}
                upstream = self.upstream(once)
                gateway = self.gateway([at(upstream)])
                self.assertEqual(gateway.get("/first").status, 200)
                upstream.forget()
                self.assertEqual(gateway.get("/second", method=method, body=body).status, status)
                self.assertEqual(len(upstream.heads), 2 if status == 200 else 1)
                self.assertEqual(self.metric(gateway, "upstream_retries_total"), 1 if status == 200 else 0)

    def test_a_name_without_an_address_is_no_reason_not_to_start(self):
        gateway = self.gateway(['"nothing.invalid:80"'])
        answer = gateway.get()
        self.assertEqual((answer.status, answer.field("Retry-After")), (503, "1"))
        self.assertTrue(gateway.said("nothing.invalid has no address"))

    def test_unix_sockets(self):
        class Local(Upstream):
            def __init__(self, path):
                super().__init__(lambda head, *_: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
                self.socket.close()
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.bind(path)
                self.socket.listen(16)
                threading.Thread(target=self._accept, daemon=True).start()

        with tempfile.TemporaryDirectory() as folder:
            upstream = Local(folder + "/s")
            self.addCleanup(upstream.stop)
            gateway = self.gateway([f'"unix:{folder}/s"'], ", health: {path: /h, interval: 100ms}", ", host: upstream")
            self.assertIn("Host: localhost\r\n", gateway.get("/x").body)
            self.assertTrue(self.until(lambda: any(b"GET /h " in head for head in upstream.heads)))
            self.assertTrue(all(b"\r\nHost: localhost\r\n" in head + b"\r\n" for head in upstream.heads))
