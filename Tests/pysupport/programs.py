# SPDX-License-Identifier: Apache-2.0
"""Where the built programs are.

A variable named after a program (KINESIS_LOCAL) is its path, AGENTD_BIN the folder of all; without them, the release
build is used, else the debug build.
"""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program(name):
    named = os.environ.get(name.upper().replace("-", "_"))
    folder = os.environ.get("AGENTD_BIN")
    folders = [folder] if folder else [ROOT / ".build" / build for build in ("release", "debug")]
    candidates = [named] if named else [f"{folder}/{name}" for folder in folders]
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    raise RuntimeError(f"No {name} at {' or '.join(candidates)}: build it, or set AGENTD_BIN to the folder it is in.")
