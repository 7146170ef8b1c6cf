"""`tessera attribution`: which channel brought what, as the last turn found it; and with --paths which ways people took."""

from __future__ import annotations

import json
from typing import Any

from tessera.doors.call import Call, Commands

PURPOSE = "analytics"
CREDITS = """SELECT channel, model, kind, conversions, conversions_low, conversions_high, value_cents, value_cents_low,
                    value_cents_high, removal_effect, people, touches FROM channel_credits ORDER BY channel, model, kind"""
CARD = "SELECT fitted_at, figures, settings FROM models WHERE model = 'attribution' AND status = 'champion'"
PATHS = """SELECT path, people, paths, journeys, first_orders, repeat_orders, value_cents, touches, days
           FROM conversion_paths ORDER BY journeys DESC, path NULLS LAST"""
KINDS = ("all", "first", "repeat")
MODELS = ("markov", "first", "last", "linear", "position", "time_decay", "shapley")
LEFT_OUT = {
    "touches_not_allowed": "touches of people who do not allow analytics (or may not be used any more)",
    "orders_not_allowed": "orders of such people",
    "touches_of_nobody": "touches of nobody in particular",
    "touches_without_channel": "touches that name no channel",
    "orders_without_a_touch": "orders that no touch led to",
    "open_journeys": "journeys that may still end in an order",
}
"""A figure of the card, and its words."""


def add(commands: Commands) -> None:
    """Declares it."""
    one = commands.add(
        "attribution",
        _attribution,
        "which channel brought what: exact Markov credits beside six plain models",
        ["attribution", "attribution --kind first --value", "attribution --paths --json"],
        "Window, Markov order and direct visits are settings: insight.yaml, attribution. docs/attribution.md says what each\n"
        "model does. Credits share out what was sold; what a channel caused shows in an experiment alone.",
    )
    one.add_argument("--kind", choices=KINDS, default="all", help="of orders: all (default), first, repeat")
    one.add_argument("--value", action="store_true", help="money in place of orders, in the workspace's currency")
    one.add_argument("--paths", action="store_true", help="the ways that at least 10 people took")
    one.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")


def _attribution(call: Call) -> int:
    with call.open() as app:
        if app.lake.version("channel_credits") is None:
            call.show.answer({"as_of": None, "settings": {}, "counts": {}, "channels": [], "paths": []}, lambda: _none(call))
            return 0

        def asked(select: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = app.sql(select, purpose=PURPOSE, role=call.args.role).table.to_pylist()
            return found

        credits, card = asked(CREDITS), next(iter(asked(CARD)), None)
        paths = asked(PATHS) if call.args.paths and app.lake.version("conversion_paths") is not None else []
    counts = {name: f["value"] for name, f in json.loads(card["figures"]).items()} if card else {}
    document = {
        "as_of": card["fitted_at"] if card else None,
        "settings": json.loads(card["settings"]) if card else {},
        "counts": {name: int(n) for name, n in counts.items()},
        "channels": credits,
        "paths": paths,
    }
    call.show.answer(document, lambda: _draw(call, credits, paths, document))
    return 0


def _none(call: Call) -> None:
    call.show.note("No credits yet. Try: tessera turn")


def _draw(call: Call, credits: list[dict[str, Any]], paths: list[dict[str, Any]], document: dict[str, Any]) -> None:
    if call.args.paths:
        columns = ["path", "people", "journeys", "first orders", "repeat orders", "value", "days"]
        rows = [
            [
                p["path"] or f"({p['paths']:,} paths of fewer than 10 people)",
                *(p[c] for c in ("people", "journeys", "first_orders", "repeat_orders")),
                f"{p['value_cents'] / 100:,.2f}",
                None if p["days"] is None else round(p["days"], 1),
            ]
            for p in paths
        ]
        call.show.table(columns, rows)
        return
    measure = "value_cents" if call.args.value else "conversions"
    by: dict[str, dict[str, dict[str, Any]]] = {}
    for row in credits:
        if row["kind"] == call.args.kind:
            by.setdefault(row["channel"], {})[row["model"]] = row
    unit = 100 if call.args.value else 1
    drawn = []
    for channel, models in sorted(by.items(), key=lambda item: -(item[1]["markov"][measure] or 0)):
        markov = models["markov"]
        low, high = (markov[f"{measure}_{end}"] for end in ("low", "high"))
        sure = None if low is None else f"{low / unit:,.1f} - {high / unit:,.1f}"
        shares = [None if (n := models[m][measure]) is None else f"{n / unit:,.1f}" for m in MODELS]
        drawn.append([channel, markov["people"], sure, *shares])
    call.show.table(["channel", "people", "markov 95 %", *(m.replace("_", " ") for m in MODELS)], drawn)
    for name, words in LEFT_OUT.items():
        if many := document["counts"].get(name):
            call.show.note(f"Left out: {words}: {many:,}")
