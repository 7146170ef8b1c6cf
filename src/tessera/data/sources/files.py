"""Files of a source: which are new, which have changed, and their rows from where the last run stopped.

A file is known in State as ("files", "SOURCE:NAME"), NAME being its keyed relative path: size, mtime_ns, rows (given so
far), at and line (where to go on), done, and error if it could not be read to its end.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow as pa

from tessera.config import Contract
from tessera.data.chunk import CHUNK_ROWS, PARQUET_ROWS, Chunk, Reject
from tessera.data.intake import Intake
from tessera.data.sources import delimited, jsonl, parquet
from tessera.data.sources.blocks import BadFile, Piece, Place
from tessera.data.sources.names import Keeper, clean, shown
from tessera.errors import BadSource
from tessera.lake import engine
from tessera.lake.state import State

SPACE = "files"
START = Place()


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file that matches: its name as messages may show it, its name in State, and what it is now."""

    path: Path
    shown: str
    name: str
    size: int
    mtime_ns: int
    start: Place = START

    def fact(self, place: Place, done: bool, error: str = "") -> dict[str, Any]:
        """What to remember once the rows before `place` are committed."""
        fact = {"size": self.size, "mtime_ns": self.mtime_ns, "rows": place.rows, "at": place.at, "line": place.line}
        return fact | {"done": done} | ({"error": error} if error else {})


def read(
    contract: Contract,
    root: Path,
    state: State,
    secrets: Keeper,
    *,
    memory: str = "1GB",
    threads: int | None = None,
) -> Iterator[Chunk]:
    """The rows that were not committed yet, file by file in the order of names; nothing if all is known.

    snapshot: the newest file only, if it is new or changed; Chunk.last marks its end. append: a file that changed after
    it was taken is read again from its start if rows have a primary key or a unique field.
    Raises BadSource after all other files were read: nothing matches, a folder or file cannot be read, a file changed
    and its rows have no key, or a snapshot is empty or broken.
    """
    todo, faults = plan(contract, matching(contract, root, secrets), state)
    if contract.format == "parquet":
        yield from _parquet(contract, todo, faults)
    else:
        for place, file in enumerate(todo):
            final = contract.sync == "snapshot" or place == len(todo) - 1
            try:
                yield from _text(contract, file, final, memory, threads)
            except OSError as e:
                faults.append(f"{file.shown}: {_why(e)}.")
            except BadFile as e:
                faults.append(f"{file.shown}: {e}.")
    if faults:
        raise BadSource(contract.name, " ".join(faults), "What could be read was read; mend these and run it again.")


def matching(contract: Contract, root: Path, secrets: Keeper) -> list[Found]:
    """The files that match the contract's path, in the order of names. Raises BadSource if there are none."""
    fixed = list(takewhile(lambda part: not glob.has_magic(part), Path(contract.path).parent.parts))
    folder = root.joinpath(*fixed)
    where = shown(os.path.relpath(folder, root), secrets)
    if not folder.is_dir():
        raise BadSource(contract.name, f"the folder {where} is not there.", "Make it, or mend 'path' in the contract.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise BadSource(contract.name, f"the folder {where} may not be read.", "Give this user the right to read it.")
    made = []
    for text in sorted(glob.glob(contract.path, root_dir=root, recursive=True)):
        path, relative = root / text, clean(os.path.relpath(root / text, root))
        if path.is_file():
            facts = path.stat()
            name = f"{contract.name}:{secrets.name_of(relative)}"
            made.append(
                Found(
                    path=path,
                    shown=shown(relative, secrets),
                    name=name,
                    size=facts.st_size,
                    mtime_ns=facts.st_mtime_ns,
                )
            )
    if not made:
        wanted = shown(os.path.relpath(root / contract.path, root), secrets)
        raise BadSource(contract.name, f"no file matches {wanted}.", "Put one there, or mend 'path' in the contract.")
    return made


def plan(contract: Contract, found: list[Found], state: State) -> tuple[list[Found], list[str]]:
    """The files to read, each with the place to start at; and what is wrong with those that are left out."""
    todo, faults = [], []
    if contract.sync == "snapshot":
        found = [max(found, key=lambda f: (f.path.name, f.mtime_ns))]
    repeatable = contract.sync == "snapshot" or any(f.primary_key or f.unique for f in contract.fields)
    for file in found:
        known = state.get(SPACE, file.name)
        if known is None:
            todo.append(file)
        elif (known["size"], known["mtime_ns"]) != (file.size, file.mtime_ns):
            if repeatable or not known["rows"]:
                todo.append(file)
            else:
                faults.append(
                    f"{file.shown} changed after it was taken, and its rows have no key to tell new from old: put new "
                    "rows in a file of a new name, or name a primary key in the contract."
                )
        elif not known["done"]:
            place = Place(at=known["at"], line=known["line"], rows=known["rows"])
            todo.append(replace(file, start=place))
    return todo, faults


def _text(contract: Contract, file: Found, final: bool, memory: str, threads: int | None) -> Iterator[Chunk]:
    pieces: Iterator[Piece]
    if contract.format == "json":
        pieces = jsonl.read(file.path, file.start)
    else:
        pieces = delimited.read(file.path, file.start, memory=memory, threads=threads)
    for piece in pieces:
        snapshot = contract.sync == "snapshot"
        if snapshot and piece.broken:
            raise BadFile("it breaks off before its end, so it is no whole snapshot; deliver it again")
        if snapshot and (not piece.columns or not file.size):
            raise BadFile("it is empty, so it is no snapshot; deliver it again")
        error = "it breaks off before its end" if piece.broken else ""
        rejects = piece.rejects
        if piece.broken:
            at = piece.place.line + 1
            rejects += (_told(file, at, error),)
        yield Chunk(
            relation="chunk",
            rows=piece.table.num_rows,
            shape="json" if contract.format == "json" else "columns",
            columns=piece.columns,
            table=piece.table,
            progress={(SPACE, file.name): file.fact(piece.place, piece.last, error)},
            rejects=rejects,
            last=final and piece.last,
        )


def _parquet(contract: Contract, todo: list[Found], faults: list[str]) -> Iterator[Chunk]:
    good, bad = _footers(contract, todo, faults)
    if bad:
        yield Chunk(
            relation="chunk",
            rows=0,
            table=pa.table({"rn": pa.array([], pa.int64())}),
            progress={(SPACE, file.name): file.fact(Place(), True, fault) for file, fault in bad},
            rejects=tuple(
                _told(file, 0, fault)
                for file, fault in bad
            ),
            last=not good,
        )
    by_path = {file.path: file for file, _ in good}
    intake = Intake(contract=contract, salt="")
    plain = all(intake.plain(name for name, _ in footer.schema) for _, footer in good)
    many = PARQUET_ROWS if plain else CHUNK_ROWS
    for part in parquet.parts([(footer, file.start.rows) for file, footer in good], many):
        newest, given = part.done[-1]
        yield Chunk(
            relation=part.relation,
            rows=part.rows,
            columns=part.columns,
            progress={
                (SPACE, by_path[footer.path].name): by_path[footer.path].fact(Place(rows=rows), rows >= footer.rows)
                for footer, rows in part.done
            },
            last=newest is good[-1][1] and given >= newest.rows,
        )


def _footers(
    contract: Contract, todo: list[Found], faults: list[str]
) -> tuple[list[tuple[Found, parquet.Footer]], list[tuple[Found, str]]]:
    good, bad = [], []
    con = engine.connect(memory="512MB", threads=1, spill=None)
    try:
        for file in todo:
            try:
                footer = parquet.footer(con, file.path)
            except OSError as e:
                faults.append(f"{file.shown}: {_why(e)}.")
                continue
            if not footer.fault:
                good.append((file, footer))
            elif contract.sync == "snapshot":
                faults.append(f"{file.shown}: {footer.fault}.")
            else:
                bad.append((file, footer.fault))
    finally:
        con.close()
    return good, bad


def _told(file: Found, position: int, fault: str) -> Reject:
    """That a file broke off; its name may be somebody's, so it is the text, which is sealed."""
    return Reject(text=file.shown.encode(), position=position, reason="Unknown-Violation", detail=fault)


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it vanished while it was read; put it back, or run it again without it"
    if isinstance(error, PermissionError):
        return "it may not be read; give this user the right to read it"
    return f"it could not be read ({type(error).__name__}); run it again"
