"""Backup: one encrypted file of a live workspace, as it stands between two writes. `restore` brings it back.

It copies files as they lie, sealed, and looks at no row. In it are the workspace's text files and var/; not the master
key, not the sources' own data, nothing that is made anew.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from tessera._version import VERSION
from tessera.errors import BadInput
from tessera.lake.state import State
from tessera.lake.store import Lake
from tessera.trust.archive import Reader, Writer
from tessera.trust.ledger import Ledger
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault
from tessera.words import Progress

TEXTS = ("*.yaml", ".gitignore", "sources/*", "journeys/*", "tracking-plans/*")
ENDINGS = (".yaml", ".yml", ".txt", ".gitignore")
"""Of the workspace's own files, those that people write; the data of sources never."""

LEFT_OUT = ("keys", "lock", "spill", "log", "tls", "control.sock", "tail.sock")
"""Of var/: the keys, because a backup that holds its own key protects nothing; and what a start makes anew."""

DATABASES = ("vault.db", "state.db")
LEDGER = ("heads.jsonl", "newest.head", "tree.bin", "log.jsonl")
"""First the heads, then what they sign, then the sets: a part that is written to meanwhile is never behind one before."""

ABOUT = "backup.json"
BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Backup:
    """One backup: its file, when it was made (UTC, ISO 8601), its parts, and the fingerprints of keys that open it."""

    file: Path
    made: str
    members: int
    size: int
    workspace: str
    opens_with: tuple[str, ...]


def write(
    root: Path, file: Path, rooms: tuple[State, Vault, Ledger, Lake], keys: Sequence[Secrets], secrets: Secrets,
    at: datetime, progress: Progress,
) -> Backup:
    """Writes a backup; the caller sees to it that nobody writes tables meanwhile. Doors wait while the vault is copied.

    keys: each opens it alone. The file appears under its name once it is whole and on the disk.
    Raises BadInput if it is there already, lies in var/, or cannot be written.
    """
    state, vault, ledger, lake = rooms
    var, file = lake.root.parent, file.absolute()
    if file.exists():
        raise BadInput(f"{file} is there already, and a backup is never overwritten. Name another file.")
    if var.absolute() in file.parents:
        raise BadInput(f"{file} lies in var/, which a backup is to survive. Name a file elsewhere.")
    head, made = ledger.seal_head(), at.astimezone(UTC).isoformat(timespec="seconds")
    about = {"tessera": VERSION, "made": made, "ledger": {"size": head.size, "root": head.root}}
    part = file.with_name(file.name + ".part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            writer = Writer(out, made, secrets.fingerprint(), keys)
            members = _fill(writer, root, var, (vault, state), json.dumps(about).encode(), at, progress)
            writer.close()
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, file)
    except OSError as no:
        raise BadInput(f"{file} cannot be written: {no.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    opens = tuple(k.fingerprint() for k in keys)
    size = file.stat().st_size
    return Backup(
        file=file, made=made, members=members, size=size, workspace=secrets.fingerprint(), opens_with=opens
    )


def check(file: Path, keys: Sequence[Secrets], progress: Progress) -> Backup:
    """Reads a whole backup and writes nothing; BadArchive says what is wrong with it."""
    with Reader(file, keys) as reader:
        members = sum(1 for _ in each(reader, progress))
        header = reader.header
    return Backup(
        file=file.absolute(), made=header.made, members=members, size=file.stat().st_size, workspace=header.workspace,
        opens_with=tuple(s.key for s in header.slots),
    )  # fmt: skip


def each(reader: Reader, progress: Progress, into: Path | None = None) -> Iterator[str]:
    """The names of all parts, each written below `into` if that is given; it ends only if the backup is whole."""
    total, done = reader.path.stat().st_size, 0
    with tarfile.open(fileobj=cast(BinaryIO, reader), mode="r|", bufsize=BYTES) as tar:
        for member in tar:
            if into is not None:
                _put(tar, member, into)
            done += member.size
            progress("reading the backup", min(done, total), total)
            yield member.name
    while reader.read(BYTES):  # what follows tar's own end is checked too
        pass


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    """Writes one part below a folder, for its owner alone."""
    name, data = PurePosixPath(member.name), tar.extractfile(member)
    if data is None or name.is_absolute() or ".." in name.parts:
        raise BadInput(f"The backup has a part {member.name!r}, which is no file below a workspace.")
    target = into / name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with data, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(data, file, BYTES)


def _fill(
    writer: Writer, root: Path, var: Path, databases: tuple[Vault, State], about: bytes, at: datetime, progress: Progress
) -> int:
    """All parts as a tar stream; returns how many."""
    files = [*_texts(root), *_rest(var)]
    sizes = sum(p.stat().st_size for p in [*files, *(var / d for d in DATABASES)])
    done, members = 0, 1
    with tarfile.open(fileobj=cast(BinaryIO, writer), mode="w|", format=tarfile.PAX_FORMAT, bufsize=BYTES) as tar:
        info = tarfile.TarInfo(ABOUT)
        info.size, info.mtime = len(about), int(at.timestamp())
        tar.addfile(info, io.BytesIO(about))
        # The vault first: an erasure that comes between the two is then blocked and unfinished, and a start finishes it.
        for room in databases:
            with room.still() as path:
                done += _add(tar, path, f"var/{path.name}")
            members += 1
            progress("writing the backup", done, sizes)
        for path in files:
            done += _add(tar, path, path.relative_to(root).as_posix())
            members += 1
            progress("writing the backup", min(done, sizes), sizes)
    return members


def _add(tar: tarfile.TarFile, path: Path, name: str) -> int:
    """One file as long as it is now: what is appended meanwhile is not in it."""
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = facts.st_size, 0o600, int(facts.st_mtime)
        tar.addfile(info, file)
    return info.size


def _texts(root: Path) -> list[Path]:
    found = {p for pattern in TEXTS for p in root.glob(pattern) if p.name.endswith(ENDINGS)}
    return sorted(p for p in found if p.is_file() and not p.is_symlink())


def _rest(var: Path) -> list[Path]:
    """All files of var/ but the databases; the ledger last, in its order."""
    left = {*LEFT_OUT, *(d + end for d in DATABASES for end in ("", "-wal", "-shm", "-journal"))}
    found = [p for top in sorted(var.iterdir()) if top.name not in left for p in _files(top)]
    place = {name: n for n, name in enumerate(LEDGER, 1)}
    ledger = var / "ledger"
    return sorted(found, key=lambda p: (place.get(p.name, len(LEDGER) + 1) if ledger in p.parents else 0, p))


def _files(top: Path) -> list[Path]:
    every = sorted(top.rglob("*")) if top.is_dir() else [top]
    return [p for p in every if p.is_file() and not p.is_symlink()]
