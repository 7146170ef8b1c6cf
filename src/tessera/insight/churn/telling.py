"""A model that stands -> rows that tell of it as a whole: what counts, how it keeps its word, what has moved, and by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tessera.insight.calibration import auc, brier, ece
from tessera.insight.churn import model
from tessera.insight.churn.model import FEWEST, SCORE, Group
from tessera.insight.churn.past import Past
from tessera.insight.churn.standing import Stand
from tessera.lake.table import Column


def columns(came: str) -> tuple[Column, ...]:
    """A table's columns for such rows. came: what it is to have done it."""
    return (
        Column(name="kind", type="VARCHAR", note="importance, dependence, calibration, realised, drift, fairness"),
        Column(name="subject", type="VARCHAR", note="the feature, or the field by which groups are told"),
        Column(name="label", type="VARCHAR", note="the bin, or the group"),
        Column(name="people", type="BIGINT", note="no row is told of fewer than 10"),
        Column(name="said", type="DOUBLE", note="the mean probability that the model gave"),
        Column(name="came", type="DOUBLE", note=f"the share who {came}"),
        Column(name="value", type="DOUBLE", note="mean contribution (points), stability index, or AUC"),
        Column(name="ece", type="DOUBLE"),
        Column(name="at", type="DATE", note="the snapshot that it is told of"),
    )


def told(stand: Stand, past: Past) -> list[dict[str, Any]]:
    """The rows of one model, as `columns` names them; what a row does not say is left out of it."""
    known = stand.learned
    rows: list[dict[str, Any]] = [
        {"kind": "importance", "subject": i.column, "label": "", "value": i.points * 100} for i in known.importance
    ]
    for column, bins in known.dependence.items():
        for b in bins:
            label = "missing" if b.low is None else f"{b.low:g} to {b.high:g}"
            rows.append({"kind": "dependence", "subject": column, "label": label, "people": b.rows, "said": b.score})
    rows += [
        {"kind": "calibration", "subject": "all", "label": f"{b.said:.3f}", "people": b.rows, "said": b.said, "came": b.came}
        for b in known.bins
    ]
    rows += _drift(stand, past.question.names)
    # By group as it came true where that is known, else as the model was judged by when it was learned.
    rows += _realised(stand, past) or [_group(g) for g in known.groups]
    return [{**r, "at": stand.at} for r in rows]


def _drift(stand: Stand, names: Sequence[str]) -> list[dict[str, Any]]:
    if len(stand.today) < FEWEST:
        return []
    columns = {c: stand.today[:, i] for i, c in enumerate(names)} | {SCORE: stand.learned.blend.score(stand.today)}
    return [
        {"kind": "drift", "subject": c, "label": "", "people": len(stand.today),
         "value": model.drifted(stand.learned.spreads[c], v)}
        for c, v in columns.items()
    ]  # fmt: skip


def _realised(stand: Stand, past: Past) -> list[dict[str, Any]]:
    """What came of the scores at a snapshot that the model had not learned from: in all, and by group."""
    if stand.since is None or len(stand.since.y) < FEWEST:
        return []
    said, y = stand.learned.blend.score(stand.since.x), stand.since.y
    whole: dict[str, Any] = {
        "kind": "realised", "subject": "all", "label": "", "people": len(said), "said": float(said.mean()),
        "came": float(y.mean()), "value": auc(said, y), "ece": ece(said, y),
    }  # fmt: skip
    brier_row = {**whole, "subject": "brier", "value": brier(said, y), "ece": None}
    return [whole, brier_row, *(_group(g) for g in model.fair(said, y, past.groups(stand.since.people)))]


def _group(g: Group) -> dict[str, Any]:
    return {
        "kind": "fairness", "subject": g.by, "label": g.group, "people": g.people, "said": g.said, "came": g.came,
        "value": g.auc, "ece": g.ece,
    }  # fmt: skip
