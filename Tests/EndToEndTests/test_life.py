# SPDX-License-Identifier: Apache-2.0
"""Start, stop and what is left in between."""

import fcntl
import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import stat
import time

import pytest

from clients import Poster, UnixHTTPConnection, exchange, send_lines
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


def holds_sigterm(process):
    """Whether the process has come to its first instruction: from there on SIGTERM waits for it."""
    try:
        fields = dict(line.split(":\t", 1) for line in open(f"/proc/{process.pid}/status") if ":\t" in line)
        return bool(int(fields["SigBlk"], 16) >> (signal.SIGTERM - 1) & 1)
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return False


def test_a_stop_at_any_moment_of_a_start_ends_it_in_order(kinesis_local, make_agent, seed):
    """Before it is ready, at that moment and after it; also where a second signal follows."""
    draw = random.Random(seed)
    agent = make_agent(kinesis_local.endpoint)
    posted = 0
    for number in range(60):
        agent.log_path.unlink(missing_ok=True)
        agent.start(wait=False)
        kind = number % 4
        if kind == 0:
            # From exec on: before main() nothing can be held back, and nothing was done either.
            moment = time.monotonic() + draw.uniform(0, 0.02)
        else:
            wait_until(lambda: holds_sigterm(agent.process), "it holds signals back", every=0)
            # Mostly before it is ready, which takes some 20 ms.
            moment = time.monotonic() + draw.uniform(0, 0.03)
        if kind == 3:
            wait_until(lambda: " ready " in agent.log(), "it is ready", every=0)
            assert Poster(agent).post("events", b"x").status == 202
            posted += 1
        elif kind == 2:
            wait_until(lambda: " ready " in agent.log(), "it is ready", every=0)
        else:
            while time.monotonic() < moment:
                pass
        held = holds_sigterm(agent.process)
        agent.terminate()
        if draw.random() < 0.5:
            agent.terminate()
        status = agent.process.wait(timeout=30)
        where = f"start {number}: {status}\n{agent.log()}"
        assert status == 0 or (status == -signal.SIGTERM and not held and agent.log() == ""), where
        if status == 0:
            assert re.search("notice: stopped( before it was ready)?", agent.log().splitlines()[-1]), where
        assert not os.path.exists(agent.socket) and not os.path.exists(agent.control), where
    agent.start()
    agent.wait_empty()
    assert agent.totals()["accepted"] == posted
    assert len(kinesis_local.journal()) == posted


def test_a_second_signal_does_not_cut_the_stop_short(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 1000})
    agent = start_agent(kinesis_local.endpoint)
    assert Poster(agent).post("events", b"x").status == 202
    agent.wait_for_stream(lambda s: s["in_flight"] == 1, "a request is under way")
    agent.terminate()
    wait_until(lambda: "stopping" in agent.log(), "it is stopping")
    agent.terminate()
    agent.process.send_signal(signal.SIGINT)
    assert agent.process.wait(timeout=30) == 0
    assert "already stopping" in agent.log() and "cut short" not in agent.log()
    assert len(kinesis_local.journal()) == 1
    assert agent.start().totals()["delivered"] == 1


def test_sighup_changes_nothing(agent):
    agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload is not available yet; restart to apply changes" in agent.log(), "it says so")
    assert Poster(agent).post("events", b"x").status == 202
    assert agent.stop() == 0


def half_a_post(agent):
    """A client that has sent the half of a request, and is in no hurry with the rest."""
    s = socket.create_connection(("127.0.0.1", agent.port), timeout=30)
    s.sendall(b"POST /v1/streams/events/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nhalf")
    # What comes after it was read too: both are of one connection.
    return s


def test_a_stop_begins_no_request_and_a_slow_client_takes_no_time_from_those_under_way(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 500})
    # The requests of one key come one after the other.
    agent = start_agent(
        kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}], delivery={"stop_timeout": "4s"}
    )
    assert Poster(agent).post_lines("events", [{"k": "k", "n": n} for n in range(30)]).status == 202
    with half_a_post(agent):
        agent.wait_for_stream(lambda s: s["in_flight"] == 1, "a request is under way")
        before = len(kinesis_local.journal())
        agent.terminate()
        assert agent.process.wait(timeout=30) == 0
    assert "cut short" not in agent.log()
    # The one under way, and one more if that ended just before the signal.
    assert before <= len(kinesis_local.journal()) <= before + 2
    kinesis_local.clear_faults()
    agent.start()
    agent.wait_empty()
    check_order(delivered_numbers(kinesis_local.journal()), {"k": list(range(30))}, repeats_allowed=False)


def test_a_put_that_waits_is_answered_as_soon_as_a_stop_begins(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "hang"})
    agent = start_agent(kinesis_local.endpoint, delivery={"stop_timeout": "60s"}, listen={"put_wait": "60s"})
    waiting = UnixHTTPConnection(agent.socket)
    waiting.request("PUT", "/events", b'{"Data":1,"PartitionKey":"a"}')
    agent.wait_for_stream(lambda s: s["in_flight"] == 1, "the PUT is under way")
    agent.terminate()
    answer = waiting.getresponse()
    assert answer.status == 202 and json.loads(answer.read())["Status"] == "queued"
    # Not because the agent had waited for the request as long as it may.
    assert agent.process.poll() is None
    agent.kill()


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


def test_a_log_that_nobody_reads_holds_nothing_up(kinesis_local, make_agent):
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writer, b"." * 4096)
        fcntl.fcntl(writer, fcntl.F_SETFL, 0)
        agent = make_agent(kinesis_local.endpoint)
        agent.stderr = writer
        agent.start()
        poster = Poster(agent)
        assert all(poster.post("events", b"x").status == 202 for _ in range(100))
        agent.wait_empty()
        assert poster.request("GET", "/readyz").status == 200
        assert agent.stop() == 0
        assert not os.path.exists(agent.socket)
    finally:
        os.close(reader)
        os.close(writer)


def descriptors(agent):
    """The soft limit that holds for it."""
    return resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE)[0]


def test_the_limit_of_open_files_is_raised_to_what_the_settings_need(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint, listen={"max_connections": 1000})
    agent.wrapper = ["sh", "-c", 'ulimit -Sn 256; exec "$@"', "sh"]
    agent.start()
    assert 1000 < descriptors(agent) <= 2000
    assert agent.status()["agent"]["problems"] == []


def test_clients_leave_descriptors_to_delivery_operators_and_files(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    agent.wrapper = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh"]
    agent.start()
    problem = next(p for p in agent.status()["agent"]["problems"] if p["code"] == "descriptors_limited")
    assert "LimitNOFILE" in problem["remedy"] and "1024" in problem["message"]
    assert "fewer connections than configured" in agent.log()
    poster = Poster(agent)
    assert poster.post("events", b"before").status == 202
    clients = [socket.create_connection(("127.0.0.1", agent.port)) for _ in range(400)]
    try:
        # Its connection may have made room for one of the others; then it has to get in again.
        try:
            answer = poster.post("events", b"x")
        except (http.client.HTTPException, OSError):
            answer = Poster(agent).post("events", b"x")
        assert answer.status == 202
        agent.wait_empty()
        assert agent.ctl("status").returncode == 0
        assert agent.totals()["delivered"] >= 2
    finally:
        for client in clients:
            client.close()
    assert agent.stop() == 0


def test_a_missing_folder_is_named_with_the_command_that_makes_it(make_agent):
    for setting in ["socket", "control_socket"]:
        agent = make_agent("http://127.0.0.1:1", listen={setting: "/nonexistent/agentd/x.sock"})
        refused_start(agent, [f"listen.{setting}", "install -d -m 0755", "/nonexistent/agentd"])
        assert not agent.database.exists()


def test_a_start_that_fails_leaves_no_socket_behind(agent, make_agent):
    second = make_agent("http://127.0.0.1:1", listen={"control_socket": agent.control})
    refused_start(second, [agent.control])
    assert not os.path.exists(second.socket)
    second.config["listen"]["control_socket"] = second.control
    second.start()


def test_who_holds_the_port_is_said(agent, make_agent):
    second = make_agent("http://127.0.0.1:1", listen={"http": f"127.0.0.1:{agent.port}"})
    refused_start(second, [f"127.0.0.1:{agent.port}", f"(pid {agent.process.pid}) has the port", "listen.http"])


def test_a_fatal_fault_has_the_priority_of_an_error_in_the_journal(make_agent):
    for configuration, status in [({"socket": "/nonexistent/x.sock"}, 1), ({"max_connections": 0}, 78)]:
        agent = make_agent("http://127.0.0.1:1", listen=configuration)
        agent.log_path.touch()
        found = agent.log_path.stat()
        agent.environment["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
        agent.start(wait=False)
        assert agent.process.wait(timeout=20) == status
        assert agent.log().splitlines()[-1].startswith("<3>")


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


def test_health_and_readiness(agent):
    poster = Poster(agent)
    for path in ["/healthz", "/readyz"]:
        assert poster.request("GET", path).status == 200
        head = poster.request("HEAD", path)
        assert head.status == 200 and head.body == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="what others ask for, they are refused")
def test_no_thread_asks_for_a_priority_that_needs_a_privilege(agent):
    assert Poster(agent).post("events", b"x").status == 202
    agent.wait_empty()
    folder = f"/proc/{agent.process.pid}/task"
    stats = [open(f"{folder}/{thread}/stat").read() for thread in os.listdir(folder)]
    # proc(5): the name in parentheses is the second field, the nice value the 19th.
    urgent = [stat for stat in stats if int(stat.rpartition(")")[2].split()[16]) < 0]
    # Dispatch's own thread for timers and sockets.
    assert len(urgent) <= 1, urgent


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


def test_a_service_manager_that_reads_nothing_holds_nothing_up(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    path = str(agent.folder / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as t:
        s.bind(path)
        t.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                t.sendto(b"x", path)
        agent.environment |= {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "900000"}
        agent.start()
        assert Poster(agent).post("events", b"x").status == 202
        agent.wait_empty()
        # It is told as soon as it reads again.
        seen = []
        wait_until(lambda: seen.extend(notifications(s)) or "READY=1" in seen, "READY=1")
        assert agent.stop() == 0


def test_lines_without_a_stream_go_to_the_default_one_in_its_region(kinesis_local, start_agent):
    agent = start_agent(
        kinesis_local.endpoint,
        [{"name": "events"}, {"name": "events", "region": "eu-west-1"}],
        streams={"default": "events@eu-west-1"},
    )
    assert send_lines(agent.socket, b'{"event":1}\n{"event":2}\n{"event":3,"stream":"events"}\n')[-1] == {"acked": 3}
    wait_until(lambda: agent.totals()["accepted"] == 3, "all are accepted")
    streams = {s["region"]: s["queued_events"] + s["delivered"] for s in agent.status()["streams"]}
    assert streams == {"eu-west-1": 2, "us-east-1": 1}
