"""Restore: a backup becomes a workspace again, in a new folder, and those who were erased since are erased again.

It is unpacked beside its place, under a name of its own; only when all of it was read, opened and compared, and the
erasures were replayed and swept, does it get the name of the workspace. Until then nobody can open it by mistake.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tessera import backup
from tessera.app import App
from tessera.errors import BadArchive, BadInput, BrokenTrail
from tessera.trust import secrets
from tessera.trust.archive import Reader
from tessera.trust.erasures import ErasureList
from tessera.trust.secrets import Secrets
from tessera.words import Clock, Progress


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was restored. erased: how many people were erased again; None without a list. known: the list's own time."""

    workspace: Path
    made: str
    members: int
    erased: int | None
    known: str | None


def restore(
    file: Path, root: Path, master: bytes, keys: Sequence[Secrets], erasures: ErasureList | None, *,
    keep_key: bool = True, wait_s: float = 60.0, clock: Clock | None = None, progress: Progress,
) -> Restored:
    """Makes the workspace of a backup in a new or empty folder.

    keys: what may open the file. master: the workspace's key, which the vault needs; keep_key writes it to var/keys (not
    if it comes from the environment each time). Raises BadInput for a full folder, another workspace's key, a list of
    another workspace; BadArchive, BrokenVault, BrokenTrail for what is not whole. Then nothing of it is left.
    """
    root, mine = root.absolute(), Secrets(master)
    part = root.parent / f".{root.name}.part"
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise BadInput(f"{root} is not empty. Name a new folder; a backup is never restored over something.")
    if part.exists():
        raise BadInput(f"{part} is left of a restore that was cut off. Remove it, and run this again.")
    try:
        with Reader(file, keys) as reader:
            made, needed = reader.header.made, reader.header.workspace
            if needed != mine.fingerprint():
                raise BadInput(f"The backup needs master key {needed}, and the key at hand is {mine.fingerprint()}.")
            part.mkdir(mode=0o700, parents=True)
            members = sum(1 for _ in backup.each(reader, progress, part))
        about = json.loads((part / backup.ABOUT).read_bytes())
        (part / backup.ABOUT).unlink()
        if keep_key:
            secrets.create(part / "var" / "keys", master)
        with App(part, wait_s=wait_s, clock=clock, doing="tessera restore") as app:
            _compare(app, about, file)
            erased = app.restored(made, erasures)
        os.replace(part, root)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    known = erasures.at if erasures else None
    return Restored(workspace=root, made=made, members=members, erased=erased, known=known)


def _compare(app: App, about: dict[str, dict[str, object]], file: Path) -> None:
    """The ledger verifies and is the one that was backed up, and every file of every table's newest version is there."""
    report = app.ledger.verify()
    if not report.ok:
        raise BrokenTrail(report.reason or "it cannot be read")
    head = about["ledger"]
    if not any(h.size == head["size"] and h.root == head["root"] for h in app.ledger.heads()):
        raise BadArchive(f"{file}: its ledger is not the one that was backed up.")
    for table in app.lake.tables:
        missing = [f for f in app.lake.files(table) if not Path(f).is_file()]
        if missing:
            raise BadArchive(f"{file}: {len(missing)} files of table {table} are missing.")
