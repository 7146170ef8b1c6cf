"""After an erasure nothing that was hers is found: in any table, version, file, log, whatever one may look into."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from given_people import NOW, Person, Shop
from tessera.app import App
from tessera.data.sources import door
from tessera.errors import Expired
from tessera.loop import STEPS
from tessera.trust import removal
from tessera.trust.vault_records import PACK
from tessera.words import Erased

HER = 4
"""Her number among the people of the shop."""

SALES = ("orders", "order_lines", "payments")
SEALED = ("name", "email", "phone", "address", "born", "text")
KEY_COLUMNS = ("key_id", "key_a", "key_b", "email_key", "phone_key", "key_2", "key_3", "key_4", "key_5")


@dataclass
class Hers:
    """All that was hers. texts: in clear anywhere; bytes: her blinds and sealed cells; keys, persons, records: numbers,
    looked for in the columns of tables that hold such numbers."""

    texts: set[str] = field(default_factory=set)
    blinds: set[bytes] = field(default_factory=set)
    cells: set[bytes] = field(default_factory=set)
    keys: set[int] = field(default_factory=set)
    persons: set[int] = field(default_factory=set)
    records: set[int] = field(default_factory=set)


def broken(p: Person) -> dict[str, list[str]]:
    """Lines that no contract takes, by source: with and without an identifier in its place."""
    return {
        # Her id is in its place, the time is not: the row has her key.
        "crm": [f"{p.user_id},{p.name},not an e-mail,,,,,,,,,,tomorrow,,,,,"],
        # Too few columns: she stands only in the text.
        "touches": [f"TCH-9,{p.phone[:3]} {p.phone[3:7]} {p.phone[7:]},2026-05-05"],
        "orders": [f"{p.order(7)},{p.user_id}"],
        "payments": [f"PAY-9,{p.order(8)},{p.email.upper()},{p.name}"],
        # No time, no identifier in its place, an escaped one in another; and what is no JSON at all.
        "web": [
            json.dumps({"messageId": "MSG-8", "properties": {"who": p.email}}).replace("@", "\\u0040"),
            json.dumps(
                {
                    "messageId": "MSG-7",
                    "context": {
                        "page": {"url": f"https://x.example/?d={p.device_id}&e=" + p.email.replace("@", "%40")}
                    },
                }
            ),
            f'{{"messageId": "MSG-6", "traits": {{"name": "{p.name}"',
        ],
        "posts": [f'"{p.anonymous_id}"'],
    }


def shop(root: Path) -> Shop:
    made = Shop(root)
    for source, lines in broken(made.people[HER]).items():
        made.tails[source] = lines
    for source, lines in broken(made.people[HER + 1]).items():
        made.tails[source] = made.tails[source] + lines
    return made


def hers(app: App, p: Person) -> Hers:
    """What is hers, as the vault and the tables know it before she is erased."""
    found = Hers(
        texts={p.user_id, p.email, p.email.upper(), p.phone, p.phone[3:], p.name, p.street, p.device_id, p.anonymous_id}
    )
    found.texts |= {p.order(n) for n in (0, 1, 7, 8)} | {f"PAY-{p.order(n)[4:]}" for n in (0, 1)}
    found.texts |= {f"MSG-{4400000 + p.number * 10 + n}" for n in (0, 1)}
    found.texts |= {
        f"PST-{5500000 + p.number}",
        f"TCH-{3300000 + p.number}",
        f"TCK-{66000 + p.number}",
        f"Quandty{p.number}",
    }
    found.persons = set(app.people.find(p.email))
    members = app.lake.relation("membership")
    found.keys = {
        r[0]
        for r in duckdb.connect().sql(f"SELECT key_id FROM {members} WHERE person_id IN {tuple(found.persons) * 2}").fetchall()
    }
    for kind, value in identifiers(p):
        found.keys.add(int(app.vault.resolve(kind, [value], mint=False)[0]))
        found.blinds.add(
            hashlib.blake2b(
                value.encode(), key=app.secrets.derive("blind-index"), digest_size=16, person=kind.encode()
            ).digest()
        )
    found.records = {record for record, blob in opened(app).items() if any(t.encode() in blob for t in found.texts)}
    with closing(sqlite3.connect(f"file:{app.config.var}/vault.db?mode=ro", uri=True)) as db:
        for row, sizes, cells in db.execute("SELECT row, sizes, cells FROM records"):
            ends = np.cumsum(np.frombuffer(sizes, np.uint32))
            for slot, end in enumerate(ends.tolist()):
                if row * PACK + slot in found.records:
                    found.cells.add(cells[end - 24 : end])
    return found


def identifiers(p: Person) -> list[tuple[str, str]]:
    return [
        ("user_id", p.user_id),
        ("email", p.email),
        ("phone", p.phone),
        ("device_id", p.device_id),
        ("anonymous_id", p.anonymous_id),
    ]


def opened(app: App) -> dict[int, bytes]:
    """Every record that the vault can still open."""
    with closing(sqlite3.connect(f"file:{app.config.var}/vault.db?mode=ro", uri=True)) as db:
        rows = [r for (r,) in db.execute("SELECT row FROM records")]
    blobs = app.vault.unseal([row * PACK + slot for row in rows for slot in range(PACK)])
    return {r: b.replace(b"\\u0040", b"@").replace(b"%40", b"@") for r, b in blobs.items()}


def search(app: App, sought: Hers) -> dict[str, set[str]]:
    """Looks for her everywhere; what was found, by place."""
    found: dict[str, set[str]] = defaultdict(set)
    raw = {t.encode() for t in sought.texts} | sought.blinds | sought.cells
    raw |= {b.hex().encode() for b in sought.blinds}
    names = {
        b: n
        for n, group in (
            ("text", {t.encode() for t in sought.texts}),
            ("blind", sought.blinds | {b.hex().encode() for b in sought.blinds}),
            ("cell", sought.cells),
        )
        for b in group
    }
    for path, data in files(app.config.var):
        for needle in raw:
            if needle in data or needle in str(path).encode():
                found[str(path.relative_to(app.config.var))].add(names[needle])
    for path in sorted((app.config.var / "lake").rglob("*.parquet")):
        place = "checkpoint" if "_delta_log" in path.parts else path.relative_to(app.config.var / "lake").parts[0]
        for what in decoded(path, sought):
            found[f"table {place}"].add(what)
    for blob in opened(app).values():
        if any(t.encode() in blob for t in sought.texts):
            found["vault, opened"].add("text")
    for kind, value in identifiers(app_person(sought)):
        if int(app.vault.resolve(kind, [value], mint=False)[0]) > 0:
            found["vault, looked up"].add(kind)
    # Bare numbers may stand in the ledger's sets (and in receipts): erasing rewrites no entry. They lead to nobody, as
    # the vault no longer knows whose they were. So sets are searched for values and blinds only (above, as files).
    return dict(found)


def app_person(sought: Hers) -> Person:
    return Person(HER)


def files(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file's bytes, compressed ones also as they were."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield path, data
            if data[:2] == b"\x1f\x8b":
                yield path, gzip.decompress(data)


def decoded(path: Path, sought: Hers) -> set[str]:
    """What of hers stands in a Parquet file, read column by column."""
    found = set()
    table = pq.read_table(path, partitioning=None)
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_pylist()
        text = "\x1f".join(map(str, values))
        if any(t in text for t in sought.texts):
            found.add("text")
        sealed = str(column.type) == "int64" and name in SEALED
        for columns, numbers, what in (
            (KEY_COLUMNS, sought.keys, "key"),
            (("person_id",), sought.persons, "person"),
            (("record_id",), sought.records, "record"),
            ((name,) if sealed else (), sought.records, "sealed"),
        ):
            if name in columns and not numbers.isdisjoint(values):
                found.add(what)
    return found


def revenue(app: App) -> dict[str, list[tuple[Any, ...]]]:
    """Money by month and currency in the tables of sales."""
    return {
        t: sorted(
            duckdb.connect().sql(
                f"SELECT date_trunc('month', occurred_at)::VARCHAR, currency, sum(amount_cents), count(*) "
                f"FROM {app.lake.relation(t)} GROUP BY ALL"
            ).fetchall(),
            key=str,
        )
        for t in SALES
    }


def others(app: App, who: Hers) -> dict[str, list[str]]:
    """All rows that are not hers, as text; batch numbers and row positions do not count."""
    rows = {}
    con = duckdb.connect()
    with removal.Named(
        con, Erased(keys=frozenset(who.keys), persons=frozenset(who.persons), records=frozenset(who.records))
    ) as her:
        her.orders(())
        for table in app.lake.personal_tables:
            mine = removal.hers(table)
            if "order_id" in table.names:
                gone = ", ".join(f"'{Person(HER).order(n)}'" for n in (0, 1))
                mine = f"({mine} OR order_id IS NULL OR order_id IN ({gone}))"
            relation = app.lake.relation(table.name)
            rows[table.name] = sorted(
                str(r) for r in con.execute(f"SELECT * FROM {relation} WHERE NOT {mine}").fetchall()
            )
    return rows


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One erasure, with what was found before and after it; the tests below look at its parts."""
    root = tmp_path_factory.mktemp("erasure")
    given = shop(root).write()
    her = given.people[HER]
    told: dict[str, Any] = {"shop": given, "her": her}
    clock = [NOW]
    (root / "decisions").mkdir()
    (root / "decisions" / "banner.yaml").write_text("decision: banner\npurpose: operate\ncandidates: [{id: lamp}]\n")
    app = App(root, clock=lambda: clock[0])
    decide(app, [HER, HER + 1])
    app.turn()
    # A second turn: other versions, replaced rows, marks of touched keys.
    for row in given.rows["crm"]:
        row["tier"], row["updated"] = "silver", "2026-10-10T00:00:00+00:00"
    clock[0] += timedelta(hours=1)
    given.write(["crm"])
    # She corrects her town: what the sources say of it is contested.
    app.corrections.land(1, int(app.vault.resolve("user_id", [Person(HER).user_id])[0]), {"city": "Corrected"})
    app.turn()
    app.sql("SELECT name, email, phone FROM records", purpose="operate")
    mine = hers(app, her)
    plant(app, mine)
    told["planted"] = {t.name: planted(app, t.name, mine) for t in app.lake.personal_tables}
    told["mine"], told["before"], told["revenue before"] = mine, search(app, mine), revenue(app)
    told["others before"], told["versions"] = (
        others(app, mine),
        {t.name: app.lake.version(t.name) for t in app.lake.personal_tables},
    )
    told["erasure"] = app.erase(mine.persons, sweep=True)
    told["after"], told["revenue after"], told["others after"] = search(app, mine), revenue(app), others(app, mine)
    told["app"] = app
    # The same bulk sources come again, written anew; and a whole turn.
    clock[0] += timedelta(hours=1)
    given.write()
    told["landed"], _ = app.turn()
    app.turn(full=True)
    told["again"], told["revenue again"] = search(app, mine), revenue(app)
    app.close()
    told["app"] = app = App(root, clock=lambda: clock[0])
    told["reopened"] = search(app, mine)
    yield told
    app.close()


def decide(app: App, people: list[int]) -> None:
    """What was shown to some of them waits in the journal of decisions."""
    journal = door.journal(app.config.var, "decisions", app.state, app.secrets)
    journal.append([
        json.dumps({
            "id": f"d{n}", "at": NOW.isoformat(), "decision": "banner", "purpose": "operate", "candidate": "lamp",
            "by": "learned", "reason": "{}", "user_id": Person(n).user_id,
        }).encode() for n in people
    ])  # fmt: skip
    journal.close()


def plant(app: App, mine: Hers) -> None:
    """A row of hers in each table of insight that so few people leave empty: models ask for hundreds."""
    for table in {s.writes.name: s.writes for s in STEPS if s.insight}.values():
        if table.reason != "nobody" and not planted(app, table.name, mine):
            owner = min(mine.keys if table.reason == "key" else mine.persons)
            staged = app.lake.stage_rows(app.con, table.name, [dict.fromkeys(table.owners, owner)])
            app.lake.commit(table.name, staged, what="planted")


def planted(app: App, table: str, mine: Hers) -> int:
    """How many rows of hers a table holds."""
    con = duckdb.connect()
    declared = app.lake.table(table)
    with removal.Named(
        con, Erased(keys=frozenset(mine.keys), persons=frozenset(mine.persons), records=frozenset(mine.records))
    ):
        count = con.execute(f"SELECT count(*) FROM {app.lake.relation(table)} WHERE {removal.hers(declared)}").fetchall()[0][0]
    if not count and table == "order_lines":
        ids = ", ".join(f"'{Person(HER).order(n)}'" for n in (0, 1))
        count = con.execute(f"SELECT count(*) FROM {app.lake.relation(table)} WHERE order_id IN ({ids})").fetchall()[0][
            0
        ]
    return int(count)


def test_before_the_erasure_every_personal_table_holds_a_row_of_hers(story: dict[str, Any]) -> None:
    assert {t for t, n in story["planted"].items() if not n} == set()


def test_before_the_erasure_the_search_finds_all_that_is_hers(story: dict[str, Any]) -> None:
    before = story["before"]
    assert {"blind", "cell"} <= before["vault.db"] | before.get("vault.db-wal", set())
    assert before["vault, opened"] == {"text"}
    assert before["vault, looked up"] == {"user_id", "email", "phone", "device_id", "anonymous_id"}
    assert before["table records"] >= {"key", "record", "sealed"}
    assert "sealed" in before["table posts"] and "record" in before["table quarantine"]
    for table in ("orders", "order_lines", "payments", "events", "posts", "touches"):
        assert "text" in before[f"table {table}"], table
    for table in ("membership", "mask", "activity", "links", "consents", "touched"):
        assert "key" in before[f"table {table}"], table
    assert "person" in before["table profiles"]


def test_the_search_finds_a_value_in_any_file_compressed_or_not(tmp_path: Path) -> None:
    needle = Person(HER).email.encode()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.log").write_bytes(b"x" * 5000 + needle)
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"y" * 5000 + needle))
    assert {p.name for p, data in files(tmp_path) if needle in data} == {"a.log", "b.gz"}


def test_after_the_erasure_nothing_of_hers_is_found_anywhere(story: dict[str, Any]) -> None:
    assert story["after"] == {}


def test_a_bulk_source_that_still_has_her_does_not_bring_her_back(story: dict[str, Any]) -> None:
    assert story["again"] == {}
    assert story["landed"]["crm"].suppressed >= 2
    assert [story["app"].people.find(v) for _, v in identifiers(story["her"])] == [[]] * 5


def test_nothing_of_hers_is_found_when_the_workspace_is_opened_again(story: dict[str, Any]) -> None:
    assert story["reopened"] == {}


def test_versions_that_had_her_are_expired(story: dict[str, Any]) -> None:
    app = story["app"]
    for table, version in story["versions"].items():
        if version is not None:
            with pytest.raises(Expired):
                app.lake.files(table, version)


def test_revenue_per_month_is_the_same_before_and_after(story: dict[str, Any]) -> None:
    assert story["revenue before"] == story["revenue after"] == story["revenue again"]


def test_the_rows_of_other_people_are_unchanged(story: dict[str, Any]) -> None:
    before, after = story["others before"], story["others after"]
    assert {t: len(r) for t, r in before.items()} == {t: len(r) for t, r in after.items()}
    assert before == after
