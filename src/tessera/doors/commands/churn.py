"""`tessera churn`: how likely customers are to leave: the model's figures, its drift and fairness; and why one of them is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.errors import NotFound

if TYPE_CHECKING:
    from tessera.app import App

PURPOSE = "analytics"
BANDS = """SELECT band, count(*) AS people, avg(probability) AS probability FROM churn
           GROUP BY band HAVING count(*) >= 10 ORDER BY probability DESC"""
CHECKS = "SELECT * FROM churn_checks ORDER BY kind, subject, label"
CARD = """SELECT id, fitted_at, people, figures, settings, note FROM models WHERE model = 'churn' AND status = 'champion'"""
MOVED = 0.1
"""The stability index from which a feature is told of to people: below, nothing has moved."""


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
    churn.add_argument("--person", type=int, metavar="ID", help="one customer: her risk, and the reasons")
    churn.add_argument("--customer", action="store_true", help="the reasons as she may read them (with --person)")
    churn.add_argument("--language", choices=("en", "zh"), default="en", help="of the sentences shown (default: en)")
    churn.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    churn.add_argument("--purpose", metavar="P", default=PURPOSE, help=f"what for (default: {PURPOSE})")


def _churn(call: Call) -> int:
    return _whole(call) if call.args.person is None else _person(call)


def _person(call: Call) -> int:
    args = call.args
    with call.open() as app:
        asked = f"SELECT * FROM churn WHERE person_id = {int(args.person)}"
        found = _asked(app, "churn", asked, args) or []
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
    args = call.args
    with call.open() as app:
        cards = _asked(app, "models", CARD, args) or []
        checks = _asked(app, "churn_checks", CHECKS, args) or []
        bands = _asked(app, "churn", BANDS, args) or []
    card = cards[0] if cards else None
    if card is not None:
        card |= {part: json.loads(card[part]) for part in ("figures", "settings")}
    document = {
        "model": card,
        "bands": bands,
        **{
            kind: [_check(c, kind) for c in checks if c["kind"] == kind]
            for kind in ("importance", "dependence", "calibration", "realised", "drift", "fairness")
        },
    }
    call.show.answer(document, lambda: _draw(call, document))
    return 0


def _asked(app: App, table: str, question: str, args: Any) -> list[dict[str, Any]] | None:
    if table not in app.lake.tables or app.lake.version(table) is None:
        return None
    found: list[dict[str, Any]] = app.sql(question, purpose=args.purpose, role=args.role).table.to_pylist()
    return found


def _check(row: dict[str, Any], kind: str) -> dict[str, Any]:
    from tessera.insight.churn.history import WORDS
    from tessera.insight.explain.words import word

    named = word(row["subject"], WORDS)
    words = {"en": named.en, "zh": named.zh} if kind in ("importance", "dependence", "drift") else {}
    return {k: v for k, v in row.items() if k != "kind"} | words


def _draw(call: Call, document: dict[str, Any]) -> None:
    show, card = call.show, document["model"]
    if card is None:
        show.note("No model yet: it needs customers whose orders began more than a horizon ago. Try: tessera turn")
        return
    told, judged = card["settings"], card["figures"]
    show.facts(
        {
            "leaving": f"{told['form']}, within {told['horizon_days']} days",
            "model": f"{card['id']}, as of {card['fitted_at']}, learned from {card['people']} people",
            "judged": f"at {told['judged_at']}, on " + ("a later time" if told["judged_on"] == "later" else "other people"),
        }
    )
    show.line()
    show.table(["figure", "value", "95 %"], [[n, _rounded(f["value"]), _interval(f)] for n, f in judged.items()])
    show.line()
    show.table(["risk", "people", "mean"], [[b["band"], b["people"], _percent(b["probability"])] for b in document["bands"]])
    show.line()
    counts = sorted(document["importance"], key=lambda i: -i["value"])[:8]
    show.table(["what counts", "points"], [[i["en"], round(i["value"], 1)] for i in counts])
    for kind, head in (("calibration", "said"), ("realised", "of"), ("fairness", "group")):
        rows = document[kind]
        if rows:
            show.line()
            label = [f"{c['subject']} {c['label']}".strip() for c in rows]
            figures = [[_percent(c["said"]), _percent(c["came"]), _rounded(c["value"])] for c in rows]
            show.table(
                [f"{kind}: {head}", "people", "said", "came", "AUC"],
                [[name, c["people"], *f] for name, c, f in zip(label, rows, figures, strict=True)],
            )
    moved = [d for d in document["drift"] if d["value"] is not None and d["value"] >= MOVED]
    for d in sorted(moved, key=lambda d: -d["value"])[:5]:
        show.note(f"Has moved since the model was learned: {d['en']} (stability index {d['value']:.2f}).")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _interval(figure: dict[str, Any]) -> str:
    return "" if figure["low"] is None else f"{figure['low']:.4f} to {figure['high']:.4f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
