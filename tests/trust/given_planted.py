"""A workspace whose every cell is known: a value of its own for each table, column and person, and a second opinion
on who may see it, read from the files' own lines and from nothing of the gate."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from given_gate import put

from given_people import NOW
from tessera.app import App
from tessera.lake.table import Column, Table
from tessera.scaffold import init

PURPOSES = """\
purposes:
  operate:
    data_use: essential.service
    basis: contract
    sentence: {en: We serve you., zh: 我们为您服务。}
    categories: [user, system]
  analytics:
    data_use: analytics.reporting
    basis: consent
    sentence: {en: We study how people shop., zh: 我们分析购物方式。}
    categories: [user.behavior, user.account, user.contact, user.demographic, user.location, user.unique_id, system]
  marketing:
    data_use: marketing.communications
    basis: consent
    sentence: {en: We write to you., zh: 我们给您写信。}
    categories: [user.behavior, user.contact, user.name, user.location, user.unique_id.pseudonymous, system]
"""

ACCESS = """\
roles: [owner, analyst, marketer, sales, officer, nobody]
actors:
  - {name: "user:@USER@", roles: [owner, analyst, marketer, sales, officer, nobody], attributes: {region: north}}
grants:
  - {roles: [owner], purposes: "*", categories: "*", verdict: clear}
  - {roles: [officer], purposes: [operate], categories: "*", verdict: clear}
  - {roles: [officer], purposes: [operate], categories: [user.name], verdict: masked}
  - {roles: [analyst], purposes: [analytics], categories: [user.behavior, user.unique_id.pseudonymous, system], verdict: clear}
  - {roles: [analyst], purposes: [analytics], categories: [user.contact, user.account], verdict: masked}
  - {roles: [analyst], purposes: [analytics], categories: [user.account, user.location, user.demographic], verdict: generalised}
  - {roles: [analyst], purposes: [analytics], categories: [user.behavior.purchase_history], verdict: generalised}
  - {roles: [marketer], purposes: [marketing], categories: [user.behavior, user.name], verdict: masked}
  - {roles: [marketer], purposes: [marketing], categories: [user.unique_id, system], verdict: clear}
  - {roles: [marketer], purposes: [marketing, analytics], categories: [user.contact], verdict: generalised}
  - {roles: [sales], purposes: [operate, marketing], categories: [user, system], verdict: clear}
  - {roles: [sales], purposes: [operate, marketing], categories: [user.contact], verdict: hidden}
rows:
  - {roles: [sales], tables: [records, profiles], column: region, values: ["$region"]}
  - {roles: [sales], tables: [orders], column: channel, values: [north]}
"""

PEOPLE = {
    1: ("north", {"analytics", "marketing"}),
    2: ("south", {"analytics", "marketing"}),
    3: ("north", set()),
    4: ("north", {"marketing"}),
    5: ("north", {"analytics", "marketing"}),
}
"""By number: her region, and what she agreed to. 5 is erased once all is written."""

ERASED = 5
CASH = 0
"""The row of nobody in each table about keys."""

FIRST_KEY = 40
"""Keys and persons have different numbers, so that one is never taken for the other."""

STANDING = {"orders": {"order_id"}, "order_lines": {"order_id", "line"}, "payments": {"payment_id", "order_id"}}
"""Tables whose rows stay, without her, when she is erased; and what leaves them beside what is personal."""

MACHINE = {"row_key", "row_hash", "batch", "record_id", "email_key", "phone_key"}
"""Columns that nobody may ask for."""

REGIONAL = {("records", "region"), ("profiles", "region"), ("orders", "channel")}
SPELT = {"email": "{t}-{c}-of-{p}@post{p}.example", "phone": "+4179{t}-{c}-of-{p}", "born": "198{p}-{t}-{c}-of-{p}"}
"""How a column's planted values look, where its mask looks at their form."""

STRICT = ("clear", "generalised", "masked", "hidden")
VEIL = "•••"
UNSEEN = object()
"""Stands for a value that may not be shown in any form."""

Key = tuple[str, str, int]
"""Table, column, person."""


@dataclass
class Planted:
    """The open workspace, and the value of each cell in clear."""

    app: App
    clear: dict[Key, Any]

    @cached_property
    def whose(self) -> dict[str, Key]:
        """The cell of each value that is in one cell alone, by how Python writes it."""
        small = (bool, type(None))
        return {
            repr(v): cell
            for cell, v in self.clear.items()
            if not isinstance(v, small) and not (isinstance(v, int) and v < 1_000_000)
        }

    def tells(self, text: str) -> bool:
        """Whether a text holds the value of any cell."""
        return any(f"-of-{person}" in text for person in (*PEOPLE, CASH))

    def tables(self) -> Iterator[Table]:
        yield from self.app.gate.presented().values()

    def meets(self, role: str, purpose: str, table: Table, person: int) -> bool:
        """Whether the row of a person (or of nobody) is one that the role may use for the purpose."""
        if table.compartment:
            return False  # its row is of a duty that is no purpose here
        about = table.reason != "nobody" and person != CASH and not (person == ERASED and table.name in STANDING)
        asked = _purposes[purpose]["basis"] == "consent"
        if about and (person == ERASED or (asked and purpose not in PEOPLE[person][1])):
            return False
        rules = [r for r in _lines["rows"] if role in r["roles"] and table.name in r["tables"]]
        return all(self.clear[table.name, r["column"], person] == "north" for r in rules)

    def shown(self, table: Table, column: Column, person: int, said: str) -> Any:
        """The value of a cell as the verdict lets it out."""
        value = self.clear[table.name, column.name, person]
        if said in ("hidden", "clear"):
            return UNSEEN if said == "hidden" else value
        if column.sealed:
            return _veiled(column.name, value, said)
        if said == "masked":
            return value[0] + VEIL if column.type == "VARCHAR" and value is not None else None
        if _covers("user.location", column.category) and "country" in table.names:
            return self.clear[table.name, "country", person]
        if value is not None and column.name == "language":
            return value.split("-")[0]
        if value is None or column.type in ("VARCHAR", "BOOLEAN"):
            return None
        if column.type == "DATE":
            return date(value.year, 1, 1)
        if column.type == "TIMESTAMPTZ":
            return datetime(value.year, 1, 1, tzinfo=UTC)
        return round(value, -1) if column.type == "DOUBLE" else value - value % 100

    def rows(self, table: Table) -> list[int]:
        """The people who have a row in it, in its order."""
        if table.reason == "nobody":
            return [CASH]
        return [*PEOPLE, CASH] if table.reason == "key" else [*PEOPLE]


def planted(root: Path) -> Planted:
    """The workspace, every table written row by row past landing, and person ERASED erased by the front door."""
    init(root)
    (root / "purposes.yaml").write_text(PURPOSES, "utf-8")
    (root / "access.yaml").write_text(ACCESS.replace("@USER@", getpass.getuser()), "utf-8")
    app = App(root, clock=lambda: NOW)
    app.vault.resolve("user_id", [f"user-{i}" for i in range(1, FIRST_KEY + len(PEOPLE) + 1)])
    app.state.put("counter", "person", len(PEOPLE) + 1)
    bits = {p.name: 1 << p.bit for p in app.config.purposes.values()}
    members = [{"key_id": FIRST_KEY + p, "person_id": p} for p in PEOPLE]
    put(app.con, app.lake, "membership", members)
    masks = [m | {"mask": sum(bits[p] for p in PEOPLE[m["person_id"]][1])} for m in members]
    put(app.con, app.lake, "mask", masks)
    made = Planted(app, {})
    for table in made.tables():
        _write(made, table)
    app.erase([ERASED])
    for table in made.tables():
        for c in table.columns if table.name in STANDING else ():
            if c.personal or c.name in STANDING[table.name]:
                made.clear[table.name, c.name, ERASED] = None
    return made


def _write(made: Planted, table: Table) -> None:
    declared = made.app.lake.table(table.name)
    written = []
    for person in made.rows(table):
        row = {c.name: _value(made, table, c, person) for c in table.columns}
        made.clear |= {(table.name, c, person): v for c, v in row.items()}
        sealed = {c.name: row[c.name] for c in declared.columns if c.sealed}
        (record,) = made.app.vault.seal([json.dumps(sealed).encode()], 1)
        row |= {c: int(record) for c in sealed}
        if "record_id" in row:
            row["record_id"] = int(record)
        written.append({c: v.isoformat() if type(v) is date else v for c, v in row.items()})
    put(made.app.con, made.app.lake, table.name, written)


def _value(made: Planted, table: Table, column: Column, person: int) -> Any:
    number = len(made.clear) + list(table.names).index(column.name) + 1
    if column.name == "person_id" and table.reason != "nobody":
        return person or None
    if column.name in made.app.lake.table(table.name).owners:
        return FIRST_KEY + person if person else None
    if (table.name, column.name) in REGIONAL:
        return PEOPLE[person][0] if person else "south"
    made_by = {
        "VARCHAR": lambda: SPELT.get(column.name, "{t}-{c}-of-{p}").format(t=table.name, c=column.name, p=person),
        "INTEGER": lambda: 1_000_000 + 137 * number,
        "BIGINT": lambda: 1_000_000 + 137 * number,
        "DOUBLE": lambda: 5_000_000.25 + 137 * number,
        "BOOLEAN": lambda: person % 2 == 0,
        "DATE": lambda: date(1970, 1, 2) + timedelta(days=number),
        "TIMESTAMPTZ": lambda: datetime(1980, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(hours=25 * number),
    }
    return made_by[column.type]()


# The second opinion: from the lines of the two files alone.

_lines = yaml.safe_load(ACCESS)
_purposes = yaml.safe_load(PURPOSES)["purposes"]


def _covers(prefix: str, category: str) -> bool:
    return prefix == "*" or (category + ".").startswith(prefix + ".")


def verdict(role: str, purpose: str, column: Column) -> str:
    """What the lines say of a column."""
    bounds, category = _purposes[purpose]["categories"], column.category
    if column.name in MACHINE or not any(_covers(b, category) for b in [*bounds, "system"]):
        return "hidden"
    fits = [
        (0 if prefix == "*" else len(prefix), STRICT.index(line["verdict"]))
        for line in _lines["grants"]
        for prefix in line["categories"]
        if role in line["roles"] and (line["purposes"] == "*" or purpose in line["purposes"]) and _covers(prefix, category)
    ]
    return STRICT[max(fits)[1]] if fits else "hidden"


def _veiled(column: str, text: str, said: str) -> str:
    if column == "email":
        return f"{text[0]}{VEIL}@{VEIL}" if said == "masked" else VEIL + text[text.index("@") :]
    if column == "phone":
        return VEIL + text[-2:] if said == "masked" else text[:3] + VEIL
    return text[:4] if column == "born" and said == "generalised" else text[0] + VEIL
