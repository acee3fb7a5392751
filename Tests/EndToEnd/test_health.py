"""Servers that are checked and names that are looked up: who is in, who is out, over time and over reloads."""

import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from harness import Upstream
from test_upstreams import Base, at


class Checked:
    """A server whose health is a matter of words."""

    def __init__(self, name, **options):
        self.status, self.probes, self.name = b"200", [], name
        self.upstream = Upstream(self.answer, **options)
        self.port = self.upstream.port

    def answer(self, head, *_):
        if head.startswith(b"GET /health"):
            self.probes.append(head)
            return b"HTTP/1.1 %s X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + self.name


HEALTH = ', health: {path: "/health?x=1", host: "check.example", interval: 100ms, timeout: 300ms, healthy: 2, unhealthy: 2, status: [200, 300-399]}'


class CheckedBase(Base):
    def checked(self, name, **options):
        checked = Checked(name, **options)
        self.addCleanup(checked.upstream.socket.close)
        return checked

    def answers(self, gateway, count=6):
        """What several requests were answered: bodies, or statuses that are not 200."""
        return {answer.body if answer.status == 200 else answer.status for answer in (gateway.get() for _ in range(count))}


class Health(CheckedBase):
    def test_names_with_one_address_are_one_sample(self):
        one = self.checked(b"1")
        gateway = self.gateway([f'"localhost:{one.port}"', at(one)], HEALTH)
        text = gateway.get("/metrics", port=gateway.ops_port).body
        lines = [line for line in text.splitlines() if line.startswith("portcullis_backend_up{") and f"127.0.0.1:{one.port}" in line]
        self.assertEqual(len(lines), 1, lines)

    def test_out_and_back_in(self):
        one, two = self.checked(b"1"), self.checked(b"2")
        gateway = self.gateway([at(one), at(two)], HEALTH)
        self.assertEqual(self.answers(gateway), {"1", "2"})
        self.assertTrue(self.until(lambda: one.probes))
        self.assertRegex(one.probes[0].decode(), r"^GET /health\?x=1 HTTP/1.1\r\nHost: check.example\r\n")
        for bad in (b"500", b"404", b"204"):
            one.status = bad
            self.assertTrue(self.until(lambda: self.answers(gateway) == {"2"}), bad)
            verbose = gateway.get("/readyz?verbose", port=gateway.ops_port)
            self.assertEqual(verbose.status, 200)
            self.assertIn(f"[!] backend a 127.0.0.1:{one.port}: out", verbose.body)
            self.assertEqual(self.metric(gateway, "backend_up"), 1)
            one.status = b"302"
            self.assertTrue(self.until(lambda: self.answers(gateway) == {"1", "2"}), bad)
        one.status = two.status = b"503"
        self.assertTrue(self.until(lambda: self.answers(gateway) == {503}))
        self.assertEqual(gateway.get().field("Retry-After"), "1")
        one.status = b"200"
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"1"}))

    def test_an_interim_response_is_not_the_answer(self):
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        one, two, three = self.checked(b"1"), self.checked(b"2"), self.checked(b"3")

        def hinting(checked, count):
            def answer(head, *_):
                return (hints * count if head.startswith(b"GET /health") else b"") + Checked.answer(checked, head)
            return answer

        one.upstream.answer, three.upstream.answer = hinting(one, 16), hinting(three, 17)
        gateway = self.gateway([at(one), at(two), at(three)], HEALTH)
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"1", "2"}))
        seen = len(one.probes)
        self.assertTrue(self.until(lambda: len(one.probes) > seen + 4))
        self.assertEqual(self.answers(gateway), {"1", "2"})
        one.status = b"503"
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"2"}))

    def test_a_reload_neither_forgets_nor_keeps_for_ever(self):
        one, two = self.checked(b"1"), self.checked(b"2")
        gateway = self.gateway([at(one), at(two)], HEALTH)
        one.status = b"500"
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"2"}))
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied"))
        self.assertEqual(self.answers(gateway, 10), {"2"})
        one.status = b"200"
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"1", "2"}))


NAMES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef int (*resolver)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    resolver real = (resolver)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!name || !strstr(name, ".test")) return real(name, service, hints, out);
    FILE *file = fopen(getenv("TEST_NAMES"), "r");
    char line[64];
    struct addrinfo *all = NULL, *one;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (*line && real(line, service, hints, &one) == 0) { one->ai_next = all; all = one; }
    }
    if (file) fclose(file);
    *out = all;
    return all ? 0 : EAI_NONAME;
}
"""


class Names(CheckedBase):
    def test_names_are_looked_up_again(self):
        compiler = shutil.which("cc") or shutil.which("clang")
        if not compiler:
            self.skipTest("no C compiler")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source, library, names = (pathlib.Path(folder.name, name) for name in ("names.c", "names.so", "names"))
        source.write_text(NAMES)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)

        def known(*addresses):
            names.with_suffix(".new").write_text("".join(address + "\n" for address in addresses))
            names.with_suffix(".new").rename(names)

        # The name has no address at first: it is looked up again soon, not after resolve_ttl.
        known()
        servers = {"4": self.checked(b"4", address="127.0.0.4")}
        for name in "23":
            servers[name] = self.checked(name.encode(), address=f"127.0.0.{name}", port=servers["4"].port)
        environment = {"LD_PRELOAD": str(library), "TEST_NAMES": str(names)}
        gateway = self.gateway([f'"service.test:{servers["4"].port}"'], HEALTH + ", resolve_ttl: 1s", environment=environment)
        self.assertEqual(self.answers(gateway), {503})
        known("127.0.0.3", "127.0.0.2")
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"2", "3"}))
        # One is out when the set changes: it stays out, and the others are in, in their new places.
        servers["3"].status = b"500"
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"2"}))
        known("127.0.0.3", "127.0.0.4")
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"4"}))
        self.assertEqual(self.answers(gateway, 10), {"4"})
        servers["3"].status = b"200"
        self.assertTrue(self.until(lambda: self.answers(gateway) == {"3", "4"}))
        # The name service is away: what was known last stays, over a reload too.
        known()
        time.sleep(2.2)
        self.assertEqual(self.answers(gateway), {"3", "4"})
        gateway.signal(signal.SIGHUP)
        self.assertTrue(gateway.wait_for("configuration applied"))
        self.assertEqual(self.answers(gateway), {"3", "4"})


