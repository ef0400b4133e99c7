# SPDX-License-Identifier: Apache-2.0
"""The agent as deploy/install puts it on a machine, under a real systemd."""

import json
import os
import pathlib
import re
import shutil

import pytest

from container import Container, why_not
from waiting import wait_until

PROJECT = pathlib.Path(__file__).resolve().parents[2]
EVENTS = "http://127.0.0.1:8077/v1/streams/clicks/events"

pytestmark = pytest.mark.skipif(bool(why_not()), reason=str(why_not()))


@pytest.fixture(scope="module")
def machine():
    container = Container()
    try:
        if fault := container.prepare():
            pytest.skip(fault)
        kit = container.root / "opt/kit"
        shutil.copytree(PROJECT / "deploy", kit / "deploy")
        shutil.copy(PROJECT / "agent.conf.example", kit)
        for program in ("agentd", "agentctl", "kinesis-local"):
            shutil.copy(pathlib.Path(os.environ["AGENTD_BIN"]) / program, kit / program)
        if fault := container.boot():
            pytest.skip(fault)
        container.run("ip", "link", "set", "lo", "up", check=False)
        start_kinesis_local(container)
        container.run("/opt/kit/deploy/install", "--programs", "/opt/kit")
        container.write(
            "/etc/agentd/agent.conf",
            '[aws]\nregion = "us-east-1"\nendpoint = "http://127.0.0.1:4567"\n[[stream]]\nname = "clicks"\n',
        )
        keys = "[default]\naws_access_key_id=test\naws_secret_access_key=test\n"
        container.write("/etc/agentd/aws-credentials", keys, 0o600)
        container.write(
            "/etc/systemd/system/agentd.service.d/test.conf",
            "[Service]\nLoadCredential=aws:/etc/agentd/aws-credentials\n"
            "Environment=AWS_SHARED_CREDENTIALS_FILE=%d/aws\nWatchdogSec=3s\nTimeoutAbortSec=1s\n",
        )
        container.run("systemctl", "daemon-reload")
        container.run("systemctl", "enable", "--now", "agentd")
        yield container
    finally:
        container.stop()


def start_kinesis_local(machine):
    command = ["/opt/kit/kinesis-local", "--port", "4567", "--stream", "clicks:2"]
    machine.run("systemd-run", "--unit=kinesis-local", *command)


def status(machine):
    return json.loads(machine.run("agentctl", "status", "--json").stdout)


def show(machine, name):
    return machine.run("systemctl", "show", "agentd", "-p", name, "--value").stdout.strip()


def post(machine, data, *arguments):
    curl = ["curl", "-sS", "--max-time", "20", "-H", "Content-Type: text/plain", "-d", data]
    done = machine.run(*curl, *arguments, EVENTS)
    assert '"accepted":1' in done.stdout, done.stdout


def wait_delivered(machine):
    wait_until(lambda: status(machine)["queue"]["events"] == 0, "an empty queue", every=0.1)


def test_it_is_ready_when_systemd_says_so_and_delivers_through_each_door(machine):
    assert (show(machine, "ActiveState"), show(machine, "SubState")) == ("active", "running")
    before = status(machine)["totals"]["delivered"]
    post(machine, "tcp")
    post(machine, "unix", "--unix-socket", "/run/agentd/ingest.sock")
    wait_delivered(machine)
    assert status(machine)["totals"]["delivered"] == before + 2
    assert show(machine, "StatusText") != ""


def test_folders_files_and_sockets_belong_to_those_who_may_use_them(machine):
    def owner(path):
        return machine.run("stat", "-c", "%U:%G %a", path).stdout.strip()

    assert owner("/var/lib/agentd") == "agentd:agentd 750"
    assert owner("/var/lib/agentd/queue.db") == "agentd:agentd 600"
    assert owner("/run/agentd/ingest.sock") == "agentd:agentd 660"
    assert owner("/run/agentd/control.sock") == "agentd:agentd-admin 660"
    refused = machine.run("agentctl", "status", user="nobody", check=False)
    assert refused.returncode == 69 and "agentd-admin" in refused.stderr
    machine.run("usermod", "-a", "-G", "agentd-admin", "games")
    assert machine.run("agentctl", "status", user="games").returncode == 0


def test_the_sandbox_leaves_little_open(machine):
    done = machine.run("systemd-analyze", "security", "agentd.service", "--no-pager")
    (level,) = re.findall(r"Overall exposure level for agentd.service: ([0-9.]+)", done.stdout)
    assert float(level) <= 1.5
    # What the kernel refuses it would be said here.
    journal = machine.run("journalctl", "-u", "agentd", "--no-pager", "-o", "cat").stdout
    assert "not permitted" not in journal, journal


def test_it_comes_back_after_a_kill_with_what_it_had(machine):
    machine.run("systemctl", "stop", "kinesis-local")
    post(machine, "kept")
    queued = status(machine)["queue"]["events"]
    assert queued >= 1
    before = int(show(machine, "NRestarts"))
    machine.run("kill", "-9", show(machine, "MainPID"))
    wait_until(
        lambda: int(show(machine, "NRestarts")) == before + 1 and show(machine, "ActiveState") == "active", "a restart"
    )
    assert status(machine)["queue"]["events"] == queued
    start_kinesis_local(machine)
    wait_delivered(machine)


def test_the_watchdog_ends_one_that_hangs(machine):
    before = int(show(machine, "NRestarts"))
    machine.run("kill", "-STOP", show(machine, "MainPID"))
    wait_until(
        lambda: int(show(machine, "NRestarts")) == before + 1 and show(machine, "ActiveState") == "active", "a restart"
    )
    journal = machine.run("journalctl", "-u", "agentd", "--no-pager", "-o", "cat").stdout
    assert "Watchdog timeout" in journal


def test_restarts_under_load_refuse_nobody_and_lose_nothing(machine):
    """Clients that connect anew for each event, on both doors, while the agent is restarted and killed."""
    load = """
import http.client, socket, sys, threading, time
counts, faults, end = {}, [], time.monotonic() + 12
def client(name, connect):
    counts[name] = 0
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", 8077, timeout=20)
            connection.sock = connect()
            connection.request("POST", "/v1/streams/clicks/events", b"x", {"Content-Type": "text/plain"})
            answer = connection.getresponse()
            if answer.status == 202: counts[name] += 1
            elif answer.status != 503: faults.append((name, answer.status))
            connection.close()
        except (ConnectionRefusedError, FileNotFoundError) as error: faults.append((name, repr(error)))
        except (OSError, http.client.HTTPException): pass
def tcp():
    return socket.create_connection(("127.0.0.1", 8077), 20)
def unix():
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect("/run/agentd/ingest.sock"); return s
threads = [threading.Thread(target=client, args=(f"{c.__name__}{n}", c)) for c in (tcp, unix) for n in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sum(counts.values()), faults[:3])
"""
    before = status(machine)["totals"]["accepted"]
    client = machine.start("python3", "-c", load)
    for number in range(10):
        if number % 2:
            machine.run("systemctl", "restart", "agentd")
        else:
            machine.run("kill", "-9", show(machine, "MainPID"), check=False)
            wait_until(lambda: show(machine, "ActiveState") == "active", "a restart")
    answered, faults = client.communicate(timeout=90)[0].split(" ", 1)
    assert faults.strip() == "[]" and int(answered) > 100, (answered, faults)
    # A request whose answer a kill cut off may be there as well.
    assert status(machine)["totals"]["accepted"] - before >= int(answered)
    wait_delivered(machine)


def test_many_kills_in_a_row_do_not_leave_it_down(machine):
    """systemd's own limit is five starts in ten seconds; after that a unit stays failed."""
    for _ in range(7):
        before = int(show(machine, "NRestarts"))
        machine.run("kill", "-9", show(machine, "MainPID"))
        wait_until(
            lambda: int(show(machine, "NRestarts")) > before and show(machine, "ActiveState") == "active", "a restart"
        )
    post(machine, "still here")


def test_a_bad_configuration_is_told_and_not_tried_again_and_again(machine):
    good = machine.run("cat", "/etc/agentd/agent.conf").stdout
    try:
        machine.write("/etc/agentd/agent.conf", good + "[queue]\nmax_bytes = 'much'\n")
        assert machine.run("systemctl", "restart", "agentd", check=False).returncode != 0
        assert show(machine, "ActiveState") == "failed" and show(machine, "ExecMainStatus") == "78"
        journal = machine.run("journalctl", "-u", "agentd", "--no-pager", "-o", "cat", "-n", "20").stdout
        assert "queue.max_bytes" in journal
    finally:
        machine.write("/etc/agentd/agent.conf", good)
        machine.run("systemctl", "restart", "agentd")
    post(machine, "back")


def test_a_stop_is_clean_and_installing_again_restarts_what_ran(machine):
    machine.run("systemctl", "stop", "agentd")
    assert (show(machine, "ActiveState"), show(machine, "Result")) == ("inactive", "success")
    machine.run("systemctl", "start", "agentd")
    before = show(machine, "MainPID")
    machine.write("/etc/agentd/agent.conf", machine.run("cat", "/etc/agentd/agent.conf").stdout + "# mine\n")
    machine.run("/opt/kit/deploy/install", "--programs", "/opt/kit")
    assert show(machine, "ActiveState") == "active" and show(machine, "MainPID") != before
    assert machine.run("cat", "/etc/agentd/agent.conf").stdout.endswith("# mine\n")


def test_removing_keeps_configuration_and_queue(machine):
    post(machine, "last")
    done = machine.run("/opt/kit/deploy/install", "--remove")
    assert "/var/lib/agentd" in done.stdout and "/etc/agentd" in done.stdout
    for path in ("/usr/sbin/agentd", "/usr/bin/agentctl", "/usr/lib/systemd/system/agentd.service"):
        assert machine.run("test", "-e", path, check=False).returncode == 1
    machine.run("test", "-s", "/var/lib/agentd/queue.db")
    machine.run("test", "-s", "/etc/agentd/agent.conf")
    machine.run("/opt/kit/deploy/install", "--programs", "/opt/kit")
    machine.run("systemctl", "enable", "--now", "agentd")
    wait_delivered(machine)
