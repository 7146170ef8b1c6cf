"""`tessera try upkeep FILE`: how long each unit still runs, or which rows fail, from any table of telemetry."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import many

if TYPE_CHECKING:
    from tessera.insight.trees import Numbers
    from tessera.insight.upkeep.remaining import Judged, Remaining
    from tessera.insight.upkeep.tabular import Lives, Rows
    from tessera.insight.upkeep.telemetry import Telemetry

SHOWN = 10
SAMPLE = 2_000
"""Rows that importance is measured on."""


def add(commands: Commands) -> None:
    """Declares it."""
    upkeep = commands.add(
        "upkeep",
        _upkeep,
        "how long devices still run, or which fail, from any table of their readings",
        [
            "try upkeep engines.csv --unit engine --cycle cycle",
            "try upkeep train.parquet --unit id --cycle day --test running.parquet --cap 125 --out remaining.csv",
            "try upkeep machines.csv --failed machine_failure --without operator --json",
        ],
        "With --unit and --cycle each unit's last row is its failure; with --failed too, a row so marked is (a unit may fail\n"
        "several times), and what is not marked still runs. With --failed alone each row stands for itself.\n"
        "Judged in folds: rows of one unit never lie on both sides. Nothing is kept of the file.",
    )
    upkeep.add_argument("file", metavar="FILE", help="CSV, JSON or Parquet")
    upkeep.add_argument("--unit", metavar="COLUMN", help="which device, machine or engine a row is of")
    upkeep.add_argument("--cycle", metavar="COLUMN", help="its age at the row: a number of cycles, or a time (counted in days)")
    upkeep.add_argument("--failed", metavar="COLUMN", help="the column that marks failures (1, true, yes, failed, ...)")
    upkeep.add_argument("--test", metavar="FILE", help="other units that still run: what is left of them")
    upkeep.add_argument(
        "--truth", metavar="FILE", help="what was truly left of the units of --test: a number a line, in their order"
    )
    upkeep.add_argument(
        "--cap", type=float, metavar="N", help="what is farther away counts as this (default: 0.6 of a median life)"
    )
    upkeep.add_argument(
        "--horizon", type=float, metavar="N", help="risk is that of failing within so many cycles (default: cap / 5)"
    )
    upkeep.add_argument("--without", metavar="COLUMN", action="append", default=[], help="leave this column out (repeatable)")
    upkeep.add_argument("--folds", type=_count(2, 20), default=5, metavar="K", help="parts (default: 5)")
    upkeep.add_argument("--seed", type=_count(0, 1_000_000), default=1, metavar="N", help="of folds and trees (default: 1)")
    upkeep.add_argument("--out", metavar="FILE", help="every unit or row with its answer: .csv, .parquet, .json or .jsonl")


def _upkeep(call: Call) -> int:
    from tessera.doors.commands.trying import bare, out
    from tessera.errors import BadInput

    args = call.args
    if args.out:
        out.checked(args.out)
    if bool(args.unit) != bool(args.cycle):
        raise BadInput(f"--{'cycle' if args.unit else 'unit'} is missing: telemetry needs both. With neither, name --failed.")
    if not args.unit and not args.failed:
        raise BadInput("Name --unit and --cycle (telemetry until failure), or --failed (rows that failed or not).")
    if args.test and not args.unit:
        raise BadInput("--test is for telemetry: name --unit and --cycle.")
    if args.truth and not args.test:
        raise BadInput("--truth is what was left of the units of --test: name that file too.")
    con, table, columns = bare.opened(args.file)
    unreadable = bare.rejected(con)
    document = (_lived if args.unit else _failed)(call, con, table, columns)
    document |= {"file": Path(args.file).name, "unreadable_lines": unreadable}
    if args.out:
        import pyarrow as pa

        con.register("answers", pa.Table.from_pylist([_flat(r) for r in document["latest"]]))
        out.write(con, "SELECT * FROM answers", args.out)
    con.close()
    call.show.answer(document, lambda: _draw(call, document))
    return 0


def _lived(call: Call, con: Any, table: str, columns: dict[str, str]) -> dict[str, Any]:
    import numpy as np

    from tessera.doors.commands.trying import bare
    from tessera.errors import BadInput
    from tessera.insight.upkeep import remaining, tabular

    args = call.args
    known = tabular.lives(con, table, columns, args.unit, args.cycle, failed=args.failed, without=args.without, line=bare.ROW)
    past, owner = known.some(known.ended)
    if not len(past.unit):
        raise BadInput(f"No row is marked as a failure by {args.failed}: there is nothing to learn from.")
    with call.progress() as told:
        model, judged = remaining.fit(
            past, cap=args.cap, horizon=args.horizon, folds=args.folds, seed=args.seed, groups=owner,
            tell=lambda done, total: told("learning and judging", done, total),
        )  # fmt: skip
        told("the units", 0, 1)
        document = _document(known, past, model, judged)
        lives = np.flatnonzero(known.ended)
        # Of a unit that failed, what was said of its last row by trees that had not seen it.
        latest = _said(model, known, past, lives, known.names, judged.unseen[past.last], failed=True)
        if (~known.ended).any():
            running, _ = known.some(~known.ended)
            latest += _said(model, known, running, np.flatnonzero(~known.ended), known.names, None)
        document["test"] = None
        if args.test:
            other_con, other, there = bare.opened(args.test)
            test = tabular.lives(
                other_con, other, there, args.unit, args.cycle, sensors=past.sensors, line=bare.ROW,
            )  # fmt: skip
            latest = _said(model, test, test.telemetry, np.arange(len(test.unit)), test.names, None)
            document["test"] = _test(test, model, latest, args.truth)
            other_con.close()
    document["latest"] = latest
    return document


def _document(known: Lives, past: Telemetry, model: Remaining, judged: Judged) -> dict[str, Any]:
    import numpy as np

    from tessera.insight.explain.contributions import explained
    from tessera.insight.explain.views import importance
    from tessera.insight.upkeep import remaining, words

    capped = np.minimum(judged.truth, model.cap)
    soon = judged.truth <= model.horizon
    x = model.reader.read(past)
    some = np.random.default_rng(1).permutation(len(x))[:SAMPLE]
    ranked = importance(explained(model, x[some]))
    called = words.words(model.names)
    low, high = remaining.spread(lambda rows: remaining.rmse(capped[rows], judged.unseen[rows]), past.unit)
    return {
        "kind": "remaining_life",
        "rows": len(known.telemetry.unit),
        "units": len(known.names),
        "lives": len(known.ended),
        "failed": int(known.ended.sum()),
        "folds": judged.folds,
        "cap": model.cap,
        "horizon": model.horizon,
        "rmse": {"value": remaining.rmse(capped, judged.unseen), "low": low, "high": high},
        "rmse_uncapped": remaining.rmse(judged.truth, judged.unseen),
        "baseline_rmse": {
            "constant": remaining.rmse(capped, judged.constant), "cycle_only": remaining.rmse(capped, judged.by_cycle),
        },
        "score": remaining.nasa(capped, judged.unseen) / len(capped),
        "covered": judged.covered,
        "auc": _auc(soon, -judged.unseen),
        "regimes": 1 if model.reader.regimes is None else len(model.reader.regimes.known),
        "importance": [
            {"column": i.column, "en": called[i.column].en, "zh": called[i.column].zh, "share": i.share} for i in ranked[:30]
        ],
        "left_out": [
            *({"column": c, "reason": r} for c, r in known.left_out.items()),
            *({"column": s, "reason": "it never moves"} for i, s in enumerate(past.sensors) if i not in model.reader.kept),
        ],
        "rows_left_out": known.dropped,
    }  # fmt: skip


def _said(
    model: Remaining, known: Lives, telemetry: Telemetry, lives: Any, names: tuple[str, ...], unseen: Numbers | None, *,
    failed: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Each unit at its last row."""
    import numpy as np

    from tessera.insight.upkeep import words

    x = model.reader.read(telemetry)[telemetry.last]
    left = model.score(x) if unseen is None else unseen
    low, high = model.bounds.of(left, model.cap)
    risk = model.risk(left)
    told = words.reasons(model, x, left)
    return [
        {
            "unit": names[known.unit[life]], "cycle": float(telemetry.cycle[telemetry.last[i]]), "failed": failed,
            "remaining": float(left[i]), "low": float(low[i]), "high": None if np.isinf(high[i]) else float(high[i]),
            "risk": float(risk[i]), "reason": told[i],
        }
        for i, life in enumerate(lives.tolist())
    ]  # fmt: skip


def _test(test: Lives, model: Remaining, latest: list[dict[str, Any]], truth: str | None) -> dict[str, Any]:
    """How far off the units of --test were, where somebody says what was truly left."""
    import numpy as np

    from tessera.doors.commands.trying import bare
    from tessera.errors import BadInput
    from tessera.insight.upkeep import remaining
    from tessera.lake.engine import name, rows

    found: dict[str, Any] = {"units": len(latest), "rows": len(test.telemetry.unit), "rmse": None, "score": None}
    if truth is None:
        return found
    con, table, columns = bare.opened(truth)
    told = [
        r[0]
        for r in rows(con, f"SELECT TRY_CAST({name(next(iter(columns)))} AS DOUBLE) FROM {table} ORDER BY {name(bare.ROW)}")
    ]
    con.close()
    if len(told) != len(latest) or any(t is None for t in told):
        raise BadInput(f"{Path(truth).name} has {len(told)} numbers for {len(latest)} units of the file of --test.")
    true, said = np.array(told, dtype=np.float64), np.array([r["remaining"] for r in latest])
    low, high = remaining.spread(lambda some: remaining.rmse(true[some], said[some]), np.arange(len(true)))
    found["rmse"] = {"value": remaining.rmse(true, said), "low": low, "high": high}
    found["score"] = remaining.nasa(true, said)
    return found


def _failed(call: Call, con: Any, table: str, columns: dict[str, str]) -> dict[str, Any]:
    import numpy as np

    from tessera.doors.commands.trying import bare
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
    top = np.argsort(-judged.unseen, kind="stable")[: max(SHOWN, int(data.y.sum()))]
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
        "auc": _auc(data.y > 0, judged.unseen),
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


def _auc(y: Any, said: Any) -> float | None:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y, said)) if 0 < y.sum() < len(y) else None


def _flat(answer: dict[str, Any]) -> dict[str, Any]:
    told = {k: v for k, v in answer.items() if k != "reason"}
    return told | {f"reason_{language}": " ".join(said) for language, said in answer["reason"].items()}


def _draw(call: Call, document: dict[str, Any]) -> None:
    show = call.show
    if document["kind"] == "failure":
        figure = document["average_precision"]
        show.facts({
            "rows": f"{document['rows']:,}, of which {document['failed']:,} failed",
            "average precision": f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}); by chance "
                                 f"{document['baseline_average_precision']:.3f}",
            "AUC": "" if document["auc"] is None else f"{document['auc']:.3f}",
            "pairs of columns": document["pairs"],
        })  # fmt: skip
        heads, picked = ["line", "failed", "risk", "why"], document["latest"]
        listed = [[r["line"], r["failed"], f"{r['unseen']:.0%}", r["reason"]["en"][1]] for r in picked[:SHOWN]]
    else:
        figure, beside = document["rmse"], document["baseline_rmse"]
        show.facts({
            "units": f"{document['units']:,}; {many(document['failed'], 'life', 'lives')} ended, {document['rows']:,} rows",
            "error (RMSE)": f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f}), "
                            f"of what is at most {document['cap']:g}",
            "beside it": f"by age alone {beside['cycle_only']:.2f}, a constant {beside['constant']:.2f}",
            "inside its 90 % interval": f"{document['covered']:.0%}",
        })  # fmt: skip
        test = document["test"]
        if test and test["rmse"]:
            show.line(f"Units of --test: RMSE {test['rmse']['value']:.2f} ({test['rmse']['low']:.2f} to "
                      f"{test['rmse']['high']:.2f}), NASA's score {test['score']:.0f}")  # fmt: skip
        heads = ["unit", "cycle", "left", "90 %", f"risk within {document['horizon']:g}", "why"]
        picked = sorted(document["latest"], key=lambda r: (r["failed"], r["remaining"]))
        listed = [
            [
                r["unit"], f"{r['cycle']:g}", f"{r['remaining']:.0f}",
                f"{r['low']:.0f} to {'longer' if r['high'] is None else format(r['high'], '.0f')}", f"{r['risk']:.0%}",
                r["reason"]["en"][1] if len(r["reason"]["en"]) > 1 else "",
            ]
            for r in picked[:SHOWN]
        ]  # fmt: skip
    show.line()
    show.table(["column", "share"], [[i.get("en") or i["column"], f"{i['share']:.0%}"] for i in document["importance"][:6]])
    show.line()
    show.table(heads, listed)
    if len(picked) > SHOWN:
        show.note(f"{SHOWN} of {len(picked):,} are shown; --out FILE writes them all.")
    for column in document["left_out"]:
        show.note(f"Left out: {column['column']}: {column['reason']}.")
    for count, what in ((document["rows_left_out"], "row"), (document["unreadable_lines"], "line")):
        if count:
            show.note(f"{many(count, what)} left out: {'without unit, cycle or flag' if what == 'row' else 'cannot be read'}.")


def _count(low: int, high: int) -> Any:
    def read(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {low} to {high}")
        return int(text)

    return read
