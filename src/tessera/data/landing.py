"""SOURCES -> raw tables, links, consents, quarantine: each chunk is one batch that lands exactly once.

A batch is files first, then one manifest, then commits. Everything it will add is written and fsynced as files that no
table has yet; then the manifest is made durable; then each table commits with (app = table, number = batch), and the
source's progress moves in the same transaction that closes the batch. A kill before the manifest leaves nothing but
unreferenced files and sealed records of an unfinished batch, which the next start removes; a kill after it is finished
by the next start. Clear values live only in this connection, which never spills.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC
from typing import Any

from tessera.config import Config, Contract
from tessera.data.chunk import Chunk
from tessera.data.intake import Intake
from tessera.data.landed import Landed, Vault
from tessera.data.landing_batch import Batch
from tessera.data.raw import TOUCHED
from tessera.lake.engine import Connection, connect
from tessera.lake.store import Lake, Mode, Staged
from tessera.words import Clock, Progress, silent

REPLACED = "replaced"
"""The space of the state with sealed records whose rows were replaced, by batch, until they are gone from the vault."""

Made = Mapping[str, tuple[Mode, Sequence[Staged]]]
"""Staged files by table, and whether they add to it or take its place."""


class Landing:
    """Lands chunks. One of the closed list that reads people's data without a view: it is where data becomes ours."""

    def __init__(self, config: Config, lake: Lake, vault: Vault, salt: str, clock: Clock) -> None:
        self.config, self.lake, self.vault, self.salt, self.clock = config, lake, vault, salt, clock
        self.state = lake.state
        self.known_at: int | None = None
        self._con: Connection | None = None
        self._open = False
        self._beside = ThreadPoolExecutor(1, "forget")
        self._forgetting: Future[None] | None = None

    def recover(self) -> None:
        """Finishes the batches whose manifest is there, and removes what unfinished ones left."""
        for number, manifest in sorted(self.state.items("manifest").items(), key=lambda m: int(m[0])):
            self.commit(int(number), manifest)
        unfinished = self.state.items("open")
        for number in unfinished:
            self.vault.drop_batch(int(number))
        if unfinished:
            for table in self.lake.tables:
                self.lake.clean(table)
        for number in unfinished:
            self.state.drop("open", number)
        self._forget()

    def land(
        self, contract: Contract, chunks: Iterable[Chunk], progress: Progress = silent, into: Landed | None = None
    ) -> Landed:
        """Lands all chunks of one source; each is safe when the next is asked for, and counted in `into`.

        What an earlier one left, that failed and was not killed (a full disk), is finished or removed first: batches
        have to be committed in their order.
        """
        self.recover()
        total = into or Landed(source=contract.name)
        intake = Intake(contract=contract, salt=self.salt)
        with self.session():
            try:
                for chunk in chunks:
                    landed = None
                    while landed is None:
                        landed = Batch(self, self._connected(), intake, chunk).land()
                    total.add(landed)
                    progress(f"landing {contract.name}", total.rows)
            except BaseException:
                # What a batch left in the connection goes with it.
                self._close()
                raise
        return total

    def touch(self, keys: Iterable[int], done: Iterable[tuple[str, str]]) -> None:
        """A batch without rows, which says whose person is to be computed anew. done: facts that it settles."""
        number = self.state.next("batch")
        self.state.put("open", str(number), self.clock().astimezone(UTC).isoformat())
        staged = self.lake.stage_rows(self._connected(), TOUCHED.name, [{"key_id": k, "batch": number} for k in keys])
        facts = [(space, name, None) for space, name in done]
        self.take(number, f"to be computed anew, batch {number}", {TOUCHED.name: ("append", staged)}, facts)
        if not self._open:
            self._close()

    @contextmanager
    def session(self) -> Iterator[None]:
        """Several sources over one connection: it remembers which key an identifier has (see `Judged`)."""
        outermost, self._open = not self._open, True
        try:
            yield
        finally:
            if outermost:
                self._open = False
                self._close()

    def _connected(self) -> Connection:
        if self._con is None:
            self._con = connect(memory=self.config.memory, threads=self.config.threads)
            self._con.execute("CREATE TABLE present(row_name VARCHAR)")
        return self._con

    def _close(self) -> None:
        if self._con is not None:
            self._con.close()
            self._con = None

    def take(self, number: int, what: str, tables: Made, facts: Sequence[Sequence[Any]] = ()) -> None:
        """Commits a batch of our own making, whose files are staged, exactly once. facts: (space, name, value); None drops."""
        self.commit(number, self.note(number, what, tables, facts))

    def note(self, number: int, what: str, tables: Made, facts: Sequence[Sequence[Any]] = ()) -> dict[str, Any]:
        """The first half of it, durable: the manifest, which a start finishes if `commit` does not come."""
        parts = {t: {"mode": mode, "staged": [asdict(s) for s in staged]} for t, (mode, staged) in tables.items()}
        manifest = {"what": what, "tables": parts, "forget": [], "progress": [list(fact) for fact in facts]}
        self.state.put("manifest", str(number), manifest)
        return manifest

    def commit(self, number: int, manifest: Mapping[str, Any]) -> None:
        """Commits a batch whose manifest is durable; again is harmless."""
        for table, part in manifest["tables"].items():
            staged = [Staged(**s) for s in part["staged"]]
            self.lake.commit(table, staged, what=manifest["what"], mode=part["mode"], number=number)
        with self.state.together():
            if manifest["forget"]:
                self.state.put(REPLACED, str(number), manifest["forget"])
            for space, key, fact in manifest["progress"]:
                if fact is None:
                    self.state.drop(space, key)
                else:
                    self.state.put(space, key, fact)
            self.state.drop("manifest", str(number))
            self.state.drop("open", str(number))
            self.state.put("landed", "last", number)
        self._forget()

    def settle(self) -> None:
        """Waits until the sealed records of replaced rows are gone from the vault, but not within a `session`, which has
        more to do meanwhile; raises what hindered it."""
        while self._forgetting is not None and not self._open:
            self._forgetting.result()
            self._forgetting = None
            self._forget()

    def close(self) -> None:
        """Lets go of the thread, once it has done what was begun."""
        self._beside.shutdown()

    def _forget(self) -> None:
        """Begins to empty the sealed records of replaced rows, beside whatever comes next: each lies in a pack of others
        (measured: 7,000 take a second). What a kill or a full disk cuts off, the next start does."""
        if self.state.items(REPLACED) and (self._forgetting is None or self._forgetting.done()):
            self._forgetting = self._beside.submit(self._forget_all)

    def _forget_all(self) -> None:
        while waiting := self.state.items(REPLACED):
            for number, records in waiting.items():
                self.vault.forget(records)
                self.state.drop(REPLACED, number)
