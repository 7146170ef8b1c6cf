"""`tessera upkeep`, `tessera interests`: which devices will fail, and what a person is interested in."""

from __future__ import annotations

from typing import Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import many

PURPOSE = "personalise"
DEVICES = """SELECT device, person_id, device_model, last_reading_at, silent, risk, horizon_days, days_left, days_low,
                    days_high, alarm, alarm_since, reason_en, reason_zh FROM device_health"""
DEMAND = """SELECT region, week, cases, cases_low, cases_high, devices, covered, held_out FROM service_demand
            ORDER BY region, week"""
INTERESTS = """SELECT topic, topic_en, topic_zh, strength, posts, looked, bought, words, last_at FROM interests"""
SHOWN = 20


def add(commands: Commands) -> None:
    """Declares them."""
    upkeep = commands.add(
        "upkeep",
        _upkeep,
        "devices that may fail soon, with the reason; or the demand for service",
        ["upkeep", "upkeep --person 3 --json", "upkeep --demand"],
        "Devices of those who allow personalise; the demand counts those who allow analytics.",
    )
    upkeep.add_argument("--person", type=int, metavar="ID", help="the devices of this person alone, whatever their risk")
    upkeep.add_argument("--demand", action="store_true", help="cases of service to come, by region and week")
    interests = commands.add(
        "interests",
        _interests,
        "what a person is interested in, how much, and what says so",
        ["interests --person 3", "interests --person 3 --json"],
    )
    interests.add_argument("--person", type=int, required=True, metavar="ID", help="tessera person find VALUE gives it")
    for parser in (upkeep, interests):
        parser.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")


def _upkeep(call: Call) -> int:
    args = call.args
    if args.demand:
        return _demand(call)
    where = "alarm OR risk >= 0.25" if args.person is None else f"person_id = {args.person}"
    found = _asked(call, f"{DEVICES} WHERE {where} ORDER BY risk DESC NULLS LAST, device", PURPOSE)

    def draw() -> None:
        rows = [
            [
                r["device"], r["person_id"], r["device_model"], "failed" if r["silent"] else _share(r["risk"]), _left(r),
                r["alarm_since"], (r["reason_en"] or "").partition(". ")[2].partition(". ")[0],
            ]
            for r in found[:SHOWN]
        ]  # fmt: skip
        call.show.table(["device", "person", "model", "risk", "days left (90 %)", "alarm since", "why"], rows)
        if not found:
            call.show.note("No device is at risk, or none is known. Try: tessera upkeep --person ID")
        if len(found) > SHOWN:
            call.show.note(f"{SHOWN} of {many(len(found), 'device')}; --json has them all.")

    call.show.answer(found, draw)
    return 0


def _demand(call: Call) -> int:
    found = _asked(call, DEMAND, "analytics")

    def draw() -> None:
        rows = [
            [r["region"], r["week"], f"{r['cases']:.1f}", f"{r['cases_low']:.0f} to {r['cases_high']:.0f}", r["devices"]]
            for r in found
        ]  # fmt: skip
        call.show.table(["region", "week of", "cases", "90 %", "devices"], rows)
        if found and found[0]["covered"] is not None:
            call.show.note(f"{found[0]['covered']:.0%} of {many(found[0]['held_out'], 'held-out week')} fell inside.")

    call.show.answer(found, draw)
    return 0


def _interests(call: Call) -> int:
    found = _asked(call, f"{INTERESTS} WHERE person_id = {call.args.person} ORDER BY strength DESC, topic", PURPOSE)

    def draw() -> None:
        rows = [
            [
                r["topic_en"],
                r["topic_zh"],
                _share(r["strength"]),
                r["posts"],
                r["looked"],
                r["bought"],
                r["words"],
                r["last_at"],
            ]
            for r in found
        ]
        call.show.table(["interest", "", "strength", "posts", "looked", "bought", "words", "last"], rows)
        if not found:
            call.show.note("Nothing is known of her interests: no act says so, or she does not allow personalise.")

    call.show.answer(found, draw)
    return 0


def _asked(call: Call, sql: str, purpose: str) -> list[dict[str, Any]]:
    with call.open() as app:
        found: list[dict[str, Any]] = app.sql(sql, purpose=purpose, role=call.args.role).table.to_pylist()
    return found


def _share(number: float | None) -> str:
    return "" if number is None else f"{number:.0%}"


def _left(row: dict[str, Any]) -> str:
    if row["days_left"] is None:
        return ""
    high = "longer" if row["days_high"] is None else f"{row['days_high']:.0f}"
    return f"{row['days_left']:.0f} ({row['days_low']:.0f} to {high})"
