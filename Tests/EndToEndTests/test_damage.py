# SPDX-License-Identifier: Apache-2.0
"""A queue file that is deleted, replaced or damaged: nothing is acknowledged in vain, and service goes on."""

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


@pytest.mark.parametrize("content", [b"", b"\x00" * 8192, b"SQLite format 3\x00" + b"\xff" * 8000, b"text\n" * 3000])
def test_a_file_that_is_no_queue_does_not_keep_it_from_serving(kinesis_local, make_agent, content):
    agent = make_agent(kinesis_local.endpoint)
    agent.database.write_bytes(content)
    agent.start()
    assert Poster(agent).post("events", b"x").status == 202
    agent.wait_empty()
    if content:
        kept = [path for path in agent.folder.iterdir() if path.is_file() and path.read_bytes() == content]
        assert kept, "the file that was there is kept"


def test_a_database_of_another_program_is_moved_aside_as_it_is(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    with sqlite3.connect(agent.database) as other:
        other.execute("CREATE TABLE precious (value)")
        other.execute("INSERT INTO precious VALUES (1)")
    other.close()
    before = agent.database.read_bytes()
    agent.start()
    assert Poster(agent).post("events", b"x").status == 202
    agent.wait_empty()
    [aside] = agent.folder.glob("queue.db.damaged-*")
    assert aside.read_bytes() == before
    found = problem(agent, "queue_damaged")
    assert str(aside) in found["message"] and "another application" in found["message"] and found["remedy"], found


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
