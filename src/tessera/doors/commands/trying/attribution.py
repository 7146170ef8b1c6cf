"""`tessera try attribution FILE`: which channel brought what, from a file of paths and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import many
from tessera.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

    from tessera.insight.attribution.credits import Credits

KNOWN = {
    "path": ("path", "journey", "channels"),
    "total_conversions": ("total_conversions", "conversions", "conv", "conversion"),
    "total_conversion_value": ("total_conversion_value", "conversion_value", "value", "revenue"),
    "total_null": ("total_null", "null", "nulls", "non_conversions"),
}
"""Role -> the names by which files call it."""

BATCH = 200_000
"""Rows that are split together."""


def add(commands: Commands) -> None:
    """Declares it."""
    one = commands.add(
        "attribution",
        _attribution,
        "which channel brought what: exact Markov credits of order 1 to 4 beside six plain models",
        [
            "try attribution paths.csv",
            "try attribution paths.parquet --order 3 --resamples 0 --json",
            "try attribution paths.csv --path journey --separator '|'",
        ],
        'One row per path: path ("search > email > direct", oldest touch first), total_conversions and, if there are such,\n'
        "total_conversion_value and total_null (how often the path ended without a conversion). docs/attribution.md says what\n"
        "each model does.",
    )
    one.add_argument("file", metavar="FILE", help="CSV, JSON or Parquet")
    one.add_argument("--order", type=int, choices=range(1, 5), default=1, help="touches in a Markov state (default: 1)")
    one.add_argument("--separator", default=">", metavar="TEXT", help="what stands between touches (default: >)")
    one.add_argument(
        "--resamples",
        type=_resamples,
        metavar="N",
        help="of the 95 %% intervals (default: 200 where they take seconds, else none)",
    )
    one.add_argument("--seed", type=int, default=0, help="of the resamples (default: 0)")
    for role in KNOWN:
        one.add_argument(f"--{role.replace('_', '-')}", metavar="COLUMN", help=f"the column for {role}")


def _attribution(call: Call) -> int:
    from tessera.doors.commands.trying import bare
    from tessera.insight.attribution.credits import attributed
    from tessera.insight.attribution.paths import encode
    from tessera.lake.engine import mapped

    args = call.args
    if not args.separator.strip():
        raise BadInput("--separator is empty. Say what stands between two touches, as in --separator '>'.")
    roles = [
        bare.Role(known=known, type="VARCHAR" if role == "path" else "DOUBLE", needed=role in ("path", "total_conversions"))
        for role, known in KNOWN.items()
    ]
    con, select, columns = bare.scanned(args.file, roles, {role: getattr(args, role) for role in KNOWN})
    with call.progress() as progress:
        progress("reading", 0)
        with mapped("reading the paths"):
            paths = encode(_batches(con, select, columns), separator=args.separator.strip())
        credits = attributed(paths, args.order, resamples=args.resamples, seed=args.seed, progress=progress)
    left_out = dict(credits.left_out)
    if unreadable := bare.rejected(con):
        left_out["lines that could not be read"] = unreadable
    document = {"order": credits.order, "channels": _rows(credits), **_said(credits, left_out)}
    call.show.answer(document, lambda: _draw(call, credits, left_out))
    return 0


def _batches(con: Any, select: str, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """The file's rows as `encode` wants them: a column that is not there is 0, an empty cell too."""
    wanted = {"conversions": "total_conversions", "value": "total_conversion_value", "unconverted": "total_null"}
    filled = ", ".join(f"{role if role in columns else '0.0::DOUBLE'} AS {column}" for column, role in wanted.items())
    yield from con.sql(f"SELECT path, {filled} FROM ({select}) AS typed").to_arrow_reader(BATCH)


def _rows(credits: Credits) -> list[dict[str, Any]]:
    """One object for each channel: model_conversions and model_value, and the intervals of Markov's."""
    made: list[dict[str, Any]] = []
    for i, channel in enumerate(credits.channels):
        row: dict[str, Any] = {"channel": channel}
        for column, values in credits.credits.items():
            row[f"{column.model}_{column.measure}"] = float(values[i])
            if column.model == "markov":
                for end, bounds in (("low", credits.low), ("high", credits.high)):
                    row[f"markov_{column.measure}_{end}"] = float(bounds[column][i]) if bounds else None
        row["removal_effect"] = next(float(v[i]) for c, v in credits.removal.items() if c.measure == "conversions")
        made.append(row)
    return made


def _said(credits: Credits, left_out: Mapping[str, int]) -> dict[str, Any]:
    return {
        "totals": {measure: total for (_, measure), total in credits.totals.items()},
        "paths": credits.paths,
        "states": credits.states,
        "resamples": credits.resamples,
        "left_out": dict(left_out),
    }


def _draw(call: Call, credits: Credits, left_out: Mapping[str, int]) -> None:
    from tessera.insight.attribution.credits import MODELS

    for measure in ("conversions", "value"):
        if not (total := credits.totals["all", measure]):
            continue
        shown = {c.model: v for c, v in credits.credits.items() if c.measure == measure}
        low, high = ({c.measure: v for c, v in ends.items()} for ends in (credits.low, credits.high))
        order = sorted(range(len(credits.channels)), key=lambda i: -shown["markov"][i])
        rows = []
        for i in order:
            sure = f"{low[measure][i]:,.1f} - {high[measure][i]:,.1f}" if low else None
            rows.append([credits.channels[i], *([sure] if low else []), *(f"{shown[m][i]:,.1f}" for m in MODELS)])
        heads = ["channel", *(["markov 95 %"] if low else []), *(m.replace("_", " ") for m in MODELS)]
        call.show.table(heads, rows, f"{measure}: {total:,.2f} in all")
    note = call.show.note
    note(f"{many(credits.paths, 'path')}, order {credits.order}: {many(credits.states, 'state')}.")
    if not credits.resamples:
        note("No intervals: they would take a while. Ask for them: --resamples 200")
    if not any(credits.totals.values()):
        note("Nothing was converted, so there is nothing to credit.")
    for reason, count in left_out.items():
        note(f"Left out: {reason}: {count:,}")


def _resamples(text: str) -> int:
    from argparse import ArgumentTypeError

    if not text.isdigit() or not (int(text) == 0 or 20 <= int(text) <= 10_000):
        raise ArgumentTypeError(f"{text!r} is no number of resamples: 0, or 20 to 10,000")
    return int(text)
