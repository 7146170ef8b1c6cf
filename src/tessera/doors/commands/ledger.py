"""`tessera ledger list|of|show|proof|head|key`: every use of data about people, and proofs of it for people outside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands import ledger_verify, witness
from tessera.doors.commands.person import number
from tessera.doors.entries import facts
from tessera.doors.files import written
from tessera.doors.show import short

if TYPE_CHECKING:
    from tessera.trust.ledger import Entry

LIMIT = 30


def add(commands: Commands) -> None:
    """Declares them."""
    ledger = commands.noun(
        "ledger",
        "every use of data about people: list, of, show, proof, head, key, verify, witness",
        ["ledger list", "ledger of 17", "ledger proof 12 --person 17 -o proof.json", "ledger verify"],
    )
    lister = ledger.add(
        "list", _list, "list the newest entries", ["ledger list", "ledger list --json", "ledger list --limit 5"]
    )
    lister.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"the newest N (default: {LIMIT})")
    of = ledger.add(
        "of",
        _of,
        "the uses that held a person or any of her keys, newest first",
        ["ledger of 17", "ledger of 17 --limit 5 --json"],
        "A use whose set is 'at most' (a step) touched some of its people and nobody else. Of a person who was erased\n"
        "nothing leads to her keys any more.",
    )
    number(of)
    of.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"the newest N (default: {LIMIT})")
    show = ledger.add("show", _show, "one entry with its head", ["ledger show 12", "ledger show 12 --json"])
    show.add_argument("entry", metavar="N", type=int)
    proof = ledger.add(
        "proof",
        _proof,
        "the proof of one entry, to be checked with the public key alone",
        ["ledger proof 12 -o proof.json", "ledger proof 12 --person 17 -o proof.json"],
        "Checked by: tessera ledger verify --proof proof.json --public-key ledger.pem. With --person it also proves\n"
        "that a key of hers is in the entry's set.",
    )
    proof.add_argument("entry", metavar="ENTRY", type=int)
    proof.add_argument("--person", type=int, metavar="ID", help="prove that the entry held her, too")
    proof.add_argument("-o", dest="output", metavar="FILE", help="write it there")
    head = ledger.add(
        "head",
        _head,
        "the newest head as a checkpoint, with the path from an older one",
        ["ledger head", "ledger head --since 120 -o head.txt"],
        "This is what a witness is given to sign. It follows C2SP tlog-checkpoint and tlog-witness.",
    )
    head.add_argument(
        "--since", type=int, metavar="SIZE", help="from the head of so many entries (default: the newest co-signed one)"
    )
    head.add_argument("-o", dest="output", metavar="FILE", help="write it there")
    key = ledger.add(
        "key",
        _key,
        "the public key that everything is checked with (PEM)",
        ["ledger key", "ledger key -o ledger.pem"],
        "Hand it out once, early, by a way of its own: whoever has it needs to trust nothing else of ours.",
    )
    key.add_argument("-o", dest="output", metavar="FILE", help="write it there")
    ledger_verify.add(ledger)
    witness.add(ledger)


def _list(call: Call) -> int:
    with call.open() as app:
        entries = list(app.ledger.entries(limit=max(0, call.args.limit), newest_first=True))
    return _listed(call, entries)


def _of(call: Call) -> int:
    with call.open() as app:
        entries = app.people.uses_of(call.args.person, max(0, call.args.limit))
    return _listed(call, entries)


def _listed(call: Call, entries: list[Entry]) -> int:
    found = [facts(e) for e in entries]

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
    head = proof.head
    document: dict[str, Any] = {
        "entry": facts(entry),
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
        call.show.note(f"To prove it to others: tessera ledger proof {entry.seq} -o proof.json")

    call.show.answer(document, draw)
    return 0


def _proof(call: Call) -> int:
    import msgspec

    with call.open() as app:
        proof = app.people.proof(call.args.entry, call.args.person)
    document = msgspec.to_builtins(proof)
    if call.args.output is None:
        call.show.document(document)
    else:
        written(call, Path(call.args.output), msgspec.json.format(msgspec.json.encode(proof)).decode() + "\n")
    return 0


def _head(call: Call) -> int:
    with call.open() as app:
        newest = app.ledger.cosigned.newest()
        since = call.args.since if call.args.since is not None else newest.size if newest else 0
        request = app.ledger.request(since)
    if call.args.output is not None:
        written(call, Path(call.args.output), str(request))
        return 0
    document = {
        "size": request.checkpoint.size,
        "root": request.checkpoint.root.hex(),
        "since": request.old,
        "path": [h.hex() for h in request.path],
        "request": str(request),
    }
    call.show.answer(document, lambda: call.show.line(str(request).removesuffix("\n")))
    return 0


def _key(call: Call) -> int:
    from tessera.trust.checkpoint import fingerprint, log_key
    from tessera.trust.trail import pem_of

    with call.open() as app:
        key = app.ledger.public_key
    pem = pem_of(key).decode()
    document = {"name": log_key(key).name, "fingerprint": fingerprint(key), "pem": pem}
    if call.args.output is not None:
        written(call, Path(call.args.output), pem)
    else:
        call.show.answer(document, lambda: call.show.line(pem.removesuffix("\n")))
    call.show.note(f"fingerprint: {document['fingerprint']}")
    return 0
