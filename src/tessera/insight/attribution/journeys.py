"""SQL: touches and orders of people who allow it -> journeys: an order with what led to it, or touches that led to none.

A touch leads to her next order if that comes within the window, and to one order only. Touches that led to nothing are one
journey as long as none is a window apart from the next. A journey that may still end in an order (its last touch is within
a window of today) tells neither way and is left open.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tessera.data.profiles import SOLD, in_base
from tessera.lake.engine import literal

READS = ("touches", "orders", "rates", "membership")
SEPARATOR = ">"
DIRECT = ("direct", "(direct)", "none", "(none)")
"""What a visit is called that nothing led to."""

OTHER = "other"
"""All channels that fewer than FEWEST people have met, as one."""

FEWEST = 10
HALF_LIFE_DAYS = 7.0
"""Of time decay: the usual one (Google Analytics)."""


@dataclass(frozen=True, kw_only=True)
class Journeys:
    """How journeys are made. direct: "keep" takes a direct visit for a touch like any other; "ignore" passes over it unless
    there is no other in its journey."""

    currency: str
    window_days: int
    direct: str
    as_of: date

    def sql(self) -> str:
        """CTEs that continue `over`'s, over READS; the last ones are

        journeys: person_id, till, led, part (which name one), kind (first, repeat, null, open), value_cents, touches, path,
        days (from the first touch to the order). met: each touch of a journey that counts: the same names, kind,
        value_cents, channel, young (its weight in time decay). Orders at one moment are one order.
        """
        end = f"(TIMESTAMPTZ '{self.as_of.isoformat()} 00:00:00+00' + INTERVAL 1 DAY)"
        window = f"INTERVAL {int(self.window_days)} DAY"
        plain = f"nullif(trim(replace(channel, {literal(SEPARATOR)}, '/')), '')"
        direct = ", ".join(literal(d) for d in DIRECT)
        ignored = "direct AND NOT all_direct" if self.direct == "ignore" else "FALSE"
        return f""", members AS (SELECT key_id, person_id FROM membership), {in_base(self.currency)},
        sold AS (
            SELECT person_id, occurred_at AS sold_at, sum(greatest(coalesce(base_cents, 0), 0)) AS value_cents,
                   row_number() OVER (PARTITION BY person_id ORDER BY occurred_at) AS nth
            FROM orders_in_base WHERE amount_cents > 0 AND {SOLD} AND occurred_at < {end} GROUP BY person_id, occurred_at
        ), seen AS (
            SELECT m.person_id, t.occurred_at AS met_at, {plain} AS channel, t.source, t.touch_id
            FROM touches t JOIN members m ON m.key_id = t.key_id WHERE t.occurred_at < {end}
        ), known AS (
            SELECT channel FROM seen WHERE channel IS NOT NULL GROUP BY channel HAVING count(DISTINCT person_id) >= {FEWEST}
        ), next AS (
            SELECT s.person_id, s.met_at, s.source, s.touch_id, coalesce(k.channel, {literal(OTHER)}) AS channel,
                   lower(s.channel) IN ({direct}) AS direct,
                   o.nth, o.sold_at, o.value_cents, coalesce(o.sold_at - s.met_at <= {window}, FALSE) AS led
            FROM (SELECT * FROM seen WHERE channel IS NOT NULL) s LEFT JOIN known k ON k.channel = s.channel
            ASOF LEFT JOIN sold o ON o.person_id = s.person_id AND o.sold_at >= s.met_at
        ), cut AS (
            SELECT *, CASE WHEN led THEN 0 ELSE sum(gap) OVER (
                       PARTITION BY person_id, nth, led ORDER BY met_at, source, touch_id ROWS UNBOUNDED PRECEDING) END AS part
            FROM (SELECT *, CASE WHEN met_at - lag(met_at) OVER (
                                 PARTITION BY person_id, nth, led ORDER BY met_at, source, touch_id) > {window}
                                 THEN 1 ELSE 0 END AS gap FROM next) AS gapped
        ), whole AS (
            SELECT *, coalesce(nth, 0) AS till,
                   bool_and(direct) OVER (PARTITION BY person_id, coalesce(nth, 0), led, part) AS all_direct,
                   max(met_at) OVER (PARTITION BY person_id, coalesce(nth, 0), led, part) AS last_at FROM cut
        ), met AS (
            SELECT person_id, till, led, part, met_at, source, touch_id, channel, sold_at,
                   coalesce(value_cents, 0) AS value_cents,
                   CASE WHEN led THEN CASE WHEN nth = 1 THEN 'first' ELSE 'repeat' END
                        WHEN nth IS NULL AND last_at + {window} >= {end} THEN 'open' ELSE 'null' END AS kind,
                   pow(2.0, -date_diff('second', met_at, last_at) / {HALF_LIFE_DAYS * 86_400}) AS young
            FROM whole WHERE NOT ({ignored})
        ), journeys AS (
            SELECT person_id, till, led, part, min(kind) AS kind, max(value_cents) AS value_cents, count(*) AS touches,
                   string_agg(channel, {literal(f" {SEPARATOR} ")} ORDER BY met_at, source, touch_id) AS path,
                   date_diff('second', min(met_at), min(sold_at)) / 86400.0 AS days
            FROM met GROUP BY person_id, till, led, part
        )"""

    def grouped(self) -> str:
        """The journeys by path, as `encode` wants them, in a fixed order; open ones are left out."""
        counted = ", ".join(
            f"(count(*) FILTER (WHERE kind = '{kind}'))::DOUBLE AS {kind}_conversions, "
            f"coalesce(sum(value_cents) FILTER (WHERE kind = '{kind}'), 0)::DOUBLE AS {kind}_value"
            for kind in ("first", "repeat")
        )
        return f"""{self.sql()} SELECT path, {counted}, (count(*) FILTER (WHERE kind = 'null'))::DOUBLE AS unconverted
            FROM journeys WHERE kind <> 'open' GROUP BY path ORDER BY path"""

    def met(self) -> str:
        """By channel: people, touches, and the credits of time decay by kind, in millionths so that their sums are exact."""
        decays = ", ".join(
            f"coalesce(sum(round({what} * share * 1e6)::HUGEINT) FILTER (WHERE kind = '{kind}'), 0)::DOUBLE / 1e6"
            for kind in ("first", "repeat")
            for what in ("1", "value_cents")
        )
        return f"""{self.sql()} SELECT channel, count(DISTINCT person_id), count(*), {decays}
            FROM (SELECT *, young / sum(young) OVER (PARTITION BY person_id, till, led, part) AS share FROM met) AS shared
            WHERE kind <> 'open' GROUP BY channel ORDER BY channel"""

    def tallied(self) -> str:
        """One row: touches that the view shows, those of nobody and those without a channel; orders that it shows, and those
        that were sold and no touch led to; open journeys; people with a journey."""
        return f"""{self.sql()} SELECT
            (SELECT count(*) FROM touches), (SELECT count(*) FROM touches WHERE key_id IS NULL),
            (SELECT count(*) FROM seen WHERE channel IS NULL), (SELECT count(*) FROM orders),
            (SELECT count(*) FROM sold) - (SELECT count(*) FROM journeys WHERE kind IN ('first', 'repeat')),
            (SELECT count(*) FROM journeys WHERE kind = 'open'),
            (SELECT count(DISTINCT person_id) FROM journeys WHERE kind <> 'open')"""

    def explored(self) -> str:
        """CONVERSION_PATHS: paths by people, those that fewer than FEWEST took as one row without a path."""
        return f"""{self.sql()}, taken AS (SELECT path, count(DISTINCT person_id) AS people FROM journeys
            WHERE kind <> 'open' GROUP BY path)
            SELECT CASE WHEN t.people >= {FEWEST} THEN j.path END AS path,
                   count(DISTINCT j.person_id) AS people,
                   count(DISTINCT j.path) AS paths,
                   count(*) AS journeys,
                   count(*) FILTER (WHERE kind = 'first') AS first_orders,
                   count(*) FILTER (WHERE kind = 'repeat') AS repeat_orders,
                   coalesce(sum(value_cents) FILTER (WHERE kind IN ('first', 'repeat')), 0)::BIGINT AS value_cents,
                   avg(j.touches) AS touches,
                   round(median(days) FILTER (WHERE kind IN ('first', 'repeat')), 3) AS days
            FROM journeys j JOIN taken t ON t.path = j.path WHERE kind <> 'open'
            GROUP BY 1 HAVING count(DISTINCT j.person_id) >= {FEWEST} ORDER BY journeys DESC, path"""
