# SPDX-License-Identifier: Apache-2.0
"""Order per key, while Kinesis refuses records here and there."""

import random
import threading

import pytest

from clients import Poster, send_lines
from ordering import base64_data, check_order, delivered_numbers

KEYS = 200
EVENTS = 500


def post_interleaved(agent, keys, events, seed):
    """Posts every key's events in order, the keys in random turns."""
    turns = [key for key in keys for _ in range(events)]
    random.Random(seed).shuffle(turns)
    following = dict.fromkeys(keys, 0)
    poster = Poster(agent)
    for start in range(0, len(turns), 250):
        batch = []
        for key in turns[start : start + 250]:
            batch.append({"k": key, "n": following[key]})
            following[key] += 1
        answer = poster.post_lines("events", batch)
        assert answer.status == 202 and answer.json["accepted"] == len(batch), answer
    poster.close()


def test_order_survives_partial_failures_and_throttled_shards(start_kinesis_local, start_agent, seed):
    kinesis_local = start_kinesis_local("--stream", "events:4", "--seed", str(seed))
    kinesis_local.add_faults(
        {"action": "fail_record", "probability": 0.04},
        {"action": "fail_record", "probability": 0.01, "code": "InternalFailure"},
        # A shard without any room, twice for a while.
        {"action": "fail_record", "shard": "shardId-000000000001", "after_ms": 500, "for_ms": 1500},
        {"action": "fail_record", "shard": "shardId-000000000003", "after_ms": 1500, "for_ms": 2500},
    )
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    keys = [f"key-{number}" for number in range(KEYS)]
    halves = keys[: KEYS // 2], keys[KEYS // 2 :]
    threads = [threading.Thread(target=post_interleaved, args=(agent, half, EVENTS, seed)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    agent.wait_empty(within=120)

    arrived = delivered_numbers(kinesis_local.journal())
    # A refused entry was not stored, and the answer says so: there is nothing to repeat.
    check_order(arrived, {key: list(range(EVENTS)) for key in keys}, repeats_allowed=False)
    totals = agent.totals()
    assert totals["accepted"] == totals["delivered"] == KEYS * EVENTS
    stream = agent.stream()
    assert stream["delivered"] == KEYS * EVENTS and stream["queued_events"] == 0 and stream["in_flight"] == 0
    assert stream["retries"] > 0 and stream["throttled"] > 0
    # Each refused entry is an attempt that has to be made again.
    assert stream["retries"] >= sum(kinesis_local.stats()["refused_records"].values()) * 0.99


def test_order_survives_lost_answers_and_resharding(start_kinesis_local, start_agent, seed):
    kinesis_local = start_kinesis_local("--stream", "events:2", "--seed", str(seed))
    kinesis_local.add_faults(
        {"action": "reset", "stored": True, "probability": 0.05},
        {"action": "reset", "stored": False, "probability": 0.05},
        {"action": "error", "code": "InternalFailure", "stored": True, "probability": 0.03},
        {"action": "truncate", "probability": 0.03},
        {"action": "garbage", "probability": 0.03},
        {"action": "wrong_count", "entries": -1, "probability": 0.03},
        {"action": "status", "status": 502, "body": "<html>", "probability": 0.03},
        {"action": "fail_record", "probability": 0.02},
    )
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    keys = [f"key-{number}" for number in range(50)]
    post_interleaved(agent, keys, 50, seed)
    kinesis_local.reshard("events", split="shardId-000000000000")
    agent.wait_for_stream(lambda s: s["delivered"] > 1000, "delivery goes on after a split", within=120)
    kinesis_local.reshard("events", merge=["shardId-000000000002", "shardId-000000000003"])
    post_interleaved(agent, ["late"], 50, seed)
    agent.wait_for_stream(lambda s: s["delivered"] > 2300, "delivery goes on after a merge", within=120)
    # What remains are the backoffs of an endpoint that fails every fourth time.
    kinesis_local.clear_faults()
    agent.wait_empty(within=120)

    expected = {key: list(range(50)) for key in [*keys, "late"]}
    repeats = check_order(delivered_numbers(kinesis_local.journal()), expected, repeats_allowed=True)
    print(f"{repeats} repeats")
    totals = agent.totals()
    assert totals["accepted"] == totals["delivered"] == 51 * 50 and totals["dead_lettered"] == 0


def test_a_single_key_keeps_its_order_over_lines(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 20})
    agent = start_agent(kinesis_local.endpoint)
    line = '{"stream":"events","partition_key":"one","event":{"k":"one","n":%d}}\n'
    answers = send_lines(agent.socket, "".join(line % n for n in range(300)).encode())
    assert answers[-1] == {"acked": 300}
    agent.wait_for_stream(lambda s: s["limited_by"] == "key_order", "status says that order limits the rate")
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), {"one": list(range(300))}, repeats_allowed=False)


@pytest.mark.parametrize("keys", [[""], [f"key-{n}" for n in range(10)]])
def test_events_in_no_order_all_arrive(kinesis_local, start_agent, keys):
    kinesis_local.add_faults({"action": "fail_record", "probability": 0.1, "seed": 1})
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "ordering": "none"}])
    poster = Poster(agent)
    for number in range(20):
        body = b"".join(b"%d\n" % (number * 50 + n) for n in range(50))
        key = keys[number % len(keys)]
        assert poster.post("events", body, "application/x-ndjson", key=key).status == 202
    agent.wait_empty(within=120)
    arrived = [int(base64_data(entry)) for entry in kinesis_local.journal()]
    assert sorted(arrived) == list(range(1000))
