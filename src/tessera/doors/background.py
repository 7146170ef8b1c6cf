"""`tessera serve --background`: the server as a process of its own, which nothing of this terminal holds on to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tessera.doors import noted
from tessera.doors.noted import Note
from tessera.errors import BadInput

LOG = "serve.log"
WAIT_S = 60.0
PORTS = range(8000, 8100)
"""Where a free port is looked for."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """note: what runs. new: whether it was started by this call. log: where it tells what happens."""

    note: Note
    new: bool
    log: Path


def start(root: Path, words: Sequence[str], *, host: str = "127.0.0.1", port: int | None = None) -> Started:
    """Starts a server of the workspace, or finds the one that runs; returns once it listens.

    words: further options of `tessera serve`. port: None takes the first free one of PORTS. Raises BadInput with what the
    server said where it does not start.
    """
    log = root / "var" / LOG
    if (known := noted.find(root / "var")) is not None:
        return Started(note=known, new=False, log=log)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "tessera", "-w", str(root), "--json", "serve", "--host", host, *words,
        "--port", str(free(host) if port is None else port), "--log-file", str(log),
    ]  # fmt: skip
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as told:
        before = told.tell()
        # A session of its own, and none of our files: whoever waits for our output to end does not wait for the server.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=told, start_new_session=True
        )
    until = time.monotonic() + WAIT_S
    while (note := noted.find(root / "var")) is None:
        if process.poll() is not None:
            raise BadInput(f"The server did not start. {_said(log, before)}".rstrip())
        if time.monotonic() > until:
            process.terminate()
            raise BadInput(f"The server did not listen within {WAIT_S:.0f} s; see {log}.")
        time.sleep(0.05)
    return Started(note=note, new=True, log=log)


def free(host: str) -> int:
    """The first port of PORTS that nobody listens at; 0, which takes any, where all are taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in PORTS:
        with socket.socket(family) as tried, suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
            return port
    return 0


def _said(log: Path, since: int) -> str:
    """The message of the error that the server ended with."""
    with suppress(OSError), log.open("rb") as told:
        told.seek(since)
        for line in reversed(told.read()[-20_000:].decode("utf-8", "replace").splitlines()):
            with suppress(ValueError, KeyError, TypeError):
                return str(json.loads(line)["error"]["message"])
    return f"See {log}."
