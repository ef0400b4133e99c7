# SPDX-License-Identifier: Apache-2.0
"""A queue file that is deleted, replaced or damaged: nothing is acknowledged in vain, and service goes on."""

import random
import sqlite3

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


def test_a_file_of_another_program_is_not_touched(make_agent):
    agent = make_agent("http://127.0.0.1:1")
    with sqlite3.connect(agent.database) as other:
        other.execute("CREATE TABLE precious (value)")
        other.execute("INSERT INTO precious VALUES (1)")
    other.close()
    before = agent.database.read_bytes()
    agent.start(wait=False)
    assert agent.process.wait(timeout=20) == 1, agent.log()
    assert str(agent.database) in agent.log()
    assert agent.database.read_bytes() == before
