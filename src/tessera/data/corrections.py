"""RECORDS, what customers corrected -> a record of theirs, CONTESTED: a corrected value outlives what sources still say.

A correction is a record of hers from the source CORRECTED, which ranks above all others, landed as any batch is. What the
sources said of the field at that moment is *disowned*: remembered as keyed hashes, and passed over in every row of hers,
also one that a source sends again or for the first time. A correction of a field ends when a later row of any source says a
value that nobody had said of her before: that is news, and the fold decides as ever. One of the closed list: whether two
sealed values are equal, only their words tell.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from tessera.data.intake_checks import EMAIL
from tessera.data.landing import Landing
from tessera.data.landing_batch import KIND_CODES
from tessera.data.profiles import CONTESTABLE
from tessera.data.raw import CONTESTED, CORRECTED, LINKS, RECORDS, TOUCHED
from tessera.errors import BadInput, NotAllowed
from tessera.lake.engine import Connection, name, rows
from tessera.lake.store import Lake, Mode, Staged
from tessera.trust.tables import MEMBERSHIP
from tessera.words import KINDS, Clock, Erased, Proof, spelt

SPACE = "disowned"
"""The state's space of corrections, by the number of their request: whose, when, and per field the hashes of what was said."""

IDENTIFIERS = ("email", "phone")
LONGEST = 1_000

Row = dict[str, Any]
Tables = dict[str, tuple[Mode, Sequence[Staged]]]


class Vault(Protocol):
    """What is asked of the vault."""

    def resolve(self, kind: str, values: list[str], *, mint: bool = True) -> np.ndarray[Any, Any]: ...
    def kind_of(self, key_ids: list[int]) -> list[str]: ...
    def seal(self, blobs: list[bytes], batch: int) -> np.ndarray[Any, Any]: ...
    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...


@dataclass(frozen=True, kw_only=True)
class Disowned:
    """One correction: her key, its moment, and for each field the hashes of what the sources had said, and of the new value."""

    key: int
    at: datetime
    said: Mapping[str, frozenset[str]]
    now: Mapping[str, str]


class Corrections:
    """The corrections of one workspace; a store that forgets. salt: under which values are hashed."""

    name = "corrections"

    def __init__(self, lake: Lake, vault: Vault, landing: Landing, con: Connection, clock: Clock, salt: str) -> None:
        self.lake, self.vault, self.landing, self.con, self.clock = lake, vault, landing, con, clock
        self.state, self._salt = lake.state, salt.encode()

    def check(self, changes: Mapping[str, str]) -> dict[str, str]:
        """The changes in the spelling that landing gives; BadInput names a field that cannot be corrected, or a value."""
        if not changes:
            raise BadInput(f"A correction needs a new value. Fields: {', '.join(CONTESTABLE)}.")
        found = {}
        for field, value in changes.items():
            if field not in CONTESTABLE:
                raise BadInput(f"{field!r} cannot be corrected. Fields: {', '.join(CONTESTABLE)}.")
            plain = spelt(field, value) if field in IDENTIFIERS else value.strip()
            fits = re.fullmatch(EMAIL, plain) if field == "email" else len(plain) >= 6 if field == "phone" else plain
            if not fits or len(plain) > LONGEST:
                raise BadInput(f"The new {field} is empty, too long, or none.")
            found[field] = plain
        return found

    def land(self, request: int, key: int, changes: Mapping[str, str]) -> None:
        """Lands a correction of whoever has this key, once: it flows into her profile with the next turn.

        Whoever calls holds the right to write tables. A new e-mail or phone becomes an identifier of hers.
        """
        if self.state.get(SPACE, str(request)) is not None:
            return
        keys = {f: self._key(f, v) for f, v in changes.items() if f in IDENTIFIERS}
        at, number = self.clock().astimezone(UTC), self.state.next("batch")
        self.state.put("open", str(number), at.isoformat())
        said: dict[str, set[str]] = {field: set() for field in changes}
        for row in self._rows_of(key):
            for field in changes:
                if row[field] is not None:
                    said[field].add(self._hash(field, row[field]))
        now = {field: self._hash(field, value) for field, value in changes.items()}
        sealed = {f: v for f, v in changes.items() if RECORDS.column(f).sealed}
        record = int(self.vault.seal([json.dumps(sealed, ensure_ascii=False).encode()], number)[0]) if sealed else None
        made: Row = dict.fromkeys(RECORDS.names)
        made |= {f: record if f in sealed else v for f, v in changes.items()}
        made |= {f"{f}_key": k for f, k in keys.items()}
        mark = hmac.digest(self._salt, f"{CORRECTED}|{request}".encode(), "sha256")[:16].hex()
        made |= {"key_id": key, "row_key": mark, "row_hash": mark, "occurred_at": at, "source": CORRECTED}
        made |= {"record_id": record, "batch": number}
        tables: Tables = {RECORDS.name: ("append", self.lake.stage_rows(self.con, RECORDS.name, [made]))}
        if pairs := [self._pair(key, k, at, number) for k in keys.values() if k != key]:
            tables[LINKS.name] = ("append", self.lake.stage_rows(self.con, LINKS.name, pairs))
        fact = {"key": key, "at": at.isoformat(), "said": {f: sorted(h - {now[f]}) for f, h in said.items()}, "now": now}
        self.landing.take(number, f"a correction, batch {number}", tables, [(SPACE, str(request), fact)])

    def settle(self) -> bool:
        """Brings CONTESTED in line with what the sources say by now; says whether anything changed. For the turn."""
        wanted = {(r["source"], r["row_key"]): r for r in self._contested()}
        kept = {(r["source"], r["row_key"]): r for r in self._kept()}
        changed = [side[at] for side in (wanted, kept) for at in side if wanted.get(at) != kept.get(at)]
        if not changed:
            return False
        number = self.state.next("batch")
        self.state.put("open", str(number), self.clock().astimezone(UTC).isoformat())
        touched = [{"key_id": key, "batch": number} for key in sorted({int(r["key_id"]) for r in changed})]
        tables: Tables = {
            CONTESTED.name: ("overwrite", self.lake.stage_rows(self.con, CONTESTED.name, list(wanted.values()))),
            TOUCHED.name: ("append", self.lake.stage_rows(self.con, TOUCHED.name, touched)),
        }
        self.landing.take(number, f"contested values, batch {number}", tables)
        return True

    def disowned(self, keys: Collection[int], field: str, value: str) -> bool:
        """Whether the person of these keys has said of a value that it is not hers, and has not taken that back since."""
        mine = [fact for fact in self.state.items(SPACE).values() if fact["key"] in keys and field in fact["now"]]
        if not mine:
            return False
        told, newest = self._hash(field, value), max(mine, key=lambda fact: str(fact["at"]))
        return told != newest["now"][field] and any(told in fact["said"][field] for fact in mine)

    def forget(self, who: Erased) -> Proof:
        """Forgets what erased people had corrected; see words.Forgets."""
        mine = [n for n, fact in self.state.items(SPACE).items() if fact["key"] in who.keys]
        for number in mine:
            self.state.drop(SPACE, number)
        return Proof(store=self.name, removed=len(mine), complete=True)

    # parts

    def _contested(self) -> Iterator[Row]:
        """Which fields of which rows are passed over: a function of the corrections and of the rows as they are."""
        people: dict[int, list[Disowned]] = {}
        for fact in self.state.items(SPACE).values():
            said = {f: frozenset(h) for f, h in fact["said"].items()}
            one = Disowned(key=int(fact["key"]), at=datetime.fromisoformat(fact["at"]), said=said, now=fact["now"])
            person = self._person(one.key)
            people.setdefault(person if person is not None else -one.key, []).append(one)
        for corrections in people.values():
            yield from self._of_one(sorted(corrections, key=lambda c: c.at))

    def _of_one(self, corrections: list[Disowned]) -> Iterator[Row]:
        found = self._rows_of(corrections[0].key, own=True)
        masks = dict.fromkeys(((r["source"], r["row_key"]) for r in found), 0)
        for place, field in enumerate(CONTESTABLE):
            mine = [c for c in corrections if field in c.now]
            if not mine:
                continue
            disowned = frozenset().union(*(c.said[field] for c in mine)) - {mine[-1].now[field]}
            news = False
            for row in (r for r in found if r["source"] != CORRECTED and r[field] is not None):
                told = self._hash(field, row[field])
                later = row["occurred_at"] is not None and row["occurred_at"] > mine[-1].at
                if told in disowned or (told != mine[-1].now[field] and not later):
                    masks[row["source"], row["row_key"]] |= 1 << place
                elif told != mine[-1].now[field]:
                    news = True
            if news:
                for row in (r for r in found if r["source"] == CORRECTED and r[field] is not None):
                    masks[CORRECTED, row["row_key"]] |= 1 << place
        for row in found:
            if mask := masks[row["source"], row["row_key"]]:
                facts = {c: row[c] for c in ("key_id", "source", "row_key", "row_hash")}
                yield {**facts, "fields": mask}

    def _kept(self) -> list[Row]:
        found: list[Row] = self.con.sql(f"SELECT * FROM {self.lake.relation(CONTESTED.name)}").to_arrow_table().to_pylist()
        return found

    def _rows_of(self, key: int, own: bool = False) -> list[Row]:
        """The records of whoever has a key, in clear. own: also those of corrections."""
        if self.lake.version(RECORDS.name) is None:
            return []
        members, person = self.lake.relation(MEMBERSHIP.name), self._person(key)
        hers = f"SELECT key_id FROM {members} WHERE person_id = {person}" if person is not None else str(int(key))
        columns = ", ".join(map(name, (*CONTESTABLE, "key_id", "source", "row_key", "row_hash", "occurred_at")))
        select = f"SELECT {columns} FROM {self.lake.relation(RECORDS.name)} WHERE key_id IN ({hers})"
        select += "" if own else f" AND source <> '{CORRECTED}'"
        found: list[Row] = self.con.sql(f"{select} ORDER BY source, row_key").to_arrow_table().to_pylist()
        sealed = [f for f in CONTESTABLE if RECORDS.column(f).sealed]
        blobs = self.vault.unseal(sorted({r[f] for r in found for f in sealed if r[f] is not None}))
        facts = {n: json.loads(b) for n, b in blobs.items()}
        for row in found:
            row |= {f: facts.get(row[f], {}).get(f) if row[f] is not None else None for f in sealed}
        return found

    def _person(self, key: int) -> int | None:
        found = rows(self.con, f"SELECT person_id FROM {self.lake.relation(MEMBERSHIP.name)} WHERE key_id = {int(key)}")
        return int(found[0][0]) if found else None

    def _key(self, kind: str, value: str) -> int:
        """The number of a new identifier. NotAllowed for one that was erased: only her own sign-in lifts that."""
        (key,) = self.vault.resolve(kind, [value]).tolist()
        if key < 0:
            raise NotAllowed(f"The new {kind} was erased here.", "It comes back when she signs in with it herself.")
        return int(key)

    def _pair(self, one: int, other: int, at: datetime, batch: int) -> Row:
        """The evidence that two keys are one person, the stronger kind first."""
        kinds = dict(zip((one, other), self.vault.kind_of([one, other]), strict=True))
        a, b = sorted((one, other), key=lambda k: KINDS.index(kinds[k]))
        codes = {"kind_a": KIND_CODES[kinds[a]], "kind_b": KIND_CODES[kinds[b]]}
        return {"key_a": a, "key_b": b, **codes, "source": CORRECTED, "occurred_at": at, "rows": 1, "batch": batch}

    def _hash(self, field: str, value: str) -> str:
        """The same for values that people would call the same: letters' size and spaces do not count."""
        plain = spelt(field, value) if field in IDENTIFIERS else " ".join(str(value).split()).casefold()
        return hashlib.blake2b(f"{field}|{plain}".encode(), key=self._salt[:64], digest_size=12).hexdigest()
