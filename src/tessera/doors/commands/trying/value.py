"""`tessera try value FILE`: who will come back how often, and what that is worth; with intervals, and a check in the past."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.errors import BadInput

if TYPE_CHECKING:
    from tessera.doors.commands.trying.bare import Bare
    from tessera.insight.value.checked import Held
    from tessera.insight.value.valued import Valued

CUSTOMER = ("customer", "customer_id", "id", "user", "user_id", "client")

HISTORIES = {
    "frequency": ("frequency_cal", "x"), "recency": ("recency_cal", "t_x"), "T": ("T_cal", "age"),
    "monetary_value": ("monetary_value_cal", "m_x", "zbar"), "customer": CUSTOMER,
    "frequency_holdout": (), "duration_holdout": (), "monetary_value_holdout": (),
}  # fmt: skip
"""Columns of one row per customer, with the names that lifetimes and PyMC-Marketing give them; the first three are needed."""

PURCHASES = {
    "customer": (*CUSTOMER, "buyer"),
    "time": ("date", "datetime", "timestamp", "order_date", "invoice_date", "occurred_at"),
    "amount": ("value", "revenue", "price", "total", "dollar_value", "monetary_value"),
}
"""Columns of one row per purchase; the first two are needed."""

MODELS = ("bgnbd", "paretonbd", "nbd")
SHOWN = 10


def add(verbs: Commands) -> None:
    """Declares it."""
    parser = verbs.add(
        "value",
        _value,
        "who will come back how often, and what that is worth",
        [
            "try value customers.csv",
            "try value customers.csv --horizon 52 --out predictions.parquet",
            "try value orders.csv --holdout 26 --json",
        ],
        "FILE has one row per customer: frequency (purchases after the first), recency (from the first to the last),\n"
        "T (from the first to now), all in one unit of time, and monetary_value (mean amount of those purchases) if money\n"
        "is asked for. Or one row per purchase: customer, time, amount; a day is one purchase, times are in weeks.\n"
        "BG/NBD and Gamma-Gamma by maximum likelihood. Where the data do not bear it, that is said and Pareto/NBD is\n"
        "taken, or a law in which nobody leaves. frequency_holdout and duration_holdout are compared with predictions.",
    )
    parser.add_argument("file", metavar="FILE", help="CSV, JSON or Parquet")
    parser.add_argument(
        "--horizon",
        type=_time,
        metavar="N",
        help="how long a time ahead, in the file's unit (default: as long as the longest T)",
    )
    parser.add_argument(
        "--holdout", nargs="?", type=_time, const=0.0, metavar="WEEKS",
        help="of purchases: hold out so many weeks at the end and compare (default: a third of them all)",
    )  # fmt: skip
    parser.add_argument("--model", choices=MODELS, help="this law, even if it does not fit (default: the first that does)")
    parser.add_argument("--out", metavar="FILE", help="every customer's predictions into a file: .csv, .parquet or .json")
    parser.add_argument(
        "--seed", type=int, default=7, metavar="N", help="of the sample that large files begin with (default: 7)"
    )
    for role in dict.fromkeys((*list(HISTORIES)[:5], *PURCHASES)):
        parser.add_argument(
            f"--{role.replace('_', '-')}", dest=f"as_{role}", metavar="COLUMN", help=f"the column that is {role}"
        )


def _value(call: Call) -> int:
    from tessera.doors.commands.trying.out import checked, write
    from tessera.insight.value import valued as valuing
    from tessera.insight.value.history import broken, left_out
    from tessera.lake.engine import value

    args = call.args
    chosen = {name.removeprefix("as_"): column for name, column in vars(args).items() if name.startswith("as_")}
    if args.out:
        checked(args.out)
    with call.progress() as progress:
        bare = _read(args.file, chosen)
        con, purchases = bare.con, "time" in bare.columns
        money = ("amount" if purchases else "monetary_value") in bare.columns
        held = None
        if purchases:
            held = _held_out(bare, args, money)
            _of_purchases(bare, money)
        else:
            _of_histories(bare)
        reasons = broken("frequency", "recency", "age")
        wrong = left_out(con, "given", reasons)
        whole = " OR ".join(f"({sql})" for sql in reasons.values())
        con.execute(f"CREATE TEMP TABLE histories AS SELECT * FROM given WHERE NOT ({whole})")
        longest = value(con, "SELECT max(age) FROM histories") or 1.0
        if not purchases:
            held = _held(bare, args, money)
        horizon = args.horizon or longest
        found = valuing.valued(con, "histories", horizon, money=money, model=args.model, seed=args.seed, progress=progress)
        each = valuing.each("histories", found, ("customer", "frequency", "recency", "age"))
        con.execute(f'CREATE TEMP TABLE predictions AS SELECT * RENAME (age AS "T") FROM ({each}) AS e')
        document = _document(bare, found, held, wrong, "weeks" if purchases else "the file's")
        if args.out:
            write(con, "FROM predictions ORDER BY expected_purchases DESC, customer", args.out)
            document["predictions"] = args.out

    def draw() -> None:
        _draw(call, document, found)

    call.show.answer(document, draw)
    return 0


def _read(path: str, chosen: dict[str, str | None]) -> Bare:
    from tessera.doors.commands.trying.bare import Role, read

    histories = [
        Role(known=(role, *known), type="VARCHAR" if role == "customer" else "DOUBLE", needed=place < 3)
        for place, (role, known) in enumerate(HISTORIES.items())
    ]
    purchases = [
        Role(known=("customer", *PURCHASES["customer"]), type="VARCHAR"),
        Role(known=("time", *PURCHASES["time"]), type="TIMESTAMP"),
        Role(known=("amount", *PURCHASES["amount"]), type="DOUBLE", needed=False),
    ]
    return read(path, histories, chosen, purchases)


def _of_histories(bare: Bare) -> None:
    """The table `given`: as `PURCHASES` become, and what was held out."""
    named = "customer" if "customer" in bare.columns else "CAST(row_number AS VARCHAR)"
    amounts = "monetary_value" if "monetary_value" in bare.columns else "CAST(NULL AS DOUBLE)"
    later = ", ".join(c for c in ("frequency_holdout", "duration_holdout", "monetary_value_holdout") if c in bare.columns)
    bare.con.execute(
        f"""CREATE TEMP TABLE given AS SELECT {named} AS customer, frequency, recency, "T" AS age, {amounts} AS monetary_value
            {", " + later if later else ""} FROM {bare.table}"""
    )


def _of_purchases(bare: Bare, money: bool) -> None:
    from tessera.insight.value.history import of_purchases

    amount = "amount" if money else "CAST(NULL AS DOUBLE) AS amount"
    bare.con.execute(f"CREATE OR REPLACE TEMP VIEW purchases AS SELECT customer, time, {amount} FROM {bare.table}")
    end = "(SELECT max(CAST(time AS DATE)) FROM purchases)"
    bare.con.execute(f"CREATE TEMP TABLE given AS {of_purchases('purchases', end)}")


def _held_out(bare: Bare, args: argparse.Namespace, money: bool) -> Held | None:
    """The check of purchases, if it was asked for."""
    from tessera.insight.value import valued as valuing
    from tessera.lake.engine import rows

    if args.holdout is None:
        return None
    amount = "coalesce(amount, 0)" if money else "0.0"
    bare.con.execute(f"CREATE TEMP VIEW held_purchases AS SELECT customer, time, {amount} AS amount FROM {bare.table}")
    first, last = rows(bare.con, "SELECT min(CAST(time AS DATE)), max(CAST(time AS DATE)) FROM held_purchases")[0]
    span = (last - first).days
    days = round(args.holdout * 7) if args.holdout else span // 3
    if not 0 < days < span:
        raise BadInput(f"The purchases span {span / 7:.1f} weeks: {days / 7:.1f} of them cannot be held out. Take fewer.")
    end = "(SELECT max(CAST(time AS DATE)) FROM held_purchases)"
    bare.con.execute(f"CREATE TEMP TABLE known AS {valuing.split('held_purchases', end, days)}")
    return valuing.checked(bare.con, "known", days / 7, money=money, model=args.model, seed=args.seed)


def _held(bare: Bare, args: argparse.Namespace, money: bool) -> Held | None:
    """The check of histories whose file says what came later."""
    from tessera.insight.value import valued as valuing
    from tessera.lake.engine import value

    there = {"frequency_holdout", "duration_holdout"} & set(bare.columns)
    if len(there) < 2:
        if args.holdout is not None:
            raise BadInput(
                "A file of histories can only be checked with the columns frequency_holdout and duration_holdout. "
                "Give the purchases instead: customer, time, amount."
            )
        return None
    length = value(bare.con, "SELECT mode(duration_holdout) FROM histories WHERE duration_holdout > 0")
    if length is None:
        raise BadInput("duration_holdout is nowhere above 0: it is the time for which frequency_holdout was counted.")
    priced = money and "monetary_value_holdout" in bare.columns
    later = "frequency_holdout * coalesce(monetary_value_holdout, 0)" if priced else "0.0"
    bare.con.execute(
        f"""CREATE TEMP TABLE known AS SELECT *, frequency_holdout AS later, {later} AS later_value FROM histories
            WHERE frequency_holdout >= 0 AND duration_holdout = {length!r}"""
    )
    return valuing.checked(bare.con, "known", length, money=priced, model=args.model, seed=args.seed)


def _document(bare: Bare, found: Valued, held: Held | None, wrong: dict[str, int], unit: str) -> dict[str, Any]:
    from tessera.insight.value import valued as valuing
    from tessera.lake.engine import rows

    fitted, con = found.fitted, bare.con
    columns = "customer, p_alive, expected_purchases" + (", expected_value" if found.spend else "")
    order = "expected_value" if found.spend else "expected_purchases"
    best = rows(
        con,
        f"SELECT {columns} FROM predictions ORDER BY {order} DESC NULLS LAST, customer LIMIT {SHOWN}",
    )
    return {
        "model": fitted.used.model,
        "parameters": fitted.used.parameters,
        "standard_errors": fitted.standard_errors,
        "log_likelihood": fitted.used.log_likelihood,
        "verdict": fitted.verdict,
        "reason": {"en": fitted.en, "zh": fitted.zh},
        "tried": [
            {"model": t.model, "parameters": t.parameters, "log_likelihood": t.log_likelihood, "edges": t.edges}
            for t in fitted.tried
        ],
        "spend": _spend(found),
        "unit": unit,
        "horizon": found.horizon,
        "customers": valuing.summed(con, "predictions", found)
        | {f"expected_{what}": {"expected": t.expected, "low": t.low, "high": t.high} for what, t in found.totals.items()},
        "best": [dict(zip(columns.split(", "), row, strict=True)) for row in best],
        "holdout": held.document if held else None,
        "left_out": {**bare.left_out, **wrong, **({"no amount above 0": found.unpriced} if found.unpriced else {})},
        "predictions": None,
    }


def _spend(found: Valued) -> dict[str, Any] | None:
    from tessera.insight.value.spend import DEPENDENT

    if found.spend is None:
        return None
    spend = found.spend
    said = []
    if spend.edges:
        said.append("The amounts do not determine: " + ", ".join(f"{n} ({e})" for n, e in spend.edges.items()) + ".")
    if spend.usual is None:
        said.append("By q <= 1 amounts have no mean: customers without a second purchase have no expected value.")
    if abs(spend.correlation) > DEPENDENT:
        said.append(f"How often and for how much go together ({spend.correlation:+.2f}): the law takes them for independent.")
    return {
        "model": "gamma_gamma", "parameters": spend.parameters, "log_likelihood": spend.log_likelihood,
        "customers": spend.customers, "correlation": spend.correlation, "verdict": "boundary" if spend.edges else "ok",
        "notes": said,
    }  # fmt: skip


def _draw(call: Call, document: dict[str, Any], found: Valued) -> None:
    show, sums = call.show, document["customers"]
    show.line(document["reason"]["en"])
    show.line()
    errors = document["standard_errors"] or {}
    pairs = {
        name: f"{v:.4g}" + (f" ± {errors[name]:.2g}" if name in errors else "") for name, v in document["parameters"].items()
    }
    show.facts({**pairs, "log-likelihood": f"{document['log_likelihood']:.2f}"}, title=document["model"])
    if document["spend"]:
        spend = document["spend"]
        pairs = {name: f"{v:.4g}" for name, v in spend["parameters"].items()}
        show.facts({**pairs, "log-likelihood": f"{spend['log_likelihood']:.2f}"}, title="gamma-gamma")
        for note in spend["notes"]:
            show.line(note)
    elif found.no_money:
        show.line(found.no_money)
    show.line()
    unit = "weeks" if document["unit"] == "weeks" else "in the file's unit"
    show.facts(
        {
            "customers": f"{sums['customers']:,}, of whom {sums['repeaters']:,} came again",
            "likely still there": f"{sums['alive']:,.0f} ({sums['mean_p_alive']:.1%})",
            **{what.replace("_", " "): _range(sums[what]) for what in ("expected_purchases", "expected_value") if what in sums},
            "share of the best tenth": f"{sums['best_tenth_share']:.0%}" if sums["best_tenth_share"] is not None else "",
        },
        title=f"the next {found.horizon:g} {unit} (95 %)",
    )
    show.line()
    columns = list(document["best"][0])
    show.table(columns, [[round(v, 3) if isinstance(v, float) else v for v in row.values()] for row in document["best"]])
    if document["holdout"]:
        show.line()
        show.line(document["holdout"]["en"])
    for reason, count in document["left_out"].items():
        show.note(f"left out: {count:,} ({reason})")
    if document["predictions"]:
        show.note(f"written: {document['predictions']}")


def _range(total: dict[str, float | None]) -> str:
    said = f"{total['expected']:,.0f}"
    return said if total["low"] is None else f"{said} ({total['low']:,.0f} to {total['high']:,.0f})"


def _time(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time above 0")
    return found
