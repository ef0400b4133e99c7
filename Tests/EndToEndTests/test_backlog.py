# SPDX-License-Identifier: Apache-2.0
"""What an outage leaves behind is worked off as fast as it came, in bounded memory, and the file gives its space back.

`agent-bench backlog` measures; the bounds here are far from what it measures on a quiet machine, so that a noisy one
passes. AGENTD_TEST_BACKLOG says how many events.
"""

import json
import os
import subprocess

import pytest

from programs import program

EVENTS = int(os.environ.get("AGENTD_TEST_BACKLOG", 200_000))
MIB = 1 << 20


@pytest.fixture(scope="module")
def backlogs(tmp_path_factory):
    """The reports on a short backlog and on a long one. agent-bench fails where an event is lost or comes twice."""
    command = [program("agent-bench"), "backlog", "--events", str(EVENTS), "--shallow-events", str(EVENTS // 5), "--json"]
    command += ["--agentd", program("agentd"), "--kinesis-local", program("kinesis-local")]
    directory = tmp_path_factory.mktemp("backlog")
    run = subprocess.run(command, cwd=directory, timeout=120 + EVENTS / 2000, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_long_backlog_is_worked_off_like_a_short_one(backlogs, record_property):
    short, long = (report["drained_per_second"] for report in backlogs)
    record_property("measured", f"{short:.0f}/s of {backlogs[0]['events']}, {long:.0f}/s of {backlogs[1]['events']}")
    assert long > short / 3


def test_start_and_status_do_not_wait_for_the_backlog(backlogs, record_property):
    long = backlogs[1]
    record_property("measured", f"READY {long['ready_milliseconds']:.0f} ms, status {long['status_p50_milliseconds']:.1f} ms")
    assert long["ready_milliseconds"] < 5_000
    assert long["status_p50_milliseconds"] < 1_000


def test_memory_does_not_grow_with_the_backlog(backlogs, record_property):
    short, long = (report["peak_resident_bytes"] for report in backlogs)
    record_property("measured", f"{short // MIB} and {long // MIB} MiB")
    assert long < 96 * MIB
    assert long < short + 32 * MIB


def test_the_file_gives_its_space_back(backlogs):
    for report in backlogs:
        assert report["queue_file_bytes_after"] < report["queue_file_bytes_before"] / 4
        assert report["write_ahead_log_bytes_after"] < 40 * MIB
