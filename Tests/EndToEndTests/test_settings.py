# SPDX-License-Identifier: Apache-2.0
"""Configuration files, good and bad: 0 or 78, every fault at once, each with its place."""

import os
import subprocess

import pytest

from clients import Poster
from programs import ROOT, program

GOOD = """
[queue]
path = "/nowhere/queue.db"
[[stream]]
name = "clicks"
"""


def check(folder, text, tool="agentd"):
    path = folder / "agent.conf"
    path.write_text(text)
    arguments = ["--check-config", "--config"] if tool == "agentd" else ["check-config"]
    done = subprocess.run([program(tool), *arguments, str(path)], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("tool", ["agentd", "agentctl"])
def test_a_good_file(tmp_path, tool):
    status, output, errors = check(tmp_path, GOOD, tool)
    assert (status, errors) == (0, "") and "valid" in output


def test_the_example_and_an_empty_file_are_good(tmp_path):
    assert check(tmp_path, (ROOT / "agent.conf.example").read_text())[0] == 0
    assert check(tmp_path, "")[0] == 0


def test_a_file_without_any_stream_is_valid_but_doubtful(tmp_path, make_agent):
    status, output, errors = check(tmp_path, "")
    assert status == 0 and "valid" in output
    assert "warning: No stream is listed" in errors and "[[stream]]" in errors
    agent = make_agent("http://127.0.0.1:1", [])
    agent.start()
    assert [p["code"] for p in agent.status()["agent"]["problems"]] == ["no_streams"]
    assert "No stream is listed" in agent.log()


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    path = tmp_path / "agent.conf"
    os.mkfifo(path)
    for arguments in [["--config", str(path)], ["--check-config", "--config", str(path)]]:
        done = subprocess.run([program("agentd"), *arguments], capture_output=True, text=True, timeout=20)
        assert done.returncode == 78 and done.stderr == f"{path}: is not a regular file\n"


def test_a_hundred_thousand_faults_are_fifty_and_a_count(tmp_path):
    status, _, errors = check(tmp_path, "[queue]\n" + "".join(f"k{n} = 1\n" for n in range(100_000)))
    assert status == 78
    lines = errors.splitlines()
    assert len(lines) == 51 and lines[-1].endswith("and 99950 more faults")
    assert [f":{n}:" in line for n, line in zip(range(2, 52), lines)] == [True] * 50


@pytest.mark.parametrize("text", ["a" + ".a" * 50_000 + " = 1", "[a" + ".a" * 50_000 + "]", "a = " + "[" * 50_000])
def test_endless_nesting_is_refused(tmp_path, text):
    status, _, errors = check(tmp_path, text)
    assert status == 78 and "nested deeper than 32 levels" in errors


def test_nothing_in_a_file_reaches_the_terminal_raw(tmp_path):
    status, _, errors = check(tmp_path, '"a\\u001b[31m" = 1\n"\\u202e\\u009b" = 2\n\'\x7f\' = 3\n')
    assert status == 78 and errors.isascii() and errors.replace("\n", "").isprintable(), errors


def test_thousands_of_streams_are_taken_and_a_misspelt_one_is_told_the_nearest(make_agent):
    names = [f"stream-{n:05}-{'x' * 100}" for n in range(5000)]
    agent = make_agent("http://127.0.0.1:1", [{"name": name, "max_bytes": "1 MiB"} for name in names])
    agent.start()
    poster = Poster(agent)
    assert poster.post(names[4321], b"x").status == 202
    answer = poster.post(names[4321] + "y", b"x")
    assert answer.status == 404 and f"Did you mean '{names[4321]}'?" in answer.json["message"]
    assert agent.stop() == 0


@pytest.mark.parametrize("tool", ["agentd", "agentctl"])
def test_all_faults_are_reported_at_once_with_their_places(tmp_path, tool):
    text = """[queue]
max_byte = "1 GiB"
max_age = 5
[listen]
put_wait = "5 parsecs"
[delivery]
workers = 0
[[stream]]
region = "us-east-1"
[[stream]]
name = "clicks"
aggregation = "key"
[[stream]]
name = "clicks"
"""
    status, output, errors = check(tmp_path, text, tool)
    assert status == 78 and output == ""
    lines = errors.splitlines()
    assert len(lines) == 7, errors
    path = str(tmp_path / "agent.conf")
    assert all(line.startswith(path + ":") for line in lines)
    for number, words in [
        (2, ["queue.max_byte", "max_bytes"]),
        (3, ["queue.max_age", "duration"]),
        (5, ["listen.put_wait", "duration"]),
        (7, ["delivery.workers", "1", "64"]),
        (8, ["name"]),
        (12, ["aggregation", "not available yet"]),
    ]:
        assert any(f":{number}:" in line and all(word in line for word in words) for line in lines), (number, errors)
    assert "clicks" in lines[-1]


BAD = [
    ("[queue]\nmax_bytes = -1", 2, "queue.max_bytes"),
    ('[queue]\nmax_bytes = "4 Gigs"', 2, "queue.max_bytes"),
    ('[queue]\nmax_bytes = "1 KiB"', 2, "queue.max_bytes"),
    ("[queue]\nmax_bytes = 1.5", 2, "queue.max_bytes"),
    ('[queue]\nwhen_full = "drop-newest"', 2, "queue.when_full"),
    ('[queue]\ndurability = "none"', 2, "queue.durability"),
    ('[queue]\npath = "relative.db"', 2, "queue.path"),
    ("[queue]\npath = 7", 2, "queue.path"),
    ('[listen]\nhttp = "127.0.0.1"', 2, "listen.http"),
    ('[listen]\nhttp = "127.0.0.1:70000"', 2, "listen.http"),
    (f'[listen]\nsocket = "/{"s" * 108}"', 2, "listen.socket"),
    ('[listen]\nhttp = ""\nsocket = ""', 3, "listen.socket"),
    ('[listen]\nallowed_hosts = "a"', 2, "listen.allowed_hosts"),
    ('[delivery]\nlinger = 50', 2, "delivery.linger"),
    ('[delivery]\nmax_batch_bytes = "11 MiB"', 2, "delivery.max_batch_bytes"),
    ('[aws]\nendpoint = "127.0.0.1:4567"', 2, "aws.endpoint"),
    ('[aws]\nendpoint = "http://127.0.0.1:4567/path"', 2, "aws.endpoint"),
    ('[aws]\nsecret_access_key = "x"', 2, "aws.secret_access_key"),
    ('[streams]\naccept = "some"', 2, "streams.accept"),
    ('[stream]\nname = "clicks"', 1, "[[stream]]"),
    ('[[stream]]\nname = "no name"', 2, "name"),
    ('[[stream]]\nname = "a"\npartition_key = "user"', 3, "partition_key"),
    ('[[stream]]\nname = "a"\nordering = "strict"', 3, "not available yet"),
    ('[[stream]]\nname = "a"\nendpoint = "ftp://x"', 3, "endpoint"),
    ('[log]\nlevel = "loud"', 2, "log.level"),
    ("[qeue]", 1, "queue"),
    ('[queue]\npath = "/a"\npath = "/b"', 3, ""),
    ("queue = 1", 1, "queue"),
    ("\x00", 1, ""),
    ("[aws]\nregion = eu-central-1", 2, 'quotes: region = "eu-central-1"'),
    ('[queue]\nmax_bytes = "4 GB"', 2, 'did you mean "4 GiB"?'),
    ('[[streams]]\nname = "a"', 1, "[[stream]]"),
    ("[delivery]\nworkers = 65", 2, "1 to 64, not 65"),
    ('[queue]\npath = "/a\\u0000b"', 2, "zero byte"),
    (f'[queue]\npath = "/{"a" * 5000}"', 2, "queue.path"),
]


@pytest.mark.parametrize("text, line, words", BAD)
def test_bad_settings_are_named_with_their_place(tmp_path, text, line, words):
    status, output, errors = check(tmp_path, text + "\n")
    assert status == 78 and output == ""
    (fault,) = errors.splitlines()
    assert fault.startswith(f"{tmp_path}/agent.conf:{line}:") and words in fault, fault


def test_a_fault_of_the_syntax_has_line_and_column(tmp_path):
    status, _, errors = check(tmp_path, '[queue]\npath = "a\n')
    assert status == 78 and "agent.conf:2:" in errors


def test_a_missing_file(tmp_path):
    path = str(tmp_path / "missing.conf")
    for arguments in [["--config", path], ["--check-config", "--config", path]]:
        done = subprocess.run([program("agentd"), *arguments], capture_output=True, text=True, timeout=20)
        assert done.returncode == 78 and path in done.stderr and "No such file" in done.stderr


def test_a_bad_file_opens_nothing(make_agent):
    agent = make_agent("http://127.0.0.1:1", delivery={"workers": 0})
    agent.start(wait=False)
    assert agent.process.wait(timeout=20) == 78
    assert sorted(path.name for path in agent.folder.iterdir()) == ["agent.conf", "agentd.log"]
    assert "delivery.workers" in agent.log()


def test_usage():
    done = subprocess.run([program("agentd"), "--confg", "x"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 64 and "--confg" in done.stderr
    done = subprocess.run([program("agentd"), "--version"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and done.stdout.strip()
