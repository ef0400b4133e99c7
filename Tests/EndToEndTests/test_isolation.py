# SPDX-License-Identifier: Apache-2.0
"""Sick streams hold back their own events only, and status says what ails each."""

import socket

import pytest

from clients import Poster
from ordering import check_order, delivered_numbers
from waiting import free_port, wait_until

HANGING = 12
WORKERS = 8


@pytest.fixture
def hanging_endpoints():
    """Endpoints that take connections and never answer, more of them than there are workers."""
    sockets = []
    for _ in range(HANGING):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(128)
        sockets.append(s)
    yield [f"http://127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()


def post_numbers(agent, stream, keys, count):
    poster = Poster(agent)
    for start in range(0, count, 100):
        events = [{"k": f"{stream}-{k}", "n": n} for n in range(start, min(start + 100, count)) for k in range(keys)]
        answer = poster.post_lines(stream, events)
        assert answer.status == 202, answer
    poster.close()
    return {f"{stream}-{k}": list(range(count)) for k in range(keys)}


@pytest.mark.timeout(600)
def test_healthy_streams_go_on_beside_all_kinds_of_sick_ones(start_kinesis_local, start_agent, hanging_endpoints):
    healthy = ["healthy-1", "healthy-2", "healthy-3"]
    known = [*healthy, "throttled", "denied"]
    kinesis_local = start_kinesis_local(*(argument for name in known for argument in ("--stream", f"{name}:2")))
    kinesis_local.add_faults(
        {"id": "throttled", "action": "fail_record", "stream": "throttled"},
        {"id": "denied", "action": "error", "stream": "denied", "code": "AccessDeniedException", "message": "No."},
    )
    hanging = {f"hanging-{n}": endpoint for n, endpoint in enumerate(hanging_endpoints)}
    refused = f"http://127.0.0.1:{free_port()}"
    sick = ["throttled", "missing", "denied", "refused", *hanging]
    agent = start_agent(
        kinesis_local.endpoint,
        [
            *({"name": name, "partition_key": "/k"} for name in [*healthy, "throttled", "missing", "denied"]),
            {"name": "refused", "partition_key": "/k", "endpoint": refused},
            *({"name": n, "partition_key": "/k", "endpoint": e} for n, e in hanging.items()),
        ],
        delivery={"workers": WORKERS, "request_timeout": "5s"},
    )
    waiting = {name: post_numbers(agent, name, keys=10, count=20) for name in sick}
    expected = {}
    for name in healthy:
        expected |= post_numbers(agent, name, keys=20, count=100)

    def healthy_are_done():
        streams = {s["name"]: s for s in agent.status()["streams"]}
        return all(streams[name]["queued_events"] == 0 for name in healthy)

    wait_until(healthy_are_done, "the healthy streams are delivered", within=60, every=0.1)
    check_order(delivered_numbers(kinesis_local.journal()), expected, repeats_allowed=False)
    for name in sick:
        assert agent.stream(name)["queued_events"] == 200, name
    for name in healthy:
        assert agent.stream(name)["state"] == "ok" and agent.stream(name)["last_error"] is None

    # Each says what is wrong with it, and what to do.
    def sick_with(state, code):
        return lambda s: s["state"] == state and s["last_error"] and s["last_error"]["code"] == code

    throttled = agent.wait_for_stream(lambda s: s["limited_by"] == "throttling", "is throttled", "throttled")
    assert throttled["throttled"] > 0
    missing = agent.wait_for_stream(sick_with("parked", "ResourceNotFoundException"), "is parked", "missing")
    assert "missing" in missing["last_error"]["message"] and "Create the stream" in missing["last_error"]["remedy"]
    denied = agent.wait_for_stream(sick_with("parked", "AccessDeniedException"), "is parked", "denied")
    assert "kinesis:PutRecords" in denied["last_error"]["remedy"]
    agent.wait_for_stream(sick_with("backing_off", "unreachable"), "is backing off", "refused")
    for name in hanging:
        status = agent.wait_for_stream(sick_with("backing_off", "no_answer"), "is backing off", name, within=90)
        assert status["last_error"]["remedy"]

    # They recover by themselves once they can.
    kinesis_local.clear_faults()
    kinesis_local.client().create_stream(StreamName="missing", ShardCount=1)
    for name in ["throttled", "denied", "missing"]:
        agent.wait_for_stream(lambda s: s["queued_events"] == 0, "is delivered", name, within=90)
        expected |= waiting[name]
    check_order(delivered_numbers(kinesis_local.journal()), expected, repeats_allowed=False)
    assert agent.stop() == 0


def test_a_hot_shard_holds_back_its_own_keys_only(start_kinesis_local, start_agent):
    kinesis_local = start_kinesis_local("--stream", "events:4")
    kinesis_local.add_faults({"id": "hot", "action": "fail_record", "shard": "shardId-000000000002"})
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    expected = post_numbers(agent, "events", keys=60, count=50)

    def others_are_done():
        done = sum(len(numbers) == 50 for numbers in delivered_numbers(kinesis_local.journal()).values())
        return done if done + agent.stream()["queued_events"] // 50 == 60 and done > 20 else 0

    done = wait_until(others_are_done, "the keys of other shards are delivered", within=60, every=0.1)
    assert done < 60
    assert agent.stream()["state"] == "ok" and agent.stream()["limited_by"] == "throttling"
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), expected, repeats_allowed=False)
