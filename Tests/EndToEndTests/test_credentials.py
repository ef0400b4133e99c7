# SPDX-License-Identifier: Apache-2.0
"""Without working credentials events are kept, status says what to do, and delivery begins once they are there."""

import pytest

from clients import Poster
from kinesis_local import ACCESS_KEY, SECRET_KEY
from machine import BASE_SECRET, IDENTITY_TOKEN, ROLE, Machine
from waiting import wait_until

NONE = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


def write_profile(agent, key=ACCESS_KEY, secret=SECRET_KEY, name="default", token=None):
    """Into a new file that takes the old one's place, as careful tools do."""
    folder = agent.folder / ".aws"
    folder.mkdir(exist_ok=True)
    lines = [f"[{name}]", f"aws_access_key_id = {key}", f"aws_secret_access_key = {secret}"]
    if token:
        lines.append(f"aws_session_token = {token}")
    (folder / "new").write_text("\n".join(lines) + "\n")
    (folder / "new").rename(folder / "credentials")


def parked(agent, code):
    status = agent.wait_for_stream(lambda s: s["state"] == "parked" and s["last_error"], "is parked")
    assert status["last_error"]["code"] == code, status
    assert status["queued_events"] > 0
    return status["last_error"]


def test_credentials_that_appear_later(kinesis_local, start_agent):
    agent = start_agent(kinesis_local.endpoint, environment=NONE)
    poster = Poster(agent)
    for n in range(20):
        assert poster.post("events", b"%d" % n, key="k").status == 202
    error = parked(agent, "no_credentials")
    assert "credentials" in error["remedy"]
    # No credentials means no attempt.
    assert kinesis_local.stats()["requests"].get("PutRecords", 0) == 0
    agent.restart()
    assert agent.stream()["queued_events"] == 20

    write_profile(agent)
    agent.wait_empty(within=60)
    wait_until(lambda: agent.stream()["state"] == "ok", "the stream is ok again")
    assert len(kinesis_local.journal()) == 20


@pytest.mark.parametrize(
    "key, secret, code",
    [
        ("AKIAWRONG", SECRET_KEY, "UnrecognizedClientException"),
        (ACCESS_KEY, "not-the-secret", "InvalidSignatureException"),
    ],
)
def test_wrong_credentials_that_are_corrected(kinesis_local, make_agent, key, secret, code):
    agent = make_agent(kinesis_local.endpoint, environment=NONE)
    write_profile(agent, key, secret)
    agent.start()
    assert Poster(agent).post("events", b"event").status == 202
    error = parked(agent, code)
    assert "credentials" in error["remedy"]
    assert "not-the-secret" not in agent.log() + str(error)
    write_profile(agent)
    agent.wait_empty(within=60)


def test_credentials_that_are_rotated(start_kinesis_local, make_agent):
    kinesis_local = start_kinesis_local("--stream", "events:1", "--session-token", "first")
    agent = make_agent(kinesis_local.endpoint, environment=NONE | {"AWS_PROFILE": "edge"})
    write_profile(agent, name="edge", token="first")
    agent.start()
    poster = Poster(agent)
    assert poster.post("events", b"1").status == 202
    agent.wait_empty()
    # The old ones end, and the new ones come a little later.
    renewed = {"access_key": "AKIANEW", "secret_key": "new", "session_token": "second"}
    kinesis_local.control("PUT", "access-key", renewed)
    assert poster.post("events", b"2").status == 202
    parked(agent, "UnrecognizedClientException")
    write_profile(agent, "AKIANEW", "new", name="edge", token="second")
    agent.wait_empty(within=60)
    assert len(kinesis_local.journal()) == 2


def test_a_profile_that_does_not_exist(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint, environment=NONE, aws={"profile": "nobody"})
    write_profile(agent)
    agent.start()
    assert Poster(agent).post("events", b"event").status == 202
    assert "nobody" in parked(agent, "no_credentials")["message"]


def test_a_clock_that_is_wrong(kinesis_local, start_agent):
    # Corrected from the Date of the refusal: no operator is needed.
    kinesis_local.add_faults({"action": "clock", "offset_seconds": 4000})
    agent = start_agent(kinesis_local.endpoint)
    assert Poster(agent).post("events", b"event").status == 202
    agent.wait_empty(within=60)
    assert len(kinesis_local.journal()) == 1


@pytest.fixture
def machine():
    server = Machine(ACCESS_KEY, SECRET_KEY, "first-session-token")
    yield server
    server.close()


def of_the_instance(agent, machine):
    # A metadata service is never asked through a proxy; this one is nobody.
    agent.environment |= {
        "AWS_EC2_METADATA_DISABLED": None,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": machine.url.replace("127.0.0.1", "localhost"),
        "http_proxy": "http://127.0.0.1:1",
        "no_proxy": "127.0.0.1",
    }


def of_a_process(agent, machine):
    program = agent.folder / "give credentials"
    program.write_text(f'#!/bin/sh\nexec curl -s --noproxy "*" "{machine.url}/process"\n')
    program.chmod(0o700)
    agent.config["aws"]["profile"] = "process"
    config = agent.folder / ".aws" / "config"
    config.parent.mkdir()
    config.write_text(f"[profile process]\ncredential_process = '{program}' --for agentd\n")


def of_a_web_identity(agent, machine):
    token = agent.folder / "token"
    token.write_text(IDENTITY_TOKEN)
    agent.environment |= {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_ARN": ROLE,
        "AWS_ENDPOINT_URL_STS": machine.url,
    }


def of_an_assumed_role(agent, machine):
    write_profile(agent, "AKIABASE", BASE_SECRET, name="base", token="base-session-token")
    agent.environment |= {"AWS_PROFILE": "edge", "AWS_ENDPOINT_URL_STS": machine.url}
    config = agent.folder / ".aws" / "config"
    config.write_text(f"[profile edge]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = an id/&=\n")


@pytest.mark.parametrize("place", [of_the_instance, of_a_process, of_a_web_identity, of_an_assumed_role])
def test_credentials_of_a_machine_that_are_rotated(start_kinesis_local, make_agent, machine, place):
    kinesis_local = start_kinesis_local("--stream", "events:1", "--session-token", "first-session-token")
    agent = make_agent(kinesis_local.endpoint, environment=NONE)
    place(agent, machine)
    agent.start()
    poster = Poster(agent)
    assert poster.post("events", b"1").status == 202
    agent.wait_empty(within=30)
    # The service takes the old ones no more, which has the new ones got.
    machine.rotate("AKIANEW", "a-new-secret-key", "second-session-token")
    renewed = {"access_key": "AKIANEW", "secret_key": "a-new-secret-key", "session_token": "second-session-token"}
    kinesis_local.control("PUT", "access-key", renewed)
    assert poster.post("events", b"2").status == 202
    agent.wait_empty(within=60)
    assert len(kinesis_local.journal()) == 2
    assert machine.faults == []
    told = agent.log() + str(agent.status())
    hidden = [secret for secret in machine.secrets if secret != SECRET_KEY]
    for secret in hidden + [BASE_SECRET, "base-session-token", IDENTITY_TOKEN]:
        assert secret not in told


def test_a_process_that_fails_is_told_of_without_secrets(kinesis_local, make_agent):
    agent = make_agent(kinesis_local.endpoint, environment=NONE)
    config = agent.folder / ".aws" / "config"
    config.parent.mkdir()
    script = agent.folder / "script"
    script.write_text("echo no such host, and the password is $1 >&2; exit 4\n")
    config.write_text(f"[default]\ncredential_process = /bin/sh {script} hush-hush-hush\n")
    agent.start()
    assert Poster(agent).post("events", b"event").status == 202
    message = parked(agent, "no_credentials")["message"]
    assert "exit status 4" in message and "no such host" in message
    assert "hush-hush-hush" not in message + agent.log()
