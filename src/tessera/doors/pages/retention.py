"""Retention: of those who first ordered in a month, how many ordered again in each month after it."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tessera.doors.pages import insight
from tessera.doors.pages.insight import K
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures.heat import Cell, heat
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor
from tessera.insight import cohorts

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
RETENTION = Page(
    name="retention", path="/retention", title=N_("Retention"), icon="layout-grid", group="act", function="tables"
)
PAGES = (RETENTION,)
MONTHS = 12


@router.get(RETENTION.path)
async def retention(visit: Visitor) -> Response:
    """The page: the last twelve months' cohorts."""

    def work(room: Room) -> dict[str, Any]:
        return {
            "k": K, "through": insight.elsewhere(room, ("orders", ("person_id", "occurred_at", "amount_cents", "status"))),
            "cohorts": room.card(lambda: _cohorts(room)),
        }  # fmt: skip

    return await visit.page(RETENTION, "retention.html", work)


def _cohorts(room: Room) -> dict[str, Any]:
    """The grid of shares; a month that is not over yet is marked, and cohorts of fewer than K people are not told."""
    if not room.has("orders"):
        return {"rows": []}
    tongue, today = room.tongue, insight.today(room.app)
    first = _months(today, -MONTHS)
    seen = room.ask("SELECT count(*) AS orders FROM orders").first["orders"]
    people: dict[date, dict[int, int]] = {}
    for row in room.ask(cohorts.sql(first)):
        people.setdefault(cohorts.month(int(row["cohort"])), {})[int(row["later"])] = row["people"]
    rows, hidden = [], 0
    for month in sorted(people):
        size = people[month].get(0, 0)
        if size < K:
            hidden += 1
            continue
        last = (today.year - month.year) * 12 + today.month - month.month
        shares = {later: people[month].get(later, 0) / size for later in range(1, last + 1)}
        rows.append({"month": month, "size": size, "shares": shares, "open": last, "people": people[month]})
    return {
        "rows": rows, "hidden": hidden, "months": list(range(1, MONTHS + 1)),
        "stands": insight.share_shown(room, "orders", seen),
        "picture": _picture(rows, tongue) if rows else None, "means": _means(rows), "today": today,
    }  # fmt: skip


def _picture(rows: list[dict[str, Any]], tongue: Any) -> Any:
    most = max((s for r in rows for s in r["shares"].values()), default=0.0) or 1.0
    cells = {}
    for i, row in enumerate(rows):
        cells[i, 0] = Cell(share=0.0, said=tongue.number(row["size"]), sentence=tongue.many(
            "{n} person first ordered in {month}.", "{n} people first ordered in {month}.", row["size"],
            month=tongue.day(row["month"], "MMM y"),
        ))  # fmt: skip
        for later, share in row["shares"].items():
            if later > MONTHS:
                continue
            facts = {"share": tongue.percent(share), "month": tongue.day(row["month"], "MMM y"), "later": later}
            # The month that runs still grows.
            open_ = later == row["open"]
            sentence = tongue(
                "Of those who first ordered in {month}, {share} have ordered so far in month {later} after it.", **facts
            ) if open_ else tongue("Of those who first ordered in {month}, {share} ordered in month {later} after it.", **facts)
            cells[i, later] = Cell(share=share / most, said=tongue.percent(share) + ("*" if open_ else ""), sentence=sentence)
    return heat(
        cells, [tongue.day(r["month"], "MMM y") for r in rows], [tongue("People"), *map(str, range(1, MONTHS + 1))],
        tongue("Share of each month's new customers who ordered again, by months since; the table below has the numbers."),
        across=tongue("Months after the first order"), width=72, height=34, margin=84, hue="f-verd",
    )  # fmt: skip


def _means(rows: list[dict[str, Any]]) -> dict[int, float]:
    """By months since: the share over all cohorts for which that month is over, each person counting once."""
    found = {}
    for later in range(1, MONTHS + 1):
        over = [r for r in rows if later < r["open"]]
        if over:
            found[later] = sum(r["people"].get(later, 0) for r in over) / sum(r["size"] for r in over)
    return found


def _months(day: date, by: int) -> date:
    """The first day of the month so many months away.

    >>> _months(date(2026, 3, 15), -12), _months(date(2026, 1, 31), -1)
    (datetime.date(2025, 3, 1), datetime.date(2025, 12, 1))
    """
    count = day.year * 12 + day.month - 1 + by
    return date(count // 12, count % 12 + 1, 1)
