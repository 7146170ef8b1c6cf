"""journal.py: what was acknowledged is there again, whatever happened meanwhile; what was not is whole or absent."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.errors import BrokenJournal, Conflict
from tessera.lake import journal as module
from tessera.lake.journal import Journal, Segments
from tessera.trust.secrets import Secrets


class Sealed:
    """Seals as the house does."""

    def __init__(self, master: bytes = bytes(32)) -> None:
        self._secrets = Secrets(master)

    def seal(self, plain: bytes, aad: bytes) -> bytes:
        return self._secrets.seal("journal", plain, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        return self._secrets.open("journal", sealed, aad)


def held(journal: Journal) -> list[bytes]:
    """All lines that wait, in their order."""
    journal.roll()
    return [line for number in journal.waiting() for block in journal.read(number) for line in block]


def opened(folder: Path, after: int = 0, roll_bytes: int = 1 << 20) -> Journal:
    return Journal(folder, Sealed(), after, roll_bytes=roll_bytes)


def killed(journal: Journal) -> None:
    """What is left of a door that was killed: its files as they are, and nobody who holds them."""
    journal._held.close()


def only(folder: Path) -> Path:
    (path,) = [p for p in folder.iterdir() if p.name != "lock"]
    return path


line = st.binary(min_size=1, max_size=40).filter(lambda b: b"\n" not in b)
act = st.one_of(
    st.lists(line, min_size=1, max_size=5), st.sampled_from(["roll", "restart", "land"])
)


@settings(max_examples=60, deadline=None)
@given(acts=st.lists(act, max_size=12), roll_bytes=st.sampled_from([1, 120, 1 << 20]))
def test_what_was_appended_is_landed_once_and_in_its_order_whatever_comes_between(
    acts: list[list[bytes] | str], roll_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal, wanted, landed, last = opened(folder, 0, roll_bytes), list[bytes](), list[bytes](), 0
    for what in acts:
        if isinstance(what, list):
            journal.append(what)
            wanted += what
        elif what == "roll":
            journal.roll()
        elif what == "restart":
            killed(journal)
            journal = opened(folder, last, roll_bytes)
        else:
            for number in journal.waiting():
                assert number > last, "a number was used again"
                landed += [line for block in journal.read(number) for line in block]
                last = number
            journal.drop(last)
    assert landed + held(journal) == wanted


def test_a_kill_within_a_write_leaves_what_was_acknowledged_and_nothing_else(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    journal = opened(whole)
    journal.append([b"one", b"two"])
    path = only(whole)
    safe = path.stat().st_size
    journal.append([b"three" * 9])
    for size in range(safe, path.stat().st_size):
        torn = tmp_path / f"torn{size}"
        shutil.copytree(whole, torn)
        os.truncate(torn / path.name, size)
        again = opened(torn)
        again.append([b"four"])
        assert held(again) == [b"one", b"two", b"four"], size


def test_a_block_of_the_right_length_that_never_reached_the_disk_is_cut_too(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append([b"one"])
    path = only(tmp_path)
    safe = path.stat().st_size
    journal.append([b"two"])
    killed(journal)
    data = path.read_bytes()
    path.write_bytes(data[: safe + 8] + bytes(len(data) - safe - 8))
    assert held(opened(tmp_path)) == [b"one"]


CHANGES = {
    "a byte": lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
    "blocks in another order": lambda data: data[len(data) // 2 :] + data[: len(data) // 2],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_damage_is_told_by_name_and_nothing_is_cut(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    journal = opened(tmp_path)
    for lines in ([b"one"], [b"two"]):
        journal.append(lines)
    killed(journal)
    path = only(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    again = opened(tmp_path)
    with pytest.raises(BrokenJournal, match="block 0 of segment 1"):
        held(again)
    again.append([b"three"])
    again.roll()
    *_, newest = again.waiting()
    assert list(again.read(newest)) == [[b"three"]], "the rest goes on"


def test_a_disk_that_is_full_keeps_nothing_half_and_the_next_try_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    journal.append([b"one"])

    def full(fd: int, data: bytes) -> None:
        os.write(fd, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                journal.append([b"two"])
    journal.append([b"three"])
    assert held(journal) == [b"one", b"three"]
    killed(journal)
    assert held(opened(tmp_path)) == [b"one", b"three"]


def test_lines_that_are_sieved_leave_every_byte_on_the_disk(tmp_path: Path) -> None:
    journal = opened(tmp_path, roll_bytes=200)
    for number in range(12):
        journal.append([b"ann %d" % number, b"bo %d" % number])
    journal.roll()
    before = {path: path.read_bytes() for path in tmp_path.glob("*.journal")}
    assert journal.sieve(lambda lines: [not line.startswith(b"ann") for line in lines]) == 12
    assert held(journal) == [b"bo %d" % n for n in range(12)]
    assert all(path.read_bytes() != data for path, data in before.items())
    assert journal.sieve(lambda lines: [True] * len(lines)) == 0


def test_no_line_lies_in_clear_and_another_key_opens_nothing(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append([b"ann@example.org"])
    assert all(b"ann@" not in path.read_bytes() for path in tmp_path.iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    journal.roll()
    strangers = Journal(tmp_path / "strangers", Sealed(b"k" * 32))
    for path in tmp_path.glob("*.journal"):
        shutil.copy(path, strangers.folder)
    with pytest.raises(BrokenJournal):
        list(strangers.read(1))


def test_a_segment_that_lies_in_the_lake_is_not_there_again_and_its_number_is_not_used_again(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    first = journal.append([b"one"])
    journal.close()
    again = opened(tmp_path, after=first)
    assert again.waiting() == [] and again.append([b"two"]) == first + 1
    again.close()
    shutil.rmtree(tmp_path)
    assert opened(tmp_path, after=first + 1).append([b"three"]) == first + 2


def test_one_door_writes_it_and_who_lands_sees_closed_segments_alone(tmp_path: Path) -> None:
    journal, landing = opened(tmp_path), Segments(tmp_path, Sealed())
    journal.append([b"one"])
    with pytest.raises(Conflict, match="Another process"):
        opened(tmp_path)
    landing.mend()
    assert landing.waiting() == [], "the door is at work: what it has under way is its own"
    journal.roll()
    assert [list(landing.read(n)) for n in landing.waiting()] == [[[b"one"]]]
    journal.append([b"two"])
    killed(journal)
    landing.mend()
    assert [list(landing.read(n)) for n in landing.waiting()] == [[[b"one"]], [[b"two"]]]
