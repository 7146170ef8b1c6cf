"""Landing: rows that are read in place, a few odd ones apart, land as rows that are held in memory do."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from given_kills import Killed
from given_tiny import Tiny, contract
from tessera.app import App
from tessera.data import landing_judged
from tessera.lake.engine import rows

FIELDS = {
    "id": {"required": True, "unique": True, "mapsTo": "message_id"},
    "type": {"required": True, "mapsTo": "type"},
    "event": {"mapsTo": "event"},
    "user": {"identifier": "user_id"},
    "cookie": {"identifier": "anonymous_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at"},
    "url": {"mapsTo": "url"},
    "shelf": {"category": "system.operations"},
}
COLUMNS = "message_id, type, event, url, properties, strftime(occurred_at, '%x %X'), record_id IS NOT NULL"


def event(i: int, **other: Any) -> dict[str, Any]:
    row = {"id": f"m{i}", "type": "track", "event": "Seen", "user": None, "cookie": f"cookie-number-{i % 7}"}
    return row | {"at": "2026-03-01 09:00:00", "url": f"https://shop.example/p/{i}?from=x", "shelf": f"s{i}"} | other


ROWS = [
    *(event(i) for i in range(40)),
    event(40, event="from ann@home.example"),
    event(41, url="https://shop.example/u/cookie-number-6"),
    event(42, shelf="call +49 151 2345678"),
    event(43, id="x ann@home.example"),
    event(44, type=None),
    event(45, at=None),
    event(46, user="  u-1 ", event="  padded "),
    event(3, event="came before"),
    event(47, cookie=None),
    event(48, url=None, shelf=None),
]


def landed(root: Path, kind: str) -> dict[str, Any]:
    """What became of ROWS, given in two files of a kind."""
    tiny = Tiny(root)
    tiny.write("events", contract("events", FIELDS, path=f"in/events/*.{kind}", format=kind, record="event",
                                  sync="append", rank="5"))  # fmt: skip
    for number, some in enumerate((ROWS[:30], ROWS[30:] + ROWS[:2])):
        path = tiny.root / "in" / "events" / f"{number}.{kind}"
        if kind == "parquet":
            pq.write_table(pa.Table.from_pylist(some), path)
        else:
            with path.open("w", newline="") as out:
                told = csv.DictWriter(out, list(FIELDS))
                told.writeheader()
                told.writerows(some)
    with tiny.open() as app:
        done = app.sync(["events"])["events"]
        found = rows(app.con, f"SELECT {COLUMNS}, record_id FROM {app.lake.relation('events')} ORDER BY ALL")
        names = {m for (m, *_) in found if not m.startswith("m")}
        sealed = app.vault.unseal([r[-1] for r in found if r[-1] is not None])
        refused = rows(app.con, f"SELECT reason, field FROM {app.lake.relation('quarantine')} ORDER BY ALL")
        pairs = rows(app.con, f"SELECT kind_a, kind_b, rows FROM {app.lake.relation('links')} ORDER BY ALL")
        counts = (done.rows, done.kept, done.doubles, done.quarantined, done.reasons)
    return {
        "rows": [(m if m not in names else "hashed", *rest) for m, *rest in (r[:-1] for r in found)],
        "sealed": sorted(sealed.values()), "refused": refused, "pairs": pairs, "counts": counts,
    }  # fmt: skip


@pytest.fixture
def held(tmp_path: Path) -> dict[str, Any]:
    """The same rows as text, of which a chunk is held in memory."""
    return landed(tmp_path / "held", "csv")


def test_rows_read_in_place_land_as_rows_held_in_memory_do(tmp_path: Path, held: dict[str, Any]) -> None:
    assert landed(tmp_path / "place", "parquet") == held
    assert held["counts"] == (52, 46, 3, 3, {"Required-Missing": 3})
    assert len(held["sealed"]) == 4 and b"ann@home.example" in b"".join(held["sealed"])
    assert not any("ann@" in str(row) or "+49" in str(row) for row in held["rows"])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_it_does_not_matter_how_many_rows_are_odd(
    tmp_path: Path, held: dict[str, Any], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_judged, "MOST_ODD", share)
    assert landed(tmp_path / "place", "parquet") == held


def test_keys_that_are_remembered_from_chunk_to_chunk_are_those_of_the_vault(
    tmp_path: Path, held: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tessera.data.sources.files.PARQUET_ROWS", 5)
    small = landed(tmp_path / "many", "parquet")
    monkeypatch.setattr(landing_judged, "MOST_KNOWN", 0)
    assert landed(tmp_path / "none", "parquet") == small
    assert small["rows"] == held["rows"] and small["counts"] == held["counts"]


ANN = {"id": "u1", "name": "Ann", "updated": "2026-03-01 09:00:00"}


def sealed(app: App) -> list[int]:
    return [r[0] for r in rows(app.con, f"SELECT record_id FROM {app.lake.relation('records')}")]


def test_the_sealed_record_of_a_row_that_was_replaced_is_gone_when_the_sync_ends(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    tiny.crm([ANN])
    with tiny.open() as app:
        app.sync(["crm"])
        old = sealed(app)
        tiny.crm([ANN | {"name": "Anna", "updated": "2026-03-02 09:00:00"}])
        app.sync(["crm"])
        new = sealed(app)
        assert old != new and list(app.vault.unseal([*old, *new])) == new
        assert b"Anna" in app.vault.unseal(new)[new[0]]


def test_the_sealed_record_of_a_replaced_row_is_gone_after_the_next_start_if_a_kill_came_first(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    tiny.crm([ANN])
    with tiny.open() as app:
        app.sync(["crm"])
        old = sealed(app)
        tiny.crm([ANN | {"name": "Anna", "updated": "2026-03-02 09:00:00"}])
        app.vault.forget = raising  # type: ignore[method-assign]
        with pytest.raises(Killed):
            app.sync(["crm"])
        assert list(app.vault.unseal(old)) == old
    with tiny.open() as app:
        assert app.vault.unseal(old) == {} and app.state.items("replaced") == {}
        assert sealed(app) != old


def raising(_: object) -> int:
    raise Killed
