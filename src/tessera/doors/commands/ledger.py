"""`tessera ledger list|show|verify`: every use of data about people, and the proof that none was changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import many, short
from tessera.errors import NotFound

if TYPE_CHECKING:
    from tessera.trust.ledger import Entry

LIMIT = 30


def add(commands: Commands) -> None:
    """Declares them."""
    ledger = commands.noun(
        "ledger", "every use of data about people: list, show, verify", ["ledger list", "ledger verify"]
    )
    lister = ledger.add(
        "list",
        _list,
        "list the newest entries",
        ["ledger list", "ledger list --person 17 --json", "ledger list --limit 5"],
    )
    lister.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"the newest N (default: {LIMIT})")
    lister.add_argument("--person", type=int, metavar="ID", help="only those that touched this person")
    show = ledger.add(
        "show", _show, "one entry with its proof", ["ledger show 12", "ledger show 12 --json > receipt.json"]
    )
    show.add_argument("entry", metavar="N", type=int)
    verify = ledger.add(
        "verify",
        _verify,
        "read the whole ledger again and check it",
        ["ledger verify", "ledger verify --key public.pem"],
        "Exit code 1 if an entry was changed, dropped, added or forged. With --key the signatures are checked by a\n"
        "key that you kept elsewhere (var/ledger/public.pem).",
    )
    verify.add_argument("--key", metavar="FILE", help="an Ed25519 public key (PEM)")


def _list(call: Call) -> int:
    args = call.args
    limit = max(0, args.limit)
    with call.open() as app:
        if args.person is None:
            entries = list(app.ledger.entries(limit=limit, newest_first=True))
        else:
            entries = app.uses_of(args.person, limit)
    found = [_facts(e) for e in entries]

    def draw() -> None:
        rows = [
            [
                e["seq"],
                e["at"][:19].replace("T", " "),
                e["actor"],
                e["act"],
                e["purpose"],
                e["verdict"],
                e["rows"],
                short(", ".join(t["table"] for t in e["tables"]) or e["note"], 40),
            ]
            for e in found
        ]
        call.show.table(["entry", "at", "actor", "act", "purpose", "verdict", "rows", "of"], rows)

    call.show.answer(found, draw)
    return 0


def _show(call: Call) -> int:
    with call.open() as app:
        proof = app.ledger.proof(call.args.entry)
        (entry,) = app.ledger.entries(call.args.entry, call.args.entry + 1)
        key = app.ledger.folder / "public.pem"
    head = proof.head
    document: dict[str, Any] = {
        "entry": _facts(entry),
        "line": proof.line.decode(),
        "path": [p.hex() for p in proof.path],
        "head": {f: getattr(head, f) for f in ("number", "size", "length", "root", "at", "signature")},
    }

    def draw() -> None:
        shown = {
            **document["entry"],
            "tables": ", ".join(f"{t['table']} v{t['version']}" for t in document["entry"]["tables"]),
        }
        shown["categories"] = ", ".join(document["entry"]["categories"])
        call.show.facts({k: v for k, v in shown.items() if v not in (None, "")})
        call.show.line()
        call.show.facts({"head": f"{head.number}, over {head.size} entries, signed at {head.at}", "root": head.root})
        call.show.note(f"With --json it is a receipt, which {key} proves without us.")

    call.show.answer(document, draw)
    return 0


def _verify(call: Call) -> int:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = None
    if call.args.key is not None:
        try:
            loaded = load_pem_public_key(Path(call.args.key).read_bytes())
        except (OSError, ValueError):
            loaded = None
        if not isinstance(loaded, Ed25519PublicKey):
            raise NotFound("Ed25519 public key", call.args.key)
        key = loaded
    with call.open() as app:
        report = app.ledger.verify(key)
    document = {f: getattr(report, f) for f in ("ok", "entries", "signed", "root", "first_bad", "reason")}

    def draw() -> None:
        if report.ok:
            call.show.line(
                f"The ledger holds: {many(report.entries, 'entry', 'entries')}, {report.signed:,} under a signed head."
            )
        else:
            call.show.line(f"The ledger does NOT hold: {report.reason}.")
            call.show.note("Keep var/ledger as it is, and compare it with a copy.")
        call.show.facts({"root": report.root})

    call.show.answer(document, draw)
    return 0 if report.ok else 1


def _facts(entry: Entry) -> dict[str, Any]:
    keys = entry.keys
    return {
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "role": entry.role,
        "act": entry.act,
        "purpose": entry.purpose,
        "verdict": entry.verdict,
        "reason": entry.reason,
        "tables": [{"table": t, "version": v} for t, v in entry.tables],
        "categories": list(entry.categories),
        "rows": entry.rows,
        "note": entry.note,
        "people": None
        if keys is None
        else {"unit": keys.unit, "size": keys.size, "bound": keys.bound, "digest": keys.digest},
    }
