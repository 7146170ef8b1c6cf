"""One owner: a workspace has one process that writes; a lock says who, and others wait or are told."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from tessera.errors import Busy


class Owner:
    """Holds the lock of a workspace's var/ from `take` to `release`."""

    def __init__(self, var: Path) -> None:
        self.path = var / "lock"
        self._fd: int | None = None

    def take(self, wait_s: float, doing: str) -> None:
        """Waits up to wait_s seconds for the workspace; Busy names the process that has it and what it does."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        started = time.monotonic()
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - started >= wait_s:
                    holder = os.pread(fd, 200, 0).decode(errors="replace").strip() or "another process"
                    os.close(fd)
                    raise Busy(str(self.path.parent.parent), holder, wait_s) from None
                time.sleep(0.05)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"process {os.getpid()} ({doing})".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Lets the next one in; the kernel does it too when the process dies."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None
