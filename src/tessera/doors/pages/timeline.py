"""What happened with one person, from all tables that the viewer may see, newest first; the many of one kind told as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from tessera.doors.pages.room import Row
from tessera.doors.pages.tongue import N_
from tessera.lake.engine import literal

Kind = Literal["all", "web", "buy", "talk", "device", "choice"]
KINDS: dict[Kind, str] = {
    "all": N_("All"), "web": N_("Web and app"), "buy": N_("Purchases"), "talk": N_("Messages and posts"),
    "device": N_("Devices"), "choice": N_("Choices"),
}  # fmt: skip
MOST, LATEST = 40, 400
"""Lines of one piece, and rows that are read for it at most: what comes together is told as one line."""
TOGETHER = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One table's part. columns: those that it shows as what, which, amount and currency, in SQL. where: which rows."""

    table: str
    kind: Kind
    needs: tuple[str, ...]
    what: str
    which: str = "NULL"
    amount: str = "NULL"
    currency: str = "NULL"
    where: str = ""


PARTS = (
    Part(table="events", kind="web", needs=("type", "event", "product_id"), what="coalesce(event, type)", which="product_id"),
    Part(
        table="orders", kind="buy", needs=("order_id", "status", "amount_cents", "currency"), what="status", which="order_id",
        amount="amount_cents", currency="currency",
    ),
    Part(table="touches", kind="talk", needs=("channel", "campaign", "kind"), what="channel", which="campaign"),
    Part(table="posts", kind="talk", needs=("network", "post_id"), what="network", which="post_id"),
    Part(
        table="readings", kind="device", needs=("model", "error_code"), what="model", which="error_code",
        where="error_code IS NOT NULL",
    ),
    Part(table="decisions", kind="web", needs=("decision", "candidate", "purpose"), what="decision", which="candidate"),
    Part(table="consents", kind="choice", needs=("purpose", "state"), what="purpose", which="state"),
)  # fmt: skip
LOOKS: dict[str, tuple[str, str]] = {
    "events": ("mouse-pointer-click", "lapis"), "orders": ("shopping-bag", "verd"), "touches": ("send", "lapis"),
    "posts": ("message-circle", "plum"), "readings": ("cpu", "gold"), "decisions": ("zap", "lapis"),
    "consents": ("shield-check", "verd"),
}  # fmt: skip
"""Table -> icon and hue of its lines."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that happened, or `times` of the same one after the other. at, since: its last and first moment."""

    table: str
    at: datetime
    since: datetime
    what: str
    which: str
    amount: int | None
    currency: str | None
    times: int = 1

    @property
    def look(self) -> tuple[str, str]:
        """Icon and hue."""
        return LOOKS[self.table]


def question(tables: Iterable[str], kind: Kind, before: datetime | None) -> str | None:
    """One SELECT over her rows of these tables; None where none is of the kind. Asked by a reader of her alone."""
    open_ = set(tables)
    parts = [p for p in PARTS if p.table in open_ and kind in ("all", p.kind)]
    if not parts:
        return None
    until = "occurred_at IS NOT NULL"
    if before is not None:
        until = f"occurred_at < TIMESTAMP {literal(before.strftime('%Y-%m-%d %H:%M:%S.%f'))}"
    each = " UNION ALL ".join(
        f"SELECT {literal(p.table)} AS source, occurred_at AS at, {p.what} AS what, CAST({p.which} AS VARCHAR) AS which, "
        f"CAST({p.amount} AS BIGINT) AS amount, CAST({p.currency} AS VARCHAR) AS currency FROM {p.table} "
        f"WHERE {until}{f' AND {p.where}' if p.where else ''}"
        for p in parts
    )
    return f"SELECT * FROM ({each}) AS t ORDER BY at DESC, source, what, which LIMIT {LATEST}"


def lines(rows: Iterable[Row]) -> list[Line]:
    """Rows, newest first, as lines; the same thing again within half an hour is the same line."""
    found: list[Line] = []
    for row in rows:
        one = Line(
            table=row["source"], at=row["at"], since=row["at"], what=row["what"] or "", which=row["which"] or "",
            amount=row["amount"], currency=row["currency"],
        )  # fmt: skip
        last = found[-1] if found else None
        if last and _same(last, one):
            found[-1] = replace(last, since=one.at, times=last.times + 1)
        elif len(found) == MOST:
            break
        else:
            found.append(one)
    return found


def _same(last: Line, one: Line) -> bool:
    alike = (last.table, last.what) == (one.table, one.what) and one.amount is None
    return alike and last.since - one.at <= TOGETHER and (last.table == "events" or last.which == one.which)


def by_day(told: Iterable[Line], zone: Any) -> list[tuple[datetime, list[Line]]]:
    """Lines under the day on which they happened, as the zone has days."""
    days: list[tuple[datetime, list[Line]]] = []
    for line in told:
        if days and days[-1][0].astimezone(zone).date() == line.at.astimezone(zone).date():
            days[-1][1].append(line)
        else:
            days.append((line.at, [line]))
    return days
