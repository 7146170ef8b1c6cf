"""Readers of the outside world, one file per kind of source."""

from __future__ import annotations

from collections.abc import Iterator

from tessera.config import Config, Contract
from tessera.data.chunk import Chunk
from tessera.data.sources import files, sql
from tessera.data.sources.names import Keeper
from tessera.lake.state import State


def read(contract: Contract, config: Config, state: State, secrets: Keeper) -> Iterator[Chunk]:
    """What is new at a source, chunk by chunk; BadSource says why it cannot be read."""
    if contract.kind == "sql":
        return sql.read(contract, config.root, state, secrets)
    return files.read(contract, config.root, state, secrets, memory=config.memory, threads=config.threads)
