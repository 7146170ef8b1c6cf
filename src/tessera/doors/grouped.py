"""Group commit: requests that come together share one write and one fsync, and each is answered after it.

While one group is on its way to the disk the next one gathers, so groups grow by themselves when the disk is slow, and a
single request waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

from tessera.errors import TesseraError

MOST_WAITING, MOST_BYTES = 20_000, 128 << 20
"""Lines that wait for the disk, and their bytes; more are not taken."""


class Overloaded(TesseraError):
    """More waits than the disk takes; come again later."""

    def __init__(self, retry_s: int = 1) -> None:
        self.retry_s = retry_s
        super().__init__("More comes than the disk can take. Send it again in a moment.")


Group = list[tuple[Sequence[bytes], asyncio.Future[int]]]


class GroupCommit:
    """Writes lines in groups. write: takes some lines and returns the number of the journal's segment once they are safe, or
    raises; called by one thread."""

    def __init__(self, write: Callable[[Sequence[bytes]], int], *, most_waiting: int = MOST_WAITING) -> None:
        self._write, self._most = write, most_waiting
        self._waiting: Group = []
        self._lines = self._bytes = 0
        self._under_way = False
        # A thread and a queue: an executor and its two futures cost three times as much, for each group.
        self._groups: SimpleQueue[tuple[asyncio.AbstractEventLoop, Group] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    async def put(self, lines: Sequence[bytes]) -> int:
        """Returns the number of the segment that holds these lines, once they are safe. Raises Overloaded, or what `write`
        raised: then none of them is kept."""
        size = sum(map(len, lines))
        if self._lines and (self._lines + len(lines) > self._most or self._bytes + size > MOST_BYTES):
            raise Overloaded
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        self._waiting.append((lines, done))
        self._lines, self._bytes = self._lines + len(lines), self._bytes + size
        if not self._under_way:
            self._under_way = True
            loop.call_soon(self._begin, loop)  # with all that the loop has read by then
        return await done

    def close(self) -> None:
        """Returns once the group that is on its way to the disk is there; nobody is answered for more."""
        self._groups.put(None)
        self._thread.join()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        group, self._waiting = self._waiting, []
        self._groups.put((loop, group))

    def _work(self) -> None:
        """The thread."""
        while (taken := self._groups.get()) is not None:
            loop, group = taken
            outcome: int | Exception
            try:
                outcome = self._write([line for lines, _ in group for line in lines])
            except Exception as refused:
                outcome = refused
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(self._ended, loop, group, outcome)
            del taken, group, outcome  # nothing of it is held while nothing comes

    def _ended(self, loop: asyncio.AbstractEventLoop, group: Group, outcome: int | Exception) -> None:
        if self._waiting:
            self._begin(loop)
        else:
            self._under_way = False
        for lines, done in group:
            self._lines, self._bytes = self._lines - len(lines), self._bytes - sum(map(len, lines))
            if done.done():
                continue
            if isinstance(outcome, Exception):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)
