"""Which server has this workspace: a note in var/server.json that counts for as long as its process holds the note's lock.

The kernel lets go of a lock however a process ends, so a note that was left behind names nobody. The moment at which the
process began stands in it too: a number that another machine or container gave is never sent a signal.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from tessera.errors import BadInput

NAME = "server.json"


@dataclass(frozen=True, kw_only=True)
class Note:
    """pid, began: the process, and when it began (clock ticks since this machine did; 0: not known). url: its origin. since:
    when it listened (UTC, ISO 8601)."""

    pid: int
    began: int
    url: str
    since: str


class Noted:
    """The note of this process, for the time of a `with`. Raises BadInput where another server has the workspace."""

    def __init__(self, var: Path) -> None:
        self._var, self._fd = var, -1

    def __enter__(self) -> Noted:
        self._var.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(self._var / NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            known = find(self._var)
            at = f" at {known.url}" if known else ""
            raise BadInput(f"A server has this workspace already{at}. Stop it first: tessera stop") from None
        os.ftruncate(self._fd, 0)
        return self

    def listens(self, url: str, since: str) -> None:
        """From now on it is found under this origin."""
        note = Note(pid=os.getpid(), began=_began(os.getpid()), url=url, since=since)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps(asdict(note)).encode(), 0)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def find(var: Path) -> Note | None:
    """The server that listens for this workspace now; None if none does."""
    try:
        fd = os.open(var / NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            return Note(**json.loads(os.pread(fd, 4_096, 0)))
        except (ValueError, TypeError):  # it is about to listen
            return None
    finally:
        os.close(fd)
    return None


def stop(var: Path, wait_s: float) -> Note | None:
    """Asks the workspace's server to end, and waits for it; returns what ran, None if nothing did. Raises BadInput for one that
    is not of this machine, may not be ended by us, or goes on."""
    note = find(var)
    if note is None:
        return None
    if note.began and note.began != _began(note.pid):
        raise BadInput(f"The server at {note.url} is no process of this machine; stop it where it was started.")
    try:
        os.kill(note.pid, signal.SIGTERM)
    except ProcessLookupError:  # it has just ended
        return note
    except PermissionError:
        raise BadInput(f"The server at {note.url} (process {note.pid}) belongs to another user of this machine.") from None
    until = time.monotonic() + wait_s
    while (now := find(var)) is not None and now.pid == note.pid:
        if time.monotonic() > until:
            raise BadInput(f"The server at {note.url} has not ended within {wait_s:.0f} s; it ends what is under way first.")
        time.sleep(0.05)
    return note


def _began(pid: int) -> int:
    """When a process began, as Linux counts; 0 where that cannot be known."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
