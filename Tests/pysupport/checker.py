# SPDX-License-Identifier: Apache-2.0
"""Judges a run by two things alone: what the agent acknowledged, and the journal of what Kinesis accepted.

Nothing acknowledged is missing. Of each key, first arrivals are in order. And nothing is there twice without a reason,
of which there are two: Kinesis stored it and the agent was not told (the answer was lost, spoiled or a failure: the
journal knows), or it was told and killed before the deletion was committed. So between two copies that it was told of,
it died, soon after the first. That bounds repeats: by what was under way when answers were lost and when it died.
"""

import bisect
import collections
import dataclasses
import json

from ordering import base64_data, first_arrivals

# From an answer until the deletion is committed: 50 ms, and the rest is for a slow machine.
COMMITTED_WITHIN_MS = 2000
# From a kill until kinesis-local has read the last request of the dead.
READ_WITHIN_MS = 500


@dataclasses.dataclass
class Verdict:
    acknowledged: int = 0
    delivered: int = 0
    repeats: int = 0
    repeats_by_lost_answers: int = 0
    repeats_by_deaths: int = 0

    def __str__(self):
        text = f"{self.acknowledged} acknowledged, {self.delivered} delivered, none lost, none out of order, "
        text += f"{self.repeats or 'none'} repeated"
        if self.repeats:
            text += f" ({self.repeats_by_lost_answers} after lost answers, {self.repeats_by_deaths} after kills)"
        return text


def judge(journal, acknowledged, deaths=(), unordered=()):
    """Fails with what is wrong, or says how much of everything there was.

    `acknowledged` is stream to key to numbers, `deaths` are times of kills in milliseconds, `unordered` are streams of
    events without a key.
    """
    deaths = sorted(deaths)
    verdict = Verdict()
    copies = collections.defaultdict(list)
    arrived = collections.defaultdict(list)
    for entry in journal:
        stream, event = entry["stream"], json.loads(base64_data(entry))
        assert stream in unordered or entry["partition_key"] == event["k"], f"it came under another key: {entry}"
        copies[stream, event["k"], event["n"]].append(entry)
        arrived[stream, event["k"]].append(event["n"])
    verdict.delivered = len(copies)

    lost = []
    for stream, keys in acknowledged.items():
        for key, numbers in keys.items():
            verdict.acknowledged += len(numbers)
            lost += [(stream, key, n) for n in numbers if (stream, key, n) not in copies]
    assert not lost, f"{len(lost)} lost, among them {lost[:5]}"

    for (stream, key), numbers in arrived.items():
        if stream in unordered:
            continue
        firsts = first_arrivals(numbers)
        inversions = [pair for pair in zip(firsts, firsts[1:]) if pair[0] > pair[1]]
        assert not inversions, f"{key} of {stream} is out of order: {inversions[:5]}"

    for event, entries in copies.items():
        if len(entries) == 1:
            continue
        verdict.repeats += len(entries) - 1
        untold = [entry for entry in entries if not entry["answered"]]
        told = [entry["at_ms"] for entry in entries if entry["answered"]]
        for first, second in zip(told, told[1:]):
            assert has_died(first, second, deaths), f"{event} is there again for no reason: {entries}, {deaths}"
        by_answers = min(len(untold), len(entries) - 1)
        verdict.repeats_by_lost_answers += by_answers
        verdict.repeats_by_deaths += len(entries) - 1 - by_answers
    return verdict


def has_died(first, second, deaths):
    """Whether a death explains that what was told at `first` was sent again at `second`."""
    index = bisect.bisect_left(deaths, first - READ_WITHIN_MS)
    return index < len(deaths) and deaths[index] <= min(second, first + COMMITTED_WITHIN_MS)
