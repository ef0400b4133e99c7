# SPDX-License-Identifier: Apache-2.0
"""Requests that come again because their sender did not hear the answer: kept once, and answered as before."""

import http.client
import random
import threading

import pytest

from clients import Poster
from http2 import HTTP2Client
from kinesis_local import by_partition_key, read_stream
from test_kinesis_api import sdk

EVENTS = "/v1/streams/events/events"


def delivered(agent, kinesis_local):
    agent.wait_empty()
    return by_partition_key(read_stream(kinesis_local.client(), "events"))


def keyed(key, **others):
    return {"Idempotency-Key": key, "Content-Type": "application/octet-stream", "X-Partition-Key": "k", **others}


@pytest.mark.parametrize("unix", [False, True])
def test_a_request_with_a_key_is_kept_once(agent, kinesis_local, unix):
    poster = Poster(agent, unix=unix)
    first = poster.request("POST", EVENTS, b"one", keyed("a"))
    assert first.status == 202
    for key in ("a", '"a"'):
        again = poster.request("POST", EVENTS, b"one", keyed(key))
        assert (again.status, again.body) == (first.status, first.body)
    assert poster.request("POST", EVENTS, b"two", keyed("b")).json["first_id"] == 2
    assert agent.totals()["accepted"] == 2
    assert delivered(agent, kinesis_local) == {"k": [b"one", b"two"]}
    # Delivered events are known still.
    assert poster.request("POST", EVENTS, b"one", keyed("a")).body == first.body
    assert agent.totals()["accepted"] == 2


@pytest.mark.parametrize(
    "path, body, headers",
    [
        (EVENTS, b"other", {}),
        (EVENTS, b"one", {"X-Partition-Key": "l"}),
        (EVENTS + "?partition_key=l", b"one", {}),
        (EVENTS, b"1", {"Content-Type": "application/json"}),
    ],
)
def test_another_request_with_the_same_key_is_refused(agent, path, body, headers):
    poster = Poster(agent)
    assert poster.request("POST", EVENTS, b"one", keyed("a")).status == 202
    answer = poster.request("POST", path, body, keyed("a", **headers))
    assert (answer.status, answer.json["error"]) == (422, "idempotency_key_reused")
    totals = agent.totals()
    assert (totals["accepted"], totals["refused"]) == (1, 1)


def test_batches_and_the_other_shapes_have_keys_too(agent):
    poster = Poster(agent)
    requests = [
        ("POST", EVENTS, b"1\n2\n3\n", {"Content-Type": "application/x-ndjson"}),
        ("PUT", "/events", b'{"Data":1,"PartitionKey":"k"}', {"Content-Type": "application/json"}),
        ("POST", "/kinesis/stream/events", b'{"event":1}', {"Content-Type": "application/json"}),
        (
            "PUT",
            "/streams/events/records",
            b'{"records":[{"data":"x","partition-key":"k"}]}',
            {"Content-Type": "application/json"},
        ),
    ]
    for number, (method, path, body, headers) in enumerate(requests):
        headers = {"Idempotency-Key": f"key {number}", **headers}
        first = poster.request(method, path, body, headers)
        assert first.status in (200, 202), first
        before = agent.totals()["accepted"]
        again = poster.request(method, path, body, headers)
        assert again.status in (200, 202), again
        assert agent.totals()["accepted"] == before


def test_keys_survive_a_kill(agent):
    poster = Poster(agent)
    first = poster.request("POST", EVENTS, b"one", keyed("a"))
    agent.kill()
    agent.start()
    assert Poster(agent).request("POST", EVENTS, b"one", keyed("a")).body == first.body
    assert agent.totals()["accepted"] == 1


def test_senders_that_retry_over_kills_repeat_nothing(start_agent, kinesis_local, seed):
    """Each posts with a key until it hears an answer, while the agent is killed again and again."""
    agent = start_agent(kinesis_local.endpoint)
    random.seed(seed)
    is_over = threading.Event()
    faults = []

    def send(name):
        number = 0
        while not is_over.is_set() or number < 50:
            body = b"%d" % number
            while True:
                try:
                    poster = Poster(agent, timeout=10)
                    answer = poster.request("POST", EVENTS, body, keyed(f"{name}-{number}", **{"X-Partition-Key": name}))
                    if answer.status == 202:
                        break
                    if answer.status not in (500, 503):
                        faults.append(answer)
                        return
                except (OSError, http.client.HTTPException):
                    continue
            number += 1
        counts[name] = number

    counts = {}
    senders = [threading.Thread(target=send, args=(f"s{number}",)) for number in range(8)]
    for sender in senders:
        sender.start()
    for _ in range(8):
        is_over.wait(random.uniform(0.1, 0.5))
        agent.kill()
        agent.start()
    is_over.set()
    for sender in senders:
        sender.join(60)
    assert not faults and len(counts) == 8
    # What the queue took, not what Kinesis got: a record that was under way at a kill may be there twice.
    assert agent.totals()["accepted"] == sum(counts.values())


def test_an_sdks_attempts_are_one_call(agent, kinesis_local):
    """An answer is lost on its way; the SDK's next attempt has the same id, and joins what is queued."""
    client = sdk(agent)
    captured = []
    client.meta.events.register("before-send.kinesis", lambda request, **_: captured.append(request))
    answer = client.put_records(
        StreamName="events", Records=[{"Data": b"%d" % number, "PartitionKey": "k"} for number in range(3)]
    )
    (request,) = captured
    fields = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    assert "amz-sdk-invocation-id" in {name.lower() for name in fields}
    again = Poster(agent).request("POST", "/", request.body, fields)
    assert again.status == 200
    assert [record["SequenceNumber"] for record in again.json["Records"]] == [
        record["SequenceNumber"] for record in answer["Records"]
    ]
    # Another body under the same id is another call: nothing is taken for a repeat that is none.
    other = Poster(agent).request("POST", "/", request.body.replace(b"MA==", b"OQ=="), fields)
    assert other.status == 200 and other.json["Records"] != again.json["Records"]
    assert delivered(agent, kinesis_local) == {"k": [b"0", b"1", b"2", b"9", b"1", b"2"]}


def test_a_call_that_waits_for_kinesis_is_joined(start_agent, start_kinesis_local):
    """`deliver`: Kinesis is slower than the first attempt waits; the second hears of the same record."""
    server = start_kinesis_local("--stream", "events:1")
    server.add_faults({"action": "delay", "delay_ms": 1500, "count": 1})
    agent = start_agent(server.endpoint, listen={"kinesis_api": "deliver", "put_wait": "1s"})
    body = b'{"StreamName":"events","Data":"MQ==","PartitionKey":"k"}'
    headers = {
        "X-Amz-Target": "Kinesis_20131202.PutRecord",
        "Content-Type": "application/x-amz-json-1.1",
        "amz-sdk-invocation-id": "6a7c1bfe-0000-4000-8000-000000000001",
    }
    first = Poster(agent).request("POST", "/", body, headers)
    assert first.status >= 500, first
    again = Poster(agent).request("POST", "/", body, headers)
    assert again.status == 200 and again.json["ShardId"].startswith("shardId-"), again
    # Kinesis has it by now, and its number is not kept: the event's own id stands for it.
    last = Poster(agent).request("POST", "/", body, headers)
    assert last.status == 200 and last.json == {"SequenceNumber": "1", "ShardId": "buffered"}, last
    agent.wait_empty()
    assert by_partition_key(read_stream(server.client(), "events")) == {"k": [b"1"]}
    assert agent.totals()["accepted"] == 1


def test_keys_work_over_http_2(agent):
    with HTTP2Client(("127.0.0.1", agent.port)) as client:
        headers = [("idempotency-key", "a"), ("content-type", "text/plain")]
        answers = [client.request("POST", EVENTS, b"one", headers) for _ in range(3)]
    assert [answer.json["first_id"] for answer in answers] == [1, 1, 1]
    assert agent.totals()["accepted"] == 1
