"""`tessera try segments FILE`: customers grouped by how recently, how often and for how much they bought, with names."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands.trying.value import PURCHASES

if TYPE_CHECKING:
    from tessera.doors.commands.trying.bare import Bare
    from tessera.insight.segments.bare import Segmented

MOST = 20


def add(verbs: Commands) -> None:
    """Declares it."""
    parser = verbs.add(
        "segments",
        _segments,
        "customers grouped by how they buy, with names that say it",
        [
            "try segments orders.csv",
            "try segments orders.csv --k 5 --out assignment.csv",
            "try segments orders.parquet --customer buyer --time day --amount total --json",
        ],
        "FILE has one row per purchase: customer, time, amount. RFM in SQL, k-means on logarithms; the number of segments is\n"
        "the most that resampled customers agree on (bootstrap, adjusted Rand index of at least 0.85), not the tightest.",
    )
    parser.add_argument("file", metavar="FILE", help="CSV, JSON or Parquet")
    parser.add_argument("--k", type=_k, metavar="N", help=f"so many segments, 2 to {MOST} (default: chosen)")
    parser.add_argument("--as-of", type=_day, metavar="DAY", help="YYYY-MM-DD (default: the day after the last purchase)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="of what is drawn (default: 7)")
    parser.add_argument("--out", metavar="FILE", help="every customer's segment into a file: .csv, .parquet or .json")
    for role in PURCHASES:
        parser.add_argument(f"--{role}", dest=f"as_{role}", metavar="COLUMN", help=f"the column that is {role}")


def _segments(call: Call) -> int:
    from tessera.doors.commands.trying.bare import Role, read
    from tessera.doors.commands.trying.out import checked, write
    from tessera.insight.segments.bare import ASSIGNED, segmented

    args = call.args
    if args.out:
        checked(args.out)
    types = {"customer": "VARCHAR", "time": "TIMESTAMP", "amount": "DOUBLE"}
    roles = [Role(known=(role, *known), type=types[role]) for role, known in PURCHASES.items()]  # type: ignore[arg-type]
    chosen = {role: getattr(args, f"as_{role}") for role in PURCHASES}
    with call.progress() as progress:
        bare = read(args.file, roles, chosen)
        found = segmented(bare.con, bare.table, k=args.k, seed=args.seed, as_of=args.as_of, progress=progress)
        document = _document(bare, found)
        if args.out:
            write(bare.con, f"SELECT * FROM {ASSIGNED} ORDER BY customer", args.out)
            document["assignment"] = args.out
    call.show.answer(document, lambda: _draw(call, document))
    return 0


def _document(bare: Bare, found: Segmented) -> dict[str, Any]:
    model = found.model
    return {
        "k": model.k if model else None,
        "method": "kmeans" if model else "rules",
        "model": model.id if model else "rules-1",
        "why": {"en": found.en, "zh": found.zh},
        "stability": model.stability if model else None,
        "choices": [
            {"k": c.k, "stability": c.stability, "lowest": c.lowest, "smallest_share": c.share, "passes": c.passes}
            for c in (model.choices if model else ())
        ],
        "as_of": found.as_of.isoformat(),
        "customers": found.customers,
        "segments": found.rows,
        "left_out": dict(bare.left_out),
        "assignment": None,
    }


def _draw(call: Call, document: dict[str, Any]) -> None:
    show = call.show
    show.line(document["why"]["en"])
    show.line()
    heads = ["segment", "label", "people", "share", "of revenue", "days since", "orders", "revenue", "found again"]
    show.table(
        heads,
        [
            [
                s["segment"], s["label_en"], s["people"], _percent(s["share"]), _percent(s["revenue_share"]),
                *(s["median"][m] if s["median"][m] is None else round(s["median"][m], 2) for m in s["median"]),
                _percent(s["stability"]),
            ]
            for s in document["segments"]
        ],
        title=f"{document['customers']:,} customers as of {document['as_of']}, medians",
    )  # fmt: skip
    if len(document["choices"]) > 1:
        show.line()
        show.table(
            ["k", "stability", "lowest", "smallest", "passes"],
            [[c["k"], c["stability"], c["lowest"], _percent(c["smallest_share"]), c["passes"]] for c in document["choices"]],
        )
    for reason, count in document["left_out"].items():
        show.note(f"left out: {count:,} ({reason})")
    if document["assignment"]:
        show.note(f"written: {document['assignment']}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _k(text: str) -> int:
    if not text.isdigit() or not 2 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 2 to {MOST}")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-01-31") from None
