# SPDX-License-Identifier: Apache-2.0
"""Bad requests and lines: an exact refusal for each, nothing kept, and the agent lives."""

import socket

import pytest

from agent import Agent
from clients import Poster, exchange, parse_answers, send_lines
from kinesis_local import KinesisLocal
from ordering import base64_data

EVENTS = "POST /v1/streams/events/events"
JSON = "Content-Type: application/json"
LINES = "Content-Type: application/x-ndjson"
DEEP = b"[" * 513 + b"]" * 513

# What is asked, further header fields, the body, and the answer's status and error.
REQUESTS = [
    # Bodies that are not what they say.
    (EVENTS, [JSON], b'{"a":', 400, "malformed_json"),
    (EVENTS, [JSON], b"{'a':1}", 400, "malformed_json"),
    (EVENTS, [JSON], b'{"a":1}x', 400, "malformed_json"),
    (EVENTS, [JSON], b'\xef\xbb\xbf{"a":1}', 400, "malformed_json"),
    (EVENTS, [JSON], b'"\xff"', 400, "malformed_json"),
    (EVENTS, [JSON], b'"\x00"', 400, "malformed_json"),
    (EVENTS, [JSON], b"01", 400, "malformed_json"),
    (EVENTS, [JSON], b"NaN", 400, "malformed_json"),
    (EVENTS, [JSON], DEEP, 400, "malformed_json"),
    (EVENTS, [JSON], b" ", 400, "malformed_json"),
    (EVENTS, [JSON], b"", 400, "empty_body"),
    (EVENTS, [], b"", 400, "empty_body"),
    (EVENTS, [LINES], b'{"a":1}\n{"b":}\n{"c":3}', 400, "malformed_json"),
    (EVENTS, [LINES], b"\n \r\n\n", 400, "empty_body"),
    (EVENTS, ["Content-Type: application/json; charset=latin1"], b"1", 415, "charset"),
    (EVENTS, [JSON, "Content-Encoding: gzip"], b"1", 415, "content_encoding"),
    # Keys.
    (EVENTS + "?partition_key=" + "k" * 257, [], b"x", 400, "key_too_long"),
    (EVENTS, ["X-Partition-Key: " + "k" * 257], b"x", 400, "key_too_long"),
    (EVENTS, ["X-Partition-Key: \xff"], b"x", 400, "malformed_key"),
    (EVENTS + "?explicit_hash_key=340282366920938463463374607431768211456", [], b"x", 400, "invalid_hash_key"),
    (EVENTS + "?explicit_hash_key=-1", [], b"x", 400, "invalid_hash_key"),
    (EVENTS + "?explicit_hash_key=007", [], b"x", 400, "invalid_hash_key"),
    (EVENTS + "?partition_key=%zz", [], b"x", 400, "malformed_query"),
    (EVENTS + "?partition_key=%ff", [], b"x", 400, "malformed_query"),
    (EVENTS, [JSON], b'{"user":["a"]}', 400, "malformed_key"),
    (EVENTS, [JSON], b'{"user":{}}', 400, "malformed_key"),
    (EVENTS, [LINES], b'{"user":"a"}\n{"user":{}}', 400, "malformed_key"),
    # Paths and methods.
    ("GET /v1/streams/events/events", [], b"", 405, "method_not_allowed"),
    ("DELETE /events", [], b"", 405, "method_not_allowed"),
    ("POST /healthz", [], b"", 405, "method_not_allowed"),
    ("POST /v1/streams/other/events", [], b"x", 404, "stream_not_listed"),
    ("POST /v1/streams/events/events?region=eu-west-9", [], b"x", 404, "stream_not_listed"),
    ("POST /v1/streams/no%20name/events", [], b"x", 404, "invalid_stream_name"),
    ("POST /v1/streams//events", [], b"x", 404, "not_found"),
    ("POST /a/b/c/d/e", [], b"x", 404, "not_found"),
    ("GET /", [], b"", 404, "not_found"),
    ("PUT /other", [JSON], b'{"Data":1,"PartitionKey":"k"}', 404, "stream_not_listed"),
    # The front doors' bodies.
    ("PUT /events", [JSON], b'{"Data":1}', 400, "missing_member"),
    ("PUT /events", [JSON], b'{"PartitionKey":"k"}', 400, "missing_member"),
    ("PUT /events", [JSON], b'{"Data":1,"PartitionKey":""}', 400, "missing_member"),
    ("PUT /events", [JSON], b'{"Data":1,"PartitionKey":[]}', 400, "malformed_key"),
    ("PUT /events", [JSON], b"[1]", 400, "malformed_request"),
    ("PUT /events", [JSON], b"{", 400, "malformed_json"),
    ("POST /kinesis/stream/events", [JSON], b'{"partition_key":"k"}', 400, "missing_member"),
    ("POST /kinesis/stream/other", [JSON], b'{"event":1}', 400, "stream_not_listed"),
    ("POST /kinesis/stream/events", [JSON], b"nonsense", 400, "malformed_json"),
    # Later features are refused, not ignored.
    (EVENTS, ["Idempotency-Key: " + "k" * 256], b"x", 400, "malformed_key"),
    (EVENTS + "?partial=true", [JSON], b"1", 501, "not_available_yet"),
    (EVENTS, ["Content-Type: application/cloudevents-batch+json"], b"[]", 501, "not_available_yet"),
    # Several events that would be stored as one.
    (EVENTS, [JSON], b'{"a":1}\n{"a":2}\n', 400, "malformed_json"),
    (EVENTS, ["Content-Type: application/json-seq"], b'\x1e{"a":1}\n', 415, "content_type"),
    (EVENTS, ["Content-Type: multipart/form-data; boundary=x"], b"--x--", 415, "content_type"),
    (EVENTS, ["Content-Type: application/x-www-form-urlencoded"], b"a=1", 415, "content_type"),
    # Browsers.
    (EVENTS, ["Origin: https://evil.example"], b"x", 403, "origin_not_allowed"),
    (EVENTS, ["Host: evil.example"], b"x", 403, "host_not_allowed"),
    (EVENTS, ["Host: 127.0.0.1.evil.example"], b"x", 403, "host_not_allowed"),
    # Framing.
    (EVENTS, ["Content-Length: 1", "Transfer-Encoding: chunked"], b"x", 400, "malformed_request"),
    (EVENTS, ["Content-Length: 1", "Content-Length: 2"], b"xx", 400, "malformed_request"),
    (EVENTS, ["Content-Length: -1"], b"x", 400, "malformed_request"),
    (EVENTS, ["Content-Length: 1x"], b"x", 400, "malformed_request"),
    (EVENTS, ["Transfer-Encoding: gzip"], b"x", 501, "transfer_encoding"),
    (EVENTS, ["Transfer-Encoding: chunked"], b"zz\r\nx\r\n0\r\n\r\n", 400, "malformed_chunk"),
    (EVENTS, ["Transfer-Encoding: chunked"], b"1\r\nxy\r\n0\r\n\r\n", 400, "malformed_chunk"),
    (EVENTS, ["Expect: miracles"], b"x", 417, "expectation_failed"),
    (EVENTS, ["Bad Name: 1"], b"x", 400, "malformed_request"),
    (EVENTS, ["X-A: 1\r\n folded"], b"x", 400, "malformed_request"),
    (EVENTS, ["X-A: a\x00b"], b"x", 400, "malformed_request"),
    (EVENTS, ["Host: a b"], b"x", 400, "malformed_request"),
    (EVENTS + " x", [], b"x", 400, "malformed_request"),
    (EVENTS + "?" + "q" * 9000, [], b"x", 414, "uri_too_long"),
    (EVENTS, ["X-A: " + "a" * 17000], b"x", 431, "header_too_large"),
    (EVENTS, [f"X-{n}: 1" for n in range(101)], b"x", 431, "header_too_large"),
    # Sizes: the event, the body.
    (EVENTS, ["Content-Length: 3000"], b"", 413, "body_too_large"),
    (EVENTS + "?partition_key=" + "k" * 200, ["Content-Length: 1900"], b"x" * 1900, 413, "event_too_large"),
    (EVENTS, [LINES], b"1\n" + b'"%s"' % (b"x" * 2100), 413, "event_too_large"),
    (EVENTS, [LINES, "Content-Length: 999999999999999999999"], b"", 413, "body_too_large"),
    (EVENTS, [LINES], b"1\n" * 700, 413, "too_many_events"),
]


def request_bytes(first, fields, body):
    names = [field.split(":")[0].lower() for field in fields]
    lines = [first + " HTTP/1.1"]
    if "host" not in names:
        lines.append("Host: localhost")
    lines += fields
    if "content-length" not in names and "transfer-encoding" not in names:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@pytest.fixture(scope="module")
def strict_agent():
    """An agent with low limits, for all requests of this file."""
    kinesis_local = KinesisLocal("--stream", "events:1")
    agent = Agent(
        kinesis_local.endpoint,
        [{"name": "events", "partition_key": "/user", "max_record_bytes": "2 KiB"}],
        listen={"max_event_bytes": "2 KiB", "max_request_bytes": "40 KiB"},
    ).start()
    agent.kinesis_local = kinesis_local
    yield agent
    agent.close()
    kinesis_local.stop()


@pytest.mark.parametrize("first, fields, body, status, error", REQUESTS)
def test_bad_requests(strict_agent, first, fields, body, status, error):
    accepted = strict_agent.totals()["accepted"]
    data = request_bytes(first, fields, body)
    (answer,) = parse_answers(exchange(("127.0.0.1", strict_agent.port), data))
    assert (answer.status, answer.json.get("error")) == (status, error), answer
    assert set(answer.json) == {"error", "message"} and answer.json["message"].endswith((".", "?")), answer
    assert strict_agent.totals()["accepted"] == accepted


@pytest.mark.parametrize("version, status", [("HTTP/2.0", 505), ("HTTP/0.9", 505), ("HTTX/1.1", 400), ("", 400)])
def test_other_protocols(strict_agent, version, status):
    data = f"{EVENTS} {version}".rstrip().encode() + b"\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
    (answer,) = parse_answers(exchange(("127.0.0.1", strict_agent.port), data))
    assert answer.status == status


def test_a_request_without_length(strict_agent):
    data = b"POST /v1/streams/events/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    (answer,) = parse_answers(exchange(("127.0.0.1", strict_agent.port), data))
    assert (answer.status, answer.json["error"]) == (411, "length_required")


def test_the_place_of_a_fault_is_named(strict_agent):
    answer = Poster(strict_agent).post("events", b'{"a":1}\n\n{"b":\x01}\n', "application/x-ndjson")
    assert answer.status == 400 and answer.json["message"].startswith("Line 3, column 6:"), answer
    answer = Poster(strict_agent).post("events", b'{\n "a": tru}', "application/json")
    assert answer.json["message"].startswith("Line 2, column 10:"), answer


def test_the_nearest_stream_and_allowed_methods_are_named(strict_agent):
    poster = Poster(strict_agent)
    assert "Did you mean 'events'?" in poster.post("event", b"x").json["message"]
    answer = poster.request("GET", "/v1/streams/events/events")
    assert answer.status == 405 and answer.headers["allow"] == "POST"


@pytest.mark.parametrize("fields", [["Host: evil.example"], ["Origin: https://evil.example"], []])
@pytest.mark.parametrize("path", ["/healthz", "/nowhere/x/y/z", "/v1/streams/events/events", "/a b"])
def test_head_never_gets_a_body(strict_agent, path, fields):
    data = request_bytes(f"HEAD {path}", fields, b"")
    received = exchange(("127.0.0.1", strict_agent.port), data)
    assert received.startswith(b"HTTP/1.1 ") and received.endswith(b"\r\n\r\n") and received.count(b"\r\n\r\n") == 1


def test_pages_of_an_allowed_origin_may_post_and_read_the_answers(kinesis_local, start_agent):
    origin = "https://shop.example"
    agent = start_agent(kinesis_local.endpoint, listen={"allowed_origins": [origin]})
    poster = Poster(agent)
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = poster.request("OPTIONS", "/v1/streams/events/events", headers=asked)
    assert answer.status == 204 and answer.headers["access-control-allow-origin"] == origin, answer.headers
    assert answer.headers["access-control-allow-headers"] == "content-type"
    assert answer.headers["access-control-allow-private-network"] == "true"
    for stream, status in (("events", 202), ("other", 404)):
        answer = poster.request("POST", f"/v1/streams/{stream}/events", b"x", {"Origin": origin})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, origin)
    answer = poster.request("OPTIONS", "/v1/streams/events/events", headers={**asked, "Origin": "https://evil.example"})
    assert answer.status == 403 and "access-control-allow-origin" not in answer.headers


def test_the_address_that_a_request_came_to_is_a_host_of_the_agent(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint)
    agent.config["listen"]["http"] = f"0.0.0.0:{agent.port}"
    agent.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        # An address of this machine that is not loopback, if it has one; nothing is sent.
        try:
            s.connect(("192.0.2.1", 9))
            address = s.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    for host, status in ((f"{address}:{agent.port}", 202), ("192.0.2.1", 403), (f"{address}.evil.example", 403)):
        data = request_bytes(EVENTS, [f"Host: {host}"], b"x")
        (answer,) = parse_answers(exchange((address, agent.port), data))
        assert answer.status == status, (host, answer)


PREFIX = b'{"stream":"events","partition_key":"k","event":'
BAD_LINES = [
    (b"{nonsense}", "malformed_json"),
    (b"{" + b"[" * 600, "malformed_json"),
    (b'{"stream":"events"}', "missing_member"),
    (b'{"event":1}', "missing_member"),
    (b'{"stream":"other","event":1}', "stream_not_listed"),
    (b'{"stream":"events","event":1,"key":"k"}', "unknown_member"),
    (b'{"stream":"events","event":1,"partition_key":{}}', "malformed_key"),
    (b'{"stream":"events","event":1,"partition_key":"%s"}' % (b"k" * 257), "key_too_long"),
    (b'{"stream":"events","event":1,"explicit_hash_key":"x"}', "invalid_hash_key"),
    (b'{"stream":7,"event":1}', "malformed_request"),
    (PREFIX + b'"%s"}' % (b"x" * 2100), "event_too_large"),
    (PREFIX + b'"%s"}' % (b"x" * 20000), "line_too_long"),
    (b"[1]", "malformed_request"),
    (b"\xff\xfe", "malformed_json"),
]


@pytest.mark.parametrize("line, error", BAD_LINES)
def test_bad_lines_are_named_and_the_rest_goes_on(strict_agent, line, error):
    accepted = strict_agent.totals()["accepted"]
    answers = send_lines(strict_agent.socket, PREFIX + b"1}\n" + line + b"\n" + PREFIX + b"3}\n")
    (refusal,) = [answer for answer in answers if "error" in answer]
    assert (refusal["line"], refusal["error"]) == (2, error), answers
    assert refusal["message"]
    assert answers[-1] == {"acked": 3}
    assert strict_agent.totals()["accepted"] == accepted + 2


def test_only_good_lines_were_kept(strict_agent):
    strict_agent.wait_empty()
    kept = [base64_data(entry) for entry in strict_agent.kinesis_local.journal()]
    assert set(kept) <= {b"1", b"3"} and strict_agent.process.poll() is None
