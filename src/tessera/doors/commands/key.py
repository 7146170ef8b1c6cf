"""`tessera key status|shares|recover|rotate`: the master key, its recovery shares, and new keys for the vault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import many

if TYPE_CHECKING:
    from tessera.keyring import Status

THRESHOLD, COUNT = 2, 3
"""Shares of a new workspace: two who meet rebuild the key, and one may be lost."""


def add(commands: Commands) -> None:
    """Declares them."""
    key = commands.noun(
        "key", "the master key: status, shares, recover, rotate", ["key status", "key shares --k 2 --n 3", "key rotate"]
    )
    key.add(
        "status",
        _status,
        "where the master key is, what lies under which epoch, whether there are shares",
        ["key status", "key status --json"],
        "Shows fingerprints, never a key.",
    )
    shares = key.add(
        "shares",
        _shares,
        "make recovery shares of the master key, of which some rebuild it",
        ["key shares", "key shares --k 3 --n 5", "key shares -o /media/stick/shares"],
        "Take each file to another place or person, or print it, and remove it here. Fewer than K tell nothing.\n"
        "Shares that were made before go on rebuilding the key.",
    )
    shares.add_argument("--k", type=int, default=THRESHOLD, metavar="K", help=f"how many rebuild it (default: {THRESHOLD})")
    shares.add_argument("--n", type=int, default=COUNT, metavar="N", help=f"how many are made (default: {COUNT})")
    shares.add_argument("-o", dest="folder", metavar="DIR", help="where to write them (default: var/keys/shares)")
    recover = key.add(
        "recover",
        _recover,
        "rebuild a lost master key from its shares",
        ["key recover share-1-of-3.txt share-3-of-3.txt", "key recover a.txt b.txt --force"],
        "Says which share is mistyped (and in which line), doubled, of another set, or how many are missing.",
    )
    recover.add_argument("share", metavar="SHARE_FILE", nargs="+", help="a file with a share, as it was written or typed")
    recover.add_argument("--force", action="store_true", help="put a master.key that is there aside, under a new name")
    key.add(
        "rotate",
        _rotate,
        "seal every record of the vault under a new key, and destroy the old one",
        ["key rotate", "key rotate --json"],
        "Others may work meanwhile. Stopped or killed, the next `tessera key rotate` goes on from there.\n"
        "The master key and its shares stay the same.",
    )


def _status(call: Call) -> int:
    from tessera import keyring

    with call.open() as app:
        found = keyring.status(app)
    call.show.answer(_document(found), lambda: _told(call, found))
    return 0


def _document(found: Status) -> dict[str, Any]:
    return {
        "fingerprint": found.fingerprint,
        "origin": found.origin,
        "made": found.made,
        "epochs": [{"epoch": e, "records": n} for e, n in found.epochs.items()],
        "rotated": found.rotated,
        "shares": found.shares,
        "lying": [str(p) for p in found.lying],
        "ledger": found.ledger,
    }


def _told(call: Call, found: Status) -> None:
    made = found.shares
    shares = f"any {made['threshold']} of {made['count']}, set {made['set']}, {made['at']}" if made else "none"
    call.show.facts(
        {
            "master key": found.fingerprint,
            "comes from": found.origin,
            "made": found.made or "",
            "recovery shares": shares,
            "last rotation": found.rotated or "never",
            "ledger's key": found.ledger,
        }
    )
    call.show.line()
    call.show.table(["epoch", "records"], [[e, n] for e, n in found.epochs.items()])
    if len(found.epochs) > 1:
        call.show.note("A rotation was cut off. To finish it: tessera key rotate")
    if not made:
        call.show.note("Without shares a lost master key is lost for good. Make them: tessera key shares")
    carry_away(call, [str(p) for p in found.lying])


def carry_away(call: Call, lying: list[str]) -> None:
    """Says of share files that they are still on this machine."""
    if lying:
        call.show.note(f"{many(len(lying), 'share')} still on this machine. Take each to another place, then remove it here:")
        for path in lying:
            call.show.note(f"  {path}")


def _shares(call: Call) -> int:
    from tessera import keyring

    args = call.args
    with call.open() as app:
        written = keyring.share(app, args.k, args.n, Path(args.folder) if args.folder else None)
        document = {"fingerprint": app.secrets.fingerprint(), "k": args.k, "n": args.n, "files": [str(p) for p in written]}

    def draw() -> None:
        for path in document["files"]:
            call.show.line(path)
        call.show.note(
            f"Any {args.k} of these {args.n} rebuild master key {document['fingerprint']}. Take each to another place or "
            "person, and remove it here."
        )

    call.show.answer(document, draw)
    return 0


def _recover(call: Call) -> int:
    from tessera import keyring
    from tessera.trust.secrets import Secrets

    path = keyring.recover(call.root / "var", [Path(s) for s in call.args.share], force=call.args.force)
    fingerprint = Secrets(keyring.key_in(path)).fingerprint()

    def draw() -> None:
        call.show.line(f"Master key {fingerprint} is rebuilt in {path}.")
        call.show.note("Next: tessera doctor")

    call.show.answer({"fingerprint": fingerprint, "file": str(path)}, draw)
    return 0


def _rotate(call: Call) -> int:
    with call.open() as app, call.progress() as progress:
        epoch, cells = app.rotate(progress)

    def draw() -> None:
        call.show.line(f"The vault has epoch {epoch}: {many(cells, 'record')} sealed again, the older key destroyed.")
        call.show.note("Copies of vault.db from before carry their own key: see docs/backup.md on how they end.")

    call.show.answer({"epoch": epoch, "records": cells}, draw)
    return 0
