"""`tessera record-of-processing`, `tessera breach`: what the law wants written down, and who was held by a use."""

from __future__ import annotations

from pathlib import Path

from tessera.doors.call import Call, Commands
from tessera.doors.show import many
from tessera.errors import BadInput


def add(commands: Commands) -> None:
    """Declares them."""
    record = commands.add(
        "record-of-processing",
        _record,
        "the record of processing activities (GDPR Art. 30, PIPL Art. 55 and 56)",
        ["record-of-processing", "record-of-processing --format html --language zh -o record.html",
         "record-of-processing --json"],
        "Made from purposes, contracts, steps, roles and lineage; no row of anybody is read.",
    )  # fmt: skip
    record.add_argument("--format", choices=("table", "markdown", "html"), default="table", help="default: table")
    record.add_argument("--language", choices=("en", "zh"), default="en", help="default: en")
    record.add_argument("-o", dest="file", metavar="FILE", help="write it there")
    breach = commands.add(
        "breach",
        _breach,
        "who was held in uses by an actor, an API key, or between two moments",
        ["breach --key shop", "breach --actor user:ann --between 2026-11-01 2026-11-08",
         "breach --between 2026-11-20T08:00 2026-11-20T12:00 --list --json"],
        "For role officer. Counts by table and data category; --list also names the people by number. Asking is an entry.",
    )  # fmt: skip
    whose = breach.add_mutually_exclusive_group()
    whose.add_argument("--key", metavar="K", help="the name of an API key")
    whose.add_argument("--actor", metavar="A", help="an actor as the ledger names her, such as user:ann")
    breach.add_argument("--between", nargs=2, metavar=("T1", "T2"), help="two moments (ISO 8601; UTC if no zone is given)")
    breach.add_argument("--list", action="store_true", help="also the numbers of the people")


def _record(call: Call) -> int:
    from tessera import processing

    args = call.args
    with call.open() as app:
        made = processing.record(app.config)
    if args.format == "table" and args.file is None:
        call.show.answer(made, lambda: _drawn(call, made))
        return 0
    text = (processing.page if args.format == "html" else processing.markdown)(made, args.language)
    if args.file is None:
        call.show.answer(made, lambda: call.show.line(text.rstrip("\n")))
    else:
        Path(args.file).write_text(text, encoding="utf-8")
        call.show.note(f"The record is written to {args.file}.")
    return 0


def _drawn(call: Call, made: dict[str, object]) -> None:
    from tessera.processing import lines

    activities = made["activities"]
    assert isinstance(activities, list)
    for activity, (sentence, facts) in zip(activities, lines(made, call.args.language), strict=True):
        call.show.facts(dict(facts), f"{activity['purpose']}: {sentence}")
        call.show.line()


def _breach(call: Call) -> int:
    from tessera.breach import Sought, facts, moment

    args = call.args
    since, until = map(moment, args.between) if args.between else (None, None)
    actor = f"key:{args.key}" if args.key else args.actor
    if actor is not None and ":" not in actor:
        raise BadInput(f"{actor!r} is no actor. Actors are user:NAME, key:NAME or oidc:SUBJECT; see tessera ledger list.")
    with call.open() as app:
        found = app.breach(Sought(actor=actor, since=since, until=until), listed=args.list)

    def draw() -> None:
        show = call.show
        show.line(f"{many(found.uses, 'use')} held {many(found.people, 'person', 'people')}.")
        if found.uses:
            show.line(f"From {found.first} to {found.last}.")
        if found.at_most:
            show.line(f"{found.at_most:,} of them were at most among those over whom something was computed.")
        if found.erased:
            show.line(f"{many(found.erased, 'identifier')} of people who were erased since lead to nobody.")
        for title, counts in (("table", found.tables), ("category", found.categories)):
            if counts:
                show.line()
                show.table([title, "people"], [[name, n] for name, n in counts.items()])
        if args.list:
            show.line()
            for person in found.persons:
                show.line(str(person))
        show.note(f"Entry {found.entry} of the ledger.")

    call.show.answer(facts(found), draw)
    return 0
