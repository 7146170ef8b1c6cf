"""ITEM_NEIGHBOURS and NEXT_PRODUCTS in a workspace's turn: of whoever allows it, with a card, and gone with an erasure."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from made_trade import PER_TASTE, trade

from given_tiny import EVENTS, Tiny, contract
from tessera.app import App

LINES = {
    "id": {"required": True, "primaryKey": True, "unique": True, "mapsTo": "line", "category": "system.operations"},
    "order": {"required": True, "mapsTo": "order_id", "category": "system.operations"},
    "user": {"identifier": "user_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "system.operations"},
    "product": {"mapsTo": "product_id", "category": "system.operations"},
    "pieces": {"logicalType": "integer", "mapsTo": "quantity", "category": "system.operations"},
    "cents": {"logicalType": "integer", "mapsTo": "amount_cents", "category": "system.operations"},
    "personal": {"consent": "personalise"},
    "study": {"consent": "analytics"},
}
PEOPLE = 110
SEEN = 12
NO = 7
"""A buyer who does not allow that offers are made for her."""


def shop(root: Path) -> Tiny:
    """A workspace whose people buy as `made_trade` has it, one who has not agreed, and twelve who were only seen."""
    tiny = Tiny(root, insight=True)
    folder = root / "in" / "lines"
    folder.mkdir()
    head = {"path": "in/lines/*.csv", "format": "csv", "record": "order_line", "sync": "append", "rank": "10"}
    tiny.write("lines", contract("lines", LINES, **head))
    seen = {**EVENTS, "personal": {"consent": "personalise"}}
    head = {"path": "in/events/*.jsonl", "format": "json", "record": "event", "sync": "append", "rank": "5"}
    tiny.write("events", contract("events", seen, **head))
    made = trade(people=PEOPLE)
    person = made.person[made.basket]
    with (folder / "1.csv").open("w", newline="") as out:
        told = csv.writer(out)
        told.writerow(LINES)
        for row in range(len(made.item)):
            who, basket, day = int(person[row]), int(made.basket[row]), int(made.day[made.basket[row]])
            at = f"2026-{1 + day // 28:02}-{1 + day % 28:02}T10:00:00Z"
            told.writerow([row, basket, f"u{who}", at, f"p{made.item[row]}", 1, 500, "no" if who == NO else "yes", "yes"])
    tiny.events(
        {"id": f"e{n}", "type": "page", "user": f"v{n}", "at": "2026-02-01T10:00:00Z", "analytics": "yes", "personal": "yes"}
        for n in range(SEEN)
    )
    return tiny


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with shop(tmp_path_factory.mktemp("w")).open() as app:
        app.turn()
        yield app


def ask(app: App, select: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = app.sql(select, purpose="personalise").table.to_pylist()
    return found


def test_each_buyer_who_agreed_has_a_list_with_reasons(app: App) -> None:
    found = ask(app, "SELECT * FROM next_products WHERE kind <> 'popular' ORDER BY person_id, rank")
    by_person: dict[int, list[dict[str, Any]]] = {}
    for row in found:
        by_person.setdefault(row["person_id"], []).append(row)
    assert len(by_person) == PEOPLE - 1, "all but the one who said no"
    for rows in by_person.values():
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["chance"] for row in rows] == sorted((row["chance"] for row in rows), reverse=True)
    again = [row for row in found if row["kind"] == "repurchase"]
    new = [row for row in found if row["kind"] == "discovery"]
    assert again and new
    assert all(row["times"] >= 1 and row["last_bought"] is not None and row["because"] is None for row in again)
    assert all(row["times"] == 0 and row["last_bought"] is None for row in new)
    spoken = [row for row in new if row["because"]]
    same = [int(r["because"][1:]) // PER_TASTE == int(r["product_id"][1:]) // PER_TASTE for r in spoken]
    assert len(spoken) > 0.3 * len(new) and sum(same) > 0.8 * len(same)


def test_whoever_bought_nothing_yet_is_shown_what_is_popular(app: App) -> None:
    counted = "SELECT person_id, count(*) AS n, count(chance) AS c FROM next_products WHERE kind = 'popular' GROUP BY person_id"
    found = ask(app, counted)
    assert len(found) == SEEN and {(row["n"], row["c"]) for row in found} == {(10, 0)}


def test_neighbours_stand_for_ten_people_and_say_nothing_of_one(app: App) -> None:
    found = ask(app, "SELECT * FROM item_neighbours ORDER BY product_id, place")
    assert found and min(row["people"] for row in found) >= 10
    near = [row for row in found if row["place"] == 1]
    assert sum(int(r["product_id"][1:]) // PER_TASTE == int(r["neighbour"][1:]) // PER_TASTE for r in near) > 0.9 * len(near)


def test_the_card_says_how_good_it_is_and_of_how_many_it_was_learned(app: App) -> None:
    card = app.sql("SELECT * FROM models WHERE model = 'recommend'", purpose="analytics").table.to_pylist()
    assert [(c["status"], c["purpose"], c["remembers"]) for c in card] == [("champion", "personalise", "some")]
    assert '"new_recall_at_10"' in card[0]["figures"] and '"tried":5' in card[0]["settings"]
    assert 50 <= card[0]["people"] <= PEOPLE


def test_a_turn_without_news_makes_nothing_and_a_new_fit_replaces_the_old(app: App) -> None:
    again = app.turn()[1]
    assert {"item_neighbours", "next_products"} <= set(again.fresh)
    before = ask(app, "SELECT * FROM next_products ORDER BY person_id, rank")
    assert {"item_neighbours", "next_products"} <= set(app.refit("recommend").ran)
    assert ask(app, "SELECT * FROM next_products ORDER BY person_id, rank") == before, "the same people, the same lists"


def test_whoever_is_erased_has_no_list(app: App) -> None:
    (her,) = app.people.find("u3")
    assert ask(app, f"SELECT rank FROM next_products WHERE person_id = {her}")
    app.erase([her])
    assert not ask(app, f"SELECT rank FROM next_products WHERE person_id = {her}")


def test_a_weight_of_margin_moves_what_earns_more_forward_and_the_card_tells_what_that_costs(tmp_path: Path) -> None:
    tiny = shop(tmp_path)
    (tmp_path / "insight.yaml").write_text("recommend: {margin_weight: 1, margins: {p1: 0.05, p2: 0.5}}\n", "utf-8")
    with tiny.open() as app:
        app.turn()
        found = ask(app, "SELECT * FROM next_products WHERE kind <> 'popular' ORDER BY person_id, rank")
        card = app.sql("SELECT figures FROM models WHERE model = 'recommend'", purpose="analytics").table
    share = {"p1": 0.05, "p2": 0.5}
    expected: dict[int, list[float]] = {}
    for row in found:
        expected.setdefault(row["person_id"], []).append(row["chance"] * share.get(row["product_id"][:2], 1.0))
    assert all(told == pytest.approx(sorted(told, reverse=True), abs=1e-5) for told in expected.values())
    assert any(row["chance"] < after["chance"] for row, after in pairwise(found) if row["rank"] < after["rank"])
    told = json.loads(card["figures"][0].as_py())
    assert told["recall_at_10_at_margin_weight_1"]["value"] <= told["recall_at_10_at_margin_weight_0"]["value"]
    assert told["margin_cents_at_margin_weight_1"]["value"] > 0
