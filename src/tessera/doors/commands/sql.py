"""`tessera sql`: one SELECT through the gate, as a table, JSON, CSV or Parquet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tessera.doors import written
from tessera.doors.call import Call, Commands, reading
from tessera.doors.names import unique
from tessera.doors.show import cell, many
from tessera.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "json", "csv", "parquet")


def add(commands: Commands) -> None:
    """Declares it."""
    sql = commands.add(
        "sql",
        _sql,
        "ask one SELECT, as a role and for a purpose",
        [
            'sql "SELECT country, count(*) AS n FROM profiles GROUP BY country" --role analyst --purpose analytics',
            "sql \"SELECT name FROM profiles WHERE email = 'ann@example.org'\" --role service --purpose operate",
            'sql "SELECT * FROM orders VERSION AS OF 3 LIMIT 10" --role sales --purpose operate -o orders.csv',
            "sql - --purpose analytics --role analyst --json < question.sql",
        ],
        "Rows whose people have not agreed to the purpose are not there; columns show what access.yaml gives\n"
        "the role. Every question, also a refused one, is an entry of the ledger.",
    )
    sql.add_argument("question", metavar="SELECT", help="the question in DuckDB's SQL, or - to read it from stdin")
    reading(sql)
    sql.add_argument("--format", choices=FORMATS, help="default: table, or what the name after -o ends in")
    sql.add_argument("-o", dest="file", metavar="FILE", help="write there (mode 0600) in place of stdout")


def _sql(call: Call) -> int:
    args = call.args
    form = _format(call)
    question = sys.stdin.read() if args.question == "-" else args.question
    with call.open() as app:
        answer = app.sql(question, purpose=args.purpose, role=args.role)
        table = answer.table.rename_columns(unique(answer.table.column_names))
        if form == "parquet":
            _parquet(table, Path(args.file))
        elif args.file is None:
            _written(sys.stdout, table, form, call)
        else:
            with _file(Path(args.file)) as file:
                _written(file, table, form, call)
    show = call.show
    where = f" in {args.file}" if args.file else ""
    show.note(f"{many(table.num_rows, 'row')}{where}; entry {answer.entry} of the ledger.")
    for column, reason in answer.veiled.items():
        show.note(f"{column} is not in clear: {reason}")
    return 0


def _format(call: Call) -> str:
    args = call.args
    if args.json and args.format not in (None, "json"):
        raise BadInput(f"--json and --format {args.format} ask for two things. Give one of them.")
    form: str | None = "json" if args.json else args.format
    if form is None and args.file:
        ending = Path(args.file).suffix.lstrip(".").lower()
        form = ending if ending in FORMATS[1:] else None
    if form == "parquet" and not args.file:
        raise BadInput("Parquet needs a file. Try: --format parquet -o FILE")
    return form or "table"


def _written(out: TextIO, table: pa.Table, form: str, call: Call) -> None:
    if form == "json":
        written.as_json(out, table)
    elif form == "csv":
        written.as_csv(out, table)
    elif out is sys.stdout:
        call.show.table(table.column_names, written.rows(table))
    else:
        out.writelines("\t".join(cell(v) for v in row) + "\n" for row in [table.column_names, *written.rows(table)])


def _parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    _made(path)
    pq.write_table(table, path, compression="zstd")


@contextmanager
def _file(path: Path) -> Iterator[TextIO]:
    _made(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file


def _made(path: Path) -> None:
    """The file, empty and for its owner alone; raises BadInput if it cannot be written."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.") from None
