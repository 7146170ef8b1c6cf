"""TOUCHES, ORDERS -> CHANNEL_CREDITS, CONVERSION_PATHS in a workspace: consent, what it leaves out, the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from given_tiny import DAY, Tiny, contract
from tessera.app import App
from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/attribution.json").read_text("utf-8"))
TOUCHES = {
    "id": {"required": True, "unique": True, "mapsTo": "touch_id", "category": "user.unique_id.pseudonymous"},
    "user": {"identifier": "user_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "user.behavior"},
    "channel": {"mapsTo": "channel", "category": "user.behavior"},
    "analytics": {"consent": "analytics"},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    """30 people who agree and meet search, then mail, then order, twice; 5 who do not; 3 of the 30 also meet radio."""
    tiny = Tiny(tmp_path_factory.mktemp("tiny") / "acme", insight=True)
    (tiny.root / "in" / "touches").mkdir()
    told = {"path": "in/touches/*.jsonl", "format": "json", "record": "touch", "sync": "append", "rank": "5"}
    tiny.write("touches", contract("touches", TOUCHES, **told))
    tiny.crm([{"id": f"U{i}", "name": f"Nan {i}", "updated": DAY.isoformat()} for i in range(35)])
    touches, orders = [], []
    for i in range(35):
        met = [("search", 1), ("mail", 2), ("mail", 12), *([("radio", 3)] if i < 3 else []), *([("", 4)] if i == 9 else [])]
        touches += [
            {
                "id": f"T{i}-{day}", "user": f"U{i}", "at": (DAY + timedelta(days=day)).isoformat(), "channel": channel,
                "analytics": i < 30,
            }
            for channel, day in met
        ]  # fmt: skip
        orders += [
            {
                "id": f"O{i}-{d}",
                "user": f"U{i}",
                "at": (DAY + timedelta(days=d)).isoformat(),
                "status": "paid",
                "cents": 1000 + d,
            }
            for d in (6, 13, 300)
        ]
    tiny.put("touches", "".join(json.dumps(t) + "\n" for t in touches).encode(), "jsonl")
    tiny.orders(orders)
    tiny.day = DAY + timedelta(days=302)
    with tiny.open() as app:
        app.turn()
    yield tiny


def asked(app: App, select: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = app.sql(select, purpose="analytics").table.to_pylist()
    return rows


def test_only_people_who_agree_are_in_and_the_others_are_counted(shop: Tiny) -> None:
    with shop.open() as app:
        card = json.loads(asked(app, "SELECT figures FROM models WHERE model = 'attribution'")[0]["figures"])
    counts = {name: figure["value"] for name, figure in card.items()}
    assert counts["touches"] == 30 * 3 + 3 + 1 and counts["touches_not_allowed"] == 5 * 3
    assert counts["orders"] == 30 * 3 and counts["orders_not_allowed"] == 5 * 3
    assert counts["orders_without_a_touch"] == 30 and counts["touches_without_channel"] == 1


def test_each_model_shares_out_the_orders_that_touches_led_to(shop: Tiny) -> None:
    with shop.open() as app:
        made = asked(app, "SELECT model, kind, channel, conversions, value_cents FROM channel_credits WHERE channel <> 'other'")
    first = {(r["model"], r["channel"]): r["conversions"] for r in made if r["kind"] == "first"}
    assert first["first", "search"] == 30 and first["last", "mail"] == 27
    assert first["linear", "search"] == pytest.approx(27 / 2 + 3 / 3)
    repeat = {(r["model"], r["channel"]): r["value_cents"] for r in made if r["kind"] == "repeat"}
    assert repeat["markov", "mail"] == repeat["last", "mail"] == 30 * 1013
    whole = {(r["model"], r["channel"]): r["conversions"] for r in made if r["kind"] == "all"}
    assert whole["shapley", "mail"] == first["shapley", "mail"] + 30


def test_what_few_people_met_tells_nothing(shop: Tiny) -> None:
    with shop.open() as app:
        rare = asked(app, "SELECT * FROM channel_credits WHERE channel NOT IN ('search', 'mail')")
        paths = asked(app, "SELECT path, people, journeys, first_orders FROM conversion_paths ORDER BY journeys DESC")
    assert {r["channel"] for r in rare} == {"other"}
    assert {(r["conversions"], r["people"], r["touches"]) for r in rare} == {(None, None, None)}
    assert [p["path"] for p in paths] == ["mail", "search > mail"] and paths[1]["first_orders"] == 27


def test_a_withdrawal_takes_her_out_of_the_next_turns_credits(shop: Tiny, tmp_path: Path) -> None:
    tiny = shop.copied(tmp_path / "acme")
    later = {"id": "T-no", "user": "U20", "at": (DAY + timedelta(days=301)).isoformat(), "channel": "mail", "analytics": False}
    tiny.put("touches", (json.dumps(later) + "\n").encode(), "jsonl")
    with tiny.open() as app:
        app.turn()
        made = asked(
            app, "SELECT conversions FROM channel_credits WHERE model = 'first' AND kind = 'first' AND channel = 'search'"
        )
    assert made == [{"conversions": 29.0}]


def test_the_command_says_what_the_tables_hold(shop: Tiny, capsys: Any) -> None:
    assert main(["-w", str(shop.root), "attribution", "--paths", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    assert document["settings"] == {"window_days": 30, "order": 2, "direct": "ignore"}
    assert {c["channel"] for c in document["channels"]} == {"search", "mail", "other"}
    assert [p["path"] for p in document["paths"]] == ["mail", "search > mail"]
    assert main(["-w", str(shop.root), "attribution", "--kind", "first"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith(("search", "mail")) and "orders that no touch led to: 30" in err


def test_a_workspace_without_a_turn_says_so(tmp_path: Path, capsys: Any) -> None:
    tiny = Tiny(tmp_path / "acme", insight=True)
    assert main(["-w", str(tiny.root), "attribution", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    assert document["channels"] == []
