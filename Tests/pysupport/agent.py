# SPDX-License-Identifier: Apache-2.0
"""agentd as a child process on scratch files, and agentctl to look into it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from kinesis_local import ACCESS_KEY, SECRET_KEY
from programs import program
from waiting import free_port, wait_until


def toml(config):
    """TOML text of `{section: {key: value}}`; a list of tables where the value is a list."""
    lines = []
    for section, tables in config.items():
        for table in tables if isinstance(tables, list) else [tables]:
            lines.append(f"[[{section}]]" if isinstance(tables, list) else f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


class Agent:
    """An agent with a folder of its own. It can be started, killed and started again on the same queue."""

    def __init__(self, endpoint, listed=("events",), environment=None, **sections):
        # Not pytest's own folders: a Unix socket's path has at most 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="agentd-", dir=os.environ.get("TMPDIR", "/var/tmp")))
        self.port = free_port()
        self.socket = str(self.folder / "ingest.sock")
        self.control = str(self.folder / "control.sock")
        self.database = self.folder / "queue.db"
        self.config_path = self.folder / "agent.conf"
        self.log_path = self.folder / "agentd.log"
        self.process = None
        # What goes before the program, and where its log goes instead of to `log_path`.
        self.wrapper = []
        self.stderr = None
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            **(environment or {}),
        }
        self.config = {
            "queue": {"path": str(self.database), "min_free_disk": "16 MiB", "max_bytes": "256 MiB"},
            "listen": {
                "http": f"127.0.0.1:{self.port}",
                "socket": self.socket,
                "control_socket": self.control,
            },
            "delivery": {},
            "aws": {"endpoint": endpoint},
            "streams": {},
            "log": {},
            "stream": [s if isinstance(s, dict) else {"name": s} for s in listed],
        }
        for section, values in sections.items():
            self.config[section].update(values)

    # Life.

    def write_config(self):
        self.config_path.write_text(toml({name: tables for name, tables in self.config.items() if tables}))

    def start(self, wait=True):
        self.write_config()
        environment = {name: value for name, value in self.environment.items() if value is not None}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, program("agentd"), "--config", str(self.config_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log if self.stderr is None else self.stderr,
                env=environment,
            )
        if wait:
            wait_until(self.is_ready, f"agentd is ready ({self.log_path})", every=0.005)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"agentd ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        # The control socket is opened last.
        return self.ctl("status").returncode == 0

    def kill(self):
        """As a power cut of the process: nothing is flushed, nobody is told."""
        self.process.kill()
        self.process.wait(timeout=20)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self, within=30):
        """The exit status after SIGTERM."""
        self.terminate()
        return self.process.wait(timeout=within)

    def restart(self):
        assert self.stop() == 0, self.log()[-4000:]
        return self.start()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # agentctl.

    def ctl(self, *arguments, input=b"", within=60):
        """The finished process; its output is bytes."""
        return subprocess.run(
            [program("agentctl"), *arguments],
            input=input,
            capture_output=True,
            timeout=within,
            env={"PATH": os.environ["PATH"], "AGENTD_CONTROL": self.control},
        )

    def status(self):
        """What `agentctl status --json` says, after checking that the totals balance."""
        done = self.ctl("status", "--json")
        assert done.returncode == 0, done.stderr.decode()
        status = json.loads(done.stdout)
        check_balance(status)
        return status

    def stream(self, name="events"):
        return next(s for s in self.status()["streams"] if s["name"] == name)

    def totals(self):
        return self.status()["totals"]

    def wait_for_stream(self, condition, what, name="events", within=30):
        """The status of a stream once `condition` holds for it."""

        def look():
            status = self.stream(name)
            return status if condition(status) else None

        return wait_until(look, f"{what} ({name})", within, every=0.05)

    def wait_empty(self, within=60):
        wait_until(lambda: self.status()["queue"]["events"] == 0, "the queue is empty", within, every=0.05)


def check_balance(status):
    totals = status["totals"]
    left = ("delivered", "dead_lettered", "expired", "evicted", "lost")
    assert totals["accepted"] == status["queue"]["events"] + sum(totals[name] for name in left), status
    # Streams that left the configuration and have nothing queued are not listed.
    assert status["queue"]["events"] == sum(s["queued_events"] for s in status["streams"]), status
