# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition. Deadlines are far beyond what is expected: they end tests that fail, and time nothing."""

import socket
import time


def wait_until(condition, what, within=30, every=0.02):
    """The first true value of `condition()`; an assertion error that shows the last one if there is none in time."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {within} s; last seen: {value!r}"
        time.sleep(every)


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
