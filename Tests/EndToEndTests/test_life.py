# SPDX-License-Identifier: Apache-2.0
"""Start, stop and what is left in between."""

import os
import re
import signal
import socket
import stat
import time

import pytest

from clients import Poster, UnixHTTPConnection, exchange
from ordering import check_order, delivered_numbers
from waiting import wait_until


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(agent, signal_number):
    assert Poster(agent).post("events", b"x").status == 202
    agent.process.send_signal(signal_number)
    assert agent.process.wait(timeout=20) == 0
    assert not os.path.exists(agent.socket) and not os.path.exists(agent.control)
    log = agent.log()
    assert "ready" in log and "stopping" in log and "stopped" in log


def test_it_stops_in_time_although_kinesis_hangs_and_delivers_after_the_next_start(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "hang"})
    agent = start_agent(
        kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}], delivery={"stop_timeout": "2s"}
    )
    poster = Poster(agent)
    for n in range(30):
        assert poster.post_lines("events", [{"k": "k", "n": n}]).status == 202
    agent.wait_for_stream(lambda s: s["in_flight"] > 0, "a request is under way")
    began = time.monotonic()
    assert agent.stop() == 0
    # Loose, for a slow machine; the request's own time-out is 30 s.
    assert time.monotonic() - began < 10
    kinesis_local.clear_faults()
    agent.start()
    agent.wait_empty()
    check_order(delivered_numbers(kinesis_local.journal()), {"k": list(range(30))}, repeats_allowed=True)
    assert agent.totals()["accepted"] == 30


def test_requests_in_progress_are_answered_before_it_stops(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 1500})
    agent = start_agent(kinesis_local.endpoint, delivery={"stop_timeout": "20s"})
    # One waits for Kinesis, of the other half the body is there.
    waiting = UnixHTTPConnection(agent.socket)
    waiting.request("PUT", "/events", b'{"Data":1,"PartitionKey":"a"}')
    with socket.create_connection(("127.0.0.1", agent.port), timeout=30) as half:
        half.sendall(b"POST /v1/streams/events/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nhalf")
        agent.wait_for_stream(lambda s: s["in_flight"] == 1, "the PUT is under way")
        agent.terminate()
        wait_until(lambda: "stopping" in agent.log(), "it is stopping")
        half.sendall(b"more")
        answer = half.recv(4096)
        assert answer.startswith(b"HTTP/1.1 202 "), answer
        assert b"connection: close" in answer.lower()
    answer = waiting.getresponse()
    assert answer.status in (200, 202), answer.read()
    assert agent.process.wait(timeout=30) == 0
    kinesis_local.clear_faults()
    agent.start()
    agent.wait_empty()
    assert len({entry["data"] for entry in kinesis_local.journal()}) == 2


def test_what_was_left_is_delivered_after_a_restart(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "error", "code": "AccessDeniedException"})
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    poster = Poster(agent)
    answers = [poster.post_lines("events", [{"k": "k", "n": n}]).json["first_id"] for n in range(50)]
    agent.restart()
    assert agent.stream()["queued_events"] == 50
    assert agent.status()["queue"]["oldest_age_seconds"] > 0
    assert Poster(agent).post_lines("events", [{"k": "k", "n": 50}]).json["first_id"] > max(answers)
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), {"k": list(range(51))}, repeats_allowed=False)


def test_stale_sockets_are_replaced(agent):
    agent.kill()
    assert os.path.exists(agent.socket) and os.path.exists(agent.control)
    agent.start()
    assert Poster(agent, unix=True).post("events", b"x").status == 202


def test_the_modes_of_its_files(agent):
    def mode(path):
        return stat.S_IMODE(os.stat(path).st_mode)

    assert Poster(agent).post("events", b"x").status == 202
    assert mode(agent.database) == 0o600
    assert mode(agent.socket) == 0o660 and mode(agent.control) == 0o660


def refused_start(agent, words):
    agent.start(wait=False)
    assert agent.process.wait(timeout=20) == 1, agent.log()
    message = agent.log().splitlines()[-1]
    assert message.startswith("agentd: ") and all(word in message for word in words), message


def test_a_second_agent_on_the_same_queue_is_refused(agent, make_agent):
    second = make_agent("http://127.0.0.1:1", queue={"path": str(agent.database)})
    refused_start(second, [str(agent.database), "Another process"])
    assert Poster(agent).post("events", b"x").status == 202
    agent.wait_empty()


def test_sockets_and_ports_in_use_are_refused(agent, make_agent):
    refused_start(make_agent("http://127.0.0.1:1", listen={"socket": agent.socket}), [agent.socket])
    refused_start(make_agent("http://127.0.0.1:1", listen={"control_socket": agent.control}), [agent.control])
    refused_start(make_agent("http://127.0.0.1:1", listen={"http": f"127.0.0.1:{agent.port}"}), [str(agent.port)])
    assert agent.ctl("status").returncode == 0
    assert Poster(agent, unix=True).post("events", b"x").status == 202


def test_a_file_that_is_no_queue_is_refused_and_left_alone(make_agent):
    agent = make_agent("http://127.0.0.1:1", queue={"path": "/nowhere/queue.db"})
    refused_start(agent, ["/nowhere"])


def test_health_and_readiness(agent):
    poster = Poster(agent)
    for path in ["/healthz", "/readyz"]:
        assert poster.request("GET", path).status == 200
        head = poster.request("HEAD", path)
        assert head.status == 200 and head.body == b""


def test_requests_after_it_has_stopped_are_refused_by_the_system(agent):
    assert agent.stop() == 0
    with pytest.raises(OSError):
        exchange(("127.0.0.1", agent.port), b"GET /healthz HTTP/1.1\r\n\r\n")


def notifications(s):
    """What was sent to the socket until now, as `KEY=value` lines."""
    lines = []
    while True:
        try:
            lines += s.recv(4096, socket.MSG_DONTWAIT).decode().splitlines()
        except BlockingIOError:
            return lines


def test_systemd_is_told(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    path = str(agent.folder / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        agent.environment |= {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "900000"}
        agent.start()
        seen = []

        def saw(pattern):
            seen.extend(notifications(s))
            return [line for line in seen if re.match(pattern, line)]

        wait_until(lambda: saw("READY=1"), "READY=1")
        wait_until(lambda: saw("STATUS=0 events queued"), "STATUS")
        wait_until(lambda: len(saw("WATCHDOG=1")) >= 3, "the watchdog is fed")
        kinesis_local.add_faults({"action": "error", "code": "AccessDeniedException"})
        assert Poster(agent).post("events", b"x").status == 202
        wait_until(lambda: saw("STATUS=1 events? queued.*events.*AccessDenied"), "STATUS names the fault")
        assert agent.stop() == 0
        wait_until(lambda: saw("STOPPING=1"), "STOPPING=1")
        assert [line for line in seen if line in ("READY=1", "STOPPING=1")] == ["READY=1", "STOPPING=1"]


def test_log_lines_begin_with_their_priority_in_the_journal(kinesis_local, make_agent):
    kinesis_local.add_faults({"action": "error", "code": "AccessDeniedException"})
    agent = make_agent(kinesis_local.endpoint)
    # Where the log is the journal's socket, systemd says which by device and inode.
    agent.log_path.touch()
    found = agent.log_path.stat()
    agent.environment["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
    agent.start()
    assert Poster(agent).post("events", b"secret-payload").status == 202
    wait_until(lambda: "AccessDenied" in agent.log(), "the fault is logged")
    assert agent.stop() == 0
    lines = agent.log().splitlines()
    assert all(re.match(r"<[2-7]>\S", line) for line in lines), lines
    assert any(line.startswith("<3>delivery fault") and "stream=events@us-east-1" in line for line in lines)
    assert "secret-payload" not in agent.log()
