"""door.py: a delivery that its sender repeats is landed once, however often either of them is killed."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.data.sources import door
from tessera.data.sources.posted import Posted


def line(number: int, text: str, again: bool) -> list[bytes]:
    """A message of two rows, as it goes into the journal."""
    came = door.Delivery(number=number % 65_535 + 1, digest=f"{hash(text) & (2**64 - 1):016x}", again=again)
    return door.lines_posted(Posted(lines=[json.dumps(text).encode()] * 2), came)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 5)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_each_message_is_there_once_whatever_is_killed(acts: list[tuple[int, bool, int]]) -> None:
    """acts: what each message says, whether we are killed before it is acknowledged, and how many go into one block."""
    marks, found, sent, waiting = list[str](), list[bytes](), 0, list[tuple[int, str, bool]]()
    for said, killed, many in acts:
        while len(waiting) < many:
            waiting.append((sent, str(said), False))
            sent += 1
        once = door._Once(marks)
        found += once.new([part for number, text, again in waiting for part in line(number, text, again)])
        marks = once.facts("s")[door.DELIVERED, "s"]
        # Killed when it was safe in the journal, but nobody was told: all of it comes again.
        waiting = [(number, text, True) for number, text, _ in waiting] if killed else []
    assert len(found) == 2 * sent
