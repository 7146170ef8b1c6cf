"""`tessera person find|show|why|erase`: who somebody is to us, what we may see, how we know, and how we forget."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands, reading
from tessera.doors.show import many
from tessera.errors import BadInput

if TYPE_CHECKING:
    from tessera.portrait import Portrait


def add(commands: Commands) -> None:
    """Declares them."""
    person = commands.noun(
        "person",
        "one person: find, show, why, erase",
        ["person find ann@example.org", "person show 17 --role service --purpose operate", "person why 17"],
    )
    find = person.add(
        "find",
        _find,
        "the numbers of the persons whom an identifier belongs to",
        ["person find ann@example.org", "person find +41791234567 --json", "person find - < identifier.txt"],
        "Prints numbers only. Exit code 3 if the identifier is nobody's.",
    )
    find.add_argument("value", metavar="VALUE", help="an e-mail, phone, user id or device id; - reads it from stdin")
    show = person.add(
        "show",
        _show,
        "what a role may see of a person for a purpose",
        [
            "person show 17 --role service --purpose operate",
            "person show 17 --role marketer --purpose marketing --json",
        ],
        "Each value with the source that gave it. What is masked or closed is listed with the reason.",
    )
    number(show)
    reading(show)
    why = person.add(
        "why",
        _why,
        "how her records were joined; kinds of identifiers, no values",
        ["person why 17", "person why 17 --json"],
    )
    number(why)
    erase = person.add(
        "erase",
        _erase,
        "erase a person from every table, version and store",
        ["person erase 17 --dry-run", "person erase 17 --yes", "person erase 17 --yes --sweep"],
        "At once nobody reads her any more and her identifiers are destroyed; the next sweep takes her rows out of\n"
        "every file and version. This cannot be undone.",
    )
    number(erase)
    erase.add_argument("--dry-run", action="store_true", help="only say how many rows of which table would go")
    erase.add_argument("--yes", action="store_true", help="do not ask")
    erase.add_argument("--sweep", action="store_true", help="take her rows out of every file now")


def number(parser: argparse.ArgumentParser) -> None:
    """The argument by which a person is named."""
    parser.add_argument("person", metavar="ID", type=person_id, help="her number (see: tessera person find)")


def person_id(text: str) -> int:
    """A person's number as an argument."""
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError("a person is named by her number; tessera person find VALUE gives it")
    return int(text)


def _find(call: Call) -> int:
    value = sys.stdin.readline().strip() if call.args.value == "-" else call.args.value
    with call.open() as app:
        found, stated = app.people.find(value), app.people.stated(value)

    def draw() -> None:
        for number in found:
            call.show.line(str(number))

    listed = [{"person_id": n} for n in found] + [{"person_id": n, "stated": True} for n in stated]
    call.show.answer(listed, draw)
    if stated:
        numbers = ", ".join(map(str, stated))
        call.show.note(f"It also stands in the record of {numbers}, unverified or shared by many: it joins no records there.")
    if not listed:
        call.show.note("That identifier is nobody's. Spelling matters for user ids; e-mails and phones are normalised.")
    return 0 if listed else 3


def _show(call: Call) -> int:
    with call.open() as app:
        portrait = app.people.portrait(call.args.person, purpose=call.args.purpose, role=call.args.role)
    document = asdict(portrait)
    document["fields"] = document.pop("traits")
    call.show.answer(document, lambda: _drawn(call, portrait))
    return 0


def _drawn(call: Call, portrait: Portrait) -> None:
    show = call.show
    show.line(f"Person {portrait.person}, as {portrait.role} sees her for {portrait.purpose}")
    show.line()
    known = [t for t in portrait.traits if t.value is not None]
    show.table(["field", "value", "source"], [[t.field, t.value, t.source] for t in known])
    for title, rows in (
        ("Consents", portrait.consents),
        ("Segments", portrait.segments),
        ("Last orders", portrait.orders),
        ("Rows", [r for r in portrait.counts if r["rows"]]),
    ):
        if rows:
            show.line()
            show.table(list(rows[0]), [list(r.values()) for r in rows], title)
    veiled = [t for t in portrait.traits if t.reason is not None]
    if veiled or portrait.closed:
        show.line()
        closed = [(t.field, t.reason) for t in veiled] + list(portrait.closed.items())
        show.table(["not in clear", "because"], closed)
    show.note(f"Entries {', '.join(map(str, portrait.entries))} of the ledger.")


def _why(call: Call) -> int:
    with call.open() as app:
        found = app.people.why(call.args.person)
    kinds = [{"key": key, "kind": kind} for key, kind in found.keys.items()]
    document = {
        "person_id": found.person,
        "keys": kinds,
        "pairs": [asdict(p) for p in found.pairs],
        "hot": [asdict(h) for h in found.hot],
        "more": found.more,
    }

    def draw() -> None:
        show = call.show
        show.line(f"Person {found.person} has {many(len(kinds), 'identifier')}")
        show.line()
        show.table(["key", "kind"], [[k["key"], k["kind"]] for k in kinds])
        if found.pairs:
            rows: list[list[Any]] = [
                [f"{p.kind_a} {p.key_a}", f"{p.kind_b} {p.key_b}", p.source, p.first_seen, p.rows, p.joined]
                for p in found.pairs
            ]
            show.line()
            show.table(["one", "with", "source", "first seen", "rows", "joined"], rows, "Seen together in a row")
        for hot in found.hot:
            show.line()
            show.line(
                f"{hot.kind} {hot.key} is hot: it is linked to {hot.joins} user ids, at most {hot.cap} are allowed "
                "(caps in tessera.yaml), so it joins nobody."
            )
        if found.more:
            show.note(f"{many(found.more, 'more pair')} not shown.")

    call.show.answer(document, draw)
    return 0


def _erase(call: Call) -> int:
    args, show = call.args, call.show
    if not args.dry_run and not args.yes and not sys.stdin.isatty():
        raise BadInput(
            f"An erasure cannot be undone, and nobody is there to ask. Look first: tessera person erase {args.person} "
            f"--dry-run. Then: tessera person erase {args.person} --yes"
        )
    with call.open() as app:
        plan = app.rights.plan([args.person])
        rows = [{"table": t, "rows": n, "fate": fate} for t, (n, fate) in sorted(plan.rows.items())]
        document: dict[str, Any] = {
            "person_id": args.person,
            "dry_run": args.dry_run,
            "keys": len(plan.who.keys),
            "records": len(plan.who.records),
            "tables": rows,
            "entry": None,
            "due": None,
            "swept": None,
            "held": [],
        }
        if args.dry_run:
            show.answer(document, lambda: _planned(call, document))
            return 0
        if not args.yes and not _sure(call, document):
            show.note("Nothing was erased.")
            return 1
        done = app.erase([args.person], sweep=args.sweep)
        swept: dict[str, Any] | None = (
            None if done.swept is None else {"people": done.swept.people, "rows": done.swept.rows}
        )
        document |= {"entry": done.entry, "due": done.due, "swept": swept, "held": list(done.held)}

    def draw() -> None:
        show.line(
            f"Person {args.person} is erased: {many(document['keys'], 'identifier')} destroyed, entry {done.entry}."
        )
        if swept is not None:
            show.line(f"Her rows are out of every file: {many(sum(swept['rows'].values()), 'row')}.")
        elif done.due is not None:
            show.line(
                f"Her rows leave the files with the sweep by {done.due.date()}, or now: tessera turn after that day."
            )

    show.answer(document, draw)
    for duty in done.held:
        show.note(f"Held for {duty['purpose']} until {duty['until']}: {many(duty['rows'], 'row')} of {duty['table']}.")
    if done.unlisted:
        show.note(f"warning: the erasure list is older than this erasure. {done.unlisted} Try: tessera backup --erasures FILE")
    return 0


def _planned(call: Call, document: dict[str, Any]) -> None:
    call.show.line(
        f"Person {document['person_id']}: {many(document['keys'], 'identifier')} and "
        f"{many(document['records'], 'sealed record')} would be destroyed, and of the tables:"
    )
    call.show.table(["table", "rows", "fate"], [list(r.values()) for r in document["tables"]])


def _sure(call: Call, document: dict[str, Any]) -> bool:
    _planned(call, document)
    sys.stderr.write("This cannot be undone. Erase her? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
