# SPDX-License-Identifier: Apache-2.0
"""What the operator's limits do: full queues, age, shares of streams, streams taken out of the configuration."""

import threading

from clients import Poster, curl, send_lines
from ordering import delivered_numbers
from waiting import wait_until

DENIED = {"id": "denied", "action": "error", "code": "AccessDeniedException"}
EVENT = b"x" * 10_000
# One request has to fit into the queue.
SMALL = {"max_request_bytes": "256 KiB", "max_event_bytes": "256 KiB"}


def fill(agent, stream="events", limit=1000):
    """Posts until one is refused; how many were accepted, and the refusal."""
    poster = Poster(agent)
    for count in range(limit):
        answer = poster.post(stream, EVENT)
        if answer.status != 202:
            return count, answer
    raise AssertionError(f"{limit} events were accepted")


def test_a_full_queue_refuses_and_takes_events_again_when_there_is_room(kinesis_local, start_agent):
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, queue={"max_bytes": "1 MiB"}, listen=SMALL)
    accepted, refusal = fill(agent)
    assert refusal.status == 507 and refusal.json["error"] in ("queue_full", "destination_full"), refusal
    assert int(refusal.headers["retry-after"]) >= 1
    assert 0.85 * (1 << 20) <= accepted * (len(EVENT) + 64) <= 1 << 20
    # All other ways in are refused as well.
    put = curl(f"http://127.0.0.1:{agent.port}/events", "-X", "PUT", data=b'{"PartitionKey":"k","Data":"%s"}' % EVENT)
    assert put.status == 507
    lambda_way = b'{"event":"%s"}' % EVENT
    assert curl(f"http://127.0.0.1:{agent.port}/kinesis/stream/events", data=lambda_way).status == 500
    sent = agent.ctl("send", "events", input=EVENT)
    assert sent.returncode == 1 and b"queue.max_bytes" in sent.stderr
    status = agent.status()
    assert status["totals"]["accepted"] == status["queue"]["events"] == accepted
    assert status["totals"]["refused"] >= 3 and status["queue"]["bytes"] <= status["queue"]["max_bytes"]
    # The bound is exact after a crash too.
    agent.kill()
    agent.start()
    assert agent.status()["queue"]["bytes"] == status["queue"]["bytes"]
    assert fill(agent)[0] == 0

    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    assert Poster(agent).post("events", EVENT).status == 202
    agent.wait_empty()
    assert len(kinesis_local.journal()) == accepted + 1


def test_lines_wait_while_the_queue_is_full(kinesis_local, start_agent):
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, queue={"max_bytes": "1 MiB"}, listen=SMALL)
    fill(agent)
    line = b'{"stream":"events","partition_key":"line","event":%d}\n'
    big = b'{"stream":"events","partition_key":"big","event":"%s"}\n' % EVENT
    answers = []
    client = threading.Thread(
        target=lambda: answers.extend(send_lines(agent.socket, big + b"".join(line % n for n in range(10))))
    )
    client.start()
    # However often they are offered, they are not refused; what was is the post that filled it.
    for _ in range(20):
        assert agent.totals()["refused"] == 1
    assert client.is_alive() and not answers
    kinesis_local.clear_faults()
    client.join(timeout=60)
    assert answers[-1] == {"acked": 11}
    agent.wait_empty(within=60)
    assert agent.totals()["refused"] == 1


def test_drop_oldest_makes_room_and_counts(kinesis_local, start_agent):
    kinesis_local.add_faults(DENIED)
    agent = start_agent(
        kinesis_local.endpoint,
        [{"name": "events", "partition_key": "/k"}],
        queue={"max_bytes": "1 MiB", "when_full": "drop-oldest"},
        listen=SMALL,
    )
    poster = Poster(agent)
    for n in range(300):
        answer = poster.post_lines("events", [{"k": "k", "n": n, "padding": "x" * 10_000}])
        assert answer.status == 202, answer
    status = agent.status()
    assert status["totals"]["accepted"] == 300 and status["totals"]["evicted"] >= 195, status
    assert status["totals"]["refused"] == 0 and status["queue"]["bytes"] <= 1 << 20
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    totals = agent.totals()
    arrived = delivered_numbers(kinesis_local.journal())["k"]
    # The newest are there, all of them, in order.
    assert arrived == list(range(300 - len(arrived), 300))
    assert totals["delivered"] == len(arrived) and totals["evicted"] == 300 - len(arrived)


def test_events_past_their_age_expire_and_are_counted(kinesis_local, start_agent):
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, queue={"max_age": "2s"})
    poster = Poster(agent)
    for _ in range(10):
        assert poster.post("events", b"old").status == 202
    assert agent.status()["queue"]["events"] == 10
    wait_until(lambda: agent.totals()["expired"] == 10, "they expire", within=60, every=0.1)
    assert agent.status()["queue"]["events"] == 0
    kinesis_local.clear_faults()
    # What is delivered in time does not.
    agent.config["queue"]["max_age"] = "1h"
    agent.restart()
    assert Poster(agent).post("events", b"new").status == 202
    agent.wait_empty()
    assert agent.totals()["expired"] == 10 and agent.totals()["delivered"] == 1
    assert [entry["bytes"] for entry in kinesis_local.journal()] == [3]


def test_the_share_of_a_stream_is_its_own(start_kinesis_local, start_agent):
    kinesis_local = start_kinesis_local("--stream", "small:1", "--stream", "large:1")
    kinesis_local.add_faults(DENIED)
    agent = start_agent(kinesis_local.endpoint, [{"name": "small", "max_bytes": "100 KiB"}, "large"])
    accepted, refusal = fill(agent, "small")
    assert refusal.status == 507 and refusal.json["error"] == "destination_full"
    assert 7 <= accepted <= 10
    poster = Poster(agent)
    for _ in range(50):
        assert poster.post("large", EVENT).status == 202
    # A limit that was lowered evicts nothing.
    agent.config["stream"][0]["max_bytes"] = "20 KiB"
    agent.restart()
    assert agent.stream("small")["queued_events"] == accepted
    assert fill(agent, "small")[0] == 0
    kinesis_local.clear_faults()
    agent.wait_empty(within=60)
    assert len(kinesis_local.journal("small")) == accepted


def test_a_stream_taken_out_of_the_configuration_keeps_its_events(start_kinesis_local, start_agent):
    kinesis_local = start_kinesis_local("--stream", "gone:1", "--stream", "stays:1")
    kinesis_local.add_faults({**DENIED, "stream": "gone"})
    agent = start_agent(kinesis_local.endpoint, ["gone", "stays"])
    poster = Poster(agent)
    for n in range(20):
        assert poster.post("gone", b"%d" % n, key="k").status == 202
    kinesis_local.clear_faults()
    listed = agent.config["stream"]
    assert agent.stop() == 0
    agent.config["stream"] = listed[1:]
    agent.start()
    delivered = len(kinesis_local.journal("gone"))
    status = agent.stream("gone")
    assert (status["state"], status["queued_events"]) == ("parked", 20 - delivered), status
    assert status["last_error"]["code"] == "not_configured" and "configuration" in status["last_error"]["message"]
    assert status["last_error"]["remedy"]
    answer = Poster(agent).post("gone", b"new")
    assert answer.status == 404 and answer.json["error"] == "stream_not_listed"
    assert Poster(agent).post("stays", b"x").status == 202
    agent.wait_for_stream(lambda s: s["queued_events"] == 0, "the other goes on", "stays")
    assert agent.stream("gone")["queued_events"] == 20 - delivered

    assert agent.stop() == 0
    agent.config["stream"] = listed
    agent.start()
    agent.wait_empty(within=60)
    assert len(kinesis_local.journal("gone")) == 20


def test_any_stream_may_be_accepted_up_to_a_bound(start_kinesis_local, start_agent):
    kinesis_local = start_kinesis_local(*(a for n in range(4) for a in ("--stream", f"any-{n}:1")))
    agent = start_agent(kinesis_local.endpoint, [], streams={"accept": "any", "max_destinations": 3})
    poster = Poster(agent)
    for n in range(3):
        assert poster.post(f"any-{n}", b"x").status == 202
    refused = poster.post("any-3", b"x")
    assert refused.status == 404 and refused.json["error"] == "too_many_destinations"
    assert poster.post("no%20name", b"x").json["error"] == "invalid_stream_name"
    agent.wait_empty()
    agent.restart()
    assert Poster(agent).post("any-1", b"y").status == 202
    agent.wait_empty()
    assert len(kinesis_local.journal("any-1")) == 2
