"""seen.py and message_ids.py: what was acknowledged is known again, after any kill and any landing, for the whole window."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.data import message_ids
from tessera.data.message_ids import ROW, Hashes, hour_of
from tessera.doors.seen import LEAST, PARTS, Seen
from tessera.lake.journal import Journal, Segments

HASHES = Hashes(b"a key")
SOME = [HASHES.of(f"message {n}") for n in range(40)]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 39)), st.tuples(st.just("forget"), st.integers(0, 39)),
        st.tuples(st.just("later"), st.integers(1, 300)), st.tuples(st.just("set"), st.sampled_from([-24, -1, 1, 24, 10_000])),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(steps)
def test_an_id_is_known_within_its_window_and_not_after(steps: list[tuple[str, int]]) -> None:
    """However the wall's clock is set meanwhile, back or forth: the window is time that has passed, to the hour."""
    passed, wrong = [0.0], 0
    seen, model = Seen(3, elapsed=lambda: passed[0] * 3600), dict[int, tuple[float, float]]()
    seen.load(np.empty(0, ROW), 500_000)
    for step, number in steps:
        now = passed[0]
        if step == "later":
            passed[0] += number / 8
        elif step == "set":
            wrong += number
        elif step == "add":
            fresh = seen.add(SOME[number], max(1, int(500_000 + now) + wrong))
            first, last = model.get(number, (now, -math.inf))
            assert fresh or now - first <= 5, "it is not remembered for ever"
            assert not fresh or now - last > 2, "within its window it is known"
            if fresh:
                model[number] = now, now
        elif number in model and model[number][1] == now:
            seen.forget(SOME[number])
            del model[number]


def test_ten_thousand_ids_in_one_part_are_all_known_again_in_at_most_18_bytes_each() -> None:
    seen = Seen(24)
    numbers = [(n * 0x9E3779B97F4A7C15 % 2**64) << 16 for n in range(1, 10_001)]
    assert all(seen.add(n, 100) for n in numbers) and not any(seen.add(n, 124) for n in numbers)
    assert len(seen) == 10_000 and len(seen._tables[0]) * 8 / 10_000 < 18


def test_a_part_that_is_full_forgets_the_oldest() -> None:
    seen = Seen(24, most=PARTS * LEAST)
    old, new = ([HASHES.of(f"{name} {n}") & ~(PARTS - 1) for n in range(1000)] for name in ("old", "new"))
    assert all(seen.add(n, 10) for n in old) and all(seen.add(n, 11) for n in new)
    assert not any(seen.add(n, 11) for n in new[-100:]) and len(seen) <= 1.5 * LEAST


class Plain:
    """A seal that seals nothing."""

    def seal(self, plain: bytes, aad: bytes) -> bytes:
        return b"." + plain

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        return sealed[1:]


def line(number: int, hour: int) -> bytes:
    at = f"{np.datetime64(hour * 3600, 's')}.000Z"
    return b'{"messageId":"message %d","type":"page","receivedAt":"%s"}' % (number, at.encode())


@settings(max_examples=30, deadline=None)
@given(moves=st.lists(st.sampled_from(["send", "send", "kill", "note", "land", "later"]), max_size=25))
def test_a_kill_forgets_no_id_that_was_acknowledged(moves: list[str]) -> None:
    """Whatever lands, in a process of its own, and wherever that is killed: `note` is before `drop`, and may come alone."""
    with tempfile.TemporaryDirectory() as folder:
        path, sent, hour = Path(folder) / "journal", dict[int, int](), 500_000
        journal, seen, landed = Journal(path, Plain()), Seen(5), 0
        for number, move in enumerate(moves):
            if move == "later":
                hour += 2
            elif move == "send":
                journal.append([line(number, hour), b'!{"reason":"x"}'])
                assert seen.add(HASHES.of(f"message {number}"), hour)
                sent[number] = hour
            elif move == "kill":
                journal._held.close()  # what the system does with the lock of a process that is no more
                journal, seen = Journal(path, Plain(), landed), Seen(5)
                seen.load(message_ids.known(Segments(path, Plain()), HASHES, hour - 5), hour)
            else:
                journal.roll()
                waits = Segments(path, Plain())
                upto = max(waits.waiting(), default=0)
                message_ids.note(waits, upto, HASHES, 5)
                if move == "land":
                    landed = max(landed, upto)
                    waits.drop(upto)
            for each, at in sent.items():
                if hour - at <= 5:
                    assert not seen.add(HASHES.of(f"message {each}"), hour), "a double that is not known"
        journal.close()


def test_ids_leave_the_disk_with_their_window_and_nothing_tells_of_them(tmp_path: Path) -> None:
    journal, waits = Journal(tmp_path / "j", Plain()), Segments(tmp_path / "j", Plain())
    for number, hour in enumerate((100, 101, 150), 1):
        journal.append([line(number, hour)])
        journal.roll()
        message_ids.note(waits, number, HASHES, 24)
        waits.drop(number)
    (left,) = (tmp_path / "j").glob("*.ids")
    data = left.read_bytes()
    assert left.name == "000000000003-150.ids" and len(data) == ROW.itemsize and b"message" not in data
    assert left.stat().st_mode & 0o077 == 0


def test_an_id_is_another_number_under_another_key() -> None:
    assert Hashes(b"a").of("m") != Hashes(b"b").of("m") and Hashes(b"a").of("\ud800") and hour_of("no time") == 0
