"""Lineage that was traced once is kept: reading a step's SQL anew takes a quarter of a second, each turn, for each step."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from tessera.lake import functions, lineage, scopes
from tessera.lake.lineage import Lineage, Name, Schema, trace


class _Told(msgspec.Struct):
    direct: dict[str, frozenset[Name]]
    indirect: dict[str, frozenset[Name]]


_told = msgspec.json.Decoder(_Told)


def traced(sql: str, schema: Schema, folder: Path) -> Lineage:
    """As `trace`; from a file of the folder, if the same SELECT over the same columns was traced before by the same code,
    or from what this process traced for another folder.

    A folder that is not there, or takes no file, is no hindrance. Raises as `trace`.
    """
    said = json.dumps([sql, {t: list(columns) for t, columns in schema.items()}, _code()])
    path = folder / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError):
        return _read(path)
    typed = {t: dict(columns) if isinstance(columns, Mapping) else list(columns) for t, columns in schema.items()}
    found = _found(sql, json.dumps(typed))
    with suppress(OSError):
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(msgspec.json.encode(_Told(found.direct, found.indirect)))
        os.replace(part, path)
    return found


@lru_cache(maxsize=256)
def _found(sql: str, schema: str) -> Lineage:
    """Traced, for every workspace that this process opens. schema: as JSON, which can be a key."""
    return trace(sql, json.loads(schema))


def _read(path: Path) -> Lineage:
    told = _told.decode(path.read_bytes())
    return Lineage(direct=told.direct, indirect=told.indirect)


@cache
def _code() -> str:
    """What traces, as it is now: another release may read a SELECT better."""
    texts = b"".join(Path(str(module.__file__)).read_bytes() for module in (lineage, scopes, functions))
    return hashlib.sha256(texts).hexdigest()
