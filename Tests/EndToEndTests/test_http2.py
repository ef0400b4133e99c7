# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 without TLS, by prior knowledge: curl, Node's http2, and frames that no good client sends."""

import json
import shutil
import socket
import subprocess
import time

import pytest

from clients import Poster, exchange
from http2 import HTTP2Client
from kinesis_local import by_partition_key, read_stream
from processes import peak_mebibytes
from waiting import wait_until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EVENTS = "/v1/streams/events/events"
OPAQUE = "Content-Type: application/octet-stream"
NO_ERROR, PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 0, 1, 11


@pytest.fixture(params=["tcp", "unix"])
def address(request, agent):
    return agent.socket if request.param == "unix" else ("127.0.0.1", agent.port)


def delivered(agent, kinesis_local):
    agent.wait_empty()
    return by_partition_key(read_stream(kinesis_local.client(), "events"))


# Clients that are in use.


@pytest.mark.parametrize("unix", [False, True])
def test_curl_posts_by_prior_knowledge(agent, kinesis_local, unix):
    url = f"http://localhost:{agent.port}{EVENTS}?partition_key=k"
    command = ["curl", "-sS", "--max-time", "30", "--http2-prior-knowledge", "-w", "\n%{http_version} %{http_code}"]
    if unix:
        command += ["--unix-socket", agent.socket]
    bodies = [b"one", bytes(range(256)) * 2000]
    for body in bodies:
        done = subprocess.run([*command, "-H", OPAQUE, "--data-binary", "@-", url], input=body, capture_output=True, timeout=40)
        answer, _, said = done.stdout.decode().rpartition("\n")
        assert said == "2 202", (done.stdout, done.stderr)
        assert json.loads(answer)["accepted"] == 1
    assert delivered(agent, kinesis_local) == {"k": bodies}


NODE = """
const http2 = require('http2');
const session = http2.connect(process.argv[1]);
session.on('error', (error) => { console.error(error); process.exit(1); });
const post = (number) => new Promise((done, failed) => {
  const request = session.request({':method': 'POST', ':path': process.argv[2], 'x-partition-key': 'k' + number % 7});
  let status, text = '';
  request.on('response', (headers) => { status = headers[':status']; });
  request.on('data', (chunk) => { text += chunk; });
  request.on('end', () => done(status));
  request.on('error', failed);
  request.end(JSON.stringify({number}));
});
Promise.all(Array.from({length: 500}, (_, number) => post(number))).then((statuses) => {
  console.log(JSON.stringify([...new Set(statuses)]));
  session.close();
}, (error) => { console.error(error); process.exit(1); });
"""


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_node_posts_hundreds_of_events_at_a_time(agent, kinesis_local):
    """More than may be under way at once: the client keeps the rest to itself."""
    done = subprocess.run(
        ["node", "-e", NODE, f"http://127.0.0.1:{agent.port}", EVENTS], capture_output=True, timeout=60
    )
    assert done.stdout == b"[202]\n", (done.stdout, done.stderr)
    numbers = [json.loads(event)["number"] for events in delivered(agent, kinesis_local).values() for event in events]
    assert sorted(numbers) == list(range(500))


# The same requests, answers and limits as over HTTP/1.1.


def test_answers_are_those_of_http_1(agent, address):
    requests = [
        ("POST", EVENTS, b'{"a":1}', [("content-type", "application/json")], 202),
        ("POST", EVENTS, b"{", [("content-type", "application/json")], 400),
        ("POST", EVENTS, b"", [], 400),
        ("POST", "/v1/streams/nowhere/events", b"x", [], 404),
        ("POST", EVENTS, b"x", [("content-encoding", "br")], 415),
        ("PUT", "/events", b'{"Data":1}', [], 400),
        ("GET", "/healthz", b"", [], 200),
        ("GET", EVENTS, b"", [], 405),
        ("POST", EVENTS, b"x", [("origin", "http://example.org")], 403),
    ]
    with HTTP2Client(address) as client:
        for method, path, body, headers, status in requests:
            answer = client.request(method, path, body, headers)
            assert answer.status == status, (path, answer)
            plain = Poster(agent).request(method, path, body, dict(headers))
            assert plain.status == status
            assert set(plain.headers) - {"connection"} == set(answer.headers), path
            if status >= 400:
                assert answer.body == plain.body


def test_a_head_request_gets_the_head_alone(agent, address):
    with HTTP2Client(address) as client:
        answer = client.request("HEAD", "/healthz")
        assert answer.status == 200 and answer.body == b"" and int(answer.headers["content-length"]) > 0
        assert client.request("GET", "/healthz").status == 200


def test_a_body_comes_with_or_without_its_length_and_in_parts(agent, address, kinesis_local):
    with HTTP2Client(address) as client:
        for headers in ([], [("content-length", "9")]):
            stream = client.begin("POST", EVENTS + "?partition_key=k", headers)
            for part in (b"one", b"two", b"six"):
                client.send(stream, part, end=False)
            client.connection.end_stream(stream)
            client.flush()
            assert client.answer(stream).status == 202
    assert delivered(agent, kinesis_local) == {"k": [b"onetwosix"] * 2}


def test_trailers_are_passed_over(agent, address, kinesis_local):
    with HTTP2Client(address) as client:
        stream = client.begin("POST", EVENTS + "?partition_key=k")
        client.send(stream, b"body", end=False)
        client.connection.send_headers(stream, [("x-partition-key", "other")], end_stream=True)
        client.flush()
        assert client.answer(stream).status == 202
    assert delivered(agent, kinesis_local) == {"k": [b"body"]}


def test_continue_is_said_where_it_is_awaited(agent, address):
    with HTTP2Client(address) as client:
        stream = client.begin("POST", EVENTS, [("content-length", "4"), ("expect", "100-continue")])
        wait_until(lambda: client.receive() and stream in client.interim, "100 Continue")
        client.send(stream, b"body")
        assert client.answer(stream).status == 202
        assert client.interim[stream] == ["100"]


def test_a_refusal_does_not_wait_for_the_body(agent, address):
    with HTTP2Client(address) as client:
        stream = client.begin("POST", EVENTS, [("content-length", str(1 << 30))])
        assert client.answer(stream).status == 413
        # The connection goes on.
        assert client.request("GET", "/healthz").status == 200


def test_a_body_of_many_windows_is_taken(agent, address, kinesis_local):
    lines = [b"%d" % number + b" " * 1000 for number in range(1000)]
    with HTTP2Client(address) as client:
        headers = [("content-type", "application/x-ndjson"), ("x-partition-key", "k")]
        answer = client.request("POST", EVENTS, b"\n".join(lines), headers)
        assert (answer.status, answer.json["accepted"]) == (202, 1000)
    assert delivered(agent, kinesis_local) == {"k": lines}


def test_requests_under_way_at_once_do_not_hinder_each_other(agent, address, kinesis_local):
    with HTTP2Client(address) as client:
        streams = [client.begin("POST", f"{EVENTS}?partition_key=k{number}") for number in range(90)]
        # The last begun is the first done.
        for number, stream in reversed(list(enumerate(streams))):
            client.send(stream, b"%d" % number)
        assert [client.answer(stream).status for stream in streams] == [202] * 90
    assert delivered(agent, kinesis_local) == {f"k{number}": [b"%d" % number] for number in range(90)}


# Clients that are not good.


@pytest.mark.parametrize(
    "field",
    [
        ("x-partition-key", "a\r\nx-evil: b"),
        ("x-partition-key", "a\nb"),
        ("x-a\r\nb", "c"),
        ("x a", "b"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
    ],
)
def test_a_field_that_http_2_forbids_ends_its_stream_alone(agent, address, field):
    with HTTP2Client(address, strict=False) as client:
        stream = client.begin("POST", EVENTS, [field])
        assert client.answer(stream) is None
        assert client.resets.get(stream) == PROTOCOL_ERROR or client.goaway == PROTOCOL_ERROR
    assert Poster(agent).request("GET", "/healthz").status == 200
    assert agent.totals()["accepted"] == 0


@pytest.mark.parametrize("path", ["/v1/streams/events/events HTTP/1.1\r\nHost: a\r\n\r\n", "/a b", "", "*"])
def test_a_path_cannot_be_more_than_a_path(agent, address, path):
    with HTTP2Client(address, strict=False) as client:
        stream = client.begin("POST", path, end=True)
        answer = client.answer(stream)
        assert answer is None or answer.status in (400, 404, 405), answer
    assert agent.totals()["accepted"] == 0


def test_a_body_that_is_not_as_long_as_was_said_is_not_taken(agent, address):
    with HTTP2Client(address, strict=False) as client:
        stream = client.begin("POST", EVENTS, [("content-length", "10")])
        client.connection.send_data(stream, b"four", end_stream=True)
        client.flush()
        answer = client.answer(stream)
        assert answer is None or answer.status == 400
    assert agent.totals()["accepted"] == 0


def test_a_stream_that_is_taken_back_leaves_nothing(agent, address):
    with HTTP2Client(address) as client:
        for _ in range(200):
            stream = client.begin("POST", EVENTS, [("content-length", "10")])
            client.connection.send_data(stream, b"four")
            client.connection.reset_stream(stream)
            client.flush()
        assert client.request("POST", EVENTS, b"whole").status == 202
    assert agent.totals()["accepted"] == 1


def test_a_flood_of_resets_ends_the_connection_and_no_other(agent, address):
    with HTTP2Client(address) as client:
        try:
            for _ in range(20000):
                stream = client.begin("POST", EVENTS)
                client.connection.reset_stream(stream)
                client.flush()
            client.wait_for_end()
        except OSError:
            pass
        assert Poster(agent).request("GET", "/healthz").status == 200
    assert agent.totals()["accepted"] == 0


@pytest.mark.parametrize("garbage", [b"\0" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 9, b"\0\0\4\1\5\0\0\0\1abcd"])
def test_frames_that_are_none_end_the_connection(agent, address, garbage):
    exchange(address, PREFACE + garbage)
    assert Poster(agent).request("GET", "/healthz").status == 200


def test_a_preface_byte_by_byte_is_one(agent, address):
    settings = b"\0\0\0\4\0\0\0\0\0"
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(30)
        s.connect(address)
        for byte in PREFACE + settings:
            s.sendall(bytes([byte]))
            time.sleep(0.002)
        # SETTINGS is the first frame of the server's.
        assert s.recv(9)[3] == 4


def test_a_stream_that_stalls_is_told_and_an_idle_connection_is_closed(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint, listen={"idle_timeout": "1s"})
    with HTTP2Client(("127.0.0.1", agent.port)) as client:
        stream = client.begin("POST", EVENTS, [("content-length", "10")])
        answer = client.answer(stream)
        assert answer.status == 408
        client.wait_for_end()
        assert client.goaway in (None, NO_ERROR)
    assert agent.totals()["accepted"] == 0


def test_a_stop_takes_what_is_under_way(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint)
    with HTTP2Client(("127.0.0.1", agent.port)) as client:
        assert [client.request("POST", EVENTS, b"%d" % number).status for number in range(50)] == [202] * 50
        stream = client.begin("POST", EVENTS, [("content-length", "4")])
        client.send(stream, b"ab", end=False)
        agent.terminate()
        wait_until(lambda: not client.receive() or client.goaway is not None, "GOAWAY")
        assert client.goaway == NO_ERROR
        # A DATA frame with END_STREAM, by hand: the library says nothing more once it was told to go away.
        client.socket.sendall(b"\0\0\2\0\1" + stream.to_bytes(4, "big") + b"cd")
        while client.socket.recv(65536):
            pass
    agent.process.wait(30)
    agent.start()
    assert agent.totals()["accepted"] == 51


def test_tls_is_told_that_it_is_not_spoken(agent, address):
    """A ClientHello gets no answer that a TLS library could take for one; the log says why."""
    hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"
    assert exchange(address, hello) == b""
    wait_until(lambda: "TLS" in agent.log(), "a line in the log")


def test_a_hundred_streams_on_each_of_fifty_connections_stay_within_bounds(agent):
    """Heads and a part of each body: what their client leaves so, for as long as it likes."""
    clients = [HTTP2Client(("127.0.0.1", agent.port)) for _ in range(50)]
    for client in clients:
        for _ in range(100):
            stream = client.begin("POST", EVENTS, [("content-length", str(1 << 20))])
            client.connection.send_data(stream, b"x" * 600)
        client.flush()
    other = Poster(agent)
    assert other.request("GET", "/healthz").status == 200
    assert other.post("events", b"small").status == 202
    assert peak_mebibytes(agent.process.pid) < 96
    for client in clients:
        client.socket.close()
