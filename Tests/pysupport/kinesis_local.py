# SPDX-License-Identifier: Apache-2.0
"""kinesis-local as a child process, clients for it, and ways to read streams back."""

import json
import select
import subprocess
import urllib.error
import urllib.request

import boto3
import botocore.config

from programs import program

ACCESS_KEY = "test"
SECRET_KEY = "test"
REGION = "us-east-1"


class KinesisLocal:
    """A kinesis-local process, on a free port unless one is named."""

    def __init__(self, *arguments, port=0):
        self.process = subprocess.Popen(
            [program("kinesis-local"), "--port", str(port), *arguments], stdout=subprocess.PIPE, text=True
        )
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        line = self.process.stdout.readline() if ready else ""
        if " listening on http://" not in line:
            self.stop()
            raise RuntimeError(f"kinesis-local did not start: {line!r}")
        self.endpoint = line.rsplit(" ", 1)[1].strip()
        self.port = int(self.endpoint.rsplit(":", 1)[1])

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    # Clients.

    def client(
        self,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        session_token=None,
        attempts=1,
        read_timeout=10,
        parameter_validation=True,
    ):
        """A boto3 client; by default without retries, so that tests see each answer."""
        return boto3.session.Session().client(
            "kinesis",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=session_token,
            config=botocore.config.Config(
                retries={"total_max_attempts": attempts, "mode": "standard"},
                read_timeout=read_timeout,
                connect_timeout=5,
                parameter_validation=parameter_validation,
            ),
        )

    # The control API.

    def control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_control/{path}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{error.code}: {error.read().decode()}") from None

    def add_faults(self, *rules):
        return json.loads(self.control("POST", "faults", list(rules)))["ids"]

    def clear_faults(self):
        self.control("DELETE", "faults")

    def outage(self, milliseconds):
        """Nobody listens for so long; open connections are reset."""
        self.control("POST", "outage", {"for_ms": milliseconds})

    def stats(self):
        return json.loads(self.control("GET", "stats"))

    def reshard(self, stream, **change):
        return json.loads(self.control("POST", "reshard", {"stream": stream, **change}))["open_shards"]

    def journal(self, stream=None, data="base64", page=10000):
        """All accepted records in the order of acceptance, as dictionaries."""
        entries, following = [], 1
        while True:
            query = f"journal?from={following}&limit={page}&data={data}" + (f"&stream={stream}" if stream else "")
            lines = self.control("GET", query).splitlines()
            if not lines:
                return entries
            entries.extend(json.loads(line) for line in lines)
            following = entries[-1]["index"] + 1


def read_shard(client, stream, shard_id, limit=10000):
    """The records of a shard from its beginning to where it ends now, in order."""
    iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
    iterator, records = iterator["ShardIterator"], []
    while iterator:
        answer = client.get_records(ShardIterator=iterator, Limit=limit)
        records.extend(answer["Records"])
        if not answer["Records"] and answer["MillisBehindLatest"] == 0:
            break
        iterator = answer.get("NextShardIterator")
    return records


def read_stream(client, stream):
    """Shard id to records; parents come before their children, so joining the values keeps each key's order."""
    shards = client.get_paginator("list_shards").paginate(StreamName=stream).build_full_result()["Shards"]
    return {shard["ShardId"]: read_shard(client, stream, shard["ShardId"]) for shard in shards}


def by_partition_key(shards):
    """Partition key to data in the order in which a consumer sees it, of what `read_stream` gave."""
    result = {}
    for records in shards.values():
        for record in records:
            result.setdefault(record["PartitionKey"], []).append(record["Data"])
    return result
