# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests: agentd, kinesis-local and moto's server as child processes."""

import os
import random
import subprocess
import sys

import boto3
import pytest

from agent import Agent
from kinesis_local import ACCESS_KEY, REGION, SECRET_KEY, KinesisLocal
from waiting import free_port, wait_until


def pytest_terminal_summary(terminalreporter):
    """What tests measured, which is worth knowing when they pass."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties if report.when == "call" else []:
            if name == "measured":
                terminalreporter.write_line(f"{report.nodeid.split('::')[-1]}: {value}")


@pytest.fixture
def seed():
    """Of all that a test draws. AGENTD_TEST_SEED repeats one; pytest prints it when the test fails."""
    value = int(os.environ.get("AGENTD_TEST_SEED", random.SystemRandom().getrandbits(32)))
    print(f"AGENTD_TEST_SEED={value}")
    return value


@pytest.fixture
def start_kinesis_local():
    """Starts servers with arguments of the test's choice, and ends them after it."""
    servers = []

    def start(*arguments, **options):
        servers.append(KinesisLocal(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def kinesis_local(start_kinesis_local):
    """A server with one stream, `events`, of two shards."""
    return start_kinesis_local("--stream", "events:2")


@pytest.fixture
def make_agent(request):
    """Makes agents, not started; ends them after the test, and shows their logs where it failed."""
    agents = []

    def make(*arguments, **options):
        agents.append(Agent(*arguments, **options))
        return agents[-1]

    yield make
    for agent in agents:
        print(f"--- {agent.log_path}\n{agent.log()[-8000:]}")
        agent.close()


@pytest.fixture
def start_agent(make_agent):
    """Makes and starts agents."""
    return lambda *arguments, **options: make_agent(*arguments, **options).start()


@pytest.fixture
def agent(start_agent, kinesis_local):
    """An agent that delivers `events` to `kinesis_local`."""
    return start_agent(kinesis_local.endpoint)


class Moto:
    """moto's server: an implementation of Kinesis that shares nothing with this project."""

    def __init__(self):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.is_ready, "moto's server is ready", within=60, every=0.1)

    def is_ready(self):
        try:
            return self.client().list_streams()
        except Exception as error:
            assert self.process.poll() is None, "moto's server ended: is moto[server] installed?"
            print(error)

    def client(self):
        return boto3.client(
            "kinesis",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def create(self, stream, shards):
        client = self.client()
        client.create_stream(StreamName=stream, ShardCount=shards)
        client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 20})

    def stop(self):
        self.process.kill()
        self.process.wait(timeout=10)


@pytest.fixture(scope="session")
def moto():
    server = Moto()
    yield server
    server.stop()
