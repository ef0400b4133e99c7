# SPDX-License-Identifier: Apache-2.0
"""The Kinesis API of the agent, as AWS SDKs, the AWS CLI and the Java SDK's CBOR speak it."""

import base64
import json
import os
import subprocess

import boto3
import botocore.config
import botocore.exceptions
import pytest

from clients import Poster
from kinesis_local import ACCESS_KEY, REGION, SECRET_KEY, by_partition_key, read_stream
from waiting import wait_until

ALL_BYTES = bytes(range(256))


def sdk(agent, mode="standard", attempts=1, **options):
    """A boto3 client whose endpoint is the agent; its credentials are nobody's."""
    return boto3.session.Session().client(
        "kinesis",
        endpoint_url=f"http://127.0.0.1:{agent.port}",
        region_name=REGION,
        aws_access_key_id="anything",
        aws_secret_access_key="anything",
        config=botocore.config.Config(retries={"total_max_attempts": attempts, "mode": mode}, **options),
    )


def delivered(agent, kinesis_local):
    agent.wait_empty()
    return by_partition_key(read_stream(kinesis_local.client(), "events"))


def fault(call, **members):
    """The exception's name, its message and the status of a call that fails."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**members)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_records_arrive_as_they_were_put(agent, kinesis_local, mode):
    client = sdk(agent, mode, attempts=3)
    single = client.put_record(StreamName="events", Data=ALL_BYTES, PartitionKey="schlüssel-鍵-🔑")
    assert single["ShardId"] == "buffered" and int(single["SequenceNumber"]) > 0
    assert len(single["ResponseMetadata"]["RequestId"]) == 36
    assert single["ResponseMetadata"]["RetryAttempts"] == 0
    several = client.put_records(
        StreamName="events",
        Records=[{"Data": b"%d" % number, "PartitionKey": f"k{number % 3}"} for number in range(9)]
        + [{"Data": b"", "PartitionKey": "none"}],
    )
    assert several["FailedRecordCount"] == 0 and len(several["Records"]) == 10
    numbers = [int(record["SequenceNumber"]) for record in several["Records"]]
    assert numbers == list(range(numbers[0], numbers[0] + 10)) and numbers[0] > int(single["SequenceNumber"])
    assert delivered(agent, kinesis_local) == {
        "schlüssel-鍵-🔑": [ALL_BYTES],
        "k0": [b"0", b"3", b"6"],
        "k1": [b"1", b"4", b"7"],
        "k2": [b"2", b"5", b"8"],
        "none": [b""],
    }


def test_an_explicit_hash_key_chooses_the_shard(agent, kinesis_local):
    client = sdk(agent)
    for key in (0, 2**128 - 1):
        client.put_record(StreamName="events", Data=b"x", PartitionKey="same", ExplicitHashKey=str(key))
    agent.wait_empty()
    shards = read_stream(kinesis_local.client(), "events")
    assert [len(records) for records in shards.values()] == [1, 1]


def test_an_arn_names_stream_and_region(agent, kinesis_local):
    arn = f"arn:aws:kinesis:{REGION}:123456789012:stream/events"
    sdk(agent).put_record(StreamARN=arn, Data=b"x", PartitionKey="k", SequenceNumberForOrdering="7")
    assert delivered(agent, kinesis_local) == {"k": [b"x"]}
    other = arn.replace(REGION, "eu-west-1")
    assert fault(sdk(agent).put_record, StreamARN=other, Data=b"x", PartitionKey="k")[0] == "ResourceNotFoundException"


def test_500_records_and_more_than_5_mib_are_taken_and_no_more(agent):
    client = sdk(agent, parameter_validation=False)
    record = {"Data": b"x", "PartitionKey": "k"}
    assert len(client.put_records(StreamName="events", Records=[record] * 500)["Records"]) == 500
    code, message, status = fault(client.put_records, StreamName="events", Records=[record] * 501)
    assert (code, status) == ("ValidationException", 400) and "less than or equal to 500" in message
    large = {"Data": os.urandom(1_000_000), "PartitionKey": "k"}
    assert client.put_records(StreamName="events", Records=[large] * 6)["FailedRecordCount"] == 0
    code, message, status = fault(client.put_records, StreamName="events", Records=[large] * 11)
    assert (code, status) == ("InvalidArgumentException", 400) and "10 MB" in message
    assert agent.totals()["accepted"] == 506


def test_faults_are_the_exceptions_of_the_sdk(agent):
    client = sdk(agent, parameter_validation=False)
    good = {"StreamName": "events", "Data": b"x", "PartitionKey": "k"}
    for change, code in [
        ({"StreamName": "other"}, "ResourceNotFoundException"),
        ({"StreamName": "no such"}, "ValidationException"),
        ({"PartitionKey": ""}, "ValidationException"),
        ({"PartitionKey": "k" * 257}, "ValidationException"),
        ({"Data": b"x" * (1 << 20)}, "ValidationException"),
        ({"ExplicitHashKey": "-1"}, "ValidationException"),
        ({"ExplicitHashKey": str(2**128)}, "InvalidArgumentException"),
    ]:
        told, message, status = fault(client.put_record, **{**good, **change})
        assert (told, status) == (code, 400), (change, message)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.put_record(**{**good, "StreamName": "other"})
    with pytest.raises(client.exceptions.InvalidArgumentException):
        client.put_record(**{**good, "ExplicitHashKey": str(2**128)})
    code, message, _ = fault(client.get_shard_iterator, StreamName="events", ShardId="s", ShardIteratorType="LATEST")
    assert code == "AccessDeniedException" and "PutRecords" in message
    assert agent.totals()["accepted"] == 0


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_a_full_queue_is_a_fault_that_sdks_retry(start_agent, kinesis_local, mode):
    agent = start_agent(
        kinesis_local.endpoint, queue={"max_bytes": "1 MiB"}, listen={"max_request_bytes": "1 MiB"}
    )
    assert agent.ctl("pause", "events").returncode == 0
    client = sdk(agent, mode, attempts=2)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        for _ in range(20):
            client.put_record(StreamName="events", Data=b"x" * 100_000, PartitionKey="k")
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 1


def test_what_sdks_and_shippers_ask_first_is_answered(agent):
    client = sdk(agent)
    assert client.list_streams()["StreamNames"] == ["events"]
    summary = client.describe_stream_summary(StreamName="events")["StreamDescriptionSummary"]
    assert (summary["StreamStatus"], summary["OpenShardCount"], summary["MaxRecordSizeInKiB"]) == ("ACTIVE", 1, 1024)
    stream = client.describe_stream(StreamName="events")["StreamDescription"]
    assert stream["StreamARN"].endswith(":stream/events") and not stream["HasMoreShards"]
    (shard,) = client.get_paginator("list_shards").paginate(StreamName="events").build_full_result()["Shards"]
    assert shard["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
    client.get_waiter("stream_exists").wait(StreamName="events", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    assert fault(client.describe_stream, StreamName="other")[0] == "ResourceNotFoundException"


def aws(agent, *arguments):
    done = subprocess.run(
        ["aws", "kinesis", *arguments, "--endpoint-url", f"http://127.0.0.1:{agent.port}", "--region", REGION],
        capture_output=True,
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(agent.folder),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        },
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_the_aws_cli_speaks_to_the_agent(agent, kinesis_local):
    put = ("put-record", "--partition-key", "k", "--data", "hello", "--stream-name")
    status, out, err = aws(agent, *put, "events")
    assert status == 0, err
    assert json.loads(out)["ShardId"] == "buffered"
    status, _, err = aws(agent, *put, "other")
    assert status != 0 and "ResourceNotFoundException" in err
    assert delivered(agent, kinesis_local) == {"k": [b"hello"]}


# A request as the SDK for Java 2 writes it: maps and lists without length, blobs as byte strings.
JAVA_PUT_RECORDS = (
    b"\xbf\x67Records\x9f"
    b"\xbf\x64Data\x58\x1e" + bytes(range(226, 256)) + b"\x6cPartitionKey\x63key\xff"
    b"\xbf\x64Data\x45hello\x6fExplicitHashKey\x61\x30\x6cPartitionKey"
    b"\x62\xc3\xa4\xff\xff\x6aStreamName\x66events\xff"
)


def java(agent, operation, body):
    headers = {
        "Content-Type": "application/x-amz-cbor-1.1",
        "X-Amz-Target": f"Kinesis_20131202.{operation}",
        "amz-sdk-invocation-id": "8f9bd7ec-93ac-5ab5-ba4b-2b2a5b2b2f5a",
        "amz-sdk-request": "attempt=1; max=4",
        "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host",
        "User-Agent": "aws-sdk-java/2.25.0",
    }
    return Poster(agent).request("POST", "/", body, headers)


def test_the_java_sdks_cbor_is_spoken(agent, kinesis_local):
    answer = java(agent, "PutRecords", JAVA_PUT_RECORDS)
    assert answer.status == 200 and answer.headers["content-type"] == "application/x-amz-cbor-1.1", answer
    assert answer.body.startswith(b"\xbf\x71FailedRecordCount\x00\x67Records\x9f\xbf\x6eSequenceNumber"), answer
    assert answer.body.count(b"\x67ShardId\x68buffered\xff") == 2 and answer.body.endswith(b"\xff\xff\xff"), answer
    assert delivered(agent, kinesis_local) == {"key": [bytes(range(226, 256))], "ä": [b"hello"]}


def test_faults_are_told_in_cbor(agent):
    answer = java(agent, "PutRecords", JAVA_PUT_RECORDS.replace(b"\x66events", b"\x65other"))
    assert answer.status == 400 and answer.headers["x-amzn-errortype"] == "ResourceNotFoundException", answer
    assert answer.body.startswith(b"\xbf\x66__type\x78\x19ResourceNotFoundException\x67message"), answer
    assert java(agent, "PutRecords", JAVA_PUT_RECORDS[:-1]).status == 400
    assert java(agent, "ListStreams", b"\xbf\xff").body.startswith(b"\xbf\x6bStreamNames\x9f\x66events\xff")


def test_it_is_spoken_on_the_unix_socket(agent, kinesis_local):
    body = json.dumps(
        {"StreamName": "events", "Data": base64.b64encode(b"x").decode(), "PartitionKey": "k"}
    ).encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.PutRecord"}
    assert Poster(agent, unix=True).request("POST", "/", body, headers).json["ShardId"] == "buffered"
    assert delivered(agent, kinesis_local) == {"k": [b"x"]}


# listen.kinesis_api = "deliver"


@pytest.fixture
def delivering(start_agent, kinesis_local):
    return start_agent(kinesis_local.endpoint, listen={"kinesis_api": "deliver"})


def test_kinesis_own_numbers_are_given(delivering, kinesis_local):
    client = sdk(delivering)
    single = client.put_record(StreamName="events", Data=b"x", PartitionKey="k")
    several = client.put_records(
        StreamName="events", Records=[{"Data": b"%d" % number, "PartitionKey": f"{number}"} for number in range(500)]
    )
    told = {
        (record["ShardId"], record["SequenceNumber"])
        for record in [single, *several["Records"]]
    }
    assert several["FailedRecordCount"] == 0 and len(told) == 501
    assert told == {
        (shard, record["SequenceNumber"])
        for shard, records in read_stream(kinesis_local.client(), "events").items()
        for record in records
    }


def test_what_is_late_is_a_fault(start_agent, kinesis_local):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 3000})
    agent = start_agent(kinesis_local.endpoint, listen={"kinesis_api": "deliver", "put_wait": "300ms"})
    client = sdk(agent)
    code, _, status = fault(client.put_record, StreamName="events", Data=b"x", PartitionKey="k")
    assert (code, status) == ("InternalFailure", 500)
    answer = client.put_records(StreamName="events", Records=[{"Data": b"y", "PartitionKey": "k"}])
    assert answer["FailedRecordCount"] == 1 and answer["Records"][0]["ErrorCode"] == "InternalFailure"
    kinesis_local.clear_faults()
    assert delivered(agent, kinesis_local) == {"k": [b"x", b"y"]}


def test_nothing_is_kept_for_a_stream_that_takes_nothing(delivering):
    assert delivering.ctl("pause", "events").returncode == 0
    code, message, status = fault(sdk(delivering).put_record, StreamName="events", Data=b"x", PartitionKey="k")
    assert (code, status) == ("ServiceUnavailable", 503) and "agentctl status" in message
    wait_until(lambda: delivering.totals()["accepted"] == 0, "nothing was kept")
