# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments: what was acknowledged arrives, in order, and no id is given twice.

AGENTD_TEST_KILLS says how often.
"""

import os
import random
import time

import pytest

from ordering import check_order, delivered_numbers
from producers import HTTPProducer, LineProducer, UnixHTTPProducer

KILLS = int(os.environ.get("AGENTD_TEST_KILLS", 40))


@pytest.mark.timeout(60 + 10 * KILLS)
def test_what_was_acknowledged_survives_kills(start_kinesis_local, make_agent, seed, record_property):
    kinesis_local = start_kinesis_local("--stream", "events:3", "--seed", str(seed))
    # Requests take a while, so that kills meet them under way.
    kinesis_local.add_faults(
        {"action": "delay", "delay_ms": 10},
        {"action": "fail_record", "probability": 0.01},
        {"action": "reset", "stored": True, "probability": 0.01},
        {"action": "reset_unread", "probability": 0.01},
    )
    agent = make_agent(kinesis_local.endpoint, [{"name": "events", "partition_key": "/k"}])
    generator = random.Random(seed)
    kinds = [HTTPProducer, UnixHTTPProducer, LineProducer, HTTPProducer]
    producers = [kind(agent, f"{kind.__name__}{number}", seed) for number, kind in enumerate(kinds)]
    agent.start()
    for producer in producers:
        producer.start()
    try:
        for _ in range(KILLS):
            # The test's subject is the moment, so this waits for none in particular.
            time.sleep(generator.uniform(0, 0.3))
            agent.kill()
            if generator.random() < 0.25:
                # In the middle of its start.
                agent.start(wait=False)
                time.sleep(generator.uniform(0, 0.06))
                agent.kill()
            agent.start()
    finally:
        for producer in producers:
            producer.stopping.set()
        for producer in producers:
            producer.join(timeout=40)
    assert not any(producer.unexpected for producer in producers), [p.unexpected for p in producers]
    # What 240 keys cannot deliver at a round trip an event piles up meanwhile.
    agent.wait_empty(within=60 + 2 * KILLS)

    arrived = delivered_numbers(kinesis_local.journal())
    acknowledged = {key: numbers for producer in producers for key, numbers in producer.acknowledged.items()}
    repeats = check_order(arrived, acknowledged, repeats_allowed=True)
    count = sum(map(len, acknowledged.values()))
    measured = f"{KILLS} kills, {count} acknowledged, none lost, none out of order, {repeats} repeated"
    record_property("measured", measured)
    assert count > KILLS * 20

    for producer in producers:
        assert all(before[1] < after[0] for before, after in zip(producer.ids, producer.ids[1:])), "ids went back"
    ranges = sorted(pair for producer in producers for pair in producer.ids)
    assert all(before[1] < after[0] for before, after in zip(ranges, ranges[1:])), "an id was given twice"

    totals = agent.totals()
    # Every event was sent once, so what arrived, repeats apart, is what was accepted.
    assert totals["accepted"] == totals["delivered"] == sum(len(set(numbers)) for numbers in arrived.values())
    assert totals["lost"] == totals["dead_lettered"] == 0
