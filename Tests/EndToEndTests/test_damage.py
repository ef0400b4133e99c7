# SPDX-License-Identifier: Apache-2.0
"""A queue file that is deleted, replaced or damaged: nothing is acknowledged in vain, and service goes on."""

import os
import random
import sqlite3
import time

import pytest

from clients import Poster
from ordering import delivered_numbers
from waiting import wait_until

DENIED = {"id": "denied", "action": "error", "code": "AccessDeniedException"}


@pytest.fixture
def holding_agent(kinesis_local, start_agent):
    """An agent that holds 1000 events of 50 keys."""
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    poster = Poster(agent)
    for n in range(20):
        events = [{"k": f"key-{k}", "n": n, "padding": "x" * 500} for k in range(50)]
        assert poster.post_lines("events", events).status == 202
    poster.close()
    return agent


def problem(agent, code):
    status = agent.status()["agent"]
    found = [p for p in status["problems"] if p["code"] == code]
    return found[0] if found and status["state"] == "degraded" else None


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_taken_away_while_in_use(kinesis_local, holding_agent, replaced):
    agent = holding_agent
    agent.database.rename(agent.folder / "moved.db")
    if replaced:
        agent.database.write_bytes(b"")
    answer = Poster(agent).post("events", b"{}")
    assert answer.status == 503 and answer.json["error"] == "queue_tampered", answer
    assert int(answer.headers["retry-after"]) >= 1
    found = wait_until(lambda: problem(agent, "queue_tampered"), "status says so")
    assert str(agent.database) in found["message"] and found["remedy"]
    assert Poster(agent).request("GET", "/readyz").status == 503
    # What it holds is still delivered.
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    assert sum(map(len, delivered_numbers(kinesis_local.journal()).values())) == 1000
    assert agent.stop() == 0
    agent.database.unlink(missing_ok=True)
    agent.start()
    assert agent.status()["agent"]["state"] == "running"
    assert Poster(agent).post("events", b"{}").status == 202


def test_a_damaged_file_is_put_aside_and_what_can_be_read_is_carried_over(kinesis_local, holding_agent, seed):
    agent = holding_agent
    last_id = Poster(agent).post_lines("events", [{"k": "last", "n": 0}]).json["last_id"]
    assert agent.stop() == 0
    generator = random.Random(seed)
    data = bytearray(agent.database.read_bytes())
    # A tenth of the file, in the middle of the events.
    start = len(data) // 2 // 4096 * 4096
    data[start : start + len(data) // 10] = generator.randbytes(len(data) // 10)
    agent.database.write_bytes(data)

    agent.start()
    poster = Poster(agent)
    answer = poster.post_lines("events", [{"k": "new", "n": 0}])
    assert answer.status == 202 and answer.json["first_id"] > last_id, answer
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    totals = agent.totals()
    arrived = delivered_numbers(kinesis_local.journal())
    count = sum(map(len, arrived.values()))
    assert arrived["new"] == [0] and count > 500
    assert all(numbers == sorted(set(numbers)) for numbers in arrived.values())
    assert totals["delivered"] == count and totals["lost"] + totals["dead_lettered"] == 1002 - count, totals
    assert totals["lost"] + totals["dead_lettered"] > 0
    assert list(agent.folder.glob("queue.db*damaged*")) or "damaged" in agent.log(), list(agent.folder.iterdir())


def refusal_to_start(agent):
    """What it says instead of starting."""
    agent.start(wait=False)
    assert agent.process.wait(timeout=20) == 78, agent.log()
    return agent.log()


def test_an_empty_file_is_a_place_for_a_queue(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    agent.database.write_bytes(b"")
    agent.start()
    assert Poster(agent).post("events", b"x").status == 202
    agent.wait_empty()


OTHERS = {
    "text": (b"text\n" * 3000, "a text file"),
    "zeros": (b"\x00" * 8192, "a file of another kind"),
    "something like a database": (b"SQLite format 3\x00" + b"\xff" * 8000, "a database of another application"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_program_is_left_as_it_is_and_said(kinesis_local, make_agent, name):
    content, found = OTHERS[name]
    agent = make_agent(kinesis_local.endpoint)
    agent.database.write_bytes(content)
    before = agent.database.stat()
    for _ in range(2):
        log = refusal_to_start(agent)
        assert str(agent.database) in log and found in log and "queue.path" in log, log
    assert agent.database.read_bytes() == content and agent.database.stat().st_mode == before.st_mode
    assert not list(agent.folder.glob("queue.db?*")), list(agent.folder.iterdir())


def test_a_database_of_another_program_is_left_as_it_is(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    # It is open, and its log is not yet in it.
    other = sqlite3.connect(agent.database)
    other.executescript("PRAGMA journal_mode = WAL; CREATE TABLE precious (value); INSERT INTO precious VALUES (1)")
    before = {path.name: path.read_bytes() for path in agent.folder.glob("queue.db*")}
    assert "a database of another application" in refusal_to_start(agent)
    assert {path.name: path.read_bytes() for path in agent.folder.glob("queue.db*")} == before
    assert other.execute("SELECT * FROM precious").fetchall() == [(1,)]
    other.close()


def test_a_database_put_in_the_place_of_a_queue_is_left_as_it_is(kinesis_local, holding_agent):
    """The queue's lock and reserve are still there."""
    agent = holding_agent
    assert agent.stop() == 0
    agent.database.rename(agent.folder / "mine.db")
    with sqlite3.connect(agent.database) as other:
        other.execute("CREATE TABLE precious (value)")
    other.close()
    before = agent.database.read_bytes()
    assert "a database of another application" in refusal_to_start(agent)
    assert agent.database.read_bytes() == before
    (agent.folder / "mine.db").replace(agent.database)
    agent.start()
    kinesis_local.clear_faults()
    agent.wait_empty()


def test_a_queue_whose_head_is_scrambled_is_still_the_agents(kinesis_local, holding_agent, seed):
    agent = holding_agent
    assert agent.stop() == 0
    data = agent.database.read_bytes()
    scrambled = random.Random(seed).randbytes(4096) + data[4096:]
    agent.database.write_bytes(scrambled)
    agent.start()
    assert Poster(agent).post_lines("events", [{"k": "new", "n": 0}]).status == 202
    assert problem(agent, "queue_damaged")
    [aside] = agent.folder.glob("queue.db.damaged-*")
    assert aside.read_bytes() == scrambled


def test_what_is_no_regular_file_is_refused_at_once(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    os.mkfifo(agent.database)
    assert "is a FIFO" in refusal_to_start(agent)
    agent.database.unlink()
    agent.database.mkdir()
    assert "is a folder" in refusal_to_start(agent)


def test_a_queue_that_others_may_read_is_closed_to_them(kinesis_local, holding_agent):
    agent = holding_agent
    agent.kill()
    for path in agent.folder.glob("queue.db*"):
        path.chmod(0o666)
    agent.start()
    modes = {path.name: path.stat().st_mode & 0o777 for path in agent.folder.glob("queue.db*")}
    assert set(modes.values()) == {0o600} and len(modes) >= 4, modes
    assert "mode of a queue file set to 0600" in agent.log()


def test_a_queue_behind_a_symbolic_link(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    (agent.folder / "disk").mkdir()
    agent.database.symlink_to("disk/real.db")
    for _ in range(3):
        agent.start()
        assert Poster(agent).post("events", b"x").status == 202
        agent.wait_empty()
        agent.kill()
    assert [path.name for path in agent.folder.glob("queue.db*")] == ["queue.db"]
    assert (agent.folder / "disk/real.db.lock").exists() and agent.database.is_symlink()


def test_folders_that_are_missing_are_made(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    folder = agent.folder / "var" / "lib"
    agent.config["queue"]["path"] = str(folder / "queue.db")
    agent.start()
    assert Poster(agent).post("events", b"x").status == 202
    assert folder.stat().st_mode & 0o777 == 0o750


# Damage to a queue that holds events. Each leaves what it can of the file.


def truncated(data, wal, generator):
    return data[: len(data) * 6 // 10 // 4096 * 4096], wal


def cut_in_the_middle_of_a_page(data, wal, generator):
    return data[: len(data) * 6 // 10 | 1234], wal


def scrambled_here_and_there(data, wal, generator):
    data = bytearray(data)
    for page in generator.sample(range(20, len(data) // 4096), 25):
        data[page * 4096 : (page + 1) * 4096] = generator.randbytes(4096)
    return data, wal


def zeroed_in_the_middle(data, wal, generator):
    start = len(data) // 2 // 4096 * 4096
    return data[:start] + bytes(20 * 4096) + data[start + 20 * 4096 :], wal


def without_its_first_page(data, wal, generator):
    return bytes(4096) + data[4096:], wal


def empty(data, wal, generator):
    return b"", wal


def missing(data, wal, generator):
    return None, wal


def with_a_scrambled_wal(data, wal, generator):
    return data, generator.randbytes(len(wal))


DAMAGES = {
    # How many of 1000 are given back at least; whether what is missing can be counted.
    truncated: (300, True),
    cut_in_the_middle_of_a_page: (300, True),
    scrambled_here_and_there: (700, True),
    zeroed_in_the_middle: (800, True),
    without_its_first_page: (0, False),
    empty: (1000, False),
    missing: (1000, False),
    with_a_scrambled_wal: (0, False),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_at_start_costs_what_is_damaged_only(kinesis_local, holding_agent, seed, damage):
    agent = holding_agent
    at_least, is_counted = DAMAGES[damage]
    if is_counted:
        # All of it in the file.
        assert agent.stop() == 0
    else:
        agent.kill()
    wal_path = agent.folder / "queue.db-wal"
    wal = wal_path.read_bytes() if wal_path.exists() else b""
    data, wal = damage(agent.database.read_bytes(), wal, random.Random(seed))
    for path, content in ((agent.database, data), (wal_path, wal)):
        path.unlink(missing_ok=True)
        if content is not None and (content or path == agent.database):
            path.write_bytes(content)

    began = time.monotonic()
    agent.start()
    answer = Poster(agent).post_lines("events", [{"k": "new", "n": 0}])
    assert answer.status == 202, answer
    assert time.monotonic() - began < 5
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    arrived = delivered_numbers(kinesis_local.journal())
    assert arrived.pop("new") == [0]
    count = sum(map(len, arrived.values()))
    assert count >= at_least, (count, agent.totals())
    assert all(numbers == sorted(set(numbers)) for numbers in arrived.values())
    totals = agent.totals()
    print(damage.__name__, count, totals)
    assert totals["delivered"] == count + 1
    if is_counted:
        assert totals["accepted"] == 1001 and totals["lost"] + totals["dead_lettered"] == 1000 - count, totals
    if count < 1000:
        wait_until(lambda: problem(agent, "queue_damaged"), "status says so")
        assert answer.json["first_id"] > 1000


def test_intake_is_open_while_a_large_damaged_file_is_read(kinesis_local, start_agent):
    """Order holds although new events are there before the old ones, and a kill in the middle repeats nothing."""
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    poster = Poster(agent)
    for n in range(100):
        events = [{"k": f"key-{k}", "n": n, "padding": "x" * 500} for k in range(1000)]
        assert poster.post_lines("events", events).status == 202
    assert agent.stop() == 0
    data = bytearray(agent.database.read_bytes())
    assert len(data) > 50 << 20
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 40960] = bytes(40960)
    agent.database.write_bytes(data)
    # Its totals are wrong from the start: the last page is gone.
    with open(agent.database, "r+b") as file:
        file.truncate(len(data) - 4096)

    began = time.monotonic()
    agent.start()
    ready = time.monotonic() - began
    kinesis_local.clear_faults()
    poster = Poster(agent)
    seen = set()
    kills = 0
    n = 100
    while True:
        answer = poster.post_lines("events", [{"k": f"key-{k}", "n": n} for k in range(1000)])
        assert answer.status == 202, answer
        n += 1
        status = agent.status()
        seen |= {p["code"] for p in status["agent"]["problems"]}
        if "queue_carrying_over" not in {p["code"] for p in status["agent"]["problems"]}:
            break
        # None of its events may overtake those that are still to come.
        assert status["totals"]["delivered"] == 0, status
        if kills < 2:
            kills += 1
            agent.kill()
            agent.start()
            poster = Poster(agent)
    print(f"ready after {ready:.2f} s, {kills} kills, {n - 100} posts meanwhile")
    assert ready < 2 and "queue_carrying_over" in seen and kills > 0
    agent.wait_empty(within=90)
    arrived = delivered_numbers(kinesis_local.journal())
    assert len(arrived) == 1000
    for key, numbers in arrived.items():
        assert numbers == sorted(set(numbers)), key
        assert set(range(100, n)) <= set(numbers), key
    totals = agent.totals()
    count = sum(map(len, arrived.values()))
    assert totals["delivered"] == count and totals["lost"] == n * 1000 - count > 0, (totals, count)
    assert totals["lost"] < 500, totals
