"""members: a person's identifiers are the same looked up singly and from the index, after any turn and any block."""

from __future__ import annotations

import tempfile
from pathlib import Path

from given_gate import PURPOSES, Gated
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.trust.members import SINGLY, Members
from tessera.words import Erased

PEOPLE = 6
TURN = st.dictionaries(st.integers(1, 20), st.integers(1, PEOPLE), max_size=20)


@settings(max_examples=25, deadline=None)
@given(turns=st.lists(TURN, min_size=1, max_size=3), blocked=st.sets(st.integers(1, 20), max_size=4))
def test_law_of_every_person_the_same_keys_singly_and_from_the_index(turns: list[dict[int, int]], blocked: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = Gated(Path(folder))
        members = Members(house.gate, PURPOSES["operate"], house.con)
        for number, turn in enumerate(turns):
            house.write("membership", [{"key_id": k, "person_id": p} for k, p in turn.items()])
            if number == len(turns) - 1:  # somebody is erased between two looks, and the table is as it was
                told(members, turn, set())
                house.permits.block("1", Erased(keys=frozenset(blocked), persons=frozenset()))
            told(members, turn, blocked if number == len(turns) - 1 else set())


def told(members: Members, turn: dict[int, int], blocked: set[int]) -> None:
    for _ in range(SINGLY + 1):
        for person in range(PEOPLE + 2):
            assert members.keys(person) == sorted(k for k, p in turn.items() if p == person and k not in blocked)
