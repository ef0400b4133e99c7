# SPDX-License-Identifier: Apache-2.0
"""Events in every request shape arrive byte for byte, at two servers that share no code."""

import itertools
import json

import pytest

from clients import curl, send_lines
from kinesis_local import read_stream

JSON = ("-H", "Content-Type: application/json")
LINES = ("-H", "Content-Type: application/x-ndjson")
BYTES = ("-H", "Content-Type: application/octet-stream")

# White space, member order, escapes and numbers that any re-encoding would change.
ODD_JSON = b' {"b" : 1.0e+2,\t"a":"\\u00e9 \xc3\xa9 \\/", "n":12345678901234567890.10,\n"a":null} '
ALL_BYTES = bytes(range(256))

names = (f"shapes-{number}" for number in itertools.count())


class Case:
    """A stream on a server, and an agent that delivers to it."""

    def __init__(self, server, stream, agent):
        self.server = server
        self.stream = stream
        self.agent = agent
        self.url = f"http://127.0.0.1:{agent.port}"
        self.events_url = f"{self.url}/v1/streams/{stream}/events"

    def records(self):
        """Everything delivered, with shards, once the queue is empty."""
        self.agent.wait_empty()
        shards = read_stream(self.server.client(), self.stream)
        return [{**record, "ShardId": shard} for shard, records in shards.items() for record in records]

    def only_record(self):
        (record,) = self.records()
        return record


@pytest.fixture(params=["kinesis-local", "moto"])
def case(request, start_agent):
    stream = next(names)
    if request.param == "moto":
        server = request.getfixturevalue("moto")
        server.create(stream, 2)
    else:
        server = request.getfixturevalue("start_kinesis_local")("--stream", f"{stream}:2")
    return Case(server, stream, start_agent(server.endpoint, [{"name": stream, "partition_key": "/user/id"}]))


def accepted(answer, count=1, status=202):
    assert answer.status == status, answer
    reply = answer.json
    assert reply["accepted"] == count and reply["last_id"] == reply["first_id"] + count - 1
    assert set(reply) == {"accepted", "first_id", "last_id"}
    return reply["first_id"]


def test_one_json_event(case):
    accepted(curl(case.events_url, *JSON, data=ODD_JSON))
    assert case.only_record()["Data"] == ODD_JSON


def test_an_event_of_a_json_type(case):
    accepted(curl(case.events_url, "-H", "Content-Type: application/cloudevents+json; charset=UTF-8", data=b"[1, 2]"))
    assert case.only_record()["Data"] == b"[1, 2]"


def test_one_event_a_line(case):
    lines = [b'{"user":{"id":"ann"},"n": 1}', b'{"user":{"id":"ann"},"n":2.0}', b' "text" ', b"null"]
    body = lines[0] + b"\r\n\n" + lines[1] + b"\n  \n" + lines[2] + b"\n" + lines[3]
    first = accepted(curl(case.events_url, *LINES, data=body), 4)
    assert accepted(curl(case.events_url, *LINES, data=b"{}\n")) == first + 4
    records = case.records()
    assert sorted(r["Data"] for r in records) == sorted([*lines, b"{}"])
    assert [r["Data"] for r in records if r["PartitionKey"] == "ann"] == lines[:2]


@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/plain", "image/png", ""])
def test_any_bytes(case, content_type):
    accepted(curl(case.events_url, "-H", f"Content-Type: {content_type}", data=ALL_BYTES))
    assert case.only_record()["Data"] == ALL_BYTES


def test_chunked_bodies(case):
    data = ALL_BYTES * 1024
    accepted(curl(case.events_url, *BYTES, "-H", "Transfer-Encoding: chunked", data=data))
    assert case.only_record()["Data"] == data


@pytest.mark.parametrize("name", ["application/ndjson", "application/jsonlines", "text/jsonl", "application/stream+json"])
def test_one_event_a_line_by_its_other_names(case, name):
    accepted(curl(case.events_url, "-H", f"Content-Type: {name}", data=b'{"n":1}\n{"n":2}\n'), 2)
    assert sorted(r["Data"] for r in case.records()) == [b'{"n":1}', b'{"n":2}']


def test_what_curl_sends_by_default_is_an_event_where_it_is_json(case):
    # Its type is that of a form.
    accepted(curl(case.events_url, data=b'{"user":{"id":"ann"}}'))
    answer = curl(case.events_url, data=b"user=ann&n=1")
    assert answer.status == 415 and "Content-Type: application/json" in answer.json["message"]
    record = case.only_record()
    assert (record["Data"], record["PartitionKey"]) == (b'{"user":{"id":"ann"}}', "ann")


def test_an_array_is_one_event(case):
    accepted(curl(case.events_url, *JSON, data=b'[{"n":1}, {"n":2}]'))
    assert case.only_record()["Data"] == b'[{"n":1}, {"n":2}]'


@pytest.mark.parametrize("stage", ["", "/prod"])
@pytest.mark.parametrize("text", [b'{"a": [1,  2]}', b'"just text"', b"17.50", b"null", b"true"])
def test_put_answers_with_the_place_in_the_stream(case, stage, text):
    body = b'{"Data": ' + text + b' , "PartitionKey": "ann"}'
    answer = curl(f"{case.url}{stage}/{case.stream}", "-X", "PUT", *JSON, data=body)
    assert answer.status == 200, answer
    record = case.only_record()
    assert (record["Data"], record["PartitionKey"]) == (text, "ann")
    assert answer.json == {"SequenceNumber": record["SequenceNumber"], "ShardId": record["ShardId"]}


def test_post_as_for_the_lambda_front_door(case):
    body = b'{"region":"us-east-1","event":{"x":  "y"},"partition_key":"bob"}'
    accepted(curl(f"{case.url}/kinesis/stream/{case.stream}", *JSON, data=body), status=200)
    record = case.only_record()
    assert (record["Data"], record["PartitionKey"]) == (b'{"x":  "y"}', "bob")


def test_a_record_as_for_a_proxy_in_front_of_kinesis(case):
    body = b'{"Data": {"x":  "y"}, "PartitionKey": "ann"}'
    answer = curl(f"{case.url}/streams/{case.stream}/record", "-X", "PUT", *JSON, data=body)
    assert answer.status == 200, answer
    assert answer.json["ShardId"] == "buffered" and int(answer.json["SequenceNumber"]) > 0
    record = case.only_record()
    assert (record["Data"], record["PartitionKey"]) == (b'{"x":  "y"}', "ann")


def test_records_as_for_a_proxy_in_front_of_kinesis(case):
    body = (
        b'{"records": [{"data": "caf\\u00e9 \\"x\\"", "partition-key": "ann"},'
        b' {"data": {"n":  1.0}, "partition-key": "bob"}]}'
    )
    answer = curl(f"{case.url}/streams/{case.stream}/records", "-X", "PUT", *JSON, data=body)
    assert answer.status == 200, answer
    assert answer.json["FailedRecordCount"] == 0
    numbers = [int(entry["SequenceNumber"]) for entry in answer.json["Records"]]
    assert numbers == [numbers[0], numbers[0] + 1]
    records = {record["PartitionKey"]: record["Data"] for record in case.records()}
    assert records == {"ann": 'caf\u00e9 "x"'.encode(), "bob": b'{"n":  1.0}'}


def test_a_proxied_record_is_refused_as_the_service_does(case):
    answer = curl(f"{case.url}/streams/{case.stream}/records", "-X", "PUT", *JSON, data=b'{"records":[{"data":1}]}')
    assert (answer.status, answer.json["__type"]) == (400, "ValidationException"), answer


def test_lines_on_the_unix_socket(case):
    prefix = b'{"stream":"%s","partition_key":"cid","event":' % case.stream.encode()
    lines = [prefix + b'{"n": %d}}' % n for n in range(20)]
    answers = send_lines(case.agent.socket, b"\n\r\n".join(lines))
    assert answers[-1] == {"acked": 20}
    assert [r["Data"] for r in case.records()] == [b'{"n": %d}' % n for n in range(20)]


def test_http_on_the_unix_socket(case):
    url = f"http://any.host/v1/streams/{case.stream}/events?partition_key=dan"
    accepted(curl(url, *BYTES, data=ALL_BYTES, unix_socket=case.agent.socket))
    record = case.only_record()
    assert (record["Data"], record["PartitionKey"]) == (ALL_BYTES, "dan")


def test_an_event_of_the_largest_size(case):
    # Data plus key: 1 MiB.
    data = b"x" * ((1 << 20) - 3)
    accepted(curl(case.events_url + "?partition_key=ann", *BYTES, data=data))
    assert case.only_record()["Data"] == data


@pytest.mark.parametrize(
    "key, arguments",
    [
        ("a b+c/é", ("?partition_key=a%20b%2Bc%2F%C3%A9",)),
        ("a b", ("?partition_key=a+b",)),
        ("ünï", ("", "-H", "X-Partition-Key: ünï")),
        ("query", ("?partition_key=query", "-H", "X-Partition-Key: header")),
        ("header", ("?partition_key=", "-H", "X-Partition-Key: header")),
        ("in the event", ("",)),
        ("k" * 256, ("?partition_key=" + "k" * 256,)),
        ("😀" * 256, ("?partition_key=" + "%F0%9F%98%80" * 256,)),
    ],
)
def test_partition_keys(case, key, arguments):
    query, *arguments = arguments
    body = json.dumps({"user": {"id": "in the event"}}).encode()
    accepted(curl(case.events_url + query, *JSON, *arguments, data=body))
    assert case.only_record()["PartitionKey"] == key


@pytest.mark.parametrize("value, key", [("17", "17"), ("true", "true"), ("1.50", "1.50"), ('"\\u0061"', "a")])
def test_partition_keys_in_the_event_that_are_no_plain_text(case, value, key):
    accepted(curl(case.events_url, *JSON, data=b'{"user":{"id": %s }}' % value.encode()))
    assert case.only_record()["PartitionKey"] == key


def test_the_key_of_the_body_comes_before_that_of_the_event(case):
    body = b'{"partition_key":"body","event":{"user":{"id":"event"}}}'
    accepted(curl(f"{case.url}/kinesis/stream/{case.stream}", *JSON, data=body), status=200)
    assert case.only_record()["PartitionKey"] == "body"


def test_explicit_hash_keys_choose_the_shard(case):
    # The last key of each range is one too many for moto.
    first, last = "0", str(2**128 - 2)
    ends = {first: "shardId-000000000000", last: "shardId-000000000001"}
    for number in range(4):
        for hash_key in ends:
            query = f"?partition_key=same&explicit_hash_key={hash_key}"
            accepted(curl(case.events_url + query, *BYTES, data=f"{hash_key} {number}".encode()))
    body = b'{"Data":"put","PartitionKey":"same","ExplicitHashKey":"0"}'
    answer = curl(f"{case.url}/{case.stream}", "-X", "PUT", *JSON, data=body)
    assert answer.json["ShardId"] == ends[first]
    accepted(curl(case.events_url, *BYTES, "-H", f"X-Explicit-Hash-Key: {last}", data=b"without a key"))
    for hash_key, shard in ends.items():
        seen = [r["Data"].decode() for r in case.records() if r["ShardId"] == shard]
        assert [d for d in seen if d[-1].isdigit()] == [f"{hash_key} {number}" for number in range(4)]
    (keyless,) = [r for r in case.records() if r["Data"] == b"without a key"]
    assert keyless["ShardId"] == ends[last] and keyless["PartitionKey"]


def test_events_without_a_key_are_spread(case):
    for number in range(10):
        accepted(curl(case.events_url, *LINES, data=b'{"n":%d}\n' % number * 20), 20)
    records = case.records()
    assert len(records) == 200 and len({r["ShardId"] for r in records}) == 2
