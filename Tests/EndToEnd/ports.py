"""Ports for servers that are told theirs."""

import pathlib
import random
import socket

given = set()


def free_port():
    """A port that nobody listens on, given to nobody before.

    It lies outside of the range from which the system takes ports of connections: between this look and the start of
    a server, and while a killed one is away, no connection of the tests beside can get it.
    """
    low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    everything = range(10_000, 65_536)
    ports = [port for port in everything if not low <= port <= high] or everything
    for _ in range(1000):
        port = random.choice(ports)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port
    raise AssertionError("no port is free")
