"""`tessera backup` and `tessera restore`: a live workspace as one encrypted file, and back without the erased."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands, Usage
from tessera.doors.show import many

if TYPE_CHECKING:
    from tessera.backup import Backup

KEY_HELP = "a file with a key for backups, 32 bytes as base64 (or set TESSERA_BACKUP_KEY)"


def add(commands: Commands) -> None:
    """Declares both."""
    backup = commands.add(
        "backup",
        _backup,
        "write an encrypted backup of the workspace, check one, or write the erasure list",
        [
            "backup",
            "backup /mnt/nas/acme.backup --key backup.key",
            "backup /mnt/nas/acme.backup --check",
            "backup --erasures /mnt/nas/acme.erasures",
        ],
        "The file opens with the master key, and with --key too; neither is in it. Write the erasure list to a\n"
        "place that outlives this machine: a restore needs it, it names nobody, and every erasure from then on brings it\n"
        "up to date.",
    )
    backup.add_argument("file", metavar="FILE", nargs="?", help="where to write it (default: NAME-TIME.backup, here)")
    backup.add_argument("--key", metavar="FILE", help=KEY_HELP)
    backup.add_argument(
        "--only-key", action="store_true", help="the master key does not open it: it ends when that key is destroyed"
    )
    backup.add_argument("--check", action="store_true", help="read FILE whole, and write nothing")
    backup.add_argument("--erasures", metavar="LIST", help="write only the erasure list, and keep it up to date there")
    restore = commands.add(
        "restore",
        _restore,
        "make a workspace of a backup, and erase again whom was erased since",
        [
            "restore acme.backup again --erasures acme.erasures --master-key master.key",
            "restore acme.backup again --erasures /old/acme --shares share-1.txt share-3.txt",
            "restore acme.backup again --without-erasures",
        ],
        "The master key comes from --shares, --master-key, TESSERA_MASTER_KEY, or the workspace that --erasures names.",
    )
    restore.add_argument("file", metavar="FILE", help="a backup")
    restore.add_argument("dir", metavar="DIR", help="a new or empty folder")
    restore.add_argument("--erasures", metavar="FROM", help="an erasure list, or the old workspace, dead or alive")
    restore.add_argument(
        "--without-erasures", action="store_true", help="whoever was erased after the backup comes back"
    )
    restore.add_argument("--key", metavar="FILE", help=KEY_HELP)
    restore.add_argument("--master-key", metavar="FILE", help="a copy of the master key")
    restore.add_argument("--shares", metavar="FILE", nargs="+", default=[], help="recovery shares of the master key")


def _backup(call: Call) -> int:
    from tessera import keyring

    args = call.args
    if args.check and (args.file is None or args.erasures):
        raise Usage("--check reads one backup. Try: tessera backup FILE --check")
    own = keyring.backup_key(args.key)
    if args.only_key and own is None:
        raise Usage("--only-key needs a key. Try: tessera backup FILE --key KEY_FILE --only-key")
    if args.erasures:
        return _erasures(call, Path(args.erasures))
    if args.check:
        return _check(call, Path(args.file), [own] if own else [])
    with call.open() as app, call.progress() as progress:
        name = f"{app.config.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup"
        keys = [own] if own and args.only_key else [app.secrets, *([own] if own else [])]
        made = app.backup(Path(args.file or name), keys, progress)
        shared = app.state.get("keys", "shares") is not None

    def draw() -> None:
        call.show.line(str(made.file))
        call.show.note(
            f"{made.size / 1e6:,.1f} MB, {many(made.members, 'part')}, opens with key {' or '.join(made.opens_with)}. "
            f"Check it where it lies: tessera backup {made.file} --check"
        )
        if not shared:
            call.show.note("The master key has no recovery shares: without it no backup helps. Try: tessera key shares")

    call.show.answer(_document("written", made), draw)
    return 0


def _check(call: Call, file: Path, keys: list[Any]) -> int:
    from tessera import backup, keyring
    from tessera.trust.secrets import Secrets

    if not keys:
        keys = [Secrets(keyring.master_at_hand(None, [], _var(call))[0])]
    with call.progress() as progress:
        found = backup.check(file, keys, progress)
    call.show.answer(
        _document("checked", found),
        lambda: call.show.line(f"{found.file} is whole: {many(found.members, 'part')}, made at {found.made}."),
    )
    return 0


def _erasures(call: Call, file: Path) -> int:
    with call.open() as app:
        known = app.list_erasures(file)
        document = {
            "did": "erasures", "file": str(file.absolute()), "made": known.at, "workspace": known.workspace,
            "members": len(known.values), "size": file.stat().st_size, "opens_with": [app.secrets.fingerprint()],
        }  # fmt: skip

    def draw() -> None:
        call.show.line(str(document["file"]))
        gone = many(len(known.values), "erased identifier")
        call.show.note(f"{gone}, as keyed hashes. Every erasure brings this file up to date, as long as it can be written.")

    call.show.answer(document, draw)
    return 0


def _restore(call: Call) -> int:
    from tessera import keyring
    from tessera.restore import restore
    from tessera.trust import erasures
    from tessera.trust.secrets import Secrets

    args = call.args
    if bool(args.erasures) == args.without_erasures:
        raise Usage(
            "A backup does not know who was erased after it was made. Give --erasures FROM (a list, or the old workspace), "
            "or --without-erasures if nobody was."
        )
    source = Path(args.erasures) if args.erasures else None
    old = None if source is None or not source.is_dir() else source / "var" if (source / "var").is_dir() else source
    master, keep = keyring.master_at_hand(args.master_key, args.shares, old)
    mine, own = Secrets(master), keyring.backup_key(args.key)
    known = erasures.read(source, mine) if source else None
    with call.progress() as progress:
        done = restore(
            Path(args.file), Path(args.dir), master, [mine, *([own] if own else [])], known,
            keep_key=keep, wait_s=args.wait, progress=progress,
        )  # fmt: skip
    document = {
        "workspace": str(done.workspace), "made": done.made, "members": done.members,
        "erased": done.erased, "known": done.known,
    }  # fmt: skip

    def draw() -> None:
        call.show.line(str(done.workspace))
        call.show.note(f"It stands as it was at {done.made}. Next: tessera -w {done.workspace} turn")
        call.show.note(
            "API keys and accounts are as they were then, too: end again what you have ended since (tessera apikey list, "
            "tessera account list)."
        )
        if done.erased is not None:
            call.show.note(f"Erased again: {many(done.erased, 'person', 'people')}, as known at {done.known}.")
            if done.known is not None and done.known < done.made:
                call.show.note("warning: that list is older than the backup; use the newest there is.")

    call.show.answer(document, draw)
    if done.erased is None:
        call.show.note(
            f"warning: no erasure was replayed. Whoever was erased after {done.made} is back; erase them again: "
            "tessera person erase"
        )
    return 0


def _document(did: str, found: Backup) -> dict[str, Any]:
    return {
        "did": did, "file": str(found.file), "made": found.made, "workspace": found.workspace,
        "members": found.members, "size": found.size, "opens_with": list(found.opens_with),
    }  # fmt: skip


def _var(call: Call) -> Path | None:
    """The var/ of the workspace around us; None outside of one, where a key has to be given."""
    from tessera.errors import NotFound

    try:
        return call.root / "var"
    except NotFound:
        return None
