"""A lake of a few hand-made rows with the gate over it, and the shop's workspace with its own access rules."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from given_people import NOW, Shop
from tessera.app import App, tables
from tessera.config import Access, Actor, Config, Grant, Purpose
from tessera.lake.engine import Connection, connect, literal, name
from tessera.lake.state import State
from tessera.lake.store import Lake
from tessera.trust.access import Reader
from tessera.trust.ages import Ages, Kept
from tessera.trust.gate import Gate
from tessera.trust.permits import Permits

PURPOSES = {
    p.name: p
    for p in (
        Purpose(name="operate", data_use="essential.service", basis="contract", sentence={}, bit=0),
        Purpose(name="analytics", data_use="analytics.reporting", basis="consent", sentence={}, bit=1),
        Purpose(
            name="marketing", data_use="marketing", basis="consent", sentence={}, bit=2, categories=("user.contact", "system")
        ),
    )
}

ACCESS = """\
roles: [owner, analyst, marketer, sales, officer, nobody]
actors:
  - {name: "user:@USER@", roles: [owner, analyst, marketer, sales, officer, nobody], attributes: {region: north}}
  - {name: "user:elsewhere", roles: [sales]}
contact: the owner
grants:
  - {roles: [owner], purposes: "*", categories: "*", verdict: clear}
  - {roles: [officer], purposes: [operate], categories: "*", verdict: clear}
  - roles: [analyst]
    purposes: [analytics]
    categories: [user.behavior, user.account, user.device, user.sensor, user.social, user.unique_id.pseudonymous, system]
    verdict: clear
  - {roles: [analyst], purposes: [analytics], categories: [user.contact, user.account], verdict: masked}
  - {roles: [analyst], purposes: [analytics], categories: [user.location, user.demographic], verdict: generalised}
  - roles: [marketer]
    purposes: [marketing]
    categories: [user.behavior, user.unique_id.pseudonymous, system]
    verdict: masked
  - {roles: [marketer], purposes: [marketing, analytics], categories: [user.contact], verdict: generalised}
  - {roles: [sales], purposes: [operate], categories: [user], verdict: clear}
  - {roles: [sales], purposes: [operate], categories: [user.contact, user.unique_id], verdict: hidden}
rows:
  - {roles: [sales], tables: [records], column: region, values: ["$region"]}
"""


class Keys:
    """A vault that only counts."""

    def __init__(self, count: int) -> None:
        self.count = count

    def max_key(self) -> int:
        return self.count


class Gated:
    """A lake without a workspace, with the gate over it."""

    def __init__(self, root: Path, keys: int = 20, grants: Iterable[Grant] = ()) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.at = [NOW]
        self.state = State(root / "state.db")
        self.lake = Lake(root / "lake", tables(), self.state, lambda: self.at[0])
        actor = Actor(name="user:ann", roles=("analyst",))
        access = Access(
            roles=("analyst",),
            actors=(actor,),
            grants=tuple(grants) or (Grant(roles=("*",), purposes=("*",), categories=("*",), verdict="clear"),),
        )
        self.config = Config(root=root, name="t", purposes=PURPOSES, access=access)
        self.con = connect(threads=1)
        self.permits = Permits(self.lake, Keys(keys), connect(threads=1))
        ages = Ages(self.config, self.state, lambda: self.at[0], Kept(sources={}, acts=frozenset()))
        self.gate = Gate(self.config, self.lake, self.permits, ages)
        self.reader = lambda purpose: Reader(actor=actor, role="analyst", purpose=PURPOSES[purpose])

    def write(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """A table's next version, of these rows alone."""
        self.at[0] += timedelta(hours=1)
        put(self.con, self.lake, table, rows)

    def seen(
        self, table: str, purpose: str, column: str, version: int | None = None, con: Connection | None = None
    ) -> list[Any]:
        """What a step sees of a column, sorted."""
        view = self.gate.for_step(table, PURPOSES[purpose], version=version)
        con = con or self.con
        self.gate.load(con, [view])
        return sorted((r[0] for r in con.execute(f"SELECT {column} FROM {view.sql}").fetchall()), key=str)


def put(con: Connection, lake: Lake, table: str, rows: Iterable[Mapping[str, Any]], mode: Any = "overwrite") -> None:
    """Rows with the columns named; the others are NULL."""
    columns = lake.table(table).columns
    selects = ["SELECT " + ", ".join(f"{cell(r.get(c.name))}::{c.lake_type} AS {name(c.name)}" for c in columns) for r in rows]
    nothing = "SELECT " + ", ".join(f"NULL::{c.lake_type} AS {name(c.name)}" for c in columns) + " WHERE FALSE"
    lake.write(con, table, " UNION ALL ".join(selects or [nothing]), what="test", mode=mode)


def cell(value: Any) -> str:
    return literal(value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value)


def workspace(root: Path) -> Shop:
    """The shop with ACCESS, after a turn."""
    shop = Shop(root).write()
    (root / "access.yaml").write_text(ACCESS.replace("@USER@", getpass.getuser()), "utf-8")
    with App(root, clock=lambda: NOW) as app:
        app.turn()
    return shop
