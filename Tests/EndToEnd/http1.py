"""One gateway, a strict client and a backend that does as it is told: what the HTTP/1 suites share."""

import time
import unittest

import harness
from origin import Origin
from timing import steady
from wire import Client

CONFIGURATION = harness.Keys.ISSUERS + """
workers: 1
limits: {body: 1MiB}
upstreams: [{name: a, servers: ["127.0.0.1:@UPSTREAM@"], first_byte_timeout: 5s, retries: 1}]
routes:
  - {name: open, match: {path: /open}, auth: public, forward: {upstream: a}}
  - {name: fixed, match: {path: /fixed}, auth: public, respond: {status: 200, body: hi}}
  - {name: rest, match: {path: /}, forward: {upstream: a}}
"""


class WireTest(unittest.TestCase):
    """One gateway with one worker, and one origin, for all cases of a class."""

    configuration = CONFIGURATION

    @classmethod
    def setUpClass(cls):
        cls.keys = harness.TestCase.keys
        cls.origin = Origin()
        cls.gateway = harness.Gateway(cls.configuration, cls.keys.files(), UPSTREAM=cls.origin.port)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.origin.stop()

    def setUp(self):
        self.origin.forget()

    def tearDown(self):
        self.assertEqual(self.origin.faults, [])

    def client(self, **options):
        return Client(self.gateway.port, **options)

    def untouched(self):
        self.assertEqual(self.origin.raw, b"", "bytes reached the backend")

    def eventually(self, condition, what, seconds=10):
        until = steady() + seconds
        while not condition():
            self.assertLess(steady(), until, what)
            time.sleep(0.002)

    def exchange(self, data, method=b"GET", version=b"1.1"):
        """One request on a connection of its own; that it is closed behind the answer, or stays, is as the answer says."""
        with self.client() as client:
            client.send(data)
            reply = client.reply(method, version)
            self.assertIsNotNone(reply, "no answer")
            if reply.closes():
                self.assertTrue(client.closed(), "the connection stays, or more came")
            else:
                self.assertTrue(client.stays_open(), "the connection does not stay")
            return reply

    def refused(self, data, *statuses, method=b"GET"):
        """Refused with one of the statuses, one answer, closed, and nothing of it reached the backend."""
        self.origin.forget()
        reply = self.exchange(data, method)
        self.assertIn(reply.status, statuses)
        self.assertTrue(reply.closes() and reply.complete)
        self.untouched()
        return reply

    def forwarded(self, data, method=b"GET", version=b"1.1", status=200):
        """Forwarded once; the request as the backend got it, and the answer."""
        self.origin.forget()
        reply = self.exchange(data, method, version)
        self.assertEqual(reply.status, status)
        self.assertTrue(reply.complete)
        self.assertEqual(len(self.origin.calls), 1, "the backend did not get one request")
        self.assertEqual(self.origin.faults, [])
        return self.origin.calls[0], reply
