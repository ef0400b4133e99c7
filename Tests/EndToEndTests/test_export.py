# SPDX-License-Identifier: Apache-2.0
"""Queued events carried out of one agent, running or dead, and into another; and the file checked."""

import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest

from clients import Poster, send_lines
from kinesis_local import by_partition_key, read_stream
from programs import program
from waiting import wait_until

ALL_BYTES = bytes(range(256))
NOWHERE = "http://127.0.0.1:9"


def fill(agent):
    """Events of every kind, none of which can be delivered; what Kinesis is to get of them in the end."""
    poster = Poster(agent)
    assert poster.post("events", ALL_BYTES, key="schlüssel-鍵-🔑").status == 202
    assert poster.post("events", "ünï\u202ecode \x1b[31m\n\n".encode(), key="schlüssel-鍵-🔑").status == 202
    assert poster.post_lines("events", [{"n": number} for number in range(1200)]).status == 202
    line = b'{"stream":"events","partition_key":"h","explicit_hash_key":"340282366920938463463374607431768211455","event":1}\n'
    assert send_lines(agent.socket, line)[-1] == {"acked": 1}
    empty = {"X-Amz-Target": "Kinesis_20131202.PutRecord", "Content-Type": "application/x-amz-json-1.1"}
    body = b'{"StreamName":"events","Data":"","PartitionKey":"empty"}'
    assert poster.request("POST", "/", body, empty).status == 200
    return 1204


def export(agent, *arguments):
    done = agent.ctl("export", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_delivered(agent, kinesis_local):
    agent.wait_empty()
    records = read_stream(kinesis_local.client(), "events")
    by_key = by_partition_key(records)
    assert by_key["schlüssel-鍵-🔑"] == [ALL_BYTES, "ünï\u202ecode \x1b[31m\n\n".encode()]
    assert by_key["empty"] == [b""] and by_key["h"] == [b"1"]
    # The hash key chose the last shard.
    assert any(b"1" in [record["Data"] for record in shard] for shard in list(records.values())[-1:])
    rest = sorted(json.loads(data)["n"] for data in sum(by_key.values(), []) if data.startswith(b'{"n"'))
    assert rest == list(range(1200))


def offline(*arguments, within=60):
    """agentctl with no agent to talk to."""
    env = {**os.environ, "AGENTD_CONTROL": "/nowhere"}
    return subprocess.run([program("agentctl"), *arguments], capture_output=True, timeout=within, env=env)


@pytest.mark.parametrize("is_dead", [False, True])
def test_an_export_is_imported_without_loss(start_agent, kinesis_local, is_dead):
    source = start_agent(NOWHERE)
    count = fill(source)
    if is_dead:
        source.kill()
        lines = export(source, "all", "--database", source.database)
    else:
        lines = export(source, "events")
    events = [json.loads(line) for line in lines.splitlines()]
    assert len(events) == count and [event["id"] for event in events] == list(range(1, count + 1))
    assert {(event["stream"], event["region"]) for event in events} == {("events", "us-east-1")}
    assert b"\x1b" not in lines and "\u202e" not in lines.decode(), "a terminal is safe from them"
    target = start_agent(kinesis_local.endpoint)
    done = target.ctl("import", input=lines)
    assert (done.returncode, done.stderr) == (0, b"imported 1,204 events\n")
    assert target.totals()["accepted"] == count
    check_delivered(target, kinesis_local)


def test_an_import_names_the_line_that_is_none_and_what_is_queued(agent):
    good = b'{"stream":"events","region":"us-east-1","id":1,"age_seconds":0,"bytes":1,"partition_key":"k","data":"x"}\n'
    for bad in (b"{}\n", b"x\n", b'{"stream":"events","region":"us-east-1","id":1,"age_seconds":0,"data_base64":"!"}\n'):
        done = agent.ctl("import", input=good * 3 + b"\n" + bad + good)
        assert done.returncode == 1 and b"line 5 " in done.stderr, done.stderr
    assert agent.ctl("import", input=good, within=30).returncode == 0
    done = agent.ctl("import", "--stream", "nowhere", input=good)
    assert done.returncode == 1 and b"nowhere" in done.stderr
    assert agent.ctl("import", input=b"").returncode == 0


def test_verify_finds_a_sound_file_sound(start_agent):
    agent = start_agent(NOWHERE)
    fill(agent)
    running = offline("verify", "--database", agent.database)
    assert running.returncode == 1 and b"Another process uses the queue" in running.stderr
    agent.kill()
    before = {name: open(os.path.join(agent.folder, name), "rb").read() for name in os.listdir(agent.folder) if "queue.db" in name}
    done = offline("verify", "--database", agent.database)
    assert done.returncode == 0 and b"is sound: 1,204 queued events, 0 dead letters" in done.stdout, done
    report = json.loads(offline("verify", "--json", "--database", agent.database).stdout)
    assert report["sound"] is True and report["streams"][0]["queued_events"] == 1204
    for name, data in before.items():
        if not name.endswith((".lock", "-shm")):
            assert open(os.path.join(agent.folder, name), "rb").read() == data, name
    agent.start()
    assert agent.totals()["accepted"] == 1204


@pytest.mark.parametrize(
    "change, found",
    [
        ("UPDATE event_1 SET data = x'00' WHERE id = 7", b"Of the queued events, 1 is not what was stored: 7."),
        ("DELETE FROM event_1 WHERE id = 7", b"The totals say 1204 queued events, and 1203 are there."),
        ("UPDATE total SET accepted = accepted + 2", b"do not balance: 2 "),
    ],
)
def test_verify_names_what_is_wrong(start_agent, change, found):
    agent = start_agent(NOWHERE)
    fill(agent)
    agent.stop()
    with sqlite3.connect(agent.database) as database:
        database.execute(change)
    database.close()
    done = offline("verify", "--database", agent.database)
    assert done.returncode == 1 and found in done.stdout, done
    assert b"is not sound" in done.stdout
    assert json.loads(offline("verify", "--json", "--database", agent.database).stdout)["sound"] is False
    if b"not what was stored" in found:
        done = offline("export", "all", "--database", agent.database)
        assert done.returncode == 1 and b"left out as damaged: 1 event." in done.stderr, done.stderr
        assert len(done.stdout.splitlines()) == 1203


def test_a_file_that_is_none_is_named(tmp_path):
    for path, words in [
        (tmp_path / "missing.db", b"No such file"),
        (tmp_path, b"is a folder"),
        ("/etc/passwd", b"/etc/passwd"),
    ]:
        for verb in (["verify"], ["export", "all"]):
            done = offline(*verb, "--database", path)
            assert done.returncode == 1 and words in done.stderr, done
            assert b"agentctl: " in done.stderr and done.stdout == b""


@pytest.mark.parametrize("end", ["signal", "reader"])
def test_no_copy_is_left_behind(start_agent, tmp_path, end):
    agent = start_agent(NOWHERE)
    for _ in range(20):
        assert Poster(agent).post_lines("events", ["x" * 1000] * 1000).status == 202
    agent.kill()
    client = subprocess.Popen(
        [program("agentctl"), "export", "all", "--database", agent.database],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    client.stdout.read(1000)
    assert os.listdir(tmp_path)
    if end == "signal":
        client.send_signal(signal.SIGINT)
    else:
        client.stdout.close()
    assert client.wait(30) != 0
    wait_until(lambda: not os.listdir(tmp_path), "the copy is gone")
