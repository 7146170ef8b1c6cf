"""grouped.py: nobody is answered before her lines are safe, and those who come together share one write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from tessera.doors.grouped import GroupCommit, Overloaded


class Disk:
    """Keeps what is written; slow, so that groups gather."""

    def __init__(self, slow_s: float = 0.01) -> None:
        self.slow_s, self.groups, self.full = slow_s, list[list[bytes]](), False

    def write(self, lines: Sequence[bytes]) -> int:
        time.sleep(self.slow_s)
        if self.full:
            raise OSError("full")
        self.groups.append(list(lines))
        return len(self.groups)


def test_lines_are_safe_when_put_returns_and_many_share_a_write() -> None:
    disk = Disk()

    async def run() -> None:
        group = GroupCommit(disk.write)

        async def one(number: int) -> None:
            line = b"%d" % number
            number = await group.put([line])
            assert line in disk.groups[number - 1], "answered before it was safe, or told of another write"

        await asyncio.gather(*(one(n) for n in range(200)))
        group.close()

    asyncio.run(run())
    assert sorted(int(line) for written in disk.groups for line in written) == list(range(200))
    assert len(disk.groups) <= 3


def test_a_request_s_lines_go_together_and_in_their_order() -> None:
    disk = Disk()

    async def run() -> None:
        group = GroupCommit(disk.write)
        await asyncio.gather(*(group.put([b"%d/%d" % (n, k) for k in range(3)]) for n in range(5)))
        group.close()

    asyncio.run(run())
    flat = [line for written in disk.groups for line in written]
    assert flat == [b"%d/%d" % (n, k) for n in range(5) for k in range(3)]


def test_who_comes_while_too_much_waits_is_told_to_come_again_and_the_others_are_kept() -> None:
    disk = Disk(0.05)

    async def run() -> list[object]:
        group = GroupCommit(disk.write, most_waiting=10)
        told = await asyncio.gather(*(group.put([b"x"] * 4) for _ in range(6)), return_exceptions=True)
        await group.put([b"y"] * 50)
        group.close()
        return list(told)

    told = asyncio.run(run())
    assert [type(t) for t in told].count(Overloaded) == 4
    assert sum(len(written) for written in disk.groups) == 8 + 50, "one that is larger than all goes alone"


def test_a_full_disk_is_told_to_all_of_the_group_and_the_next_goes_on() -> None:
    disk = Disk()

    async def run() -> None:
        group = GroupCommit(disk.write)
        disk.full = True
        told = await asyncio.gather(*(group.put([b"x"]) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(t, OSError) for t in told)
        disk.full = False
        await group.put([b"y"])
        group.close()

    asyncio.run(run())
    assert disk.groups == [[b"y"]]


def test_somebody_who_hangs_up_hinders_nobody() -> None:
    disk = Disk(0.05)

    async def run() -> None:
        group = GroupCommit(disk.write)
        gone = asyncio.create_task(group.put([b"gone"]))
        stays = asyncio.create_task(group.put([b"stays"]))
        await asyncio.sleep(0.01)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        await stays
        await group.put([b"later"])
        group.close()

    asyncio.run(run())
    assert [line for written in disk.groups for line in written] == [b"gone", b"stays", b"later"]


def test_closing_waits_for_what_is_on_its_way_to_the_disk() -> None:
    disk = Disk(0.05)

    async def run() -> None:
        group = GroupCommit(disk.write)
        put = asyncio.create_task(group.put([b"x"]))
        await asyncio.sleep(0.01)
        group.close()
        assert disk.groups == [[b"x"]]
        await put

    asyncio.run(run())


def test_no_more_bytes_wait_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tessera.doors.grouped.MOST_BYTES", 100)
    disk = Disk()

    async def run() -> list[object]:
        group = GroupCommit(disk.write)
        told = await asyncio.gather(*(group.put([b"x" * 40]) for _ in range(4)), return_exceptions=True)
        await group.put([b"x" * 90])
        group.close()
        return list(told)

    assert [type(t) for t in asyncio.run(run())] == [int] * 2 + [Overloaded] * 2
