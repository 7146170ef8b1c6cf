"""The steps of floor 4 and of consent: ACTIVITY, MEMBERSHIP, MASK, PROFILES, QUALITY."""

from __future__ import annotations

from datetime import UTC

import pyarrow as pa

from tessera.config import Config
from tessera.data import identity, profiles, quality
from tessera.data.profiles import ACTIVITY, ADDED, PROFILES
from tessera.data.raw import CHOSEN, CORRECTED, LATEST_WINS, ORDERS, RAW, RECORDS
from tessera.data.signals import source_of
from tessera.lake.engine import literal, value
from tessera.lake.step import Made, Run, Step
from tessera.lake.view import over
from tessera.trust import consent
from tessera.trust.ages import Kept
from tessera.trust.tables import DOOR, MASK, MEMBERSHIP

ANSWERED = "answered"


def ranks(config: Config) -> dict[str, int]:
    """Which source wins: by name, higher first."""
    return {c.name: c.rank for c in config.sources}


def ranked(config: Config) -> dict[str, int]:
    """The same with what customers corrected, above all others."""
    found = ranks(config)
    return {**found, CORRECTED: max(found.values(), default=0) + 1}


def acts(config: Config) -> dict[str, bool]:
    """By source of answers, whether each row is an act; else it is a state, sent again when anything in it changes, or, as a
    browser's signal, with everything she does."""
    told = {c.name: RAW[c.record].name not in LATEST_WINS for c in config.sources}
    signals = {source_of(c.name, f.signal): False for c in config.sources for f in c.fields if f.signal}
    return {**told, **signals, CHOSEN: True, DOOR: True}


def kept(config: Config) -> Kept:
    """How long the rows of each source are kept, as its contract says; orders that are made from lines, as long as these."""
    sources: dict[str, dict[str, int]] = {}
    for c in config.sources:
        for table in (RAW[c.record], *([ORDERS] if c.derive_orders else [])):
            if c.keep_days is not None and "occurred_at" in table.names:
                sources.setdefault(table.name, {})[c.name] = c.keep_days
    acts = frozenset(t.name for t in RAW.values() if "occurred_at" in t.names) - {RECORDS.name}
    return Kept(sources=sources, acts=acts)


def _activity(run: Run) -> Made:
    # A kill after the commit leaves pieces that `before` does not know of: they are not added twice.
    last = value(run.con, f"SELECT max(batch) FROM {run.own} AS own")
    since = max(int(run.before.get("batch", 0)), int(last or 0))
    if since >= run.batch:
        return Made(nothing=True, facts={"batch": since})
    select, facts = _pieces(ranks(run.config), since, run.batch), {"batch": run.batch}
    if since == 0 and run.parts:
        return Made(parts={b: over(views, select) for b, views in run.parts.items()}, mode="append", facts=facts)
    new = " UNION ALL ".join(f"SELECT count(*) AS n FROM {t} WHERE batch > {since}" for t in ADDED)
    many = int(value(run.con, over(run.views, f"SELECT sum(n) FROM ({new})")))
    return Made(select=over(run.views, select), many=many, mode="append", facts=facts)


def _pieces(rank: dict[str, int], since: int, until: int) -> str:
    return " UNION ALL ".join(profiles.activity(t, rank, since, until) for t in ADDED)


def _membership(run: Run) -> Made:
    since = run.before.get("batch") if run.grown else None
    made, differs = identity.resolve(run.con, run.views, run.config.caps, run.state, since=since)
    return Made(rows=made, nothing=not differs, facts={"batch": run.batch})


def _mask(run: Run) -> Made:
    # The real moment, for `as_of` moves the data and never the permission.
    at = run.at.astimezone(UTC).isoformat()
    ends = value(run.con, over(run.views, f"SELECT min(until)::VARCHAR FROM consents WHERE until > TIMESTAMPTZ {literal(at)}"))
    facts, purposes, told = {"batch": run.batch, "at": at, "ends": ends}, run.config.purposes.values(), acts(run.config)
    some = _answered(run, at)
    if some == 0:
        return Made(nothing=True, facts=facts)
    if some is None:
        return Made(select=over(run.views, consent.mask(purposes, at, told)), facts=facts)
    kept = f"SELECT key_id, person_id, mask FROM {run.own} AS own ANTI JOIN {ANSWERED} USING (person_id)"
    select = f"{consent.mask(purposes, at, told, ANSWERED)} UNION ALL {kept}"
    return Made(select=over(run.views, select), facts=facts)


def _answered(run: Run, at: str) -> int | None:
    """How many persons' answers have to be told anew, who then stand in ANSWERED; None for everybody's."""
    batch, since = run.before.get("batch"), run.before.get("at")
    if not run.grown or batch is None or since is None or since > at:
        return None
    if (moved := run.moved()) is None:
        return None
    run.con.register("moved", pa.table({"person_id": moved}))
    said = over(run.views, consent.turned(batch, since, at))
    run.con.execute(f"CREATE OR REPLACE TEMP TABLE {ANSWERED} AS {said} UNION SELECT person_id FROM moved")
    run.con.unregister("moved")
    return int(value(run.con, f"SELECT count(*) FROM {ANSWERED}"))


def _profiles(run: Run) -> Made:
    select = over(run.views, profiles.profiles(run.config.currency, ranked(run.config), run.dirty))
    if run.dirty is not None:
        names = ", ".join(c.name for c in PROFILES.columns)
        select = (
            f"SELECT {names} FROM ({select}) UNION ALL SELECT {names} FROM {run.own} AS own "
            f"ANTI JOIN {run.dirty} USING (person_id)"
        )
    return Made(select=select)


STEPS = (
    Step(
        name="activity",
        reads=ADDED,
        writes=ACTIVITY,
        purpose="operate",
        upkeep=True,
        run=_activity,
        by_bucket=True,
        sql=lambda c: over_names(ADDED, _pieces(ranks(c), 0, 1)),
    ),
    Step(
        name="identity",
        reads=("links", *identity.PRIVATE, "membership"),
        writes=MEMBERSHIP,
        purpose="operate",
        upkeep=True,
        run=_membership,
        keeps=True,
        lineage={
            "key_id": (("links", "key_a"), ("links", "key_b"), ("records", "key_id"), ("activity", "key_id")),
            "person_id": (("links", "key_a"), ("links", "key_b"), ("membership", "person_id")),
        },
    ),
    Step(
        name="consent",
        reads=("consents", "membership"),
        writes=MASK,
        purpose="operate",
        upkeep=True,
        run=_mask,
        timely=True,
        sql=lambda c: over_names(("consents", "membership"), consent.mask(c.purposes.values(), "2000-01-01", acts(c))),
    ),
    Step(
        name="profiles",
        reads=("activity", "records", "contested", "orders", "rates", "membership"),
        writes=PROFILES,
        purpose="operate",
        run=_profiles,
        by_person=True,
        sql=lambda c: over_names(
            ("activity", "records", "contested", "orders", "rates", "membership"),
            profiles.profiles(c.currency, ranked(c)),
        ),
    ),
    quality.STEP,
)


def over_names(tables: tuple[str, ...], select: str) -> str:
    """The step's SQL over bare table names, as lineage and the compile test read it."""
    ctes = ", ".join(f"{t} AS (SELECT * FROM lake.{t})" for t in tables)
    return f"WITH {ctes} {select}"
