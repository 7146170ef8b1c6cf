"""Sources: whatever kind they are, their new rows in chunks, and a look at them beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tessera.config import Contract
from tessera.data.chunk import Chunk
from tessera.data.sources import files, sql
from tessera.data.sources.check import check
from tessera.data.sources.names import Keeper, shown
from tessera.lake.state import State

__all__ = ["Keeper", "check", "read", "shown"]


def read(
    contract: Contract,
    root: Path,
    state: State,
    secrets: Keeper,
    *,
    memory: str = "1GB",
    threads: int | None = None,
) -> Iterator[Chunk]:
    """What the source has that was not committed yet, chunk by chunk; `state` is only read.

    root: the workspace's folder. contract.path and contract.connection: with every `${NAME}` resolved. Whoever lands a
    chunk stores its `progress` in the same transaction that marks it committed; after a crash, read again.
    Raises BadSource (also after the last good chunk: what could be read was read).
    """
    if contract.kind == "sql":
        return sql.read(contract, root, state, secrets)
    return files.read(contract, root, state, secrets, memory=memory, threads=threads)
