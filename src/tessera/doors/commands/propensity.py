"""`tessera propensity`: how likely people are to reach the goals of insight.yaml: the models' figures; why one person is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands import foretelling
from tessera.errors import NotFound

MODEL = "propensity"
BANDS = """SELECT goal, band, count(*) AS people, avg(probability) AS probability FROM propensity
           GROUP BY goal, band HAVING count(*) >= 10 ORDER BY goal, probability DESC"""
CHECKS = "SELECT * FROM propensity_checks ORDER BY goal, kind, subject, label"


def add(commands: Commands) -> None:
    """Declares it."""
    propensity = commands.add(
        "propensity",
        _propensity,
        "who is likely to reach a goal of yours (an event, a purchase), how far that can be trusted, and why one person is",
        [
            "propensity",
            "propensity --goal filter",
            "propensity --person 17",
            "propensity --person 17 --goal filter --language zh --role service",
            "propensity --person 17 --customer --json",
        ],
        "Goals stand in insight.yaml, under propensity. Without --person it tells of groups of ten people at least.\n"
        "--customer is what she may read herself: which of her doings count and which way, and no number.",
    )
    propensity.add_argument("--goal", metavar="G", help="one goal of insight.yaml (default: all)")
    foretelling.options(propensity, "one person: her chances, and the reasons")


def _propensity(call: Call) -> int:
    return _whole(call) if call.args.person is None else _person(call)


def _goals(told: Mapping[str, Mapping[str, Any]], goal: str | None) -> dict[str, Mapping[str, Any]]:
    """The settings of the goals asked for. Raises NotFound."""
    if goal is not None and goal not in told:
        raise NotFound("Goal", goal, sorted(told))
    return {name: its for name, its in told.items() if goal in (None, name)}


def _person(call: Call) -> int:
    args = call.args
    with call.open() as app:
        goals = _goals(app.config.insight.of(MODEL), args.goal)
        question = f"SELECT * FROM propensity WHERE person_id = {int(args.person)} ORDER BY goal"
        found = [row for row in foretelling.asked(app, MODEL, question, args) if row["goal"] in goals]
    if not found:
        raise NotFound("A propensity of person", str(args.person))
    document = {
        "person_id": args.person, "goals": [_told(row, goals[row["goal"]], customer=args.customer) for row in found],
    }  # fmt: skip

    def draw() -> None:
        for i, one in enumerate(document["goals"]):
            if i:
                call.show.line()
            for sentence in one[args.language]:
                call.show.line(sentence)

    call.show.answer(document, draw)
    if not args.customer:
        days = ", ".join(f"{row['goal']}: within {row['horizon_days']} days" for row in found)
        call.show.note(f"{days}; as of {found[0]['as_of']}, by model {found[0]['model']}.")
    return 0


def _told(row: dict[str, Any], goal: Mapping[str, Any], *, customer: bool) -> dict[str, Any]:
    from tessera.insight.churn.words import why
    from tessera.insight.explain.sentences import written
    from tessera.insight.propensity.words import told

    words = {language: told(row, language, goal, customer=customer) for language in ("en", "zh")}
    if customer:
        return {"goal": row["goal"], "as_of": row["as_of"], **words}
    few = {k: row[k] for k in ("goal", "band", "horizon_days", "as_of", "model")}
    return {**few, **written(why(row)), **words}


def _whole(call: Call) -> int:
    from tessera.insight.propensity.goals import ALL_WORDS

    args = call.args
    with call.open() as app:
        goals = _goals(app.config.insight.of(MODEL), args.goal)
        card = foretelling.card(app, MODEL, args)
        checks = foretelling.asked(app, "propensity_checks", CHECKS, args)
        bands = foretelling.asked(app, MODEL, BANDS, args)
    learned = card["settings"] if card else {}
    document = {
        "model": {k: card[k] for k in ("id", "fitted_at", "people", "note")} if card else None,
        "goals": [
            {
                "goal": goal,
                "en": its["en"],
                "zh": its["zh"],
                "settings": learned.get(goal),
                "figures": _figures(card, goal),
                "bands": [{k: v for k, v in b.items() if k != "goal"} for b in bands if b["goal"] == goal],
                **foretelling.by_kind([c for c in checks if c["goal"] == goal], ALL_WORDS),
            }
            for goal, its in goals.items()
        ],
    }
    call.show.answer(document, lambda: _draw(call, document))
    return 0


def _figures(card: dict[str, Any] | None, goal: str) -> dict[str, Any]:
    """A goal's figures, by their own names."""
    found = card["figures"] if card else {}
    return {name.removeprefix(f"{goal}."): f for name, f in found.items() if name.startswith(f"{goal}.")}


def _draw(call: Call, document: dict[str, Any]) -> None:
    show, model = call.show, document["model"]
    if not document["goals"]:
        show.note("No goals yet. Name some in insight.yaml, under propensity: an event, or the products of a purchase.")
    for i, one in enumerate(document["goals"]):
        if i:
            show.line()
        told = one["settings"]
        if model is None or told is None:
            show.note(f"{one['goal']}: no model yet: it needs a past longer than a horizon, and 30 people who did it. "
                      "Try: tessera turn")  # fmt: skip
            continue
        show.facts(
            {
                "goal": f"{one['goal']}: {one['en']}, within {told['horizon_days']} days",
                "model": f"{model['id']}, as of {told['fitted_at']}, learned from {told['people']} people",
                "judged": foretelling.judged(told),
            }
        )
        show.line()
        foretelling.draw(show, one["figures"], one["bands"], one, "chance")
