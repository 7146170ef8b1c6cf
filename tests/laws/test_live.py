"""Law: what the live engine says of everybody is what the next turn's tables say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from given_tiny import DAY, Tiny, contract
from tessera import liveroom
from tessera.action.live import Live
from tessera.app import App
from tessera.data.chunk import Chunk
from tessera.data.intake import Intake
from tessera.data.intake_reading import reading
from tessera.data.live_folds import LIVE, columns_of
from tessera.data.live_reading import LiveReading
from tessera.data.sources import door
from tessera.data.tracking import line_of
from tessera.lake.engine import connect, rows

FIELDS: dict[str, dict[str, Any]] = {
    "messageId": {"required": True, "unique": True, "mapsTo": "message_id", "category": "user.unique_id.pseudonymous"},
    "type": {"required": True, "mapsTo": "type", "category": "user.behavior"},
    "event": {"mapsTo": "event", "category": "user.behavior"},
    "userId": {"identifier": "user_id"},
    "mail": {"identifier": "email", "category": "user.contact.email", "joinsIf": "sure"},
    "sure": {"logicalType": "boolean", "category": "system.operations"},
    "phone": {"identifier": "phone", "category": "user.contact.phone_number"},
    "anonymousId": {"identifier": "anonymous_id"},
    "timestamp": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "user.behavior"},
    "product": {"mapsTo": "product_id", "category": "user.behavior.browsing_history"},
    "price": {"logicalType": "number", "mapsTo": "amount_cents", "category": "user.behavior.browsing_history"},
    "stars": {"logicalType": "integer", "category": "user.behavior"},
    "note": {"category": "user.behavior"},
}

some = st.sampled_from
events = st.fixed_dictionaries(
    {"type": some(["track", "page"]), "messageId": some([f"m{n}" for n in range(40)]), "at": st.integers(0, 5)},
    optional={
        "event": some(["Product Viewed", "Product Added", "Call +49 30 123456", " Product Viewed ", ""]),
        "userId": some(["u1", "u2", "u3", 7]),
        "anonymousId": some(["a1", "a2", "a3"]),
        "mail": some(["ana@shop.example", "Ana@Shop.example", "no mail"]),
        "sure": some([True, False, "yes", "perhaps"]),
        "phone": some(["+49 30 123456", "0049 30 123456", "12"]),
        "product": some(["p1", "p2", 12, "ana@shop.example", "x49 30 123456", {"a": 1}]),
        "price": some([1, 2.5, "3.10", "1e3", "free", 10**15]),
        "stars": some([4, "5", 4.5, "many"]),
        "note": some(["fine", "my cookie is a1", True, None]),
    },
)  # fmt: skip


def event(told: dict[str, Any]) -> dict[str, Any]:
    """As the door hands it on."""
    at = DAY + timedelta(minutes=told["at"])
    rest = {k: v for k, v in told.items() if k != "at" and v is not None}
    return {**rest, "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


@settings(max_examples=20, deadline=None)
@given(told=st.lists(events, min_size=1, max_size=60))
@example(told=[{"type": "track", "messageId": "m1", "at": 0, "userId": "u1", "product": "ana@shop.example"}])
def test_a_row_is_read_live_as_landing_reads_it(told: list[dict[str, Any]], compiled: tuple[Any, Any]) -> None:
    live, sql = compiled
    given_rows = [event(one) for one in told]
    by_sql = sql([line_of(one) for one in given_rows])
    for one, (violation, ids, loose, columns) in zip(given_rows, by_sql, strict=True):
        found = live.read(one)
        assert (found is None) == (violation is not None), (one, violation)
        if found is not None:
            assert found.ids == ids, one
            assert {k for k in ids if not loose.get(k)} == set(found.firm), one
            assert {k: v for k, v in found.columns.items() if v is not None} == columns, one


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Both readings of one contract."""
    made = _tiny(tmp_path_factory.mktemp("tiny") / "w")
    intake = Intake(contract=next(c for c in made.config.sources if c.name == "events"), salt="salt")
    wanted = sorted(columns_of("events") | {"message_id"})
    con = connect(memory="256MB", threads=1)

    def by_sql(lines: list[bytes]) -> list[tuple[Any, ...]]:
        table = pa.table({"rn": range(len(lines)), "line": pa.array([line.decode() for line in lines])})
        con.register("chunk", table)
        chunk = Chunk(relation="chunk", rows=len(lines), shape="json", columns=("line",))
        select = reading(intake, chunk, {"rn": "BIGINT", "line": "VARCHAR"})
        kinds, loose = intake.kinds, intake.loose
        named = [*(f"_id_{k}" for k in kinds), *(f"_loose_{k}" for k in loose), *wanted]
        told = []
        for row in rows(con, f"SELECT _violation, {', '.join(named)} FROM ({select}) ORDER BY rn"):
            cells = dict(zip(named, row[1:], strict=True))
            ids = {k: cells[f"_id_{k}"] for k in kinds if cells[f"_id_{k}"] is not None}
            barred = {k: bool(cells[f"_loose_{k}"]) for k in loose}
            told.append((row[0], ids, barred, {c: cells[c] for c in wanted if cells[c] is not None}))
        return told

    return LiveReading(intake, frozenset(wanted)), by_sql


@settings(max_examples=6, deadline=None)
@given(rounds=st.lists(st.lists(events, max_size=14), min_size=1, max_size=3))
def test_live_profiles_are_those_of_the_next_turn(rounds: list[list[dict[str, Any]]], tmp_path_factory: Any) -> None:
    """Each round is accepted live and lands with a turn; after some turns the engine begins anew, after others it goes on. The
    doubles of what had landed before it began are dropped by the door (`Seen`), as they are here."""
    tiny = _tiny(tmp_path_factory.mktemp("live") / "w")
    with tiny.open() as app:
        live = liveroom.made(app)
        liveroom.renew(app, live)
        journal = door.journal(app.config.var, "events", app.state, app.secrets)
        sent, landed = set[str](), set[str]()
        for number, told in enumerate(rounds):
            given_rows = [event(one) for one in told if one["messageId"] not in landed]
            sent |= {str(one["messageId"]) for one in given_rows}
            if given_rows:
                segment = journal.append([line_of(one) for one in given_rows])
                live.accept("events", segment, given_rows)
            journal.roll()
            app.turn()
            assert of_live(app, live) == of_tables(app)
            if number % 2:
                liveroom.renew(app, live)
                landed |= sent
                assert of_live(app, live) == of_tables(app)
        journal.close()


def _tiny(root: Path) -> Tiny:
    made = Tiny(root)
    for other in ("crm", "orders"):
        (made.root / "sources" / f"{other}.odcs.yaml").unlink()
    text = contract("events", FIELDS, path="x", format="json", record="event", sync="append", rank="5")
    made.write("events", text.replace("type: local, path: x, format: json", "type: api, location: /v1"))
    return made


NAMES = [("user_id", u) for u in ("u1", "u2", "u3", "7")] + [("anonymous_id", a) for a in ("a1", "a2", "a3")]
NAMES += [("email", "ana@shop.example"), ("phone", "+4930123456")]


def of_live(app: App, live: Live) -> dict[tuple[str, str], Any]:
    """By identifier: who else is the same person, and what is known of her."""
    assert live.state
    keys = {one: live.key(*one) for one in NAMES}
    told = {}
    for one, key in keys.items():
        if key:
            same = set(live.state.people.keys(key))
            told[one] = (sorted(n for n, k in keys.items() if k in same), live.values(key))
    return {one: found for one, found in told.items() if any(found[1].values())}


def of_tables(app: App) -> dict[tuple[str, str], Any]:
    """The same of the turn's tables."""
    keys = {one: int(app.vault.resolve(one[0], [one[1]], mint=False)[0]) for one in NAMES}
    person = dict(rows(app.con, f"SELECT key_id, person_id FROM {app.lake.relation('membership')}"))
    fields = [f.field for f in LIVE]
    found = rows(app.con, f"SELECT person_id, {', '.join(fields)} FROM {app.lake.relation('profiles')}")
    profiles = {row[0]: dict(zip(fields, row[1:], strict=True)) for row in found}
    told = {}
    for one, key in keys.items():
        if key in person:
            same = {k for k, p in person.items() if p == person[key]}
            told[one] = (sorted(n for n, k in keys.items() if k in same), profiles[person[key]])
    return {one: found for one, found in told.items() if any(found[1].values())}
