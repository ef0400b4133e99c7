# SPDX-License-Identifier: Apache-2.0
"""agentctl against a running agent: what it prints, and its exit codes."""

import json
import re

import pytest

from clients import Poster
from ordering import base64_data
from waiting import wait_until

POISON = {"id": "poison", "action": "error", "code": "InvalidArgumentException", "data_contains": "poison"}
DENIED = {"id": "denied", "action": "error", "code": "AccessDeniedException", "message": "Not allowed."}


def test_status_as_json(agent):
    assert Poster(agent).post("events", b"x").status == 202
    agent.wait_empty()
    status = agent.status()
    assert set(status) == {"agent", "queue", "totals", "streams"}
    assert set(status["agent"]) >= {"version", "pid", "uptime_seconds", "state"}
    assert status["agent"]["state"] == "running" and status["agent"]["pid"] == agent.process.pid
    assert set(status["queue"]) == {"events", "bytes", "max_bytes", "oldest_age_seconds", "dead_letters"}
    names = {"accepted", "delivered", "dead_lettered", "expired", "evicted", "lost", "refused"}
    assert set(status["totals"]) == names
    (stream,) = status["streams"]
    assert set(stream) >= {
        *("name", "region", "state", "queued_events", "queued_bytes", "in_flight", "oldest_age_seconds"),
        *("delivered", "retries", "throttled", "limited_by", "last_error"),
    }
    assert (stream["name"], stream["region"], stream["state"]) == ("events", "us-east-1", "ok")
    assert stream["limited_by"] is None and stream["last_error"] is None and stream["delivered"] == 1
    assert status["queue"]["max_bytes"] == 256 << 20


def test_status_for_people(kinesis_local, start_agent):
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint)
    poster = Poster(agent)
    for _ in range(1234):
        assert poster.post("events", b"x" * 100).status == 202
    agent.wait_for_stream(lambda s: s["state"] == "parked" and s["last_error"], "is parked")
    done = agent.ctl("status")
    assert done.returncode == 0 and done.stderr == b""
    text = done.stdout.decode()
    assert "\x1b" not in text, "no colours into a pipe"
    first, *lines = text.splitlines()
    assert re.fullmatch(rf"agentd \S+  running  pid {agent.process.pid}  up \S.*", first)
    assert any("1,234 events" in line and "of 256.0 MiB" in line for line in lines), text
    assert any("accepted 1,234" in line and "delivered 0" in line for line in lines), text
    assert any(re.match(r"events@us-east-1 +parked +1,234 ", line) for line in lines), text
    assert any(line.startswith("  ! AccessDeniedException: ") for line in lines), text
    assert any(line.startswith("  > ") and "permission" in line or "kinesis:PutRecords" in line for line in lines), text


def test_status_balances_in_every_snapshot_while_much_goes_on(kinesis_local, start_agent, seed):
    kinesis_local.add_faults(
        POISON | {"action": "fail_record", "seed": seed}, {"action": "fail_record", "probability": 0.1, "seed": seed}
    )
    agent = start_agent(
        kinesis_local.endpoint,
        queue={"max_bytes": "1 MiB", "when_full": "drop-oldest"},
        listen={"max_request_bytes": "256 KiB", "max_event_bytes": "256 KiB"},
    )
    poster = Poster(agent)
    for n in range(60):
        body = b"".join(b'{"n":%d,"x":"%s"}\n' % (n, b"y" * 700) for _ in range(100)) + b'"poison"\n'
        assert poster.post("events", body, "application/x-ndjson").status == 202
        agent.status()
    agent.wait_empty(within=60)
    assert agent.totals()["accepted"] == 60 * 101


def test_peek_shows_the_oldest_and_leaves_them(kinesis_local, start_agent):
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint)
    poster = Poster(agent)
    first = poster.post("events", '{"é": "\n'.encode(), key="ann").json["first_id"]
    poster.post("events", bytes(range(256)))
    for n in range(30):
        poster.post("events", b"%d" % n, key="bob")
    done = agent.ctl("peek", "events", "--json", "--limit", "25")
    events = json.loads(done.stdout)
    assert done.returncode == 0 and [event["id"] for event in events] == list(range(first, first + 25))
    assert events[0]["data"] == '{"é": "\n' and events[0]["partition_key"] == "ann"
    assert base64_data({"data": events[1]["data_base64"]}) == bytes(range(256)) and "data" not in events[1]
    lines = agent.ctl("peek", "events").stdout.decode().splitlines()
    assert len(lines) == 10 and re.fullmatch(rf'{first}  \S+  ann  {{"é": "\\n', lines[0]), lines
    assert agent.status()["queue"]["events"] == 32
    unknown = agent.ctl("peek", "nobody")
    assert unknown.returncode == 1 and b"nobody" in unknown.stderr and unknown.stdout == b""


def test_send(agent, kinesis_local):
    assert agent.ctl("send", "events", "one", "two", "--partition-key", "k").returncode == 0
    done = agent.ctl("send", "events@us-east-1", "--partition-key", "k", input=bytes(range(256)))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"queued 1 event\n")
    done = agent.ctl("send", "events", "--ndjson", "--json", "--partition-key", "k", input=b'{"n":1}\n\n{"n":2}\r\n')
    assert json.loads(done.stdout)["accepted"] == 2
    bad = agent.ctl("send", "events", "--ndjson", input=b'{"n":1}\n{"n":\n')
    assert bad.returncode == 1 and b"line 2, column" in bad.stderr
    assert agent.ctl("send", "nobody", "x").returncode == 1
    agent.wait_empty()
    kept = [base64_data(entry) for entry in kinesis_local.journal()]
    assert kept == [b"one", b"two", bytes(range(256)), b'{"n":1}', b'{"n":2}']
    assert {entry["partition_key"] for entry in kinesis_local.journal()} == {"k"}


def test_flush_waits_for_an_empty_queue(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "delay", "delay_ms": 300})
    agent = start_agent(kinesis_local.endpoint)
    assert agent.ctl("send", "events", "x").returncode == 0
    assert agent.ctl("flush", "--timeout", "30").returncode == 0
    assert len(kinesis_local.journal()) == 1
    kinesis_local.clear_faults()
    kinesis_local.add_faults(DENIED)
    assert agent.ctl("send", "events", "y").returncode == 0
    done = agent.ctl("flush", "--timeout", "300ms")
    assert done.returncode == 1 and b"1 event" in done.stderr and agent.status()["queue"]["events"] == 1
    done = agent.ctl("flush", "--timeout", "0", "--json")
    assert done.returncode == 1 and json.loads(done.stdout) == {"empty": False, "queued_events": 1}
    kinesis_local.clear_faults()
    # It does not wait for the next probe's turn.
    assert agent.ctl("flush", "--timeout", "40").returncode == 0


def test_pause_and_resume(agent, kinesis_local):
    assert agent.ctl("pause", "events").returncode == 0
    assert agent.ctl("send", "events", "x").returncode == 0
    assert agent.stream()["state"] == "paused"
    agent.restart()
    assert agent.stream()["state"] == "paused" and agent.stream()["queued_events"] == 1
    assert kinesis_local.journal() == []
    assert agent.ctl("resume", "events").returncode == 0
    agent.wait_empty()
    assert agent.stream()["state"] == "ok"


def test_dead_letters(agent, kinesis_local):
    kinesis_local.add_faults(POISON)
    poster = Poster(agent)
    good = b"".join(b'{"n":%d}\n' % n for n in range(50))
    reply = poster.post("events", good + b'{"poison": 1}\n' + good, "application/x-ndjson").json
    poisoned = reply["first_id"] + 50
    wait_until(lambda: agent.status()["queue"]["dead_letters"] == 1, "it is dead-lettered", within=60)
    agent.wait_empty()
    assert len(kinesis_local.journal()) == 100
    assert agent.totals()["dead_lettered"] == 1 and agent.stream()["state"] == "ok"

    (listed,) = json.loads(agent.ctl("dead-letters", "list", "--json").stdout)
    assert listed["id"] == poisoned and listed["data"] == '{"poison": 1}', listed
    line = agent.ctl("dead-letters", "list", "events").stdout.decode()
    assert line.startswith(f"{poisoned}  events@us-east-1  ") and "InvalidArgumentException" in line
    shown = agent.ctl("dead-letters", "show", str(poisoned))
    assert shown.returncode == 0
    assert b'{"poison": 1}' in shown.stdout and b"InvalidArgumentException" in shown.stdout
    missing = agent.ctl("dead-letters", "show", "999999")
    assert missing.returncode == 1 and b"999999" in missing.stderr

    # Requeued while the fault is still there it comes back, with a new id; then it goes through.
    assert agent.ctl("dead-letters", "requeue", str(poisoned)).returncode == 0
    agent.ctl("send", "events", "healthy")
    wait_until(lambda: agent.status()["queue"]["dead_letters"] == 1, "it is dead-lettered again", within=60)
    (again,) = json.loads(agent.ctl("dead-letters", "list", "--json").stdout)
    assert again["id"] > poisoned
    kinesis_local.clear_faults()
    counted = agent.ctl("dead-letters", "requeue", "--all", "events")
    assert counted.returncode == 1 and b"1 dead letter" in counted.stderr and b"--yes" in counted.stderr
    assert agent.status()["queue"]["dead_letters"] == 1
    assert agent.ctl("dead-letters", "requeue", "--all", "events", "--yes").returncode == 0
    agent.wait_empty()
    totals = agent.totals()
    assert totals["accepted"] == totals["delivered"] == 102 and totals["dead_lettered"] == 0
    assert base64_data(kinesis_local.journal()[-1]) == b'{"poison": 1}'


def test_purging_dead_letters(kinesis_local, start_agent):
    kinesis_local.add_faults(POISON)
    agent = start_agent(kinesis_local.endpoint)
    poster = Poster(agent)
    for n in range(5):
        body = b'"good"\n{"poison": %d}\n"good"\n' % n
        assert poster.post("events", body, "application/x-ndjson").status == 202
    wait_until(lambda: agent.status()["queue"]["dead_letters"] == 5, "they are dead letters", within=60)
    agent.wait_empty()
    first, *others = [letter["id"] for letter in json.loads(agent.ctl("dead-letters", "list", "--json").stdout)]

    counted = agent.ctl("dead-letters", "purge", "--stream", "events")
    assert counted.returncode == 1 and b"would purge 5 dead letters" in counted.stderr and b"--yes" in counted.stderr
    assert agent.status()["queue"]["dead_letters"] == 5
    young = agent.ctl("dead-letters", "purge", "--all", "--older-than", "1d", "--yes", "--json")
    assert young.returncode == 0 and json.loads(young.stdout)["events"] == 0
    assert agent.ctl("dead-letters", "purge", "--stream", "nobody", "--yes").returncode == 1

    assert agent.ctl("dead-letters", "purge", str(first), "--yes").returncode == 0
    assert [letter["id"] for letter in json.loads(agent.ctl("dead-letters", "list", "--json").stdout)] == others
    again = agent.ctl("dead-letters", "purge", str(first), "--yes")
    assert again.returncode == 1 and b"1 of these ids" in again.stderr
    done = agent.ctl("dead-letters", "purge", "--all", "--yes")
    assert done.returncode == 0 and b"purged 4 dead letters" in done.stderr
    status = agent.status()
    assert status["queue"]["dead_letters"] == 0
    totals = status["totals"]
    assert totals["dead_lettered"] == 5, "what was purged stays counted"
    assert totals["accepted"] == 15 and totals["delivered"] == 10


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["stauts"], ["peek"], ["peek", "events", "--limit", "0"]),
        *(["send", "bad name", "x"], ["flush", "--timeout", "x"], ["help", "stauts"], ["dead-letters", "lst"]),
    ],
)
def test_usage(agent, arguments):
    done = agent.ctl(*arguments)
    assert done.returncode == (0 if not arguments else 64), done
    assert b"USAGE" in done.stdout + done.stderr or b"Usage" in done.stderr
    if "stauts" in arguments:
        assert b"'stauts'. Did you mean 'status'?" in done.stderr


def test_an_agent_that_is_not_there(agent):
    assert agent.stop() == 0
    for verb in [["status"], ["peek", "events"], ["send", "events", "x"], ["flush"], ["dead-letters", "list"]]:
        done = agent.ctl(*verb)
        assert done.returncode == 69 and agent.control.encode() in done.stderr and done.stdout == b"", verb
    done = agent.ctl("status", "--control", "/nowhere/else.sock")
    assert done.returncode == 69 and b"/nowhere/else.sock" in done.stderr


def test_streams(agent):
    done = agent.ctl("streams", "--json")
    assert done.returncode == 0 and [s["name"] for s in json.loads(done.stdout)] == ["events"]
    assert b"events" in agent.ctl("streams").stdout


def test_status_of_one_stream_and_what_each_refused_and_buried(kinesis_local, start_agent):
    kinesis_local.add_faults(POISON)
    agent = start_agent(kinesis_local.endpoint, listed=("events", "others"))
    poster = Poster(agent)
    for data in (b"poison", b"healthy"):
        assert poster.post("events", data).status == 202
    wait_until(lambda: agent.stream()["dead_letters"] == 1, "a dead letter")
    assert poster.post("others", b"fine").status == 202
    both = agent.ctl("status").stdout.decode()
    assert re.search(r"^streams .*\bok", both, re.M), both
    one = json.loads(agent.ctl("status", "others", "--json").stdout)
    assert [(s["name"], s["dead_letters"], s["refused"]) for s in one["streams"]] == [("others", 0, 0)]
    assert b"others@" not in agent.ctl("status", "events@us-east-1").stdout
    none = agent.ctl("status", "nowhere")
    assert none.returncode == 1 and b"nowhere" in none.stderr and none.stdout == b""
