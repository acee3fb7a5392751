"""Fails when this python lacks a package of requirements.txt, or the programs that come with one."""

import axe_core_python  # noqa: F401
import cryptography  # noqa: F401
import grpc  # noqa: F401
import h2  # noqa: F401
import httpx  # noqa: F401
import websockets.sync.client  # noqa: F401

import peers

peers.program("envoy")
