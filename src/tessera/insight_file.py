"""insight.yaml: what each model of a workspace is told; whatever is not written has a default here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tessera.config import InsightConfig
from tessera.yamlmarks import Piece
from tessera.yamlread import Reader, choice, entries, label, many, number, section, whole


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

DEFAULT = InsightConfig(models={model: {n: s.default for n, s in its.items()} for model, its in MODELS.items()})


def insight(piece: Piece) -> InsightConfig:
    """What the file says; each mistake is noted with its line."""
    top = section(piece, ("without", *MODELS))
    if top is None:
        return DEFAULT
    told: dict[str, Mapping[str, Any]] = {}
    for model, its in MODELS.items():
        part = section(top.parts[model], its) if model in top else None
        told[model] = {n: part.get(n, s.reads, s.default) if part else s.default for n, s in its.items()}
    return InsightConfig(models=told, without=frozenset(top.get("without", many(choice(MODELS)), ())))
