"""Make the made-up shop's files: five sources, campaign touches, consent choices, and the truth beside them.

A smart-home retailer whose data behaves like data: skewed spending, seasons, visits, nulls, typos, late and doubled
events, shared phones. The same people and seed give the same bytes; people are made in blocks that know nothing of each
other, so any size streams in the memory of one block.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from tessera.demo import crm, touches, truth
from tessera.demo.causes import touches_and_orders
from tessera.demo.events import events
from tessera.demo.files import Files
from tessera.demo.people import BLOCK, crowd
from tessera.demo.posts import posts
from tessera.demo.sessions import sessions
from tessera.demo.shop import CURRENCIES, NOW, START
from tessera.demo.tally import Row, Tally
from tessera.demo.telemetry import fleet, readings
from tessera.demo.trade import trade
from tessera.words import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How many rows each source has, broken and doubled ones included."""

    people: int
    customers: int
    orders: int
    order_lines: int
    payments: int
    devices: int
    events: int
    posts: int
    readings: int
    touches: int
    rates: int


def make(world: Path, people: int = 5_000, seed: int = 7, progress: Progress = silent) -> Summary:
    """Write the whole outside world of `people` humans into the folder `world`; older files of ours are replaced.

    seed: the only source of randomness. Truth and counts lie in world/truth, for tests and measurements alone.
    """
    tally, causes = Tally(), truth.Causes()
    _clear(world)
    with Files(world) as files:
        for block in range((people + BLOCK - 1) // BLOCK):
            progress("make the shop", block * BLOCK, people)
            _block(files, tally, causes, seed, block, min(BLOCK, people - block * BLOCK))
        rates = _rates(seed)
        files.csv("rates/rates.csv", ("currency", "valid_from", "rate"), rates)
        tally.source("rates").rows += len(rates)
        files.json("truth/channels.json", causes.facts())
        files.json("truth/counts.json", {"people": people, "seed": seed, "now": NOW.isoformat()} | tally.facts())
    progress("make the shop", people, people)
    rows = {name: source.rows for name, source in tally.sources.items()}
    return Summary(
        people=people,
        customers=rows.get("crm", 0),
        orders=rows.get("orders", 0),
        order_lines=rows.get("order_items", 0),
        payments=rows.get("payments", 0),
        devices=rows.get("devices", 0),
        events=rows.get("web_events", 0),
        posts=rows.get("posts", 0),
        readings=rows.get("telemetry", 0),
        touches=rows.get("touches", 0),
        rates=len(rates),
    )


def _block(files: Files, tally: Tally, causes: truth.Causes, seed: int, block: int, size: int) -> None:
    """One block of people, from who they are to what they leave behind."""
    who = crowd(seed, block, size)
    touched, ordered = touches_and_orders(who)
    causes.add(ordered, touched)
    customer_rows, asked = crm.customers(who, tally)
    files.csv("crm/customers.csv", crm.COLUMNS, customer_rows)
    sold = trade(who, ordered, block, tally)
    files.sql("orders", sold.orders)
    files.sql("order_items", sold.lines)
    files.sql("payments", sold.payments)
    files.sql("devices", sold.devices)
    touch_rows = touches.touch_rows(who, touched, block, tally)
    files.csv("touches/touches.csv", touches.COLUMNS, touch_rows)
    told = events(who, sessions(who, touched, ordered, sold.main), touched, sold.orders, tally, asked)
    months: dict[str, list[Row]] = defaultdict(list)
    for row in told.rows:
        months[row["receivedAt"][:7]].append(row)
    for month, rows in sorted(months.items()):
        files.lines(f"events/{month}.jsonl.gz", rows)
    post_rows, written = posts(who, block, tally)
    files.lines("posts/posts.jsonl", post_rows)
    devices = fleet(who)
    files.parquet("telemetry/readings.parquet", readings(who, devices, tally))
    seen = told.browsers | {row["anonymous_id"] for row in touch_rows}
    known = truth.people(who, customer_rows, seen)
    files.parquet("truth/people.parquet", truth.people_table(known))
    files.parquet("truth/identifiers.parquet", truth.identifiers(known))
    files.parquet("truth/consents.parquet", truth.consents(who, asked + told.choices))
    files.parquet("truth/devices.parquet", truth.devices(who, devices))
    files.parquet("truth/orders.parquet", truth.orders(who, ordered, touched, sold.orders, block))
    files.parquet("truth/posts.parquet", truth.posts(written))


def _clear(world: Path) -> None:
    """Take away the months of an earlier world, which the new one might not write over."""
    for old in sorted((world / "events").glob("*.jsonl.gz")):
        old.unlink()


def _rates(seed: int) -> list[Row]:
    """Euros for one unit of each other currency, anew each month, one month more than the history at its start."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2**32 - 1]))
    first = (START - timedelta(days=31)).replace(day=1).date()
    months = [first.replace(year=first.year + (first.month - 1 + n) // 12, month=(first.month - 1 + n) % 12 + 1)
              for n in range(14)]  # fmt: skip
    rows: list[Row] = []
    for currency, units in CURRENCIES.items():
        if currency != "EUR":
            walk = np.exp(np.cumsum(rng.normal(0, 0.012, len(months)))) / units
            rows += [
                {"currency": currency, "valid_from": month.isoformat(), "rate": f"{rate:.6f}"}
                for month, rate in zip(months, walk.tolist(), strict=True)
            ]
    return rows
