# SPDX-License-Identifier: Apache-2.0
"""Clients that take memory, time or places from the others: what those that behave notice of it."""

import contextlib
import http.client
import multiprocessing
import pathlib
import re
import resource
import selectors
import signal
import socket
import time

import pytest

from clients import Poster
from waiting import wait_until

# Of the whole process: what it needs by itself, and what clients may make it hold.
LARGEST_PEAK = 96 << 20
# Seconds that a client which behaves may wait for an answer. On a machine that does nothing else it is a tenth.
LONGEST_SILENCE = 1.0

HOST = b" HTTP/1.1\r\nHost: localhost\r\n"
EVENTS = b"POST /v1/streams/events/events" + HOST
LINES = EVENTS + b"Content-Type: application/x-ndjson\r\n"


def memory(agent, what):
    """`VmRSS` or `VmHWM` (the peak), in bytes."""
    text = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", text)[1]) << 10


def forget_peak(agent):
    pathlib.Path(f"/proc/{agent.process.pid}/clear_refs").write_text("5")


class Polite:
    """A client that behaves: a small post and a probe, again and again; over TCP or the Unix socket.

    A process of its own: what this one does to the agent must not keep it from looking at the clock.
    """

    def __init__(self, agent, unix):
        context = multiprocessing.get_context("fork")
        self.agent, self.unix = agent, unix
        self.longest, self.answers = context.Value("d", 0.0), context.Value("q", 0)
        self.over, self.told = context.Event(), context.SimpleQueue()
        self.process = context.Process(target=self.run, daemon=True)
        self.process.start()

    def run(self):
        poster = Poster(self.agent, unix=self.unix, timeout=60)
        faults, waits = [], []
        while not self.over.is_set():
            began = time.monotonic()
            try:
                for answer in (poster.post("events", b"x" * 200), poster.request("GET", "/healthz")):
                    if answer.status not in (200, 202):
                        faults.append(repr(answer))
                    self.answers.value += 1
            except (OSError, http.client.HTTPException) as fault:
                faults.append(repr(fault))
                poster = Poster(self.agent, unix=self.unix, timeout=60)
            waits.append(time.monotonic() - began)
            self.longest.value = max(self.longest.value, waits[-1])
            time.sleep(0.01)
        p99 = sorted(waits)[len(waits) * 99 // 100]
        self.told.put((faults[:3], p99))

    def end(self):
        """What went wrong, and within how many seconds 99 in 100 pairs of a post and a probe were answered."""
        self.over.set()
        told = self.told.get()
        self.process.join(timeout=60)
        return told


@pytest.fixture
def hostile(kinesis_local, start_agent, record_property):
    """Runs something against an agent with default settings, and says what that cost the others."""

    @contextlib.contextmanager
    def run(silence=LONGEST_SILENCE, **sections):
        agent = start_agent(kinesis_local.endpoint, **sections)
        polite = [Polite(agent, unix) for unix in (False, True)]
        wait_until(lambda: all(client.answers.value > 20 for client in polite), "both clients are served")
        forget_peak(agent)
        for client in polite:
            client.longest.value = 0.0
        (began, answered) = (time.monotonic(), sum(client.answers.value for client in polite))
        with contextlib.ExitStack() as open_sockets:
            agent.open_sockets = open_sockets
            yield agent
            before = [client.answers.value for client in polite]
            wait_until(
                lambda: all(client.answers.value > count for client, count in zip(polite, before)),
                "they are still served",
                within=60,
            )
        rate = (sum(client.answers.value for client in polite) - answered) / (time.monotonic() - began)
        ends = [client.end() for client in polite]
        faults = [faults for faults, _ in ends]
        p99 = max(p99 for _, p99 in ends)
        peak = memory(agent, "VmHWM")
        longest = max(client.longest.value for client in polite)
        record_property(
            "measured",
            f"peak {peak >> 20} MiB, longest silence {longest:.2f} s, p99 {p99 * 1000:.0f} ms, {rate:.0f} answers/s",
        )
        assert peak <= LARGEST_PEAK, f"{peak >> 20} MiB"
        assert longest <= silence
        assert faults == [[], []]
        # What was taken is given back.
        wait_until(lambda: memory(agent, "VmRSS") <= 64 << 20, "memory is given back", within=60, every=0.2)
        assert agent.process.poll() is None

    return run


def connect(agent, unix=False):
    s = agent.open_sockets.enter_context(socket.socket(socket.AF_UNIX if unix else socket.AF_INET))
    s.settimeout(20)
    s.connect(agent.socket if unix else ("127.0.0.1", agent.port))
    s.setblocking(False)
    return s


def push(sockets, data, seconds):
    """Sends `data` (one for all, or one each) on all sockets at once, for at most so long; nothing is read."""
    data = data if isinstance(data, list) else [data] * len(sockets)
    with selectors.DefaultSelector() as selector:
        for s, bytes_ in zip(sockets, data):
            selector.register(s, selectors.EVENT_WRITE, memoryview(bytes_))
        end = time.monotonic() + seconds
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(0.1):
                try:
                    rest = key.data[key.fileobj.send(key.data) :]
                except BlockingIOError:
                    continue
                except OSError:
                    rest = b""
                if len(rest):
                    selector.modify(key.fileobj, selectors.EVENT_WRITE, rest)
                else:
                    selector.unregister(key.fileobj)


def body(length, kind=EVENTS):
    return kind + b"Content-Length: %d\r\n\r\n" % length


def chunked(size):
    return EVENTS + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (size + 1) + b"x" * size


HOLDERS = {
    "heads that announce much": (40, False, body(16 << 20, LINES)),
    "bodies that lack their last byte": (17, False, body(1 << 20) + b"x" * ((1 << 20) - 1)),
    "the same on the Unix socket": (17, True, body(1 << 20) + b"x" * ((1 << 20) - 1)),
    "chunks that do not end": (300, False, chunked(60_000)),
    "lines that do not end": (24, True, b'{"event":"' + b"x" * 1_000_000),
    "large bodies that do not end": (8, False, body(16 << 20, LINES) + b'"' + b"x" * (15 << 20)),
    "small bodies that lack their last byte": (1000, False, body(32_000) + b"x" * 31_999),
    "heads that do not end": (1000, False, EVENTS + b"X: " + b"x" * 15_000),
}


@pytest.mark.parametrize("what", HOLDERS)
def test_who_holds_memory_does_not_silence_the_others(hostile, what):
    count, unix, data = HOLDERS[what]
    with hostile() as agent:
        # And again, as soon as they are cut off.
        for _ in range(3):
            sockets = [connect(agent, unix) for _ in range(count)]
            push(sockets, data, seconds=1)
            time.sleep(0.5)
            for s in sockets:
                s.close()


def test_large_requests_arrive_beside_those_that_do_not_end(hostile):
    with hostile() as agent:
        sockets = [connect(agent) for _ in range(17)]
        push(sockets, body(1 << 20) + b"x" * ((1 << 20) - 1), seconds=2)
        poster = Poster(agent, timeout=60)
        longest = 0
        for _ in range(10):
            began = time.monotonic()
            assert poster.post("events", b"y" * 1_000_000).status == 202
            longest = max(longest, time.monotonic() - began)
        assert longest < 5
        assert "slow clients were cut off" in agent.log()
        codes = [problem["code"] for problem in agent.status()["agent"]["problems"]]
        assert "intake_memory_short" in codes


def test_many_tiny_events_stay_within_the_memory(hostile):
    with hostile() as agent:
        sockets = [connect(agent) for _ in range(30)]
        # As many as a request may have, and more than that.
        push(sockets, body(128 << 10, LINES) + b"1\n" * (64 << 10), seconds=5)
        wait_until(lambda: agent.totals()["accepted"] >= 10 * (64 << 10), "some are accepted", within=60)
        sockets = [connect(agent) for _ in range(30)]
        push(sockets, body(512 << 10, LINES) + b"1\n" * (256 << 10), seconds=5)


def test_answers_that_nobody_reads_stay_within_the_memory(hostile):
    with hostile() as agent:
        sockets = [connect(agent) for _ in range(1000)]
        push(sockets, (body(1) + b"x") * 3000, seconds=8)


def test_refusals_that_nobody_reads_stay_within_the_memory(hostile):
    with hostile() as agent:
        sockets = [connect(agent) for _ in range(300)]
        push(sockets, (b"GET /nowhere/x/y" + HOST + b"\r\n") * 20_000, seconds=8)


@pytest.mark.parametrize("unix", [False, True], ids=["TCP", "Unix socket"])
def test_idle_connections_lock_nobody_out(kinesis_local, start_agent, unix):
    agent = start_agent(kinesis_local.endpoint, listen={"max_connections": 100})
    with contextlib.ExitStack() as open_sockets:
        agent.open_sockets = open_sockets
        for _ in range(3):
            idle = [connect(agent, unix) for _ in range(110)]
            assert len(idle) == 110
            for door in (False, True):
                for _ in range(5):
                    poster = Poster(agent, unix=door)
                    assert poster.post("events", b"x").status == 202
                    poster.close()


def test_busy_connections_of_one_door_do_not_lock_the_other(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint, listen={"max_connections": 40})
    with contextlib.ExitStack() as open_sockets:
        agent.open_sockets = open_sockets
        for s in [connect(agent) for _ in range(40)]:
            s.sendall(b"POST /v1/")
        time.sleep(0.2)
        for _ in range(5):
            assert Poster(agent, unix=True).post("events", b"x").status == 202


@pytest.mark.parametrize("unix", [False, True], ids=["TCP", "Unix socket"])
def test_hundreds_may_wait_to_be_accepted_at_either_door(kinesis_local, start_agent, unix):
    agent = start_agent(kinesis_local.endpoint)
    with contextlib.ExitStack() as open_sockets:
        agent.open_sockets = open_sockets
        agent.process.send_signal(signal.SIGSTOP)
        try:
            sockets = [connect(agent, unix) for _ in range(500)]
        finally:
            agent.process.send_signal(signal.SIGCONT)
        assert len(sockets) == 500
        assert Poster(agent, unix).post("events", b"x").status == 202


def test_without_descriptors_the_agent_waits_and_says_so(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint, listen={"max_connections": 4000})
    agent.start()
    # As if the system had no more to give.
    used = len(list(pathlib.Path(f"/proc/{agent.process.pid}/fd").iterdir()))
    resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE, (used + 30, used + 30))
    with contextlib.ExitStack() as open_sockets:
        agent.open_sockets = open_sockets
        sockets = [connect(agent) for _ in range(60)]

        def processor_time():
            fields = pathlib.Path(f"/proc/{agent.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        wait_until(lambda: "connection not accepted" in agent.log(), "it is in the log")
        before = processor_time()
        time.sleep(2)
        # In hundredths of a second; without a pause it was two seconds.
        assert processor_time() - before < 50
        assert agent.log().count("connection not accepted") <= 2
        for s in sockets:
            s.close()
    assert Poster(agent).post("events", b"x").status == 202
    codes = [problem["code"] for problem in agent.status()["agent"]["problems"]]
    assert "connections_not_accepted" in codes
