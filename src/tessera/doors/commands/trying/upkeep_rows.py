"""What `tessera try upkeep` answers of rows that each failed or not: which do, how good that is, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call

if TYPE_CHECKING:
    from tessera.insight.trees import Numbers
    from tessera.insight.upkeep.tabular import Rows

SAMPLE = 2_000
"""Rows that importance is measured on."""
FEWEST = 10
"""Rows that are listed, also where fewer failed."""


def failed(call: Call, con: Any, table: str, columns: dict[str, str]) -> dict[str, Any]:
    """The document of a table with --failed alone. Raises BadInput."""
    import numpy as np

    from tessera.doors.commands.trying import bare
    from tessera.insight.calibration import auc
    from tessera.insight.explain.contributions import explained
    from tessera.insight.explain.sentences import Subject, sentences, why
    from tessera.insight.explain.views import importance
    from tessera.insight.explain.words import word
    from tessera.insight.upkeep import failing, remaining, tabular, words

    args = call.args
    data = tabular.flagged(con, table, columns, args.failed, without=args.without, line=bare.ROW)
    with call.progress() as told:
        model, judged = failing.fit(
            data.x, data.y, data.names, data.numeric, folds=args.folds, seed=args.seed,
            tell=lambda done, total: told("learning and judging", done, total),
        )  # fmt: skip
    rows = np.arange(len(data.y))
    low, high = remaining.spread(lambda some: failing.precision(data.y[some], judged.unseen[some]), rows, draws=200)
    wide = model.widened(data.x)
    some = np.random.default_rng(1).permutation(len(wide))[:SAMPLE]
    ranked = importance(explained(model.model, wide[some]))
    top = np.argsort(-judged.unseen, kind="stable")[: max(FEWEST, int(data.y.sum()))]
    parts = explained(model.model, wide[top])
    subject, called = Subject(en="Risk of failure", zh="故障风险："), words.paired(model)
    latest = []
    for place, row in enumerate(top.tolist()):
        reason = why(parts, place, _values(data, model.model.names, wide[row]), top=3)
        latest.append({
            "line": int(data.lines[row]), "failed": bool(data.y[row]), "risk": float(parts.score[place]),
            "unseen": float(judged.unseen[row]),
            "reason": {
                "en": sentences(reason, "en", known=called, subject=subject),
                "zh": sentences(reason, "zh", known=called, subject=subject),
            },
        })  # fmt: skip
    return {
        "kind": "failure",
        "rows": len(data.y),
        "failed": int(data.y.sum()),
        "folds": len(judged.choices),
        "average_precision": {"value": failing.precision(data.y, judged.unseen), "low": low, "high": high},
        "baseline_average_precision": float(data.y.mean()),
        "auc": auc(judged.unseen, data.y),
        "brier": float(np.mean((judged.unseen - data.y) ** 2)),
        "pairs": model.choice,
        "pairs_by_fold": list(judged.choices),
        "settings_tried": judged.tried,
        "importance": [
            {"column": i.column, "en": word(i.column, called).en, "zh": word(i.column, called).zh, "share": i.share}
            for i in ranked[:30]
        ],
        "left_out": [{"column": c, "reason": r} for c, r in data.left_out.items()],
        "rows_left_out": data.dropped,
        "latest": latest,
    }  # fmt: skip


def _values(data: Rows, names: tuple[str, ...], row: Numbers) -> list[float | str | None]:
    shown: list[float | str | None] = []
    for column, v in zip(names, row.tolist(), strict=True):
        known = v == v
        shown.append(None if not known else data.levels[column][int(v)] if column in data.levels else v)
    return shown
