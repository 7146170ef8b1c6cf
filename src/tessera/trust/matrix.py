"""access.yaml and purposes.yaml as one matrix: its digest, and what a change of it gives and takes.

A change *takes* if nobody could see, after it, what she could not see before; every other change *gives*. In doubt it
gives: masked and generalised show different things, so a step from one to the other gives too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from tessera.config import Access, Actor, Purpose, RowRule, Verdict
from tessera.fideslang import CATEGORIES
from tessera.trust import access as rules


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Who may see what for what: all that the gate asks of the two files."""

    access: Access
    purposes: dict[str, Purpose]


@dataclass(frozen=True, kw_only=True)
class CellChange:
    """A cell whose verdict changes."""

    role: str
    purpose: str
    category: str
    before: Verdict
    after: Verdict
    gives: bool


@dataclass(frozen=True, kw_only=True)
class OtherChange:
    """What changes beside the cells: actors, row rules, purposes, who must approve. says: a sentence."""

    says: str
    gives: bool


@dataclass(frozen=True, kw_only=True)
class Change:
    """All that differs between two matrices."""

    cells: tuple[CellChange, ...]
    others: tuple[OtherChange, ...]

    @property
    def gives(self) -> bool:
        """Whether anybody could see more after it."""
        return any(c.gives for c in self.cells) or any(o.gives for o in self.others)

    @property
    def tops(self) -> list[CellChange]:
        """The cells that change, without those below one that changes alike."""
        alike = {(c.role, c.purpose, c.category, c.before, c.after) for c in self.cells}
        return [c for c in self.cells if (c.role, c.purpose, c.category.rpartition(".")[0], c.before, c.after) not in alike]

    def counted(self) -> str:
        """How much it is, in words that name nobody: for the ledger."""
        cells, others = len(self.cells), len(self.others)
        give = sum(c.gives for c in self.cells)
        more = f"{others} other change{'' if others == 1 else 's'}"
        return f"{cells} cell{'' if cells == 1 else 's'} ({give} give, {cells - give} take), {more}"


def digest(matrix: Matrix) -> str:
    """SHA-256 over what the matrix means: the order of lines, comments, sentences and the contact do not count."""
    a = matrix.access
    facts = {
        "roles": sorted(a.roles),
        "actors": sorted([p.name, sorted(p.roles), sorted(p.attributes.items())] for p in a.actors),
        "grants": sorted([sorted(g.roles), sorted(g.purposes), sorted(g.categories), g.verdict] for g in a.grants),
        "rows": sorted([sorted(r.roles), sorted(r.tables), r.column, sorted(r.values)] for r in a.row_rules),
        "changes": [a.changes.people, sorted(a.changes.roles)] if a.changes else None,
        "purposes": sorted(
            [p.name, p.data_use, p.basis, sorted(p.categories), p.keep_days, *_outside(p)] for p in matrix.purposes.values()
        ),
    }
    if a.functions:  # without them the digest stays what it was before there were any
        facts["functions"] = sorted([sorted(f.roles), sorted(f.functions)] for f in a.functions)
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _outside(purpose: Purpose) -> list[object]:
    """Who else is given data, and what outlives an erasure; nothing where a file says neither."""
    held = {t: sorted(c) for t, c in sorted(purpose.holds.items())}
    return [sorted(purpose.recipients), held] if purpose.recipients or purpose.holds else []


def compare(old: Matrix, new: Matrix) -> Change:
    """What a change from one matrix to another gives and takes."""
    others = (
        *_actors(old, new), *_row_rules(old, new), *_purposes(old, new), *_approval(old, new), *_functions(old, new),
    )  # fmt: skip
    return Change(cells=tuple(_cells(old, new)), others=others)


def _cells(old: Matrix, new: Matrix) -> Iterator[CellChange]:
    """Over every category that there is, so that no contract to come finds a cell that nobody compared."""
    for role in dict.fromkeys((*old.access.roles, *new.access.roles)):
        for purpose in dict.fromkeys((*old.purposes, *new.purposes)):
            for category in sorted(CATEGORIES):
                before, after = _verdict(old, role, purpose, category), _verdict(new, role, purpose, category)
                if before != after:
                    gives = after != "hidden" and before != "clear"
                    yield CellChange(
                        role=role, purpose=purpose, category=category, before=before, after=after, gives=gives
                    )


def _verdict(matrix: Matrix, role: str, purpose: str, category: str) -> Verdict:
    if role not in matrix.access.roles or purpose not in matrix.purposes:
        return "hidden"
    return rules.verdict(matrix.access, role, matrix.purposes[purpose], category).verdict


def _actors(old: Matrix, new: Matrix) -> Iterator[OtherChange]:
    nobody = Actor(name="", roles=())
    before, after = ({a.name: a for a in m.access.actors} for m in (old, new))
    for name in sorted({*before, *after}):
        was, now = before.get(name, nobody), after.get(name, nobody)
        if gained := sorted({*now.roles} - {*was.roles}):
            yield OtherChange(says=f"{name} may act as {', '.join(gained)}", gives=True)
        if lost := sorted({*was.roles} - {*now.roles}):
            yield OtherChange(says=f"{name} may no longer act as {', '.join(lost)}", gives=False)
        for key in sorted({*was.attributes, *now.attributes}):
            if was.attributes.get(key) != now.attributes.get(key):
                # A row rule with a missing attribute shows no row.
                yield OtherChange(says=f"the attribute {key} of {name} changes", gives=key in now.attributes)


def _row_rules(old: Matrix, new: Matrix) -> Iterator[OtherChange]:
    """A role's rows of a table are those that all its rules keep: each old rule needs one at least as strict."""
    before, after = _by_table(old), _by_table(new)
    for role, table in sorted({*before, *after}):
        was, now = before.get((role, table), []), after.get((role, table), [])
        if {(r.column, frozenset(r.values)) for r in was} != {(r.column, frozenset(r.values)) for r in now}:
            kept = all(any(n.column == w.column and {*n.values} <= {*w.values} for n in now) for w in was)
            yield OtherChange(says=f"the row rules of {role} on {table} change", gives=not kept)


def _by_table(matrix: Matrix) -> dict[tuple[str, str], list[RowRule]]:
    found: dict[tuple[str, str], list[RowRule]] = {}
    for rule in matrix.access.row_rules:
        for role in rule.roles:
            for table in rule.tables:
                found.setdefault((role, table), []).append(rule)
    return found


def _purposes(old: Matrix, new: Matrix) -> Iterator[OtherChange]:
    for name in dict.fromkeys((*old.purposes, *new.purposes)):
        was, now = old.purposes.get(name), new.purposes.get(name)
        if was is None or now is None:
            yield OtherChange(says=f"the purpose {name} {'goes' if now is None else 'comes'}", gives=now is not None)
            continue
        if was.basis != now.basis:
            says = f"the purpose {name} rests on {now.basis} in place of {was.basis}"
            yield OtherChange(says=says, gives=not now.needs_consent)
        if was.data_use != now.data_use:
            yield OtherChange(says=f"the purpose {name} is for {now.data_use} in place of {was.data_use}", gives=True)
        if was.keep_days != now.keep_days:
            longer = now.keep_days is None or (was.keep_days is not None and now.keep_days > was.keep_days)
            yield OtherChange(says=f"the purpose {name} keeps data {'longer' if longer else 'shorter'}", gives=longer)
        if {*was.recipients} != {*now.recipients}:
            gives = not {*now.recipients} <= {*was.recipients}
            yield OtherChange(says=f"the purpose {name} has other recipients", gives=gives)
        if was.holds != now.holds:
            gives = any(not {*columns} <= {*was.holds.get(table, ())} for table, columns in now.holds.items())
            yield OtherChange(says=f"the purpose {name} holds other columns after an erasure", gives=gives)
        if {*was.categories} != {*now.categories}:
            # What roles see by it is in the cells; a step sees by no role.
            within = {*now.categories} <= {*was.categories} or not was.categories
            wider = not now.categories or not within
            yield OtherChange(says=f"the purpose {name} may use other categories", gives=wider)


def _approval(old: Matrix, new: Matrix) -> Iterator[OtherChange]:
    was, now = old.access.changes, new.access.changes
    if was is None and now is not None:
        yield OtherChange(says=f"changes need {now.people} people from now on", gives=False)
    elif was is not None and now is None:
        yield OtherChange(says="changes need nobody's approval any more", gives=True)
    elif was is not None and now is not None and (was.people, {*was.roles}) != (now.people, {*now.roles}):
        weaker = now.people < was.people or not {*now.roles} <= {*was.roles}
        yield OtherChange(says=f"changes need {now.people} people of {', '.join(now.roles)}", gives=weaker)


def _functions(old: Matrix, new: Matrix) -> Iterator[OtherChange]:
    """What roles may do through the HTTP door."""
    before, after = ({(r, f) for a in m.access.functions for r in a.roles for f in a.functions} for m in (old, new))
    for role in sorted({r for r, _ in before ^ after}):
        if gained := sorted(f for r, f in after - before if r == role):
            yield OtherChange(says=f"{role} may use {', '.join(gained)} through the HTTP door", gives=True)
        if lost := sorted(f for r, f in before - after if r == role):
            yield OtherChange(says=f"{role} may no longer use {', '.join(lost)} through the HTTP door", gives=False)
