# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what lintian says, and installing, upgrading, removing and purging it under a real systemd."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from container import Container, why_not

PROJECT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = "/etc/agentd/agent.conf"

pytestmark = pytest.mark.skipif(
    bool(why_not()) or not shutil.which("dpkg-shlibdeps"), reason=str(why_not() or "dpkg-dev is not installed")
)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    # Packed loosely: that costs the time.
    done = subprocess.run(
        [PROJECT / "deploy/package", "--programs", os.environ["AGENTD_BIN"], "--output", folder],
        env={**os.environ, "DPKG_DEB_COMPRESSOR_LEVEL": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.split()[-1])


@pytest.fixture(scope="module")
def newer(package, tmp_path_factory):
    """The same with a higher version."""
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run(["dpkg-deb", "-R", package, folder / "root"], check=True)
    control = folder / "root/DEBIAN/control"
    lines = [f"{line}+1" if line.startswith("Version:") else line for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    conffile = folder / "root/etc/agentd/agent.conf"
    conffile.write_text(conffile.read_text() + "# as of the next version\n")
    path = folder / "agentd-next.deb"
    env = {**os.environ, "DPKG_DEB_COMPRESSOR_LEVEL": "0"}
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", folder / "root", path], check=True, env=env)
    return path


@pytest.fixture(scope="module")
def machine(package, newer):
    container = Container()
    try:
        if fault := container.prepare():
            pytest.skip(fault)
        (container.root / "opt").mkdir(exist_ok=True)
        shutil.copy(package, container.root / "opt/agentd.deb")
        shutil.copy(newer, container.root / "opt/agentd-next.deb")
        if fault := container.boot():
            pytest.skip(fault)
        container.run("ip", "link", "set", "lo", "up", check=False)
        yield container
    finally:
        container.stop()


def install(machine, package, *options):
    """Without anybody to ask."""
    return machine.run("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *options, "-i", package, input="")


def totals(machine):
    return json.loads(machine.run("agentctl", "status", "--json").stdout)["totals"]


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed")
def test_lintian_has_nothing_to_say(package):
    done = subprocess.run(["lintian", "--allow-root", package], capture_output=True, text=True, timeout=300)
    assert done.stdout == "" and done.returncode == 0, done.stdout + done.stderr


def test_its_files_belong_to_root_and_the_example_is_beside_it(package):
    listed = subprocess.run(["dpkg-deb", "-c", package], check=True, capture_output=True, text=True).stdout
    assert all(line.split()[1] == "root/root" for line in listed.splitlines())
    for path in ("usr/sbin/agentd", "usr/bin/agentctl", "usr/share/doc/agentd/agent.conf.example"):
        assert f"./{path}\n" in listed
    assert "var/lib" not in listed


def test_installed_upgraded_removed_and_purged_it_loses_nothing(machine):
    install(machine, "/opt/agentd.deb")
    assert machine.run("systemctl", "is-active", "agentd").stdout == "active\n"
    assert machine.run("systemctl", "is-enabled", "agentd").stdout == "enabled\n"
    machine.run("agentd", "--check-config", "--config", CONFIG)

    mine = '[aws]\nregion = "us-east-1"\nendpoint = "http://127.0.0.1:9"\n[[stream]]\nname = "clicks"\n'
    machine.write(CONFIG, mine)
    machine.run("systemctl", "restart", "agentd")
    body = "\n".join(str(number) for number in range(1000))
    post = ["curl", "-sS", "--fail", "-H", "Content-Type: application/x-ndjson", "--data-binary", "@-"]
    machine.run(*post, "http://127.0.0.1:8077/v1/streams/clicks/events", input=body)
    assert totals(machine)["accepted"] == 1000

    # Both changed the configuration: nobody is asked, and the operator's stays.
    before = machine.run("systemctl", "show", "agentd", "-p", "MainPID", "--value").stdout
    install(machine, "/opt/agentd-next.deb", "--force-confdef", "--force-confold")
    assert machine.run("systemctl", "show", "agentd", "-p", "MainPID", "--value").stdout != before
    assert machine.run("cat", CONFIG).stdout == mine
    assert totals(machine)["accepted"] == 1000
    assert "ok installed" in machine.run("dpkg-query", "-W", "-f", "${Status} ${Version}", "agentd").stdout

    machine.run("dpkg", "-r", "agentd", input="")
    assert machine.run("systemctl", "is-active", "agentd", check=False).stdout.strip() in ("inactive", "unknown")
    assert machine.run("cat", CONFIG).stdout == mine
    install(machine, "/opt/agentd.deb", "--force-confold")
    assert totals(machine)["accepted"] == 1000

    done = machine.run("dpkg", "-P", "agentd", input="")
    assert "/var/lib/agentd" in done.stderr
    assert machine.run("test", "-e", CONFIG, check=False).returncode == 1
    machine.run("test", "-s", "/var/lib/agentd/queue.db")
