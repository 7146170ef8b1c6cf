"""`tessera recommend`: what a person will most likely want next, and why, as the last turn has foretold it."""

from __future__ import annotations

from datetime import date
from typing import Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands.person import person_id
from tessera.errors import NotFound

PURPOSE = "personalise"
COLUMNS = "rank, product_id, kind, chance, times, every_days, last_bought, because, segment, as_of"


def add(commands: Commands) -> None:
    """Declares it."""
    parser = commands.add(
        "recommend",
        _recommend,
        "what a person will most likely want next, and why",
        ["recommend --person 17", "recommend --person 17 --language zh --json"],
        "Of whoever allows the purpose personalise. How well it is foretold: tessera model show recommend.",
    )
    parser.add_argument("--person", type=person_id, required=True, metavar="ID", help="her number (see: tessera person find)")
    parser.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the reasons (default: en)")


def _recommend(call: Call) -> int:
    from tessera.insight.recommend import words

    args = call.args
    with call.open() as app:
        if app.lake.version("next_products") is None:
            raise NotFound("List", "of next products: there was no turn yet. Try: tessera turn")
        select = f"SELECT {COLUMNS} FROM next_products WHERE person_id = {args.person} ORDER BY rank"
        found: list[dict[str, Any]] = app.sql(select, purpose=PURPOSE, role=args.role).table.to_pylist()

    for line in found:
        last, as_of = line["last_bought"], line["as_of"]
        since = float((as_of - last).days) if isinstance(last, date) else None
        told = {"times": line["times"] or 0, "every": line["every_days"], "since": since, "other": line["because"] or ""}
        line["said"] = {
            language: words.because(line["kind"], language, grouped=line["segment"] is not None, **told)
            for language in words.LANGUAGES
        }

    def draw() -> None:
        chances = ["" if line["chance"] is None else f"{line['chance']:.1%}" for line in found]
        rows = [
            [line["rank"], line["product_id"], chance, line["said"][args.language]]
            for line, chance in zip(found, chances, strict=True)
        ]
        call.show.table(["", "product", "chance", "because"], rows)
        if not found:
            call.show.note("Nothing is foretold of her: she does not allow it, nothing of her is known, or too few people buy.")

    call.show.answer(found, draw)
    return 0
