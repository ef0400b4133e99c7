# SPDX-License-Identifier: Apache-2.0
"""A machine of its own with a real systemd: this machine's files under an overlay, booted by systemd-nspawn."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from waiting import wait_until


ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def why_not():
    """Why there can be none here; None where there can."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    for program in ("systemd-nspawn", "nsenter", "mount"):
        if not shutil.which(program):
            return f"{program} is not installed"
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True)
    return None if probe.returncode == 0 else "this machine does not allow namespaces"


class Container:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="agentd-container.", dir="/var/tmp"))
        self.root = self.folder / "root"
        self.console = None
        self.process = None

    def prepare(self):
        """Why that cannot be done here, or None."""
        # A file system of its own: an overlay cannot lie on an overlay's upper folder.
        for name in ("up", "work", "root", "state"):
            (self.folder / name).mkdir()
        options = f"lowerdir=/,upperdir={self.folder}/up,workdir={self.folder}/work"
        mount = ["mount", "-t", "overlay", "agentd-test", "-o", options, self.root]
        done = subprocess.run(mount, capture_output=True, text=True)
        if done.returncode != 0:
            return f"no overlay can be mounted: {done.stderr.strip()}"
        # Images for containers forbid packages to start services.
        (self.root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        return None

    def boot(self):
        """Why that cannot be done here, or None once the system runs."""
        self.console = open(self.folder / "console", "w")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--link-journal=no"]
            + ["--console=pipe", f"--bind={self.folder}/state:/var/lib/agentd", "-D", self.root, "--boot"]
            + ["systemd.unit=multi-user.target"],
            stdin=subprocess.DEVNULL,
            stdout=self.console,
            stderr=self.console,
        )
        self.leader = wait_until(lambda: self.has_ended() or self._leader(), "the container's first process", every=0.05)
        if self.has_ended():
            return f"systemd-nspawn ended: {(self.folder / 'console').read_text()[-500:]}"
        wait_until(
            lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"),
            "a running system",
        )
        return None

    def has_ended(self):
        return self.process.poll() is not None

    def _leader(self):
        for children in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            if words := children.read_text().split():
                return int(words[0])
        return None

    def run(self, *command, check=True, input=None, user=None, within=60):
        """A command inside, its output as text."""
        if user:
            command = ("runuser", "-u", user, "--", *command)
        command = [*self._enter(), *command]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=within, env=ENVIRONMENT)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *command):
        """A command inside that goes on, its output as text."""
        command = [*self._enter(), *command]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)

    def _enter(self):
        return ["nsenter", "-t", str(self.leader), "-a", "--"]

    def write(self, path, text, mode=0o644):
        self.run("install", "-D", f"-m{mode:o}", "/dev/stdin", path, input=text)

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.console:
            self.console.close()
        subprocess.run(["umount", "-l", self.root], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)
