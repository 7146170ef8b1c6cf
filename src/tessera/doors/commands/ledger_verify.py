"""`tessera ledger verify`: the whole log, one proof, or two heads; with the public key alone where that is enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.chains import chain_options, named_chain
from tessera.doors.entries import facts
from tessera.doors.files import public_key, text_of
from tessera.doors.show import many
from tessera.errors import BadChain, BadInput, BrokenTrail, NotFound

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from tessera.trust.anchored import AnchoredHead, Compared
    from tessera.trust.checkpoint import Checkpoint, Cosigned
    from tessera.trust.ledger import Ledger
    from tessera.trust.note import NamedKey
    from tessera.trust.proofs import Anchor
    from tessera.trust.trail import Report


def add(ledger: Commands) -> None:
    """Declares it."""
    verify = ledger.add(
        "verify",
        _verify,
        "check the whole ledger, one proof, or two heads",
        [
            "ledger verify",
            "ledger verify --copy ./ledger-copy --public-key ledger.pem",
            "ledger verify --proof proof.json --public-key ledger.pem --witness witness.pub",
            "ledger verify --proof proof.json --public-key ledger.pem --chain https://node.example --contract 0x...",
            "ledger verify --from 0 --to 3",
            "ledger verify --from old.txt --to head.txt --public-key ledger.pem",
        ],
        "Exit code 1 if an entry was changed, dropped, added or forged, or if a witness who is named co-signed nothing\n"
        "of it. A proof, a copy, and two heads in files (the second with the path from the first: tessera ledger head\n"
        "--since SIZE) need the public key and no workspace. With --chain and --contract the contract is asked too: whether a\n"
        "proof's entry, or the heads of a copy, are what was anchored.",
    )
    verify.add_argument("--public-key", metavar="FILE", help="the ledger's key (PEM) that you kept elsewhere")
    verify.add_argument("--copy", metavar="DIR", help="check this copy of var/ledger in place of the workspace's")
    verify.add_argument("--proof", metavar="FILE", help="check one proof, as tessera ledger proof writes it")
    verify.add_argument("--from", dest="old", metavar="HEAD", help="check that a head ...")
    verify.add_argument("--to", dest="new", metavar="HEAD", help="... is gone on from by this one: numbers, or files")
    chain_options(verify)
    verify.add_argument(
        "--witness", action="append", default=[], metavar="FILE", help="a witness's public key; repeat it for several"
    )


def _verify(call: Call) -> int:
    from tessera.trust.note import NamedKey

    args = call.args
    key = None if args.public_key is None else public_key(Path(args.public_key))
    witnesses = [NamedKey.read(text_of(Path(w))) for w in args.witness]
    if (args.old is None) != (args.new is None):
        raise BadInput("--from and --to belong together.")
    if sum(mode is not None for mode in (args.proof, args.copy, args.old)) > 1:
        raise BadInput("--proof, --copy and --from ask for three things. Give one of them.")
    if args.proof is not None:
        return _proof(call, key, witnesses)
    if args.old is not None:
        if args.chain is not None or args.contract is not None:
            raise BadInput("--chain is for the whole log, a copy, or a --proof; two heads are compared without it.")
        return _heads(call, key, witnesses)
    return _log(call, key, witnesses)


def _log(call: Call, key: Ed25519PublicKey | None, witnesses: Sequence[NamedKey]) -> int:
    import msgspec

    from tessera.trust.anchored import compared
    from tessera.trust.cosigned import CosignedCheckpoints
    from tessera.trust.trail import audit, roots_in

    anchors: Compared | None = None
    if call.args.copy is None:
        with call.open() as app:
            report, key, folder = app.ledger.verify(key), key or app.ledger.public_key, app.ledger.folder
            if app.anchors.asked is not None:
                try:
                    anchors = app.anchors.check()
                except BadChain as no:
                    call.show.note(f"warning: the anchored heads were not compared. {no}")
    else:
        folder = Path(call.args.copy)
        if not folder.is_dir():
            raise NotFound("Folder", str(folder))
        if key is None:
            raise BadInput("A copy is checked by a key that did not come with it: --public-key FILE")
        report = audit(folder, key, None)
        with named_chain(call) as chain:
            anchors = None if chain is None else compared(chain, roots_in(folder), report.entries)
    document = {f: getattr(report, f) for f in ("ok", "entries", "signed", "root", "first_bad", "reason")}
    document["anchors"] = None if anchors is None else msgspec.to_builtins(anchors)
    if report.ok and anchors is not None and anchors.reason:
        document |= {"ok": False, "reason": anchors.reason}
    kept = CosignedCheckpoints(folder, key)
    _witnessed(document, [(w, kept.by(w)) for w in witnesses] if report.ok else [])
    call.show.answer(document, lambda: _drawn_log(call, report, document))
    return 0 if document["ok"] else 1


def _drawn_log(call: Call, report: Report, document: dict[str, Any]) -> None:
    if report.ok and document["ok"]:
        call.show.line(
            f"The ledger holds: {many(report.entries, 'entry', 'entries')}, {report.signed:,} under a signed head."
        )
    else:
        call.show.line(f"The ledger does NOT hold: {document['reason']}.")
        call.show.note("Keep var/ledger as it is, and compare it with a copy.")
    call.show.facts({"root": report.root})
    if (anchors := document["anchors"]) and not anchors["reason"]:
        call.show.line(f"It goes on from {many(anchors['heads'], 'anchored head')}, the newest of {anchors['size']:,} entries.")
    _drawn_witnesses(call, document)


def _proof(call: Call, key: Ed25519PublicKey | None, witnesses: Sequence[NamedKey]) -> int:
    from tessera.trust.checkpoint import cosigned_by
    from tessera.trust.proofs import check, check_on, read_proof

    proof = read_proof(text_of(Path(call.args.proof)))
    if key is None:
        with call.open() as app:
            key = app.ledger.public_key
    document: dict[str, Any] = {"ok": True, "reason": "", "entry": None, "size": None, "root": None, "member": None}
    document["anchor"] = None
    said: list[tuple[NamedKey, list[Cosigned]]] = []
    try:
        proved = check(proof, key)
        with named_chain(call) as chain:
            head = None if chain is None else check_on(chain, proof, proved.checkpoint)
    except BrokenTrail as broken:
        document |= {"ok": False, "reason": broken.reason}
    else:
        document |= {"entry": facts(proved.entry), "size": proved.checkpoint.size, "root": proved.checkpoint.root.hex()}
        document["member"] = None if proved.unit is None else {"unit": proved.unit, "id": proved.id}
        document["anchor"] = None if proved.anchor is None else _anchored(proved.anchor, head)
        said = [(w, [c] if (c := cosigned_by(proved.checkpoint, w)) else []) for w in witnesses]
    _witnessed(document, said)

    def draw() -> None:
        entry, member = document["entry"], document["member"]
        if entry is None:
            call.show.line(f"The proof does NOT hold: {document['reason']}.")
            return
        call.show.line(f"The proof holds: entry {entry['seq']} is in the log of {document['size']:,} entries that was signed.")
        shown = {k: entry[k] for k in ("at", "actor", "role", "act", "purpose", "verdict", "reason", "rows", "note")}
        if member is not None:
            people = entry["people"]
            shown["held"] = f"{member['unit']} {member['id']}, in a set of {people['size']:,} ({people['bound']})"
        call.show.facts({k: v for k, v in shown.items() if v not in (None, "")})
        _drawn_anchor(call, document["anchor"])
        _drawn_witnesses(call, document)

    call.show.answer(document, draw)
    return 0 if document["ok"] else 1


def _anchored(anchor: Anchor, head: AnchoredHead | None) -> dict[str, Any]:
    """Where a proof says to be anchored; `at` is the block's time, once the contract has said that it is."""
    facts = {f: getattr(anchor, f) for f in ("kind", "chain", "contract", "number", "size", "root")}
    return {**facts, "at": None if head is None else datetime.fromtimestamp(head.at, UTC).isoformat()}


def _drawn_anchor(call: Call, anchor: dict[str, Any] | None) -> None:
    if anchor is None:
        return
    where = f"anchor {anchor['number']} on contract {anchor['contract']} (chain {anchor['chain']})"
    if anchor["at"] is not None:
        call.show.line(f"The contract holds it: {where}, since {anchor['at']}.")
    elif anchor["kind"] == "embedded":
        call.show.note(f"It says to be under {where}: the operator's own chain, which proves nothing to others.")
    else:
        call.show.note(f"It says to be under {where}. To ask the contract: --chain URL --contract ADDRESS")


def _heads(call: Call, key: Ed25519PublicKey | None, witnesses: Sequence[NamedKey]) -> int:
    from tessera.trust.checkpoint import check_path, cosigned_by, read_head

    args = call.args
    files = [None if h.isdecimal() else text_of(Path(h)) for h in (args.old, args.new)]
    old, new = (read_head(f, key) if f is not None and key else None for f in files)
    document: dict[str, Any] = {"ok": True, "reason": "", "from": None, "to": None, "path": []}
    said: list[tuple[NamedKey, list[Cosigned]]] = []
    path: Sequence[bytes]
    try:
        if old and new and new.old == old.checkpoint.size and (new.path or new.old in (0, new.checkpoint.size)):
            first, second, path = old.checkpoint, new.checkpoint, new.path
        else:
            with call.open() as app:
                own = key or app.ledger.public_key
                first, second = (
                    _of(app.ledger, int(word), own) if f is None else read_head(f, own).checkpoint
                    for word, f in zip((args.old, args.new), files, strict=True)
                )
                path = _between(app.ledger, first, second)
        check_path(first, second, path)
        said = [(w, [c] if (c := cosigned_by(second, w)) else []) for w in witnesses]
        document |= {"from": _head(first), "to": _head(second), "path": [h.hex() for h in path]}
    except BrokenTrail as broken:
        document |= {"ok": False, "reason": broken.reason}
    _witnessed(document, said)

    def draw() -> None:
        if document["to"] is None:
            call.show.line(f"The heads are NOT consistent: {document['reason']}.")
            return
        call.show.line(
            f"The log of {document['to']['size']:,} entries goes on from that of {document['from']['size']:,}: "
            "nothing of it was changed, dropped or moved."
        )
        _drawn_witnesses(call, document)

    call.show.answer(document, draw)
    return 0 if document["ok"] else 1


def _of(ledger: Ledger, number: int, key: Ed25519PublicKey) -> Checkpoint:
    """A signed head of the workspace by its number."""
    from tessera.trust.checkpoint import Checkpoint
    from tessera.trust.note import Note

    head = ledger.head(number)
    if not head.holds(key):
        raise BrokenTrail(f"signed head {number} does not carry the signature of this key")
    return Checkpoint(head.size, bytes.fromhex(head.root), Note(""))


def _between(ledger: Ledger, old: Checkpoint, new: Checkpoint) -> Sequence[bytes]:
    if max(old.size, new.size) > len(ledger):
        raise BrokenTrail(f"a rollback: the ledger has {len(ledger)} entries, {max(old.size, new.size)} were signed before")
    return ledger.consistency(old.size, new.size) if old.size <= new.size else ()


def _head(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"size": checkpoint.size, "root": checkpoint.root.hex()}


def _witnessed(document: dict[str, Any], said: Iterable[tuple[NamedKey, list[Cosigned]]]) -> None:
    """Adds to the document what the named witnesses co-signed; one who co-signed nothing is a fault."""
    document["witnesses"] = [
        {
            "name": witness.name,
            "heads": len(cosigned),
            "size": cosigned[-1].size if cosigned else None,
            "at": cosigned[-1].at.isoformat() if cosigned else None,
        }
        for witness, cosigned in said
    ]
    silent = [w["name"] for w in document["witnesses"] if not w["heads"]]
    if document["ok"] and silent:
        document |= {"ok": False, "reason": f"not co-signed by {', '.join(silent)}"}


def _drawn_witnesses(call: Call, document: dict[str, Any]) -> None:
    for w in document["witnesses"]:
        if w["heads"]:
            heads = f"{many(w['heads'], 'head')}, the newest over {w['size']:,} entries at {w['at']}"
            call.show.line(f"{w['name']} co-signed {heads}.")
        else:
            call.show.line(f"{w['name']} co-signed NOTHING of it.")
