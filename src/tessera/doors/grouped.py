"""Group commit: requests that come together share one write and one fsync, and each is answered after it.

While one group is on its way to the disk the next one gathers, so groups grow by themselves when the disk is slow, and a
single request waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tessera.errors import TesseraError

MOST_WAITING, MOST_BYTES = 20_000, 128 << 20
"""Lines that wait for the disk, and their bytes; more are not taken."""


class Overloaded(TesseraError):
    """More waits than the disk takes; come again later."""

    def __init__(self, retry_s: int = 1) -> None:
        self.retry_s = retry_s
        super().__init__("More comes than the disk can take. Send it again in a moment.")


class GroupCommit:
    """Writes lines in groups. write: takes some lines and returns the number of the journal's segment once they are safe, or
    raises; called by one thread."""

    def __init__(self, write: Callable[[Sequence[bytes]], int], *, most_waiting: int = MOST_WAITING) -> None:
        self._write, self._most = write, most_waiting
        self._waiting: list[tuple[Sequence[bytes], asyncio.Future[int]]] = []
        self._lines = self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")

    async def put(self, lines: Sequence[bytes]) -> int:
        """Returns the number of the segment that holds these lines, once they are safe. Raises Overloaded, or what `write`
        raised: then none of them is kept."""
        size = sum(map(len, lines))
        if self._lines and (self._lines + len(lines) > self._most or self._bytes + size > MOST_BYTES):
            raise Overloaded
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((lines, done))
        self._lines, self._bytes = self._lines + len(lines), self._bytes + size
        if self._writer is None:
            self._writer = asyncio.create_task(self._work())
        return await done

    def close(self) -> None:
        """Returns once the group that is on its way to the disk is there; nobody is answered for more."""
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                lines = [line for some, _ in group for line in some]
                segment, error = 0, None
                try:
                    segment = await loop.run_in_executor(self._thread, self._write, lines)
                except Exception as refused:
                    error = refused
                self._lines, self._bytes = self._lines - len(lines), self._bytes - sum(map(len, lines))
                for _, done in group:
                    if not done.done():
                        done.set_exception(error) if error else done.set_result(segment)
        finally:
            self._writer = None
