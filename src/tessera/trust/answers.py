"""Governed SQL: a question through the first wall, the gate and the engine's own lock, to an answer and its entry.

Nothing of the user's text reaches the engine: the wall writes it anew over the gate's views. The engine that runs it
can open the lake's folder and nothing else, and its settings are locked. Sealed cells are opened last, on the answer's
rows.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Timer
from typing import Any, Protocol, cast

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from tessera.config import Config
from tessera.errors import BadInput, BadQuestion, NotAllowed, Refused, TesseraError, TooMuch
from tessera.lake.engine import Connection, connect, literal, mapped, name
from tessera.lake.store import Lake
from tessera.lake.table import Table
from tessera.lake.view import View
from tessera.trust import access, traces, wall
from tessera.trust.access import Reader
from tessera.trust.entries import Keys, Use
from tessera.trust.gate import Gate
from tessera.trust.ledger import Ledger
from tessera.trust.permits import Unit
from tessera.words import spelt

KEPT, KEPT_ROWS = 64, 500
"""Answers that are remembered for whoever asks the same again, and the most rows of one."""

QUESTIONS = 256
"""How many questions are remembered as the wall read them."""


class Vault(Protocol):
    """What an answer asks of the vault."""

    def resolve(self, kind: str, values: list[str], *, mint: bool = True) -> np.ndarray[Any, Any]: ...
    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...
    def max_key(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The most that one question may take: rows and bytes of its answer, seconds of the engine. cut: of a longer answer the
    first rows are given, in place of none."""

    rows: int
    bytes: int
    seconds: float
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The rows, the entry of the ledger that holds this use, and which columns were not shown in clear, with why. more: there
    were further rows, and the caps cut them off."""

    table: pa.Table
    entry: int
    veiled: dict[str, str] = field(default_factory=dict)
    more: bool = False

    def arrow(self) -> pa.Table:
        """As an Arrow table."""
        return self.table

    def polars(self) -> Any:
        """As a Polars frame (extra: frames)."""
        import polars

        return polars.from_arrow(self.table)

    def pandas(self) -> Any:
        """As a pandas frame (extra: frames)."""
        return self.table.to_pandas()

    def rows(self) -> list[tuple[Any, ...]]:
        """As a list of rows."""
        return list(zip(*(c.to_pylist() for c in self.table.columns), strict=True)) if self.table.num_columns else []


class Answers:
    """Answers questions over one workspace; keeps its locked engine and what it learnt about sets of people."""

    def __init__(self, config: Config, lake: Lake, gate: Gate, vault: Vault, ledger: Ledger) -> None:
        self.config, self.lake, self.gate, self.vault, self.ledger = config, lake, gate, vault, ledger
        self._engine: Connection | None = None
        self._loaded: dict[str, object] = {}
        self._sets: dict[tuple[object, ...], Keys] = {}
        self._known: dict[tuple[str, str, str], wall.Question] = {}
        self._again: OrderedDict[str, pa.Table] = OrderedDict()
        self._epoch = -1

    def ask(self, question: str, reader: Reader, caps: Caps | None = None, *, again: bool = False) -> Answer:
        """The answer to one SELECT. Refused, BadQuestion or NotFound say why not; what is refused is an entry too.

        caps: raises TooMuch where the answer would take more. again: the question asks for nothing that moves by itself (no
        clock, no chance), and may be answered as it was before: by the engine's rows of the very same text over the same
        versions and permissions. What is sealed is kept sealed meanwhile; each time is an entry.
        """
        try:
            shown = self.gate.presented()
            asked = self._read(question, shown, reader)
            views, text = self._planned(asked, shown, reader)
        except (Refused, BadInput) as no:
            self.ledger.append(
                Use(
                    actor=reader.actor.name, role=reader.role, act="read", purpose=reader.purpose.name,
                    verdict="refused", reason=_sentence(no),
                )
            )
            raise
        use = Use(
            actor=reader.actor.name, role=reader.role, act="read", purpose=reader.purpose.name,
            tables=tuple(sorted({(v.table, v.version) for v in views.values() if v.version is not None})),
            categories=tuple(sorted({c for v in views.values() for c in v.categories})),
            reason=self._reason(reader), keys=self._keys(views.values(), shown, reader),
        )
        try:
            with mapped("the question"), _in_time(engine := self._ready(views.values()), caps):
                table = self._again.get(text) if again else None
                if table is None:
                    # As one text: a relation that is limited afterwards would be bound twice.
                    limited = f"SELECT * FROM ({text}) LIMIT {int(caps.rows) + 1}" if caps else text
                    table = engine.sql(limited).to_arrow_table()
                    if again:
                        self._keep(text, table)
            more = caps is not None and caps.cut and table.num_rows > caps.rows
            if caps and more:
                table = table.slice(0, caps.rows)
            if caps and (table.num_rows > caps.rows or table.nbytes > caps.bytes):
                raise TooMuch(f"more than {caps.rows:,} rows or {caps.bytes:,} bytes", "Narrow it, or add LIMIT and OFFSET.")
            table, veiled = self._opened(table, asked, shown, reader)
        except TesseraError:
            # It read people's rows, and that it failed may tell of them.
            self.ledger.append(msgspec.structs.replace(use, note="it failed while it ran"))
            raise
        entry = self.ledger.append(msgspec.structs.replace(use, rows=table.num_rows))
        if use.keys is not None and reader.one is None:
            self.gate.permits.used(reader.purpose)
        return Answer(table=table, entry=entry.seq, veiled=veiled, more=more)

    def _keep(self, text: str, table: pa.Table) -> None:
        """Remembers a small answer by the engine's text, which names the files of each version and whom it leaves out."""
        if table.num_rows <= KEPT_ROWS:
            self._again[text] = table
            while len(self._again) > KEPT:
                self._again.popitem(last=False)

    def close(self) -> None:
        """Closes the engine."""
        if self._engine is not None:
            self._engine.close()

    def _read(self, question: str, shown: dict[str, Table], reader: Reader) -> wall.Question:
        """The question as the wall lets it pass, which costs 10 ms: a page asks the same again and again. What the wall
        decides on is the text, the role and the purpose; a question that looks somebody up is not kept."""
        said = (question, reader.role, reader.purpose.name)
        asked = self._known.pop(said, None)
        if asked is None:
            asked = wall.read(question, shown, lambda t, c: self.gate.hidden(reader, shown, t, c))
        if not asked.lookups:
            self._known[said] = asked
            for oldest in list(self._known)[:-QUESTIONS]:
                self._known.pop(oldest, None)
        return asked

    def _planned(
        self, asked: wall.Question, shown: dict[str, Table], reader: Reader
    ) -> tuple[dict[str, View], str]:
        """The views that a question needs, by mention, and its text over them."""
        for lookup in asked.lookups:
            self._check_lookup(shown[lookup.table], lookup.column, reader)
        views = {}
        for ref in asked.refs:
            version = self._version(ref)
            views[ref.id] = self.gate.for_reader(
                shown[ref.table], reader, columns=ref.columns, version=version, extra=ref.keys - ref.columns
            )
        keys = {
            lookup.name: int(self.vault.resolve(kind, [spelt(kind, str(lookup.literal))], mint=False)[0])
            for lookup in asked.lookups
            for kind in [_kind(lookup.column)]
        }
        relations = {i: view.sql for i, view in views.items()}
        return views, wall.write(asked, relations, {n: k if k > 0 else None for n, k in keys.items()})

    def _reason(self, reader: Reader) -> str:
        basis = "with consent" if reader.purpose.needs_consent else f"basis: {reader.purpose.basis}"
        return f"{reader.role} for {reader.purpose.name} ({basis})"

    def _version(self, ref: wall.Ref) -> int | None:
        if ref.as_of is None:
            return None
        if isinstance(ref.as_of, wall.Version):
            self.lake.files(ref.table, ref.as_of.number)
            return ref.as_of.number
        try:
            moment = datetime.fromisoformat(ref.as_of.text)
        except ValueError:
            raise BadQuestion(
                f"{ref.as_of.text!r} is no time. Write it as '2026-11-22' or '2026-11-22 09:30:00'."
            ) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        number = self.lake.as_of(ref.table, moment)
        self.lake.files(ref.table, number)
        return number

    def _check_lookup(self, table: Table, column: str, reader: Reader) -> None:
        if self.gate.verdict_of(table, column, reader) != "clear":
            raise NotAllowed(
                f"{column} of {table.name} is not clear for {reader.role} and {reader.purpose.name}, so nobody can be "
                "looked up by it.",
                f"Ask {self.config.access.contact}.",
            )

    def _ready(self, views: Iterable[View]) -> Connection:
        """The locked engine, with the permissions that these views ask for."""
        if self._engine is None:
            engine = connect(memory=self.config.memory, threads=self.config.threads)
            engine.execute(f"SET allowed_directories=[{literal(str(self.lake.root) + '/')}]")
            engine.execute("SET enable_external_access=false")
            engine.execute("SET lock_configuration=true")
            self._engine = engine
        permits = self.gate.permits
        if permits.epoch != self._epoch:  # somebody was erased: nothing that was read before is kept
            self._again.clear()
            self._epoch = permits.epoch
        for view in views:
            for bits in view.bits:
                stamp = permits.stamp(self.config.purposes[view.purpose], cast(Unit, bits.split("_")[1]))
                if self._loaded.get(bits) != stamp:
                    self._again.clear()
                    self.gate.load(self._engine, [view])
                    self._loaded[bits] = stamp
        return self._engine

    def _opened(
        self, table: pa.Table, asked: wall.Question, shown: dict[str, Table], reader: Reader
    ) -> tuple[pa.Table, dict[str, str]]:
        """Sealed cells of the answer, opened or veiled as the reader's verdict says."""
        veiled: dict[str, str] = {}
        table = table.rename_columns(list(asked.names))
        for i, sealed in enumerate(asked.sealed_output):
            if sealed is None:
                continue
            seen = self.gate.seen(shown[sealed[0]], sealed[1], reader)
            numbers = table.column(i).to_pylist()
            wanted = {n for n in numbers if n is not None}
            blobs = self.vault.unseal(sorted(wanted)) if wanted else {}
            texts = {r: json.loads(b).get(sealed[1]) for r, b in blobs.items()}
            if seen.verdict != "clear":
                veiled[asked.names[i]] = seen.reason
                texts = {r: access.veiled(sealed[1], texts.get(r) or "", seen.verdict) for r in wanted}
            table = table.set_column(i, asked.names[i], pa.array([texts.get(n) for n in numbers], pa.string()))
        for ref in asked.refs:
            for column in ref.columns:
                seen = self.gate.seen(shown[ref.table], column, reader)
                if seen.verdict != "clear" and column in asked.names:
                    veiled.setdefault(column, seen.reason)
        return table, veiled

    def _keys(self, views: Iterable[View], shown: dict[str, Table], reader: Reader) -> Keys | None:
        """Whom the views held: those of the tables' people whom the purpose allows; on a page about one person, her."""
        if reader.one is not None:
            return self.ledger.keep(BitMap([reader.one.person]), "person")
        about = [v for v in views if shown[v.table].reason != "nobody" and v.version is not None]
        if not about:
            return None
        if reader.subject is not None:
            return self.ledger.keep(BitMap([reader.subject.person]), "person")
        unit: Unit = "person" if all(shown[v.table].reason == "person" for v in about) else "key"
        versions = tuple(sorted((v.table, v.version or 0) for v in about))
        stamp = (unit, reader.purpose.name, self.gate.permits.stamp(reader.purpose, unit), versions)
        if stamp not in self._sets:
            ids = self.gate.permits.ids(reader.purpose, unit)
            held = BitMap()
            for view in about:
                held |= self._people(view, shown[view.table], unit)
            self._sets[stamp] = self.ledger.keep(held & ids, unit, "at most")
        return self._sets[stamp]

    def _people(self, view: View, table: Table, unit: Unit) -> BitMap:
        if table.reason == "person" and unit == "key":
            return BitMap(range(1, self.vault.max_key() + 1))
        owner = name(table.owners[0])
        relation = self.lake.relation(view.table, view.version)
        query = f"SELECT DISTINCT {owner} AS i FROM {relation} WHERE {owner} IS NOT NULL"
        found = self._ready([]).sql(query).fetchnumpy()["i"]
        return BitMap(np.asarray(found).astype(np.uint32))


@contextmanager
def _in_time(engine: Connection, caps: Caps | None) -> Iterator[None]:
    """Stops the engine's work after so many seconds; raises TooMuch then."""
    if caps is None:
        yield
        return
    timer = Timer(caps.seconds, engine.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise TooMuch(f"more than {caps.seconds:g} s", "Ask for less, or a table that a step has summed up.") from None
    finally:
        timer.cancel()


def _kind(column: str) -> str:
    return "phone" if column == "phone" else "email"


def _sentence(no: Exception) -> str:
    """Why, for the ledger: it is never changed, so a word of the question that may name a person is left out."""
    reason = str(getattr(no, "reason", "")) or "the question was not understood"
    return "the question was refused" if traces.like_identifier(reason) else reason
