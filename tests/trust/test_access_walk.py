"""The walk through the matrix: every role, purpose, table, column and person through the doors, and no leak.

What each cell should show is a second opinion (given_planted.py), read from access.yaml's and purposes.yaml's own lines.
A walk that finds nothing proves little by itself: it is shown to find every one of a list of planted faults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from given_planted import (
    CASH,
    ERASED,
    PEOPLE,
    REGIONAL,
    UNSEEN,
    Planted,
    planted,
    verdict,
)

from tessera.config import Purpose
from tessera.errors import NotFound, Refused
from tessera.lake.table import Table
from tessera.trust import access, gate, permits
from tessera.trust.access import Seen
from tessera.trust.answers import Answers
from tessera.trust.gate import Gate
from tessera.trust.permits import Permits

ROLES = ("sales", "analyst", "marketer", "owner", "officer", "nobody")
PURPOSES = ("operate", "analytics", "marketing")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    made = planted(tmp_path_factory.mktemp("planted") / "acme")
    with made.app:
        yield made


def by_sql(house: Planted, cells: list[int] | None = None) -> Iterator[str]:
    """Every leak, and everything that is missing, in what `App.sql` answers; counts the cells looked at."""
    for table in house.tables():
        for role in ROLES:
            for purpose in PURPOSES:
                yield from _asked(house, role, purpose, table)
                if cells is not None:
                    cells.append(len(table.columns) * len(house.rows(table)))


def _asked(house: Planted, role: str, purpose: str, table: Table) -> Iterator[str]:
    said = {c.name: verdict(role, purpose, c) for c in table.columns}
    here = f"{table.name} for {role}, {purpose}"
    for column in (c for c, v in said.items() if v == "hidden"):
        yield from _refused(house, role, purpose, f"SELECT {column} FROM {table.name}", f"{column} of {here}")
    names = [c for c, v in said.items() if v != "hidden"]
    if not names:
        yield from _refused(house, role, purpose, f"SELECT * FROM {table.name}", here)
        return
    try:
        answer = house.app.sql(f"SELECT * FROM {table.name}", purpose=purpose, role=role)
    except Refused as no:
        yield f"{here}: refused: {no}"
        return
    if answer.table.column_names != names:
        yield f"{here}: columns {answer.table.column_names}, expected {names}"
        return
    expected = [
        tuple(house.shown(table, table.column(c), person, said[c]) for c in names)
        for person in house.rows(table)
        if house.meets(role, purpose, table, person)
    ]
    found = [tuple(row[c] for c in names) for row in answer.table.to_pylist()]
    if sorted(found, key=repr) != sorted(expected, key=repr):
        yield f"{here}: {found}, expected {expected}"


def _refused(house: Planted, role: str, purpose: str, question: str, here: str) -> Iterator[str]:
    try:
        answer = house.app.sql(question, purpose=purpose, role=role)
        yield f"{here}: answered with {answer.rows()}"
    except Refused as no:
        if house.tells(str(no)):
            yield f"{here}: its refusal tells a value"


def by_portrait(house: Planted) -> Iterator[str]:
    """Every leak in one person as `App.portrait` shows her."""
    for role in ROLES:
        for purpose in PURPOSES:
            for person in PEOPLE:
                yield from _painted(house, role, purpose, person)


def _painted(house: Planted, role: str, purpose: str, person: int) -> Iterator[str]:
    table = house.app.gate.presented()["profiles"]
    said = {c.name: verdict(role, purpose, c) for c in table.columns}
    here = f"portrait of {person} for {role}, {purpose}"
    may = house.meets(role, purpose, table, person) and said["person_id"] != "hidden"
    try:
        found = house.app.people.portrait(person, purpose=purpose, role=role)
    except (Refused, NotFound) as no:
        if may or house.tells(str(no)):
            yield f"{here}: {no}"
        return
    if not may:
        yield f"{here}: shown"
        return
    for trait in found.traits:
        column = table.column(trait.field)
        wanted = house.shown(table, column, person, said[trait.field])
        if wanted is UNSEEN or trait.value != wanted:
            yield f"{here}: {trait.field} {trait.value!r}, expected {wanted!r}"
    hidden = {c for c, v in said.items() if v == "hidden" and not c.endswith(("_source", "_key"))}
    if not {f"profiles.{c}" for c in hidden} <= set(found.closed):
        yield f"{here}: what is hidden is not listed as closed"
    for value in _values(dataclasses.asdict(found)):
        cell = house.whose.get(repr(value))
        if cell is None or cell[:2] in REGIONAL:
            continue
        whose = house.app.gate.presented()[cell[0]]
        column = whose.column(cell[1])
        if cell[2] != person or house.shown(whose, column, person, verdict(role, purpose, column)) != value:
            yield f"{here}: holds {cell}"


def _values(tree: Any) -> Iterator[Any]:
    for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ():
        yield from _values(item) if isinstance(item, dict | list | tuple) else [item]


def test_no_cell_of_the_matrix_leaks_through_sql(house: Planted) -> None:
    cells: list[int] = []
    assert list(by_sql(house, cells)) == []
    assert sum(cells) > 20_000


def test_no_cell_of_the_matrix_leaks_through_a_portrait(house: Planted) -> None:
    assert list(by_portrait(house)) == []


def test_the_walk_meets_every_verdict_and_every_kind_of_person(house: Planted) -> None:
    met = {verdict(r, p, c) for r in ROLES for p in PURPOSES for t in house.tables() for c in t.columns}
    assert met == {"clear", "masked", "generalised", "hidden"}
    profiles = house.app.gate.presented()["profiles"]
    inside = {p: house.meets("sales", "marketing", profiles, p) for p in PEOPLE}
    assert inside == {1: True, 2: False, 3: False, 4: True, ERASED: False}
    assert not house.meets("sales", "operate", house.app.gate.presented()["orders"], CASH)
    assert set(house.app.config.access.roles) == set(ROLES) and set(house.app.config.purposes) == set(PURPOSES)


def test_no_refused_question_left_a_value_in_the_ledger(house: Planted) -> None:
    told = "".join(e.reason + e.note for e in house.app.ledger.entries())
    assert told and not house.tells(told)


def flipped(before: str, after: str) -> Callable[[pytest.MonkeyPatch], None]:
    """A fault: one verdict is taken for another."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        real = access.verdict

        def wrong(*words: Any) -> Seen:
            seen = real(*words)
            return dataclasses.replace(seen, verdict=after) if seen.verdict == before else seen  # type: ignore[arg-type]

        patch.setattr(access, "verdict", wrong)

    return plant


def unbound(patch: pytest.MonkeyPatch) -> None:
    real = access.verdict
    patch.setattr(access, "verdict", lambda a, r, p, c: real(a, r, dataclasses.replace(p, categories=()), c))


def laxest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(access, "STRICTNESS", {v: -n for v, n in access.STRICTNESS.items()})


def another_purpose(patch: pytest.MonkeyPatch) -> None:
    real = Permits._read

    def wrong(self: Permits, purpose: Purpose, unit: Any) -> Any:
        other = {1: 2, 2: 1}.get(purpose.bit, purpose.bit)
        return real(self, dataclasses.replace(purpose, bit=other), unit)

    patch.setattr(Permits, "_read", wrong)


def nobody_blocked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Permits, "name", lambda self, p, u, *_: f"allow_{u}_{p.name}" if p.needs_consent else None)


def block_forgotten(patch: pytest.MonkeyPatch) -> None:
    real = Permits.ids
    patch.setattr(
        Permits, "ids", lambda s, p, u, *_: real(s, p, u) | (s.blocked_keys if u == "key" else s.blocked_persons)
    )


def opened(patch: pytest.MonkeyPatch) -> None:
    real = Gate._allowed
    patch.setattr(
        Gate, "_allowed", lambda s, t, *rest, **more: real(s, dataclasses.replace(t, compartment=None), *rest, **more)
    )


def by_prefix(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(access, "covers", lambda prefix, category: category.startswith(prefix[:8]))


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "hidden is taken for clear": flipped("hidden", "clear"),
    "hidden is taken for masked": flipped("hidden", "masked"),
    "masked is taken for clear": flipped("masked", "clear"),
    "masked is taken for generalised": flipped("masked", "generalised"),
    "generalised is taken for clear": flipped("generalised", "clear"),
    "clear is taken for hidden": flipped("clear", "hidden"),
    "the purpose's own categories do not bound": unbound,
    "of equal lines the laxest decides": laxest,
    "a category covers what only begins like it": by_prefix,
    "row rules are dropped": lambda p: p.setattr(access, "row_rules", lambda *_: []),
    "row rules are always true": lambda p: p.setattr(access, "row_condition", lambda *_: "TRUE"),
    "a row rule keeps the others": lambda p: p.setattr(
        access, "row_condition", lambda r, *_: f"{r.column} <> 'north'"
    ),
    "nobody is asked for consent": lambda p: p.setattr(Gate, "_allowed", lambda *_, **__: ([], ())),
    "consent to one purpose opens another": another_purpose,
    "the erased are blocked for nobody": nobody_blocked,
    "the erased are let in again": block_forgotten,
    "a compartment opens for every purpose": opened,
    "masks are not laid on": lambda p: p.setattr(access, "masked", lambda c, *_: c.name),
    "veils are not laid on": lambda p: p.setattr(access, "veiled", lambda column, text, seen: text),
    "the machine's own columns are shown": lambda p: p.setattr(gate, "INTERNAL", ()),
    "a hidden column is not refused": lambda p: p.setattr(Gate, "hidden", lambda *_: None),
    "every permission is set": lambda p: p.setattr(permits, "np", _AllTrue()),
}


class _AllTrue:
    """numpy, but for bitmaps that start full."""

    def __getattr__(self, word: str) -> Any:
        import numpy

        return (lambda size, dtype: numpy.ones(size, dtype)) if word == "zeros" else getattr(numpy, word)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_walk_finds_a_planted_fault(house: Planted, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, sound = house.app, house.app.answers
    FAULTS[fault](monkeypatch)
    # A new reader of questions, so that nothing it had learnt hides the fault; and what it learns is not kept.
    app.permits._made.clear()
    app.answers = Answers(app.config, app.lake, app.gate, app.vault, app.ledger)
    try:
        assert next(by_sql(house), None) is not None
    finally:
        app.answers.close()
        app.answers = sound
        app.permits._made.clear()
