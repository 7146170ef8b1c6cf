"""What `tessera churn`, `propensity` and `value` share: a model's card and its checks, read and drawn."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tessera.doors.show import Show

if TYPE_CHECKING:
    from tessera.app import App
    from tessera.insight.explain.words import Word

PURPOSE = "analytics"
KINDS = ("importance", "dependence", "calibration", "realised", "drift", "fairness")
CARD = "SELECT id, fitted_at, people, figures, settings, note FROM models WHERE model = '{}' AND status = 'champion'"
MOVED = 0.1
"""The stability index from which a feature is told of to people: below, nothing has moved."""


def options(parser: argparse.ArgumentParser, person: str) -> None:
    """The words that `churn` and `propensity` know. person: what is said of one."""
    parser.add_argument("--person", type=int, metavar="ID", help=person)
    parser.add_argument("--customer", action="store_true", help="the reasons as she may read them (with --person)")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the sentences shown (default: en)")
    parser.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    parser.add_argument("--purpose", metavar="P", default=PURPOSE, help=f"what for (default: {PURPOSE})")


def asked(app: App, table: str, question: str, args: Any) -> list[dict[str, Any]]:
    """The answer's rows; none where the table has never been written."""
    if table not in app.lake.tables or app.lake.version(table) is None:
        return []
    found: list[dict[str, Any]] = app.sql(question, purpose=args.purpose, role=args.role).table.to_pylist()
    return found


def card(app: App, model: str, args: Any) -> dict[str, Any] | None:
    """The card of the model that scores."""
    found = asked(app, "models", CARD.format(model), args)
    return found[0] | {part: json.loads(found[0][part]) for part in ("figures", "settings")} if found else None


def by_kind(checks: Iterable[Mapping[str, Any]], known: Mapping[str, Word]) -> dict[str, list[dict[str, Any]]]:
    """A model's checks by their kind; with a feature's words where the row is of one."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for row in checks:
        found[row["kind"]].append(_check(row, known))
    return found


def _check(row: Mapping[str, Any], known: Mapping[str, Word]) -> dict[str, Any]:
    from tessera.insight.explain.words import word

    named = word(row["subject"], known)
    words = {"en": named.en, "zh": named.zh} if row["kind"] in ("importance", "dependence", "drift") else {}
    return {k: v for k, v in row.items() if k not in ("kind", "goal")} | words


def draw(
    show: Show, figures: Mapping[str, Any], bands: Iterable[Mapping[str, Any]], checks: Mapping[str, list[dict[str, Any]]],
    head: str,
) -> None:  # fmt: skip
    """A model's figures, bands, what counts, and how it kept its word. head: of what the bands are."""
    show.table(["figure", "value", "95 %"], [[n, *figure(f)] for n, f in figures.items()])
    show.line()
    show.table([head, "people", "mean"], [[b["band"], b["people"], _percent(b["probability"])] for b in bands])
    show.line()
    counts = sorted(checks["importance"], key=lambda i: -i["value"])[:8]
    show.table(["what counts", "points"], [[i["en"], round(i["value"], 1)] for i in counts])
    for kind, of in (("calibration", "said"), ("realised", "of"), ("fairness", "group")):
        if rows := checks[kind]:
            show.line()
            label = [f"{c['subject']} {c['label']}".strip() for c in rows]
            told = [[_percent(c["said"]), _percent(c["came"]), _rounded(c["value"])] for c in rows]
            show.table(
                [f"{kind}: {of}", "people", "said", "came", "AUC"],
                [[name, c["people"], *f] for name, c, f in zip(label, rows, told, strict=True)],
            )
    moved = [d for d in checks["drift"] if d["value"] is not None and d["value"] >= MOVED]
    for d in sorted(moved, key=lambda d: -d["value"])[:5]:
        show.note(f"Has moved since the model was learned: {d['en']} (stability index {d['value']:.2f}).")


def judged(told: Mapping[str, Any]) -> str:
    """At what and on whom a model was judged, by its card's settings."""
    return f"at {told['judged_at']}, on " + ("a later time" if told["judged_on"] == "later" else "other people")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def figure(told: Mapping[str, Any]) -> tuple[float | None, str]:
    """A figure of a card, as a table shows it: its value and its interval."""
    return _rounded(told["value"]), "" if told["low"] is None else f"{told['low']:.4f} to {told['high']:.4f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
