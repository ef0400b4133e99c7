# SPDX-License-Identifier: Apache-2.0
"""Disks for tests: small file systems that can be filled up, and disks that fail on demand."""

import os
import pathlib
import subprocess
import tempfile

import pytest

MiB = 1 << 20


class SmallDisk:
    """A file system of its own, in an image or in memory. Needs root."""

    def __init__(self, kind, size=160 * MiB):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="disk-", dir=os.environ.get("TMPDIR", "/var/tmp")))
        self.path = self.folder / "mount"
        self.path.mkdir()
        self.image = self.folder / "image"
        self.ballast = self.path / "ballast"
        self.mounted = False
        try:
            if kind == "tmpfs":
                self.run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path)
                self.mounted = True
            else:
                with open(self.image, "wb") as image:
                    image.truncate(size)
                # Without blocks that only root may use.
                self.run("mkfs.ext4", "-q", "-m", "0", self.image)
                self.mount()
        except (OSError, subprocess.CalledProcessError) as error:
            self.remove()
            pytest.skip(f"cannot mount a {kind} here: {getattr(error, 'stderr', None) or error}")

    @staticmethod
    def run(*command):
        return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, timeout=30).stdout

    def mount(self):
        self.run("mount", "-o", "loop,errors=remount-ro", self.image, self.path)
        self.mounted = True

    def unmount(self):
        if self.mounted:
            self.run("umount", self.path)
            self.mounted = False

    def remove(self):
        if self.mounted:
            # Lazily: a test that failed may have left a program on it.
            subprocess.run(["umount", "--lazy", str(self.path)], check=False, timeout=30)
            self.mounted = False
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.folder)], check=False, timeout=30)

    def free(self):
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def fill(self, leaving=0):
        """Takes what is free, but for so many bytes."""
        with open(self.ballast, "ab") as ballast:
            size = ballast.seek(0, os.SEEK_END)
            # What a file system needs to know of the blocks takes blocks too.
            for step in (MiB, 64 << 10, 4096):
                while (room := self.free() - leaving) >= step:
                    try:
                        os.posix_fallocate(ballast.fileno(), size, room // step * step)
                        size += room // step * step
                    except OSError:
                        break

    def empty(self):
        self.ballast.unlink(missing_ok=True)

    def fail(self):
        """The kernel meets an error of the file system, and makes it read-only until it is mounted again."""
        device = self.run("findmnt", "-n", "-o", "SOURCE", self.path).strip()
        pathlib.Path(f"/sys/fs/ext4/{pathlib.Path(device).name}/trigger_fs_error").write_text("test")

    def repair(self):
        """Mounts it again; nobody may have a file of it open."""
        self.unmount()
        # 1: errors were found and corrected.
        done = subprocess.run(["fsck.ext4", "-pf", str(self.image)], capture_output=True, timeout=30)
        assert done.returncode in (0, 1), done
        self.mount()


class FailingDisk:
    """Makes calls of one program fail: see failing_disk.c for the rules."""

    def __init__(self, folder):
        self.control = pathlib.Path(folder) / "rules"
        library = pathlib.Path(folder) / "failing_disk.so"
        source = pathlib.Path(__file__).with_name("failing_disk.c")
        subprocess.run(
            ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl", "-lpthread"],
            check=True,
            timeout=60,
        )
        self.environment = {"LD_PRELOAD": str(library), "FAILING_DISK": str(self.control)}

    def fail(self, *rules):
        """Each rule is (call, pattern, errno), and after that perhaps how many pass first, and how many fail."""
        lines = [" ".join(map(str, (*rule, *(0, -1)[len(rule) - 3 :]))) for rule in rules]
        # A new file each time, put there in one go: its inode says that it is another one.
        following = self.control.with_suffix(f".{os.urandom(4).hex()}")
        following.write_text("\n".join(lines) + "\n")
        following.rename(self.control)

    def heal(self):
        self.control.unlink(missing_ok=True)
