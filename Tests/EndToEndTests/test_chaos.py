# SPDX-License-Identifier: Apache-2.0
"""All faults together, under load, while the agent is killed: what was acknowledged arrives, in order.

AGENTD_TEST_CHAOS_SECONDS says how long, AGENTD_TEST_CHAOS_SEED repeats a seed: the same settings, producers, deaths and
weather, though not at the same moments.
"""

import base64
import json
import os
import random
import threading
import time

import pytest

from agent import check_balance
from checker import judge
from producers import HTTPProducer, LineProducer, LooseProducer, PutProducer, SingleProducer, UnixHTTPProducer
from weather import TROUBLES, Weather

SECONDS = float(os.environ.get("AGENTD_TEST_CHAOS_SECONDS", 40))
# Backoffs of up to 20 s, and what piled up behind hot keys.
DRAINED_WITHIN = 120 + SECONDS
PRODUCERS = [HTTPProducer, UnixHTTPProducer, SingleProducer, PutProducer, LooseProducer, LineProducer, LineProducer]


class Reaper(threading.Thread):
    """Ends the agent every few seconds, mostly by kill -9, and starts it again."""

    def __init__(self, agent, seed):
        super().__init__()
        self.agent = agent
        self.random = random.Random(f"reaper {seed}")
        self.stopping = threading.Event()
        self.deaths = []
        self.kills = self.stops = 0
        self.unexpected = []

    def run(self):
        try:
            while not self.stopping.wait(self.random.uniform(0.2, 4)):
                self.end()
                if self.random.random() < 0.15:
                    # In the middle of its start.
                    self.agent.start(wait=False)
                    time.sleep(self.random.uniform(0, 0.06))
                    self.kill()
                self.agent.start()
        except Exception as error:
            self.unexpected.append(repr(error))

    def end(self):
        if self.random.random() < 0.75:
            return self.kill()
        self.stops += 1
        status = self.agent.stop()
        assert status == 0, f"SIGTERM: {status}"

    def kill(self):
        self.kills += 1
        self.agent.kill()
        self.deaths.append(int(time.time() * 1000))


class Observer(threading.Thread):
    """Reads the status again and again: it balances whenever there is one."""

    def __init__(self, agent):
        super().__init__()
        self.agent = agent
        self.stopping = threading.Event()
        self.snapshots = 0
        self.states = {}
        self.unexpected = []

    def run(self):
        while not self.stopping.wait(0.2):
            try:
                done = self.agent.ctl("status", "--json")
                # It was killed before, or while it answered.
                if done.returncode != 0:
                    continue
                status = json.loads(done.stdout)
                check_balance(status)
                self.snapshots += 1
                for stream in status["streams"]:
                    self.states[stream["state"]] = self.states.get(stream["state"], 0) + 1
            except Exception as error:
                self.unexpected.append(repr(error))
                return


@pytest.fixture
def chaos_seed():
    value = int(os.environ.get("AGENTD_TEST_CHAOS_SEED", random.SystemRandom().getrandbits(32)))
    print(f"AGENTD_TEST_CHAOS_SEED={value}")
    return value


@pytest.mark.timeout(DRAINED_WITHIN + SECONDS + 120)
def test_nothing_is_lost_or_out_of_order_under_all_faults_together(
    start_kinesis_local, make_agent, chaos_seed, record_property
):
    kinesis_local = start_kinesis_local("--stream", "events:3", "--stream", "loose:2", "--seed", str(chaos_seed))
    generator = random.Random(chaos_seed)
    delivery = {
        "request_timeout": "1s",
        "stop_timeout": "2s",
        "linger": generator.choice(["0s", "5ms", "50ms"]),
        "workers": generator.choice([1, 3, 8]),
        "memory": generator.choice(["4 MiB", "12 MiB"]),
        "max_batch_bytes": generator.choice(["64 KiB", "1 MiB"]),
    }
    agent = make_agent(
        kinesis_local.endpoint,
        [{"name": "events", "partition_key": "/k"}, "loose"],
        delivery=delivery,
        listen={"put_wait": "300ms"},
    )
    producers = [
        kind(agent, f"{kind.__name__}{number}", chaos_seed, keys=150, hot=0.02, pause=0.06, padding=4000)
        for number, kind in enumerate(PRODUCERS)
    ]
    hot_key = next(iter(producers[0].following))
    longest_outage = 20 if SECONDS >= 100 else 2
    weather = Weather(kinesis_local, ["events", "loose"], hot_key, chaos_seed, longest_outage)
    reaper, observer = Reaper(agent, chaos_seed), Observer(agent)
    agent.start()
    disturbers = [weather, reaper]
    began = time.monotonic()
    for thread in [*producers, *disturbers, observer]:
        thread.start()
    try:
        while time.monotonic() - began < SECONDS:
            time.sleep(0.1)
            assert not any(thread.unexpected for thread in [*producers, *disturbers, observer])
    finally:
        # Faults end, the load ends, and everything drains.
        began = time.monotonic()
        for group in [disturbers, producers]:
            for thread in group:
                thread.stopping.set()
            for thread in group:
                thread.join(timeout=60)
        observer.stopping.set()
        observer.join(timeout=60)
    unexpected = {type(t).__name__: t.unexpected for t in [*producers, *disturbers, observer] if t.unexpected}
    assert not unexpected, unexpected
    if agent.process.poll() is not None:
        agent.start()
    agent.wait_empty(within=DRAINED_WITHIN)
    drained = time.monotonic() - began

    acknowledged = {"events": {}, "loose": {}}
    for producer in producers:
        acknowledged[producer.stream] |= producer.acknowledged
    assert agent.totals()["dead_lettered"] == 0, agent.ctl("dead-letters", "list").stdout.decode()
    verdict = judge(kinesis_local.journal(), acknowledged, reaper.deaths, unordered=["loose"])
    totals = agent.totals()
    # Every event was sent once, so what arrived, repeats apart, is what was accepted.
    assert totals["accepted"] == totals["delivered"] == verdict.delivered, (totals, verdict)
    assert totals["lost"] == totals["evicted"] == totals["expired"] == 0
    ids = sorted(pair for producer in producers for pair in producer.ids)
    assert all(before[1] < after[0] for before, after in zip(ids, ids[1:])), "an id was given twice"

    record_property(
        "measured",
        f"seed {chaos_seed}, {SECONDS:.0f} s, {delivery}: {verdict}; {reaper.kills} kills, {reaper.stops} stops,"
        f" {observer.snapshots} snapshots balanced, drained in {drained:.0f} s; struck: "
        + ", ".join(f"{name} {times}" for name, times in sorted(weather.struck.items())),
    )
    assert verdict.acknowledged > SECONDS * 100 and reaper.kills > SECONDS / 10 and observer.snapshots > SECONDS / 2
    if SECONDS >= 300:
        never = [t.name for t in TROUBLES if not weather.struck.get(t.name)]
        assert not never, f"these never struck: {never}"


# The judge itself.


def entry(key, n, at_ms=0, answered=True, stream="events"):
    data = base64.b64encode(json.dumps({"k": key, "n": n}).encode()).decode()
    return {"stream": stream, "partition_key": key, "data": data, "at_ms": at_ms, "answered": answered}


ACKNOWLEDGED = {"events": {"a": [0, 1, 2], "b": [0]}}
JOURNAL = [entry("a", 0), entry("b", 0), entry("a", 1), entry("a", 2), entry("a", 3)]


def test_the_judge_is_content_when_all_is_there_in_order():
    assert str(judge(JOURNAL, ACKNOWLEDGED)).startswith("4 acknowledged, 5 delivered, none lost")
    # A repeat after a lost answer, and one after a kill.
    late = [entry("b", 0, at_ms=60_000, answered=False), entry("a", 3, at_ms=100)]
    verdict = judge([*JOURNAL, *late], ACKNOWLEDGED, deaths=[50])
    assert (verdict.repeats_by_lost_answers, verdict.repeats_by_deaths) == (1, 1)


@pytest.mark.parametrize(
    "journal, says",
    [
        (JOURNAL[:3] + JOURNAL[4:], "1 lost"),
        ([JOURNAL[2], *JOURNAL[:2], *JOURNAL[3:]], "out of order"),
        ([*JOURNAL, entry("a", 1)], "for no reason"),
        # It died, but long after it was told, or not in between.
        ([*JOURNAL, entry("a", 1, at_ms=60_000)], "for no reason"),
        ([*JOURNAL, entry("a", 3, at_ms=4000), entry("a", 3, at_ms=4900)], "for no reason"),
        ([*JOURNAL, {**entry("a", 4), "partition_key": "b"}], "another key"),
    ],
)
def test_the_judge_notices(journal, says):
    with pytest.raises(AssertionError, match=says):
        judge(journal, ACKNOWLEDGED, deaths=[-50_000, 5000])
