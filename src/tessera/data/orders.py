"""ORDER_LINES -> ORDERS: for a source that has lines only, each order is the sum of its lines.

Computed while landing, for the orders that a batch touched, from all their lines: those of the batch and those that lie
in the lake. So lines of one order may come in any pieces and in any order, and the order ends the same.
"""

from __future__ import annotations

from tessera.lake.engine import literal

FIRST = "struct_pack(t := occurred_at, l := line, v := {0})"
"""The value of the earliest line that has one; of lines at one moment, the one with the lowest number, then value."""


def touched(lines: str) -> str:
    """SQL over a relation of the batch's lines: the orders that they belong to."""
    return f"SELECT DISTINCT order_id FROM {lines} WHERE order_id IS NOT NULL"


def derived(lines: str, source: str, batch: int) -> str:
    """SQL over a relation of lines and the relation `touched_orders`: those orders of one source, as rows of ORDERS.

    An order is whose its earliest line with a person is; its amount is the sum of its lines (a cancellation's is
    negative), in cents. Lines in several currencies have no sum: amount and currency are null, so that no total is
    silently wrong. Status and channel stay null: lines do not say them.
    """
    one = "count(DISTINCT currency) <= 1"
    return f"""
        SELECT order_id, {_first("key_id")} AS key_id, min(occurred_at) AS occurred_at, NULL::VARCHAR AS status,
               CASE WHEN {one} THEN sum(amount_cents)::BIGINT END AS amount_cents,
               CASE WHEN {one} THEN min(currency) END AS currency,
               NULL::VARCHAR AS channel, {_first("country")} AS country, NULL::TIMESTAMPTZ AS vanished_at,
               NULL::VARCHAR AS properties, {literal(source)} AS source, NULL::BIGINT AS record_id, {batch} AS batch
        FROM {lines} WHERE source = {literal(source)} AND order_id IN (SELECT order_id FROM touched_orders)
        GROUP BY order_id"""


def _first(column: str) -> str:
    return f"(min({FIRST.format(column)}) FILTER (WHERE {column} IS NOT NULL)).v"
