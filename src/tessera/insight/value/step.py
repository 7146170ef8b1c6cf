"""ORDERS, RATES, MEMBERSHIP -> CUSTOMER_VALUE: what each customer is expected to buy in the time ahead, and what it is worth.

The parameters are a few numbers about everybody: fitted once, checked against what came later, then frozen for OLD_DAYS (or
until a new fit is asked for), so that a value moves because its customer did and not because the model was fitted again.
"""

from __future__ import annotations

from datetime import date, timedelta

from tessera.data import raw
from tessera.data.profiles import PROFILES, SOLD, in_base
from tessera.errors import BadInput
from tessera.insight.value import kept, predicted, valued
from tessera.insight.value.checked import Held
from tessera.insight.value.history import grouped, of_purchases
from tessera.lake.arrow import schema
from tessera.lake.engine import Connection, literal, value
from tessera.lake.models import Card, Figure
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table
from tessera.lake.view import over

MODEL = "value"
OLD_DAYS = 30
FEWEST_BUYERS = 50
WEEK = 7.0

CUSTOMER_VALUE = Table(
    name="customer_value",
    whose="person:person_id",
    columns=(
        PROFILES.column("person_id"),
        Column(name="as_of", type="DATE", note="the day that the time ahead begins after"),
        Column(name="horizon_days", type="INTEGER", note="how long the time ahead is"),
        Column(name="p_alive", type="DOUBLE", category=raw.PURCHASE, note="the chance that she is still a customer"),
        Column(name="expected_purchases", type="DOUBLE", category=raw.PURCHASE, note="days with an order"),
        Column(name="expected_purchases_low", type="DOUBLE", category=raw.PURCHASE, note="95 %: how well the mean is known"),
        Column(name="expected_purchases_high", type="DOUBLE", category=raw.PURCHASE),
        Column(name="purchases_low", type="BIGINT", category=raw.PURCHASE, note="95 %: what will happen"),
        Column(name="purchases_high", type="BIGINT", category=raw.PURCHASE),
        Column(name="expected_value_cents", type="BIGINT", category=raw.PURCHASE, note="null: no amounts to learn from"),
        Column(name="expected_value_low_cents", type="BIGINT", category=raw.PURCHASE, note="95 %: how well the mean is known"),
        Column(name="expected_value_high_cents", type="BIGINT", category=raw.PURCHASE),
        Column(name="value_low_cents", type="BIGINT", category=raw.PURCHASE, note="95 %: what will happen"),
        Column(name="value_high_cents", type="BIGINT", category=raw.PURCHASE),
        Column(name="law", type="VARCHAR", note="bgnbd, paretonbd or nbd"),
    ),
    purposes=("analytics", "personalise", "marketing"),
    on_erase=Delete(),
    unique=("person_id",),
    whole=True,
    note="one row per person who bought: what is expected of her, with intervals",
)

_NUMBERS = (
    "p_alive",
    "expected_purchases",
    "expected_purchases_low",
    "expected_purchases_high",
    "purchases_low",
    "purchases_high",
)
_MONEY = ("expected_value", "expected_value_low", "expected_value_high", "value_low", "value_high")


def purchases(currency: str, as_of: date) -> str:
    """SQL that continues `over`'s CTEs, over the views orders, rates and membership: customer, time, amount in cents of every
    order that was one, until that day."""
    return f""", members AS (SELECT key_id, person_id FROM membership AS x), {in_base(currency)}
        SELECT person_id AS customer, occurred_at AS time, CAST(base_cents AS DOUBLE) AS amount FROM orders_in_base AS o
        WHERE amount_cents > 0 AND {SOLD} AND CAST(occurred_at AS DATE) <= DATE {literal(as_of.isoformat())}"""


def _run(run: Run) -> Made:
    con, horizon = run.con, int(run.config.insight.of(MODEL)["horizon_days"])
    con.execute(f"CREATE OR REPLACE TEMP TABLE value_purchases AS {over(run.views, purchases(run.config.currency, run.as_of))}")
    try:
        day = f"DATE {literal(run.as_of.isoformat())}"
        con.execute(f"CREATE OR REPLACE TEMP TABLE value_histories AS {of_purchases('value_purchases', day)}")
        return _scored(run, horizon)
    finally:
        for table in ("value_purchases", "value_histories", "value_known", "value_held", predicted.GROUPS):
            con.execute(f"DROP TABLE IF EXISTS {table}")


def _scored(run: Run, horizon: int) -> Made:
    con = run.con
    cards: tuple[Card, ...] = ()
    known = run.model
    if int(value(con, "SELECT count(*) FROM value_histories")) < FEWEST_BUYERS:
        return Made(rows=schema(CUSTOMER_VALUE).empty_table())
    if known is None or run.refit or (run.as_of - known.fitted_at).days >= OLD_DAYS or known.fitted_at > run.as_of:
        try:
            known = _fitted(con, run.as_of, horizon)
        except BadInput:
            return Made(rows=schema(CUSTOMER_VALUE).empty_table())
        cards = (known,)
    fitted, spend = kept.read(known.learned)
    predicted.predict(con, grouped(con, "value_histories"), fitted, horizon / WEEK, spend)
    each = predicted.of_customers("value_histories", spend, ("customer",))
    money = ", ".join(
        f"CAST(round({m}) AS BIGINT) AS {m}_cents" if spend else f"CAST(NULL AS BIGINT) AS {m}_cents" for m in _MONEY
    )
    select = f"""SELECT CAST(customer AS INTEGER) AS person_id, DATE {literal(run.as_of.isoformat())} AS as_of,
        CAST({horizon} AS INTEGER) AS horizon_days, {", ".join(_NUMBERS)}, {money}, {literal(fitted.used.model)} AS law
        FROM ({each}) AS e ORDER BY person_id"""
    return Made(rows=con.sql(select).to_arrow_table(), cards=cards)


def _fitted(con: Connection, as_of: date, horizon: int) -> Card:
    """A new model, and its card: the parameters, and how well one of the same kind told a past it had not seen."""
    found = valued.valued(con, "value_histories", horizon / WEEK, money=True)
    fitted, spend = found.fitted, found.spend
    figures = {name: _figure(v, (fitted.standard_errors or {}).get(name)) for name, v in fitted.used.parameters.items()}
    if spend:
        figures |= {f"spend_{name}": Figure(v) for name, v in spend.parameters.items()}
    figures["log_likelihood"] = Figure(fitted.used.log_likelihood)
    held, note = _checked(con, as_of, horizon)
    if held is not None:
        figures["held_out_expected_over_actual"] = Figure(
            held.expected / held.actual, held.low and held.low / held.actual, held.high and held.high / held.actual
        )
        figures |= {
            "held_out_error": Figure(held.error), "held_out_error_of_past_rate": Figure(held.rate_error),
            "held_out_covered": Figure(held.covered),
        }  # fmt: skip
        if held.auc is not None:
            figures["held_out_auc"] = Figure(held.auc)
    return Card(
        model=MODEL, fitted_at=as_of, people=fitted.customers, remembers="nobody", figures=figures,
        settings={"law": fitted.used.model, "verdict": fitted.verdict, "horizon_days": horizon}, learned=kept.text(found),
        note=" ".join(part for part in (fitted.en, found.no_money, note) if part),
    )  # fmt: skip


def _checked(con: Connection, as_of: date, horizon: int) -> tuple[Held | None, str]:
    """The check: a fit to what was known until a third of the time ago (at most the horizon), against what came since."""
    first = value(con, "SELECT min(CAST(time AS DATE)) FROM value_purchases")
    days = min(horizon, (as_of - first).days // 3)
    if days < 1:
        return None, "There was no past to check it against."
    end = f"DATE {literal(as_of.isoformat())}"
    con.execute(f"CREATE OR REPLACE TEMP TABLE value_known AS {valued.split('value_purchases', end, days)}")
    try:
        held = valued.checked(con, "value_known", days / WEEK, money=True)
    except BadInput:
        return None, "There was too little past to check it against."
    return held, f"Until {as_of - timedelta(days=days)}, in weeks: {held.en}"


def _figure(found: float, error: float | None) -> Figure:
    half = predicted.Z95 * error if error is not None else None
    return Figure(found) if half is None else Figure(found, found - half, found + half)


_MINE = (("membership", "person_id"), ("membership", "key_id"), ("orders", "key_id"))
_BOUGHT = (*_MINE, ("orders", "occurred_at"), ("orders", "amount_cents"), ("orders", "status"))
_PAID = (*_BOUGHT, ("orders", "currency"), ("rates", "currency"), ("rates", "valid_from"), ("rates", "rate"))

STEP = Step(
    name="value",
    reads=("orders", "rates", "membership"),
    writes=CUSTOMER_VALUE,
    purpose="analytics",
    run=_run,
    aged=True,
    daily=True,
    model=MODEL,
    lineage={
        "person_id": _MINE,
        "as_of": (),
        "horizon_days": (),
        **dict.fromkeys(_NUMBERS, _BOUGHT),
        **{f"{m}_cents": _PAID for m in _MONEY},
        "law": _BOUGHT,
    },
)
