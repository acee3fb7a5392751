"""Requests that wait because all connections to a server are taken: in line, bounded, and served as soon as one is free."""

import threading
import time
import unittest
from concurrent import futures

import h2.settings

import http2
import peers
from harness import Gateway, Upstream
from timing import steady

CONFIGURATION = """
workers: 1
upstreams:
  - name: a
    servers: ["127.0.0.1:@UPSTREAM@"]
    connect_timeout: @PATIENCE@
    protocol: @PROTOCOL@
    pool: {max_connections: 1, max_waiting: @WAITING@}
routes: [{name: all, auth: public, forward: {upstream: a}}]
"""


class Waiting(unittest.TestCase):
    def gateway(self, upstream, protocol="http1", waiting=1024, patience="5s"):
        self.addCleanup(upstream.stop)
        gateway = Gateway(CONFIGURATION, UPSTREAM=upstream.port, PROTOCOL=protocol, WAITING=waiting, PATIENCE=patience)
        self.addCleanup(gateway.stop)
        return gateway

    def servers(self, seconds, order):
        """One that serves a request at a time over each protocol, for so long, and notes the paths."""

        def answer(head, *_):
            order.append(head.split(b" ")[1].decode())
            time.sleep(seconds)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

        def script(stream):
            order.append(stream.path)
            time.sleep(seconds)
            stream.respond(200, (), b"ok")

        limit = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        return (("http1", Upstream(answer)), ("h2c", http2.Server(script, settings=limit)))

    def test_first_come_first_served_and_without_a_pause(self):
        """Forty requests of 5 ms behind each other: a look every 20 ms would take four times as long, every time."""
        order = []
        for protocol, upstream in self.servers(0.005, order):
            with self.subTest(protocol):
                gateway = self.gateway(upstream, protocol)
                times = []
                while not times or (min(times) >= 0.7 and len(times) < 10):
                    order.clear()
                    with http2.Client(gateway.port) as client:
                        client.get("/first")
                        begin = steady()
                        streams = [client.request(f"/{number}") for number in range(40)]
                        self.assertEqual([client.reply(stream).status for stream in streams], [200] * 40)
                        times.append(steady() - begin)
                    self.assertEqual(order, ["/first"] + [f"/{number}" for number in range(40)])
                self.assertLess(min(times), 0.7)

    def test_a_full_line_and_a_long_one(self):
        for protocol, upstream in self.servers(1.2, []):
            with self.subTest(protocol):
                gateway = self.gateway(upstream, protocol, waiting=2, patience="2s")
                with http2.Client(gateway.port) as client:
                    client.get("/first")
                    begin = steady()
                    streams = [client.request("/x") for _ in range(5)]
                    late = [client.reply(stream).status for stream in streams[3:]]
                    self.assertEqual(late, [503, 503])
                    self.assertLess(steady() - begin, 1)
                    # One is served at once, one waits for it, and the patience of the last ends.
                    self.assertEqual([client.reply(stream).status for stream in streams[:3]], [200, 200, 503])
                self.assertEqual(peers.metric(gateway, 'limits_hit_total{limit="upstream_queue"}'), 2)

    def test_who_leaves_leaves_the_line(self):
        go = threading.Event()

        def answer(head, *_):
            if b"/hold" in head:
                go.wait(30)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

        gateway = self.gateway(Upstream(answer), waiting=3)
        with http2.Client(gateway.port) as client:
            hold = client.request("/hold")
            peers.eventually(lambda: peers.metric(gateway, "requests_active") == 1, "the request does not arrive")
            streams = [client.request(f"/{number}") for number in range(3)]
            client.reset(streams[1])
            client.reset(streams[0])
            peers.eventually(lambda: peers.metric(gateway, "requests_active") == 2, "they are in the line still")
            streams += [client.request("/3"), client.request("/4")]
            peers.eventually(lambda: peers.metric(gateway, "requests_active") == 4, "they are not in the line")
            go.set()
            self.assertEqual([client.reply(stream).status for stream in [hold, *streams[2:]]], [200] * 4)
            client.reset(client.request("/x"))
            self.assertEqual(client.get("/last").status, 200)

    def test_one_that_dies_while_many_wait(self):
        """The connection in use breaks: those in line get another one."""
        count = []

        def answer(head, body, connection):
            count.append(1)
            if len(count) == 2:
                connection.close()
                raise ConnectionError
            time.sleep(0.01)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

        gateway = self.gateway(Upstream(answer))
        with futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: gateway.get(method="POST", body=b"x").status, range(40)))
        self.assertEqual(sorted(answers), [200] * 39 + [502])


if __name__ == "__main__":
    unittest.main()
