"""One owner: a workspace has one process that writes; a lock says who. A server lends it to a command and takes it back.

`tessera serve` listens on var/control.sock (0600). A command that finds the workspace taken knocks there; the server ends
what is under way, closes the workspace and says "yours"; when the command is done, or dies, its end of the socket closes
and the server opens the workspace again, with what its files say by then.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tessera.errors import Busy

SOCKET = "control.sock"
YOURS = b"yours\n"


class Owner:
    """Holds the lock of a workspace's var/ from `take` to `release`."""

    def __init__(self, var: Path) -> None:
        self.path, self.knocker = var / "lock", var / SOCKET
        self._fd: int | None = None
        self._borrowed: socket.socket | None = None

    def take(self, wait_s: float, doing: str) -> None:
        """Waits up to wait_s seconds for the workspace; Busy names the process that has it and what it does."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        started = time.monotonic()
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                left_s = wait_s - (time.monotonic() - started)
                if left_s <= 0:
                    holder = os.pread(fd, 200, 0).decode(errors="replace").strip() or "another process"
                    os.close(fd)
                    self._give_back()
                    raise Busy(str(self.path.parent.parent), holder, wait_s) from None
                if self._borrowed is None:
                    self._borrowed = _knock(self.knocker, left_s)
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
        self._give_back()

    def _give_back(self) -> None:
        if self._borrowed is not None:
            self._borrowed.close()
            self._borrowed = None


class Lender:
    """Lends a workspace that this process serves. close, open: end and begin to own it; they are called in turn, from a
    thread of the lender's own."""

    def __init__(self, var: Path, close: Callable[[], None], open_: Callable[[], None]) -> None:
        self.path, self._close, self._open = var / SOCKET, close, open_
        self.path.unlink(missing_ok=True)  # only the owner of the lock comes here, so nobody listens there
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with near(self.path) as short:
                self._listening.bind(short)
        finally:
            os.umask(before)
        self._listening.listen(64)
        self._thread = threading.Thread(target=self._lend, name="lender", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Lends no more."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _lend(self) -> None:
        while True:
            try:
                borrower, _ = self._listening.accept()
            except OSError:
                return
            with borrower:
                self._close()
                try:
                    borrower.sendall(YOURS)
                    while borrower.recv(64):
                        pass
                except OSError:  # the command died
                    pass
                finally:
                    self._open()


def _knock(path: Path, wait_s: float) -> socket.socket | None:
    """The server's promise that the workspace is ours now; None where no server lends it, or not in time."""
    knocking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        knocking.settimeout(max(0.05, wait_s))
        with near(path) as short:
            knocking.connect(short)
        if knocking.recv(64) == YOURS:
            return knocking
    except OSError:
        pass
    knocking.close()
    return None


@contextmanager
def near(path: Path) -> Iterator[str]:
    """The path as the kernel takes it: one of a socket has at most 107 bytes, so a long one goes through its open folder."""
    if len(os.fsencode(path)) <= 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
