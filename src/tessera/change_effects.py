"""What a change of the workspace's files would do, before anybody applies it: cells of access, and people by rule.

People are counted by whoever shows it, through the gate and in the viewer's name: here is only the question.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from tessera.action.facts import EVENT, HERE, SEGMENT
from tessera.config import Config
from tessera.data import rules as row_rules
from tessera.decision_points import Point
from tessera.insight.segments import rules
from tessera.trust.matrix import Change, Matrix, compare


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """A rule that differs. of: the segment or candidate; within: the decision, empty for a segment. before, after: its text,
    empty where it holds for everybody. was, stays: whether it is there before, and after. counts: whether people can be counted
    by it: not by what only the moment of asking knows. columns: what it reads."""

    of: str
    within: str = ""
    before: str = ""
    after: str = ""
    was: bool = True
    stays: bool = True
    counts: bool = True
    columns: frozenset[str] = frozenset()


def matrix(before: Config, after: Config) -> Change:
    """What the two files of access give and take, against what is in force."""
    return compare(Matrix(access=before.access, purposes=before.purposes), Matrix(access=after.access, purposes=after.purposes))


def segments(before: Config, after: Config) -> list[Ruled]:
    """The segments by rule that differ, also by a figure that they use."""
    day = date(2000, 1, 1)
    told = []
    was, now = ({r.name: r for r in c.segments.rules} for c in (before, after))
    for name in dict.fromkeys((*now, *was)):
        a, b = was.get(name), now.get(name)
        old = rules.sql(a.when, before.segments.features, day) if a else ""
        new = rules.sql(b.when, after.segments.features, day) if b else ""
        if old != new:
            told.append(
                Ruled(
                    of=name, before=a.when if a else "", after=b.when if b else "", was=a is not None, stays=b is not None,
                    columns=_base(a.when if a else "", before) | _base(b.when if b else "", after),
                )
            )  # fmt: skip
    return told


def decisions(before: Config, after: Config) -> list[Ruled]:
    """The candidates of decisions whose rule differs."""
    told = []
    was, now = ({p.name: p for p in c.decisions} for c in (before, after))
    for name in dict.fromkeys((*now, *was)):
        a, b = _candidates(was.get(name)), _candidates(now.get(name))
        for one in dict.fromkeys((*b, *a)):
            if one in a and one in b and a[one] == b[one]:
                continue
            read = _read(a.get(one, "")) | _read(b.get(one, ""))
            told.append(
                Ruled(
                    of=one, within=name, before=a.get(one, ""), after=b.get(one, ""), was=one in a, stays=one in b,
                    columns=read, counts=not any(c.startswith((EVENT, HERE)) or c == SEGMENT for c in read),
                )
            )  # fmt: skip
    return told


def question(ruled: Iterable[Ruled], before: Config, after: Config, table: str, now: datetime) -> str:
    """One SELECT that counts, over `features` (segments) or `profiles` (decisions): everybody, then of each rule who met it
    before (b0, b1, ...) and who would (a0, a1, ...)."""
    parts = ["count(*) AS everybody"]
    for n, one in enumerate(ruled):
        for mark, text, there, config in (("b", one.before, one.was, before), ("a", one.after, one.stays, after)):
            own = config.segments.features if table == "features" else {}
            met = rules.sql(text, own, config.day(now)) if text else "TRUE"
            parts.append(f"count(*) FILTER (WHERE {met}) AS {mark}{n}" if there else f"0 AS {mark}{n}")
    return f"SELECT {', '.join(parts)} FROM {table}"


def _candidates(point: Point | None) -> dict[str, str]:
    return {c.id: c.when for c in point.candidates} if point else {}


def _read(text: str) -> frozenset[str]:
    return row_rules.columns(text) if text else frozenset()


def _base(text: str, config: Config) -> frozenset[str]:
    """The columns of FEATURES that a rule reads, through the workspace's own figures."""
    found: set[str] = set()
    waiting, done = [*_read(text)], set()
    while waiting:
        name = waiting.pop()
        if name in config.segments.features and name not in done:
            done.add(name)
            waiting += _read(config.segments.features[name])
        elif name not in done:
            found.add(name)
    return frozenset(found)
