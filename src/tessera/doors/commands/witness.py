"""`tessera ledger witness init|sign|add`: a second party who co-signs heads, by files, so that no network is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tessera.doors.call import Call, Commands
from tessera.doors.files import public_key, text_of, written


def add(ledger: Commands) -> None:
    """Declares them."""
    witness = ledger.noun(
        "witness",
        "a second party who co-signs heads: init, sign, add",
        [
            "ledger witness init ./witness --name audit.example --public-key ledger.pem",
            "ledger witness sign ./witness head.txt -o cosigned.txt",
            "ledger witness add cosigned.txt",
        ],
    )
    init = witness.add(
        "init",
        _init,
        "make a witness with a key of its own, on a machine of its own",
        ["ledger witness init ./witness --name audit.example --public-key ledger.pem"],
        "Needs no workspace. Give witness.pub to whoever checks the ledger, and never the key.",
    )
    init.add_argument("dir", metavar="DIR")
    init.add_argument("--name", required=True, metavar="NAME", help="one word that tells it from others, say a domain")
    init.add_argument("--public-key", required=True, metavar="FILE", help="the key of the ledger that it watches (PEM)")
    sign = witness.add(
        "sign",
        _sign,
        "co-sign a head that goes on from the one signed before",
        ["ledger witness sign ./witness head.txt", "ledger witness sign ./witness head.txt -o cosigned.txt"],
        "Needs no workspace. Refuses a fork and a rollback (exit code 1); keep the file then: it carries the ledger's\n"
        "signature, and is the evidence.",
    )
    sign.add_argument("dir", metavar="DIR")
    sign.add_argument("head", metavar="FILE", help="what tessera ledger head wrote")
    sign.add_argument("-o", dest="output", metavar="FILE", help="write the co-signed head there")
    keep = witness.add(
        "add",
        _add,
        "keep a co-signed head beside our own",
        ["ledger witness add cosigned.txt"],
        "Proofs then carry it, and tessera ledger verify --witness FILE counts it.",
    )
    keep.add_argument("file", metavar="FILE", help="what tessera ledger witness sign wrote")


def _init(call: Call) -> int:
    from tessera.trust.witness import PUBLIC, Witness

    args = call.args
    made = Witness.init(Path(args.dir), args.name, public_key(Path(args.public_key)))
    document = {"name": made.public.name, "public": str(made.public), "dir": args.dir}
    call.show.answer(document, lambda: call.show.line(str(made.public)))
    call.show.note(f"Give {Path(args.dir) / PUBLIC} to whoever checks the ledger.")
    return 0


def _sign(call: Call) -> int:
    from tessera.trust.witness import Witness

    args = call.args
    checkpoint = Witness(Path(args.dir)).sign(text_of(Path(args.head)), lambda: datetime.now(UTC))
    text = str(checkpoint.note)
    if args.output is not None:
        written(call, Path(args.output), text)
        return 0
    document = {"size": checkpoint.size, "root": checkpoint.root.hex(), "cosigned": text}
    call.show.answer(document, lambda: call.show.line(text.removesuffix("\n")))
    return 0


def _add(call: Call) -> int:
    text = text_of(Path(call.args.file))
    with call.open() as app:
        kept = app.ledger.add_cosigned(text)
    names = [s.name for s in kept.note.signatures[1:]]
    document = {"size": kept.size, "root": kept.root.hex(), "witnesses": names}
    call.show.answer(document, lambda: call.show.line(f"The head over {kept.size:,} entries, co-signed by {', '.join(names)}."))
    return 0
