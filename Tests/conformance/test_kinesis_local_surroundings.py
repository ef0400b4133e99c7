# SPDX-License-Identifier: Apache-2.0
"""What kinesis-local plays beside the service: rates, slow links, wrong clocks, proxies; and for whom it runs."""

import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from email.utils import parsedate_to_datetime

import botocore.exceptions
import pytest

from kinesis_local import ACCESS_KEY, REGION, SECRET_KEY
from programs import program

TARGET = {"X-Amz-Target": "Kinesis_20131202.PutRecords", "Content-Type": "application/x-amz-json-1.1"}
NOBODY = 65534


def body(size, key="k"):
    """A PutRecords request of one record with so many bytes."""
    data = base64.b64encode(b"x" * size).decode()
    return json.dumps({"StreamName": "events", "Records": [{"Data": data, "PartitionKey": key}]}).encode()


def post(server, data, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", "/", data, TARGET | (headers or {}))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


# Rates


def shards(server, stream="events"):
    (status,) = json.loads(server.control("GET", f"stats?stream={stream}"))["streams"]
    return status["shards"]


def test_a_shards_rate_can_be_set_to_nothing_for_one_and_is_counted(start_kinesis_local):
    server = start_kinesis_local("--stream", "events:2", "--stream", "other:2", "--shard-records", "50")
    client = server.client()
    server.add_faults({"action": "limit", "stream": "events", "shard": "shardId-000000000000", "records_per_second": 0})
    # MD5 puts a into the lower half of the hash space and b into the upper one.
    records = [{"Data": b"x", "PartitionKey": key} for key in "ab" * 100]
    answer = client.put_records(StreamName="events", Records=records)
    refused = [e for e in answer["Records"] if e.get("ErrorCode") == "ProvisionedThroughputExceededException"]
    assert len(refused) == answer["FailedRecordCount"] >= 100
    assert "Rate exceeded for shard shardId-000000000000 in stream events under account" in refused[0]["ErrorMessage"]
    low, high = shards(server)
    assert (low["accepted_records"], low["throttled_records"], low["calls"]) == (0, 100, 1)
    # A put is carried out at one moment: the bucket holds one second's worth.
    assert (high["accepted_records"], high["throttled_records"], high["calls"]) == (50, 50, 1)
    assert client.put_records(StreamName="other", Records=records[:60])["FailedRecordCount"] == 0
    assert json.loads(server.control("GET", "stats?streams=none"))["streams"] == []


# Links


def test_an_uplink_is_shared_by_all_connections_and_a_client_sees_that_it_is_slow(start_kinesis_local):
    server = start_kinesis_local("--stream", "events:1", "--no-auth", "--uplink", "100000")
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Kinesis_20131202.PutRecords\r\nContent-Length: %d\r\n\r\n"
    data = body(60_000)
    connections = []
    began = time.monotonic()
    for _ in range(2):
        s = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        s.sendall(head % len(data) + data)
        connections.append(s)
    for s in connections:
        assert s.recv(1000).startswith(b"HTTP/1.1 200")
    # 160 kB at 100 kB/s.
    assert time.monotonic() - began > 1.4

    # What is not read yet is with the client, but for what a few buffers hold.
    with connections[0] as s:
        data = head % (4 << 20) + bytes(4 << 20)
        s.setblocking(False)
        sent = 0
        with pytest.raises(BlockingIOError):
            while True:
                sent += s.send(data[sent:])
        assert sent < 1 << 20
    connections[1].close()


def test_a_clock_that_is_off_shows_in_the_date_and_refuses_signatures(start_kinesis_local):
    server = start_kinesis_local("--stream", "events:1", "--clock-offset", "-1h")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        server.client().list_streams()
    response = caught.value.response
    assert response["Error"]["Code"] == "InvalidSignatureException"
    assert "not yet current" in response["Error"]["Message"]
    date = response["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert 3590 < time.time() - parsedate_to_datetime(date).timestamp() < 3610


# Proxies


def test_a_proxy_refuses_large_requests_before_it_reads_them(start_kinesis_local):
    server = start_kinesis_local("--stream", "events:1", "--no-auth")
    page = "<html><h1>413 Request Entity Too Large</h1></html>"
    server.add_faults({"action": "status", "status": 413, "min_bytes": 100_000, "unread": True, "body": page})
    status, headers, text = post(server, body(200_000))
    assert (status, headers["content-type"], text.decode()) == (413, "text/html", page)
    assert "x-amzn-requestid" not in headers
    status, headers, _ = post(server, body(100))
    assert status == 200 and headers["x-amzn-requestid"]
    assert server.stats()["accepted_records"] == 1


def test_a_proxy_knows_no_expect(start_kinesis_local):
    server = start_kinesis_local("--stream", "events:1")
    server.add_faults({"action": "status", "status": 417, "expects": True, "unread": True})
    command = ["curl", "-s", "-m", "20", "-o", os.devnull, "-w", "%{http_code}", server.endpoint]
    command += ["--data-binary", "@-"]
    command += ["--aws-sigv4", f"aws:amz:{REGION}:kinesis", "--user", f"{ACCESS_KEY}:{SECRET_KEY}"]
    for name, value in TARGET.items():
        command += ["-H", f"{name}: {value}"]

    def send(expect):
        done = subprocess.run([*command, "-H", expect], input=body(1000), capture_output=True, check=True, timeout=30)
        return done.stdout.decode()

    assert send("Expect:") == "200"
    assert send("Expect: 100-continue") == "417"
    stats = server.stats()
    assert stats["accepted_records"] == 1 and stats["spoiled_answers"] == {"status": 1}


@pytest.mark.parametrize(
    "rule, name, value",
    [
        ({"status": 407, "headers": {"Proxy-Authenticate": "Basic"}}, "proxy-authenticate", "Basic"),
        ({"status": 503, "headers": {"Retry-After": "30"}}, "retry-after", "30"),
        ({"status": 503, "retry_after_ms": 5000}, "x-amz-retry-after", "5000"),
    ],
)
def test_what_is_on_the_way_says_what_it_wants(start_kinesis_local, rule, name, value):
    server = start_kinesis_local("--stream", "events:1", "--no-auth")
    server.add_faults({"action": "status", "operation": "*", **rule})
    status, headers, _ = post(server, body(10))
    assert (status, headers[name]) == (rule["status"], value)
    assert "x-amzn-requestid" not in headers
    assert server.stats()["accepted_records"] == 0


# Size and users


def test_it_holds_five_thousand_streams(start_kinesis_local):
    count = 5000
    server = start_kinesis_local("--no-auth", "--discard", "--stream", f"s[0-{count - 1}]:1")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for n in range(count):
        data = json.dumps({"StreamName": f"s{n}", "Records": [{"Data": "eA==", "PartitionKey": f"k{n}"}]})
        connection.request("POST", "/", data, TARGET)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    connection.close()
    stats = server.stats()
    assert stats["accepted_records"] == count
    assert {s["name"]: s["accepted_records"] for s in stats["streams"]} == {f"s{n}": 1 for n in range(count)}


@pytest.mark.skipif(os.geteuid() != 0, reason="all tests run as an ordinary user here")
def test_it_serves_an_ordinary_user(monkeypatch, start_kinesis_local):
    """As root, options of sockets can be set that others may not."""
    folder = tempfile.mkdtemp(prefix="ordinary-", dir="/var/tmp")
    try:
        os.chmod(folder, 0o755)
        copy = shutil.copy(program("kinesis-local"), folder)
        wrapper = os.path.join(folder, "as-nobody")
        with open(wrapper, "w") as file:
            user = f"--reuid={NOBODY} --regid={NOBODY} --clear-groups --inh-caps=-all"
            file.write(f'#!/bin/sh\nexec setpriv {user} "{copy}" "$@"\n')
        os.chmod(wrapper, 0o755)
        monkeypatch.setenv("KINESIS_LOCAL", wrapper)
        server = start_kinesis_local("--stream", "events:1")
        with open(f"/proc/{server.process.pid}/status") as status:
            assert f"Uid:\t{NOBODY}\t{NOBODY}" in status.read()
        client = server.client()
        client.put_record(StreamName="events", Data=b"x", PartitionKey="k")
        assert [entry["bytes"] for entry in server.journal()] == [1]
    finally:
        shutil.rmtree(folder)
