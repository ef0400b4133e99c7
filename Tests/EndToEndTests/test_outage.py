# SPDX-License-Identifier: Apache-2.0
"""Kinesis is away: events are still taken, status says why they wait, and delivery resumes by itself."""

import json
import time

import pytest

from clients import Poster
from ordering import check_order, delivered_numbers
from waiting import wait_until

# A probe waits at most the backoff's cap; the rest is for a slow machine.
RESUMES_WITHIN = 20 + 15


def test_events_wait_for_a_kinesis_that_stops_and_comes_back(start_kinesis_local, start_agent):
    first = start_kinesis_local("--stream", "events:2")
    agent = start_agent(first.endpoint, [{"name": "events", "partition_key": "/k"}])
    poster = Poster(agent)

    def post(numbers):
        for n in numbers:
            answer = poster.post_lines("events", [{"k": f"key-{k}", "n": n} for k in range(10)])
            assert answer.status == 202, answer

    post(range(10))
    agent.wait_empty()
    before = delivered_numbers(first.journal())
    first.process.kill()
    first.process.wait(timeout=10)

    post(range(10, 40))
    status = agent.wait_for_stream(lambda s: s["state"] == "backing_off", "status says that it waits")
    error = status["last_error"]
    assert error["code"] == "unreachable" and error["remedy"] and error["at"].endswith("Z"), error
    assert str(first.port) in error["message"] or "refused" in error["message"].lower(), error
    post(range(40, 60))
    # A PUT does not wait for a stream that is known to be sick.
    asked = time.monotonic()
    answer = poster.request("PUT", "/events", json.dumps({"Data": {"k": "put", "n": 0}, "PartitionKey": "put"}))
    assert answer.status == 202 and answer.json["Status"] == "queued" and answer.json["Id"] > 0, answer
    assert time.monotonic() - asked < 4
    assert agent.stream()["queued_events"] == 501

    second = start_kinesis_local("--stream", "events:2", port=first.port)
    agent.wait_for_stream(lambda s: s["queued_events"] < 501, "delivery resumes", within=RESUMES_WITHIN)
    agent.wait_empty(within=60)
    assert agent.stream()["state"] == "ok"
    after = delivered_numbers(second.journal())
    arrived = {key: before.get(key, []) + numbers for key, numbers in after.items()}
    check_order(arrived, {f"key-{k}": list(range(60)) for k in range(10)} | {"put": [0]}, repeats_allowed=False)
    log = agent.log()
    assert "delivery fault" in log and "delivery resumed" in log


@pytest.mark.parametrize(
    "fault, code",
    [
        ({"action": "reset_unread", "operation": "*"}, "no_answer"),
        ({"action": "error", "code": "InternalFailure"}, "InternalFailure"),
        ({"action": "status", "status": 503, "body": "<html>busy</html>"}, "http_503"),
        ({"action": "garbage"}, "unintelligible_answer"),
    ],
)
def test_status_names_the_fault_while_it_lasts(kinesis_local, start_agent, fault, code):
    kinesis_local.add_faults(fault)
    agent = start_agent(kinesis_local.endpoint)
    assert Poster(agent).post("events", b"event").status == 202
    status = agent.wait_for_stream(lambda s: s["last_error"] and s["state"] == "backing_off", "is backing off")
    assert status["last_error"]["code"] == code, status
    assert status["queued_events"] == 1
    kinesis_local.clear_faults()
    agent.wait_empty(within=RESUMES_WITHIN)
    wait_until(lambda: agent.stream()["state"] == "ok", "all is well")


def test_a_restart_during_an_outage_loses_nothing(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    kinesis_local.outage(4000)
    poster = Poster(agent)
    for n in range(20):
        assert poster.post_lines("events", [{"k": "k", "n": n}]).status == 202
    agent.restart()
    assert agent.stream()["queued_events"] > 0 or agent.totals()["delivered"] == 20
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), {"k": list(range(20))}, repeats_allowed=True)
