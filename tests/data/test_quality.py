"""quality: counts by hand, on real DuckDB."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tessera.config import Config, Contract, Field, Purpose, Rule
from tessera.data.counts import measured
from tessera.data.quality import QUALITY, STEP, kpis
from tessera.data.raw import QUARANTINE, RAW
from tessera.lake.engine import connect, rows
from tessera.lake.state import State
from tessera.lake.step import Made, Run
from tessera.lake.store import Lake
from tessera.lake.view import View
from tessera.loop import Turn
from tessera.trust.ages import Ages, Kept
from tessera.trust.gate import Gate
from tessera.trust.permits import Permits
from tessera.trust.tables import CONSENTS, MASK, MEMBERSHIP

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

CRM = Contract(
    name="crm",
    file=Path("crm.odcs.yaml"),
    kind="file",
    record="person",
    department="sales",
    goal_percent=90.0,
    fresh_hours=24,
    fields=(
        Field(name="id", identifier="user_id", primary_key=True, category="user.unique_id"),
        Field(name="mail", identifier="email", maps_to="email", category="user.contact.email", unique=True),
        Field(name="full_name", maps_to="name", category="user.name", sealed=True),
        Field(name="town", maps_to="city", category="user.location"),
        Field(name="changed", maps_to="occurred_at", logical_type="timestamp"),
        Field(name="hobby", category="user.content", sealed=True),
        Field(name="note"),
    ),
    rules=(
        Rule(metric="missingValues", column="town", at_most_percent=60),
        Rule(metric="nullValues", column="town", at_most_percent=40),
        Rule(metric="duplicateValues", column="mail", at_most_percent=10),
        Rule(metric="invalidValues", column=None, at_most_percent=50),
        Rule(metric="missingValues", column="hobby", at_most_percent=1),
    ),
)
RECORDS = """SELECT * FROM (VALUES
    (1, 11, 101, 'Basel', TIMESTAMPTZ '2026-03-01 10:00:00+00'), (2, 12, 102, NULL, '2026-02-01 00:00:00+00'),
    (3, 12, 103, NULL, '2026-02-01 00:00:00+00'), (4, NULL, NULL, 'Bern', '2027-01-01 00:00:00+00')
) AS t(key_id, email_key, name, city, occurred_at), (SELECT 'crm' AS source, 1 AS batch)"""
REFUSED = """SELECT * FROM (VALUES
    ('crm', 'Required-Missing', 'town', 'open'), ('crm', 'Datatype-Mismatch', 'line', 'open'),
    ('crm', 'Datatype-Mismatch', 'mail', 'replayed'), ('web', 'Datatype-Mismatch', 'mail', 'open')
) AS t(source, reason, field, state), (SELECT 1 AS batch)"""


def given(sources: tuple[Contract, ...] = (CRM,)) -> Config:
    operate = Purpose(name="operate", data_use="essential", basis="contract", sentence={})
    return Config(root=Path("."), name="test", sources=sources, purposes={"operate": operate})


def run(
    tmp_path: Path, before: dict[str, Any], batch: int = 1, sources: tuple[Contract, ...] = (CRM,), grown: bool = False,
    **tables: str,
) -> Made:
    state = State(tmp_path / "state.db")
    lake = Lake(tmp_path / "lake", (*RAW.values(), QUARANTINE), state, lambda: NOON)
    views = {
        t: View(
            table=t, version=0, purpose="operate", columns=(),
            sql=f"({tables[t]})" if t in tables else lake.relation(t),
        )
        for t in STEP.reads
    }  # fmt: skip
    made = Run(
        con=connect(), views=views, config=given(sources), state=state, own="(SELECT 1)", before=before, batch=batch, at=NOON,
        as_of=date(2026, 3, 1), grown=grown,
    )  # fmt: skip
    return STEP.run(made)


@pytest.fixture
def measurement(tmp_path: Path) -> dict[str, dict[str, Any]]:
    made = run(tmp_path, {}, records=RECORDS, quarantine=REFUSED)
    assert made.rows is not None and made.mode == "append" and made.facts == {"batch": 1}
    assert made.rows.column_names == list(QUALITY.names)
    return {r["field"]: r for r in made.rows.to_pylist()}


@pytest.mark.parametrize(
    ("field", "complete", "valid", "unique", "kpi", "ok"),
    [
        ("id", 100, 100, None, 100, True),
        ("mail", 75, 100, 100 * 2 / 3, 75, False),
        ("full_name", 75, 100, None, 75, False),
        ("town", 50, 80, None, 50, False),
        ("changed", 100, 100, None, 100, True),
        ("*", None, 80, None, 80, False),
        ("rule:missingValues(town)", 40, None, None, None, True),
        ("rule:nullValues(town)", 40, None, None, None, False),
        ("rule:duplicateValues(mail)", None, None, 100 * 2 / 3, None, False),
        ("rule:invalidValues(*)", None, 100 * 4 / 6, None, None, True),
        ("rule:missingValues(hobby)", None, None, None, None, None),
    ],
)
def test_each_field_and_rule_is_counted(
    measurement: dict[str, dict[str, Any]], field: str, complete: Any, valid: Any, unique: Any, kpi: Any, ok: Any
) -> None:
    row = measurement[field]
    found = [row[c] for c in ("complete_percent", "valid_percent", "unique_percent", "kpi_percent", "ok")]
    if field == "id":
        unique = 100
    assert found == [pytest.approx(v) if isinstance(v, float) else v for v in (complete, valid, unique, kpi, ok)]


def test_what_lies_only_in_the_vault_is_not_counted(measurement: dict[str, dict[str, Any]]) -> None:
    assert "hobby" not in measurement and "note" not in measurement
    assert measured(CRM) == {
        "id": "key_id", "mail": "email_key", "full_name": "name", "town": "city", "changed": "occurred_at"
    }  # fmt: skip


def test_a_row_from_the_future_does_not_make_a_source_fresh(measurement: dict[str, dict[str, Any]]) -> None:
    assert measurement["town"]["fresh_hours"] == 2.0
    assert measurement["town"]["rows"] == 6


def test_nothing_is_measured_when_nothing_landed(tmp_path: Path) -> None:
    assert run(tmp_path, {"batch": 1}, records=RECORDS, quarantine=REFUSED).nothing
    later = run(tmp_path, {"batch": 1}, batch=2, records=RECORDS, quarantine=REFUSED)
    assert later.nothing and later.facts == {"batch": 2}


WEB = Contract(
    name="web",
    file=Path("web.odcs.yaml"),
    kind="file",
    record="event",
    department="shop",
    fields=(
        Field(name="id", maps_to="message_id", primary_key=True),
        Field(name="page", maps_to="url"),
        Field(name="at", maps_to="occurred_at", logical_type="timestamp"),
    ),
)


def visits(*rows: tuple[str, str | None, str, int]) -> str:
    told = ", ".join(f"('{i}', {repr(url) if url else 'NULL'}, TIMESTAMPTZ '{at}', {b})" for i, url, at, b in rows)
    return f"SELECT *, 'web' AS source, 1 AS key_id FROM (VALUES {told}) AS t(message_id, url, occurred_at, batch)"


FIRST = ("a", "/x", "2026-02-27 10:00:00+00", 1)


@pytest.mark.parametrize("second", [("b", None, "2026-02-26 10:00:00+00", 1), ("b", None, "2026-03-09 10:00:00+00", 1)])
def test_what_is_added_to_a_tally_is_what_a_new_count_finds(tmp_path: Path, second: tuple[str, None, str, int]) -> None:
    """The second row of the first batch may lie in the future: then its time may come, and all is counted again."""
    third = ("c", "/y", "2026-02-28 10:00:00+00", 2)
    first = run(tmp_path, {}, sources=(WEB,), events=visits(FIRST, second))
    added = run(tmp_path, dict(first.facts), 2, (WEB,), True, events=visits(FIRST, second, third))
    anew = run(tmp_path, {}, 2, (WEB,), events=visits(FIRST, second, third))
    assert added.rows == anew.rows and added.facts == anew.facts
    assert added.facts["tallies"]["web"]["kept"] == 3


def test_after_an_erasure_no_tally_is_used(tmp_path: Path) -> None:
    first = run(tmp_path, {}, sources=(WEB,), events=visits(FIRST, ("b", None, "2026-02-26 10:00:00+00", 1)))
    third = ("c", "/y", "2026-02-28 10:00:00+00", 2)
    swept = run(tmp_path, dict(first.facts), 2, (WEB,), events=visits(FIRST, third))
    assert swept.facts["tallies"]["web"]["kept"] == 2
    assert "tallies" not in run(tmp_path, dict(swept.facts), 2, (WEB,), events=visits(FIRST)).facts


def test_a_department_stands_as_its_newest_measurement_says(tmp_path: Path) -> None:
    con = connect()
    made = run(tmp_path, {}, records=RECORDS, quarantine=REFUSED).rows
    con.register("now", made)
    con.execute("CREATE TABLE q AS SELECT * FROM now")
    con.execute("UPDATE q SET measured_at = measured_at - INTERVAL 1 DAY, kpi_percent = 0")
    con.execute("INSERT INTO q SELECT * FROM now")
    con.execute("INSERT INTO q SELECT * REPLACE ('gone' AS source) FROM now")
    [row] = rows(con, f"SELECT * EXCLUDE measured_at FROM ({kpis('q', ['crm'], NOON)})")
    worst = ["crm.town 50.0 %", "crm.full_name 75.0 %", "crm.mail 75.0 %"]
    broken = ["crm.rule:duplicateValues(mail)", "crm.rule:nullValues(town)"]
    assert row == ("sales", 80.0, 90.0, False, worst, broken, [])
    [late] = rows(con, f"SELECT late FROM ({kpis('q', ['crm'], NOON.replace(day=2))})")
    assert late == (["crm"],)


def test_the_history_outlives_a_full_turn(tmp_path: Path) -> None:
    state, con = State(tmp_path / "state.db"), connect()
    declared = (*RAW.values(), QUARANTINE, CONSENTS, MASK, MEMBERSHIP, QUALITY)
    lake = Lake(tmp_path / "lake", declared, state, lambda: NOON)
    columns = ", ".join(f"NULL AS {c}" for c in RAW["person"].names if c not in ("source", "batch", "key_id"))
    lake.write(con, "records", f"SELECT {columns}, 'crm' AS source, 1 AS batch, 1 AS key_id", what="landing")
    state.put("landed", "last", 1)

    class Nobody:
        def max_key(self) -> int:
            return 1

    config = given()
    ages = Ages(config, lake.state, lambda: NOON, Kept(sources={}, acts=frozenset()))
    turn = Turn(config, lake, Gate(config, lake, Permits(lake, Nobody(), con), ages), con, lambda: NOON)
    told: list[int] = []
    for full, measurements in ((False, 1), (False, 1), (True, 2)):
        turn.run(lambda step, views, version, rows: told.append(version), steps=[STEP], full=full)
        assert lake.rows("quality") == measurements * 11
    assert told == [0, 1]
