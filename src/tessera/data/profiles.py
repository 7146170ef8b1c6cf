"""ACTIVITY, records, orders, MEMBERSHIP -> PROFILES: one picture of each customer, as declared folds.

ACTIVITY holds partials per key of what is only ever added (events, posts, readings, touches): append-only, one piece per
batch, so that a merge or a split sums partials again and reads no event. Records and orders change at their source, so
they are folded from their rows; there are few of them.
"""

from __future__ import annotations

from tessera.data import raw
from tessera.data.folds import Fold, rank_of
from tessera.lake.quoting import literal
from tessera.lake.table import Column, Delete, Table

SOLD = "coalesce(status, '') NOT IN ('cancelled', 'canceled', 'refunded', 'failed')"

FOLDS = (
    *(
        Fold(field=f, kind="last", table="records", of=f, type="VARCHAR", category=c, sealed=True, key=k, sourced=True)
        for f, c, k in (
            ("name", raw.NAME, None),
            ("email", raw.EMAIL, "email_key"),
            ("phone", raw.PHONE, "phone_key"),
            ("address", raw.ADDRESS, None),
            ("born", raw.BORN, None),
        )
    ),
    *(
        Fold(field=f, kind="last", table="records", of=f, type="VARCHAR", category=c, sourced=True)
        for f, c in (
            ("city", raw.PLACE),
            ("region", raw.PLACE),
            ("country", raw.PLACE),
            ("language", raw.DEMOGRAPHIC),
            ("tier", raw.ACCOUNT),
        )
    ),
    Fold(field="email_key", kind="last", table="records", of="email_key", type="INTEGER", category=raw.PSEUDONYM),
    Fold(field="phone_key", kind="last", table="records", of="phone_key", type="INTEGER", category=raw.PSEUDONYM),
    Fold(field="customer_since", kind="min", table="records", of="since", type="TIMESTAMPTZ", category=raw.ACCOUNT),
    Fold(field="records", kind="count", table="records", category=raw.ACCOUNT),
    Fold(
        field="orders", kind="count", table="orders", where=f"amount_cents > 0 AND {SOLD}", category=raw.PURCHASE
    ),
    Fold(field="revenue_cents", kind="sum", table="orders", of="base_cents", where=SOLD, category=raw.PURCHASE),
    Fold(
        field="first_order_at", kind="min", table="orders", of="occurred_at", type="TIMESTAMPTZ", category=raw.PURCHASE,
        where=f"amount_cents > 0 AND {SOLD}",
    ),
    Fold(
        field="last_order_at", kind="max", table="orders", of="occurred_at", type="TIMESTAMPTZ", category=raw.PURCHASE,
        where=f"amount_cents > 0 AND {SOLD}",
    ),
    Fold(field="events", kind="count", table="events"),
    Fold(field="page_views", kind="count", table="events", where="type IN ('page', 'screen')"),
    Fold(field="products_viewed", kind="count", table="events", where="event = 'Product Viewed'"),
    Fold(field="cart_additions", kind="count", table="events", where="event = 'Product Added'"),
    Fold(field="first_seen_at", kind="min", table="events", of="occurred_at", type="TIMESTAMPTZ"),
    Fold(field="last_seen_at", kind="max", table="events", of="occurred_at", type="TIMESTAMPTZ"),
    Fold(
        field="last_product_id", kind="last", table="events", of="product_id", type="VARCHAR", category=raw.BROWSING
    ),
    Fold(field="touches", kind="count", table="touches"),
    Fold(field="first_channel", kind="first", table="touches", of="channel", type="VARCHAR"),
    Fold(field="last_channel", kind="last", table="touches", of="channel", type="VARCHAR"),
    Fold(field="posts", kind="count", table="posts", category=raw.SOCIAL),
    Fold(field="last_post_at", kind="max", table="posts", of="occurred_at", type="TIMESTAMPTZ", category=raw.SOCIAL),
    Fold(field="readings", kind="count", table="readings", category=raw.SENSOR),
    Fold(field="device_errors", kind="count", table="readings", where="error_code IS NOT NULL", category=raw.SENSOR),
    Fold(field="last_reading_at", kind="max", table="readings", of="occurred_at", type="TIMESTAMPTZ", category=raw.SENSOR),
)
"""The picture of a customer, field by field."""

CONTESTABLE = tuple(f.field for f in FOLDS if f.table == "records" and f.sourced)
"""Fields of a record that its customer may correct, in the order of their bits in CONTESTED."""

ADDED = ("events", "posts", "readings", "touches")
"""Raw tables whose rows are only ever added."""

NAMED = {"records": "row_key", "orders": "order_id"}
"""The column that names a row, where the rows of one person are told apart by it."""

ACTIVITY = Table(
    name="activity",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER", category=raw.PSEUDONYM),
        Column(name="batch", type="BIGINT"),
        *(Column(name=f.field, type=f.partial_type, category=f.category) for f in FOLDS if f.table in ADDED),
    ),
    on_erase=Delete(),
    visible=False,
    note="partials per key of events, posts, readings and touches; one piece per batch",
)


def _fields() -> tuple[Column, ...]:
    columns: list[Column] = []
    for f in FOLDS:
        columns.append(Column(name=f.field, type=f.type, category=f.category, sealed=f.sealed, key=f.key))
        if f.sourced:
            columns.append(Column(name=f.field + "_source", type="VARCHAR"))
    return tuple(columns)


PROFILES = Table(
    name="profiles",
    whose="person:person_id",
    columns=(
        Column(name="person_id", type="INTEGER", category=raw.PSEUDONYM),
        Column(name="keys", type="INTEGER", category=raw.PSEUDONYM, note="how many identifiers she has"),
        *_fields(),
    ),
    purposes=("operate", "analytics", "personalise", "marketing", "sharing"),
    on_erase=Delete(),
    unique=("person_id",),
    whole=True,
    note="one row per person; money in the workspace's currency",
)


def activity(table: str, ranks: dict[str, int], since: int, until: int) -> str:
    """SQL over the view `table`: partials per key of the batches after `since` up to `until`, in the order of ACTIVITY."""
    items = []
    for f in (f for f in FOLDS if f.table in ADDED):
        none = f"{'0' if f.kind == 'count' else 'NULL'}::{f.partial_type}"
        items.append(f"{f.partial(ranks) if f.table == table else none} AS {f.field}")
    return f"""SELECT key_id, {until}::BIGINT AS batch, {', '.join(items)} FROM {table}
               WHERE key_id IS NOT NULL AND batch > {since} AND batch <= {until} GROUP BY key_id"""


def in_base(currency: str) -> str:
    """SQL over the views `orders` and `rates` and the CTE `members`: members' orders with person_id and base_cents, the
    amount in the workspace's currency at the rate of the order's day; NULL where no rate is known, so that no sum is
    silently wrong."""
    own = literal(currency)
    return f"""orders_in_base AS (
        SELECT o.*, CASE WHEN coalesce(o.currency, {own}) = {own} THEN o.amount_cents
                    ELSE round(o.amount_cents * r.rate)::BIGINT END AS base_cents
        FROM (SELECT m.person_id, x.* FROM orders x JOIN members m ON m.key_id = x.key_id) o LEFT JOIN (
            SELECT currency, valid_from, rate,
                   lead(valid_from) OVER (PARTITION BY currency ORDER BY valid_from) AS valid_to FROM rates
        ) r ON r.currency = o.currency AND o.currency <> {own} AND CAST(o.occurred_at AS DATE) >= r.valid_from
               AND (r.valid_to IS NULL OR CAST(o.occurred_at AS DATE) < r.valid_to))"""


def unrated(currency: str) -> str:
    """SQL over the views `orders` and `rates`: the currencies of orders that `in_base` can tell no amount of, and how
    many orders those are."""
    return f"""SELECT o.currency, count(*) AS orders FROM orders o
        WHERE o.currency <> {literal(currency)} AND o.amount_cents <> 0 AND NOT EXISTS (
            SELECT 1 FROM rates r WHERE r.currency = o.currency AND r.valid_from <= CAST(o.occurred_at AS DATE))
        GROUP BY o.currency ORDER BY o.currency"""


def profiles(currency: str, ranks: dict[str, int], only: str | None = None) -> str:
    """SQL over the views activity, records, contested, orders, rates and membership: PROFILES.

    only: a relation with person_id, to compute these persons alone.
    """
    members = "membership" if only is None else f"(SELECT * FROM membership WHERE person_id IN (SELECT person_id FROM {only}))"
    values = []
    for f in FOLDS:
        value = f.value() if f.table in ADDED else f.field
        values.append(f"coalesce({value}, 0) AS {f.field}" if f.kind in ("count", "sum") else f"{value} AS {f.field}")
        if f.sourced:
            values.append(f"{f.field}_source")
    return f""", members AS (SELECT key_id, person_id FROM {members} AS x), {in_base(currency)},
        {_of_records(ranks)}
        SELECT p.person_id, p.keys, {', '.join(values)}
        FROM (SELECT person_id, count(*)::INTEGER AS keys FROM members GROUP BY person_id) AS p
        LEFT JOIN of_records AS p_records ON p_records.person_id = p.person_id
        LEFT JOIN ({_of_orders()}) AS p_orders ON p_orders.person_id = p.person_id
        {' '.join(f"LEFT JOIN ({_of_added(t)}) AS p_{t} ON p_{t}.person_id = p.person_id" for t in ADDED)}"""


def _of_records(ranks: dict[str, int]) -> str:
    """CTEs: the records' part of each person. Who has a single record has it as it is (nearly everybody); the rows of the
    others get their place by source rank, time and name: one sort of few rows for all `last` folds."""
    folds = [f for f in FOLDS if f.table == "records"]
    alone = "".join(f", {e} AS {n}" for f in folds for n, e in f.alone().items())
    whole = "".join(f", {e} AS {n}" for f in folds for n, e in f.whole().items())
    order = f"{rank_of(ranks)}, coalesce(occurred_at, TIMESTAMPTZ '0001-01-01 00:00:00+00'), coalesce({NAMED['records']}, '')"
    return f"""mine AS (SELECT m.person_id, s.source, s.row_key, s.occurred_at, s.since, {_uncontested()}
            FROM records s JOIN members m ON m.key_id = s.key_id
            LEFT JOIN contested c ON c.source = s.source AND c.row_key = s.row_key AND c.row_hash = s.row_hash
        ), several AS (SELECT person_id FROM mine GROUP BY person_id HAVING count(*) > 1
        ), of_records AS (
            SELECT person_id{alone} FROM mine WHERE person_id NOT IN (SELECT person_id FROM several)
            UNION ALL
            SELECT person_id{whole} FROM (
                SELECT *, row_number() OVER (ORDER BY {order}) AS place FROM mine
                WHERE person_id IN (SELECT person_id FROM several)
            ) AS placed GROUP BY person_id
        )"""


def _uncontested() -> str:
    """The fields of a record, NULL where its customer has corrected them; a key goes with its value."""
    bits = {f: 1 << place for place, f in enumerate(CONTESTABLE)}
    bits |= {k: bits[f.field] for f in FOLDS if f.table == "records" and f.sourced and (k := f.key)}
    return ", ".join(
        f"CASE WHEN (coalesce(c.fields, 0) // {bit}) % 2 = 1 THEN NULL ELSE s.{f} END AS {f}" for f, bit in bits.items()
    )


def _of_added(table: str) -> str:
    """What the rows of one table that only grows add to each person, from their partials."""
    folds = [f for f in FOLDS if f.table == table]
    merged = "".join(f", {f.merge()} AS {f.field}" for f in folds)
    many = next(f.field for f in folds if f.kind == "count" and not f.where)
    return f"""SELECT m.person_id{merged} FROM activity a JOIN members m ON m.key_id = a.key_id
               WHERE a.{many} > 0 GROUP BY m.person_id"""


def _of_orders() -> str:
    """The orders' part of each person; none of its folds needs an order of rows."""
    whole = "".join(f", {e} AS {n}" for f in FOLDS if f.table == "orders" for n, e in f.whole().items())
    return f"SELECT person_id{whole} FROM orders_in_base AS o GROUP BY person_id"
