"""`tessera request open|list|show|verify|run|extend|refuse|lift|receipt`: what customers ask for, worked until it is done."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.files import handed
from tessera.doors.show import many
from tessera.errors import BadInput, NotFound

if TYPE_CHECKING:
    from tessera.desk import Desk
    from tessera.trust.requests import Request

KINDS = ("access", "portability", "correction", "restriction", "objection", "erasure")
HOW = ("signed link", "owner's token", "account", "document", "in person", "call back", "court order")
URGENT_DAYS = 5


def add(commands: Commands) -> None:
    """Declares them."""
    request = commands.noun(
        "request",
        "requests of customers: open, list, show, verify, run, extend, refuse, lift, receipt",
        ["request open access ann@example.org", "request list", "request run 3 -o ann.zip"],
    )
    _declare_open(request)
    listed = request.add(
        "list",
        _list,
        "requests that wait, the most urgent first",
        ["request list", "request list --all --json"],
        f"Fewer than {URGENT_DAYS} days left are red. --all: also those that are done or refused.",
    )
    listed.add_argument("--all", action="store_true", help="also those that are closed")
    show = request.add(
        "show",
        _show,
        "one request with its history",
        ["request show 3", "request show 3 --reveal"],
        "--reveal also opens what was written to it, which is an entry of the ledger.",
    )
    _number(show)
    show.add_argument("--reveal", action="store_true", help="also open the sealed texts")
    verify = request.add(
        "verify",
        _verify,
        "note how the customer's identity was made sure",
        ["request verify 3 --how document", 'request verify 3 --how "signed link" --asked'],
        "Nothing is done for anybody unverified. --asked: she was only asked for it so far.",
    )
    _number(verify)
    verify.add_argument("--how", required=True, choices=HOW, help="how it was made sure")
    verify.add_argument("--asked", action="store_true", help="she was asked; the answer is still to come")
    run = request.add(
        "run",
        _run,
        "do what is asked, to its end",
        ["request run 3 -o ann.zip --language zh", "request run 4"],
        "After a crash the same command finishes what is left, and does nothing twice. An erasure cannot be undone.",
    )
    _number(run)
    run.add_argument("-o", dest="file", metavar="FILE", help="where the copy goes (access, portability)")
    run.add_argument("--language", choices=("en", "zh"), default="en", help="of the copy's first page (default: en)")
    extend = request.add(
        "extend",
        _extend,
        "give a request more time, once, with the reason",
        ['request extend 3 --reason "Your records lie in four systems."'],
        "The customer is told the reason, in her receipt.",
    )
    _number(extend)
    extend.add_argument("--reason", metavar="TEXT", required=True, help="why; the customer reads it")
    refuse = request.add(
        "refuse",
        _refuse,
        "close a request with a no, with the reason",
        ['request refuse 3 --reason "We could not make sure who you are."'],
        "The customer is told the reason, in her receipt.",
    )
    _number(refuse)
    refuse.add_argument("--reason", metavar="TEXT", required=True, help="why; the customer reads it")
    lift = request.add(
        "lift",
        _lift,
        "end a restriction or an objection, with the reason",
        ['request lift 5 --reason "You confirmed that your address is right."'],
        "Tell the customer before a restriction ends. The reason stands on her receipt.",
    )
    _number(lift)
    lift.add_argument("--reason", metavar="TEXT", required=True, help="why; the customer reads it")
    receipt = request.add(
        "receipt",
        _receipt,
        "the signed receipt of a request, as JSON or as a page; or check one",
        ["request receipt 3", "request receipt 3 --format html --language zh -o receipt.html",
         "request receipt 3 --check receipt.json"],
        "--check says whether a receipt that somebody shows was signed by this workspace, as it is.",
    )  # fmt: skip
    _number(receipt)
    receipt.add_argument("--format", choices=("json", "html"), default="json", help="default: json")
    receipt.add_argument("--language", choices=("en", "zh"), default="en", help="of the page (default: en)")
    receipt.add_argument("-o", dest="file", metavar="FILE", help="write it there")
    receipt.add_argument("--check", metavar="FILE", help="check a receipt that is there already")


def _declare_open(request: Commands) -> None:
    opened = request.add(
        "open",
        _open,
        "open a request of a customer",
        [
            "request open access ann@example.org", "request open erasure 17 --channel letter",
            "request open correction 17 --change city=Bern", "request open objection - --purpose marketing < mail.txt",
            "request open restriction 17 --spare operate",
        ],
        "WHO is her number, or any identifier of hers; - reads an identifier from stdin. An identifier of nobody opens a\n"
        "request too. Nothing that is written here lies in clear.",
    )  # fmt: skip
    opened.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    opened.add_argument("who", metavar="WHO", help="her number, an identifier of hers, or -")
    opened.add_argument("--value", action="store_true", help="WHO is an identifier, though it looks like a number")
    opened.add_argument("--channel", default="staff", metavar="C", help="how it came: letter, e-mail, ... (default: staff)")
    opened.add_argument("--note", default="", metavar="TEXT", help="free text, sealed")
    opened.add_argument("--purpose", metavar="P", help="what an objection is to")
    opened.add_argument("--change", action="append", default=[], metavar="FIELD=VALUE", help="of a correction; repeatable")
    opened.add_argument("--changes", metavar="FILE", help="of a correction: a JSON object of fields; - reads stdin")
    opened.add_argument("--spare", action="append", default=[], metavar="P", help="a purpose that a restriction leaves open")


def _number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("request", metavar="ID", type=int, help="its number (see: tessera request list)")


def _open(call: Call) -> int:
    args = call.args
    if args.who == "-" and args.changes == "-":
        raise BadInput("Only one of WHO and --changes can come from stdin.")
    who = sys.stdin.readline().strip() if args.who == "-" else args.who
    number = int(who) if who.isdecimal() and len(who) < 10 and not args.value and args.who != "-" else None
    with call.open() as app:
        made = app.desk.open(
            args.kind, person=number, value=None if number is not None else who, channel=args.channel, note=args.note,
            purpose=args.purpose, changes=_changes(call), spared=args.spare,
        )  # fmt: skip
        return _told(call, app.desk, made, f"Next: tessera request verify {made.id} --how ...")


def _changes(call: Call) -> dict[str, str]:
    found: dict[str, str] = {}
    if call.args.changes:
        text = sys.stdin.read() if call.args.changes == "-" else Path(call.args.changes).read_text("utf-8")
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise BadInput('--changes expects a JSON object, such as {"city": "Bern"}.')
        found |= {str(k): str(v) for k, v in told.items()}
    for change in call.args.change:
        field, equals, value = change.partition("=")
        if not equals:
            raise BadInput("--change expects FIELD=VALUE, such as city=Bern.")
        found[field.strip()] = value
    return found


def _list(call: Call) -> int:
    with call.open() as app:
        found = [r for r in app.desk.all() if r.open or call.args.all]
        documents = [document(app.desk, r) for r in found]
    red = [i for i, r in enumerate(documents) if r["open"] and r["days_left"] < URGENT_DAYS]

    def draw() -> None:
        columns = ["id", "kind", "person", "status", "identity", "due", "left"]
        facts = ("id", "kind", "person_id", "status")
        rows = [[*(r[f] for f in facts), r["identity"]["state"], r["due"], _left(r)] for r in documents]
        call.show.table(columns, rows, red=red)
        if not rows:
            call.show.note("No request waits.")

    call.show.answer(documents, draw)
    return 0


def _show(call: Call) -> int:
    with call.open() as app:
        texts = app.desk.read(call.args.request) if call.args.reveal else None
        made = {**document(app.desk, app.desk.get(call.args.request)), "texts": texts}

    def draw() -> None:
        show = call.show
        show.facts(
            {
                "kind": made["kind"], "status": made["status"], "person": made["person_id"], "channel": made["channel"],
                "opened": made["opened_at"][:16].replace("T", " "), "due": f"{made['due']} ({_left(made)})",
                "identity": f"{made['identity']['state']} {made['identity']['how'] or ''}".strip(),
                **({"purpose": made["purpose"]} if made["purpose"] else {}),
                **({"spared": ", ".join(made["spared"])} if made["spared"] else {}),
            },
            f"Request {made['id']}",
        )  # fmt: skip
        for name, value in (made["outcome"] or {}).items():
            show.facts({name: value})
        for name, text in (texts or {}).items():
            show.facts({name: text})
        show.line()
        show.table(["at", "act", "by", "entry"], [[e["at"][:19], e["act"], e["by"], e["entry"]] for e in made["history"]])

    call.show.answer(made, draw)
    return 0


def _verify(call: Call) -> int:
    args = call.args
    with call.open() as app:
        step = app.desk.ask_identity if args.asked else app.desk.verify
        made = step(args.request, args.how)
        said = "" if args.asked else f"Next: tessera request run {made.id}"
        return _told(call, app.desk, made, said)


def _run(call: Call) -> int:
    args = call.args
    file = Path(args.file).absolute() if args.file else None
    if file is not None and not file.parent.is_dir():
        raise NotFound("Folder", str(file.parent))
    with call.open() as app:
        made = app.desk.run(args.request, file, language=args.language)
        code = _told(call, app.desk, made, f"Next: tessera request receipt {made.id}")
    if made.outcome.get("unlisted"):
        call.show.note(f"warning: {made.outcome['unlisted']} Try: tessera backup --erasures FILE")
    if file is not None:
        call.show.note(f"{file} is in clear and outside of Tessera: hand it over safely, then remove it.")
    return code


def _extend(call: Call) -> int:
    with call.open() as app:
        return _told(call, app.desk, app.desk.extend(call.args.request, call.args.reason))


def _refuse(call: Call) -> int:
    with call.open() as app:
        return _told(call, app.desk, app.desk.refuse(call.args.request, call.args.reason))


def _lift(call: Call) -> int:
    with call.open() as app:
        return _told(call, app.desk, app.desk.lift(call.args.request, call.args.reason))


def _receipt(call: Call) -> int:
    from tessera.request_receipt import check, page

    args = call.args
    with call.open() as app:
        if args.check:
            _check_shown(args.check, args.request, lambda shown: check(shown, app.ledger.public_key))
            call.show.answer({"ok": True}, lambda: call.show.line("This workspace signed it, as it is."))
            return 0
        made = app.desk.receipt(args.request)
    handed(call, made, page)
    return 0


def _check_shown(file: str, number: int, check: Any) -> None:
    try:
        shown = json.loads(Path(file).read_text("utf-8"))
    except (OSError, ValueError):
        raise BadInput(f"{file} is no receipt as JSON.") from None
    check(shown)
    if shown["request"] != number:
        raise BadInput(f"{file} is the receipt of request {shown['request']}, not of {number}.")


def document(desk: Desk, request: Request) -> dict[str, Any]:
    """A request as the documents of the command line have it; no text of anybody."""
    return {
        "id": request.id,
        "kind": request.kind,
        "status": request.status,
        "open": request.open,
        "person_id": request.person,
        "channel": request.channel,
        "opened_at": request.opened_at,
        "due": request.due,
        "days_left": desk.days_left(request),
        "extended": request.extended,
        "identity": {"state": request.check.state, "how": request.check.how, "by": request.check.by or None},
        "purpose": request.purpose,
        "spared": list(request.spared),
        "fields": sorted(n.removeprefix("change ") for n in request.texts if n.startswith("change ")),
        "outcome": request.outcome or None,
        "history": [{"at": e.at, "act": e.act, "by": e.by, "entry": e.entry} for e in request.history],
    }


def _told(call: Call, desk: Desk, request: Request, then: str = "") -> int:
    made = document(desk, request)

    def draw() -> None:
        call.show.line(f"Request {request.id} ({request.kind}): {request.status}, {_left(made) if request.open else 'closed'}.")
        for duty in request.outcome.get("held", ()):
            told = many(duty["rows"], "row")
            call.show.line(f"Held for {duty['purpose']} until {duty['until']}: {told} of {duty['table']}.")

    call.show.answer(made, draw)
    if then:
        call.show.note(then)
    return 0


def _left(made: dict[str, Any]) -> str:
    days = made["days_left"]
    if not made["open"]:
        return ""
    return f"{many(days, 'day')} left" if days >= 0 else f"late by {many(-days, 'day')}"
