# SPDX-License-Identifier: Apache-2.0
"""PUT waits for Kinesis: what it answers when that takes long, fails, or never comes."""

import threading
import time

import pytest

from clients import Poster
from waiting import wait_until

POISON = {"id": "poison", "action": "error", "code": "InvalidArgumentException", "data_contains": "poison"}


def put(agent, data, key="k"):
    body = b'{"Data":"%s","PartitionKey":"%s"}' % (data, key.encode())
    return Poster(agent, timeout=60).request("PUT", "/events", body)


def test_it_is_answered_202_when_kinesis_takes_longer_than_put_wait(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 4000})
    agent = start_agent(kinesis_local.endpoint, listen={"put_wait": "300ms"})
    answer = put(agent, b"late")
    assert answer.status == 202 and answer.json == {"Id": answer.json["Id"], "Status": "queued"}, answer
    assert agent.status()["queue"]["events"] == 1
    agent.wait_empty()
    assert len(kinesis_local.journal()) == 1


def test_it_does_not_wait_with_a_put_wait_of_nothing(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 1000})
    agent = start_agent(kinesis_local.endpoint, listen={"put_wait": "0s"})
    assert put(agent, b"event").status == 202
    agent.wait_empty()


def test_it_does_not_wait_for_a_paused_stream(agent):
    assert agent.ctl("pause", "events").returncode == 0
    began = time.monotonic()
    assert put(agent, b"event").json["Status"] == "queued"
    assert time.monotonic() - began < 4


def test_it_is_answered_422_when_the_event_is_dead_lettered_meanwhile(kinesis_local, start_agent):
    kinesis_local.add_faults(POISON)
    agent = start_agent(kinesis_local.endpoint, listen={"put_wait": "50s"})
    assert put(agent, b"fine").status == 200
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(put(agent, b"poison", key="poison")))
    waiting.start()
    poster = Poster(agent)

    def others_go_on():
        # That others are accepted proves that the event is at fault, not the stream.
        assert poster.post("events", b"healthy").status == 202
        return answers

    (answer,) = wait_until(others_go_on, "the PUT is answered", within=60, every=0.1)
    waiting.join()
    # If the stream was already known to be sick when the event was committed, nobody waited.
    assert answer.status in (202, 422), answer
    if answer.status == 422:
        assert answer.json["Id"] > 0 and answer.json["error"] == "InvalidArgumentException", answer
    wait_until(lambda: agent.status()["queue"]["dead_letters"] == 1, "it is dead-lettered", within=60)
    agent.wait_empty()


def test_many_that_wait_are_answered_each_with_its_own_place(agent, kinesis_local):
    answers = {}

    def run(name):
        for n in range(20):
            data = f"{name}-{n}"
            answers[data] = put(agent, data.encode(), key=name).json

    threads = [threading.Thread(target=run, args=(f"client-{number}",)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = {entry["sequence_number"]: entry for entry in kinesis_local.journal(data="none")}
    assert len(answers) == len(stored) == 200
    for data, place in answers.items():
        entry = stored[place["SequenceNumber"]]
        assert (entry["shard"], entry["partition_key"]) == (place["ShardId"], data.rsplit("-", 1)[0])


def test_without_tcp_the_unix_socket_is_enough(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint, listen={"http": ""})
    answer = Poster(agent, unix=True).request("PUT", "/events", b'{"Data":1,"PartitionKey":"k"}')
    assert answer.status == 200
    with pytest.raises(ConnectionRefusedError):
        Poster(agent).post("events", b"x")


@pytest.mark.parametrize("count", [1, 200])
def test_a_native_request_may_wait_for_kinesis(agent, kinesis_local, count):
    poster = Poster(agent)
    body = b"".join(b"%d\n" % number for number in range(count))
    headers = {"Content-Type": "application/x-ndjson", "X-Partition-Key": "k", "Prefer": "wait=20"}
    answer = poster.request("POST", "/v1/streams/events/events", body, headers)
    assert answer.status == 200, answer
    assert answer.headers["preference-applied"] == "wait=20"
    records = answer.json["records"]
    assert len(records) == count and all(record["shard_id"].startswith("shardId-") for record in records)
    # Kinesis has them under these numbers: several events of a key may be one record.
    stored = [record["sequence_number"] for record in kinesis_local.journal("events")]
    assert {record["sequence_number"] for record in records} <= set(stored)


def test_a_wait_that_is_over_says_that_the_event_is_queued(agent, kinesis_local):
    kinesis_local.add_faults({"action": "hang", "for_ms": 4000})
    headers = {"Content-Type": "application/json", "Prefer": "wait=1"}
    answer = Poster(agent).request("POST", "/v1/streams/events/events", b"1", headers)
    assert (answer.status, answer.json["records"]) == (202, [{"status": "queued"}])
    assert Poster(agent).request("POST", "/v1/streams/events/events", b"1", {"Prefer": "wait=0"}).status in (202, 415)
    kinesis_local.clear_faults()
    agent.wait_empty()
