"""`tessera try upkeep FILE`: how long each unit still runs, or which rows fail, from any table of telemetry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands.trying.numbers import whole
from tessera.doors.commands.trying.upkeep_lives import lived
from tessera.doors.commands.trying.upkeep_rows import failed
from tessera.doors.show import many

SHOWN = 10


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
    upkeep.add_argument("--folds", type=whole(2, 20), default=5, metavar="K", help="parts (default: 5)")
    upkeep.add_argument("--seed", type=whole(0, 1_000_000), default=1, metavar="N", help="of folds and trees (default: 1)")
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
    document = (lived if args.unit else failed)(call, con, table, columns)
    document |= {"file": Path(args.file).name, "unreadable_lines": unreadable}
    if args.out:
        import pyarrow as pa

        con.register("answers", pa.Table.from_pylist([_flat(r) for r in document["latest"]]))
        out.write(con, "SELECT * FROM answers", args.out)
    con.close()
    call.show.answer(document, lambda: _draw(call, document))
    return 0


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
