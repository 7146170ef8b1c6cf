"""The owner's keys: where the master key is, its recovery shares, the vault's epochs, and the master key rebuilt."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tessera.app import App
from tessera.errors import BadInput, BrokenVault
from tessera.trust import secrets, shares
from tessera.trust.secrets import FILE_NAME, VARIABLE, Secrets, decoded

BACKUP_VARIABLE = "TESSERA_BACKUP_KEY"


@dataclass(frozen=True, kw_only=True)
class Status:
    """What can be said of a workspace's keys without showing one.

    origin: the variable or file of the master key. made: its file's time; None if it comes from the environment. epochs:
    records by epoch of the vault; two while a rotation is unfinished. shares: how they were made last; None if never.
    lying: share files that are still on this machine. ledger: SHA-256 of its public key.
    """

    fingerprint: str
    origin: str
    made: str | None
    epochs: dict[int, int]
    rotated: str | None
    shares: dict[str, str | int] | None
    lying: tuple[Path, ...]
    ledger: str


def status(app: App, env: Mapping[str, str] = os.environ) -> Status:
    """The state of an open workspace's keys."""
    keys = app.config.var / "keys"
    path, outside = keys / FILE_NAME, bool(env.get(VARIABLE, "").strip())
    public = app.secrets.signing_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Status(
        fingerprint=app.secrets.fingerprint(),
        origin=VARIABLE if outside else str(path),
        made=None if outside else _moment(path.stat().st_mtime),
        epochs=app.vault.epochs(),
        rotated=app.state.get("keys", "rotated"),
        shares=app.state.get("keys", "shares"),
        lying=tuple(shares.lying(keys)),
        ledger=hashlib.sha256(public).hexdigest()[:16],
    )


def share(app: App, threshold: int, count: int, folder: Path | None = None) -> list[Path]:
    """Makes new recovery shares of the master key, writes them to a folder (default: var/keys/shares), and notes it.

    Older shares go on rebuilding the key; they are told apart by their set. BadInput if the folder is in the way.
    """
    made = shares.split(app.secrets, threshold, count)
    try:
        written = shares.write(made, folder or app.config.var / "keys" / shares.FOLDER)
    except OSError as no:
        raise BadInput(f"The shares cannot be written: {no.strerror}.") from None
    at = app.clock().astimezone(UTC).isoformat(timespec="seconds")
    app.state.put("keys", "shares", {"threshold": threshold, "count": count, "set": made[0].made.hex(), "at": at})
    app.note("share", f"{threshold} of {count} recovery shares of master key {app.secrets.fingerprint()}")
    return written


def recover(var: Path, files: Sequence[Path], *, force: bool = False, env: Mapping[str, str] = os.environ) -> Path:
    """Rebuilds the master key from share files into var/keys/master.key, and returns that path.

    Raises BadShare for shares that give no key; BadInput if the key is not this workspace's, if it comes from the
    environment, or if a key is there (force: a file that holds another key is kept beside it under a new name).
    """
    key = shares.load(files)
    rebuilt, path = Secrets(key), var / "keys" / FILE_NAME
    if env.get(VARIABLE, "").strip():
        raise BadInput(f"The master key comes from {VARIABLE}, which a file would not change. Unset it first.")
    owner = _owner(var)
    if owner is not None and owner != rebuilt.fingerprint():
        raise BadInput(f"These shares give master key {rebuilt.fingerprint()}; the vault here belongs to {owner}.")
    if path.exists():
        if not force:
            raise BadInput(f"{path} is there already. Look first: tessera doctor. To put it aside: --force")
        path.rename(path.with_name(f"{FILE_NAME}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}"))
    return secrets.create(var / "keys", key)


def backup_key(file: str | None, env: Mapping[str, str] = os.environ) -> Secrets | None:
    """The key of backups: of a file, else of TESSERA_BACKUP_KEY (both base64 or hex, 32 bytes), else none."""
    if file is not None:
        return Secrets(key_in(Path(file)))
    text = env.get(BACKUP_VARIABLE, "").strip()
    return Secrets(decoded(text, BACKUP_VARIABLE)) if text else None


def key_in(path: Path) -> bytes:
    """The 32 bytes of a key file. BadInput if it cannot be read, BrokenVault if it holds none."""
    try:
        return decoded(path.read_text("ascii", errors="replace").strip(), str(path))
    except OSError as no:
        raise BadInput(
            f"{path} cannot be read: {no.strerror}. To make a key: (umask 077; openssl rand -base64 32 > {path})"
        ) from None


def master_at_hand(
    file: str | None, parts: Sequence[str], var: Path | None, env: Mapping[str, str] = os.environ
) -> tuple[bytes, bool]:
    """The master key for a restore, from shares, a key file, the environment or a workspace that is still there; and
    whether the restored workspace has to keep it (not what comes from the environment). BrokenVault if there is none."""
    if parts:
        return shares.load([Path(p) for p in parts]), True
    if file is not None:
        return key_in(Path(file)), True
    if text := env.get(VARIABLE, "").strip():
        return decoded(text, VARIABLE), False
    if var is not None and (var / "keys" / FILE_NAME).is_file():
        return key_in(var / "keys" / FILE_NAME), True
    raise BrokenVault(
        f"A restore needs the master key: give --shares FILE ..., --master-key FILE, or set {VARIABLE}."
    )


def _owner(var: Path) -> str | None:
    """The fingerprint of the key that the vault here belongs to; None if there is no vault."""
    path = var / "vault.db"
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute("SELECT value FROM meta WHERE name = 'master'").fetchone()
    except sqlite3.Error:
        return None
    return str(found[0]) if found else None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
