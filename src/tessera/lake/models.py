"""The registry of models: a card for each (from what, how, how well, for whose rights), and apart what it has learned.

A card is figures about a model and stays. What a model has learned is kept for the champion and the challenger alone. A
model that stands for many people `remembers` nobody; one from which a person could be read again remembers some, and a
sweep takes what it has learned: the next turn trains it anew, without those who are gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal

import msgspec

from tessera.lake.engine import Connection, rows
from tessera.lake.store import Lake
from tessera.lake.table import Column, Table

Remembers = Literal["nobody", "some"]
Status = Literal["champion", "challenger", "retired"]

FEWEST = 10
"""Below so many people a card does not say how many they were."""

MODELS = Table(
    name="models",
    whose="nobody",
    columns=(
        Column(name="model", type="VARCHAR", note="what it is for: segments, churn, ..."),
        Column(name="id", type="VARCHAR", note="of what was learned, from what, by which settings"),
        Column(name="status", type="VARCHAR", note="champion: it scores; challenger: it waits; retired"),
        Column(name="fitted_at", type="DATE", note="the day of the data it was fitted as of"),
        Column(name="noted_at", type="TIMESTAMPTZ"),
        Column(name="retired_at", type="TIMESTAMPTZ"),
        Column(name="purpose", type="VARCHAR", note="what for; only who allows it is in it"),
        Column(name="people", type="BIGINT", note="how many it was learned from; null below 10"),
        Column(name="remembers", type="VARCHAR", note="nobody, or some: then a sweep takes what it learned"),
        Column(name="seed", type="BIGINT"),
        Column(name="figures", type="VARCHAR", note="JSON: name -> value, low, high (95 %)"),
        Column(name="settings", type="VARCHAR", note="JSON"),
        Column(name="made_from", type="VARCHAR", note="JSON: table -> version"),
        Column(name="note", type="VARCHAR", note="what it must not be used for, what is not known of it"),
    ),
    purposes=("analytics",),
    unique=("model", "id"),
    note="one row per model that was ever fitted; about models, never about a person",
)

LEARNED = Table(
    name="learned",
    whose="nobody",
    columns=(
        Column(name="model", type="VARCHAR"),
        Column(name="id", type="VARCHAR"),
        Column(name="remembers", type="VARCHAR"),
        Column(name="learned", type="VARCHAR", note="whatever the model's own step reads back"),
    ),
    purposes=("analytics",),
    unique=("model", "id"),
    visible=False,
    forgets="remembers = 'some'",
    note="what the champion and the challenger of each model have learned",
)


class Figure(msgspec.Struct, frozen=True):
    """A figure of a model, with its 95 % interval where it was measured."""

    value: float
    low: float | None = None
    high: float | None = None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a model. people: that it was learned from. settings, figures: by name, JSON's types. status: what its
    step found when it was fitted. made_from, purpose: filled in by the turn. learned: what its step wants back."""

    model: str
    fitted_at: date
    people: int
    remembers: Remembers
    figures: dict[str, Figure]
    settings: dict[str, Any]
    seed: int = 7
    note: str = ""
    learned: str = ""
    status: Status = "champion"
    purpose: str = ""
    made_from: dict[str, int] = {}

    @property
    def id(self) -> str:
        """The same for the same settings, data and outcome."""
        told = [self.model, self.fitted_at.isoformat(), self.seed, self.settings, self.made_from, self.learned]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


class Models:
    """The registry, as the turn writes and reads it."""

    def __init__(self, lake: Lake, con: Connection) -> None:
        self.lake, self.con = lake, con
        self._known: tuple[tuple[int | None, int | None], dict[str, Card]] = ((None, None), {})

    def champion(self, model: str) -> Card | None:
        """The model that scores, with what it learned; None if none was fitted, or a sweep took what it had learned."""
        at = (self.lake.version(MODELS.name), self.lake.version(LEARNED.name))
        if self._known[0] != at:
            # A turn asks some dozens of times, and each look into a table takes 10 ms.
            self._known = (at, {c.model: c for c in self._champions()} if None not in at else {})
        return self._known[1].get(model)

    def _champions(self) -> Iterable[Card]:
        found = rows(
            self.con,
            f"""SELECT m.model, m.fitted_at, coalesce(m.people, 0), m.remembers, m.figures, m.settings, m.seed, m.note,
                       l.learned, m.status, m.purpose, m.made_from
                FROM {self.lake.relation(MODELS.name)} m JOIN {self.lake.relation(LEARNED.name)} l USING (model, id)
                WHERE m.status = 'champion'""",
        )
        return map(_card, found)

    def forgotten(self) -> bool:
        """Whether a sweep has taken what a model that scores had learned."""
        if self.lake.version(MODELS.name) is None or self.lake.version(LEARNED.name) is None:
            return False
        models, learned = (self.lake.relation(t.name) for t in (MODELS, LEARNED))
        return bool(rows(
            self.con, f"SELECT 1 FROM {models} m ANTI JOIN {learned} l USING (model, id) WHERE m.status = 'champion' LIMIT 1"
        ))  # fmt: skip

    def note(self, cards: Iterable[Card], at: datetime) -> None:
        """Writes cards. A champion retires the one before it and the challenger that it was; a challenger the challenger
        before it. What retired models have learned goes."""
        new = {(c.model, c.id): c for c in cards}
        if not new:
            return
        kept = [r for r in self._all(MODELS) if (r["model"], r["id"]) not in new]
        for card in new.values():
            for row in kept:
                if row["model"] == card.model and row["status"] in (card.status, "challenger"):
                    row |= {"status": "retired", "retired_at": at}
        kept += [_row(card, at) for card in new.values()]
        standing = {(r["model"], r["id"]) for r in kept if r["status"] != "retired"}
        learned = [r for r in self._all(LEARNED) if (r["model"], r["id"]) in standing - set(new)]
        learned += [
            {"model": c.model, "id": c.id, "remembers": c.remembers, "learned": c.learned} for c in new.values()
        ]
        # What was learned goes first: a card without it counts as no model, and is fitted again.
        for table, made in ((LEARNED.name, learned), (MODELS.name, kept)):
            staged = self.lake.stage_rows(self.con, table, made)
            self.lake.commit(table, staged, what="a model", mode="overwrite")

    def _all(self, table: Table) -> list[dict[str, Any]]:
        if self.lake.version(table.name) is None:
            return []
        found = rows(self.con, f"SELECT {', '.join(table.names)} FROM {self.lake.relation(table.name)} ORDER BY ALL")
        return [dict(zip(table.names, row, strict=True)) for row in found]


def _row(card: Card, at: datetime) -> dict[str, Any]:
    return {
        "model": card.model, "id": card.id, "status": card.status, "fitted_at": card.fitted_at, "noted_at": at,
        "purpose": card.purpose, "people": card.people if card.people >= FEWEST else None, "remembers": card.remembers,
        "seed": card.seed, "figures": _text(card.figures), "settings": _text(card.settings),
        "made_from": _text(card.made_from), "note": card.note,
    }  # fmt: skip


def _card(row: tuple[Any, ...]) -> Card:
    model, fitted_at, people, remembers, figures, settings, seed, note, learned, status, purpose, made_from = row
    return Card(
        model=model, fitted_at=fitted_at, people=people, remembers=remembers, seed=seed, note=note, learned=learned,
        figures=msgspec.json.decode(figures, type=dict[str, Figure]), settings=msgspec.json.decode(settings),
        status=status, purpose=purpose, made_from=msgspec.json.decode(made_from),
    )  # fmt: skip


def _text(facts: Mapping[str, Any]) -> str:
    return msgspec.json.encode(facts, order="deterministic").decode()
