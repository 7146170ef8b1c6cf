"""Orders that are sums of their lines: whatever the pieces in which the lines come."""

from __future__ import annotations

import shutil
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tessera.ancestry import Graph
from tessera.app import App, settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "online-retail"
HEAD = "order,line,who,at,amount,money,country\n"

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:test:lines
name: lines
version: 1.0.0
status: active
servers: [{server: files, type: local, path: "in/*.csv", format: csv}]
customProperties:
  - {property: record, value: order_line}
  - {property: deriveOrders, value: true}
schema:
  - name: lines
    properties:
      - {name: order, required: true, primaryKey: true, customProperties: [{property: mapsTo, value: order_id}]}
      - {name: line, required: true, primaryKey: true, customProperties: [{property: mapsTo, value: line}]}
      - {name: who, customProperties: [{property: identifier, value: user_id}]}
      - {name: at, logicalType: timestamp, customProperties: [{property: mapsTo, value: occurred_at}]}
      - {name: amount, logicalType: integer, customProperties: [{property: mapsTo, value: amount_cents}]}
      - {name: money, customProperties: [{property: mapsTo, value: currency}]}
      - {name: country, customProperties: [{property: mapsTo, value: country}]}
"""

PIECES = (
    "A1,1,ann,2011-01-01T10:00:00Z,500,GBP,UK\nA1,2,ann,2011-01-01T10:01:00Z,250,GBP,UK\n",
    "A1,3,ann,2011-01-01T09:59:00Z,-50,GBP,IE\nB2,1,,2011-02-01T08:00:00Z,900,GBP,UK\n",
    "C3,1,bob,2011-03-01T08:00:00Z,-700,GBP,UK\nB2,2,,2011-02-01T08:00:00Z,100,GBP,UK\n",
)
EXPECTED = [("A1", 700, "GBP", "IE", "2011-01-01 09:59"), ("B2", 1000, "GBP", "UK", "2011-02-01 08:00"),
            ("C3", -700, "GBP", "UK", "2011-03-01 08:00")]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "w", ignore=shutil.ignore_patterns("var", "sources"))
    (tmp_path / "w" / "sources").mkdir()
    (tmp_path / "w" / "in").mkdir()
    (tmp_path / "w" / "sources" / "lines.odcs.yaml").write_text(CONTRACT, "utf-8")
    return tmp_path / "w"


def give(root: Path, name: str, lines: str) -> None:
    (root / "in" / f"{name}.csv").write_text(HEAD + lines, "utf-8")


def asked(app: App, what: str, table: str) -> list[tuple[Any, ...]]:
    """Rows as the machine itself sees them, by the same reading that the gate uses."""
    return app.con.execute(f"SELECT {what} FROM {app.lake.relation(table)} ORDER BY ALL").fetchall()


def orders(app: App) -> list[tuple[Any, ...]]:
    return asked(app, "order_id, amount_cents, currency, country, strftime(occurred_at, '%Y-%m-%d %H:%M')", "orders")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_lines_in_any_pieces_and_order_end_as_the_same_orders(root: Path, order: tuple[int, ...]) -> None:
    for place in order:
        give(root, f"{order.index(place)}", PIECES[place])
        with App(root) as app:
            app.sync()
    with App(root) as app:
        assert orders(app) == EXPECTED
        assert app.lake.rows("order_lines") == 6


def test_a_corrected_line_corrects_its_order_and_its_persons_profile(root: Path) -> None:
    give(root, "1", PIECES[0])
    with App(root) as app:
        app.turn()
        assert asked(app, "orders, revenue_cents", "profiles") == [(1, 750)]
    give(root, "2", "A1,2,ann,2011-01-01T10:01:00Z,100,GBP,UK\n")
    with App(root) as app:
        app.turn()
        assert [o[1] for o in orders(app)] == [600]
        assert asked(app, "orders, revenue_cents", "profiles") == [(1, 600)]


def test_lines_in_two_currencies_have_no_sum(root: Path) -> None:
    give(root, "1", "A1,1,ann,2011-01-01T10:00:00Z,500,GBP,UK\nA1,2,ann,2011-01-01T10:00:00Z,500,EUR,UK\n")
    with App(root) as app:
        app.sync()
        assert asked(app, "amount_cents, currency", "orders") == [(None, None)]


def test_a_line_that_finds_its_owner_later_moves_the_order_to_her(root: Path) -> None:
    give(root, "1", "A1,1,,2011-01-01T10:00:00Z,500,GBP,UK\n")
    with App(root) as app:
        app.turn()
        assert app.lake.rows("profiles") == 0
    give(root, "2", "A1,2,ann,2011-01-01T10:00:00Z,200,GBP,UK\n")
    with App(root) as app:
        app.turn()
        assert asked(app, "orders, revenue_cents", "profiles") == [(1, 700)]


def test_after_an_erasure_the_order_stays_without_her(root: Path) -> None:
    give(root, "1", PIECES[0] + PIECES[1])
    with App(root) as app:
        app.turn()
        app.erase(app.people.find("ann"), sweep=True)
        left = asked(app, "order_id, key_id, amount_cents", "orders")
        assert sorted(left, key=str) == [("B2", None, 900), (None, None, 700)]
    give(root, "2", "B2,2,,2011-02-01T08:00:00Z,100,GBP,UK\n")
    with App(root) as app:
        app.turn()
        assert sorted(asked(app, "order_id, amount_cents", "orders"), key=str) == [("B2", 1000), (None, 700)]


def test_an_order_s_lineage_goes_through_its_lines_to_the_source(root: Path) -> None:
    above = Graph(settings(root)).upstream("profiles", "revenue_cents")
    assert above["order_lines", "amount_cents"] and above["source:lines", "amount"]
    assert not above["source:lines", "order"]
