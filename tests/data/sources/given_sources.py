"""What the tests of sources share: contracts, a stand-in for the master key, a landing that only remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from tessera.config import Contract, Field
from tessera.data.chunk import Chunk
from tessera.lake.state import State


class Keys:
    """Names and seals as `trust.secrets.Secrets` would, without its key."""

    def name_of(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), key=b"test", digest_size=8).hexdigest()

    def seal(self, label: str, plaintext: bytes) -> bytes:
        return bytes(b ^ 0x5A for b in f"{label}:".encode() + plaintext)

    def open(self, label: str, sealed: bytes) -> bytes:
        clear = bytes(b ^ 0x5A for b in sealed)
        assert clear.startswith(f"{label}:".encode())
        return clear[len(label) + 1 :]


def contract(path: str = "in/*", format: str = "csv", *, key: bool = False, **more: Any) -> Contract:
    fields = (Field(name="id", primary_key=key),)
    return Contract(
        **({"name": "shop", "file": Path("shop.yaml"), "kind": "file", "record": "order", "fields": fields} | more),
        path=path,
        format=format,
    )


def values(chunk: Chunk) -> list[tuple[Any, ...]]:
    """The rows of a chunk as landing would see them, without `rn`; checks that its count and numbers are right."""
    con = duckdb.connect()
    if chunk.table is not None:
        con.register(chunk.relation, chunk.table)
    listed = ", ".join('"' + name.replace('"', '""') + '"' for name in (*chunk.columns, "rn"))
    found = con.execute(f"SELECT {listed} FROM {chunk.relation} ORDER BY rn").fetchall()
    assert len(found) == chunk.rows == len({row[-1] for row in found})
    return [row[:-1] for row in found]


def commit(state: State, chunk: Chunk) -> None:
    with state.together():
        for (space, name), fact in chunk.progress.items():
            state.drop(space, name) if fact is None else state.put(space, name, fact)


def landed(chunks: Iterator[Chunk], state: State) -> list[tuple[Any, ...]]:
    """All rows, each chunk committed as it comes; the last one says that it is."""
    rows, lasts = [], []
    for chunk in chunks:
        rows += values(chunk)
        lasts.append(chunk.last)
        commit(state, chunk)
    assert not lasts or lasts == [False] * (len(lasts) - 1) + [True]
    return rows
