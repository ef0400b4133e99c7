# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong at Kinesis or on the way to it: one by one, or as weather that changes."""

import dataclasses
import json
import random
import threading
import time
import urllib.error

THROTTLED = "ProvisionedThroughputExceededException"


@dataclasses.dataclass(frozen=True)
class Trouble:
    """A kind of fault, as rules of kinesis-local, and what the agent makes of it."""

    name: str
    rules: tuple
    # What `agentctl status` says while it strikes every time; None: it passes without a fault to tell of.
    code: str | None = None
    state: str = "backing_off"
    limited_by: str | None = None
    # Whether records are stored that the agent is not told of: only then an event may come twice.
    repeats: str = "never"
    # It strikes all or nothing: by chance it would be another kind.
    steady: bool = False

    def rules_with(self, **changes):
        """Its rules, each with an id of its own, and with other members."""
        if self.steady:
            changes.pop("probability", None)
        return [{"id": f"{self.name}-{n}", **rule, **changes} for n, rule in enumerate(self.rules)]


def trouble(name, *rules, **more):
    return Trouble(name, rules, **more)


def error(code, **more):
    return {"action": "error", "code": code, "message": "An injected fault.", **more}


# Names say what happens. Requests time out after a second, which `request_timeout` must be set to.
TROUBLES = [
    # Some entries of an answer.
    trouble("some_records_throttled", {"action": "fail_record", "probability": 0.7}, code=THROTTLED, state="ok"),
    trouble(
        "a_shard_throttled",
        {"action": "fail_record", "shard": "shardId-000000000001"},
        code=THROTTLED,
        state="ok",
        limited_by="throttling",
    ),
    trouble(
        "a_key_throttled",
        {"action": "fail_record", "partition_key": "key-3"},
        code=THROTTLED,
        state="ok",
        limited_by="throttling",
    ),
    trouble(
        "some_records_failing",
        {"action": "fail_record", "code": "InternalFailure", "probability": 0.7},
        code="InternalFailure",
        state="ok",
    ),
    # Whole requests, refused by the service.
    trouble("requests_throttled", error(THROTTLED), code=THROTTLED),
    trouble("requests_limited", error("LimitExceededException"), code="LimitExceededException"),
    trouble("kms_throttling", error("KMSThrottlingException"), code="KMSThrottlingException"),
    trouble("expired_token", error("ExpiredTokenException"), code="ExpiredTokenException", state="parked"),
    trouble("unknown_key_id", error("UnrecognizedClientException"), code="UnrecognizedClientException", state="parked"),
    trouble("access_denied", error("AccessDeniedException"), code="AccessDeniedException", state="parked"),
    trouble("kms_denied", error("KMSAccessDeniedException"), code="KMSAccessDeniedException", state="parked"),
    trouble("stream_missing", error("ResourceNotFoundException"), code="ResourceNotFoundException", state="parked"),
    # (A record that is refused alone, between others that are accepted, would be a dead letter.)
    trouble(
        "invalid_argument",
        error("InvalidArgumentException"),
        code="InvalidArgumentException",
        state="parked",
        steady=True,
    ),
    # Refused, or failed, nobody knows.
    trouble("internal_failure", error("InternalFailure"), code="InternalFailure"),
    trouble(
        "internal_failure_but_stored",
        error("InternalFailure", stored=True),
        code="InternalFailure",
        repeats="surely",
    ),
    trouble("empty_503", {"action": "status", "status": 503}, code="http_503"),
    trouble(
        "bad_gateway_but_stored",
        {"action": "status", "status": 502, "body": "<html>bad gateway</html>", "stored": True},
        code="http_502",
        repeats="surely",
    ),
    # The connection.
    trouble("reset_before_reading", {"action": "reset_unread", "operation": "*"}, code="no_answer"),
    trouble("reset_before_storing", {"action": "reset", "stored": False}, code="no_answer"),
    trouble("reset_after_storing", {"action": "reset", "stored": True}, code="no_answer", repeats="surely"),
    trouble("closed_after_the_answer", {"action": "close"}),
    trouble("hanging", {"action": "hang"}, code="no_answer"),
    trouble("hanging_but_stored", {"action": "hang", "stored": True}, code="no_answer", repeats="surely"),
    # Time.
    trouble("late_answers", {"action": "delay", "delay_ms": 150}),
    trouble("answers_too_late", {"action": "delay", "delay_ms": 1300}, code="no_answer", repeats="surely"),
    trouble("slow_reading", {"action": "slow_read", "bytes_per_second": 40_000}),
    trouble("reading_too_slow", {"action": "slow_read", "bytes_per_second": 500}, code="no_answer", repeats="perhaps"),
    trouble("clock_ahead", {"action": "clock", "offset_seconds": 4000}, steady=True),
    trouble("clock_behind", {"action": "clock", "offset_seconds": -100_000}, steady=True),
    # The answer.
    trouble("garbage", {"action": "garbage"}, code="unintelligible_answer", repeats="surely"),
    trouble("half_an_answer", {"action": "truncate"}, code="no_answer", repeats="surely"),
    trouble(
        "an_entry_too_few", {"action": "wrong_count", "entries": -1}, code="unintelligible_answer", repeats="surely"
    ),
    trouble(
        "an_entry_too_many", {"action": "wrong_count", "entries": 1}, code="unintelligible_answer", repeats="surely"
    ),
]


class Weather(threading.Thread):
    """Changes what goes wrong every second or two: every kind in turn, in an order drawn anew each round, one to three
    at a time, with outages and resharding in between."""

    def __init__(self, kinesis_local, streams, key, seed, longest_outage=1.5):
        """`key` is the one that is throttled alone."""
        super().__init__()
        self.kinesis_local = kinesis_local
        self.streams, self.key, self.longest_outage = streams, key, longest_outage
        self.random = random.Random(f"weather {seed}")
        self.stopping = threading.Event()
        # Kind to how often it struck.
        self.struck = {}
        self.unexpected = []

    def run(self):
        try:
            while not self.stopping.is_set():
                self.round()
        except Exception as error:
            self.unexpected.append(repr(error))
        self.insist(self.kinesis_local.clear_faults)

    def round(self):
        """Every kind once."""
        kinds = [*TROUBLES, "outage", "outage", "reshard", "reshard", "split", "split"]
        self.random.shuffle(kinds)
        while kinds and not self.stopping.is_set():
            now = [kinds.pop() for _ in range(min(len(kinds), self.random.choice([1, 1, 2, 3])))]
            rules = []
            for kind in now:
                if kind == "outage":
                    self.outage()
                elif kind in ("reshard", "split"):
                    self.reshard(kind)
                else:
                    rules += kind.rules_with(probability=self.random.choice([0.1, 0.3, 0.6, 1]))
            rules = [self.aimed(rule) for rule in rules]
            if rules:
                self.insist(lambda rules=rules: self.kinesis_local.add_faults(*rules))
                self.stopping.wait(self.random.uniform(0.3, 1.5))
                self.count()
            # Some sunshine.
            self.stopping.wait(self.random.uniform(0, 0.5))

    def aimed(self, rule):
        """The rule, its shard and its key being ones that there are."""
        if "partition_key" in rule:
            return rule | {"partition_key": self.key}
        if "shard" in rule:
            return rule | {"shard": self.open_shard(self.streams[0])}
        return rule

    def open_shard(self, stream):
        streams = self.insist(self.kinesis_local.stats)["streams"]
        shards = next(s["shards"] for s in streams if s["name"] == stream)
        return self.random.choice([shard["id"] for shard in shards if shard["open"]])

    def count(self):
        listed = json.loads(self.insist(lambda: self.kinesis_local.control("GET", "faults")))
        for entry in listed:
            name, _, _ = entry["id"].rpartition("-")
            # What has no chance of its own is not counted by the server: it lasted.
            times = max(entry["fired"], entry["rule"]["action"] == "clock")
            self.struck[name] = self.struck.get(name, 0) + times
        self.insist(self.kinesis_local.clear_faults)

    def outage(self):
        seconds = self.random.choice([0.1, 0.5, 1.5, self.longest_outage]) * self.random.uniform(0.2, 1)
        milliseconds = int(1000 * seconds)
        self.insist(lambda: self.kinesis_local.outage(milliseconds))
        self.struck["outage"] = self.struck.get("outage", 0) + 1
        self.stopping.wait(milliseconds / 1000)

    def reshard(self, kind):
        stream = self.random.choice(self.streams)
        change = {"shards": self.random.randint(1, 6)}
        if kind == "split":
            change = {"split": self.open_shard(stream)}
        self.insist(lambda: self.kinesis_local.reshard(stream, **change))
        self.struck[kind] = self.struck.get(kind, 0) + 1

    def insist(self, body, within=30):
        """Asks until the server is there again: it may be away, by our own doing."""
        deadline = time.monotonic() + within
        while True:
            try:
                return body()
            except (OSError, urllib.error.URLError):
                assert time.monotonic() < deadline, "kinesis-local does not come back"
                time.sleep(0.02)
