"""Every row of an answer into a file that the user names: CSV, Parquet or JSON lines, by its ending; written by the engine."""

from __future__ import annotations

from pathlib import Path

from tessera.errors import BadInput
from tessera.lake.engine import Connection, literal, mapped

FORMATS = {".csv": "FORMAT csv, HEADER", ".parquet": "FORMAT parquet", ".json": "FORMAT json", ".jsonl": "FORMAT json"}


def checked(path: str) -> Path:
    """The file, before any work. Raises BadInput for another ending, or where the folder is not there."""
    file = Path(path)
    if file.suffix.lower() not in FORMATS:
        raise BadInput(f"{file.name} ends in {file.suffix or 'nothing'}: --out takes {', '.join(FORMATS)}.")
    if not file.parent.is_dir():
        raise BadInput(f"There is no folder {file.parent}. Make it, or name a file elsewhere.")
    return file


def write(con: Connection, select: str, path: str) -> None:
    """Writes the rows of a SELECT to a file that was `checked`."""
    file = Path(path)
    with mapped(f"writing {file.name}"):
        con.execute(f"COPY ({select}) TO {literal(str(file))} ({FORMATS[file.suffix.lower()]})")
