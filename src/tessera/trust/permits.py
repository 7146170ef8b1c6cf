"""Today's permissions as bitmaps: for each purpose, the keys and the persons whose rows may be used.

A row is tested with one bit (`get_bit`, no join): measured over 20 M events a join on the key costs four to six times a
light sum, the bitmap about twice. Time travel moves the data, never the permission: old versions meet today's bitmaps.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from tessera.config import Purpose
from tessera.lake.engine import Connection, literal
from tessera.lake.store import Lake
from tessera.trust.tables import CONSENTS, DOOR, MASK, MEMBERSHIP
from tessera.words import Erased

Unit = Literal["key", "person"]

RESTRICTED, OBJECTED = "restricted", "objected"
"""The state's spaces of people whose data may not be used, or not for one purpose: by number of their request, the key by
which they are found, and the purposes that stay open, or the one that is closed."""

ENDING = "ending"
"""The state's space of consents that end: by key and purpose, the key, the purpose, until when (none: with the first use), and
since when it is over."""

ANYBODY = "any"
"""In the place of a purpose's name, in the name of the bitmap of all who are not being erased; no purpose is called so."""

SPARED_BASES = ("vital_interest", "public_interest")
"""Lawful bases that a restriction leaves open (GDPR, Art. 18(2): another person's rights, important public interest)."""
Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a consent ends: at a moment, with the first use (once), or it is over already."""

    until: datetime | None
    once: bool
    over: bool


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Numbers(Protocol):
    """Who knows how many keys there are (the vault)."""

    def max_key(self) -> int: ...


class Permits:
    """Bitmaps by name, made from MASK when it changes and from the block list at once."""

    def __init__(self, lake: Lake, vault: Numbers, con: Connection) -> None:
        self.lake, self.vault, self.con = lake, vault, con
        self._made: dict[tuple[str, str], tuple[object, BitMap]] = {}
        self.blocked_keys, self.blocked_persons = BitMap(), BitMap()
        self._restricted: list[tuple[int, frozenset[str]]] = []
        self._objected: list[tuple[int, str]] = []
        self._endings: list[tuple[int, str, datetime | None, bool]] = []
        self._lapsing: tuple[object, list[tuple[int, str, datetime]]] = (None, [])
        self._spreads: dict[tuple[frozenset[int], int | None, Unit], BitMap] = {}
        self.epoch = 0
        self._erased: list[tuple[int, Erased]] = []
        self.reload()

    def reload(self) -> None:
        """Reads the block list anew: those whose erasure is under way, who are restricted, who objected."""
        keys: set[int] = set()
        persons: set[int] = set()
        for who in self.lake.state.items("blocked").values():
            keys |= set(who["keys"])
            persons |= set(who["persons"])
        self.blocked_keys, self.blocked_persons = BitMap(keys), BitMap(persons)
        restricted, objected = (self.lake.state.items(s).values() for s in (RESTRICTED, OBJECTED))
        self._restricted = [(int(w["key"]), frozenset(w["spared"])) for w in restricted]
        self._objected = [(int(w["key"]), str(w["purpose"])) for w in objected]
        endings = self.lake.state.items(ENDING).values()
        self._endings = [(int(e["key"]), str(e["purpose"]), _moment(e["until"]), e["over"] is not None) for e in endings]
        self.epoch += 1

    def restrict(self, request: int, key: int, spared: Sequence[str]) -> None:
        """From the next read on, all data of a key's person is stored and not used, but for the purposes that are spared."""
        self.lake.state.put(RESTRICTED, str(request), {"key": key, "spared": list(spared)})
        self.reload()

    def close_to(self, request: int, key: int, purpose: str) -> None:
        """From the next read on, data of a key's person is not used for a purpose, whatever a source says later."""
        self.lake.state.put(OBJECTED, str(request), {"key": key, "purpose": purpose})
        self.reload()

    def release(self, request: int) -> None:
        """Ends a restriction or an objection."""
        for space in (RESTRICTED, OBJECTED):
            self.lake.state.drop(space, str(request))
        self.reload()

    def drop(self, keys: Collection[int]) -> None:
        """Ends what erased people had asked for: there is nothing left to hold back."""
        self.reopen([(k, to) for k, to, _, _ in self._endings if k in keys])
        for space in (RESTRICTED, OBJECTED):
            for request, fact in self.lake.state.items(space).items():
                if fact["key"] in keys:
                    self.release(int(request))

    def barred(self, purpose: Purpose) -> frozenset[int]:
        """A key of each person who is restricted for a purpose, objected to it, or whose consent to it is over."""
        open_anyway = purpose.basis in SPARED_BASES
        restricted = {k for k, spared in self._restricted if not (open_anyway or purpose.name in spared)}
        return frozenset(restricted | {k for k, to in self._objected if to == purpose.name} | self._over(purpose))

    def used(self, purpose: Purpose, keys: Collection[int] | None = None) -> None:
        """A use for a purpose has held whoever allows it (keys: one person, who has these): consents to one use alone are
        over, from the next read on."""
        once = [
            k for k, to, until, over in self._endings
            if to == purpose.name and until is None and not over and (keys is None or k in keys)
        ]  # fmt: skip
        if once:
            self.end({(k, purpose.name): None for k in once}, over=True)

    def end(self, endings: Mapping[tuple[int, str], datetime | None], *, over: bool = False) -> None:
        """Sets until when the persons of keys allow purposes (None: one use). over: it is so now, until a new yes."""
        since = self.lake.clock().astimezone(UTC).isoformat() if over else None
        facts = {
            f"{key}:{to}": {"key": key, "purpose": to, "until": until.isoformat() if until else None, "over": since}
            for (key, to), until in endings.items()
        }
        self.lake.state.put_many(ENDING, facts)
        self.reload()

    def reopen(self, endings: Iterable[tuple[int, str]]) -> None:
        """Forgets ends: she has said yes anew."""
        for key, to in endings:
            self.lake.state.drop(ENDING, f"{key}:{to}")
        self.reload()

    def endings(self, keys: Collection[int]) -> dict[str, Ending]:
        """By purpose, how the consent ends of whoever has these keys, as far as an end was set beside the answer."""
        now, mine = self.lake.clock().astimezone(UTC), [e for e in self._endings if e[0] in keys]
        return {
            purpose: Ending(
                until=min((until for _, to, until, _ in mine if to == purpose and until), default=None),
                once=any(to == purpose and until is None for _, to, until, _ in mine),
                over=any(to == purpose and (over or (until and until <= now)) for _, to, until, over in mine),
            )
            for purpose in {to for _, to, _, _ in mine}
        }

    def to_come(self) -> dict[str, list[datetime | None]]:
        """By purpose, the ends that were set beside answers and are still to come, soonest first; None: with the first use."""
        now, found = self.lake.clock().astimezone(UTC), dict[str, list[datetime | None]]()
        for _, purpose, until, over in self._endings:
            if not over and (until is None or until > now):
                found.setdefault(purpose, []).append(until)
        return {p: sorted(ends, key=lambda end: (end is None, end)) for p, ends in sorted(found.items())}

    def _over(self, purpose: Purpose) -> set[int]:
        """The keys of consents that are over: by their own end, or by the end that came with the answer."""
        if not purpose.needs_consent:
            return set()
        now = self.lake.clock().astimezone(UTC)
        ended = {k for k, to, until, over in self._endings if to == purpose.name and (over or (until and until <= now))}
        return ended | {k for k, to, until in self._lapses() if to == purpose.name and until <= now}

    def _lapses(self) -> list[tuple[int, str, datetime]]:
        """Answers whose end was still to come when MASK was made. A later yes of hers without an end counts from the next
        turn on: until then the end holds."""
        facts = self.lake.state.get("runs", "consent", {}).get("facts", {})
        if facts.get("ends") is None:
            return []
        at = (facts["at"], *self._versions())
        if self._lapsing[0] != at:
            since = f"TIMESTAMPTZ {literal(facts['at'])}"
            found = self.con.execute(
                f"""SELECT DISTINCT key_id, purpose, epoch_us(until) FROM {self.lake.relation(CONSENTS.name)}
                    WHERE state = 'given' AND until > {since} AND occurred_at <= {since}"""
            ).fetchall()
            told = [(int(k), str(to), _EPOCH + timedelta(microseconds=us)) for k, to, us in found]
            self._lapsing = (at, told)
        return self._lapsing[1]

    def objections(self) -> list[tuple[int, str]]:
        """Of each objection the key and the purpose."""
        return list(self._objected)

    def bars(self, purpose: Purpose, unit: Unit) -> BitMap:
        """All keys, or the persons, of those who are `barred`: with every identifier that is hers by now."""
        keys = self.barred(purpose)
        if not keys:
            return BitMap()
        at = (keys, self.lake.version(MEMBERSHIP.name), unit)
        if at not in self._spreads:
            members, listed = self.lake.relation(MEMBERSHIP.name), ", ".join(map(str, sorted(keys)))
            column = "key_id" if unit == "key" else "person_id"
            query = f"""SELECT {column} FROM {members} WHERE person_id IN
                        (SELECT person_id FROM {members} WHERE key_id IN ({listed}))"""
            found = {int(i) for (i,) in self.con.execute(query).fetchall()}
            self._spreads = {k: v for k, v in self._spreads.items() if k[1] == at[1]}
            self._spreads[at] = BitMap(found | (keys if unit == "key" else set()))
        return self._spreads[at]

    def block(self, name: str, who: Erased) -> None:
        """All reads forget these people at once."""
        facts = {"keys": sorted(who.keys), "persons": sorted(who.persons), "records": sorted(who.records)}
        self.lake.state.put("blocked", name, facts)
        self.reload()
        self._erased.append((self.epoch, who))

    def erased_since(self, epoch: int) -> Erased | None:
        """Whoever was erased after that epoch, even if she is swept by now; None if nobody was."""
        since = [who for at, who in self._erased if at > epoch]
        if not since:
            return None
        none: frozenset[int] = frozenset()
        return Erased(
            keys=none.union(*(w.keys for w in since)),
            persons=none.union(*(w.persons for w in since)),
            records=none.union(*(w.records for w in since)),
        )

    def cut(self, purpose: Purpose, upkeep: bool = False) -> str:
        """A word that changes whenever what a purpose may use changes: part of each step's run key."""
        answers = self.lake.version(MASK.name) if purpose.needs_consent else ""
        barred = "" if upkeep or not (keys := self.barred(purpose)) else f":{zlib.crc32(BitMap(keys).serialize())}"
        return f"{zlib.crc32(self.blocked_keys.serialize())}:{answers}{barred}"

    def name(self, purpose: Purpose, unit: Unit, upkeep: bool = False) -> str | None:
        """The name of the bitmap that rows must pass; None where everybody may be used.

        upkeep: for the house's own bookkeeping, which goes on under a restriction (see lake.step.Step).
        """
        blocked = self.blocked_keys if unit == "key" else self.blocked_persons
        if purpose.needs_consent or (not upkeep and self.barred(purpose)):
            return f"allow_{unit}_{purpose.name}"
        return f"allow_{unit}_{ANYBODY}" if blocked else None

    def ids(self, purpose: Purpose, unit: Unit, upkeep: bool = False) -> BitMap:
        """The keys or persons that the purpose allows now."""
        kind = purpose.name if purpose.needs_consent else ANYBODY
        stamp = (*self._versions(), self._top(unit))
        made = self._made.get((kind, unit))
        if made is None or made[0] != stamp:
            made = (stamp, self._read(purpose, unit))
            self._made[(kind, unit)] = made
        held_back = BitMap() if upkeep else self.bars(purpose, unit)
        return made[1] - (self.blocked_keys if unit == "key" else self.blocked_persons) - held_back

    def answered(self, purpose: Purpose) -> BitMap:
        """The keys of everybody who has ever answered to a purpose, whatever she said."""
        if self.lake.version(CONSENTS.name) is None:
            return BitMap()
        members = self.lake.relation(MEMBERSHIP.name)
        found = self.con.execute(
            f"""SELECT key_id FROM {members} WHERE person_id IN (SELECT m.person_id FROM {self.lake.relation(CONSENTS.name)} c
                JOIN {members} m ON m.key_id = c.key_id WHERE c.purpose = $1 AND c.state <> 'requested')""", [purpose.name]
        ).fetchnumpy()["key_id"]  # fmt: skip
        return BitMap(found.astype(np.uint32))

    def load(self, con: Connection, purpose: Purpose, unit: Unit, upkeep: bool = False) -> None:
        """Gives a connection the bitmap that `name` names."""
        bits = self.name(purpose, unit, upkeep)
        if bits is None:
            return
        ids = np.frombuffer(self.ids(purpose, unit, upkeep).to_array(), dtype=np.uint32)
        allowed = np.zeros(self._top(unit) // 8 * 8 + 8, dtype=bool)
        allowed[ids[ids < len(allowed)]] = True
        con.execute(f"SET VARIABLE {bits} = (SELECT ?::BLOB::BIT)", [np.packbits(allowed).tobytes()])

    def stamp(self, purpose: Purpose, unit: Unit) -> tuple[object, ...]:
        """Changes whenever the loaded bitmap has to."""
        return (self.cut(purpose), *self._versions(), self._top(unit), self.epoch)

    def _versions(self) -> tuple[int | None, ...]:
        return tuple(self.lake.version(t.name) for t in (MASK, MEMBERSHIP, CONSENTS))

    def _top(self, unit: Unit) -> int:
        if unit == "key":
            return self.vault.max_key() + 1
        return int(self.lake.state.get("counter", "person", 1)) + 1

    def _read(self, purpose: Purpose, unit: Unit) -> BitMap:
        column = "key_id" if unit == "key" else "person_id"
        if not purpose.needs_consent:
            return BitMap(range(1, self._top(unit) + 1))
        found = self.con.execute(
            f"SELECT {column} FROM {self.lake.relation(MASK.name)} WHERE mask & {1 << purpose.bit} <> 0"
        ).fetchnumpy()[column]
        # A bit for each, for the engine does not sort, and numpy's own `unique` takes a second and a half for 4.5 M keys.
        bits = np.zeros(int(found.max()) + 1 if len(found) else 0, dtype=bool)
        bits[found] = True
        if self._behind():
            no = self._unsaid(purpose, column)
            bits[no[no < len(bits)]] = False
            yes = self._said_here(purpose, column)
            bits = np.concatenate([bits, np.zeros(max(0, int(yes.max(initial=0)) + 1 - len(bits)), dtype=bool)])
            bits[yes] = True
        return BitMap(np.flatnonzero(bits).astype(np.uint32))

    def _behind(self) -> bool:
        """Whether answers have landed that MASK does not know yet."""
        return self.lake.version(CONSENTS.name) is not None and self._known() < int(self.lake.state.get("landed", "last", 0))

    def _known(self) -> int:
        """The newest batch whose answers are in MASK, as the consent step notes it."""
        return int(self.lake.state.get("runs", "consent", {}).get("batch", 0))

    def _unsaid(self, purpose: Purpose, column: str) -> Ids:
        """The keys or persons who have said no to a purpose since MASK was made: a no holds from the next read on, a yes
        from the next turn. A no that a source merely repeats holds them back until that turn."""
        members, consents = self.lake.relation(MEMBERSHIP.name), self.lake.relation(CONSENTS.name)
        query = f"""
            WITH no AS (SELECT DISTINCT key_id FROM {consents} WHERE batch > {self._known()}
                        AND purpose = {literal(purpose.name)} AND state NOT IN ('given', 'requested')),
            hers AS (SELECT DISTINCT person_id FROM {members} WHERE key_id IN (SELECT key_id FROM no))
            SELECT key_id, person_id FROM {members} WHERE person_id IN (SELECT person_id FROM hers)"""
        found: Ids = self.con.execute(query).fetchnumpy()[column]
        return found

    def _said_here(self, purpose: Purpose, column: str) -> Ids:
        """The keys or persons who have said yes at their own door since MASK was made, later than any no of theirs anywhere:
        at that door a yes holds from the next read on, too."""
        members, consents = self.lake.relation(MEMBERSHIP.name), self.lake.relation(CONSENTS.name)
        here = f"c.state = 'given' AND c.source = {literal(DOOR)} AND c.batch > {self._known()}"
        query = f"""
            WITH said AS (SELECT m.person_id, max(c.occurred_at) FILTER (WHERE {here}) AS yes,
                                 max(c.occurred_at) FILTER (WHERE c.state NOT IN ('given', 'requested')) AS no
                          FROM {consents} c JOIN {members} m ON m.key_id = c.key_id
                          WHERE c.purpose = {literal(purpose.name)} GROUP BY m.person_id)
            SELECT key_id, person_id FROM {members}
            WHERE person_id IN (SELECT person_id FROM said WHERE yes IS NOT NULL AND (no IS NULL OR no < yes))"""
        found: Ids = self.con.execute(query).fetchnumpy()[column]
        return found


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
