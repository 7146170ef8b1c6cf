"""The outside world: the same bytes for the same seed, streamed, and like data."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tessera.demo import people
from tessera.demo import world as world_module
from tessera.demo.world import make


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def one(sql: str, orders: pa.Table | None = None) -> float:
    con = duckdb.connect()
    if orders is not None:
        con.register("orders", orders)
    row = con.execute(sql).fetchone()
    assert row is not None
    return float(row[0])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make(tmp_path / name, people=300, seed=seed)
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert not {name for name in a if a[name] == c[name]}


def test_a_world_made_again_replaces_the_old_one(tmp_path: Path) -> None:
    make(tmp_path / "a", people=40, seed=1)
    make(tmp_path / "b", people=300, seed=2)
    make(tmp_path / "b", people=40, seed=1)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_blocks_know_nothing_of_each_other(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    make(small, people=1_000, seed=3)
    make(large, people=1_400, seed=3)
    for name in ("crm/customers.csv", "touches/touches.csv", "posts/posts.jsonl"):
        assert (large / name).read_bytes().startswith((small / name).read_bytes())


def test_only_one_block_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def watched(seed: int, block: int, size: int) -> people.Crowd:
        sizes.append(size)
        return people.crowd(seed, block, size)

    monkeypatch.setattr(world_module, "crowd", watched)
    make(tmp_path, people=2_050, seed=3)
    assert sizes == [1_000, 1_000, 50]


def test_no_people_make_an_empty_world(tmp_path: Path) -> None:
    made = make(tmp_path, people=0)
    assert (made.customers, made.events, made.rates) == (0, 0, 42)


def test_progress_ends_at_the_number_of_people(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    make(tmp_path, people=60, progress=lambda stage, done, total=None: seen.append((done, total)))
    assert seen == [(0, 60), (60, 60)]


def test_spending_is_skewed(world: Path, orders: pa.Table) -> None:
    share = one(
        f"""
        WITH spent AS (
          SELECT t.human_id, sum(o.amount_cents * r.rate) AS cents FROM orders o
          JOIN '{world}/truth/orders.parquet' t USING (order_id)
          JOIN (SELECT 'EUR' AS currency, 1.0 AS rate
                UNION ALL SELECT currency, avg(rate) FROM '{world}/rates/rates.csv' GROUP BY 1) r USING (currency)
          GROUP BY 1),
        ranked AS (SELECT cents, ntile(5) OVER (ORDER BY cents DESC) AS fifth FROM spent)
        SELECT sum(cents) FILTER (fifth = 1) / sum(cents) FROM ranked""",
        orders,
    )
    assert share > 0.5


def test_the_season_shows(orders: pa.Table) -> None:
    per_day = """
        SELECT count(*) FILTER (ordered_at BETWEEN '2025-11-28' AND '2025-11-30') / 2.0
             / (count(*) FILTER (ordered_at LIKE '2026-01-%') / 31.0) FROM orders"""
    assert one(per_day, orders) > 2
    assert one("SELECT count(DISTINCT ordered_at[:10]) FROM orders", orders) > 350


def test_events_come_late_twice_and_broken(world: Path) -> None:
    row = (
        duckdb.connect()
        .execute(f"""
        SELECT count(*),
          count(messageId) - count(DISTINCT messageId),
          avg((try_cast(receivedAt AS TIMESTAMPTZ) - try_cast("timestamp" AS TIMESTAMPTZ) > INTERVAL 20 HOUR)::INT),
          avg((userId IS NOT NULL)::INT),
          max(try_cast(receivedAt AS TIMESTAMPTZ)) < '2026-11-20',
          count(*) FILTER (context.page.url LIKE '%email=%')
        FROM read_json('{world}/events/*.jsonl.gz', columns={{
          messageId: 'VARCHAR', receivedAt: 'VARCHAR', "timestamp": 'VARCHAR', userId: 'VARCHAR',
          context: 'STRUCT(page STRUCT(url VARCHAR))'}})""")
        .fetchone()
    )
    assert row is not None
    events, doubled, late, signed, past, leaks = row
    assert 0.002 < doubled / events < 0.006
    assert 0.005 < late < 0.015
    assert 0.08 < signed < 0.2
    assert past
    assert leaks > 20
