"""Opens a workspace: the one file that knows every room, and hands each what it needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

from tessera import workspace
from tessera.account import account
from tessera.action.facts import rule_refused
from tessera.changes import Changes
from tessera.config import Config
from tessera.data import steps as data_steps
from tessera.data.comebacks import Comebacks
from tessera.data.corrections import Corrections
from tessera.data.expressions import refused
from tessera.data.intake import FILLED
from tessera.data.landing import Landing
from tessera.data.quarantine import Quarantine
from tessera.data.raw import RAW
from tessera.desk import Desk, Rooms
from tessera.errors import BadInput, BadWorkspace, BrokenVault, NotFound
from tessera.insight.segments.rules import refused as segment_refused
from tessera.lake.engine import connect, mapped
from tessera.lake.state import FORMAT, State
from tessera.lake.store import Lake
from tessera.letters import Letters
from tessera.loop import check_purposes, tables
from tessera.owner import Owner
from tessera.people import People
from tessera.trust import erasures
from tessera.trust.ages import Ages
from tessera.trust.anchor import Anchors
from tessera.trust.answers import Answers
from tessera.trust.bits import numbered
from tessera.trust.endings import Endings
from tessera.trust.entries import Use
from tessera.trust.erasures import ErasureList
from tessera.trust.expiry import Expiry
from tessera.trust.gate import Gate
from tessera.trust.ledger import Ledger
from tessera.trust.members import Members
from tessera.trust.permits import Permits
from tessera.trust.requests import Requests
from tessera.trust.rights import Rights
from tessera.trust.secrets import Secrets, create
from tessera.trust.vault import Vault
from tessera.trust.versions import Versions
from tessera.words import Clock

PUT_BACK = "Put it back from a backup; or, to begin anew from the sources, move all of var/ but var/keys away."

MACHINE = "tessera"
"""The actor of what the machine does by itself."""


def words() -> dict[str, dict[str, str]]:
    """Kind of record -> the columns a contract may map to, with their categories."""
    found = {
        kind: {c.name: c.category for c in t.columns if c.name not in FILLED and not c.name.endswith("_key")}
        for kind, t in RAW.items()
    }
    found["order_line"]["unit_price"] = "system.operations"
    return found


def settings(root: Path) -> Config:
    """What the files of the workspace say; BadWorkspace names every mistake."""
    columns = {t.name: t.names for t in tables() if t.visible}
    return workspace.load(
        root, words=words(), tables=columns, expressions=refused, rules=rule_refused, segment_rules=segment_refused
    )


def opens(root: Path) -> Config:
    """What the files of a workspace say; BadWorkspace also where no step could run with them."""
    config = settings(root)
    check_purposes(config)
    return config


def find(start: Path) -> Path:
    """The nearest workspace, upward from a folder; NotFound if there is none."""
    for folder in (start, *start.parents):
        if (folder / "tessera.yaml").is_file():
            return folder
    raise NotFound("Workspace", str(start))


class House:
    """The rooms of one open workspace, owned by this process until it is closed."""

    def __init__(
        self,
        root: Path,
        *,
        wait_s: float = 60.0,
        clock: Clock | None = None,
        doing: str = "work",
        config: Config | None = None,
    ) -> None:
        self.config = config or settings(root)
        check_purposes(self.config)
        self.clock: Clock = clock or (lambda: datetime.now(UTC))
        var = self.config.var
        var.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(var, 0o700)
        self._writing, self._closed = RLock(), False
        self.owner = Owner(var)
        self.owner.take(wait_s, doing)
        try:
            self._open(var)
        except BaseException:
            self.owner.release()
            raise

    def _open(self, var: Path) -> None:
        self._check_whole(var)
        self.state = State(var / "state.db")
        self._check_format()
        keys = var / "keys"
        if "TESSERA_MASTER_KEY" not in os.environ and not (keys / "master.key").exists():
            if (var / "vault.db").exists():
                raise BrokenVault(
                    f"The master key {keys / 'master.key'} is gone. Put it back, rebuild it from its recovery shares "
                    "(tessera key recover), or set TESSERA_MASTER_KEY; without it nothing sealed here can be read."
                )
            create(keys)
        self.secrets = Secrets.load(keys)
        self.lake = Lake(var / "lake", tables(), self.state, self.clock)
        if gone := self.lake.lost():
            raise BadWorkspace([f"{self.lake.folder(t)} is gone, and the workspace needs it. {PUT_BACK}" for t in gone])
        self.vault = Vault(var / "vault.db", self.secrets)
        (var / "ledger").mkdir(mode=0o700, exist_ok=True)
        self.ledger = Ledger(var / "ledger", self.secrets.signing_key(), self.secrets.derive("ledger-salt"), self.clock)
        self._said, self.versions = numbered(self.config, self.state), Versions(self.state, self.ledger, self.clock)
        self.config, self.standing = self.versions.settle(self._said, self._me())
        check_purposes(self.config)
        spill = var / "spill"
        spill.mkdir(mode=0o700, exist_ok=True)
        for left in spill.glob("copy-*.zip"):  # a copy for a customer that a kill kept from leaving
            left.unlink()
        self.con = connect(memory=self.config.memory, threads=self.config.threads, spill=spill)
        self._permits_con = self.con.cursor()
        self.permits = Permits(self.lake, self.vault, self._permits_con)
        self.ages = Ages(self.config, self.state, self.clock, data_steps.kept(self.config))
        self.gate = Gate(self.config, self.lake, self.permits, self.ages)
        self.anchors = Anchors(self.config, self.state, self.secrets, self.vault, self.ledger, self.permits, self.clock)
        salt = self.secrets.derive("row-names").hex()
        self.landing = Landing(self.config, self.lake, self.vault, salt, self.clock)
        # A connection of its own: an erasure does not wait for a turn.
        self._rights_con = self.con.cursor()
        self.requests = Requests(self.state, self.vault, self.ledger, self.clock)
        self._corrections_con = self.con.cursor()
        self.corrections = Corrections(self.lake, self.vault, self.landing, self._corrections_con, self.clock, salt)
        self.letters = Letters(self.config.var / "outbox", self.secrets)
        self.letters.clear()
        self.comebacks = Comebacks(self.config, self.vault, self.landing, self._corrections_con, self.clock)
        self.rights = Rights(
            self.config, self.lake, self.vault, self.permits, self._rights_con, self.clock, salt,
            (self.requests, self.corrections, self.comebacks, self.anchors, self.letters),
        )
        self.expiry = Expiry(
            self.config, self.lake, self.vault, self.ledger, self.ages, self._rights_con, self.clock
        )
        self.endings = Endings(
            self.config, self.lake, self.permits, self.ledger, self._rights_con, self.clock, self.anchors.burned
        )
        self.answers = Answers(self.config, self.lake, self.gate, self.vault, self.ledger)
        self.people = People(
            self.config, self.gate, self.vault, self.ledger, self.answers, self.con, self.clock, self._me(), self.anchors,
            Members(self.gate, self.config.purposes["operate"], self.con),
        )  # fmt: skip
        self.quarantine = Quarantine(self.config, self.lake, self.vault, self.permits, self.landing, self.con)
        rooms = Rooms(
            config=self.config, lake=self.lake, vault=self.vault, ledger=self.ledger, people=self.people,
            rights=self.rights, permits=self.permits, secrets=self.secrets, con=self._rights_con, clock=self.clock,
            working=self._working, corrections=self.corrections, relist=self._relist,
        )  # fmt: skip
        self.desk = Desk(rooms, self.requests, self._me())
        self.changes = Changes(self.config.root, self.state, self.ledger, self.clock, opens)
        self.landing.recover()
        self.landing.settle()
        self.comebacks.recover()
        self.quarantine.settle()
        self.rights.recover()
        self.requests.recover()
        self.changes.recover()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Signs the ledger's head and lets the workspace go, whatever fails on the way; again is harmless."""
        if self._closed:
            return
        self._closed = True
        with ExitStack() as parts:
            parts.callback(self.owner.release)
            cursors = (self._rights_con, self._permits_con, self._corrections_con)
            rooms = (self.state, self.vault, self.ledger, self.con, *cursors, self.answers, self.landing, self.anchors)
            for part in rooms:
                parts.callback(part.close)

    def list_erasures(self, file: Path) -> ErasureList:
        """Writes the erasure list to a file, which every erasure from now on brings up to date."""
        known = erasures.of(self.config.var, self.secrets, self.clock())
        erasures.write(known, file, self.secrets)
        self.state.put("keys", "erasures", str(file.absolute()))
        return known

    def _relist(self) -> str:
        file = self.state.get("keys", "erasures")
        try:
            if file is not None:
                self.list_erasures(Path(file))
        except BadInput as no:  # she is erased all the same
            return str(no)
        return ""

    @contextmanager
    def _working(self) -> Iterator[None]:
        """One thread at a time writes tables, and first finishes the batch that a failure left."""
        with self._writing, mapped("the work"):
            self.landing.recover()
            yield
            self.landing.settle()

    @property
    def me(self) -> str:
        """The user of this machine, as access.yaml names her."""
        return self._me()

    def _me(self) -> str:
        return f"user:{account()}"

    def _use(self, act: str, purpose: str, read: list[tuple[str, int | None]], rows: int) -> None:
        named = tuple((t, v if v is not None else self.lake.version(t) or 0) for t, v in read)
        self.ledger.append(Use(actor=MACHINE, role="machine", act=act, purpose=purpose, tables=named, rows=rows))

    def _check_whole(self, var: Path) -> None:
        """No part of a workspace with tables is gone: a vault made anew would give old numbers to strangers, and a state
        made anew would land all again. Raises BrokenVault or BadWorkspace."""
        if not any((var / "lake").rglob("*.parquet")):
            return
        for name, failure in (("vault.db", BrokenVault), ("state.db", lambda text: BadWorkspace([text]))):
            if not (var / name).exists():
                raise failure(f"{var / name} is gone, and the tables of this workspace need it. {PUT_BACK}")

    def _check_format(self) -> None:
        found = self.state.get("workspace", "format")
        if found is None:
            self.state.put("workspace", "format", FORMAT)
        elif int(found) != FORMAT:
            age, do = (
                ("a newer", "Use that Tessera, or a newer one.")
                if int(found) > FORMAT
                else ("an older", "Make a backup with that one, then run: tessera upgrade")
            )
            raise BadWorkspace([f"var/ was made by {age} Tessera (format {found}, this one writes {FORMAT}). {do}"])
