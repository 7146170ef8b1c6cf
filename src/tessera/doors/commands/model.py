"""`tessera model list|show|compare|train`: every model there is: from what, how good, for whose rights; and a new fit."""

from __future__ import annotations

import json
from typing import Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import many
from tessera.errors import NotFound

PURPOSE = "analytics"
CARDS = """SELECT model, id, status, fitted_at, noted_at, retired_at, purpose, people, remembers, seed, figures, settings,
                  made_from, note FROM models ORDER BY model, noted_at DESC, id"""
JSON = ("figures", "settings", "made_from")


def add(commands: Commands) -> None:
    """Declares them."""
    model = commands.noun(
        "model",
        "what was learned from the data: list, show, compare, train",
        ["model list", "model show churn", "model compare 3f2a9c01b7de 90ab12cd34ef", "model train churn"],
    )
    listed = model.add(
        "list",
        _list,
        "every model that scores or waits: its people, its figures",
        ["model list", "model list --all --json"],
    )
    listed.add_argument("--all", action="store_true", help="those that are retired too")
    show = model.add(
        "show",
        _show,
        "a model's card: figures, settings, what it was made from, whom it remembers",
        ["model show churn", "model show 3f2a9c01b7de --json"],
    )
    show.add_argument("model", metavar="NAME|ID", help="a model (the one that scores), or the id of one")
    compare = model.add(
        "compare",
        _compare,
        "two models' figures side by side, and what differs in their settings",
        ["model compare 3f2a9c01b7de 90ab12cd34ef"],
    )
    compare.add_argument("a", metavar="NAME|ID", help="a model")
    compare.add_argument("b", metavar="NAME|ID", help="another one")
    for parser in (listed, show, compare):
        parser.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    train = model.add(
        "train",
        _train,
        "fit a model anew now, from what stands, and bring all up to date that hangs on it",
        ["model train churn"],
        "What is fitted anew keeps names and starts from the old one where the model has such: nobody moves who did not\n"
        "change. It is a turn without new data from the sources.",
    )
    train.add_argument("model", metavar="NAME", help="see: tessera model list")


def _list(call: Call) -> int:
    found = [c for c in _cards(call) if call.args.all or c["status"] != "retired"]

    def draw() -> None:
        rows = [[c["model"], c["id"], c["status"], c["fitted_at"], c["people"], c["remembers"], _figures(c)] for c in found]
        call.show.table(["model", "id", "status", "as of", "people", "remembers", "figures (95 %)"], rows)
        if not found:
            call.show.note("No models yet. Try: tessera turn")

    call.show.answer(found, draw)
    return 0


def _show(call: Call) -> int:
    card = _named(_cards(call), call.args.model)

    def draw() -> None:
        call.show.facts({k: v for k, v in card.items() if k not in JSON and v is not None})
        for part in JSON:
            call.show.line()
            figures = {k: _figure(v) if part == "figures" else v for k, v in card[part].items()}
            call.show.facts(figures, title=part.replace("_", " "))

    call.show.answer(card, draw)
    return 0


def _compare(call: Call) -> int:
    cards = _cards(call)
    a, b = (_named(cards, n) for n in (call.args.a, call.args.b))
    figures = {n: [c["figures"].get(n) for c in (a, b)] for n in sorted({*a["figures"], *b["figures"]})}
    settings = {
        n: [c["settings"].get(n) for c in (a, b)]
        for n in sorted({*a["settings"], *b["settings"]})
        if a["settings"].get(n) != b["settings"].get(n)
    }
    document = {"a": a["id"], "b": b["id"], "figures": figures, "settings": settings}

    def draw() -> None:
        heads = [f"{c['model']} {c['id']}" for c in (a, b)]
        call.show.table(["figure", *heads], [[n, *(_figure(v) for v in both)] for n, both in figures.items()])
        if settings:
            call.show.line()
            call.show.table(["setting", *heads], [[n, *both] for n, both in settings.items()])

    call.show.answer(document, draw)
    return 0


def _train(call: Call) -> int:
    name = call.args.model
    with call.open() as app, call.progress() as told:
        before = {c["id"] for c in _read(app, None) if c["model"] == name}
        app.refit(name, progress=told)
        fitted = [c for c in _read(app, None) if c["model"] == name and c["id"] not in before and c["status"] != "retired"]
        standing = [c for c in _read(app, None) if c["model"] == name and c["status"] == "champion"]

    def draw() -> None:
        for card in fitted or standing:
            call.show.line(f"{card['model']} {card['id']}: {card['status']}; {_figures(card)}")
        if not fitted:
            same = "The same data and settings gave the same model."
            call.show.note(same if standing else "There was too little to learn from.")

    call.show.answer({"model": name, "fitted": fitted, "champion": standing[0]["id"] if standing else None}, draw)
    return 0


def _cards(call: Call) -> list[dict[str, Any]]:
    with call.open() as app:
        return _read(app, call.args.role)


def _read(app: Any, role: str | None) -> list[dict[str, Any]]:
    if app.lake.version("models") is None:
        return []
    found: list[dict[str, Any]] = app.sql(CARDS, purpose=PURPOSE, role=role).table.to_pylist()
    return [card | {part: json.loads(card[part]) for part in JSON} for card in found]


def _named(cards: list[dict[str, Any]], named: str) -> dict[str, Any]:
    """The card of that id, or the one that scores of that name."""
    for card in cards:
        if card["id"] == named or (card["model"] == named and card["status"] == "champion"):
            return card
    raise NotFound("Model", named, sorted({c["model"] for c in cards} | {c["id"] for c in cards}))


def _figures(card: dict[str, Any]) -> str:
    shown = [f"{n} {_figure(v)}" for n, v in list(card["figures"].items())[:3]]
    rest = len(card["figures"]) - len(shown)
    return ", ".join([*shown, *([many(rest, "more", "more")] if rest else [])])


def _figure(told: dict[str, Any] | None) -> str:
    if told is None:
        return ""
    value = f"{told['value']:.4g}"
    return value if told["low"] is None else f"{value} ({told['low']:.4g} to {told['high']:.4g})"
