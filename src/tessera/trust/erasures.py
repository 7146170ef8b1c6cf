"""The erasure list: all who were erased, in a form that names nobody, so that a restored backup can forget them again.

It holds keyed hashes: of suppressed identifiers (as the vault keeps them), of order numbers and of names (as landing
refuses them). Without the master key they tell nothing, not even whether a guess is right. It is read from a live
workspace, from the files of a dead one, or from a copy that was written elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tessera.errors import BadInput
from tessera.trust import traces
from tessera.trust.secrets import Secrets

FORMAT = 1
COUNTERS = ("person", "batch", "erasure", "request")
"""Counters of the state whose numbers a restored workspace must not give again."""


class ErasureList(msgspec.Struct, frozen=True, kw_only=True):
    """Who was erased, until when it was known. values: hex. last_key, counters: numbers that were given already."""

    at: str
    workspace: str
    values: tuple[str, ...]
    orders: tuple[str, ...]
    names: tuple[str, ...]
    last_key: int
    counters: dict[str, int]
    format: int = FORMAT


def of(var: Path, secrets: Secrets, at: datetime | None = None) -> ErasureList:
    """The list of the workspace whose var/ this is, alive or not; read only.

    at: until when it is known; by default when its state was last written. Raises BadInput for other files or keys.
    """
    for name in ("vault.db", "state.db"):
        if not (var / name).is_file():
            raise BadInput(f"{var} has no {name}: it is not the var/ of a workspace.")
    try:
        vault, state = _rows(var / "vault.db", VAULT), _rows(var / "state.db", STATE)
    except sqlite3.Error as error:
        raise BadInput(f"The erasures in {var} cannot be read ({type(error).__name__}).") from None
    meta = {name: told for kind, name, told in vault if kind == "meta"}
    if meta.get("master") != secrets.fingerprint():
        raise BadInput(
            f"{var} belongs to master key {meta.get('master')}, and the key at hand is {secrets.fingerprint()}."
        )
    facts: dict[str, dict[str, Any]] = {}
    for space, name, told in state:
        facts.setdefault(space, {})[name] = json.loads(told)
    # Names of those who wait for the sweep stand in their block still.
    waiting = {mark for fact in facts.get("blocked", {}).values() for mark in fact.get("marks", ())}
    written = max((var / n).stat().st_mtime for n in ("state.db", "state.db-wal") if (var / n).exists())
    return ErasureList(
        at=(at or datetime.fromtimestamp(written, UTC)).astimezone(UTC).isoformat(),
        workspace=secrets.fingerprint(),
        values=tuple(sorted(told.hex() for kind, _, told in vault if kind == "suppressed")),
        orders=tuple(sorted(facts.get(traces.GONE, {}))),
        names=tuple(sorted({*facts.get(traces.NAMED, {}), *waiting})),
        last_key=int(meta["last"]),
        counters={c: n for c, n in facts.get("counter", {}).items() if c in COUNTERS},
    )


VAULT = """SELECT 'meta', name, value FROM meta UNION ALL SELECT 'suppressed', '', hash FROM suppressed
           UNION ALL SELECT 'meta', 'last', (SELECT ifnull(max(key_id), 0) FROM keys)"""
STATE = f"""SELECT space, name, value FROM fact
            WHERE space IN ('blocked', 'counter', '{traces.GONE}', '{traces.NAMED}')"""


def _rows(path: Path, query: str) -> list[tuple[Any, Any, Any]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def write(known: ErasureList, path: Path, secrets: Secrets) -> None:
    """Writes a list to a file (0600) in place of an older one, whole or not at all, with a mark of the master key."""
    text = msgspec.json.format(msgspec.json.encode({"list": known, "mark": _mark(known, secrets)}), indent=1)
    part = path.with_name(path.name + ".part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as no:
        raise BadInput(f"{path} cannot be written: {no.strerror}.") from None


def read(path: Path, secrets: Secrets) -> ErasureList:
    """The list in a file, or of a workspace or its var/. BadInput: no list, changed, or of another master key."""
    if path.is_dir():
        return of(path / "var" if (path / "var").is_dir() else path, secrets)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as no:
        raise BadInput(f"{path} cannot be read: {no.strerror}.") from None
    except msgspec.MsgspecError:
        raise BadInput(f"{path} is no erasure list. Write one: tessera backup --erasures FILE") from None
    known = found.list
    if known.format != FORMAT:
        raise BadInput(f"{path} was written by a newer Tessera (form {known.format}). Use that one.")
    if known.workspace != secrets.fingerprint():
        raise BadInput(
            f"{path} belongs to master key {known.workspace}, and the key at hand is {secrets.fingerprint()}."
        )
    if not hmac.compare_digest(found.mark, _mark(known, secrets)):
        raise BadInput(f"{path} was changed since Tessera wrote it. Take another copy.")
    return known


class _File(msgspec.Struct):
    list: ErasureList
    mark: str


def _mark(known: ErasureList, secrets: Secrets) -> str:
    said = msgspec.json.encode(known, order="deterministic")
    return hashlib.blake2b(said, key=secrets.derive("erasure-list"), digest_size=16).hexdigest()
