"""The main path: STEPS in their order, and the turn that runs those that are stale.

A step is stale when its run key changed: the versions it reads, the cut of permissions, its own fingerprint, and the
day. Increments go by person: whoever has new or replaced rows, joined or split, is computed anew from all she allows.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache, partial
from typing import Any, Protocol

import msgspec
import pyarrow as pa

from tessera.config import Config
from tessera.data import identity
from tessera.data import steps as data_steps
from tessera.data.raw import CONTESTED, LINKS, QUARANTINE, RAW, TOUCHED
from tessera.errors import BadInput, BadWorkspace
from tessera.insight import steps as insight_steps
from tessera.lake.engine import Connection, mapped, value
from tessera.lake.models import LEARNED, MODELS, Models
from tessera.lake.step import Made, Run, Step
from tessera.lake.store import Lake, Staged
from tessera.lake.table import Table
from tessera.lake.view import View
from tessera.trust.anchor import Anchored
from tessera.trust.gate import Gate
from tessera.trust.opened import Opener, Vault
from tessera.trust.tables import CONSENTS, HELD, MASK, MEMBERSHIP
from tessera.words import Progress, listed, silent

STEPS: tuple[Step, ...] = (*data_steps.STEPS, *insight_steps.STEPS)


def tables() -> list[Table]:
    """Every table of the lake: those of landing, of trust and of the steps; the lake writes no other."""
    landed = (*RAW.values(), LINKS, QUARANTINE, TOUCHED, CONTESTED)
    declared = (*landed, CONSENTS, MEMBERSHIP, MASK, HELD, MODELS, LEARNED, *(s.writes for s in STEPS))
    return list({t.name: t for t in declared}.values())


def check_purposes(config: Config, steps: Iterable[Step] = STEPS) -> None:
    """Raises BadWorkspace if a step, or whoever reads the segments, has no purpose in the workspace: data that nobody
    can say why it is used is not used, so such a workspace does not start."""
    wanted: dict[str, list[str]] = {config.segments.purpose: ["segments.yaml"]}
    for step in [s for s in steps if not s.optional]:
        wanted.setdefault(step.purpose, []).append(f"the step {step.name}")
    missing = {purpose: users for purpose, users in wanted.items() if purpose not in config.purposes}
    if missing:
        raise BadWorkspace(
            f"purposes.yaml: the purpose {purpose!r} is missing; {listed(users)} cannot run without it."
            for purpose, users in missing.items()
        )


REBUILD_SHARE = 0.4
"""Beyond this share of dirty persons a step computes everybody: it is quicker than patching."""


class Tell(Protocol):
    """Where the turn tells what a step used (the ledger, the lineage); returns nothing."""

    def __call__(self, step: Step, views: Iterable[View], version: int, rows: int) -> None: ...


@dataclass(kw_only=True)
class Turned:
    """What one turn did: seconds and rows by step, and which steps had nothing to do.

    anchored: what its anchoring did, or why the chain was of no use; None if none was due.
    """

    ran: dict[str, dict[str, Any]] = field(default_factory=dict)
    fresh: list[str] = field(default_factory=list)
    anchored: Anchored | BadInput | None = None


class Turn:
    """One turn over the steps. Restartable: a step that was not marked done runs again and writes the same."""

    def __init__(
        self, config: Config, lake: Lake, gate: Gate, con: Connection, now: Callable[[], datetime], vault: Vault | None = None
    ) -> None:
        """vault: for steps that open what is sealed; without it they find nothing to open."""
        self.config, self.lake, self.gate, self.con, self.now = config, lake, gate, con, now
        self.state, self.models, self.vault = lake.state, Models(lake, con), vault
        self._moves: dict[tuple[int, int], pa.Array] = {}

    def run(
        self, tell: Tell, *, full: bool = False, rest: bool = False, steps: Iterable[Step] = STEPS, progress: Progress = silent
    ) -> Turned:
        """Runs the stale steps in order; with `full` all of them, from nothing but the raw tables; with `rest` without
        those that move by the day and ran today."""
        done = Turned()
        without = self.config.insight.without
        listed = [s for s in steps if s.purpose in self.config.purposes and s.insight not in without]
        for i, step in enumerate(listed):
            progress(f"step {step.name}", i, len(listed))
            purpose, permits = self.config.purposes[step.purpose], self.gate.permits
            # Before the views: whoever is erased from here on is seen to have been.
            epoch, cut = permits.epoch, permits.cut(purpose, step.upkeep)
            views = {t: self.gate.for_step(t, purpose, upkeep=step.upkeep) for t in step.reads}
            young = self.gate.ages.word([self.lake.table(t) for t in step.reads], purpose)
            key = self._key(step, views, cut, young)
            before = {} if full else self.state.get("runs", step.name, {})
            if before.get("key") == key or (rest and self._rests(step, before)):
                done.fresh.append(step.name)
                continue
            started = self.now()
            with mapped(f"step {step.name}"):
                version, count = self._step(step, views, before, {"key": key, "cut": cut, "young": young}, epoch)
            if version is not None:
                tell(step, views.values(), version, count)
            took = (self.now() - started).total_seconds()
            done.ran[step.name] = {"seconds": round(took, 3), "rows": count, "version": version}
        progress("turn", len(listed), len(listed))
        return done

    def as_of(self) -> date:
        """The day at which times become ages."""
        return self.config.day(self.now())

    def _step(
        self, step: Step, views: dict[str, View], before: dict[str, Any], facts: dict[str, Any], epoch: int
    ) -> tuple[int | None, int]:
        lake, con, table, purpose = self.lake, self.con, step.writes, self.config.purposes[step.purpose]
        if before and before.get("young") != facts["young"]:
            # Rows have grown too old that stand in what was made of them: by person, it is made anew for everybody.
            self.state.next("sweep")
        facts |= {
            "print": self._print(step),
            "batch": self._batch(),
            "rates": lake.version("rates"),
            "sweep": self.state.get("counter", "sweep"),
            "day": self.as_of().isoformat(),
        }
        buckets = sorted({b for t in views for b in lake.buckets(t)}) if step.by_bucket else []
        parts = {b: {t: self.gate.for_step(t, purpose, bucket=b, upkeep=step.upkeep) for t in views} for b in buckets}
        self.gate.load(con, {v.bits: v for some in (views, *parts.values()) for v in some.values()}.values())
        # What the step made before stands, and is continued; else it starts from nothing.
        same = before.get("print") == self._print(step) and (step.rowwise or before.get("young") == facts["young"])
        dirty = self._dirty(step, before) if step.by_person and same else None
        run = Run(
            con=con,
            views=views,
            config=self.config,
            state=self.state,
            own=lake.relation(table.name),
            before=before.get("facts", {}) if same else {},
            as_of=self.as_of(),
            batch=self._batch(),
            dirty=dirty,
            at=self.now(),
            grown=same and all(before.get(k) == facts[k] for k in ("sweep", "cut")),
            parts=parts,
            moved=partial(self._moved, before.get("membership")),
            rows={t: lake.rows(t) for t in views},
        )
        if not same and lake.version(table.name) is not None and not step.keeps:
            run = self._anew(run, table.name)
        asked = bool(step.model) and self.state.get("refit", step.model) is not None
        if step.model:
            run = replace(run, model=self.models.champion(step.model), refit=asked or not same)
        if step.opens and self.vault is not None:
            run = replace(run, opened=Opener(con=con, vault=self.vault, views=views, opens=step.opens))
        made = step.run(run)
        self._noted(step, made, views)
        if asked:
            self.state.drop("refit", step.model)
        if step.model:
            facts["key"] = self._key(step, views, facts["cut"], facts["young"])
        version = lake.version(table.name)
        if not made.nothing:
            staged = self._staged(made, table.name, max(views_rows(lake, views), lake.rows(table.name)))
            if made.mode == "append" and not same and version is not None and not step.keeps:
                version = lake.commit(table.name, staged, what=f"step {step.name}, anew", mode="overwrite")
            elif staged or (version is not None and made.mode == "overwrite"):
                version = lake.commit(table.name, staged, what=f"step {step.name}", mode=made.mode)
            # An erasure between the views and the commit: the epoch moved, and she is taken out again.
            if self.gate.permits.epoch != epoch and self.gate.sieve(con, table, epoch):
                version = lake.version(table.name)
        facts |= {"membership": lake.version(MEMBERSHIP.name), "facts": dict(made.facts), "model": self._model(step)}
        self.state.put("runs", step.name, facts)
        return version, lake.rows(table.name)

    def _noted(self, step: Step, made: Made, views: Mapping[str, View]) -> None:
        """The cards of what a step has fitted, before any score of it."""
        versions = {t: v.version for t, v in views.items() if v.version is not None}
        self.models.note(
            (msgspec.structs.replace(c, purpose=step.purpose, made_from=versions) for c in made.cards), self.now()
        )

    def _staged(self, made: Made, table: str, hint: int) -> list[Staged]:
        """Files with what a step made, that no version has yet."""
        lake, con = self.lake, self.con
        if made.parts:
            return [s for b, select in made.parts.items() for s in lake.stage(con, table, select, bucket=b)]
        hint = hint if made.many is None else made.many
        if made.rows is None:
            return lake.stage(con, table, made.select, rows_hint=hint)
        con.register("made_rows", made.rows)
        try:
            return lake.stage(con, table, "SELECT * FROM made_rows", rows_hint=hint)
        finally:
            con.unregister("made_rows")

    def _anew(self, run: Run, table: str) -> Run:
        return Run(**{**run.__dict__, "own": self.lake.relation_of(table, []), "dirty": None})

    def _batch(self) -> int:
        return int(self.state.get("landed", "last", 0))

    def _print(self, step: Step) -> str:
        """The step's fingerprint: its code and what that uses of its floor, its table, the settings it could read."""
        text = _code(step.run.__module__)
        sql = step.sql(self.config) if step.sql else ""
        settings: list[object] = [self.config.currency, self.config.caps, {c.name: c.rank for c in self.config.sources}]
        settings.append([self.config.segments.k, self.config.segments.seed, sorted(self.config.purposes)])
        settings.append(self.config.insight.of(step.insight))
        if step.settings:
            settings.append(repr(step.settings(self.config)))
        return hashlib.sha256(json.dumps([text, sql, step.writes.names, settings]).encode()).hexdigest()[:16]

    def _rests(self, step: Step, before: dict[str, Any]) -> bool:
        """Whether a step that moves by the day ran today, with the same code and model, and nobody was erased since."""
        same = before.get("print") == self._print(step) and before.get("sweep") == self.state.get("counter", "sweep")
        same = same and before.get("day") == self.as_of().isoformat()
        return step.daily and same and before.get("model") == self._model(step)

    def _model(self, step: Step) -> list[Any] | None:
        """What the step's model is, and whether somebody asked for a new one."""
        if not step.model:
            return None
        known = self.models.champion(step.model)
        return [known.id if known else None, self.state.get("refit", step.model)]

    def _key(self, step: Step, views: dict[str, View], cut: str, young: str) -> str:
        versions = {t: v.version for t, v in views.items() if t != step.writes.name}
        day = self.now().astimezone(UTC).date().isoformat() if step.timely else self.as_of().isoformat() if step.aged else ""
        return json.dumps([versions, cut, young, self._print(step), day, self._model(step)])

    def _dirty(self, step: Step, before: dict[str, Any]) -> str | None:
        """A relation of the persons to compute anew; None for everybody."""
        lake, con = self.lake, self.con
        since, was = before.get("batch"), before.get("membership")
        if since is None or was is None or lake.version(step.writes.name) is None:
            return None
        if before.get("rates") != lake.version("rates") or before.get("sweep") != self.state.get("counter", "sweep"):
            return None
        tables = [t.name for t in {**RAW, "touched": TOUCHED}.values() if "key_id" in t.names]
        keys = " UNION ".join(f"SELECT key_id FROM {lake.relation(t)} WHERE batch > {since}" for t in tables)
        if (moved := self._moved(was)) is None:
            return None
        con.register("moved", pa.table({"person_id": moved}))
        con.execute(
            f"""CREATE OR REPLACE TEMP TABLE dirty AS SELECT person_id FROM {lake.relation(MEMBERSHIP.name)}
                WHERE key_id IN ({keys}) UNION SELECT person_id FROM moved"""
        )
        con.unregister("moved")
        many = int(value(con, "SELECT count(*) FROM dirty"))
        return None if many > REBUILD_SHARE * max(1, lake.rows(step.writes.name)) else "dirty"

    def _moved(self, was: int | None) -> pa.Array | None:
        """The persons who have other keys now than in that version of MEMBERSHIP; None if it can be read no more."""
        lake, now = self.lake, self.lake.version(MEMBERSHIP.name)
        if was is None or now is None or not lake.kept(MEMBERSHIP.name, was):
            return None
        if was == now:
            return pa.array([], pa.int32())
        if (was, now) not in self._moves:
            relations = (lake.relation(MEMBERSHIP.name, version) for version in (was, now))
            self._moves[was, now] = pa.array(identity.moved(self.con, *relations), pa.int32())
        return self._moves[was, now]


@cache
def _code(module: str) -> str:
    """The source of a module and of all that it imports from its own floor, each once."""
    parts = module.split(".")
    floor = ".".join(parts[: min(2, len(parts) - 1)])
    texts: dict[str, str] = {}
    waiting = [module]
    while waiting:
        if (one := waiting.pop()) not in texts:
            texts[one] = inspect.getsource(sys.modules[one])
            waiting += [found for found in imported(texts[one]) if found in sys.modules and found.startswith(floor + ".")]
    return "\n".join(texts[one] for one in sorted(texts))


IMPORT = re.compile(r"^\s*from ([\w.]+) import (?:\(([^)]*)\)|([^(\n]*))|^\s*import ([\w.]+)", re.MULTILINE)
"""An import; to look for it so takes a hundredth of reading the source as Python does, and turns are many."""


def imported(source: str) -> Iterator[str]:
    """What a module's import statements may name: modules, and the names in them.

    >>> sorted(imported("from tessera.data import (\\n    identity,\\n    raw as r\\n)\\nimport tessera.words"))
    ['tessera.data', 'tessera.data.identity', 'tessera.data.raw', 'tessera.words']
    """
    for module, several, some, alone in IMPORT.findall(source):
        yield module or alone
        yield from (f"{module}.{name.split()[0]}" for name in (several or some).split(",") if name.strip())


def views_rows(lake: Lake, views: dict[str, View]) -> int:
    """How many rows the largest view may have, from the log."""
    return max((lake.rows(t) for t in views), default=0)
