# SPDX-License-Identifier: Apache-2.0
"""What users of other agents had to complain about, as facts about this one. Each is held by the tests named here;
where one of them is of this file, its first line names the complaint.

vectordotdev/vector#359
    test_throttled_records_inside_a_200_are_sent_again
    test_order_survives_partial_failures_and_throttled_shards
influxdata/telegraf#8818
    test_an_error_of_kinesis_is_never_taken_for_success
    test_status_balances_in_every_snapshot_while_much_goes_on
awslabs/amazon-kinesis-producer#23
    test_a_key_that_failed_is_not_overtaken_by_itself
    test_order_survives_partial_failures_and_throttled_shards
vectordotdev/vector#18491
    test_an_expired_token_parks_the_stream_and_drops_nothing
    test_credentials_that_are_rotated
vectordotdev/vector#13211
    test_without_credentials_nothing_is_tried_and_nothing_is_lost
    test_credentials_that_appear_later
fluent/fluent-bit#309
    test_an_event_is_not_given_up_however_often_it_fails
fluent/fluent-bit#10369
    test_what_is_refused_for_good_is_put_aside_alone_and_not_tried_for_ever
    test_dead_letters
fluent/fluent-bit#2159
    test_only_the_entries_that_failed_are_sent_again
    test_each_fault_alone
fluent/fluent-bit#10229
    test_what_is_not_kept_is_refused_and_said_to_be
    test_a_full_queue_refuses_and_takes_events_again_when_there_is_room
    test_lines_wait_while_the_queue_is_full
fluent/fluent-bit#11847
    test_a_record_that_cannot_be_read_stops_no_other
    test_a_damaged_file_is_put_aside_and_what_can_be_read_is_carried_over
fluent/fluent-bit#5166
    test_a_large_backlog_is_not_loaded_at_the_start
fluent/fluent-bit#3060
    test_the_quota_is_exact_after_a_kill_at_the_limit
vectordotdev/vector#17644
    test_a_torn_log_keeps_it_neither_from_starting_nor_from_stopping
    test_what_was_acknowledged_survives_kills
    test_a_queue_whose_head_is_scrambled_is_still_the_agents
open-telemetry/opentelemetry-collector#7198
    test_a_disk_without_a_free_byte_is_drained_by_the_reserve
    test_a_full_disk_stops_intake_only_and_intake_resumes_by_itself
open-telemetry/opentelemetry-collector-contrib#35899
    test_a_torn_log_keeps_it_neither_from_starting_nor_from_stopping
    acknowledgesAfterASyncAndSettlesWithoutOne
    test_a_damaged_file_is_put_aside_and_what_can_be_read_is_carried_over
redpanda-data/connect#2408
    test_the_file_shrinks_once_it_is_drained
    test_a_full_queue_refuses_and_takes_events_again_when_there_is_room
awslabs/amazon-kinesis-producer#21
    test_memory_stays_small_after_a_burst_and_throttling
    test_a_shard_that_takes_its_rate_and_no_more
awslabs/amazon-kinesis-producer#463
    test_nothing_but_put_records_is_asked_of_kinesis
awslabs/amazon-kinesis-agent#129
    test_a_queue_on_tmpfs_draws_a_warning
    warnsOfFileSystemsThatForget
awslabs/amazon-kinesis-agent#13
    test_wrong_credentials_and_wrong_names_are_said_at_once
    test_wrong_credentials_that_are_corrected
aws-greengrass/aws-greengrass-stream-manager-sdk-python#21
    test_room_is_free_again_with_each_event_that_is_delivered
    test_partition_keys
"""

import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import threading

import pytest

from checker import judge
from clients import Poster, send_lines
from ordering import base64_data, check_order, delivered_numbers
from waiting import wait_until
from weather import error

KEYED = [{"name": "events", "partition_key": "/k"}]
NO_CREDENTIALS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
DENIED = {"id": "denied", **error("AccessDeniedException")}
EVENT = b"x" * 10_000
ONE_MIB = {"queue": {"max_bytes": "1 MiB"}, "listen": {"max_request_bytes": "256 KiB", "max_event_bytes": "256 KiB"}}


def post_numbers(agent, keys, numbers, **more):
    """One request a number; what was acknowledged."""
    poster = Poster(agent)
    for n in numbers:
        answer = poster.post_lines("events", [{"k": key, "n": n, **more} for key in keys])
        assert answer.status == 202 and answer.json["accepted"] == len(keys), answer
    poster.close()
    return {key: list(numbers) for key in keys}


def parked(agent, code):
    stream = agent.wait_for_stream(lambda s: s["state"] == "parked" and s["last_error"], "is parked")
    assert stream["last_error"]["code"] == code, stream
    return stream


def fill(agent, key="stuck"):
    """Posts large events until one is refused; how many there was room for, and the refusal."""
    poster = Poster(agent)
    for count in range(1000):
        answer = poster.post("events", EVENT, key=key)
        if answer.status != 202:
            return count, answer
    raise AssertionError("it was never full")


def recover(kinesis_local, agent):
    """Faults end, and everything is delivered, without waiting for the end of backoffs."""
    kinesis_local.clear_faults()
    assert agent.ctl("flush").returncode == 0


def megabytes(agent, field):
    """Of /proc/PID/status, as VmRSS, or VmHWM: the most there ever was of it."""
    status = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


# What Kinesis says is believed, entry by entry.


def test_throttled_records_inside_a_200_are_sent_again(kinesis_local, start_agent):
    """vector#359: records that were throttled in a successful answer were taken for delivered, and vanished."""
    kinesis_local.add_faults({"action": "fail_record", "probability": 0.3, "count": 60, "seed": 1})
    agent = start_agent(kinesis_local.endpoint, KEYED)
    acknowledged = post_numbers(agent, [f"key-{n}" for n in range(100)], range(5))
    agent.wait_empty(within=60)
    refused = kinesis_local.stats()["refused_records"]["ProvisionedThroughputExceededException"]
    assert refused == 60 == agent.stream()["throttled"]
    check_order(delivered_numbers(kinesis_local.journal()), acknowledged, repeats_allowed=False)


def test_an_error_of_kinesis_is_never_taken_for_success(kinesis_local, agent):
    """telegraf#8818: errors were logged, and the events counted as written."""
    kinesis_local.add_faults(DENIED)
    for code in ["AccessDeniedException", "InternalFailure", "NobodyKnowsException"]:
        kinesis_local.add_faults({**error(code), "id": "denied"})
        assert Poster(agent).post("events", code.encode()).status == 202
        agent.ctl("flush", "--timeout", "200ms")
        wait_until(lambda: agent.stream()["last_error"]["code"] == code, "it is said")
    status = agent.status()
    assert status["totals"]["delivered"] == 0 and status["queue"]["events"] == 3, status
    assert kinesis_local.journal() == []
    recover(kinesis_local, agent)
    assert len(kinesis_local.journal()) == 3 == agent.totals()["delivered"]


def test_a_key_that_failed_is_not_overtaken_by_itself(kinesis_local, start_agent):
    """amazon-kinesis-producer#23: a record that failed was queued again behind later ones of its key."""
    fault = {"action": "fail_record", "partition_key": "one", "code": "InternalFailure"}
    kinesis_local.add_faults({**fault, "probability": 0.5, "seed": 3, "count": 5})
    agent = start_agent(kinesis_local.endpoint, KEYED, delivery={"linger": "0s"})
    acknowledged = post_numbers(agent, ["one", "other"], range(30))
    agent.wait_empty(within=120)
    check_order(delivered_numbers(kinesis_local.journal()), acknowledged, repeats_allowed=False)
    assert agent.stream()["retries"] == 5


def test_only_the_entries_that_failed_are_sent_again(start_kinesis_local, start_agent):
    """fluent-bit#2159: for one record that was throttled the whole chunk was sent again, under load most of all."""
    kinesis_local = start_kinesis_local("--stream", "events:1")
    kinesis_local.add_faults({"action": "fail_record", "partition_key": "key-250", "count": 2})
    agent = start_agent(kinesis_local.endpoint, KEYED)
    acknowledged = post_numbers(agent, [f"key-{n}" for n in range(500)], [0])
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), acknowledged, repeats_allowed=False)
    stats = kinesis_local.stats()
    assert stats["accepted_records"] == 500 and sum(stats["refused_records"].values()) == 2
    assert agent.stream()["retries"] == 2


# Nothing is given up.


def test_an_expired_token_parks_the_stream_and_drops_nothing(kinesis_local, agent):
    """vector#18491: an expired token counted as an error that is not worth a retry, and the request was dropped."""
    kinesis_local.add_faults({"id": "denied", **error("ExpiredTokenException")})
    for n in range(50):
        assert Poster(agent).post("events", b"%d" % n, key="k").status == 202
    assert "credentials" in parked(agent, "ExpiredTokenException")["last_error"]["remedy"]
    assert agent.status()["queue"]["events"] == 50
    recover(kinesis_local, agent)
    assert [base64_data(entry) for entry in kinesis_local.journal()] == [b"%d" % n for n in range(50)]


def test_without_credentials_nothing_is_tried_and_nothing_is_lost(kinesis_local, start_agent):
    """vector#13211: credentials could not be loaded, and days of events went from the disk into the void."""
    agent = start_agent(kinesis_local.endpoint, KEYED, environment=NO_CREDENTIALS)
    acknowledged = post_numbers(agent, ["a", "b"], range(100))
    parked(agent, "no_credentials")
    # Asked to, it looks again, and again there is nothing to try.
    agent.ctl("flush", "--timeout", "300ms")
    assert kinesis_local.stats()["requests"] == {} and agent.status()["queue"]["events"] == 200
    assert agent.stop() == 0
    agent.environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    agent.start()
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), acknowledged, repeats_allowed=False)


@pytest.mark.parametrize("fault, times", [(error("InternalFailure"), 30), ({"action": "fail_record"}, 2)])
def test_an_event_is_not_given_up_however_often_it_fails(kinesis_local, agent, fault, times):
    """fluent-bit#309: data was discarded after one retry, as users found out in an outage."""
    kinesis_local.add_faults(fault)
    assert Poster(agent).post("events", b"patient", key="k").status == 202

    def retries():
        # Without it, backoffs would take their time.
        agent.ctl("flush", "--timeout", "20ms")
        return agent.stream()["retries"] >= times

    wait_until(retries, "it fails many times", within=60)
    assert agent.totals()["dead_lettered"] == 0 and agent.status()["queue"]["events"] == 1
    recover(kinesis_local, agent)
    assert [base64_data(entry) for entry in kinesis_local.journal()] == [b"patient"]


def test_what_is_refused_for_good_is_put_aside_alone_and_not_tried_for_ever(kinesis_local, start_agent):
    """fluent-bit#10369: what the destination refuses for good was tried for ever, and held up all behind it."""
    poison = {"data_contains": "poison", **error("InvalidArgumentException")}
    kinesis_local.add_faults(poison)
    agent = start_agent(kinesis_local.endpoint, KEYED)
    poster = Poster(agent)
    events = [{"k": f"key-{n % 10}", "n": n} for n in range(200)]
    events.insert(100, {"k": "key-3", "n": -1, "x": "poison"})
    assert poster.post_lines("events", events).status == 202
    wait_until(lambda: agent.totals()["dead_lettered"] == 1, "it is put aside", within=60)
    agent.wait_empty(within=60)
    (letter,) = json.loads(agent.ctl("dead-letters", "list", "--json").stdout)
    assert '"poison"' in letter["data"] and letter["code"] == "InvalidArgumentException" and letter["reason"]
    expected = {f"key-{k}": [n for n in range(200) if n % 10 == k] for k in range(10)}
    check_order(delivered_numbers(kinesis_local.journal()), expected, repeats_allowed=False)
    asked = kinesis_local.stats()["requests"]["PutRecords"]
    assert Poster(agent).post("events", b'{"k":"later","n":0}').status == 202
    agent.wait_empty()
    assert kinesis_local.stats()["requests"]["PutRecords"] == asked + 1


# Success is said of what is kept, and of nothing else.


def test_what_is_not_kept_is_refused_and_said_to_be(kinesis_local, start_agent):
    """fluent-bit#10229: an input that was paused answered success, or kept silent, and threw away what came."""
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, **ONE_MIB)
    kept, refusal = fill(agent)
    for _ in range(5):
        assert refusal.status == 507 and refusal.json["message"] and int(refusal.headers["retry-after"]) >= 1, refusal
        refusal = Poster(agent).post("events", EVENT)
    totals = agent.totals()
    assert totals["accepted"] == kept and totals["refused"] == 6, totals
    recover(kinesis_local, agent)
    assert len(kinesis_local.journal()) == kept


def test_room_is_free_again_with_each_event_that_is_delivered(kinesis_local, start_agent):
    """aws-greengrass-stream-manager-sdk-python#21: a full stream that was drained went on refusing, as room came back
    by whole segments only."""
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, **ONE_MIB)
    poster = Poster(agent)
    for _ in range(3):
        assert poster.post("events", EVENT, key="free").status == 202
    fill(agent)
    # Three events among a hundred may go.
    kinesis_local.add_faults({"id": "denied", "action": "fail_record", "partition_key": "stuck"})
    agent.wait_for_stream(lambda s: s["delivered"] == 3, "three are delivered")
    count, refusal = fill(agent)
    assert count == 3 and refusal.status == 507, (count, refusal)
    recover(kinesis_local, agent)


def test_the_quota_is_exact_after_a_kill_at_the_limit(kinesis_local, start_agent):
    """fluent-bit#3060: what was on the disk was not counted after a restart, and the limit began from zero."""
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, **ONE_MIB)
    fill(agent)
    for _ in range(3):
        before = agent.status()["queue"]
        agent.kill()
        agent.start()
        after = agent.status()["queue"]
        assert (after["events"], after["bytes"]) == (before["events"], before["bytes"])
        assert after["bytes"] <= after["max_bytes"] == 1 << 20
        assert fill(agent)[0] == 0


# The file.


def test_a_record_that_cannot_be_read_stops_no_other(kinesis_local, start_agent):
    """fluent-bit#11847: after a chunk that was damaged the agent looked healthy and collected nothing."""
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, KEYED)
    acknowledged = post_numbers(agent, [f"key-{k}" for k in range(10)], range(20))
    assert agent.stop() == 0
    with sqlite3.connect(agent.database) as database:
        (table,) = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'event_%'")
            if database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        ]
        # Two events whose bytes are not what was stored.
        for row in (77, 123):
            (data,) = database.execute(f"SELECT data FROM {table} WHERE id = ?", [row]).fetchone()
            damaged = data[:8] + b"\xff" + data[9:]
            assert database.execute(f"UPDATE {table} SET data = ? WHERE id = ?", [damaged, row]).rowcount == 1
            event = json.loads(data)
            acknowledged[event["k"]].remove(event["n"])
    database.close()
    kinesis_local.clear_faults()
    agent.start()
    agent.wait_empty(within=60)
    assert Poster(agent).request("GET", "/readyz").status == 200
    acknowledged |= post_numbers(agent, ["new"], range(5))
    agent.wait_empty()
    assert delivered_numbers(kinesis_local.journal()) == acknowledged
    totals = agent.totals()
    assert totals["delivered"] == 203 and totals["dead_lettered"] + totals["lost"] == 2, totals


def test_a_torn_log_keeps_it_neither_from_starting_nor_from_stopping(kinesis_local, start_agent, seed):
    """vector#17644, opentelemetry-collector-contrib#35899: after a power cut it looped, deaf to signals, or did not
    start, until somebody deleted the buffer."""
    generator = random.Random(seed)
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, KEYED)
    log = pathlib.Path(f"{agent.database}-wal")
    for turn in range(6):
        post_numbers(agent, [f"{turn}-{k}" for k in range(20)], range(20))
        agent.kill()
        data = bytearray(log.read_bytes())
        # A disk that lied: the end is missing, or a piece in the middle is something else.
        place = generator.randrange(len(data))
        if turn % 2:
            data[place : place + 100] = generator.randbytes(len(data[place : place + 100]))
        else:
            del data[place:]
        log.write_bytes(data)
        agent.start()
        agent.status()
        assert Poster(agent).post_lines("events", [{"k": f"after-{turn}", "n": 0}]).status == 202
    recover(kinesis_local, agent)
    # Of what was left, every key is in order from its start.
    for key, numbers in delivered_numbers(kinesis_local.journal()).items():
        assert numbers == list(range(len(numbers))), key
    agent.process.send_signal(signal.SIGINT)
    assert agent.process.wait(timeout=20) == 0


def post_backlog(agent, requests, events=1000, size=500):
    body = b"".join(b'{"k":"key-%d","n":0,"x":"%s"}\n' % (n, b"x" * size) for n in range(events))
    poster = Poster(agent)
    for _ in range(requests):
        assert poster.post("events", body, "application/x-ndjson").status == 202
    poster.close()


def test_a_large_backlog_is_not_loaded_at_the_start(start_kinesis_local, start_agent):
    """fluent-bit#5166: at the start the whole backlog was loaded, until there was no memory or no file left."""
    kinesis_local = start_kinesis_local("--stream", "events:2", "--discard")
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, KEYED)
    # 110 MB.
    post_backlog(agent, requests=200)
    assert agent.stop() == 0
    agent.start()
    assert agent.status()["queue"]["events"] == 200_000
    assert Poster(agent).post("events", b'{"k":"new"}').status == 202
    assert megabytes(agent, "VmHWM") < 90
    assert len(os.listdir(f"/proc/{agent.process.pid}/fd")) < 100
    kinesis_local.clear_faults()
    agent.wait_empty(within=120)
    assert kinesis_local.stats()["accepted_records"] == 200_001
    assert megabytes(agent, "VmHWM") < 120


def test_the_file_shrinks_once_it_is_drained(start_kinesis_local, start_agent):
    """connect#2408: a buffer in SQLite without a limit, whose file only grew."""
    kinesis_local = start_kinesis_local("--stream", "events:2", "--discard")
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, KEYED)
    post_backlog(agent, requests=40)

    def megabytes_on_disk():
        files = [agent.database, pathlib.Path(f"{agent.database}-wal")]
        return sum(file.stat().st_size for file in files if file.exists()) / 1e6

    full = megabytes_on_disk()
    assert full > 20
    recover(kinesis_local, agent)
    # The log, which is 16 MiB at most, stays for the next burst.
    wait_until(lambda: agent.database.stat().st_size < 2e6, "the file shrinks", within=60)
    assert megabytes_on_disk() < 20
    assert agent.stop() == 0
    assert megabytes_on_disk() < 2


def test_memory_stays_small_after_a_burst_and_throttling(start_kinesis_local, start_agent):
    """amazon-kinesis-producer#21: it took all memory while it was throttled, and kept gigabytes afterwards."""
    kinesis_local = start_kinesis_local("--stream", "events:2", "--discard")
    kinesis_local.add_faults({"id": "throttled", "action": "fail_record", "probability": 0.5})
    agent = start_agent(kinesis_local.endpoint, KEYED)
    producers = [threading.Thread(target=post_backlog, args=(agent, 20)) for _ in range(4)]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()
    agent.wait_for_stream(lambda s: s["throttled"] > 50, "it is throttled")
    assert megabytes(agent, "VmHWM") < 130
    kinesis_local.clear_faults()
    agent.wait_empty(within=120)
    assert kinesis_local.stats()["accepted_records"] == 80_000
    assert megabytes(agent, "VmRSS") < 130


def test_a_queue_on_tmpfs_draws_a_warning(kinesis_local, make_agent, tmp_path):
    """amazon-kinesis-agent#129: checkpoints lay on a tmpfs, and after a reboot everything was sent again."""
    folder = pathlib.Path("/dev/shm")
    if not any(line.split()[1:3] == ["/dev/shm", "tmpfs"] for line in pathlib.Path("/proc/mounts").open()):
        pytest.skip("/dev/shm is no tmpfs here")
    path = folder / f"agentd-test-{os.getpid()}.db"
    agent = make_agent(kinesis_local.endpoint, queue={"path": str(path)})
    try:
        agent.start()
        (line,) = [line for line in agent.log().splitlines() if "risky file system" in line]
        assert "warning" in line and "tmpfs" in line and str(path) in line and "queue.path" in line
        assert agent.stop() == 0
    finally:
        for file in folder.glob(f"{path.name}*"):
            file.unlink()
    agent = make_agent(kinesis_local.endpoint).start()
    assert "risky" not in agent.log()


# What it asks, and what it says.


def test_nothing_but_put_records_is_asked_of_kinesis(kinesis_local, start_agent):
    """amazon-kinesis-producer#463: a release asked STS for its identity, and ended where that was not allowed."""
    for operation in ["DescribeStream", "DescribeStreamSummary", "ListShards", "ListStreams", "PutRecord"]:
        kinesis_local.add_faults({"operation": operation, **error("AccessDeniedException")})
    agent = start_agent(kinesis_local.endpoint, KEYED)
    acknowledged = post_numbers(agent, ["a", "b"], range(10))
    agent.wait_empty()
    agent.restart()
    acknowledged |= post_numbers(agent, ["c"], range(10))
    agent.wait_empty()
    judge(kinesis_local.journal(), {"events": acknowledged})
    assert set(kinesis_local.stats()["requests"]) == {"PutRecords"}
    assert "error" not in agent.log()


@pytest.mark.parametrize(
    "stream, secret, code",
    [
        ("evnets", "test", "ResourceNotFoundException"),
        ("events", "wrong", "InvalidSignatureException"),
        ("events", None, "no_credentials"),
    ],
)
def test_wrong_credentials_and_wrong_names_are_said_at_once(kinesis_local, start_agent, stream, secret, code):
    """amazon-kinesis-agent#13: with a wrong name or wrong credentials the log said "0 records sent successfully"."""
    environment = NO_CREDENTIALS if secret is None else {"AWS_SECRET_ACCESS_KEY": secret}
    agent = start_agent(kinesis_local.endpoint, [stream], environment=environment)
    assert Poster(agent).post(stream, b"event").status == 202
    status = agent.wait_for_stream(lambda s: s["last_error"], "status says so", stream, within=10)
    assert status["state"] == "parked" and status["queued_events"] == 1
    told = status["last_error"]
    assert told["code"] == code and told["remedy"]
    assert secret is None or secret == "test" or secret not in told["message"]
    (line,) = [line for line in agent.log().splitlines() if "delivery fault" in line][:1]
    for part in ["error:", f"code={code}", stream, told["remedy"]]:
        assert part in line, line
    shown = agent.ctl("status").stdout.decode()
    assert told["code"] in shown and told["remedy"][:30] in shown


# The table above.


def table():
    """Complaint to the tests that hold it."""
    rows = {}
    for line in __doc__.split("\n\n")[1].splitlines():
        if line.startswith(" "):
            rows[complaint].append(line.strip())
        else:
            complaint = line
            rows[complaint] = []
    return rows


def test_every_test_that_the_table_names_is_there():
    tests = pathlib.Path(__file__).resolve().parents[1]
    python = "".join(path.read_text() for path in tests.glob("*/test_*.py"))
    swift = "".join(path.read_text() for path in tests.glob("**/*.swift"))
    rows = table()
    for complaint, names in rows.items():
        assert names, complaint
        for name in names:
            kind, text = ("def", python) if name.startswith("test_") else ("func", swift)
            assert re.search(rf"\b{kind} {name}\(", text), f"{complaint}: there is no {name}"
    # And every test of this file names a complaint of the table.
    for name, test in globals().items():
        if name.startswith("test_") and "table" not in name:
            named = re.match(r"([\w-]+#\d+)(?:, ([\w-]+#\d+))?: ", test.__doc__ or "")
            assert named, f"{name} names no complaint"
            for reference in filter(None, named.groups()):
                found = [names for complaint, names in rows.items() if complaint.split("/")[-1] == reference]
                assert found and name in found[0], f"{name} is not in the table under {reference}"
