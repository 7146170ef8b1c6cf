"""The lake: versions, exactly-once commits, buckets, compaction, the window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tessera.errors import Expired, NotFound, UnknownTable
from tessera.lake import store
from tessera.lake.engine import Connection, connect, rows
from tessera.lake.state import State
from tessera.lake.store import BUCKETS, COMPACT_OVER, LOOSE, Lake, bucket_of
from tessera.lake.table import Column, Table
from tessera.trust import removal
from tessera.words import Erased

VISITS = Table(
    name="visits",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER"),
        Column(name="at_time", type="TIMESTAMPTZ"),
        Column(name="n", type="BIGINT"),
    ),
)
ANSWERS = Table(name="answers", whose="key:key_id", columns=VISITS.columns, whole=True)
RATES = Table(name="rates", whose="nobody", columns=(Column(name="n", type="BIGINT"),))


class Hands:
    """A clock that tests hold."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def lake(tmp_path: Path, clock: Hands) -> Lake:
    return Lake(tmp_path / "lake", [VISITS, ANSWERS, RATES], State(tmp_path / "state.db"), clock)


@pytest.fixture
def con() -> Connection:
    return connect(threads=2)


def some(first: int, many: int) -> str:
    return f"SELECT i::INTEGER AS key_id, TIMESTAMPTZ '2026-01-01' AS at_time, i AS n FROM range({first}, {first + many}) t(i)"


def held(con: Connection, lake: Lake, table: str = "visits", version: int | None = None) -> list[int]:
    return [r[0] for r in rows(con, f"SELECT n FROM {lake.relation(table, version)} ORDER BY n")]


def test_version_0_is_the_first_written(lake: Lake, con: Connection) -> None:
    assert lake.version("visits") is None and held(con, lake) == []
    assert lake.write(con, "visits", some(0, 3), what="first", mode="append") == 0
    assert held(con, lake, version=0) == [0, 1, 2]


def test_a_batch_lands_exactly_once(lake: Lake, con: Connection) -> None:
    for _ in range(3):
        lake.write(con, "visits", some(0, 3), what="batch", mode="append", number=7)
    lake.write(con, "visits", some(0, 3), what="an older one", mode="append", number=6)
    assert lake.version("visits") == 0 and lake.rows("visits") == 3


def test_an_old_version_is_read_by_number_and_by_time(lake: Lake, con: Connection, clock: Hands) -> None:
    for n in range(3):
        clock.now += timedelta(days=1)
        lake.write(con, "visits", some(n * 10, 2), what=str(n), mode="append")
    assert held(con, lake, version=1) == [0, 1, 10, 11]
    assert lake.as_of("visits", datetime(2026, 1, 3, 12, tzinfo=UTC)) == 1
    with pytest.raises(NotFound):
        lake.as_of("visits", datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(NotFound):
        lake.files("visits", 9)


def test_a_clock_that_goes_back_never_gives_a_version_an_earlier_time(lake: Lake, con: Connection, clock: Hands) -> None:
    lake.write(con, "visits", some(0, 1), what="a", mode="append")
    clock.now -= timedelta(days=400)
    lake.write(con, "visits", some(1, 1), what="b", mode="append")
    newest, first = lake.versions("visits")
    assert newest.at > first.at


def test_a_large_write_is_laid_out_by_key_and_a_point_read_opens_one_bucket(lake: Lake, con: Connection) -> None:
    lake.commit("visits", lake.stage(con, "visits", some(0, 1000), rows_hint=10**6), what="large")
    assert len(lake.files("visits")) == BUCKETS
    (file,) = lake.files("visits", buckets=[5])
    assert bucket_of(file) == 5
    assert {r[0] % BUCKETS for r in rows(con, f"SELECT key_id FROM {lake.relation('visits', buckets=[5])}")} == {5}
    assert held(con, lake) == list(range(1000))


def test_compaction_keeps_every_row_and_every_readable_version(lake: Lake, con: Connection) -> None:
    for n in range(COMPACT_OVER + 1):
        for table in ("visits", "rates"):
            select = some(n, 1) if table == "visits" else f"SELECT {n} AS n"
            lake.write(con, table, select, what=str(n), mode="append")
    for table in ("visits", "rates"):
        assert lake.compact(con, table) == COMPACT_OVER + 1
        assert lake.compact(con, table) == 0
        assert held(con, lake, table) == list(range(COMPACT_OVER + 1))
        assert held(con, lake, table, version=3) == [0, 1, 2, 3]
        assert len(lake.files(table)) == 1


def test_compaction_lays_many_loose_rows_into_buckets(lake: Lake, con: Connection) -> None:
    for n in range(COMPACT_OVER + 1):
        lake.write(con, "visits", some(n * 40_000, 40_000), what=str(n), mode="append")
    lake.compact(con, "visits")
    buckets = {bucket_of(f) for f in lake.files("visits")}
    assert LOOSE not in buckets and len(buckets) == BUCKETS
    assert lake.rows("visits") == 40_000 * (COMPACT_OVER + 1)


def test_a_table_that_is_written_whole_lies_in_slices_and_an_erasure_writes_only_hers_anew(
    lake: Lake, con: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "ROW_GROUP", 2048)
    monkeypatch.setattr(store, "SLICE_GROUPS", 1)
    for version in (0, 1):
        assert lake.write(con, "answers", some(0, 10_000), what="all", mode="overwrite") == version
    before = lake.files("answers")
    assert len(before) == 5 and {bucket_of(f) for f in before} == {-2, -3, -4, -5, -6}
    her = Erased(keys=frozenset({4711}), persons=frozenset())
    with removal.Named(con, her):
        assert removal.remove(lake, con, ANSWERS, "sweep", her) == 1
    after = lake.files("answers")
    assert len(set(after) - set(before)) == 1 and {bucket_of(f) for f in after} == {bucket_of(f) for f in before}
    assert held(con, lake, "answers") == [n for n in range(10_000) if n != 4711]
    assert lake.rows("answers") == 9_999 and lake.versions("answers")[0].rows == 9_999
    assert held(con, lake, "answers", version=1) == list(range(10_000))
    assert lake.files("answers", buckets=[4]) == lake.files("answers") and lake.buckets("answers") == []
    assert rows(con, f"SELECT count(*) FROM {lake.bucket('answers', 3)}") == [(len(range(3, 10_000, 64)),)]
    lake.write(con, "answers", some(5, 1), what="all anew", mode="overwrite")
    assert held(con, lake, "answers") == [5] and len(lake.files("answers")) == 1


def test_what_left_the_window_answers_expired_with_the_date(lake: Lake, con: Connection, clock: Hands) -> None:
    for n in range(4):
        lake.write(con, "visits", some(n, 1), what=str(n), mode="overwrite")
        clock.now += timedelta(days=10)
    assert lake.vacuum("visits", timedelta(days=25)) == 1
    with pytest.raises(Expired, match="2026-02-10"):
        lake.files("visits", 0)
    assert held(con, lake, version=1) == [1] and held(con, lake) == [3]
    assert [v.readable for v in lake.versions("visits")] == [True, True, True, False]


def test_files_of_no_version_are_cleaned_away(lake: Lake, con: Connection) -> None:
    lake.write(con, "visits", some(0, 3), what="kept", mode="append")
    lake.stage(con, "visits", some(3, 3))
    assert lake.clean("visits") == 1 and held(con, lake) == [0, 1, 2]


def test_a_table_that_nobody_declared_is_unknown_with_the_nearest_name(lake: Lake) -> None:
    with pytest.raises(UnknownTable, match="Did you mean 'visits'"):
        lake.version("visit")


def test_no_statistic_of_a_value_is_in_the_log(lake: Lake, con: Connection) -> None:
    lake.write(con, "visits", some(123456, 3), what="w", mode="append")
    log = "".join(p.read_text() for p in (lake.folder("visits") / "_delta_log").glob("*.json"))
    assert "numRecords" in log and "123456" not in log


def test_when_a_table_was_written_is_when_its_newest_version_was(lake: Lake, con: Connection, clock: Hands) -> None:
    assert lake.written("visits") is None
    for day in (1, 2):
        clock.now = datetime(2026, 1, day, tzinfo=UTC)
        lake.write(con, "visits", some(0, 3), what="test")
        assert lake.written("visits") == lake.versions("visits")[0].at == clock.now
