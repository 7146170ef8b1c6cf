"""Consents that end, by a moment or with a first use: the purpose is closed at the next read, and what was held for it burns.

Permits closes the purpose by itself (`Permits.barred`). The turn then burns: rows of hers in tables that no purpose of hers
keeps any more leave the files with every older version, an entry of the ledger says so, and the contract is told of it. A
later yes of hers, said after the end, opens the purpose again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pyroaring import BitMap

from tessera.config import Config, Purpose
from tessera.lake.engine import Connection, literal, rows
from tessera.lake.store import Lake
from tessera.trust import removal
from tessera.trust.entries import Keys, Use
from tessera.trust.ledger import Ledger
from tessera.trust.merkle import leaf_hash
from tessera.trust.permits import ENDING, Permits
from tessera.trust.tables import CONSENTS, MEMBERSHIP
from tessera.words import Clock, Erased

BURNT = "burnt"
"""The state's space: until when ends are burnt (`until`), and each end that is, by key and purpose."""


class Burned(Protocol):
    """Who is told of a burning (Anchors.burned)."""

    def __call__(self, root: bytes, size: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What burnt when consents to a purpose ended: people, rows by table, the entry of the ledger."""

    purpose: str
    people: int
    rows: dict[str, int]
    entry: int


class Endings:
    """One of the closed list that reads without a view: what burns no purpose may see. con: a connection of its own."""

    def __init__(
        self, config: Config, lake: Lake, permits: Permits, ledger: Ledger, con: Connection, clock: Clock,
        burned: Burned,
    ) -> None:
        self.config, self.lake, self.permits, self.ledger = config, lake, permits, ledger
        self.con, self.clock, self.burned, self.state = con, clock, burned, lake.state

    def reopen(self) -> None:
        """Opens purposes again to which somebody has said yes since her consent ended. For the turn."""
        again = []
        for name, end in self.state.items(ENDING).items():
            if not _over(end, self._now()):
                continue
            over, hers = end["over"] or end["until"], self._keys([int(end["key"])])
            yes = f"""SELECT count(*) FROM {self.lake.relation(CONSENTS.name)} WHERE purpose = {literal(end['purpose'])}
                      AND state = 'given' AND key_id IN ({_list(hers)}) AND occurred_at > TIMESTAMPTZ {literal(over)}"""
            if rows(self.con, yes)[0][0]:
                again.append((int(end["key"]), str(end["purpose"])))
                self.state.drop(BURNT, name)
        if again:
            self.permits.reopen(again)

    def due(self) -> bool:
        """Whether a consent has ended that is not burnt yet, as far as can be told without reading answers."""
        now, burnt = self._now(), self.state.items(BURNT)
        ends = self.state.get("runs", "consent", {}).get("facts", {}).get("ends")
        if ends is not None and datetime.fromisoformat(ends) <= now:
            return "until" not in burnt or burnt["until"] < datetime.fromisoformat(ends).astimezone(UTC).isoformat()
        return any(_over(end, now) and name not in burnt for name, end in self.state.items(ENDING).items())

    def burn(self) -> list[Ended]:
        """Burns what was held for consents that have ended since the last time. Whoever writes tables waits meanwhile (the
        caller sees to it); a kill at any point leaves it to the next call."""
        now, done = self._now(), []
        for purpose in self.config.purposes.values():
            ended = dict(self._ended(purpose, now))
            if ended:
                done.append(self._burn(purpose, ended))
        self.state.put(BURNT, "until", now.isoformat())
        return done

    def _burn(self, purpose: Purpose, ended: Mapping[int, str | None]) -> Ended:
        keys = self._keys(ended)
        persons = sorted(self._persons(keys))
        gone: dict[str, int] = {}
        who = Erased(keys=frozenset(keys), persons=frozenset(persons))
        with removal.Named(self.con, who):
            for table in self.lake.personal_tables:
                held_for = [self.config.purposes[p] for p in table.purposes if p in self.config.purposes]
                unit = "key" if table.reason == "key" else "person"
                mine = BitMap(keys if unit == "key" else persons)
                kept = any(not mine.isdisjoint(self.permits.ids(p, "key" if unit == "key" else "person")) for p in held_for)
                if kept or purpose.name not in table.purposes or self.lake.version(table.name) is None:
                    continue
                if many := removal.remove(self.lake, self.con, table, "burn", who):
                    gone[table.name] = many
                # Older versions had her, also where the turn has made the newest without her.
                self.lake.vacuum(table.name, timedelta(0))
        kept_set = self.ledger.keep(BitMap(keys), "key")
        entry = self._told(purpose, gone, kept_set, len(persons))
        # The entry itself: two purposes of one person burn the same set of keys.
        self.burned(leaf_hash(self.ledger.proof(entry).line), 1)
        self.state.put_many(BURNT, {name: 1 for name in ended.values() if name is not None})
        return Ended(purpose=purpose.name, people=len(persons), rows=gone, entry=entry)

    def _told(self, purpose: Purpose, gone: Mapping[str, int], keys: Keys, people: int) -> int:
        tables = tuple((t, self.lake.version(t) or 0) for t in sorted(gone))
        use = Use(
            actor="tessera", role="machine", act="burn", purpose=purpose.name, tables=tables, keys=keys,
            rows=sum(gone.values()), note=f"consent ended: {people} {'person' if people == 1 else 'people'}",
        )  # fmt: skip
        return self.ledger.append(use).seq

    def _ended(self, purpose: Purpose, now: datetime) -> Iterator[tuple[int, str | None]]:
        """Keys of consents that have ended and are not burnt yet, each with the name of its end, if it has one of its own."""
        burnt = self.state.items(BURNT)
        for name, end in self.state.items(ENDING).items():
            if end["purpose"] == purpose.name and _over(end, now) and name not in burnt:
                yield int(end["key"]), name
        since = burnt.get("until")
        if self.lake.version(CONSENTS.name) is None:
            return
        after = f"AND until > TIMESTAMPTZ {literal(since)}" if since else ""
        query = f"""SELECT DISTINCT key_id FROM {self.lake.relation(CONSENTS.name)} WHERE purpose = {literal(purpose.name)}
                    AND state = 'given' AND until <= TIMESTAMPTZ {literal(now.isoformat())} {after}"""
        lapsed = [int(k) for (k,) in rows(self.con, query)]
        allowed = self.permits.ids(purpose, "key") if lapsed else BitMap()
        for key in lapsed:
            if key not in allowed:  # she may have said yes again, without an end
                yield key, None

    def _keys(self, some: Iterable[int]) -> list[int]:
        """All keys of the persons who have these, and these."""
        named, members = sorted(set(some)), self.lake.relation(MEMBERSHIP.name)
        hers = f"SELECT person_id FROM {members} WHERE key_id IN ({_list(named)})"
        found = rows(self.con, f"SELECT key_id FROM {members} WHERE person_id IN ({hers})") if named else []
        return sorted({int(k) for (k,) in found} | set(named))

    def _persons(self, keys: Iterable[int]) -> set[int]:
        members = self.lake.relation(MEMBERSHIP.name)
        return {int(p) for (p,) in rows(self.con, f"SELECT person_id FROM {members} WHERE key_id IN ({_list(keys)})")}

    def _now(self) -> datetime:
        return self.clock().astimezone(UTC)


def _over(end: Mapping[str, Any], now: datetime) -> bool:
    return end["over"] is not None or bool(end["until"] and datetime.fromisoformat(end["until"]) <= now)


def _list(ids: Iterable[int]) -> str:
    return ", ".join(str(int(i)) for i in ids) or "NULL"
