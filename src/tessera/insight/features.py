"""PROFILES -> FEATURES: what the models read of each person: counts, money, moments and RFM scores; never an age.

Scores follow Hughes (1994): the people who bought are cut into fifths by how recently, how often and for how much they
bought; 5 is best. Equal values are cut by person_id, so the same people get the same scores on every engine.
"""

from __future__ import annotations

from datetime import date

from tessera.config import Config
from tessera.data import raw
from tessera.data.profiles import PROFILES
from tessera.data.steps import over_names
from tessera.lake.engine import literal
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table
from tessera.lake.view import over

TAKEN = (
    "customer_since", "orders", "revenue_cents", "first_order_at", "last_order_at", "events", "page_views",
    "products_viewed", "cart_additions", "first_seen_at", "last_seen_at", "touches", "posts", "last_post_at",
    "readings", "device_errors", "last_reading_at",
)  # fmt: skip
"""Fields of a profile that become features as they are. Names, contacts and places are not among them."""

FEATURES = Table(
    name="features",
    whose="person:person_id",
    columns=(
        PROFILES.column("person_id"),
        Column(name="as_of", type="DATE", note="the day of the turn that made the row"),
        *(PROFILES.column(field) for field in TAKEN),
        Column(name="r_score", type="INTEGER", category=raw.PURCHASE, note="1 to 5: how recently; null: never bought"),
        Column(name="f_score", type="INTEGER", category=raw.PURCHASE, note="1 to 5: how often"),
        Column(name="m_score", type="INTEGER", category=raw.PURCHASE, note="1 to 5: for how much"),
        Column(name="rfm", type="VARCHAR", category=raw.PURCHASE, note="the three scores, as in '545'"),
    ),
    purposes=("analytics",),
    on_erase=Delete(),
    unique=("person_id",),
    whole=True,
    note="one row per person: what segments and scores are made from",
)


def sql(as_of: date) -> str:
    """SQL over the view `profiles`: FEATURES as of that day."""
    fields = ", ".join(f"p.{field}" for field in TAKEN)
    return f"""SELECT p.person_id, DATE {literal(as_of.isoformat())} AS as_of, {fields},
               s.r_score, s.f_score, s.m_score,
               CASE WHEN s.person_id IS NOT NULL THEN concat(s.r_score, s.f_score, s.m_score) END AS rfm
        FROM profiles p LEFT JOIN (
            SELECT person_id,
                   CAST(ntile(5) OVER (ORDER BY last_order_at, person_id) AS INTEGER) AS r_score,
                   CAST(ntile(5) OVER (ORDER BY orders, person_id) AS INTEGER) AS f_score,
                   CAST(ntile(5) OVER (ORDER BY coalesce(revenue_cents, 0), person_id) AS INTEGER) AS m_score
            FROM profiles WHERE orders > 0
        ) s ON s.person_id = p.person_id"""


def _run(run: Run) -> Made:
    return Made(select=over(run.views, sql(run.as_of)))


def _text(_: Config) -> str:
    return over_names(("profiles",), sql(date(2000, 1, 1)))


STEP = Step(name="features", reads=("profiles",), writes=FEATURES, purpose="analytics", run=_run, aged=True, sql=_text)
