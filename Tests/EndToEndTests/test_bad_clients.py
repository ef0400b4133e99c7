# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, many, or mad."""

import http.client
import pathlib
import random
import socket
import time

import pytest

from clients import Poster, curl, exchange, parse_answers
from waiting import wait_until

HEAD = b"POST /v1/streams/events/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"


def connect(agent, timeout=60):
    return socket.create_connection(("127.0.0.1", agent.port), timeout=timeout)


@pytest.mark.parametrize("begin", [b"POST /v1/stre", HEAD, HEAD + b"four"])
def test_a_client_that_stalls_is_told(kinesis_local, start_agent, begin):
    agent = start_agent(kinesis_local.endpoint, listen={"idle_timeout": "1s"})
    with connect(agent) as s:
        s.sendall(begin)
        received = b""
        while chunk := s.recv(4096):
            received += chunk
    (answer,) = parse_answers(received)
    assert (answer.status, answer.json["error"]) == (408, "timeout")
    assert agent.totals()["accepted"] == 0


def test_a_client_that_is_slow_but_steady_is_served(agent):
    with connect(agent) as s:
        for byte in HEAD + b"0123456789":
            s.sendall(bytes([byte]))
            time.sleep(0.005)
        assert s.recv(4096).startswith(b"HTTP/1.1 202")


def test_idle_connections_are_closed(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint, listen={"idle_timeout": "1s"})
    with connect(agent) as s, socket.socket(socket.AF_UNIX) as lines:
        lines.settimeout(60)
        lines.connect(agent.socket)
        lines.sendall(b'{"stream":"events","event":1}\n')
        assert lines.recv(4096) == b'{"acked":1}\n'
        assert s.recv(1) == b"" and lines.recv(1) == b""


def test_continue_is_said_when_a_body_is_wanted_and_only_then(agent):
    with connect(agent) as s:
        s.sendall(HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert s.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"0123456789")
        assert s.recv(4096).startswith(b"HTTP/1.1 202")
    with connect(agent) as s:
        s.sendall(HEAD.replace(b"10\r\n\r\n", b"99999999\r\nExpect: 100-continue\r\n\r\n"))
        assert s.recv(4096).startswith(b"HTTP/1.1 413")
    # curl asks by itself for large bodies.
    url = f"http://127.0.0.1:{agent.port}/v1/streams/events/events"
    fields = ("-H", "Expect: 100-continue", "-H", "Content-Type: application/octet-stream")
    assert curl(url, *fields, data=b"x" * 500_000).status == 202


def test_pipelined_requests_are_answered_in_their_order(agent):
    requests = b""
    for n in range(40):
        requests += HEAD + b"0123456789" if n % 2 else b"GET /nowhere/%d/x/y HTTP/1.1\r\nHost: localhost\r\n\r\n" % n
    answers = parse_answers(exchange(("127.0.0.1", agent.port), requests))
    assert [answer.status for answer in answers] == [404, 202] * 20
    ids = [answer.json["first_id"] for answer in answers[1::2]]
    assert ids == sorted(ids)


def test_connections_are_capped(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint, listen={"max_connections": 10})
    busy = [connect(agent) for _ in range(10)]
    for s in busy:
        s.sendall(b"POST /v1")
    time.sleep(0.2)
    surplus = Poster(agent)
    try:
        answer = surplus.post("events", b"x")
        assert answer.status == 503 and answer.json["error"] == "too_many_connections", answer
        assert int(answer.headers["retry-after"]) >= 1
    except (http.client.HTTPException, OSError):
        # It may as well be closed at once.
        pass
    # Those that are there go on, and a place that is free is taken.
    busy[0].sendall(b"/streams/events/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
    assert busy[0].recv(4096).startswith(b"HTTP/1.1 202")
    busy[1].close()

    def takes_one_more():
        poster = Poster(agent)
        try:
            return poster.post("events", b"x").status == 202
        except (http.client.HTTPException, OSError):
            return False
        finally:
            poster.close()

    wait_until(takes_one_more, "there is room for another")
    for s in busy:
        s.close()


def garbage(generator):
    """Random bytes, or requests and lines with random damage."""
    kind = generator.randrange(4)
    if kind == 0:
        return generator.randbytes(generator.randrange(1, 5000))
    data = bytearray(
        [
            HEAD + b"0123456789",
            b"PUT /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"Dat\r\n0\r\n\r\n",
            b'{"stream":"events","partition_key":"k","event":{"a":[1,2,{"b":"\\u00e9"}]}}\n' * 3,
        ][kind - 1]
    )
    for _ in range(generator.randrange(1, 12)):
        position = generator.randrange(len(data))
        match generator.randrange(3):
            case 0:
                data[position] = generator.randrange(256)
            case 1:
                del data[position : position + generator.randrange(1, 20)]
            case 2:
                data[position:position] = generator.randbytes(generator.randrange(1, 10))
        if not data:
            return b"\0"
    return bytes(data)


def test_garbage_does_no_harm(agent, seed):
    generator = random.Random(seed)
    for number in range(600):
        data = garbage(generator)
        address = agent.socket if generator.random() < 0.5 else ("127.0.0.1", agent.port)
        received = exchange(address, data)
        if received.startswith(b"HTTP/"):
            for answer in parse_answers(received):
                # 501 and 505 are what the client asked for; no fault of the agent's.
                assert answer.status < 500 or answer.status in (501, 505), (number, data, answer)
        assert agent.process.poll() is None, (number, data)
    assert Poster(agent).post("events", b"still here").status == 202
    agent.wait_empty()


def test_clients_that_go_away_leave_nothing_behind(agent, seed):
    generator = random.Random(seed)
    folder = pathlib.Path(f"/proc/{agent.process.pid}/fd")
    descriptors = len(list(folder.iterdir()))
    for _ in range(200):
        with connect(agent) as s:
            s.sendall((HEAD + b"0123456789")[: generator.randrange(1, 100)])
            if generator.random() < 0.5:
                # A reset rather than an end.
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    # Besides those to Kinesis, one a worker.
    wait_until(lambda: len(list(folder.iterdir())) <= descriptors + 8, "descriptors are given back")
    assert Poster(agent).post("events", b"x").status == 202
