# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the conformance tests: a kinesis-local of their own, and clients for it."""

import pytest

from kinesis_local import KinesisLocal


@pytest.fixture
def start_kinesis_local():
    """Starts servers with arguments of the test's choice, and ends them after it."""
    servers = []

    def start(*arguments):
        servers.append(KinesisLocal(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def kinesis_local(start_kinesis_local):
    """A server with one stream, `events`, of two shards."""
    return start_kinesis_local("--stream", "events:2")


@pytest.fixture
def kinesis(kinesis_local):
    """A boto3 client of `kinesis_local`, without retries."""
    return kinesis_local.client()
