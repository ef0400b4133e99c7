# SPDX-License-Identifier: Apache-2.0
"""What a consumer may expect: nothing lost, and order per key once repeats are removed."""

import base64
import json


def base64_data(entry):
    """The data of a line of kinesis-local's journal."""
    return base64.b64decode(entry["data"])


def delivered_numbers(journal):
    """Key to the numbers of its events, `{"k": key, "n": number}`, in the order of arrival."""
    result = {}
    for entry in journal:
        event = json.loads(base64_data(entry))
        assert entry["partition_key"] == event["k"], entry
        result.setdefault(event["k"], []).append(event["n"])
    return result


def first_arrivals(numbers):
    """The numbers without repeats, in the order in which each came first."""
    return list(dict.fromkeys(numbers))


def check_order(arrived, expected, repeats_allowed):
    """Every key's numbers as expected, in order; `arrived` and `expected` are by key.

    The result is how many repeats there were.
    """
    repeats = 0
    lost = {key: sorted(set(numbers) - set(arrived.get(key, [])))[:5] for key, numbers in expected.items()}
    lost = {key: numbers for key, numbers in lost.items() if numbers}
    assert not lost, f"lost, by key: {lost}"
    for key, numbers in arrived.items():
        firsts = first_arrivals(numbers)
        repeats += len(numbers) - len(firsts)
        wanted = set(expected.get(key, []))
        # What was sent but not acknowledged may be there as well.
        inversions = [pair for pair in zip(firsts, firsts[1:]) if pair[0] > pair[1]]
        assert not inversions, f"key {key} is out of order: {inversions[:5]}"
        assert wanted <= set(firsts)
    assert repeats_allowed or repeats == 0, f"{repeats} repeats"
    return repeats
