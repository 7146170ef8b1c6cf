"""Real servers for tests: a PostgreSQL of its own, on a free port, with nothing in it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an empty database; skipped where Debian's PostgreSQL is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if os.geteuid() == 0 and not shutil.which("runuser"):
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if as_user:
            shutil.chown(folder, "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        data = folder / "data"
        init = [str(binaries / "initdb"), "-D", str(data), "-U", "tessera", "-A", "trust", "-E", "UTF8", "--no-sync"]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        control = [str(binaries / "pg_ctl"), "-D", str(data), "-w"]
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
        subprocess.run([*as_user, *init, "--locale=C.UTF-8"], **quiet)
        subprocess.run([*as_user, *control, "-l", str(folder / "log"), "-o", options, "start"], **quiet)
        try:
            yield f"postgresql+psycopg://tessera@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*as_user, *control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
