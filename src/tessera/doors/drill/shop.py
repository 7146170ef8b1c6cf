"""A throw-away workspace for the drill: six people, five roles, a key for each role, and what each may see, written by hand.

What a role may see is a second opinion: it is told here from the people's own lines, and from nothing of the gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tessera.account import account
from tessera.app import App
from tessera.scaffold import init
from tessera.trust.accounts import Accounts
from tessera.trust.apikeys import ApiKeys
from tessera.words import Clock

CRM = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:drill:crm
name: crm
version: 1.0.0
status: active
servers:
  - {server: files, type: local, path: files/crm.csv, format: csv}
customProperties:
  - {property: record, value: person}
  - {property: sync, value: snapshot}
schema:
  - name: customers
    properties:
      - {name: id, required: true, primaryKey: true, customProperties: [{property: identifier, value: user_id}]}
      - {name: name, customProperties: [{property: mapsTo, value: name}]}
      - {name: mail, customProperties: [{property: identifier, value: email}, {property: mapsTo, value: email}]}
      - {name: phone, customProperties: [{property: identifier, value: phone}, {property: mapsTo, value: phone}]}
      - {name: city, customProperties: [{property: mapsTo, value: city}]}
      - {name: region, customProperties: [{property: mapsTo, value: region}]}
      - {name: tier, customProperties: [{property: mapsTo, value: tier}]}
      - {name: analytics, customProperties: [{property: consent, value: analytics}]}
      - {name: marketing, customProperties: [{property: consent, value: marketing}]}
"""

ACCESS = """\
roles: [owner, officer, analyst, marketer, sales, outsider]
actors:
  - {name: "user:@USER@", roles: [owner, officer, analyst, marketer, sales, outsider], attributes: {region: north}}
  - {name: "key:owner", roles: [owner]}
  - {name: "key:officer", roles: [officer]}
  - {name: "key:analyst", roles: [analyst]}
  - {name: "key:marketer", roles: [marketer]}
  - {name: "key:sales", roles: [sales], attributes: {region: north}}
  - {name: "key:outsider", roles: [outsider]}
  - {name: "account:drill", roles: [officer]}
contact: the owner
grants:
  - {roles: [owner], purposes: "*", categories: "*", verdict: clear}
  - {roles: [officer], purposes: [operate], categories: "*", verdict: clear}
  - {roles: [analyst], purposes: [analytics], categories: [user.behavior, user.account, user.unique_id.pseudonymous, system],
     verdict: clear}
  - {roles: [analyst], purposes: [analytics], categories: [user.contact], verdict: masked}
  - {roles: [marketer], purposes: [marketing], categories: [user.unique_id.pseudonymous, user.contact.email, system],
     verdict: clear}
  - {roles: [sales], purposes: [operate], categories: [user.name, user.contact, user.unique_id.pseudonymous, user.location,
     system], verdict: clear}
  - {roles: [outsider], purposes: [operate], categories: [system], verdict: clear}
functions:
  - {roles: [owner], may: "*"}
  - {roles: [officer], may: [sql, tables, find, show, consents, ledger, explain]}
  - {roles: [analyst], may: [sql, tables, show]}
  - {roles: [marketer], may: [sql, find, show]}
  - {roles: [sales], may: [sql, find, show]}
rows:
  - {roles: [sales], tables: [records, profiles], column: region, values: ["$region"]}
"""

FUNCTIONS = {
    "owner": {
        "sql", "tables", "find", "show", "consents", "ledger", "explain", "approve", "customer_token", "metrics", "decide",
        "requests", "operate", "change",
    },
    "officer": {"sql", "tables", "find", "show", "consents", "ledger", "explain"},
    "analyst": {"sql", "tables", "show"},
    "marketer": {"sql", "find", "show"},
    "sales": {"sql", "find", "show"},
    "outsider": set[str](),
}
"""What each role may do: as ACCESS says, told a second time."""

PURPOSE = {
    "owner": "operate", "officer": "operate", "analyst": "analytics", "marketer": "marketing", "sales": "operate",
    "outsider": "operate",
}  # fmt: skip
"""The purpose that each role works for."""

CLEAR = {
    "owner": {"name", "email", "phone", "city", "tier"},
    "officer": {"name", "email", "phone", "city", "tier"},
    "analyst": {"tier"},
    "marketer": {"email"},
    "sales": {"name", "email", "phone", "city"},
    "outsider": set[str](),
}
"""The personal values that each role may see in clear for its purpose."""

PASSWORD = "Correct-Horse-Battery-77"
"""Of the account `drill`, which lives as long as the throw-away workspace."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """One made-up person; each value is hers alone. number: as Tessera counts, 0 before the turn."""

    id: str
    name: str
    email: str
    phone: str
    city: str
    region: str
    tier: str
    analytics: bool
    marketing: bool
    number: int = 0

    def seen_by(self, role: str) -> bool:
        """Whether the role sees her for its purpose."""
        if role == "analyst":
            return self.analytics
        if role == "marketer":
            return self.marketing
        if role == "sales":
            return self.region == "north"
        return role in ("owner", "officer")

    def values(self) -> dict[str, str]:
        """Her personal values by field."""
        return {f: getattr(self, f) for f in ("name", "email", "phone", "city", "tier")}


def people() -> list[Person]:
    """Those who live in the workspace."""
    north, south = "north", "south"
    told = [(north, True, True), (north, True, False), (north, False, True), (south, True, True), (south, False, False),
            (south, True, False)]  # fmt: skip
    return [
        Person(
            id=f"cust-{7001 + 37 * i}", name=f"Wilhelmina{i} Drillova{i}", email=f"w.drillova{i}@post{i}.example",
            phone=f"+4179{5550101 + 7919 * i}", city=f"Drillstadt{i}", region=region, tier=f"tier-{i}-{i * 7919}",
            analytics=analytics, marketing=marketing,
        )
        for i, (region, analytics, marketing) in enumerate(told, 1)
    ]


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The workspace, its people with their numbers, and a key for each role."""

    root: Path
    people: tuple[Person, ...]
    keys: dict[str, str]


def make(root: Path, clock: Clock | None = None) -> Shop:
    """The workspace in a new or empty folder, after its first turn."""
    init(root)
    (root / "tessera.yaml").write_text("version: 1\nname: drill\nmemory: 512MB\nthreads: 1\n", "utf-8")
    (root / "access.yaml").write_text(ACCESS.replace("@USER@", account()), "utf-8")
    (root / "sources" / "crm.odcs.yaml").write_text(CRM, "utf-8")
    (root / "files").mkdir()
    told = people()
    (root / "files" / "crm.csv").write_text(_csv(told), "utf-8")
    with App(root, clock=clock) as app:
        app.turn()
        numbered = tuple(_numbered(app, told))
        made, keys = ApiKeys(app.state, app.clock), {}
        for role in FUNCTIONS:
            purposes = ("operate", "analytics", "marketing") if role == "owner" else (PURPOSE[role],)
            keys[role], _ = made.new(role, (role,), purposes, 1)
        Accounts(app.state, app.clock).add("drill", PASSWORD)
    return Shop(root=root, people=numbered, keys=keys)


def _csv(told: Iterable[Person]) -> str:
    columns = ("id", "name", "email", "phone", "city", "region", "tier", "analytics", "marketing")
    rows = [",".join({True: "yes", False: "no"}.get(v, v) for v in (getattr(p, c) for c in columns)) for p in told]
    return "\n".join(["id,name,mail,phone,city,region,tier,analytics,marketing", *rows]) + "\n"


def _numbered(app: App, told: Iterable[Person]) -> Iterable[Person]:
    for person in told:
        (number,) = app.people.find(person.email)
        yield replace(person, number=number)
