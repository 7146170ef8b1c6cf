"""Sources: whatever kind they are, their new rows in chunks, and a look at them beforehand.

What asks databases is imported where one is asked: SQLAlchemy takes a sixth of a process's start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tessera.config import SENT, Config, Contract
from tessera.data.chunk import Chunk
from tessera.data.sources import door, files
from tessera.data.sources.names import Keeper, shown
from tessera.envtext import resolve
from tessera.errors import BadInput, BadSource
from tessera.lake.state import State

__all__ = ["Keeper", "check", "read", "resolved", "shown"]


def read(contract: Contract, config: Config, state: State, secrets: Keeper) -> Iterator[Chunk]:
    """What the source has that was not committed yet, chunk by chunk; `state` is only read.

    Whoever lands a chunk stores its `progress` in the same transaction that marks it committed; after a crash, read
    again. Raises BadSource, which says why it cannot be read; also after the last good chunk: what could be was read.
    """
    contract = resolved(contract, config.root)
    if contract.kind in SENT:
        return door.read(contract, config.var, state, secrets)
    if contract.kind == "sql":
        from tessera.data.sources import sql

        return sql.read(contract, config.root, state, secrets)
    return files.read(contract, config.root, state, secrets, memory=config.memory, threads=config.threads)


def check(contract: Contract, config: Config, state: State, secrets: Keeper) -> list[str]:
    """Sentences on a source and its contract, for `tessera source check`; see `checked.check`."""
    from tessera.data.sources import checked

    if contract.kind in SENT:
        return checked.waiting(contract, config.var, secrets)
    return checked.check(resolved(contract, config.root), config.root, state, secrets)


def resolved(contract: Contract, root: Path, env: Mapping[str, str] = os.environ) -> Contract:
    """The contract with `${NAME}` filled in in path and connection. Raises BadSource if the environment lacks one."""
    try:
        path, connection = (
            resolve(text, env, root) if "${" in text else text for text in (contract.path, contract.connection)
        )
    except BadInput as e:
        raise BadSource(contract.name, str(e)) from None
    return replace(contract, path=path, connection=connection)
