# SPDX-License-Identifier: Apache-2.0
"""The control socket under clients that are many, mad, or gone: the daemon lives, and the operator gets in."""

import contextlib
import json
import os
import random
import resource
import socket
import time

import pytest

from clients import Poster
from ordering import base64_data
from waiting import wait_until

DENIED = {"id": "denied", "action": "error", "code": "AccessDeniedException", "message": "Not allowed."}
REQUESTS = [
    {"verb": "status", "with": {}},
    {"verb": "peek", "with": {"stream": "events", "after": 0, "limit": 5, "max_bytes": 1000}},
    {"verb": "send", "with": {"stream": "events", "partition_key": "k", "events_base64": ["eA=="], "json": False}},
    {"verb": "flush", "with": {"timeout_seconds": 0}},
    {"verb": "pause", "with": {"stream": "events"}},
    {"verb": "resume", "with": {"stream": "events"}},
    {"verb": "dead_letters", "with": {"stream": "events", "after": 0, "limit": 5}},
    {"verb": "dead_letter", "with": {"id": 1}},
    {"verb": "requeue", "with": {"which": {"ids": {"_0": [1, 2]}}, "dry_run": False}},
    {"verb": "requeue", "with": {"which": {"stream": {"_0": "events"}}, "dry_run": False, "after": 0, "through": 0}},
]


class Control:
    """A connection that says what it likes."""

    def __init__(self, agent):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(agent.control)
        self.file = self.socket.makefile("rb")

    def say(self, *lines):
        self.socket.sendall(b"".join(line + b"\n" for line in lines))

    def ask(self, verb, **arguments):
        self.say(json.dumps({"v": 1, "verb": verb, "with": arguments}).encode())
        return self.answer()

    def answer(self):
        line = self.file.readline()
        assert line.endswith(b"\n"), f"no answer but {line!r}"
        return json.loads(line)

    def close(self):
        self.file.close()
        self.socket.close()


def other_value(value, draw):
    """A value in the place of another: of another type, or far too large, small, long or deep."""
    numbers = [0, -1, 2**63 - 1, -(2**63), 2**63, 2**64, 10**40, 1e300, -1e300, 5e-324, 0.5]
    texts = ["", "x" * 5000, "a b", "a@b/c", "events@eu-west-1", "\x1b[2J\u009b\u202e", "\ud800"]
    deep = [[]]
    for _ in range(draw.choice([5, 400, 511])):
        deep = [deep]
    return draw.choice([*numbers, *texts, None, True, [], {}, [value], {"_0": value}, deep])


def mad_line(draw):
    request = json.loads(json.dumps({"v": 1} | draw.choice(REQUESTS)))
    place = draw.choice([request, request["with"]])
    if place:
        name = draw.choice(list(place))
        place[name] = other_value(place[name], draw)
    line = json.dumps(request).encode()
    match draw.randrange(6):
        case 0:
            line = line[: draw.randrange(len(line))]
        case 1:
            at = draw.randrange(len(line))
            line = line[:at] + draw.randbytes(draw.randrange(1, 8)) + line[at + draw.randrange(3) :]
        case 2:
            line = draw.randbytes(draw.randrange(200))
        case 3:
            line = draw.choice([b"[", b'{"v":', b'{"with":['] ) * draw.choice([513, 100_000])
    return line.replace(b"\n", b"")


def test_each_line_gets_an_answer_whatever_it_holds(agent, seed):
    draw = random.Random(seed)
    # A flush may be asked to wait for as long as a week.
    assert agent.ctl("flush", "--timeout", "30").returncode == 0
    control = Control(agent)
    for _ in range(150):
        lines = [mad_line(draw) for _ in range(draw.randrange(1, 20))]
        control.say(*lines)
        for line in lines:
            answer = control.answer()
            assert ("ok" in answer) != ("error" in answer), (line, answer)
    # And the daemon that has taken all that is the one that was started.
    assert agent.status()["agent"]["pid"] == agent.process.pid
    assert "Fatal error" not in agent.log()


@pytest.mark.parametrize(
    "verb, arguments, member",
    [
        ("peek", {"stream": "events", "limit": 1, "after": 2**63 - 1}, "after"),
        ("peek", {"stream": "events", "limit": 2**63 - 1}, "limit"),
        ("flush", {"timeout_seconds": 1e300}, "timeout_seconds"),
        ("flush", {"timeout_seconds": -1}, "timeout_seconds"),
        ("dead_letter", {"id": -(2**63)}, "id"),
        ("dead_letters", {"limit": 1, "after": -(2**63)}, "after"),
        ("requeue", {"which": {"ids": {"_0": [-(2**63)]}}, "dry_run": False}, "_0"),
    ],
)
def test_a_number_out_of_range_is_named(agent, verb, arguments, member):
    control = Control(agent)
    error = control.ask(verb, **arguments)["error"]
    assert error["code"] == "bad_request" and f"'{member}'" in error["message"], error
    assert "number from" in error["message"]
    assert "ok" in control.ask("status")


def test_a_number_out_of_range_is_bad_usage(agent):
    for arguments in [
        ["dead-letters", "show", "--", "-9223372036854775808"],
        ["dead-letters", "list", "--after", "9223372036854775807"],
        ["dead-letters", "requeue", "--", "-1"],
        ["flush", "--timeout", "1e300"],
        ["flush", "--timeout", "nan"],
        ["peek", "events", "--limit", "-9223372036854775808"],
    ]:
        assert agent.ctl(*arguments).returncode == 64, arguments
    assert agent.ctl("peek", "events", "--limit", "9223372036854775807").returncode == 0
    assert agent.status()["agent"]["pid"] == agent.process.pid


def test_many_lines_at_once_are_answered_one_by_one(agent):
    """Answered within each other, each would take its part of the stack."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(agent.control)
        sent = received = 0
        block = b"\n" * 50_000
        s.setblocking(False)
        deadline = time.monotonic() + 120
        while received < 200_000 and time.monotonic() < deadline:
            if sent < 200_000:
                try:
                    sent += s.send(block[: 200_000 - sent])
                except BlockingIOError:
                    pass
            try:
                received += s.recv(1 << 20).count(b"\n")
            except BlockingIOError:
                time.sleep(0.001)
    assert received == 200_000
    assert agent.ctl("status").returncode == 0


def test_endless_flushes_and_idle_connections_leave_the_operator_room(kinesis_local, start_agent):
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint)
    assert agent.ctl("send", "events", "x").returncode == 0
    flushes = [Control(agent) for _ in range(32)]
    for flush in flushes:
        flush.say(b'{"v":1,"verb":"flush","with":{"timeout_seconds":600000}}')
    refused = [flush.answer() for flush in flushes[8:]]
    assert {answer["error"]["code"] for answer in refused} == {"unavailable"}
    idle = [Control(agent) for _ in range(100)]
    for connection in idle[::2]:
        # The first of them had to make room for the last already.
        with contextlib.suppress(OSError):
            connection.socket.send(b'{"v":')
    for verb in [["status"], ["peek", "events"], ["dead-letters", "list"], ["flush", "--timeout", "0"], ["streams"]]:
        done = agent.ctl(*verb)
        assert done.returncode == (1 if verb[0] == "flush" else 0), done
        assert b"Broken pipe" not in done.stderr
    done = agent.ctl("flush", "--timeout", "1h")
    assert done.returncode == 1 and b"8 calls wait for an empty queue already" in done.stderr, done
    # Those who go make room, and wait for nothing any more.
    for flush in flushes:
        flush.close()
    done = agent.ctl("flush", "--timeout", "100ms")
    assert done.returncode == 1 and b"still 1 event queued" in done.stderr, done
    assert agent.stop() == 0


def test_clients_that_go_away_or_do_not_read_hurt_nobody(kinesis_local, start_agent):
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint)
    poster = Poster(agent)
    for _ in range(5):
        # Each byte is six in JSON.
        assert poster.post("events", b"\x01" * 1_000_000).status == 202
    peek = b'{"v":1,"verb":"peek","with":{"stream":"events","after":0,"limit":5,"max_bytes":4194304}}'
    gone = [Control(agent) for _ in range(10)]
    for connection in gone:
        connection.say(peek)
        connection.close()
    lazy = [Control(agent) for _ in range(20)]
    for connection in lazy:
        connection.say(peek)
    assert agent.ctl("status").returncode == 0
    assert len(json.loads(agent.ctl("peek", "events", "--json").stdout)) == 5
    peak = int(next(l for l in open(f"/proc/{agent.process.pid}/status") if l.startswith("VmHWM")).split()[1]) >> 10
    # Twenty answers of 24 MiB would be 480.
    assert peak < 300, f"{peak} MiB"
    assert agent.stop() == 0


def test_the_operator_gets_in_when_the_agent_may_open_no_more_files(agent):
    process = agent.process.pid

    def open_files():
        return [int(name) for name in os.listdir(f"/proc/{process}/fd")]

    limit = max(open_files()) + 1
    soft, hard = resource.prlimit(process, resource.RLIMIT_NOFILE)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (limit, hard))
    # What is free below the limit goes to intake.
    others = []
    while len(open_files()) < limit:
        others.append(Poster(agent))
        assert others[-1].request("GET", "/healthz").status == 200
    for _ in range(20):
        assert agent.ctl("status", within=30).returncode == 0
    # More at once than descriptors are kept: they wait for each other.
    controls = [Control(agent) for _ in range(12)]
    for control in controls:
        control.say(b'{"v":1,"verb":"status","with":{}}')
    for control in controls:
        assert "ok" in control.answer()
        control.close()
    # Nor do those shut the operator out who keep theirs and say nothing.
    controls = [Control(agent) for _ in range(12)]
    assert agent.ctl("status", within=30).returncode == 0
    for s in [*others, *controls]:
        s.close()
    resource.prlimit(process, resource.RLIMIT_NOFILE, (soft, hard))
    assert agent.ctl("status").returncode == 0
    assert agent.stop() == 0


def test_agentctl_on_the_ingest_socket_says_so(agent):
    for verb in [["status"], ["peek", "events"], ["send", "events", "x"], ["flush"], ["dead-letters", "list"]]:
        done = agent.ctl(*verb, "--control", agent.socket)
        assert done.returncode == 69 and done.stdout == b"", done
        assert b"is agentd's ingest socket" in done.stderr and b"control_socket" in done.stderr, done
    assert agent.totals()["accepted"] == 0


def test_what_a_server_says_is_shown_safely(kinesis_local, start_agent):
    message = "No.\x1b[2J\x07\u009b2J\u009d0;x\u2028\u202eevil\x85"
    kinesis_local.add_faults(DENIED | {"message": message})
    agent = start_agent(kinesis_local.endpoint)
    assert agent.ctl("send", "events", "x", "--partition-key", message).returncode == 0
    agent.wait_for_stream(lambda s: s["last_error"], "has failed")
    raw = [c for c in message if not c.isprintable()]
    for verb in [["status"], ["status", "--json"], ["streams", "--json"], ["peek", "events"], ["peek", "events", "--json"]]:
        done = agent.ctl(*verb)
        text = done.stdout.decode() + done.stderr.decode()
        assert done.returncode == 0 and not [c for c in raw if c in text], verb
    # JSON loses nothing.
    (event,) = json.loads(agent.ctl("peek", "events", "--json").stdout)
    assert event["partition_key"] == message
    for arguments in [["peek", message], [message], ["help", message], ["status", "--control", message]]:
        done = agent.ctl(*arguments)
        assert done.returncode in (64, 69) and not [c for c in raw if c in done.stderr.decode()], done


def test_all_dead_letters_of_a_stream_come_back(kinesis_local, start_agent):
    """A page that is cut for its bytes is not the last one."""
    kinesis_local.add_faults({"action": "error", "code": "InvalidArgumentException", "data_contains": "poison"})
    agent = start_agent(kinesis_local.endpoint)
    poster = Poster(agent)
    ids = []
    for n in range(30):
        assert poster.post("events", b"healthy", key=f"healthy {n}").status == 202
        reply = poster.post("events", b"poison %d " % n + b"x" * 700_000, key=str(n))
        ids.append(str(reply.json["first_id"]))

    def all_are_dead():
        # Only beside a healthy event is it known that the fault is the event's own.
        assert poster.post("events", b"healthy").status == 202
        return agent.status()["queue"]["dead_letters"] == 30

    wait_until(all_are_dead, "all are dead letters", within=120, every=0.5)
    kinesis_local.clear_faults()
    # By their ids: all of these are dead letters, and one id is nobody's.
    done = agent.ctl("dead-letters", "requeue", *ids[:10], "999999", "--json")
    assert done.returncode == 1 and b"1 of these ids" in done.stderr, done
    report = json.loads(done.stdout)
    assert (report["events"], report["missing"], report["stopped_because"]) == (10, 1, None)
    counted = agent.ctl("dead-letters", "requeue", "--all", "events")
    assert counted.returncode == 1 and b"would requeue 20 dead letters (13." in counted.stderr, counted
    done = agent.ctl("dead-letters", "requeue", "--all", "events", "--yes", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["events"] == 20, done
    agent.wait_empty()
    totals = agent.totals()
    assert totals["delivered"] == totals["accepted"] and totals["dead_lettered"] == 0
    events = [base64_data(entry) for entry in kinesis_local.journal()]
    numbers = sorted(int(event.split()[1]) for event in events if event != b"healthy")
    assert numbers == list(range(30))
