# SPDX-License-Identifier: Apache-2.0
"""kinesis-local against clients that its authors did not write: boto3, the AWS CLI, curl."""

import base64
import datetime
import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest

from kinesis_local import ACCESS_KEY, REGION, SECRET_KEY, by_partition_key, read_shard, read_stream
from programs import program
from waiting import wait_until

HASH_SPACE = 1 << 128


def refused(code, call, *words, **arguments):
    """Checks that a call is refused with an error code, and that its message has these words."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    for word in words:
        assert word in error["Message"]
    return caught.value.response


def records(count, key="key-{}", data="data-{}"):
    return [{"Data": data.format(i).encode(), "PartitionKey": key.format(i)} for i in range(count)]


# Streams


def test_creates_describes_lists_and_deletes(kinesis):
    kinesis.create_stream(StreamName="new.stream-1_x", ShardCount=3)
    kinesis.get_waiter("stream_exists").wait(StreamName="new.stream-1_x")
    description = kinesis.describe_stream(StreamName="new.stream-1_x")["StreamDescription"]
    assert description["StreamStatus"] == "ACTIVE"
    ranges = [
        (int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]))
        for s in description["Shards"]
    ]
    assert ranges[0][0] == 0 and ranges[-1][1] == HASH_SPACE - 1
    assert all(a[1] + 1 == b[0] for a, b in zip(ranges, ranges[1:]))
    summary = kinesis.describe_stream_summary(StreamName="new.stream-1_x")["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 3 and summary["MaxRecordSizeInKiB"] == 1024
    assert kinesis.list_streams()["StreamNames"] == ["events", "new.stream-1_x"]
    assert kinesis.list_streams(Limit=1)["HasMoreStreams"]
    refused("ResourceInUseException", kinesis.create_stream, StreamName="events", ShardCount=1)
    kinesis.delete_stream(StreamName="new.stream-1_x")
    refused("ResourceNotFoundException", kinesis.describe_stream, "new.stream-1_x", StreamName="new.stream-1_x")


def test_an_arn_serves_in_place_of_the_name(kinesis):
    arn = kinesis.describe_stream_summary(StreamName="events")["StreamDescriptionSummary"]["StreamARN"]
    kinesis.put_record(StreamARN=arn, Data=b"one", PartitionKey="k")
    kinesis.put_records(StreamARN=arn, Records=records(2))
    assert len(kinesis.list_shards(StreamARN=arn)["Shards"]) == 2
    assert sum(len(r) for r in read_stream(kinesis, "events").values()) == 3


def test_list_shards_pages_and_filters(kinesis, kinesis_local):
    kinesis.create_stream(StreamName="many", ShardCount=5)
    first = kinesis.list_shards(StreamName="many", MaxResults=2)
    second = kinesis.list_shards(NextToken=first["NextToken"], MaxResults=2)
    third = kinesis.list_shards(NextToken=second["NextToken"], MaxResults=2)
    ids = [s["ShardId"] for page in (first, second, third) for s in page["Shards"]]
    assert ids == [f"shardId-{i:012}" for i in range(5)] and "NextToken" not in third
    kinesis_local.reshard("many", shards=2)
    latest = kinesis.list_shards(StreamName="many", ShardFilter={"Type": "AT_LATEST"})["Shards"]
    assert [s["ShardId"] for s in latest] == ["shardId-000000000005", "shardId-000000000006"]
    assert len(kinesis.list_shards(StreamName="many")["Shards"]) == 7


# Puts and reads


def test_reads_back_what_was_put_byte_for_byte(kinesis):
    random_bytes = random.Random(1)
    batch = [
        {"Data": random_bytes.randbytes(random_bytes.choice([0, 1, 2, 3, 100, 5000])), "PartitionKey": key}
        for key in ["k", "é" * 256, "😀" * 3, '"\\/\n\t', "0", " "] * 50
    ]
    answer = kinesis.put_records(StreamName="events", Records=batch)
    assert answer["FailedRecordCount"] == 0
    wanted = {}
    for record in batch:
        wanted.setdefault(record["PartitionKey"], []).append(record["Data"])
    shards = read_stream(kinesis, "events")
    assert by_partition_key(shards) == wanted
    stored = {r["SequenceNumber"]: r["Data"] for rs in shards.values() for r in rs}
    assert [stored[entry["SequenceNumber"]] for entry in answer["Records"]] == [r["Data"] for r in batch]


def test_routes_by_md5_of_the_key_or_the_explicit_hash_key(kinesis):
    kinesis.create_stream(StreamName="wide", ShardCount=7)
    shards = kinesis.list_shards(StreamName="wide")["Shards"]

    def shard_of(point):
        return next(
            s["ShardId"]
            for s in shards
            if int(s["HashKeyRange"]["StartingHashKey"]) <= point <= int(s["HashKeyRange"]["EndingHashKey"])
        )

    keys = [f"device-{i}" for i in range(200)] + ["ключ", "x" * 256]
    answer = kinesis.put_records(StreamName="wide", Records=[{"Data": b"d", "PartitionKey": k} for k in keys])
    for key, entry in zip(keys, answer["Records"]):
        assert entry["ShardId"] == shard_of(int.from_bytes(hashlib.md5(key.encode()).digest(), "big"))
    for point in [0, 1, HASH_SPACE // 7, HASH_SPACE // 2, HASH_SPACE - 1]:
        entry = kinesis.put_record(StreamName="wide", Data=b"d", PartitionKey="k", ExplicitHashKey=str(point))
        assert entry["ShardId"] == shard_of(point)


def test_sequence_numbers_grow_within_a_shard(kinesis):
    last = None
    for i in range(20):
        more = {"SequenceNumberForOrdering": last} if last else {}
        last = kinesis.put_record(StreamName="events", Data=str(i).encode(), PartitionKey="k", **more)["SequenceNumber"]
    (read,) = [rs for rs in read_stream(kinesis, "events").values() if rs]
    numbers = [int(r["SequenceNumber"]) for r in read]
    assert numbers == sorted(set(numbers)) and numbers[-1] == int(last)
    assert [r["Data"] for r in read] == [str(i).encode() for i in range(20)]


def test_iterators_start_where_they_say(kinesis):
    put = [kinesis.put_record(StreamName="events", Data=str(i).encode(), PartitionKey="k") for i in range(5)]
    shard = put[0]["ShardId"]

    def read(kind, **more):
        iterator = kinesis.get_shard_iterator(StreamName="events", ShardId=shard, ShardIteratorType=kind, **more)
        return [int(r["Data"]) for r in kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]]

    assert read("TRIM_HORIZON") == [0, 1, 2, 3, 4]
    assert read("LATEST") == []
    assert read("AT_SEQUENCE_NUMBER", StartingSequenceNumber=put[2]["SequenceNumber"]) == [2, 3, 4]
    assert read("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=put[2]["SequenceNumber"]) == [3, 4]
    now = datetime.datetime.now(datetime.timezone.utc)
    assert read("AT_TIMESTAMP", Timestamp=now - datetime.timedelta(minutes=1)) == [0, 1, 2, 3, 4]
    assert read("AT_TIMESTAMP", Timestamp=now + datetime.timedelta(minutes=1)) == []
    latest = kinesis.get_shard_iterator(StreamName="events", ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
    kinesis.put_record(StreamName="events", Data=b"5", PartitionKey="k")
    assert [r["Data"] for r in kinesis.get_records(ShardIterator=latest)["Records"]] == [b"5"]


def test_reading_pages_and_says_how_far_behind_it_is(kinesis):
    kinesis.create_stream(StreamName="one", ShardCount=1)
    kinesis.put_records(StreamName="one", Records=records(25))
    assert [r["Data"] for r in read_shard(kinesis, "one", "shardId-000000000000", limit=10)] == [
        f"data-{i}".encode() for i in range(25)
    ]
    time.sleep(0.02)
    iterator = kinesis.get_shard_iterator(StreamName="one", ShardId="0", ShardIteratorType="TRIM_HORIZON")
    page = kinesis.get_records(ShardIterator=iterator["ShardIterator"], Limit=10)
    assert len(page["Records"]) == 10 and page["MillisBehindLatest"] >= 20
    page = kinesis.get_records(ShardIterator=page["NextShardIterator"], Limit=100)
    assert len(page["Records"]) == 15 and page["MillisBehindLatest"] == 0


# Limits and errors


@pytest.mark.parametrize(
    "code, change, words",
    [
        ("ValidationException", {"Records": records(501)}, ["'records'", "less than or equal to 500"]),
        ("ValidationException", {"Records": []}, ["'records'", "greater than or equal to 1"]),
        ("ResourceNotFoundException", {"StreamName": "missing"}, ["Stream missing under account"]),
        ("ValidationException", {"StreamName": "no spaces"}, ["streamName"]),
        ("ValidationException", {"record": {"PartitionKey": ""}}, ["records.2.member.partitionKey"]),
        ("ValidationException", {"record": {"PartitionKey": "é" * 257}}, ["less than or equal to 256"]),
        ("ValidationException", {"record": {"ExplicitHashKey": "01"}}, ["explicitHashKey"]),
        ("InvalidArgumentException", {"record": {"ExplicitHashKey": str(HASH_SPACE)}}, ["2^128-1"]),
        ("ValidationException", {"record": {"Data": b"x" * (1 << 20 | 1)}}, ["records.2.member.data", "1048576"]),
        ("InvalidArgumentException", {"record": {"Data": b"x" * (1 << 20)}}, ["1048581 bytes"]),
        (
            "InvalidArgumentException",
            {"Records": [{"Data": b"x" * 900_000, "PartitionKey": "k"}] * 12},
            ["10 MB limit"],
        ),
    ],
)
def test_refuses_what_breaks_a_limit_and_stores_nothing(start_kinesis_local, code, change, words):
    server = start_kinesis_local("--stream", "events:2")
    # botocore checks some of the limits itself: only the server is of interest here.
    client = server.client(parameter_validation=False)
    arguments = {"StreamName": "events", "Records": records(3)}
    arguments["Records"][1] |= change.get("record", {})
    arguments |= {k: v for k, v in change.items() if k != "record"}
    refused(code, client.put_records, *words, **arguments)
    assert server.stats()["accepted_records"] == 0


def test_a_record_may_be_as_large_as_the_stream_allows(kinesis):
    kinesis.put_record(StreamName="events", Data=b"x" * ((1 << 20) - 1), PartitionKey="k")
    kinesis.create_stream(StreamName="large", ShardCount=1, MaxRecordSizeInKiB=10240)
    kinesis.put_record(StreamName="large", Data=b"y" * ((10 << 20) - 1), PartitionKey="k")
    (record,) = read_shard(kinesis, "large", "shardId-000000000000")
    assert record["Data"] == b"y" * ((10 << 20) - 1)


def test_shards_throttle_each_by_itself(start_kinesis_local):
    server = start_kinesis_local("--stream", "events:2", "--throttle")
    client = server.client()
    hot = [{"Data": b"x" * 10_000, "PartitionKey": "a"}] * 400 + [{"Data": b"x", "PartitionKey": "b"}] * 100
    answer = client.put_records(StreamName="events", Records=hot)
    codes = [entry.get("ErrorCode") for entry in answer["Records"]]
    assert codes[:104] == [None] * 104 and codes[400:] == [None] * 100
    assert set(codes[110:400]) == {"ProvisionedThroughputExceededException"}
    assert answer["FailedRecordCount"] == sum(code is not None for code in codes)
    assert "Rate exceeded for shard shardId-000000000000 in stream events" in answer["Records"][399]["ErrorMessage"]
    refused(
        "ProvisionedThroughputExceededException",
        client.put_record,
        StreamName="events",
        Data=b"x" * 900_000,
        PartitionKey="a",
    )


# Signatures


@pytest.mark.parametrize(
    "credentials, code",
    [
        ({"access_key": "other"}, "UnrecognizedClientException"),
        ({"secret_key": "other"}, "InvalidSignatureException"),
    ],
)
def test_refuses_other_keys(kinesis_local, credentials, code):
    refused(code, kinesis_local.client(**credentials).list_streams)


def test_an_unsigned_request_is_refused_unless_that_is_wanted(start_kinesis_local):
    def post(server):
        return subprocess.run(
            ["curl", "-s", "-m", "10", server.endpoint, "-d", "{}"]
            + ["-H", "Content-Type: application/x-amz-json-1.1", "-H", "X-Amz-Target: Kinesis_20131202.ListStreams"],
            capture_output=True,
            check=True,
        ).stdout

    assert json.loads(post(start_kinesis_local()))["__type"] == "MissingAuthenticationTokenException"
    assert json.loads(post(start_kinesis_local("--no-auth")))["StreamNames"] == []


def test_keys_and_session_tokens_can_change_at_run_time(kinesis_local, kinesis):
    kinesis_local.control("PUT", "access-key", {"access_key": "new", "secret_key": "s", "session_token": "t"})
    refused("UnrecognizedClientException", kinesis.list_streams)
    kinesis_local.client("new", "s", session_token="t").list_streams()
    refused("UnrecognizedClientException", kinesis_local.client("new", "s", session_token="old").list_streams)


@pytest.mark.parametrize("offset, words", [(3600, "Signature expired"), (-3600, "Signature not yet current")])
def test_a_wrong_server_clock_refuses_signatures_and_shows_in_its_date(kinesis_local, kinesis, offset, words):
    kinesis_local.add_faults({"action": "clock", "offset_seconds": offset})
    response = refused("InvalidSignatureException", kinesis.list_streams, words, "5 min.")
    date = response["ResponseMetadata"]["HTTPHeaders"]["date"]
    shown = datetime.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.timezone.utc)
    assert abs(shown.timestamp() - time.time() - offset) < 60


def test_curl_signs_as_it_should_and_waits_for_continue(kinesis_local):
    body = json.dumps(
        {
            "StreamName": "events",
            "Records": [{"Data": base64.b64encode(b"z" * 900_000).decode(), "PartitionKey": "k"}] * 3,
        }
    )
    answer = subprocess.run(
        ["curl", "-s", "-m", "20", "-v", kinesis_local.endpoint, "--data-binary", "@-"]
        + ["--aws-sigv4", f"aws:amz:{REGION}:kinesis", "--user", f"{ACCESS_KEY}:{SECRET_KEY}"]
        + ["-H", "Content-Type: application/x-amz-json-1.1", "-H", "X-Amz-Target: Kinesis_20131202.PutRecords"]
        + ["-H", "Expect: 100-continue"],
        input=body.encode(),
        capture_output=True,
        check=True,
    )
    assert json.loads(answer.stdout)["FailedRecordCount"] == 0
    assert b"100 Continue" in answer.stderr


def test_the_aws_cli_works_unchanged(kinesis_local, tmp_path):
    aws = shutil.which("aws")
    if not aws:
        pytest.skip("the AWS CLI is not installed")
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }

    def run(*arguments):
        output = subprocess.run(
            [aws, "--endpoint-url", kinesis_local.endpoint, "--output", "json", "kinesis", *arguments],
            env=environment,
            capture_output=True,
            timeout=60,
        )
        assert output.returncode == 0, output.stderr.decode()
        return json.loads(output.stdout) if output.stdout.strip() else None

    data = base64.b64encode(b"from the command line").decode()
    put = run("put-record", "--stream-name", "events", "--partition-key", "k", "--data", data)
    (record,) = read_shard(kinesis_local.client(), "events", put["ShardId"])
    assert record["Data"] in (b"from the command line", data.encode())  # version 1 of the CLI sends data as it is
    assert len(run("list-shards", "--stream-name", "events")["Shards"]) == 2


# Faults


def test_single_records_fail_and_the_rest_is_stored(kinesis_local, kinesis):
    kinesis_local.add_faults(
        {"action": "fail_record", "probability": 0.3, "seed": 5},
        {"action": "fail_record", "partition_key": "key-7", "code": "InternalFailure"},
    )
    batch = records(100)
    answer = kinesis.put_records(StreamName="events", Records=batch)
    failed = [i for i, entry in enumerate(answer["Records"]) if "ErrorCode" in entry]
    assert answer["FailedRecordCount"] == len(failed) and 15 <= len(failed) <= 45 and 7 in failed
    assert {e["ErrorCode"] for e in answer["Records"] if "ErrorCode" in e} == {
        "ProvisionedThroughputExceededException",
        "InternalFailure",
    }
    stored = {key for key in by_partition_key(read_stream(kinesis, "events"))}
    assert stored == {r["PartitionKey"] for i, r in enumerate(batch) if i not in failed}
    assert sum(kinesis_local.stats()["refused_records"].values()) == len(failed)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("action", ["reset", "hang", "garbage", "truncate", "status", "error"])
def test_an_answer_is_spoiled_and_the_records_are_stored_or_not(kinesis_local, action, stored):
    client = kinesis_local.client(read_timeout=1)
    rule = {"action": action, "stored": stored, "count": 1}
    rule |= {"status": 503} if action == "status" else {}
    rule |= {"code": "InternalFailure"} if action == "error" else {}
    kinesis_local.add_faults(rule)
    with pytest.raises((botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, KeyError)) as caught:
        # boto3 takes garbage for an answer without members.
        assert client.put_records(StreamName="events", Records=records(3))["Records"]
    if action in ("status", "error"):
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503)
    assert kinesis_local.stats()["accepted_records"] == (3 if stored else 0)
    assert client.put_records(StreamName="events", Records=records(3))["FailedRecordCount"] == 0


@pytest.mark.parametrize(
    "code, status",
    [
        ("ProvisionedThroughputExceededException", 400),
        ("ExpiredTokenException", 400),
        ("AccessDeniedException", 400),
        ("ResourceNotFoundException", 400),
        ("KMSThrottlingException", 400),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
    ],
)
def test_answers_with_the_errors_of_the_service(kinesis_local, kinesis, code, status):
    kinesis_local.add_faults({"action": "error", "code": code, "message": "as told", "retry_after_ms": 250})
    response = refused(code, kinesis.put_records, "as told", StreamName="events", Records=records(2))
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amz-retry-after"] == "250"
    kinesis_local.clear_faults()
    kinesis.put_records(StreamName="events", Records=records(2))


def test_a_poison_record_fails_its_request_and_no_other(kinesis_local, kinesis):
    kinesis_local.add_faults({"action": "error", "code": "InvalidArgumentException", "data_contains": "poison"})
    bad = records(5) + [{"Data": b"a poison pill", "PartitionKey": "k"}]
    refused("InvalidArgumentException", kinesis.put_records, StreamName="events", Records=bad)
    assert kinesis.put_records(StreamName="events", Records=bad[:5])["FailedRecordCount"] == 0


@pytest.mark.parametrize("more", [-1, 2])
def test_the_number_of_entries_can_be_wrong(kinesis_local, kinesis, more):
    kinesis_local.add_faults({"action": "wrong_count", "entries": more})
    assert len(kinesis.put_records(StreamName="events", Records=records(10))["Records"]) == 10 + more
    assert kinesis_local.stats()["accepted_records"] == 10


def test_a_delay_holds_only_the_answer(kinesis_local, kinesis):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 300, "count": 1})
    before = time.monotonic()
    kinesis.put_records(StreamName="events", Records=records(1))
    assert time.monotonic() - before >= 0.3


def test_a_connection_is_closed_after_an_answer_that_did_not_say_so(kinesis_local, kinesis):
    kinesis_local.add_faults({"action": "close", "count": 1})
    assert kinesis.put_records(StreamName="events", Records=records(1))["FailedRecordCount"] == 0
    before = kinesis_local.stats()["connections"]["total"]
    kinesis_local.client(attempts=3).put_records(StreamName="events", Records=records(1))
    assert kinesis_local.stats()["connections"]["total"] > before


def test_an_outage_refuses_connections_and_ends_by_itself(kinesis_local, kinesis):
    kinesis.list_streams()
    kinesis_local.add_faults({"action": "refuse", "for_ms": 600})
    with pytest.raises(botocore.exceptions.BotoCoreError):
        kinesis.put_records(StreamName="events", Records=records(1))
    with pytest.raises((ConnectionError, AssertionError)):
        with socket.create_connection(("127.0.0.1", kinesis_local.port), timeout=5) as connection:
            assert connection.recv(1) != b""
    time.sleep(0.7)
    kinesis.put_records(StreamName="events", Records=records(1))


def test_nobody_listens_during_an_outage_and_streams_stay(kinesis_local, kinesis):
    kinesis.put_records(StreamName="events", Records=records(5))
    other = kinesis_local.client()
    kinesis_local.outage(1000)
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        other.put_records(StreamName="events", Records=records(5))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            kinesis.put_records(StreamName="events", Records=records(5))
            break
        except botocore.exceptions.BotoCoreError:
            time.sleep(0.05)
    assert len(kinesis_local.journal()) == 10


def test_a_body_that_is_too_large_is_refused(kinesis_local):
    answer = subprocess.run(
        ["curl", "-s", "-m", "20", "-o", os.devnull, "-w", "%{http_code}", kinesis_local.endpoint]
        + ["-H", "Expect:", "--data-binary", "@-"],
        input=b"x" * (25 << 20),
        capture_output=True,
    )
    assert answer.stdout == b"413"
    assert kinesis_local.client().list_streams()["StreamNames"] == ["events"]


def test_an_outage_can_be_cleared(kinesis_local, kinesis):
    kinesis_local.add_faults({"action": "reset_unread", "operation": "*"})
    with pytest.raises(botocore.exceptions.BotoCoreError):
        kinesis.list_streams()
    kinesis_local.clear_faults()
    kinesis.list_streams()


def test_a_body_is_read_slowly(kinesis_local, kinesis):
    kinesis_local.add_faults({"action": "slow_read", "bytes_per_second": 200_000})
    before = time.monotonic()
    kinesis.put_record(StreamName="events", Data=b"x" * 100_000, PartitionKey="k")
    assert time.monotonic() - before > 0.4
    kinesis_local.clear_faults()
    before = time.monotonic()
    kinesis.put_record(StreamName="events", Data=b"x" * 1_000_000, PartitionKey="k")
    assert time.monotonic() - before < 5


def test_faults_can_be_listed_removed_and_come_from_a_file(start_kinesis_local, tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('[{"id": "first", "action": "error", "code": "InternalFailure", "count": 2, "skip": 1}]')
    server = start_kinesis_local("--stream", "events:1", "--faults", str(file))
    client = server.client()
    outcomes = []
    for _ in range(5):
        try:
            client.put_records(StreamName="events", Records=records(1))
            outcomes.append(True)
        except botocore.exceptions.ClientError:
            outcomes.append(False)
    assert outcomes == [True, False, False, True, True]
    (listed,) = json.loads(server.control("GET", "faults"))
    assert listed["id"] == "first" and listed["fired"] == 2
    server.control("DELETE", "faults/first")
    assert json.loads(server.control("GET", "faults")) == []
    with pytest.raises(RuntimeError, match="404"):
        server.control("DELETE", "faults/first")
    with pytest.raises(RuntimeError, match="no such member"):
        server.add_faults({"action": "reset", "probabilty": 1})


def test_outages_and_resharding_can_come_from_a_file(start_kinesis_local, tmp_path):
    file = tmp_path / "faults.json"
    split = {"action": "reshard", "stream": "events", "split": "shardId-000000000000", "after_ms": 100}
    merge = {"action": "reshard", "stream": "events", "merge": ["shardId-000000000001", "shardId-000000000002"]}
    wrong = {"action": "reshard", "stream": "nobody", "shards": 2, "after_ms": 50}
    outage = {"action": "outage", "for_ms": 700, "after_ms": 1500}
    file.write_text(json.dumps([split, {**merge, "after_ms": 200}, wrong, outage]))
    began = time.monotonic()
    server = start_kinesis_local("--stream", "events:1", "--faults", str(file))
    client = server.client()

    def is_away():
        try:
            client.put_records(StreamName="events", Records=records(1))
        except botocore.exceptions.BotoCoreError:
            return True

    wait_until(is_away, "the outage begins", within=10)
    wait_until(lambda: not is_away(), "it ends", within=10)
    assert time.monotonic() - began > 2.2
    shards = server.stats()["streams"][0]["shards"]
    assert [shard["open"] for shard in shards] == [False, False, False, True]
    assert all(entry["fired"] == 1 for entry in json.loads(server.control("GET", "faults")))
    # At run time too, and at once.
    server.add_faults({"action": "reshard", "stream": "events", "shards": 3})
    assert sum(shard["open"] for shard in server.stats()["streams"][0]["shards"]) == 3


# Resharding


def test_split_and_merge_keep_each_keys_order(kinesis_local, kinesis):
    def put(generation):
        kinesis.put_records(StreamName="events", Records=records(60, data=f"{generation}-" + "{}"))

    put(0)
    shards = kinesis.list_shards(StreamName="events")["Shards"]
    kinesis.split_shard(StreamName="events", ShardToSplit=shards[0]["ShardId"], NewStartingHashKey=str(HASH_SPACE // 8))
    put(1)
    kinesis.merge_shards(
        StreamName="events", ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000003"
    )
    put(2)
    assert kinesis_local.reshard("events", shards=5) == [f"shardId-{i:012}" for i in range(5, 10)]
    put(3)
    kinesis.update_shard_count(StreamName="events", TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    put(4)
    found = by_partition_key(read_stream(kinesis, "events"))
    assert found == {f"key-{i}": [f"{g}-{i}".encode() for g in range(5)] for i in range(60)}
    closed = kinesis.list_shards(StreamName="events")["Shards"][0]
    assert "EndingSequenceNumber" in closed["SequenceNumberRange"]


def test_a_closed_shard_ends_with_its_children(kinesis_local, kinesis):
    kinesis_local.reshard("events", split="shardId-000000000000")
    iterator = kinesis.get_shard_iterator(
        StreamName="events", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )
    answer = kinesis.get_records(ShardIterator=iterator["ShardIterator"])
    assert "NextShardIterator" not in answer
    assert [c["ShardId"] for c in answer["ChildShards"]] == ["shardId-000000000002", "shardId-000000000003"]
    refused(
        "InvalidArgumentException",
        kinesis.split_shard,
        StreamName="events",
        ShardToSplit="shardId-000000000000",
        NewStartingHashKey="1000",
    )


# Journal


def test_the_journal_has_what_was_accepted_in_order(start_kinesis_local, tmp_path):
    file = tmp_path / "journal"
    server = start_kinesis_local("--stream", "events:4", "--stream", "other:1", "--journal", str(file))
    client = server.client()
    server.add_faults({"action": "fail_record", "probability": 0.2}, {"action": "reset", "stored": True, "skip": 2})
    wanted = []
    for stream, first in [("events", 0), ("other", 100), ("events", 200)]:
        batch = [{"Data": f"d{first + i}".encode(), "PartitionKey": f"k{i % 7}"} for i in range(50)]
        try:
            answer = client.put_records(StreamName=stream, Records=batch)["Records"]
            wanted += [(stream, r["Data"]) for r, e in zip(batch, answer) if "SequenceNumber" in e]
        except botocore.exceptions.BotoCoreError:
            lost_answer = [(stream, r["Data"]) for r in batch]
    journal = [(e["stream"], base64.b64decode(e["data"])) for e in server.journal(page=13)]
    assert journal[: len(wanted)] == wanted
    rest = journal[len(wanted) :]
    assert rest and rest == [entry for entry in lost_answer if entry in rest]
    # The file is written before the answer.
    entries = server.journal()
    assert [entry.pop("answered") for entry in entries] == [True] * len(wanted) + [False] * len(rest)
    assert server.stats()["unanswered_records"] == len(rest)
    assert [json.loads(line) for line in file.read_text().splitlines()] == entries
    assert {e["stream"] for e in server.journal(stream="other")} == {"other"}
    assert server.journal(data="sha256")[0]["sha256"] == hashlib.sha256(journal[0][1]).hexdigest()


def test_discarding_keeps_nothing_but_counts(start_kinesis_local):
    server = start_kinesis_local("--stream", "events:1", "--discard")
    client = server.client()
    for _ in range(4):
        assert client.put_records(StreamName="events", Records=records(500))["FailedRecordCount"] == 0
    assert server.stats()["accepted_records"] == 2000
    assert server.journal() == [] and read_shard(client, "events", "shardId-000000000000") == []


# Wire


def signed(server, body, target="PutRecords"):
    """The bytes of a signed request."""
    request = botocore.awsrequest.AWSRequest(
        "POST",
        server.endpoint + "/",
        data=body,
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202." + target},
    )
    credentials = botocore.credentials.Credentials(ACCESS_KEY, SECRET_KEY)
    botocore.auth.SigV4Auth(credentials, "kinesis", REGION).add_auth(request)
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    host = server.endpoint.removeprefix("http://")
    return f"POST / HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_pipelined_requests_are_answered_in_order(kinesis_local):
    bodies = [
        json.dumps({"StreamName": "events", "Records": [{"Data": "eA==", "PartitionKey": "k"}] * n}).encode()
        for n in range(1, 20)
    ]
    with socket.create_connection(("127.0.0.1", kinesis_local.port), timeout=10) as connection:
        connection.sendall(b"".join(signed(kinesis_local, body) for body in bodies))
        stream = connection.makefile("rb")
        for n in range(1, 20):
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert len(json.loads(stream.read(length))["Records"]) == n


@pytest.mark.parametrize(
    "body, code",
    [
        (b"", "SerializationException"),
        (b"not json", "SerializationException"),
        (b'{"StreamName":"events","Records":[{"Data":"!","PartitionKey":"k"}]}', "SerializationException"),
        (b'{"StreamName":"events"}', "ValidationException"),
        (b'{"StreamName":"events","Records":[{"Data":"eA=="}]}', "ValidationException"),
        (b'{"Records":[{"Data":"eA==","PartitionKey":"k"}]}', "InvalidArgumentException"),
    ],
)
def test_bodies_that_are_no_request_are_refused(kinesis_local, body, code):
    with socket.create_connection(("127.0.0.1", kinesis_local.port), timeout=10) as connection:
        connection.sendall(signed(kinesis_local, body))
        answer = connection.recv(1 << 16)
    assert b"400 Bad Request" in answer and f'"__type":"{code}"'.encode() in answer


def test_a_fault_file_that_cannot_be_read_is_said(tmp_path):
    output = subprocess.run(
        [program("kinesis-local"), "--port", "0", "--faults", str(tmp_path / "missing")],
        capture_output=True,
        timeout=20,
    )
    assert output.returncode != 0 and b"Cannot read the faults in" in output.stderr
