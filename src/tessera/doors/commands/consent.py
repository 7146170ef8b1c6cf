"""`tessera consent rates|compare|receipt|...`: who says yes to what, which wording gets more, and a customer's proofs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands import consent_commit
from tessera.doors.files import handed
from tessera.errors import BadInput

if TYPE_CHECKING:
    from tessera.trust.consent_rates import Compared, Share

BY = ("purpose", "wording", "source", "language", "month")


def add(commands: Commands) -> None:
    """Declares them."""
    consent = commands.noun(
        "consent",
        "choices of customers: rates, comparisons, receipts, commitments on the contract",
        ["consent rates", "consent receipt 17"],
    )
    rates = consent.add(
        "rates",
        _rates,
        "who said yes, of those who answered",
        ["consent rates", "consent rates --by wording", "consent rates --by month --of marketing --json"],
        "Of each person the latest answer in a group counts. The interval is where the rate lies in 95 of 100 cases.",
    )
    rates.add_argument("--by", choices=BY, default="purpose", help="what to group by (default: purpose)")
    rates.add_argument("--of", metavar="PURPOSE", help="only this purpose")
    compare = consent.add(
        "compare",
        _compare,
        "whether one wording gets more consent than another",
        ["consent compare 2026-01 2026-02 --of marketing"],
        "Each person counts once, by her first answer to either. An interval that holds zero shows no difference.",
    )
    compare.add_argument("first", metavar="WORDING", help="a version of the words, as in the answers")
    compare.add_argument("second", metavar="WORDING", help="another version")
    compare.add_argument("--of", metavar="PURPOSE", required=True, help="the purpose that was asked for")
    for parser in (rates, compare):
        _reader(parser)
    receipt = consent.add(
        "receipt",
        _receipt,
        "what one customer has said, as a record (ISO/IEC TS 27560) or a page",
        ["consent receipt 17", "consent receipt 17 --format html --language zh -o receipt.html"],
        "Its digest becomes an entry of the ledger.",
    )
    receipt.add_argument("person", metavar="ID", type=int, help="her number (see: tessera person find)")
    receipt.add_argument("--of", metavar="PURPOSE", help="only this purpose")
    receipt.add_argument("--format", choices=("json", "html"), default="json", help="default: json")
    receipt.add_argument("--language", choices=("en", "zh"), default="en", help="of the page (default: en)")
    receipt.add_argument("-o", dest="file", metavar="FILE", help="where to write it (default: stdout)")
    _reader(receipt)
    end = consent.add(
        "end",
        _end,
        "a customer's consent to a purpose ends at a moment, or with its first use",
        ["consent end 17 --of marketing --at 2027-01-01", "consent end 17 --of analytics --after-first-use --json"],
        "From then on no read for the purpose finds her, and the next turn burns what was held for it alone. A later yes of\n"
        "hers opens it again. For the role officer.",
    )
    end.add_argument("person", metavar="ID", type=int, help="her number (see: tessera person find)")
    end.add_argument("--of", metavar="PURPOSE", required=True, help="the purpose that she agreed to")
    when = end.add_mutually_exclusive_group(required=True)
    when.add_argument("--at", metavar="TIME", type=consent_commit.moment, help="2027-01-01, or with time and zone")
    when.add_argument("--after-first-use", action="store_true", help="a question, a page, or a turn's steps for the purpose")
    consent_commit.add(consent)


def _reader(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    parser.add_argument("--purpose", metavar="P", default="operate", help="what you read it for (default: operate)")


def _end(call: Call) -> int:
    args = call.args
    with call.open() as app:
        app.end_consent(args.person, args.of, args.at)
    until = args.at.isoformat() if args.at else None

    def draw() -> None:
        when = f"at {until}" if until else "with its first use"
        call.show.note(f"Her consent to {args.of!r} ends {when}; what was held for it alone burns with the next turn after.")

    call.show.answer({"person_id": args.person, "purpose": args.of, "until": until, "after_first_use": not until}, draw)
    return 0


def _rates(call: Call) -> int:
    from tessera.data.steps import acts
    from tessera.trust.consent_rates import Share, rates

    args = call.args
    with call.open() as app:
        app.people.check_purpose(args.of)
        answer = app.sql(rates(args.by, acts(app.config)), purpose=args.purpose, role=args.role)
    found = []
    for row in answer.table.to_pylist():
        if args.of in (None, row["purpose"]):
            share = Share(answered=int(row["answered"]), given=int(row["given"]))
            group = {} if args.by == "purpose" else {args.by: row["grp"]}
            found.append({"purpose": row["purpose"], **group, "people": int(row["people"]), **_facts(share)})

    def draw() -> None:
        columns = ["purpose", *([] if args.by == "purpose" else [args.by]), "people", "answered", "given"]
        rows = [[*(f[c] for c in columns), _percent(f["rate"]), _interval(f["low"], f["high"])] for f in found]
        call.show.table([*columns, "rate", "95 % interval"], rows)
        if not found:
            call.show.note("Nobody has answered yet. Answers come with sources whose contract names a consent.")

    call.show.answer(found, draw)
    return 0


def _compare(call: Call) -> int:
    from tessera.trust.consent_rates import Share, compared, firsts

    args = call.args
    if args.first == args.second:
        raise BadInput(f"{args.first!r} is compared with itself. Name two wordings; see: tessera consent rates --by wording")
    with call.open() as app:
        app.people.check_purpose(args.of)
        answer = app.sql(firsts(args.of, (args.first, args.second)), purpose=args.purpose, role=args.role)
    told = {r["wording"]: Share(answered=int(r["answered"]), given=int(r["given"])) for r in answer.table.to_pylist()}
    for wording in (args.first, args.second):
        if wording not in told:
            raise BadInput(
                f"Nobody has answered {args.of} first under the wording {wording!r}. "
                "See: tessera consent rates --by wording"
            )
    made = compared(told[args.first], told[args.second])
    document = {
        "purpose": args.of,
        "first": {"wording": args.first, **_facts(made.first)},
        "second": {"wording": args.second, **_facts(made.second)},
        "points": round(made.points, 3),
        "low": round(made.low, 3),
        "high": round(made.high, 3),
        "shows_a_difference": made.shows,
        "needed_per_wording": made.needed,
    }
    call.show.answer(document, lambda: _drawn(call, document, made))
    return 0


def _drawn(call: Call, document: dict[str, Any], made: Compared) -> None:
    sides = (document["first"], document["second"])
    rows = [[s["wording"], s["answered"], s["given"], _percent(s["rate"]), _interval(s["low"], s["high"])] for s in sides]
    call.show.table(["wording", "answered", "given", "rate", "95 % interval"], rows)
    interval = f"95 % interval {made.low:+.1f} to {made.high:+.1f}"
    call.show.line(f"The second is {made.points:+.1f} points from the first; {interval}.")
    if made.shows:
        call.show.line("These answers show a difference.")
    else:
        more = f" For one of this size, show each wording to about {made.needed:,} people." if made.needed else ""
        call.show.line(f"These answers do not show a difference.{more}")


def _receipt(call: Call) -> int:
    from tessera.receipt import page

    args = call.args
    with call.open() as app:
        made = app.people.receipt(args.person, of=args.of, purpose=args.purpose, role=args.role)
    handed(call, made, page)
    return 0


def _facts(share: Share) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    rounded = {k: None if v is None else round(v, 2) for k, v in (("rate", share.rate), ("low", low), ("high", high))}
    return {"answered": share.answered, "given": share.given, **rounded}


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} %"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.1f} to {high:.1f}"
