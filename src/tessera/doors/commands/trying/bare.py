"""A file of one table, as somebody has it at hand -> typed columns; what does not fit is counted, never a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tessera.doors.show import many
from tessera.errors import BadInput, NotFound, nearest
from tessera.lake.engine import Connection, connect, literal, mapped, name, rows, value

Type = Literal["VARCHAR", "BIGINT", "DOUBLE", "TIMESTAMP"]
ROW = "row_number"
CANDIDATES = "['BIGINT', 'DOUBLE', 'DATE', 'TIME', 'TIMESTAMP', 'TIMESTAMPTZ', 'VARCHAR']"
"""Types that a CSV's column may turn out to have. A yes stays a yes, and does not become true."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a column is for. known: names by which files call it, the first one ours; any case, with or without `_`."""

    known: tuple[str, ...]
    type: Type
    needed: bool = True

    @property
    def name(self) -> str:
        """Its name in the typed table."""
        return self.known[0]


@dataclass(frozen=True, kw_only=True)
class Bare:
    """A file that was read. table: its typed rows, a temp table of `con`, with the line they came in as ROW. columns: role ->
    the file's own name. rows: how many there are. left_out: what was expected and not there -> how many rows lack it."""

    con: Connection
    table: str
    columns: Mapping[str, str]
    rows: int
    left_out: Mapping[str, int]


def opened(path: str) -> tuple[Connection, str, dict[str, str]]:
    """A connection with the file's rows as they are: the table's name, and its columns with the engine's types.

    The ending says what it is: .parquet, .json or .jsonl/.ndjson (also .gz), all else is CSV whose separator and types are
    found by reading all of it. Raises NotFound, BadInput.
    """
    file = Path(path)
    if not file.is_file():
        raise NotFound("File", path)
    con = connect()
    reader = _reader(file, f"sample_size=-1, store_rejects=true, auto_type_candidates={CANDIDATES}")
    with mapped(f"reading {file.name}"):
        con.execute(f"CREATE TEMP TABLE file AS SELECT *, row_number() OVER () AS {name(ROW)} FROM {reader}")
    columns = {c: t for c, t, *_ in rows(con, "DESCRIBE file") if c != ROW}
    if len(columns) == 1 and " " in next(iter(columns)).strip() and reader.startswith("read_csv"):
        columns = _spaced(con, file, columns)
    return con, "file", columns


def scanned(path: str, roles: Sequence[Role], chosen: Mapping[str, str | None]) -> tuple[Connection, str, dict[str, str]]:
    """A connection and the SELECT of the file's columns by role, read as it is asked for and kept nowhere: for files of more
    rows than memory should hold. What is no value of a role's type is null. Also role -> the file's own name.

    Lines that cannot be read are `rejected` once the SELECT has run. Raises NotFound, BadInput as `read` does.
    """
    file = Path(path)
    if not file.is_file():
        raise NotFound("File", path)
    con = connect()
    con.execute("SET preserve_insertion_order=true")
    reader = _reader(file, "all_varchar=true, store_rejects=true")
    with mapped(f"reading {file.name}"):
        there = {c: t for c, t, *_ in rows(con, f"DESCRIBE SELECT * FROM {reader}")}
    columns = _columns(file, roles, chosen, there)
    selected = ", ".join(f"TRY_CAST({name(columns[r.name])} AS {r.type}) AS {name(r.name)}" for r in roles if r.name in columns)
    return con, f"SELECT {selected} FROM {reader}", columns


def _reader(file: Path, csv: str) -> str:
    """The relation that reads a file, by its ending. csv: how lines of text are read."""
    ending = "".join(s for s in file.suffixes[-2:] if s not in (".gz", ".zst")).lower()
    if ending.endswith((".parquet", ".pq")):
        return f"read_parquet({literal(str(file))})"
    if ending.endswith((".json", ".jsonl", ".ndjson")):
        return f"read_json({literal(str(file))})"
    return f"read_csv({literal(str(file))}, {csv})"


def _spaced(con: Connection, file: Path, columns: dict[str, str]) -> dict[str, str]:
    """Columns set apart by spaces, as measuring devices write them; what runs on to the end of a line without a value goes."""
    with mapped(f"reading {file.name}"):
        reader = f"read_csv({literal(str(file))}, delim=' ', sample_size=-1, null_padding=true)"
        con.execute(f"CREATE TEMP TABLE spaced AS SELECT *, row_number() OVER () AS {name(ROW)} FROM {reader}")
        found = {c: t for c, t, *_ in rows(con, "DESCRIBE spaced") if c != ROW}
        empty = [c for c in found if not value(con, f"SELECT count({name(c)}) FROM spaced")]
        if len(found) - len(empty) < 2:
            con.execute("DROP TABLE spaced")
            return columns
        for c in empty:
            con.execute(f"ALTER TABLE spaced DROP COLUMN {name(c)}")
        con.execute("DROP TABLE file; ALTER TABLE spaced RENAME TO file")
    return {c: t for c, t in found.items() if c not in empty}


def rejected(con: Connection) -> int:
    """How many lines of a CSV could not be read at all."""
    known = value(con, "SELECT count(*) FROM information_schema.tables WHERE table_name = 'reject_errors'")
    return int(value(con, "SELECT count(DISTINCT line) FROM reject_errors")) if known else 0


def read(path: str, roles: Sequence[Role], chosen: Mapping[str, str | None], other: Sequence[Role] = ()) -> Bare:
    """The file's columns by role. chosen: role -> the column that the user named, which goes before any known name. other: the
    roles of another form that such a file may have; it is taken where a column of `roles` is not there and all of its own are.

    A row without a value of a needed role is left out and counted. Raises BadInput with the columns that are there if a needed
    one is not, or if no row is left.
    """
    con, table, there = opened(path)
    if other and not _all_there(roles, there, chosen) and _all_there(other, there, chosen):
        roles = other
    columns = _columns(Path(path), roles, chosen, there)
    typed = {r.name: _typed(columns[r.name], there[columns[r.name]], r.type) for r in roles if r.name in columns}
    with mapped(f"reading {Path(path).name}"):
        selected = ", ".join(f"{sql} AS {name(role)}" for role, sql in typed.items())
        con.execute(f"CREATE TEMP TABLE all_rows AS SELECT {selected}, {name(ROW)} FROM {table}")
        needed = [r.name for r in roles if r.needed]
        left = {f"no {r} ({_type(roles, r)})": int(value(con, _lacking(r))) for r in needed}
        whole = " AND ".join(f"{name(r)} IS NOT NULL" for r in needed) or "true"
        con.execute(f"CREATE TEMP TABLE bare AS SELECT * FROM all_rows WHERE {whole} ORDER BY {name(ROW)}")
        con.execute(f"DROP TABLE all_rows; DROP TABLE {table}")
    left["unreadable lines"] = rejected(con)
    left = {reason: count for reason, count in left.items() if count}
    count = int(value(con, "SELECT count(*) FROM bare"))
    if not count:
        told = "; ".join(f"{n:,} rows: {reason}" for reason, n in left.items()) or "it is empty"
        raise BadInput(f"{Path(path).name} has no row that can be used ({told}).")
    return Bare(con=con, table="bare", columns=columns, rows=count, left_out=left)


def _columns(file: Path, roles: Sequence[Role], chosen: Mapping[str, str | None], there: Mapping[str, str]) -> dict[str, str]:
    """Role -> the file's own column."""
    columns: dict[str, str] = {}
    for role in roles:
        found = _found(role, there, chosen.get(role.name))
        if found:
            columns[role.name] = found
        elif role.needed:
            raise BadInput(
                f"{file.name} has no column for {role.name!r}: it has {', '.join(there)}. "
                f"Say which one it is: --{role.name.replace('_', '-')} COLUMN."
            )
    return columns


def told(bare: Bare) -> str:
    """One line about what was left out; "" for nothing."""
    return "; ".join(f"{many(n, 'row')} left out: {reason}" for reason, n in bare.left_out.items())


NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")


def _typed(column: str, is_a: str, wanted: Type) -> str:
    """SQL: the column's value as that type, null where it is none. A number is a time by its size: days, seconds, milli-,
    micro- or nanoseconds since 1970, or a date as 20261231."""
    of = name(column)
    if wanted != "TIMESTAMP" or not is_a.startswith(NUMBERS):
        return f"TRY_CAST({of} AS {wanted})"
    dated = f"TRY_STRPTIME(CAST(CAST({of} AS BIGINT) AS VARCHAR), '%Y%m%d')"
    sized = " ".join(
        f"WHEN abs({of}) < {size} THEN CAST({of} * {micros} AS BIGINT)"
        for size, micros in ((10**5, 86_400_000_000), (10**11, 1_000_000), (10**14, 1_000), (10**17, 1), (10**19, 0.001))
    )
    return f"""CASE WHEN {of} BETWEEN 19000101 AND 21001231 AND {dated} IS NOT NULL THEN {dated}
                    ELSE make_timestamp(CASE {sized} END) END"""


def _all_there(roles: Sequence[Role], there: Mapping[str, str], chosen: Mapping[str, str | None]) -> bool:
    return all(_found(r, there, chosen.get(r.name)) for r in roles if r.needed)


def _lacking(role: str) -> str:
    return f"SELECT count(*) FROM all_rows WHERE {name(role)} IS NULL"


def _type(roles: Sequence[Role], wanted: str) -> str:
    words = {"VARCHAR": "text", "BIGINT": "a whole number", "DOUBLE": "a number", "TIMESTAMP": "a time"}
    return next(words[r.type] for r in roles if r.name == wanted)


def _found(role: Role, there: Mapping[str, str], chosen: str | None) -> str | None:
    plain = {_plain(c): c for c in reversed(list(there))}
    if chosen is not None:
        if chosen not in there and _plain(chosen) not in plain:
            raise BadInput(f"There is no column {chosen!r} for {role.name}. {nearest(chosen, there)}")
        return chosen if chosen in there else plain[_plain(chosen)]
    return next((plain[_plain(known)] for known in role.known if _plain(known) in plain), None)


def _plain(column: str) -> str:
    return "".join(c for c in column.lower() if c.isalnum())
