"""What `tessera try upkeep` answers of telemetry in lives: how long each unit still runs, how good that is, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call
from tessera.doors.commands.trying.upkeep_rows import SAMPLE

if TYPE_CHECKING:
    from tessera.insight.trees import Numbers
    from tessera.insight.upkeep.remaining import Judged, Remaining
    from tessera.insight.upkeep.tabular import Lives
    from tessera.insight.upkeep.telemetry import Telemetry


def lived(call: Call, con: Any, table: str, columns: dict[str, str]) -> dict[str, Any]:
    """The document of a table with --unit and --cycle. Raises BadInput."""
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

    from tessera.insight.calibration import auc
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
        "auc": auc(-judged.unseen, soon.astype(np.float64)),
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
