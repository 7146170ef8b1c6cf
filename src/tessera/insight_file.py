"""insight.yaml: what each model of a workspace is told; whatever is not written has a default here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tessera.config import InsightConfig
from tessera.yamlmarks import Piece
from tessera.yamlread import Reader, choice, entries, label, many, number, section, text, whole


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a model: how it is read, and its default."""

    reads: Reader[Any]
    default: Any


def _shares(piece: Piece) -> dict[str, float] | None:
    """A mapping: the beginning of products' numbers -> the share of their price that is margin."""
    if piece.kind != "map":
        piece.wrong("a mapping of products' beginnings to shares, such as {P1: 0.4}")
        return None
    found = {key.raw: number(0, 1)(value) for key, value in entries(piece)}
    return {start: share for start, share in found.items() if share is not None}


GROUPS = ("country", "region", "city", "language", "tier")
"""Fields of a profile by which a model's fairness can be told."""

MODELS: Mapping[str, Mapping[str, Setting]] = {
    "attribution": {
        "window_days": Setting(reads=whole(1, 365), default=30),
        "order": Setting(reads=whole(1, 4), default=2),
        "direct": Setting(reads=choice(("keep", "ignore")), default="ignore"),
    },
    "value": {"horizon_days": Setting(reads=whole(1, 3650), default=365)},
    "churn": {
        "form": Setting(reads=choice(("purchases", "subscription")), default="purchases"),
        "horizon_days": Setting(reads=whole(7, 730), default=90),
        "active_days": Setting(reads=whole(30, 3650), default=365),
        "began": Setting(reads=many(label), default=("Subscription Started",)),
        "ended": Setting(reads=many(label), default=("Subscription Cancelled",)),
        "groups": Setting(reads=many(choice(GROUPS)), default=("country", "tier")),
    },
    "recommend": {
        "top": Setting(reads=whole(1, 100), default=10),
        "margin_weight": Setting(reads=number(0, 1), default=0.0),
        "margins": Setting(reads=_shares, default={}),
    },
    "interests": {
        "half_life_days": Setting(reads=whole(1, 3650), default=90),
        "model": Setting(reads=choice(("ngrams", "embedding")), default="ngrams"),
    },
    "upkeep": {"horizon_days": Setting(reads=whole(1, 365), default=30)},
}
"""Model -> its settings by name."""

PROPENSITY = "propensity"
GOAL: Mapping[str, Setting] = {
    "event": Setting(reads=label, default=""),
    "products": Setting(reads=many(text()), default=()),
    "horizon_days": Setting(reads=whole(7, 365), default=30),
    "active_days": Setting(reads=whole(7, 3650), default=180),
    "groups": Setting(reads=many(choice(GROUPS)), default=("country", "tier")),
    "en": Setting(reads=text(), default=""),
    "zh": Setting(reads=text(), default=""),
}
"""A goal of the section propensity, which has as many as the company names. en, zh: "buying a filter"; made up if not said."""
MOST_GOALS = 20
ANY = "*"
"""Among products: whatever it is."""

DEFAULT = InsightConfig(
    models={model: {n: s.default for n, s in its.items()} for model, its in MODELS.items()} | {PROPENSITY: {}}
)


def insight(piece: Piece) -> InsightConfig:
    """What the file says; each mistake is noted with its line."""
    top = section(piece, ("without", *MODELS, PROPENSITY))
    if top is None:
        return DEFAULT
    told: dict[str, Mapping[str, Any]] = {}
    for model, its in MODELS.items():
        part = section(top.parts[model], its) if model in top else None
        told[model] = {n: part.get(n, s.reads, s.default) if part else s.default for n, s in its.items()}
    told[PROPENSITY] = _goals(top.parts[PROPENSITY]) if PROPENSITY in top else {}
    return InsightConfig(models=told, without=frozenset(top.get("without", many(choice((*MODELS, PROPENSITY))), ())))


def _goals(piece: Piece) -> Mapping[str, Mapping[str, Any]]:
    """Each goal's settings: an event or the beginnings of products' ids, and not both."""
    found: dict[str, Mapping[str, Any]] = {}
    named = text(r"[a-z][a-z0-9_]{0,39}", "a name of small letters, digits and _")
    for key, value in entries(piece):
        name, part = named(key), section(value, GOAL)
        if name is None or part is None:
            continue
        told = {n: part.get(n, s.reads, s.default) for n, s in GOAL.items()}
        if ("event" in part) == ("products" in part):
            value.say(f"the goal {name!r} needs either an event or products.")
            continue
        what = told["event"] or ", ".join(told["products"])
        made = {"en": f"buying {what}", "zh": f"购买 {what}"} if told["products"] else {"en": f"“{what}”", "zh": f"「{what}」"}
        if ANY in told["products"]:
            made = {"en": "buying something", "zh": "购买商品"}
        found[name] = told | {language: told[language] or words for language, words in made.items()}
    if len(found) > MOST_GOALS:
        piece.say(f"{len(found)} goals: at most {MOST_GOALS} are learned.")
    return found
