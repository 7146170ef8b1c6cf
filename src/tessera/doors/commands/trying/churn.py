"""`tessera try churn FILE --target COLUMN`: how well any table foretells its yes/no column, and why, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands.trying.numbers import whole
from tessera.doors.show import many

if TYPE_CHECKING:
    from tessera.insight.blend import Blend
    from tessera.insight.churn.folded import Folded, Judged, Spread
    from tessera.insight.churn.tabular import Prepared
    from tessera.insight.explain.counterfactual import Counterfactual, Lever
    from tessera.insight.explain.words import Word

SAMPLE = 2_000
"""Rows that importance is measured on."""
SHOWN = 10


def add(commands: Commands) -> None:
    """Declares it."""
    churn = commands.add(
        "churn",
        _churn,
        "who leaves, or buys, from any table with a column that says who did",
        [
            "try churn telco.csv --target Churn",
            "try churn bookings.parquet --target cancelled --positive yes --without agent_note",
            "try churn telco.csv --target Churn --change MonthlyCharges=down --change Contract --json",
        ],
        "Small boosted trees, with as much of a logistic regression as helps, are judged on rows that they have not seen:\n"
        "k parts, dealt anew several times; the regression alone stands beside. Columns that name a row, say nothing or\n"
        "say the answer are left out, with the reason.\n"
        "Nothing is kept of the file.",
    )
    churn.add_argument("file", metavar="FILE", help="CSV, JSON or Parquet")
    churn.add_argument("--target", metavar="COLUMN", required=True, help="the column to foretell; it has two values")
    churn.add_argument("--positive", metavar="VALUE", help="the value that counts as yes (default: found by its word)")
    churn.add_argument("--without", metavar="COLUMN", action="append", default=[], help="leave this column out (repeatable)")
    churn.add_argument("--keep", metavar="COLUMN", action="append", default=[], help="keep it whatever speaks against it")
    churn.add_argument(
        "--change", metavar="COLUMN[=up|down]", action="append", default=[], type=_lever,
        help="a column that can be changed: say what would have to change (repeatable)",
    )  # fmt: skip
    churn.add_argument("--folds", type=whole(2, 20), default=5, metavar="K", help="parts (default: 5)")
    churn.add_argument("--seeds", type=whole(1, 50), default=5, metavar="N", help="how often they are dealt (default: 5)")


def _churn(call: Call) -> int:
    from tessera.doors.commands.trying import bare
    from tessera.insight.churn import folded, tabular

    args = call.args
    con, table, columns = bare.opened(args.file)
    data = tabular.prepared(
        con, table, columns, args.target, line=bare.ROW, positive=args.positive, without=args.without,
        keep={*args.keep, *(c for c, _ in args.change)} - set(args.without),
    )  # fmt: skip
    unreadable = bare.rejected(con)
    con.close()
    with call.progress() as told:
        found = folded.judged(
            data.x, data.y, data.names, tuple(data.levels), seeds=args.seeds, folds=args.folds,
            tell=lambda done, total: told("learning and judging", done, total),
        )  # fmt: skip
        told("the model of all rows", 0, 1)
        model = folded.final(data.x, data.y, data.names, tuple(data.levels))
        document = _document(Path(args.file).name, data, found, model, dict(args.change), unreadable)
    call.show.answer(document, lambda: _draw(call, document, data))
    return 0


def _document(file: str, data: Prepared, found: Folded, model: Blend, ways: dict[str, Any], unreadable: int) -> dict[str, Any]:
    import numpy as np

    from tessera.insight.explain.contributions import explained
    from tessera.insight.explain.counterfactual import levers
    from tessera.insight.explain.views import dependence, importance
    from tessera.insight.explain.words import word

    known = _words(data)
    some = np.random.default_rng(1).permutation(len(data.y))[:SAMPLE]
    ranked = importance(explained(model, data.x[some]))
    return {
        "file": file,
        "rows": len(data.y),
        "target": data.target,
        "positive": data.positive,
        "rate": float(data.y.mean()),
        "folds": found.folds,
        "seeds": found.seeds,
        "auc": _spread(found.model.auc),
        "brier": found.model.brier,
        "ece": found.model.ece,
        "logistic": _judged(found.twin),
        "ahead_of_logistic": _spread(found.ahead),
        "calibration": [{"rows": b.rows, "said": b.said, "came": b.came} for b in found.bins],
        "importance": [
            {
                "column": i.column, "en": word(i.column, known).en, "zh": word(i.column, known).zh, "points": i.points * 100,
                "share": i.share,
            }
            for i in ranked
        ],
        "dependence": {
            i.column: [
                {"low": _low(data, i.column, b.low), "high": _low(data, i.column, b.high), "rows": b.rows, "score": b.score}
                for b in dependence(model, data.x, i.column, category=i.column in data.levels)
            ]
            for i in ranked[:3]
        },
        "examples": _examples(data, found, model, known, levers(data.x, data.names, ways, tuple(data.levels))),
        "left_out": [{"column": c, "reason": r} for c, r in data.left_out.items()],
        "doubts": [{"column": c, "reason": r} for c, r in data.doubts.items()],
        "rows_without_target": data.dropped,
        "unreadable_lines": unreadable,
    }  # fmt: skip


def _examples(
    data: Prepared, found: Folded, model: Blend, known: dict[str, Word], levers: tuple[Lever, ...]
) -> list[dict[str, Any]]:
    """The row with the highest score, the one nearest to the rate, and the one with the lowest."""
    import numpy as np

    from tessera.insight.explain.contributions import explained
    from tessera.insight.explain.counterfactual import nearest
    from tessera.insight.explain.sentences import Subject, sentences, why, written

    scores = model.score(data.x)
    picked = [int(scores.argmax()), int(np.abs(scores - data.y.mean()).argmin()), int(scores.argmin())]
    subject = Subject(en=f"Chance of {data.target}", zh=f"「{data.target}」的概率")
    labels = {"zh": {(c, "(other)"): "其他" for c in data.levels}}
    parts = explained(model, data.x[picked])
    made = []
    for place, row in enumerate(picked):
        told = why(parts, place, data.shown(row))
        goal = float(data.y.mean())
        change = nearest(model, data.x[row], levers, goal) if levers and scores[row] > goal else None
        made.append(
            {
                "line": int(data.lines[row]),
                "was_positive": bool(data.y[row]),
                "unseen": float(found.unseen[row]),
                **written(told),
                "en": sentences(told, "en", known=known, subject=subject),
                "zh": sentences(told, "zh", known=known, subject=subject, labels=labels["zh"]),
                "change": _change(data, change),
            }
        )
    return made


def _words(data: Prepared) -> dict[str, Word]:
    """Dates are days before the newest of their column, so they are called that."""
    from tessera.insight.explain.words import Word, word

    plain = {c: word(c, {}) for c in data.dates}
    return {
        c: Word(en=f"days from {w.en} to the newest one", zh=f"{w.zh}距最新日期的天数", unit="days") for c, w in plain.items()
    }


def _change(data: Prepared, found: Counterfactual | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "from": found.before,
        "to": found.after,
        "changes": [
            {
                "column": c.column,
                "before": None if c.before is None else data.value(c.column, c.before),
                "after": data.value(c.column, c.after),
            }
            for c in found.changes
        ],
    }


def _spread(spread: Spread) -> dict[str, float]:
    return {"mean": spread.mean, "low": spread.low, "high": spread.high}


def _judged(judged: Judged) -> dict[str, Any]:
    return {"auc": _spread(judged.auc), "brier": judged.brier, "ece": judged.ece}


def _low(data: Prepared, column: str, number: float | None) -> float | str | None:
    return None if number is None else data.value(column, number)


def _draw(call: Call, document: dict[str, Any], data: Prepared) -> None:
    show = call.show
    show.facts(
        {
            "rows": f"{document['rows']:,}, of which {document['rate']:.1%} have {data.target} = {data.positive}",
            "judged on": f"{document['folds']} parts, dealt {many(document['seeds'], 'time')}",
        }
    )
    show.line()
    twin = document["logistic"]
    show.table(
        ["model", "AUC", "95 %", "Brier", "ECE"],
        [
            ["trees and twin", *_figures(document)],
            ["logistic twin", *_figures(twin)],
        ],
    )
    ahead = document["ahead_of_logistic"]
    show.line(f"The model less its twin: {ahead['mean']:+.4f} AUC [{ahead['low']:+.4f}, {ahead['high']:+.4f}]")
    show.line()
    show.table(
        ["column", "moves a score by", "share"],
        [[i["en"], f"{i['points']:.1f} points", f"{i['share']:.0%}"] for i in document["importance"][:SHOWN]],
    )
    for example in document["examples"]:
        show.line()
        show.line(f"Row {example['line']}, which was {'' if example['was_positive'] else 'not '}positive:")
        for sentence in (*example["en"], *example["zh"]):
            show.line(f"  {sentence}")
        if example["change"]:
            changes = ", ".join(f"{c['column']} {c['before']} -> {c['after']}" for c in example["change"]["changes"])
            show.line(f"  To come to {example['change']['to']:.1%}: {changes}.")
    for column in (*document["left_out"], *document["doubts"]):
        verb = "Left out" if column in document["left_out"] else "Look at"
        show.note(f"{verb}: {column['column']}: {column['reason'].rstrip('?')}{'?' if column['reason'][-1] == '?' else '.'}")
    if document["rows_without_target"]:
        show.note(f"{many(document['rows_without_target'], 'row')} without {data.target} left out.")
    if document["unreadable_lines"]:
        show.note(f"{many(document['unreadable_lines'], 'line')} could not be read.")


def _figures(of: dict[str, Any]) -> list[str]:
    auc = of["auc"]
    return [f"{auc['mean']:.4f}", f"{auc['low']:.4f} to {auc['high']:.4f}", f"{of['brier']:.4f}", f"{of['ece']:.4f}"]


def _lever(text: str) -> tuple[str, str]:
    column, found, way = text.rpartition("=")
    if not found or way not in ("up", "down", "both"):
        return text, "both"
    return column, way
