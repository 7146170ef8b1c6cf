"""`tessera decide` and `tessera decisions`: what a person would be shown now and why, and what came of what was shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands.person import person_id
from tessera.errors import BadInput

if TYPE_CHECKING:
    from tessera.action.decide import Decision

LANGUAGES = ("en", "zh")


def add(commands: Commands) -> None:
    """Declares them."""
    decide = commands.add(
        "decide",
        _decide,
        "what a person would be shown now, and why",
        [
            "decide --person 17",
            "decide home_banner --person 17 --explain",
            "decide home_banner --person 17 --here page=checkout --explain --json",
        ],
        "Nothing is shown to her and nothing is learned of it. Programs ask the server: POST /v1/decide.",
    )
    decide.add_argument("decision", nargs="*", metavar="DECISION", help="names of decisions/*.yaml (default: all)")
    decide.add_argument("--person", type=person_id, required=True, metavar="ID", help="her number (see: tessera person find)")
    decide.add_argument("--explain", action="store_true", help="also what else could be shown, what not, and why")
    decide.add_argument("--here", action="append", default=[], metavar="NAME=VALUE", help="a fact of the place (here.NAME)")
    decide.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    decide.add_argument("--language", choices=LANGUAGES, default="en", help="of the reasons (default: en)")
    results = commands.add(
        "decisions",
        _results,
        "what came of what was shown, beside the control group",
        ["decisions", "decisions --role marketer", "decisions --json"],
        "Of everybody who allows the decision's purpose. The interval is of 95 %: where it holds 0, chance may be all of it.",
    )
    results.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")


def _decide(call: Call) -> int:
    from tessera import decided
    from tessera.action import decision_words as words

    args = call.args
    here = dict(map(_fact, args.here))
    with call.open() as app:
        told = decided.explained(app, args.person, args.decision, here, args.role)
    found = [_document(d, purpose, args.explain) for d, purpose in told]

    def draw() -> None:
        show, language = call.show, args.language
        for decision, purpose in told:
            show.line(f"{decision.decision}: {words.named(decision.candidate, decision.product, language)}")
            show.line(f"  {words.chosen(decision, purpose, language)}")
            if args.explain:
                rows = [[words.named(s.candidate, s.product, language), words.scored(s, language)] for s in decision.scored]
                rows += [[words.named(d.candidate, d.product, language), words.dropped(d, language)] for d in decision.dropped]
                if rows:
                    show.table(["candidate", "why"], rows)
        if not told:
            show.note("Nothing is to be decided here yet. docs/decisions.md says how decisions/NAME.yaml is written.")

    call.show.answer(found, draw)
    return 0


def _document(decision: Decision, purpose: str, explain: bool) -> dict[str, Any]:
    import msgspec

    told = {
        "decision": decision.decision, "purpose": purpose, "candidate": decision.candidate, "product": decision.product or None,
        "show": decision.show, "by": decision.by,
    }  # fmt: skip
    if explain:
        reason = {"context": decision.context, "scored": decision.scored, "dropped": decision.dropped}
        told["reason"] = msgspec.to_builtins(reason)
    return told


def _fact(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise BadInput(f"{text!r} is no fact. Write --here page=checkout.")
    return name, value


def _results(call: Call) -> int:
    from tessera import decided

    with call.open() as app:
        found = decided.results(app, call.args.role)

    def draw() -> None:
        rows = [
            [
                r.decision, r.purpose, f"{r.shown:,}", _percent(r.share), f"{r.control_shown:,}", _percent(r.control),
                _percent(r.uplift), f"{_percent(r.low)} to {_percent(r.high)}" if r.low is not None else "",
            ]
            for r in found
        ]  # fmt: skip
        call.show.table(["decision", "purpose", "shown", "outcomes", "control", "outcomes", "difference", "95 %"], rows)
        for r in found:
            if r.candidates:
                call.show.line()
                call.show.line(r.decision)
                call.show.table(
                    ["candidate", "product", "shown", "outcomes"],
                    [[c["candidate"], c["product"] or "", f"{c['shown']:,}", f"{c['outcomes']:,}"] for c in r.candidates],
                )
        if not found:
            call.show.note("Nothing is to be decided here yet. docs/decisions.md says how decisions/NAME.yaml is written.")

    call.show.answer([asdict(r) for r in found], draw)
    return 0


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
