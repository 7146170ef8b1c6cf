"""Models: what was learned, from whom, how well; whether it keeps its word, for every group, and still today."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from starlette.responses import Response

from tessera.doors.pages import insight
from tessera.doors.pages.menu import Page
from tessera.doors.pages.model_words import FIGURES, GROUPS, MODELS, NOTES, Model
from tessera.doors.pages.pictures.calibration import Bin, calibration
from tessera.doors.pages.pictures.marks import bar
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_, Tongue
from tessera.doors.pages.visit import Visitor
from tessera.errors import NotFound
from tessera.insight.churn.model import SCORE
from tessera.insight.explain.words import word
from tessera.insight.propensity.goals import ALL_WORDS
from tessera.insight.segments.fitting import DRIFTED

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
LIST = Page(
    name="models", path="/models", title=N_("Models"), icon="flask-conical", group="act", function="tables", key="m"
)
PAGES = (LIST,)

CARDS = """SELECT model, id, status, fitted_at, noted_at, retired_at, purpose, people, remembers, seed, figures, settings,
                  made_from, note FROM models ORDER BY model, noted_at DESC, id"""
CHECKS = {"churn": "churn_checks", "propensity": "propensity_checks"}
"""Model -> the table that tells how it keeps its word."""
OFF, MANY = 0.05, 50
"""A group is flagged where what came is surely (95 %) and by more than OFF not what was said; told of from MANY people on."""
FIRST = 12


@router.get(LIST.path)
async def models(visit: Visitor) -> Response:
    """Every model that scores or waits."""

    def work(room: Room) -> dict[str, Any]:
        return {
            "through": insight.elsewhere(room, ("models", ("model", "figures"))), "list": room.card(lambda: _listed(room)),
            "known": MODELS, "now_day": insight.today(room.app),
        }  # fmt: skip

    return await visit.page(LIST, "models.html", work)


@router.get(LIST.path + "/{name}")
async def model(visit: Visitor, name: Annotated[str, InPath(max_length=100)]) -> Response:
    """One model's card."""

    def work(room: Room) -> dict[str, Any]:
        if name not in MODELS:
            raise NotFound("Model", name, list(MODELS))
        card = room.card(lambda: _card(room, name))
        checks = room.card(lambda: _checks(room, name)) if name in CHECKS else None
        return {
            "name": name, "what": MODELS[name], "card": card, "checks": checks, "today": insight.today(room.app),
            "through": insight.elsewhere(room, ("models", ("model", "figures"))),
        }  # fmt: skip

    return await visit.page(LIST, "model.html", work)


def _read(room: Room, name: str = "") -> list[Row]:
    if not room.has("models"):
        return []
    read = [
        row | {part: json.loads(row[part]) for part in ("figures", "settings", "made_from")} for row in room.ask(CARDS)
    ]  # fmt: skip
    return [row for row in read if not name or row["model"] == name]


def _listed(room: Room) -> dict[str, Any]:
    """Each model that scores, with its figure and flags; how many wait as challengers."""
    cards = _read(room)
    flags = {name: _checks(room, name) for name in CHECKS}
    rows = []
    for row in cards:
        if row["status"] != "champion":
            continue
        about = MODELS.get(row["model"], Model(title=row["model"], sentence=""))
        checks = flags.get(row["model"])
        rows.append(row | {
            "about": about, "main": _main(row, about, room.tongue),
            "days": (insight.today(room.app) - row["fitted_at"]).days,
            "waits": sum(1 for c in cards if c["model"] == row["model"] and c["status"] == "challenger"),
            "unfair": None if not checks else sum(len(g["unfair"]) for g in checks),
            "groups": None if not checks else sum(len(g["fairness"]) for g in checks),
            "drift": None if not checks else max((g["drift"] for g in checks if g["drift"] is not None), default=None),
        })  # fmt: skip
    order = list(MODELS)
    rows.sort(key=lambda r: (order.index(r["model"]) if r["model"] in order else len(order), r["model"]))
    return {"rows": rows, "drifted": DRIFTED}


def _main(row: Row, about: Model, tongue: Tongue) -> Row | None:
    """The figure by which a model is judged first; of several goals the worst."""
    named = {n: f for n, f in row["figures"].items() if n == about.main or n.endswith(f".{about.main}")}
    if not about.main or not named:
        return None
    name = min(named, key=lambda n: named[n]["value"])
    return _figure(name, named[name], tongue)


def _figure(name: str, told: dict[str, Any], tongue: Tongue) -> Row:
    goal, _, plain = name.rpartition(".")
    words, form = FIGURES.get(plain, ("", "score"))
    said = {end: _written(told.get(end), form, tongue) for end in ("value", "low", "high")}
    named = tongue(words) if words else plain.replace("_", " ")
    return {"name": name, "goal": goal, "words": named, "known": bool(words)} | said


def _written(value: float | None, form: str, tongue: Tongue) -> str | None:
    if value is None:
        return None
    if form == "share":
        return tongue.percent(value, 1)
    return tongue.number(value, 0 if form == "number" or float(value).is_integer() else 3)


def _card(room: Room, name: str) -> dict[str, Any]:
    """The one that scores, and all that were."""
    cards = _read(room, name)
    champion = next((c for c in cards if c["status"] == "champion"), None)
    if champion is None:
        return {"champion": None, "history": []}
    figures = [_figure(n, f, room.tongue) for n, f in champion["figures"].items()]
    figures.sort(key=lambda f: not f["known"])
    about = MODELS[name]
    history = [c | {"main": _main(c, about, room.tongue)} for c in cards]
    note = champion["note"] or ""
    settings = {n: _plain(v) for n, v in champion["settings"].items()}
    return {
        "champion": champion, "figures": figures, "history": history, "settings": settings,
        "days": (insight.today(room.app) - champion["fitted_at"]).days,
        "note": room.tongue(note), "noted_in": None if note in NOTES else "en",
    }  # fmt: skip


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else "–" if value is None else str(value)


def _checks(room: Room, name: str) -> list[dict[str, Any]]:
    """How a model keeps its word: of churn once, of propensities for each goal."""
    table = CHECKS[name]
    if not (room.has(table) and room.has("models")):
        return []
    goal = "goal" if name == "propensity" else "'' AS goal"
    kinds = "kind IN ('importance', 'calibration', 'realised', 'drift', 'fairness')"
    found = room.ask(f"SELECT {goal}, kind, subject, label, people, said, came, value, ece, at FROM {table} WHERE {kinds}").rows
    parts: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        parts[row["goal"]][row["kind"]].append(row)
    return [_goal(room, goal, kinds) for goal, kinds in sorted(parts.items())]


def _goal(room: Room, goal: str, kinds: dict[str, list[Row]]) -> dict[str, Any]:
    tongue = room.tongue
    drift = {r["subject"]: r["value"] for r in kinds["drift"]}
    moved = sorted(((v, n) for n, v in drift.items() if n != SCORE and v is not None), reverse=True)
    fairness = sorted(kinds["fairness"], key=lambda r: (r["subject"], -r["people"]))
    weights = sorted(kinds["importance"], key=lambda r: -(r["value"] or 0))
    most = max((r["value"] or 0 for r in weights), default=0) or 1
    bins = sorted(kinds["calibration"], key=lambda r: r["said"])
    return {
        "goal": goal, "label": _goal_label(room, goal), "at": next((r["at"] for some in kinds.values() for r in some), None),
        "drift": drift.get(SCORE), "moved": [(_named(n, tongue), v) for v, n in moved[:FIRST]],
        "fairness": [r | {"off": _off(r), "by": _by(r, tongue)} for r in fairness],
        "unfair": [r for r in fairness if _off(r)],
        "realised": next((r for r in kinds["realised"] if r["subject"] == "all"), None),
        "weights": [
            {"name": _named(r["subject"], tongue), "points": r["value"], "bar": bar((r["value"] or 0) / most)} for r in weights
        ],
        "bins": bins, "picture": _plot(bins, tongue) if len(bins) > 1 else None, "people": sum(r["people"] for r in bins),
        "first": FIRST,
    }  # fmt: skip


def _goal_label(room: Room, goal: str) -> str:
    told = room.app.config.insight.of("propensity").get(goal) if goal else None
    words = {n: str(told[n]) for n in ("en", "zh") if told and told.get(n)}
    return room.tongue.pick(words) or goal


def _named(column: str, tongue: Tongue) -> str:
    said = word(column, ALL_WORDS).to(tongue.language)
    return said[:1].upper() + said[1:]


def _by(row: Row, tongue: Tongue) -> str:
    said = GROUPS.get(row["subject"])
    return tongue(said) if said else str(row["subject"])


def _off(row: Row) -> str:
    """Whether a group's share is surely not what was said of it: over (too much was said), under, or empty."""
    if row["people"] < MANY or row["said"] is None or row["came"] is None or abs(row["said"] - row["came"]) <= OFF:
        return ""
    low, high = Bin(said=row["said"], came=row["came"], people=row["people"], sentence="").spread
    return "over" if row["said"] > high else "under" if row["said"] < low else ""


def _plot(bins: list[Row], tongue: Tongue) -> Any:
    drawn = [
        Bin(said=r["said"], came=r["came"], people=r["people"], sentence=tongue(
            "Said {said}, came {came}, {people} people.", said=tongue.percent(r["said"]), came=tongue.percent(r["came"]),
            people=tongue.number(r["people"]),
        ))
        for r in bins
    ]  # fmt: skip
    label = tongue("What the model said beside what came; the table below has the numbers.")
    return calibration(drawn, label, tongue("What the model said"), tongue("What came"), tongue.percent)
