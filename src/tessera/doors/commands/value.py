"""`tessera value`: what customers are expected to buy, all together, the most valuable, or one; and how the past was told."""

from __future__ import annotations

import argparse
from typing import Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands import foretelling
from tessera.errors import NotFound

EVERYBODY = """SELECT count(*) AS people, sum(expected_purchases) AS expected_purchases,
                      CAST(sum(expected_value_cents) AS BIGINT) AS expected_value_cents, avg(p_alive) AS p_alive,
                      min(horizon_days) AS horizon_days, min(as_of) AS as_of, min(law) AS law
               FROM customer_value HAVING count(*) >= 10"""
TOP = """SELECT * FROM customer_value
         ORDER BY expected_value_cents DESC NULLS LAST, expected_purchases DESC, person_id LIMIT {}"""
MOST = 10_000


def add(commands: Commands) -> None:
    """Declares it."""
    value = commands.add(
        "value",
        _value,
        "what customers are expected to buy and what that is worth, with intervals, and how well the past was told",
        ["value", "value --top 20", "value --person 17", "value --person 17 --json"],
        "Two intervals of 95 %: how well a mean is known, and what may come. Without --top and --person it tells of all\n"
        "customers together.",
    )
    value.add_argument("--person", type=int, metavar="ID", help="one customer")
    value.add_argument("--top", type=_some, metavar="N", help="the N customers of whom most is expected")
    value.add_argument("--language", choices=("en", "zh"), default="en", help="of the sentences shown (default: en)")
    value.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    value.add_argument(
        "--purpose", metavar="P", default=foretelling.PURPOSE, help=f"what for (default: {foretelling.PURPOSE})"
    )


def _some(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST}")


def _value(call: Call) -> int:
    return _whole(call) if call.args.person is None else _person(call)


def _person(call: Call) -> int:
    from tessera.insight.value.words import LAWS, told

    args = call.args
    with call.open() as app:
        question = f"SELECT * FROM customer_value WHERE person_id = {int(args.person)}"
        found, currency = foretelling.asked(app, "customer_value", question, args), app.config.currency
    if not found:
        raise NotFound("A value of person", str(args.person))
    row = found[0]
    document = row | {"currency": currency} | {language: told(row, language, currency) for language in ("en", "zh")}

    def draw() -> None:
        for sentence in document[args.language]:
            call.show.line(sentence)

    call.show.answer(document, draw)
    call.show.note(f"As of {row['as_of']}, by the law {LAWS[row['law']]}.")
    return 0


def _whole(call: Call) -> int:
    args = call.args
    with call.open() as app:
        card = foretelling.card(app, "value", args)
        everybody = foretelling.asked(app, "customer_value", EVERYBODY, args)
        top = foretelling.asked(app, "customer_value", TOP.format(int(args.top)), args) if args.top else []
        currency = app.config.currency
    document = {"model": card, "everybody": everybody[0] if everybody else None, "currency": currency, "top": top}
    call.show.answer(document, lambda: _draw(call, document))
    return 0


def _draw(call: Call, document: dict[str, Any]) -> None:
    from tessera.insight.value.words import LAWS

    show, card, all_of = call.show, document["model"], document["everybody"]
    if card is None or all_of is None:
        show.note("No model yet: it needs 50 people who bought, at least. Try: tessera turn")
        return
    currency, told = document["currency"], card["settings"]
    facts = {
        "expected": f"{all_of['expected_purchases']:,.0f} days with an order of {all_of['people']:,} customers, "
        f"within {all_of['horizon_days']} days",
        "worth": None if all_of["expected_value_cents"] is None else f"{_money(all_of['expected_value_cents'])} {currency}",
        "law": f"{LAWS[told['law']]} ({told['verdict']})",
        "model": f"{card['id']}, as of {card['fitted_at']}, learned from {card['people']} people",
        "note": card["note"],
    }
    show.facts({name: fact for name, fact in facts.items() if fact is not None})
    show.line()
    held = {n: f for n, f in card["figures"].items() if n.startswith("held_out")}
    show.table(["check in the past", "value", "95 %"], [[n, *foretelling.figure(f)] for n, f in held.items()])
    if document["top"]:
        show.line()
        show.table(
            ["person", "orders", "95 %", f"worth, {currency}", "95 %", "still a customer"],
            [
                [r["person_id"], round(r["expected_purchases"], 2), f"{r['purchases_low']} to {r['purchases_high']}",
                 _money(r["expected_value_cents"]),
                 "" if r["value_low_cents"] is None else f"{_money(r['value_low_cents'])} to {_money(r['value_high_cents'])}",
                 f"{r['p_alive']:.0%}"]
                for r in document["top"]
            ],
        )  # fmt: skip


def _money(cents: int | None) -> str:
    return "" if cents is None else f"{cents / 100:,.2f}"
