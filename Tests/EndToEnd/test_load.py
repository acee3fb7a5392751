"""Faults while the load is on: reloads, a drain, a service that dies and returns, descriptors that run out.

PORTCULLIS_LOAD=long takes minutes instead of seconds and prints the numbers; PORTCULLIS_LOAD=report only prints them.
"""

import os
import resource
import shutil
import signal
import socket
import time
import unittest

from harness import Gateway, Keys, TestCase
from load import Clients, Service, Wrk
from timing import steady

MODE = os.environ.get("PORTCULLIS_LOAD", "")
LONG = MODE == "long"

CONFIGURATION = Keys.ISSUERS + """
workers: @WORKERS@
drain: 10s
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"]@OPTIONS@}]
routes: [{name: all, match: {path: /}, auth: @AUTH@, forward: {upstream: a}}]
"""
# What a reload changes here makes workers rebuild what they hold: heads, caches, pools, their log.
CHANGES = [
    "",
    "limits: {fields: 64, request_line: 4KiB}\n",
    "token_cache: {entries: 1024}\n",
    "access_log: {path: access.log}\n",
]


def report(name, **numbers):
    if MODE:
        print(f"\n{name}: " + ", ".join(f"{key} {value}" for key, value in numbers.items()), flush=True)


@unittest.skipUnless(shutil.which("wrk") and (shutil.which("nginx") or os.path.exists("/usr/sbin/nginx")), "needs wrk and nginx")
class Base(unittest.TestCase):
    keys = TestCase.keys

    def service(self, **options):
        service = Service(**options)
        self.addCleanup(service.stop)
        return service

    def gateway(self, port, workers=1, options="", auth="public", descriptors=None):
        values = {"UPSTREAM": port, "WORKERS": workers, "OPTIONS": options, "AUTH": auth}
        gateway = Gateway(CONFIGURATION, self.keys.files(), descriptors=descriptors, **values)
        self.addCleanup(gateway.stop)
        return gateway

    def clients(self, port, *arguments, **options):
        clients = Clients(port, *arguments, **options)
        self.addCleanup(lambda: clients.is_alive() and clients.stop())
        return clients

    def until(self, condition, seconds=8):
        end = steady() + seconds
        while not (result := condition()) and steady() < end:
            time.sleep(0.02)
        return result

    def metric(self, gateway, name):
        text = gateway.get("/metrics", port=gateway.ops_port).body
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("portcullis_" + name))


class Reload(Base):
    def reloads(self, workers, options="", requests=1000):
        """Reloads one after the other at full speed; afterwards three counts must agree."""
        service, reloads = self.service(requests=requests), 300 if LONG else 100
        gateway = self.gateway(service.port, workers, options, auth="required")
        wrk = Wrk(gateway.port, 120 if LONG else 60, token=self.keys.token())
        time.sleep(0.3)
        begin = steady()
        for count in range(1, reloads + 1):
            gateway.write(CHANGES[count % len(CHANGES)] + CONFIGURATION)
            gateway.signal(signal.SIGHUP)
            self.assertTrue(gateway.wait_for("configuration applied", count), gateway.log[-3:])
        took = steady() - begin
        self.assertTrue(wrk.runs)
        wrk.stop()
        found = wrk.result()
        asked = service.count()
        answered = self.metric(gateway, 'requests_total{route="all",code="200"}')
        every = self.metric(gateway, "requests_total")
        report(f"{reloads} reloads, {workers} workers{options}", seconds=round(took, 1), **found, asked=asked, answered=answered, other=every - answered)
        self.assertEqual({key: found[key] for key in ("bad", "connect", "read", "write", "timeout")}, dict(bad=0, connect=0, read=0, write=0, timeout=0))
        self.assertGreater(found["requests"], 10 * reloads)
        # At the end wrk leaves without the answers to what it asked last.
        self.assertLessEqual(found["requests"], asked)
        self.assertLessEqual(asked, found["requests"] + 64 * workers)
        self.assertLessEqual(found["requests"], answered)
        self.assertLessEqual(every - answered, 64)
        self.assertTrue(self.until(lambda: self.metric(gateway, "requests_active") == 0))

    def test_reloads_at_full_speed_fail_no_request(self):
        self.reloads(1)

    def test_nor_with_two_workers(self):
        self.reloads(2)

    def test_nor_do_requests_that_wait_for_a_connection(self):
        self.reloads(1, ", pool: {max_connections: 4}")

    def test_nor_those_whose_connections_the_service_closes(self):
        self.reloads(2, ", pool: {max_connections: 8}", requests=20)


class Drain(Base):
    def drain(self, workers, keep=True, pause=0.0, clients=128):
        service = self.service()
        gateway = self.gateway(service.port, workers)
        load = self.clients(gateway.port, clients, keep=keep, pause=pause)
        time.sleep(1.0)
        gateway.signal(signal.SIGTERM)
        begin = steady()
        self.assertEqual(gateway.process.wait(12), 0)
        took = steady() - begin
        # Who knocked last knocks again after a second.
        self.until(lambda: load.outcomes.get("refused", 0) >= clients)
        load.stop()
        outcomes = load.outcomes
        report(f"SIGTERM, {workers} workers, kept {keep}, pause {pause}", seconds=round(took, 2), slowest=round(load.slowest, 3), outcomes=outcomes)
        self.assertEqual({name: count for name, count in outcomes.items() if name not in (200, "refused", "closed")}, {})
        self.assertGreater(outcomes[200], clients)
        self.assertGreater(outcomes.get("refused", 0), 0)
        self.assertLess(load.slowest, 5)
        self.assertLess(took, 5)

    def drains(self, **options):
        for workers in (1, 2):
            for _ in range(10 if LONG else 1):
                self.drain(workers, **options)
                self.doCleanups()

    def test_kept_connections(self):
        self.drains()

    def test_kept_connections_that_rest(self):
        self.drains(pause=0.2)

    def test_a_connection_for_each_request(self):
        self.drains(keep=False, clients=32)

    def test_wrk(self):
        service = self.service()
        gateway = self.gateway(service.port)
        wrk = Wrk(gateway.port, 20)
        time.sleep(1.0)
        gateway.signal(signal.SIGTERM)
        self.assertEqual(gateway.process.wait(12), 0)
        wrk.stop()
        found, asked = wrk.result(), service.count()
        report("SIGTERM, wrk", **found, asked=asked)
        self.assertEqual((found["bad"], found["timeout"]), (0, 0))
        # Its errors are those of connecting, whatever it calls them: each answer that was begun has come.
        self.assertEqual(asked, found["requests"])


class Restart(Base):
    def restarts(self, options="", workers=1, clients=64):
        service = self.service()
        gateway = self.gateway(service.port, workers, options)
        load = self.clients(gateway.port, clients)
        wrk = Wrk(gateway.port, 300, connections=16) if LONG else None
        recoveries = []
        for _ in range(10 if LONG else 2):
            time.sleep(0.5)
            before = load.outcomes.get(200, 0)
            self.assertGreater(before, 0)
            service.kill()
            time.sleep(2.0 if LONG else 1.2)
            service.start()
            back = steady()
            while not (first := load.first(200, back)) and steady() < back + 10:
                time.sleep(0.005)
            self.assertTrue(first, "no recovery")
            recoveries.append(round(first - back, 3))
            # And for good: what comes later than a second after is answered as ever.
            time.sleep(max(0.0, back + 1.0 - steady()))
            late = steady()
            time.sleep(0.3)
            self.assertEqual([what for when, what in list(load.events) if when > late and what != 200], [])
        load.stop()
        if wrk:
            wrk.stop()
            report("wrk beside it", **wrk.result())
        report(f"restarts, {workers} workers{options}", recoveries=recoveries, slowest=round(load.slowest, 3), outcomes=load.outcomes)
        self.assertLessEqual(set(load.outcomes), {200, 502, 503, 504})
        self.assertLess(max(recoveries), 1.0)
        self.assertLess(load.slowest, 2.0)
        self.assertTrue(self.until(lambda: self.metric(gateway, "requests_active") == 0))

    def test_without_checks(self):
        self.restarts()

    def test_without_checks_and_two_workers(self):
        self.restarts(workers=2)

    def test_with_checks_as_they_are_by_default(self):
        self.restarts(", health: {path: /}")

    def test_with_checks_that_take_it_out(self):
        self.restarts(", health: {path: /, interval: 1s, unhealthy: 1}")

    def test_with_quick_checks(self):
        self.restarts(", health: {path: /, interval: 100ms, timeout: 500ms, unhealthy: 2}", workers=2)


class Descriptors(Base):
    def open(self, gateway):
        return {int(name) for name in os.listdir(f"/proc/{gateway.process.pid}/fd")}

    def seconds_of_cpu(self, gateway):
        with open(f"/proc/{gateway.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def serves(self, gateway, clients=8):
        load = self.clients(gateway.port, clients)
        time.sleep(0.5)
        load.stop()
        self.assertEqual(set(load.outcomes), {200})
        self.assertGreater(load.outcomes[200], clients)

    def test_more_clients_than_descriptors(self):
        for workers in (1, 2):
            service = self.service()
            gateway = self.gateway(service.port, workers, ", health: {path: /, interval: 100ms}", descriptors=64)
            self.serves(gateway)
            load = self.clients(gateway.port, 200)
            time.sleep(10 if LONG else 1.5)
            during = self.metric(gateway, "backend_up"), len(self.open(gateway))
            load.stop()
            shed = self.metric(gateway, "connections_shed_total")
            hits = self.metric(gateway, 'limits_hit_total{limit="connections"}') + self.metric(gateway, 'limits_hit_total{limit="descriptors"}')
            report(f"64 descriptors, {workers} workers", open=during[1], shed=shed, slowest=round(load.slowest, 3), outcomes=load.outcomes)
            self.assertLessEqual(set(load.outcomes), {200, "closed", "unanswered", "refused"})
            self.assertGreater(load.outcomes[200], 200)
            self.assertGreater(shed, 0)
            self.assertEqual(hits, shed)
            self.assertEqual(during[0], 1)
            self.assertLessEqual(during[1], 64)
            self.serves(gateway)
            self.doCleanups()

    def test_not_one_descriptor_is_left(self):
        for workers in (1, 2):
            service = self.service(requests=1000000)
            gateway = self.gateway(service.port, workers, ", health: {path: /, interval: 100ms, unhealthy: 1}")
            # Few enough requests for their connections to be kept to the end.
            known = self.clients(gateway.port, 8, pause=0.03)
            time.sleep(0.3)
            limit = resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE)
            free = min(set(range(4096)) - self.open(gateway))
            resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (free, limit[1]))
            more = self.clients(gateway.port, 64, pause=0.01)
            time.sleep(10 if LONG else 1.5)
            more.stop()
            # Nobody waits and nothing can be opened: that is no reason to be busy.
            known.stop()
            time.sleep(0.3)
            left = [socket.create_connection(("127.0.0.1", port)) for port in (gateway.port, gateway.ops_port) for _ in range(4)]
            used = self.seconds_of_cpu(gateway)
            time.sleep(1.0)
            used = self.seconds_of_cpu(gateway) - used
            resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, limit)
            time.sleep(0.2)
            shed, hits = self.metric(gateway, "connections_shed_total"), self.metric(gateway, 'limits_hit_total{limit="descriptors"}')
            report(f"no descriptor, {workers} workers", shed=shed, hits=hits, cpu=round(used, 2), known=known.outcomes, more=more.outcomes)
            for client in left:
                client.close()
            self.assertEqual(set(known.outcomes), {200})
            self.assertLess(known.slowest, 1.0)
            self.assertLessEqual(set(more.outcomes), {200, 503, "closed", "unanswered", "refused"})
            self.assertGreater(shed, 0)
            self.assertLess(used, 0.5)
            self.assertEqual(self.metric(gateway, "backend_up"), 1)
            self.serves(gateway)
            self.doCleanups()


if __name__ == "__main__":
    unittest.main()
