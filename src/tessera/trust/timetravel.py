"""A question at another moment: its text with a version behind each table, and the moments to choose from.

Only what stands behind the tables' names changes: the wall reads the new text as any other, and permissions stay today's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from tessera.lake.scopes import parse
from tessera.lake.store import Version

MOST = 200
"""Moments that are offered, the newest ones."""

_CLAUSE = re.compile(r"\s+(?:FOR\s+)?(?:VERSION|TIMESTAMP)\s+AS\s+OF\s+(?:\d+|'[^']*')", re.I)


@dataclass(frozen=True)
class Moment:
    """A moment at which one of some tables was written, and the version that each of them had then."""

    at: datetime
    versions: Mapping[str, int]


def named(question: str, known: Iterable[str]) -> list[str]:
    """Those of the known tables that a question names, each once, in order. Raises BadQuestion.

    >>> named("SELECT 1 FROM orders o JOIN events USING (key_id)", ["events", "orders", "touches"])
    ['orders', 'events']
    """
    return list(dict.fromkeys(table for table, _ in _mentions(question, set(known))))


def at(question: str, versions: Mapping[str, int]) -> str:
    """The question with these versions of its tables, in place of whatever moments it named. Raises BadQuestion.

    >>> at("SELECT 1 FROM orders AS o -- all", {"orders": 3})
    'SELECT 1 FROM orders VERSION AS OF 3 AS o -- all'
    """
    text = question
    for table, end in sorted(_mentions(question, set(versions)), key=lambda m: -m[1]):
        clause = _CLAUSE.match(question, end)
        rest = clause.end() if clause else end
        text = f"{text[:end]} VERSION AS OF {int(versions[table])}{text[rest:]}"
    return text


def moments(histories: Mapping[str, Sequence[Version]]) -> list[Moment]:
    """From which moments to choose, oldest first: those at which every one of the tables has a version that can be read.

    histories: by table, its versions, newest first.
    """
    readable = {table: [v for v in found if v.readable] for table, found in histories.items()}
    made = []
    for when in sorted({v.at for found in readable.values() for v in found}, reverse=True)[:MOST]:
        then = {table: next((v.number for v in found if v.at <= when), None) for table, found in readable.items()}
        if all(number is not None for number in then.values()):
            made.append(Moment(when, {table: number for table, number in then.items() if number is not None}))
    return made[::-1]


def _mentions(question: str, known: set[str]) -> list[tuple[str, int]]:
    """The tables of a question with the place behind each name."""
    found = []
    for node in parse(question).find_all(exp.Table):
        name = node.name.lower()
        if name in known and "end" in node.this.meta:
            found.append((name, int(node.this.meta["end"]) + 1))
    return sorted(found, key=lambda m: m[1])
