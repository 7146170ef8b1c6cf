"""`tessera try recommend FILE`: what each customer will want next, and how well that is foretold, from a file of purchases."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import many
from tessera.errors import BadInput, NotFound

if TYPE_CHECKING:
    from tessera.doors.commands.trying.bare import Bare
    from tessera.insight.recommend.gathering import By
    from tessera.insight.recommend.measures import Interval
    from tessera.insight.recommend.telling import Told
    from tessera.insight.recommend.trial import Trial

ROLES = {
    "customer": ("user", "user_id", "customer_id", "person", "person_id", "client_id", "member_id"),
    "item": ("item_id", "product", "product_id", "sku", "stock_code", "article_id", "movie_id", "film_id"),
    "time": ("timestamp", "date", "day", "at", "occurred_at", "invoice_date", "order_date", "created_at"),
    "basket": ("basket_id",),
    "category": ("category_id", "product_category", "department", "genre"),
    "margin": ("profit",),
    "amount": ("revenue", "sales_value", "total"),
}
"""Columns, with other names that files give them; the first three are needed."""
NEEDED = ("customer", "item", "time")
NEXT: dict[str, By | None] = {"auto": None, "basket": "day", "item": "row"}
SHOWN = 3
"""People whose lists are shown as examples."""
UNITS = {"day": "all that she bought on one day", "order": "one order", "row": "one item by itself"}
PROTOCOL = (
    "Whoever has {least} baskets or more (a basket: {unit}) is judged by her last one. All is learned, and each setting "
    "is chosen, from the baskets before it of the same people. Recall at 10 is hits / min(10, size of the basket); of new "
    "items: ten that she never had, against what was new in the basket. Intervals of 95 % are over people (1,000 resamples)."
)
CHOSEN = "by recall at 10 in earlier baskets, of people whom the models compared had not seen"


def add(commands: Commands) -> None:
    """Declares it."""
    parser = commands.add(
        "recommend",
        _recommend,
        "what each customer will want next, and how well that is foretold",
        [
            "try recommend purchases.csv",
            "try recommend purchases.csv --user 17850 --language zh",
            "try recommend lines.parquet --basket order_no --margin profit --margin-weight 0.5 --out lists.csv",
            "try recommend ratings.csv --item movie_id --next item --json",
        ],
        "One row for each item that somebody bought (or saw): who, what, when. Columns are found by their usual names.\n"
        "Without a basket's number a basket is all of a day, or, where hardly anybody comes back for the same,\n"
        "each item by itself. Settings are chosen on earlier baskets than those that the figures are of.",
    )
    parser.add_argument("file", metavar="FILE", help="CSV, JSON or Parquet with a header")
    for role in ROLES:
        optional = "" if role in NEEDED else " (optional)"
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"the column of the {role}{optional}")
    parser.add_argument("--user", metavar="ID", help="this customer's list alone")
    parser.add_argument("--next", choices=tuple(NEXT), default="auto", help="what is foretold (default: auto)")
    parser.add_argument("--top", type=_top, default=10, metavar="N", help="items of a list, to 50 (default: 10)")
    parser.add_argument(
        "--margin-weight", type=_share, default=0.0, metavar="W", help="0: by chance alone (default), to 1: by expected margin"
    )
    parser.add_argument("--out", metavar="FILE", help="write everybody's list there: .csv, .parquet or .jsonl")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the reasons (default: en)")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="of what is drawn (default: 7)")


def _recommend(call: Call) -> int:
    from tessera.doors.commands.trying import bare
    from tessera.insight.recommend import trial

    args = call.args
    if args.out and Path(args.out).suffix not in _FORMS:
        raise BadInput(f"--out {args.out}: its ending says its form: {', '.join(_FORMS)}.")
    types: dict[str, bare.Type] = {"time": "TIMESTAMP", "margin": "DOUBLE", "amount": "DOUBLE"}
    roles = [
        bare.Role(known=(role, *names), type=types.get(role, "VARCHAR"), needed=role in NEEDED) for role, names in ROLES.items()
    ]
    read = bare.read(args.file, roles, {role: getattr(args, role) for role in ROLES})
    read.con.execute(f"SET threads = {THREADS}")
    worth = next((role for role in ("margin", "amount") if role in read.columns), None)
    if args.margin_weight and worth is None:
        raise BadInput(f"{Path(args.file).name} has no margin and no amount to weigh. Say which column: --margin COLUMN.")
    by = "order" if "basket" in read.columns and args.next != "item" else NEXT[args.next]
    relation, returned = _bought(read, worth)
    if returned:
        read = replace(read, left_out={**read.left_out, "returned (less than nothing)": returned})
    with call.progress() as progress:
        kind = "category" if "category" in read.columns else None
        found = trial.tried(read.con, relation, by, worth, kind, args.seed, progress)
        if args.user is not None and args.user not in found.gathered.people:
            raise NotFound("Customer", args.user)
        if args.out:
            _written(read.con, found, args, progress)
    told = dict(_examples(found, args))
    document = _document(found, read, worth, told)

    def draw() -> None:
        _drawn(call, found, document, told)
        if note := bare.told(read):
            call.show.note(note)
        if args.out:
            call.show.note(f"{many(len(found.gathered.people), 'list')} written to {args.out}")

    call.show.answer(document, draw)
    return 0


THREADS = 2
_FORMS = {".csv": "FORMAT csv, HEADER", ".parquet": "FORMAT parquet", ".jsonl": "FORMAT json"}


def _bought(read: Bare, worth: str | None) -> tuple[str, int]:
    """The rows as they are gathered, and how many were returned: those with less than nothing of an amount."""
    from tessera.doors.commands.trying.bare import ROW
    from tessera.lake.engine import name, value

    kept = f"{name(worth)} IS NULL OR {name(worth)} >= 0" if worth else "true"
    more = "".join(f", {role}" for role in ("basket", "category", "margin", "amount") if role in read.columns)
    whole = f"coalesce(basket, concat('row ', {ROW})) AS basket" if "basket" in read.columns else ""
    more = more.replace(", basket", f", {whole}")
    read.con.execute(
        f"""CREATE TEMP TABLE bought AS SELECT customer AS person, item, time AS bought_at, {ROW} AS place{more}
            FROM {read.table} WHERE {kept}"""
    )
    left = int(value(read.con, "SELECT count(*) FROM bought"))
    if not left:
        raise BadInput("Every row is a return: its amount is less than nothing.")
    return "bought", read.rows - left


def _examples(found: Trial, args: argparse.Namespace) -> Iterator[tuple[str, list[Told]]]:
    """Lists of the user asked for, else of those who bought most often."""
    import numpy as np

    from tessera.insight.recommend import telling, trial

    people = found.gathered.people
    many_baskets = found.known.baskets.many
    some = [people.index(args.user)] if args.user is not None else np.argsort(-many_baskets, kind="stable")[:SHOWN].tolist()
    made, why = trial.made(found, np.array(some, np.int64), args.top, args.margin_weight)
    for row, person in enumerate(some):
        yield people[person], list(telling.told(made, why, row, found.gathered.items))


def _written(con: Any, found: Trial, args: argparse.Namespace, progress: Any) -> None:
    import numpy as np
    import pyarrow as pa

    from tessera.insight.recommend import telling, trial
    from tessera.lake.engine import literal

    people, items = found.gathered.people, found.gathered.items
    made, why = trial.made(found, np.arange(len(people)), args.top, args.margin_weight, progress)
    rows = [
        {"customer": person, **line.document(), "because": line.said(args.language)}
        for row, person in enumerate(people)
        for line in telling.told(made, why, row, items)
    ]
    con.register("lists", pa.Table.from_pylist(rows))
    con.execute(f"COPY (FROM lists) TO {literal(args.out)} ({_FORMS[Path(args.out).suffix]})")


def _document(found: Trial, read: Bare, worth: str | None, told: dict[str, list[Told]]) -> dict[str, Any]:
    import numpy as np

    from tessera.insight.recommend import telling
    from tessera.insight.recommend.judging import LEAST_BASKETS, MEASURES

    got, verdict, learned = found.gathered, found.verdict, found.recommender
    settings, baskets = learned.settings, got.baskets
    document: dict[str, Any] = {
        "rows": read.rows, "left_out": dict(read.left_out), "columns": dict(read.columns),
        "users": int(np.sum(baskets.many > 0)), "items": baskets.items, "baskets": len(baskets.day),
        "repeats_share": round(got.repeats, 4), "basket": got.by, "judged": verdict.judged if verdict else 0,
        "protocol": PROTOCOL.format(least=LEAST_BASKETS, unit=UNITS[got.by]),
        "settings": {
            "neighbours": found.known.neighbours.method, "regular": settings.regular, "window": settings.window,
            "leaves": settings.leaves, "trees": settings.trees, "repurchase": bool(learned.repurchase), "seed": learned.seed,
        },
        "settings_tried": learned.tried, "settings_chosen": CHOSEN,
        "inner_recall_at_10": None if learned.inner is None else round(learned.inner, 4),
    }  # fmt: skip
    for measure in MEASURES:
        figure = verdict.figures[measure] if verdict else None
        document[measure] = round(figure.value.value, 4) if figure and figure.value else None
    document["coverage"] = round(verdict.coverage, 4) if verdict else None
    document["figures"] = {
        measure: {
            "model": _interval(figure.value),
            **{baseline: _interval(of) for baseline, of in figure.baselines.items()},
            "better_than": {baseline: _interval(of) for baseline, of in figure.better.items()},
        }
        for measure, figure in (verdict.figures.items() if verdict else ())
    }
    document["value"] = worth
    document["trade_off"] = [
        {
            "weight": t.weight, "recall_at_10": _interval(t.recall), "ndcg_at_10": _interval(t.ndcg),
            "promised": round(t.promised, 4), "bought": _interval(t.bought),
        }
        for t in found.trades
    ]  # fmt: skip
    document["lists"] = [{"user": user, "items": [line.document() for line in lines]} for user, lines in told.items()]
    document["unknown"] = telling.unknown(found.known, found.day, 10, got.items)
    return document


def _interval(of: Interval | None) -> dict[str, float] | None:
    return None if of is None else {k: round(getattr(of, k), 4) for k in ("value", "low", "high")}


def _drawn(call: Call, found: Trial, document: dict[str, Any], told: dict[str, list[Told]]) -> None:
    show, language = call.show, call.args.language
    if call.args.user is None:
        show.facts({
            "customers": f"{document['users']:,}", "items": f"{document['items']:,}", "baskets": f"{document['baskets']:,}",
            "a basket": UNITS[document["basket"]], "repeats": f"{document['repeats_share']:.1%}",
        })  # fmt: skip
        show.line()
        _measured(call, document)
        _traded(call, document)
    for user, lines in told.items():
        show.line()
        table = [[line.rank, line.item, f"{line.chance:.1%}", line.said(language)] for line in lines]
        show.table(["", "item", "chance", "because"], table, f"customer {user}")


def _measured(call: Call, document: dict[str, Any]) -> None:
    from tessera.insight.recommend.judging import BASELINES

    if not document["figures"]:
        call.show.note("Too few customers came three times or more to judge by; lists are made all the same.")
        return
    table = [
        [measure.replace("_", " "), _shown(told["model"]), *(_shown(told[b]) for b in BASELINES)]
        for measure, told in document["figures"].items()
    ]
    title = f"{many(document['judged'], 'customer')} judged by the last basket (95 %)"
    call.show.table(["", "recommended", *(b.replace("_", " ") for b in BASELINES)], table, title)
    call.show.line(
        f"{document['coverage']:.0%} of all items stand in somebody's list; {document['settings_tried']} settings tried"
    )


def _traded(call: Call, document: dict[str, Any]) -> None:
    if not document["trade_off"]:
        return
    call.show.line()
    table = [
        [t["weight"], _shown(t["recall_at_10"]), _shown(t["ndcg_at_10"]), f"{t['promised']:,.2f}", _shown(t["bought"], ",.2f")]
        for t in document["trade_off"]
    ]
    title = f"what {document['value']} first gives and costs (--margin-weight)"
    call.show.table(["weight", "recall at 10", "NDCG at 10", "promised", f"{document['value']} of hits"], table, title)


def _shown(of: dict[str, float] | None, form: str = ".3f") -> str:
    return "" if of is None else f"{of['value']:{form}} ({of['low']:{form}} to {of['high']:{form}})"


def _top(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 50")
    return int(text)


def _share(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return found
