"""Databases as sources: opened for reading only, and their errors as ours, without passwords or values of rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.pool import NullPool

from tessera import outward
from tessera.config import Contract
from tessera.errors import BadSource, BadUrl

CONNECT_SECONDS = 10

BATCH_ROWS = 10_000
"""Rows that are fetched at once."""

_SAFE = re.compile(r"(no such (table|column): [\w.]+|file is not a database|database is locked|database disk image.*)")


@contextmanager
def connected(contract: Contract, root: Path) -> Iterator[sa.Connection]:
    """A connection to the contract's database that only reads. `contract.connection`: an SQLAlchemy URL, resolved.

    A relative SQLite file is one of the workspace. Every error of the database inside becomes BadSource.
    """
    try:
        url = sa.make_url(contract.connection)
    except exc.ArgumentError:
        raise BadSource(
            contract.name, "its connection is no address.", "Write one such as sqlite:///shop.db."
        ) from None
    with mapped(contract, url):
        engine = _sqlite(contract, url, root) if url.get_backend_name() == "sqlite" else _other(contract, url)
        try:
            with engine.connect() as connection:
                yield connection.execution_options(
                    stream_results=True, max_row_buffer=BATCH_ROWS, postgresql_readonly=True
                )
        finally:
            engine.dispose()


@contextmanager
def mapped(contract: Contract, url: sa.URL) -> Iterator[None]:
    """Turns errors of SQLAlchemy and its drivers into BadSource."""
    try:
        yield
    except (exc.NoSuchModuleError, ModuleNotFoundError):
        mend = "Install one, for PostgreSQL: pip install 'tessera-cdp[postgres]'."
        raise BadSource(contract.name, f"there is no driver for {url.drivername!r}.", mend) from None
    except exc.DBAPIError as e:
        code = getattr(e.orig, "sqlstate", None)
        known = _SAFE.match(str(e.orig)) if isinstance(e.orig, sqlite3.Error) else None
        what = known.group() if known else type(e.orig).__name__ + (f", SQLSTATE {code}" if code else "")
        unreached = isinstance(e, exc.OperationalError) and not known and (e.statement is None or code is None)
        if unreached:
            reason, mend = "could not be reached", "See that it runs and that the connection's user may log in."
        else:
            reason, mend = "refused the query", "Try the contract's query there by hand, as the same user."
        raise BadSource(contract.name, f"the database {reason} ({what}).", mend) from None
    except (exc.SQLAlchemyError, UnicodeDecodeError, OSError) as e:
        mend = "Try the contract's query there by hand."
        raise BadSource(contract.name, f"the database could not be read ({type(e).__name__}).", mend) from None


def _sqlite(contract: Contract, url: sa.URL, root: Path) -> sa.Engine:
    path = root / (url.database or "")
    if not url.database or url.database.startswith((":memory:", "file:")):
        raise BadSource(contract.name, "its connection names no SQLite file.", "Write sqlite:///shop.db.")
    if not path.is_file():
        raise BadSource(contract.name, "its SQLite file is not there.", "Put it there, or mend the connection.")

    def opened() -> sqlite3.Connection:
        made = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=CONNECT_SECONDS)
        made.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        return made

    return sa.create_engine("sqlite://", creator=opened, poolclass=NullPool, hide_parameters=True)


def _other(contract: Contract, url: sa.URL) -> sa.Engine:
    """A database on a server, whose address is checked; PostgreSQL is connected to by the very address that was checked."""
    url.get_dialect()  # one without a driver is told as that
    hosts = [url.host or "", *(h for name in ("host", "hostaddr") for h in _listed(url.query.get(name)))]
    if "service" in url.query or any("," in h for h in hosts):
        raise BadSource(contract.name, "its connection names a service or several hosts.", "Name one host.")
    try:
        named = [h for h in hosts if h and not h.startswith("/")]  # a path is a socket of this machine
        addresses = [outward.address_of(h, own_network=True) for h in named]
    except BadUrl as e:
        raise BadSource(contract.name, str(e), "Mend its connection.") from None
    limits: dict[str, object] = {}
    if url.get_backend_name() == "postgresql":
        limits = {"connect_timeout": CONNECT_SECONDS}
        if addresses and url.get_driver_name() == "psycopg" and "hostaddr" not in url.query:
            limits["hostaddr"] = addresses[-1]
    return sa.create_engine(url, connect_args=limits, poolclass=NullPool, hide_parameters=True)


def _listed(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
