# SPDX-License-Identifier: Apache-2.0
"""One bad thing stays one bad thing at sizes that hurt: keys, streams, bytes, time; and what it costs the agent."""

import json
import time

import pytest

from clients import Poster
from ordering import base64_data, check_order, delivered_numbers
from processes import cpu_seconds, peak_mebibytes
from waiting import free_port, wait_until

MB = 1_000_000
IDLE_SECONDS = 3
# A twentieth of a core.
IDLE_CPU_SECONDS = 0.15
PEAK_MEBIBYTES = 64


def names(prefix, count):
    return [f"{prefix}-{n:04}" for n in range(count)]


def pattern(prefix, count):
    """All of them, as kinesis-local takes a range."""
    return f"{prefix}-[0000-{count - 1:04}]:1"


def post_rows(agent, rows, lines=1000):
    """Posts (stream, events) in the order given, so many events a request; returns how many there were."""
    poster = Poster(agent)
    count = 0
    for stream, events in rows:
        for start in range(0, len(events), lines):
            answer = poster.post_lines(stream, events[start : start + lines])
            assert answer.status == 202, answer
            count += answer.json["accepted"]
    poster.close()
    return count


def numbered(stream, count, keys=1):
    return [{"k": f"{stream}-{n % keys}", "n": n} for n in range(count)]


def expectation(events):
    """Key to the numbers of its events, in order."""
    result = {}
    for event in events:
        result.setdefault(event["k"], []).append(event["n"])
    return result


def idle_cpu(agent):
    """What the agent uses while nobody asks anything of it."""
    before = cpu_seconds(agent.process.pid)
    time.sleep(IDLE_SECONDS)
    return cpu_seconds(agent.process.pid) - before


def requests(server):
    return sum(server.stats()["requests"].values())


# Keys


def test_many_keys_of_a_throttled_stream_hold_back_no_other_and_cost_nothing(
    start_kinesis_local, start_agent, record_property
):
    kinesis_local = start_kinesis_local("--stream", "sick:2", "--stream", "healthy:2")
    kinesis_local.add_faults({"action": "limit", "stream": "sick", "records_per_second": 0})
    agent = start_agent(
        kinesis_local.endpoint, [{"name": name, "partition_key": "/k"} for name in ("sick", "healthy")]
    )
    sick = [{"k": f"key-{n}", "n": n} for n in range(20_000)]
    post_rows(agent, [("sick", sick)])
    agent.wait_for_stream(lambda s: s["throttled"] > 0, "is throttled", "sick")

    healthy = numbered("healthy", 5000, keys=100)
    post_rows(agent, [("healthy", healthy)])
    agent.wait_for_stream(lambda s: s["queued_events"] == 0, "is delivered", "healthy", within=60)
    check_order(delivered_numbers(kinesis_local.journal("healthy")), expectation(healthy), repeats_allowed=False)
    status = agent.stream("sick")
    assert status["queued_events"] == 20_000 and status["limited_by"] == "throttling", status

    used = idle_cpu(agent)
    record_property("measured", f"{used:.2f} s of CPU in {IDLE_SECONDS} s")
    assert used < IDLE_CPU_SECONDS
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal("sick")), expectation(sick), repeats_allowed=False)


def test_a_throttled_shard_holds_back_its_own_keys_only_however_many(start_kinesis_local, start_agent, record_property):
    """The other shard gets what it takes, and hardly a record that it does not."""
    kinesis_local = start_kinesis_local("--stream", "events:2")
    sick, well = "shardId-000000000000", "shardId-000000000001"
    kinesis_local.add_faults(
        {"action": "limit", "shard": sick, "records_per_second": 0},
        {"action": "limit", "shard": well, "records_per_second": 1000, "bytes_per_second": 1 << 20},
    )
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    events = [{"k": f"key-{n}", "n": n} for n in range(16_000)]
    post_rows(agent, [("events", events)])

    def shards():
        (stream,) = kinesis_local.stats()["streams"]
        return {shard["id"]: shard for shard in stream["shards"]}

    def after(accepted):
        wait_until(lambda: shards()[well]["accepted_records"] > accepted, "the other shard goes on", within=60, every=0.1)
        counts = shards()[well]
        return counts["throttled_records"], counts["accepted_records"]

    # What a shard takes has to be found out first.
    (throttled_before, before), (throttled, accepted) = after(3000), after(7000)
    throttled -= throttled_before
    wasted = throttled / (throttled + accepted - before)
    record_property("measured", f"{wasted:.1%} of the records for the other shard were throttled")
    assert wasted < 0.05
    assert shards()[sick]["accepted_records"] == 0
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), expectation(events), repeats_allowed=False)


# Streams


def test_many_streams_ask_a_failing_endpoint_no_more_than_one_would(start_kinesis_local, start_agent, record_property):
    streams = names("s", 200)
    kinesis_local = start_kinesis_local("--stream", pattern("s", 200))
    kinesis_local.add_faults({"action": "status", "status": 503, "operation": "*"})
    agent = start_agent(kinesis_local.endpoint, [{"name": name, "partition_key": "/k"} for name in streams])
    began = time.monotonic()
    events = {name: numbered(name, 1) for name in streams}
    post_rows(agent, events.items())
    time.sleep(max(0, began + 2 - time.monotonic()))
    asked = requests(kinesis_local)
    record_property("measured", f"{asked} requests in two seconds")
    assert 1 <= asked <= 30
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    expected = {key: numbers for list_ in events.values() for key, numbers in expectation(list_).items()}
    check_order(delivered_numbers(kinesis_local.journal()), expected, repeats_allowed=False)


def test_a_retry_after_holds_for_all_who_share_the_endpoint(start_kinesis_local, start_agent):
    streams = names("s", 50)
    kinesis_local = start_kinesis_local("--stream", pattern("s", 50))
    kinesis_local.add_faults(
        {"action": "status", "status": 503, "operation": "*", "headers": {"Retry-After": "6"}, "retry_after_ms": 6000}
    )
    agent = start_agent(kinesis_local.endpoint, [{"name": name, "partition_key": "/k"} for name in streams])
    post_rows(agent, [("s-0000", numbered("s-0000", 1))])
    wait_until(lambda: requests(kinesis_local), "the first is sent")
    heard = time.monotonic()
    post_rows(agent, [(name, numbered(name, 1)) for name in streams[1:]])
    time.sleep(max(0, heard + 4 - time.monotonic()))
    # Those that were under way when the answer came.
    assert requests(kinesis_local) <= 8
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    assert len(kinesis_local.journal()) == 50


@pytest.mark.parametrize("count", [33, 300])
def test_each_of_many_streams_is_delivered_in_order(start_kinesis_local, start_agent, count):
    kinesis_local = start_kinesis_local("--stream", pattern("s", count))
    streams = names("s", count)
    agent = start_agent(kinesis_local.endpoint, [{"name": name, "partition_key": "/k"} for name in streams])
    events = {name: numbered(name, 40, keys=4) for name in streams}
    # In turns, so that all of them are active at once.
    rows = [(name, events[name][start : start + 10]) for start in range(0, 40, 10) for name in streams]
    assert post_rows(agent, rows) == 40 * count
    agent.wait_empty(within=60)
    expected = {key: numbers for list_ in events.values() for key, numbers in expectation(list_).items()}
    journal = kinesis_local.journal()
    check_order(delivered_numbers(journal), expected, repeats_allowed=False)
    assert all(json.loads(base64_data(entry))["k"].startswith(entry["stream"]) for entry in journal)


# Bytes


def test_large_events_of_many_streams_without_an_endpoint_stay_on_the_disk(
    start_kinesis_local, start_agent, record_property
):
    streams = names("s", 100)
    port = free_port()
    agent = start_agent(f"http://127.0.0.1:{port}", streams)
    poster = Poster(agent)
    for name in streams:
        assert poster.post(name, b"x" * MB).status == 202
    poster.close()
    agent.wait_for_stream(lambda s: s["state"] == "backing_off", "has failed", streams[0])
    used = idle_cpu(agent)
    peak = peak_mebibytes(agent.process.pid)
    record_property("measured", f"{peak:.0f} MiB at most, {used:.2f} s of CPU in {IDLE_SECONDS} s")
    assert peak <= PEAK_MEBIBYTES
    assert used < IDLE_CPU_SECONDS
    kinesis_local = start_kinesis_local("--stream", pattern("s", 100), port=port)
    agent.wait_empty(within=90)
    journal = kinesis_local.journal(data="none")
    assert sorted(entry["stream"] for entry in journal) == streams and {e["bytes"] for e in journal} == {MB}
    assert peak_mebibytes(agent.process.pid) <= PEAK_MEBIBYTES


# Time


@pytest.mark.slow
def test_answers_that_take_long_but_come_in_time_are_waited_for(start_kinesis_local, start_agent):
    kinesis_local = start_kinesis_local("--stream", "events:1")
    kinesis_local.add_faults({"action": "delay", "delay_ms": 12_000})
    agent = start_agent(
        kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}], delivery={"request_timeout": "60s"}
    )
    events = numbered("events", 3, keys=3)
    post_rows(agent, [("events", events)])
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), expectation(events), repeats_allowed=False)
    assert agent.stream()["retries"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("link", ["narrow", "behind_large_buffers"])
def test_a_slow_uplink_delivers_with_few_copies(start_kinesis_local, start_agent, record_property, link):
    """A request of all of it takes the link longer than ten seconds, in which nothing comes back; where buffers are
    large, the kernel has all of it at once."""
    narrow = ["--uplink", "80000"] if link == "narrow" else []
    kinesis_local = start_kinesis_local("--stream", "events:1", *narrow)
    if not narrow:
        kinesis_local.add_faults({"action": "slow_read", "bytes_per_second": 80_000})
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    # 1.25 MB in base64.
    events = [event | {"padding": "x" * 2000} for event in numbered("events", 450, keys=450)]
    assert post_rows(agent, [("events", events)]) == 450
    agent.wait_empty(within=90)
    journal = kinesis_local.journal()
    record_property("measured", f"{len(journal)} records stored for 450 events")
    check_order(delivered_numbers(journal), expectation(events), repeats_allowed=True)
    assert len(journal) <= 2 * 450


@pytest.mark.slow
def test_a_link_too_slow_for_a_whole_batch_carries_smaller_ones(start_kinesis_local, start_agent, record_property):
    kinesis_local = start_kinesis_local("--stream", "events:1", "--uplink", "50000")
    agent = start_agent(
        kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}], delivery={"request_timeout": "5s"}
    )
    # 400 kB in base64, of which the link carries 250 kB in five seconds.
    events = [event | {"padding": "x" * 1000} for event in numbered("events", 300, keys=300)]
    assert post_rows(agent, [("events", events)]) == 300
    agent.wait_empty(within=120)
    journal = kinesis_local.journal()
    record_property("measured", f"{len(journal)} records stored for 300 events")
    check_order(delivered_numbers(journal), expectation(events), repeats_allowed=True)
    assert len(journal) <= 2 * 300


@pytest.mark.parametrize("offset", ["1h", "-1h"])
def test_the_clock_of_one_endpoint_is_not_that_of_another(start_kinesis_local, start_agent, offset):
    right = start_kinesis_local("--stream", "right:1")
    wrong = start_kinesis_local("--stream", "wrong:1", "--clock-offset", offset)
    agent = start_agent(
        right.endpoint,
        [
            {"name": "right", "partition_key": "/k"},
            {"name": "wrong", "partition_key": "/k", "endpoint": wrong.endpoint},
        ],
    )
    events = {name: numbered(name, 50) for name in ("right", "wrong")}
    for start in range(0, 50, 10):
        post_rows(agent, [(name, list_[start : start + 10]) for name, list_ in events.items()])
        agent.wait_empty(within=20)
    for server, name in [(right, "right"), (wrong, "wrong")]:
        check_order(delivered_numbers(server.journal()), expectation(events[name]), repeats_allowed=False)
    # It is learnt once: the endpoint that is right has nothing to refuse.
    assert right.stats()["refused_requests"] == {}
    assert wrong.stats()["refused_requests"].get("InvalidSignatureException", 0) <= 2


# What is not Kinesis

PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>proxy</body></html>"


@pytest.mark.parametrize(
    "rule",
    [
        {"status": 413, "body": PAGE.format("413 Request Entity Too Large")},
        {"status": 413, "body": PAGE.format("413 Request Entity Too Large"), "unread": True},
        {"status": 400, "body": PAGE.format("400 Bad Request")},
        {"status": 407, "body": PAGE.format("407"), "headers": {"Proxy-Authenticate": "Basic realm=proxy"}},
        {"status": 405, "body": PAGE.format("405 Not Allowed")},
    ],
    ids=lambda rule: f"{rule['status']}{'-unread' if 'unread' in rule else ''}",
)
def test_a_proxys_refusal_condemns_no_event(kinesis_local, start_agent, rule):
    kinesis_local.add_faults({"action": "status", **rule})
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    events = numbered("events", 20, keys=5)
    post_rows(agent, [("events", events)], lines=5)
    status = agent.wait_for_stream(lambda s: s["last_error"], "says what is wrong")
    # An agent that took it for a verdict on events would have found one to condemn by now.
    time.sleep(4)
    status = agent.stream()
    assert status["state"] in ("backing_off", "parked"), status
    remedy = status["last_error"]["remedy"]
    assert remedy and "None needed" not in remedy, status
    assert status["queued_events"] == 20 and agent.status()["queue"]["dead_letters"] == 0
    kinesis_local.clear_faults()
    agent.ctl("resume", "events")
    agent.wait_empty(within=90)
    check_order(delivered_numbers(kinesis_local.journal()), expectation(events), repeats_allowed=False)
    assert agent.totals()["dead_lettered"] == 0


@pytest.mark.parametrize("unread", [False, True])
def test_an_event_too_large_for_a_proxy_is_not_condemned_beside_others_that_pass(kinesis_local, start_agent, unread):
    page = PAGE.format("413 Request Entity Too Large")
    kinesis_local.add_faults(
        {"action": "status", "status": 413, "body": page, "min_bytes": 100_000, "unread": unread}
    )
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    events = numbered("events", 20, keys=5)
    large = {"k": "large", "n": 0, "padding": "x" * 200_000}
    post_rows(agent, [("events", [*events[:10], large, *events[10:]])])
    agent.wait_for_stream(lambda s: s["last_error"], "says what is wrong")
    time.sleep(4)
    assert agent.status()["queue"]["dead_letters"] == 0
    status = agent.stream()
    assert status["last_error"]["remedy"] and status["queued_events"] >= 1, status
    kinesis_local.clear_faults()
    agent.ctl("resume", "events")
    agent.wait_empty(within=90)
    expected = expectation([*events, large])
    check_order(delivered_numbers(kinesis_local.journal()), expected, repeats_allowed=False)


def test_a_proxy_that_knows_no_expect_lets_large_requests_pass(kinesis_local, start_agent):
    kinesis_local.add_faults({"action": "status", "status": 417, "expects": True, "unread": True})
    agent = start_agent(kinesis_local.endpoint)
    poster = Poster(agent)
    for _ in range(6):
        assert poster.post("events", b"x" * MB).status == 202
    agent.wait_empty(within=30)
    assert [entry["bytes"] for entry in kinesis_local.journal(data="none")] == [MB] * 6


@pytest.mark.parametrize("how", ["empty_error_code", "number", "failed_count", "count_as_text"])
def test_what_an_answer_says_of_each_record_counts_though_it_contradicts_itself(kinesis_local, start_agent, how):
    kinesis_local.add_faults({"action": "contradict", "how": how})
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    events = numbered("events", 20, keys=4)
    post_rows(agent, [("events", events)])
    agent.wait_empty(within=20)
    check_order(delivered_numbers(kinesis_local.journal()), expectation(events), repeats_allowed=False)


@pytest.mark.parametrize(
    "rule", [{"action": "contradict", "how": "no_members"}, {"action": "wrong_count", "entries": -1}]
)
def test_an_answer_that_says_nothing_of_records_is_asked_for_again_ever_more_slowly(kinesis_local, start_agent, rule):
    kinesis_local.add_faults(rule)
    agent = start_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    events = numbered("events", 20, keys=4)
    post_rows(agent, [("events", events)])
    status = agent.wait_for_stream(lambda s: s["last_error"], "says what is wrong")
    assert status["last_error"]["code"] == "unintelligible_answer", status
    time.sleep(4)
    # In four seconds; without backing off it would be hundreds.
    assert len(kinesis_local.journal()) <= 20 * 20
    assert agent.stream()["state"] in ("backing_off", "parked")
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    check_order(delivered_numbers(kinesis_local.journal()), expectation(events), repeats_allowed=True)
