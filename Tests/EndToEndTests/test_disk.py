# SPDX-License-Identifier: Apache-2.0
"""Full disks and sick disks: what was acknowledged is there and arrives in order, what was refused never does, what
stops progress is said with its remedy, and service comes back by itself when the disk does.

Some of it is real: a small file system that is filled up, and one that the kernel makes read-only. The rest is calls of
the agent that fail on demand.
"""

import errno
import os
import socket
import sqlite3
import threading

import pytest

from clients import Poster
from disks import FailingDisk, MiB, SmallDisk
from ordering import check_order, delivered_numbers
from waiting import wait_until

DENIED = {"id": "denied", "action": "error", "code": "AccessDeniedException"}
EVENTS = [{"name": "events", "partition_key": "/k"}]
# The longest pause between attempts to open the file again is 10 s.
RECOVERS_WITHIN = 30


class Sender:
    """Sends numbered events of 20 keys, and keeps account of what was said to each. Nothing is sent twice, so every
    repeat is the agent's."""

    def __init__(self, agent, padding=0):
        self.agent = agent
        self.padding = "x" * padding
        self.number = 0
        self.acknowledged = {}
        self.refused = {}
        self.unknown = {}
        self.codes = set()

    def send(self, requests=1):
        """The last answer."""
        poster = Poster(self.agent)
        for _ in range(requests):
            events = [{"k": f"key-{k}", "n": self.number, "padding": self.padding} for k in range(20)]
            self.number += 1
            try:
                answer = poster.post_lines("events", events)
            except OSError:
                self.note(self.unknown, events)
                raise
            if answer.status == 202:
                self.note(self.acknowledged, events)
                continue
            self.codes.add((answer.status, answer.json["error"]))
            self.note(self.unknown if answer.json["error"] == "unknown" else self.refused, events)
        poster.close()
        return answer

    @staticmethod
    def note(where, events):
        for event in events:
            where.setdefault(event["k"], []).append(event["n"])

    def check(self, kinesis_local, repeats_allowed=False):
        """Everything acknowledged arrived, in order; nothing that was refused did. Returns how many were acknowledged."""
        arrived = delivered_numbers(kinesis_local.journal())
        check_order(arrived, self.acknowledged, repeats_allowed)
        for key, numbers in self.refused.items():
            kept = set(numbers) & set(arrived.get(key, []))
            assert not kept, f"refused and yet kept, key {key}: {sorted(kept)[:5]}"
        return sum(map(len, self.acknowledged.values()))


def problem(agent, code):
    status = agent.status()["agent"]
    found = [p for p in status["problems"] if p["code"] == code]
    return found[0] if found and status["state"] == "degraded" else None


def is_well(agent):
    return agent.status()["agent"]["state"] == "running" and Poster(agent).request("GET", "/readyz").status == 200


@pytest.fixture(params=["ext4", "tmpfs"])
def disk(request):
    disk = SmallDisk(request.param)
    yield disk
    disk.remove()


@pytest.fixture
def ext4():
    disk = SmallDisk("ext4")
    yield disk
    disk.remove()


@pytest.fixture
def agent_on(make_agent, kinesis_local):
    """Makes an agent whose queue lies on a small disk; nothing is delivered yet."""
    kinesis_local.add_faults(DENIED)

    def make(disk):
        agent = make_agent(kinesis_local.endpoint, EVENTS, queue={"path": str(disk.path / "queue.db")})
        agent.database = disk.path / "queue.db"
        return agent

    yield make


def refused_for_want_of_disk(agent, sender):
    answer = sender.send()
    assert answer.status == 507 and answer.json["error"] == "disk_full", answer
    assert int(answer.headers["retry-after"]) >= 1 and "min_free_disk" in answer.json["message"], answer
    found = wait_until(lambda: problem(agent, "disk_full"), "status says so")
    assert "bytes left" in found["message"] and "space" in found["remedy"], found
    ready = Poster(agent).request("GET", "/readyz")
    assert ready.status == 503 and b"bytes left" in ready.body, ready


def test_a_full_disk_stops_intake_only_and_intake_resumes_by_itself(kinesis_local, disk, agent_on):
    agent = agent_on(disk).start()
    sender = Sender(agent, padding=500)
    assert sender.send(100).status == 202
    wait_until((disk.path / "queue.db.reserve").exists, "space is set aside")
    disk.fill(leaving=2 * MiB)
    refused_for_want_of_disk(agent, sender)

    kinesis_local.clear_faults()
    agent.wait_empty()
    assert sender.check(kinesis_local) == 2000
    assert sender.send().status == 507

    disk.empty()
    # Nobody asks meanwhile: who looks at /readyz sends nothing before it says so.
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    assert sender.send(20).status == 202
    agent.wait_empty()
    assert sender.check(kinesis_local) == 2400
    totals = agent.totals()
    assert totals["delivered"] == 2400 and totals["lost"] == 0 and totals["refused"] == 40, totals


def test_a_disk_without_a_free_byte_is_drained_by_the_reserve(kinesis_local, disk, agent_on):
    """The WAL is long and not yet in the database file: both its growth and its checkpoint want space."""
    agent = agent_on(disk).start()
    sender = Sender(agent, padding=2000)
    assert sender.send(250).status == 202
    reserve = disk.path / "queue.db.reserve"
    wait_until(reserve.exists, "space is set aside")
    assert (disk.path / "queue.db-wal").stat().st_size > 4 * MiB
    disk.fill()
    refused_for_want_of_disk(agent, sender)
    kinesis_local.clear_faults()
    agent.wait_empty()
    assert sender.check(kinesis_local) == 5000
    assert sender.send().status == 507

    disk.empty()
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    wait_until(reserve.exists, "space is set aside again")
    assert sender.send(20).status == 202
    agent.wait_empty()
    assert sender.check(kinesis_local) == 5400


def test_where_others_took_the_reserve_what_is_delivered_stays_owed_until_there_is_room(kinesis_local, ext4, agent_on):
    agent = agent_on(ext4).start()
    sender = Sender(agent, padding=2000)
    assert sender.send(100).status == 202
    agent.kill()
    (ext4.path / "queue.db.reserve").unlink(missing_ok=True)
    ext4.fill()
    agent.start()
    kinesis_local.clear_faults()
    wait_until(kinesis_local.journal, "it delivers")
    refused_for_want_of_disk(agent, sender)
    ext4.empty()
    agent.wait_empty()
    assert sender.check(kinesis_local) == 2000


def test_it_starts_on_a_full_disk_and_drains(kinesis_local, ext4, agent_on):
    agent = agent_on(ext4).start()
    sender = Sender(agent, padding=2000)
    assert sender.send(150).status == 202
    reserve = ext4.path / "queue.db.reserve"
    wait_until(reserve.exists, "space is set aside")
    for _ in range(3):
        agent.kill()
        ext4.fill()
        agent.start()
    refused_for_want_of_disk(agent, sender)
    kinesis_local.clear_faults()
    agent.wait_empty()
    assert sender.check(kinesis_local) == 3000
    ext4.empty()
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    assert sender.send().status == 202


def test_it_starts_on_a_full_disk_after_a_clean_stop(kinesis_local, ext4, agent_on):
    """The WAL is gone then, and making it anew wants space."""
    agent = agent_on(ext4).start()
    sender = Sender(agent)
    assert sender.send(50).status == 202
    wait_until((ext4.path / "queue.db.reserve").exists, "space is set aside")
    assert agent.stop() == 0
    ext4.fill()
    agent.start()
    refused_for_want_of_disk(agent, sender)
    kinesis_local.clear_faults()
    agent.wait_empty()
    assert sender.check(kinesis_local) == 1000
    ext4.empty()
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)


def test_a_file_system_that_the_kernel_makes_read_only(kinesis_local, ext4, agent_on):
    agent = agent_on(ext4).start()
    sender = Sender(agent)
    assert sender.send(50).status == 202
    ext4.fail()
    for _ in range(5):
        assert sender.send().status == 500
    found = wait_until(lambda: problem(agent, "queue_unavailable"), "status says so")
    assert "disk" in found["remedy"], found
    assert Poster(agent).request("GET", "/readyz").status == 503
    assert agent.stop() == 0
    ext4.repair()
    agent.start()
    kinesis_local.clear_faults()
    agent.wait_empty()
    assert sender.check(kinesis_local) >= 1000


# Calls that fail on demand.


@pytest.fixture
def failing(tmp_path):
    return FailingDisk(tmp_path)


@pytest.fixture
def failing_agent(make_agent, kinesis_local, failing):
    return make_agent(kinesis_local.endpoint, EVENTS, environment=failing.environment).start()


READ_ONLY = [(call, "queue.db*", errno.EROFS) for call in ("open", "pwrite", "truncate", "sync")]


def test_a_disk_that_is_read_only_for_a_while(kinesis_local, failing, failing_agent):
    agent, sender = failing_agent, Sender(failing_agent)
    assert sender.send(20).status == 202
    failing.fail(*READ_ONLY)
    for _ in range(5):
        answer = sender.send()
        assert answer.status in (500, 503), answer
    found = wait_until(lambda: problem(agent, "queue_unavailable"), "status says so")
    assert found["remedy"], found
    assert Poster(agent).request("GET", "/readyz").status == 503
    failing.heal()
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    assert sender.send(20).status == 202
    agent.wait_empty()
    assert sender.check(kinesis_local) == 800


FAULTS = {
    "a write to the WAL, once": [("pwrite", "queue.db-wal", errno.EIO, 3, 1)],
    "writes to the WAL": [("pwrite", "queue.db-wal", errno.EIO)],
    "a sync of the WAL, once": [("sync", "queue.db-wal", errno.EIO, 2, 1)],
    "syncs": [("sync", "queue.db*", errno.EIO)],
    "no space, once": [("pwrite", "queue.db-wal", errno.ENOSPC, 5, 1)],
    "no space": [("pwrite", "queue.db*", errno.ENOSPC)],
    "a quota": [("pwrite", "queue.db*", errno.EDQUOT)],
    "no space to sync": [("sync", "queue.db*", errno.ENOSPC)],
    "reads": [("pread", "queue.db*", errno.EIO)],
    "everything": [(call, "queue.db*", errno.EIO) for call in ("pread", "pwrite", "sync", "truncate", "open")],
    "at random": [
        (call, "queue.db*", errno.EIO, skip, 1)
        for skip in (5, 40, 90)
        for call in ("pwrite", "sync")
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_calls_that_fail(kinesis_local, failing, failing_agent, fault):
    agent, sender = failing_agent, Sender(failing_agent, padding=300)
    assert sender.send(10).status == 202
    failing.fail(*FAULTS[fault])
    passes = all(len(rule) == 5 for rule in FAULTS[fault])
    for _ in range(25):
        if sender.send().status != 202 and passes:
            wait_until(lambda: is_well(agent), "it goes on", within=RECOVERS_WITHIN)
    failing.heal()
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    assert sender.send(10).status == 202
    agent.wait_empty()
    acknowledged = sender.check(kinesis_local)
    print(fault, acknowledged, sender.codes)
    # The counts are those of the file.
    agent.kill()
    agent.start()
    assert agent.totals()["delivered"] == sum(map(len, delivered_numbers(kinesis_local.journal()).values()))
    assert agent.totals()["lost"] == 0 and not list(agent.folder.glob("*damaged*"))


def test_a_disk_that_cannot_be_read(kinesis_local, failing, failing_agent):
    """Events wait in the file, and reading them back fails: status says so."""
    agent, sender = failing_agent, Sender(failing_agent, padding=300)
    kinesis_local.add_faults(DENIED)
    assert sender.send(200).status == 202
    agent.kill()
    agent.start()
    failing.fail(("pread", "queue.db*", errno.EIO))
    kinesis_local.clear_faults()
    found = wait_until(lambda: problem(agent, "queue_unreadable"), "status says so")
    assert found["remedy"], found
    failing.heal()
    agent.wait_empty()
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    assert sender.check(kinesis_local) == 4000


# Other programs that use the queue file.


@pytest.fixture
def program_with_the_file(kinesis_local, make_agent):
    """An agent with a sender, and a connection of this process to its queue."""
    agent = make_agent(kinesis_local.endpoint, EVENTS).start()
    sender = Sender(agent)
    assert sender.send().status == 202
    agent.wait_empty()
    other = sqlite3.connect(agent.database, isolation_level=None, check_same_thread=False)
    yield agent, sender, other
    other.close()


def test_a_lock_for_a_moment_costs_nobody_anything(kinesis_local, program_with_the_file):
    agent, sender, other = program_with_the_file
    for seconds in (0.3, 0.8):
        other.execute("BEGIN IMMEDIATE")
        # Sent while the lock is held: the answer comes after it.
        unlock = threading.Timer(seconds, lambda: other.execute("COMMIT"))
        unlock.start()
        assert sender.send().status == 202
        unlock.join()
    assert sender.send(5).status == 202
    agent.wait_empty()
    assert is_well(agent) and "locked" not in agent.log() and agent.totals()["refused"] == 0


def test_a_lock_that_stays_is_told_and_intake_resumes_by_itself(kinesis_local, program_with_the_file):
    agent, sender, other = program_with_the_file
    assert sender.send(10).status == 202
    other.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        answer = sender.send()
        assert answer.status == 503 and answer.json["error"] == "queue_locked", answer
        assert int(answer.headers["retry-after"]) >= 1
    found = wait_until(lambda: problem(agent, "queue_locked"), "status says so")
    # The other program is this one.
    assert f"process {os.getpid()}" in found["message"] and found["remedy"], found
    assert f"process {os.getpid()}" in agent.log()
    assert Poster(agent).request("GET", "/readyz").status == 503
    other.execute("COMMIT")
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    assert sender.send(10).status == 202
    agent.wait_empty()
    sender.check(kinesis_local)
    assert agent.totals()["refused"] == 60 and agent.totals()["lost"] == 0


def test_a_start_under_a_lock_ends_and_says_why(program_with_the_file):
    agent, sender, other = program_with_the_file
    agent.kill()
    other.execute("BEGIN IMMEDIATE")
    agent.start(wait=False)
    assert agent.process.wait(timeout=30) == 1
    assert "Another program" in agent.log() and f"process {os.getpid()}" in agent.log(), agent.log()
    # One that goes in time is waited for.
    threading.Timer(1, lambda: other.execute("COMMIT")).start()
    agent.start()


def test_a_reader_that_pins_the_log_is_told_before_it_fills_the_disk(kinesis_local, program_with_the_file):
    agent, sender, other = program_with_the_file
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM agent").fetchall()
    sender.padding = "x" * 40_000
    log = agent.folder / "queue.db-wal"
    for _ in range(200):
        assert sender.send().status == 202
        found = problem(agent, "queue_log_pinned")
        if found:
            break
    assert found and f"process {os.getpid()}" in found["message"] and found["remedy"], found
    assert log.stat().st_size < 64 * MiB
    assert "keeps the queue's log from being reused" in agent.log()
    other.execute("COMMIT")
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    agent.wait_empty()
    sender.check(kinesis_local)


# A queue that is full, and shares of it.


def test_a_full_queue_is_visible_until_there_is_room(kinesis_local, make_agent):
    kinesis_local.add_faults(DENIED)
    small = {"max_request_bytes": "256 KiB", "max_event_bytes": "256 KiB"}
    agent = make_agent(kinesis_local.endpoint, EVENTS, queue={"max_bytes": "1 MiB"}, listen=small).start()
    sender = Sender(agent, padding=5000)
    while sender.send().status == 202:
        pass
    for _ in range(30):
        answer = sender.send()
        assert answer.status == 507 and "queue.max_bytes" in answer.json["message"], answer
    found = wait_until(lambda: problem(agent, "queue_full"), "status says so")
    assert "queue.max_bytes" in found["message"] and found["remedy"], found
    ready = Poster(agent).request("GET", "/readyz")
    assert ready.status == 503 and b"full" in ready.body, ready
    assert agent.log().count("queue full") == 1, agent.log()
    assert agent.totals()["refused"] == 31 * 20
    kinesis_local.clear_faults()
    agent.wait_empty()
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)
    sender.check(kinesis_local)


def test_a_full_share_is_visible_and_the_agent_ready(start_kinesis_local, make_agent):
    kinesis_local = start_kinesis_local("--stream", "events:1", "--stream", "other:1")
    kinesis_local.add_faults(DENIED)
    streams = [{"name": "events", "partition_key": "/k", "max_bytes": "1 MiB"}, {"name": "other"}]
    agent = make_agent(kinesis_local.endpoint, streams).start()
    sender = Sender(agent, padding=5000)
    while sender.send().status == 202:
        pass
    assert {code for _, code in sender.codes} == {"destination_full"}
    found = wait_until(lambda: problem(agent, "stream_full"), "status says so")
    assert "events" in found["message"] and "other" not in found["message"] and found["remedy"], found
    assert Poster(agent).request("GET", "/readyz").status == 200
    assert Poster(agent).post("other", b"x").status == 202
    kinesis_local.clear_faults()
    agent.wait_empty()
    wait_until(lambda: is_well(agent), "it is well again", within=RECOVERS_WITHIN)


def test_what_can_never_fit_is_413(kinesis_local, make_agent):
    streams = [{"name": "events", "partition_key": "/k", "max_bytes": "512 KiB"}]
    agent = make_agent(kinesis_local.endpoint, streams).start()
    answer = Sender(agent, padding=50_000).send()
    assert answer.status == 413 and answer.json["error"] == "request_too_large", answer
    assert "retry-after" not in answer.headers and str(512 << 10) in answer.json["message"], answer
    assert agent.totals()["refused"] == 20


def test_lines_that_wait_for_room_are_not_counted_as_refused(kinesis_local, make_agent):
    kinesis_local.add_faults(DENIED)
    small = {"max_request_bytes": "256 KiB", "max_event_bytes": "256 KiB"}
    agent = make_agent(kinesis_local.endpoint, EVENTS, queue={"max_bytes": "1 MiB"}, listen=small).start()
    lines = [b'{"stream":"events","event":{"k":"a","n":%d,"padding":"%s"}}\n' % (n, b"x" * 5000) for n in range(400)]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(agent.socket)
        sending = threading.Thread(target=lambda: (client.sendall(b"".join(lines)), client.shutdown(socket.SHUT_WR)))
        sending.start()
        wait_until(lambda: problem(agent, "queue_full"), "it is full")
        assert agent.totals()["refused"] == 0
        kinesis_local.clear_faults()
        answers = b""
        while chunk := client.recv(65536):
            answers += chunk
        sending.join()
    assert answers.endswith(b'{"acked":400}\n'), answers[-200:]
    agent.wait_empty()
    assert delivered_numbers(kinesis_local.journal()) == {"a": list(range(400))}
    assert agent.totals()["refused"] == 0


# Requeueing.


def test_requeue_takes_all_large_dead_letters_and_stops_where_the_queue_is_full(kinesis_local, make_agent):
    poison = {"id": "huge", "action": "error", "code": "InvalidArgumentException", "data_contains": "padding"}
    kinesis_local.add_faults(poison)
    agent = make_agent(kinesis_local.endpoint, EVENTS, queue={"max_bytes": "64 MiB"}).start()
    poster = Poster(agent)
    for n in range(24):
        # Beside others that are taken it is seen that it is these that are not.
        events = b'{"k":"a","n":%d,"padding":"%s"}\n{"k":"b","n":%d}' % (n, b"x" * 500_000, n)
        assert poster.post("events", events, "application/x-ndjson").status == 202
        wait_until(lambda: agent.status()["queue"]["dead_letters"] == n + 1, "it is given up")
    kinesis_local.clear_faults()
    kinesis_local.add_faults(DENIED)
    counted = agent.ctl("dead-letters", "requeue", "--all", "events")
    assert b"would requeue 24 dead letters" in counted.stderr, counted
    agent.config["queue"]["max_bytes"] = "8 MiB"
    agent.config["listen"] |= {"max_request_bytes": "2 MiB"}
    agent.restart()
    full = agent.ctl("dead-letters", "requeue", "--all", "events", "--yes")
    left = agent.status()["queue"]["dead_letters"]
    assert 8 <= left <= 10 and full.returncode == 1
    assert f"requeued {24 - left} dead letters".encode() in full.stderr, full
    assert b"queue.max_bytes" in full.stderr
    kinesis_local.clear_faults()
    agent.wait_empty()
    assert agent.ctl("dead-letters", "requeue", "--all", "events", "--yes").returncode == 0
    agent.wait_empty()
    assert sorted(delivered_numbers(kinesis_local.journal())["a"]) == list(range(24))
