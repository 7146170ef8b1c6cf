"""`tessera churn`: how likely customers are to leave: the model's figures, its drift and fairness; and why one of them is."""

from __future__ import annotations

from typing import Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands import foretelling
from tessera.errors import NotFound

BANDS = """SELECT band, count(*) AS people, avg(probability) AS probability FROM churn
           GROUP BY band HAVING count(*) >= 10 ORDER BY probability DESC"""
CHECKS = "SELECT * FROM churn_checks ORDER BY kind, subject, label"


def add(commands: Commands) -> None:
    """Declares it."""
    churn = commands.add(
        "churn",
        _churn,
        "who is likely to leave, how far the model can be trusted, and why one customer is at risk",
        [
            "churn",
            "churn --person 17",
            "churn --person 17 --language zh --role service",
            "churn --person 17 --customer --json",
        ],
        "Without --person it tells of groups of ten people at least. --customer is what she may read herself: which of\n"
        "her doings count and which way, and no number.",
    )
    foretelling.options(churn, "one customer: her risk, and the reasons")


def _churn(call: Call) -> int:
    return _whole(call) if call.args.person is None else _person(call)


def _person(call: Call) -> int:
    args = call.args
    with call.open() as app:
        found = foretelling.asked(app, "churn", f"SELECT * FROM churn WHERE person_id = {int(args.person)}", args)
    if not found:
        raise NotFound("A risk of leaving of person", str(args.person))
    row = found[0]
    document = _told(row, customer=args.customer)

    def draw() -> None:
        for sentence in document[args.language]:
            call.show.line(sentence)

    call.show.answer(document, draw)
    if not args.customer:
        call.show.note(f"Within {row['horizon_days']} days, as of {row['as_of']}, by model {row['model']}.")
    return 0


def _told(row: dict[str, Any], *, customer: bool) -> dict[str, Any]:
    from tessera.insight.churn.words import told, why
    from tessera.insight.explain.sentences import written

    words = {language: told(row, language, customer=customer) for language in ("en", "zh")}
    if customer:
        return {"person_id": row["person_id"], "as_of": row["as_of"], **words}
    few = {k: row[k] for k in ("person_id", "band", "horizon_days", "as_of", "model")}
    return {**few, **written(why(row)), **words}


def _whole(call: Call) -> int:
    from tessera.insight.churn.history import WORDS

    args = call.args
    with call.open() as app:
        card = foretelling.card(app, "churn", args)
        checks = foretelling.by_kind(foretelling.asked(app, "churn_checks", CHECKS, args), WORDS)
        bands = foretelling.asked(app, "churn", BANDS, args)
    document: dict[str, Any] = {"model": card, "bands": bands, **checks}

    def draw() -> None:
        if card is None:
            call.show.note("No model yet: it needs customers whose orders began more than a horizon ago. Try: tessera turn")
            return
        told = card["settings"]
        call.show.facts(
            {
                "leaving": f"{told['form']}, within {told['horizon_days']} days",
                "model": f"{card['id']}, as of {card['fitted_at']}, learned from {card['people']} people",
                "judged": foretelling.judged(told),
            }
        )
        call.show.line()
        foretelling.draw(call.show, card["figures"], bands, checks, "risk")

    call.show.answer(document, draw)
    return 0
