"""CUSTOMER_VALUE in the turn: whom it holds, that its parameters stay, and the card that says how well they told the past."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from given_tiny import Tiny
from tessera.app import App
from tessera.data.profiles import PROFILES
from tessera.insight.value import kept
from tessera.insight.value.step import CUSTOMER_VALUE, STEP, purchases
from tessera.lake.engine import rows
from tessera.lake.lineage import trace

BUYERS = 90


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """People who buy at rates of their own through 2026, all but one of whom allow analytics; and one turn."""
    tiny = Tiny(tmp_path_factory.mktemp("value") / "w", insight=True)
    rng = np.random.default_rng(4)
    orders = []
    for n in range(BUYERS):
        at, rate = rng.uniform(0, 60), rng.gamma(1.2, 0.02)
        while at < 360:
            day = datetime(2026, 1, 1, 8, tzinfo=UTC) + timedelta(days=float(at))
            cents = int(rng.gamma(5, 900))
            orders.append({"id": f"o{len(orders)}", "user": f"u{n}", "at": day.isoformat(), "cents": cents, "status": "paid"})
            at += rng.exponential(1 / rate) if rng.random() > 0.12 else 400
    orders.append({"id": "gone", "user": "u0", "at": "2026-12-30T00:00:00Z", "cents": 99_000_000, "status": "refunded"})
    tiny.orders(orders)
    ok = "yes"
    tiny.events(
        {"id": f"m{n}", "type": "page", "user": f"u{n}", "at": "2026-01-01T07:00:00Z", "analytics": "no" if n == 3 else ok}
        for n in range(BUYERS)
    )
    with tiny.open() as app:
        app.turn()
    return tiny


def ask(app: App, sql: str) -> list[tuple]:
    return [tuple(row.values()) for row in app.sql(sql, purpose="analytics").table.to_pylist()]


def test_whoever_bought_and_allows_it_has_a_value_with_its_intervals(shop: Tiny) -> None:
    with shop.open() as app:
        found = ask(app, "SELECT count(*), min(horizon_days), min(as_of), count(expected_value_cents) FROM customer_value")
        assert found == [(BUYERS - 1, 365, date(2026, 12, 31), BUYERS - 1)]
        wrong = """p_alive NOT BETWEEN 0 AND 1 OR expected_value_low_cents > expected_value_cents OR expected_purchases <= 0
                   OR purchases_low > purchases_high OR expected_value_cents > expected_value_high_cents
                   OR value_low_cents > value_high_cents"""
        assert ask(app, f"SELECT count(*) FROM customer_value WHERE {wrong}") == [(0,)]
        # A refunded order is no purchase, so nobody is worth its 990,000.
        assert ask(app, "SELECT max(expected_value_cents) < 10000000 FROM customer_value") == [(True,)]


def test_its_card_says_how_well_a_past_was_told_and_remembers_nobody(shop: Tiny) -> None:
    with shop.open() as app:
        ((remembers, people, figures, note),) = ask(
            app, "SELECT remembers, people, figures, note FROM models WHERE model = 'value' AND status = 'champion'"
        )
        told = json.loads(figures)
        assert (remembers, people) == ("nobody", BUYERS - 1)
        assert told["held_out_covered"]["value"] > 0.85 and told["held_out_error"]["value"] > 0
        assert "Held out" in note and ("fits" in note or "edge" in note)
        card = app_model(app)
        fitted, spend = kept.read(card)
        assert fitted.customers == BUYERS - 1 and spend is not None and spend.usual is not None


def app_model(app: App) -> str:
    ((learned,),) = rows(app.con, f"SELECT learned FROM {app.lake.relation('learned')} WHERE model = 'value'")
    return str(learned)


def test_the_parameters_stay_while_days_pass_and_a_new_fit_can_be_asked_for(shop: Tiny, tmp_path: Path) -> None:
    tiny = shop.copied(tmp_path / "w")
    with tiny.open() as app:
        before = app_model(app)
        tiny.orders([{"id": "new", "user": "u5", "at": "2026-12-31T06:00:00Z", "cents": 4000, "status": "paid"}])
        was = ask(app, "SELECT sum(expected_purchases) FROM customer_value")
        app.turn()
        assert app_model(app) == before and ask(app, "SELECT sum(expected_purchases) FROM customer_value") != was
        app.refit("value")
        assert app_model(app) != before


def test_the_declared_lineage_names_every_column_and_what_the_purchases_read() -> None:
    assert tuple(STEP.lineage) == CUSTOMER_VALUE.names
    schema = {
        "orders": dict.fromkeys(("key_id", "occurred_at", "status", "amount_cents", "currency"), "VARCHAR"),
        "rates": {"currency": "VARCHAR", "valid_from": "DATE", "rate": "DOUBLE"},
        "membership": {"key_id": "INTEGER", "person_id": PROFILES.column("person_id").type},
    }
    ctes = ", ".join(f"{t} AS (SELECT * FROM lake.{t})" for t in schema)
    found = trace(f"WITH {ctes}{purchases('EUR', date(2026, 1, 1))}", schema)
    read = set().union(*found.direct.values(), *found.indirect.values())
    assert read <= set(STEP.lineage["expected_value_cents"])
