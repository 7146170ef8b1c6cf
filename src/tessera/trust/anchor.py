"""Anchoring: the ledger's heads, and what people agreed to, on a chain; what for others to call: `commit` and `burned`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import msgspec

from tessera.config import ChainConfig, Config, Purpose
from tessera.envtext import filled
from tessera.errors import BadChain, BadInput, NotConsented
from tessera.lake.state import State
from tessera.trust.anchored import AnchoredHead, Compared, compared, heads_on
from tessera.trust.chain import Chain, Kind, Sent, embedded, ethereum
from tessera.trust.chain_waiting import Waiting
from tessera.trust.commitments import ConsentTree, Hidden, Opening, Terms, Under, committed, leaf
from tessera.trust.ledger import Ledger
from tessera.trust.permits import Permits
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault
from tessera.words import Clock, Erased, Proof

Yes = tuple[int, int, int]
"""A yes that holds: the bit of its purpose, the least key of the person, its end (seconds since 1970, 0: none)."""

EMBEDDED = "embedded"
"""The state's fact that the embedded chain was begun, though tessera.yaml names none."""

ANCHORS, OWN = "anchors", "commitments"
"""Spaces of the state: heads that are anchored; commitments that people asked for, each with the key it is about."""


class Anchored(msgspec.Struct, frozen=True, kw_only=True):
    """What one anchoring did. head: the newest on the chain; fresh: whether it is new. consents: how many lie under a new
    root, None if there is none. granted, revoked, burned: how many of those that waited went. gas: of all transactions."""

    head: AnchoredHead | None
    fresh: bool
    consents: int | None
    granted: int
    revoked: int
    burned: int
    gas: int


class Place(msgspec.Struct, frozen=True):
    """Which contract on which chain."""

    kind: Kind
    chain: int
    contract: str


class Anchors:
    """What the ledger of an open workspace has on a chain. With `name` and `forget` it is one of the stores that forget."""

    name = "commitments"

    def __init__(
        self, config: Config, state: State, secrets: Secrets, vault: Vault, ledger: Ledger, permits: Permits, clock: Clock
    ) -> None:
        self.config, self.state, self.vault, self.ledger = config, state, vault, ledger
        self.permits, self.clock, self._secrets = permits, clock, secrets
        self._master = secrets.derive("commitments")
        self.folder = config.var / "chain"
        self.tree = ConsentTree(self.folder / "consents.bin")
        self.waiting = Waiting(state, clock)
        self._open: Chain | None = None

    # heads

    @property
    def asked(self) -> ChainConfig | None:
        """The chain that tessera.yaml names; without one the embedded chain, once `begin` was called; else None."""
        if self.config.chain is not None or not self.state.get("anchor", EMBEDDED):
            return self.config.chain
        return ChainConfig(kind="embedded")

    def begin(self) -> None:
        """From now on the embedded chain is in use, unless tessera.yaml names one. Raises BadChain without its packages."""
        if self.asked is None:
            self._open = self._embedded()
            self.state.put("anchor", EMBEDDED, True)

    def due(self) -> bool:
        """Whether a chain is in use and the last anchor is older than every_hours."""
        return self._older(1, never=True)

    def overdue(self) -> bool:
        """Whether there was an anchor once, and two have been left out since."""
        return self._older(2, never=False)

    def _older(self, times: int, *, never: bool) -> bool:
        if (asked := self.asked) is None:
            return False
        last, every = self.state.get("anchor", "last"), timedelta(hours=asked.every_hours)
        return never if last is None else self._now() - datetime.fromisoformat(last) >= times * every

    def chain(self) -> Chain:
        """The chain in use, opened once. Raises BadChain if there is none, or it cannot be used."""
        if self._open is None:
            self._open = self._opened()
        return self._open

    def now(self, standing: Callable[[], Iterable[Yes]] | None = None) -> Anchored:
        """Sends what waits, the root over all consents that hold (standing tells them, sorted by key), and the ledger's
        head. Raises BadChain: what went by then is kept, the rest goes with the next call."""
        chain = self.chain()
        newest = self._caught_up(chain)
        self._expired()
        self._withdrawn()
        went = self.waiting.send(chain)
        many, rooted = self._consents(chain, standing()) if standing else (None, None)
        head = self.ledger.seal_head()
        fresh = head.size > (newest.size if newest else 0)
        sent = chain.send("anchor", head.size, bytes.fromhex(head.root)) if fresh else None
        if sent:
            newest = self._caught_up(chain, sent)
        self.state.put("anchor", "last", self._now().isoformat())
        gas = went["gas"] + sum(s.gas for s in (rooted, sent) if s)
        return Anchored(
            head=newest, fresh=fresh, consents=many, granted=went["grant"], revoked=went["revoke"], burned=went["burn"], gas=gas
        )

    def heads(self) -> list[AnchoredHead]:
        """The heads that are known to be on the contract in use, oldest first; asks no chain."""
        contract = self.state.get("anchor", "contract", "")
        found = self.state.items(ANCHORS).items()
        return [msgspec.convert(h, AnchoredHead) for name, h in found if name.startswith(f"{contract}:")]

    def over(self, entry: int) -> AnchoredHead | None:
        """The oldest anchored head that holds a ledger entry, if any does; asks no chain."""
        return next((head for head in self.heads() if head.size > entry), None)

    def check(self) -> Compared:
        """Compares every head on the chain with the ledger's own, and their number with those that we know of."""
        roots = {head.size: head.root for head in self.ledger.heads()}
        found = compared(self.chain(), roots, len(self.ledger))
        known = len(self.heads())
        if found.heads < known and not found.reason and self.state.get("anchor", "contract") == self.chain().contract:
            return msgspec.structs.replace(found, reason=_fewer(found.heads, known))
        return found

    def deploy(self) -> Sent:
        """Puts a new contract on the chain, for tessera.yaml to name; the embedded chain uses it at once."""
        self.begin()
        if self.config.chain is not None and self.config.chain.kind == "ethereum":
            self._open = self._opened(contract="")
        sent = self.chain().deploy()
        for fact in ("consents", "place"):
            self.state.drop("anchor", fact)
        return sent

    # people's own commitments

    def commit(self, keys: Sequence[int], purpose: Purpose, until: datetime | None = None) -> Opening:
        """Notes a commitment of her own for a person who agrees to a purpose, to be granted with the next anchor.

        keys: all keys of hers. until: when it expires by the block's time; None: when she says so. Returns its opening,
        which is for her alone. Raises NotConsented if she does not agree now, BadInput if `until` is over, BadChain.
        """
        place, key = self._place(), min(keys)
        if key not in self.permits.ids(purpose, "key"):
            raise NotConsented(purpose.name)
        expiry = int(until.timestamp()) if until else 0
        if until and until <= self._now():
            raise BadInput(f"{until.isoformat()} is over; a commitment ends in the future.")
        opening = self._opening(place, key, purpose, expiry, self.state.next("commitment"))
        made = bytes.fromhex(opening.commitment)
        self.vault.flush()
        with self.state.together():
            self.state.put(OWN, made.hex(), {"key": key, "purpose": purpose.name, "until": expiry})
            self.waiting.add("grant", made, expiry)
        return opening

    def under(self, keys: Sequence[int], purpose: Purpose, until: int) -> Opening:
        """The opening of a person's consent under the newest anchored root. until: as it stands (seconds, 0: no end).

        Raises NotConsented if it is not under that root, BadChain if there is no such root yet.
        """
        place, key = self._place(), min(keys)
        opening = self._opening(place, key, purpose, until, 0)
        anchored = self.state.get("anchor", "consents")
        if anchored is None or anchored["contract"] != place.contract:
            raise BadChain("no root over consents is anchored yet. Try: tessera anchor now")
        found = self.tree.find(leaf(bytes.fromhex(opening.commitment), until))
        if found is None or found.root.hex() != anchored["root"]:
            raise BadChain("her consent is not under the newest anchored root: it is younger. Try: tessera anchor now")
        path = tuple(h.hex() for h in found.path)
        under = Under(number=anchored["number"], index=found.place, size=found.size, path=path)
        return msgspec.structs.replace(opening, under=under)

    def burned(self, root: bytes, size: int) -> None:
        """Notes, for the next anchor, that what lies under a root was destroyed: `size` leaves (1: a commitment itself).

        root: 32 bytes, an RFC 9162 root over salted hashes, or a commitment that was used up. Durable when it returns; where
        no chain is in use, nothing is noted.
        """
        if len(root) != 32 or size < 1:
            raise BadInput(f"A burning has a root of 32 bytes and a size from 1, not {len(root)} bytes and {size}.")
        if self.asked is not None:
            self.waiting.add("burn", root, size)

    def forget(self, who: Erased) -> Proof:
        """Ends the commitments of erased people, and forgets whose they were: the salt has gone from the vault already."""
        hers = {made: fact for made, fact in self.state.items(OWN).items() if fact["key"] in who.keys}
        self._end(hers)
        if hers:
            self.state.scour()
        return Proof(store=self.name, removed=len(hers), complete=True)

    def close(self) -> None:
        """Lets the chain go."""
        if self._open is not None:
            self._open.close()
            self._open = None

    # parts

    def _withdrawn(self) -> None:
        """Ends the commitments whose people do not agree any more."""
        own = self.state.items(OWN)
        allowed = {
            name: self.permits.ids(self.config.purposes[name], "key")
            for name in {fact["purpose"] for fact in own.values()} & set(self.config.purposes)
        }
        self._end(m for m, f in own.items() if f["key"] not in allowed.get(f["purpose"], ()))

    def _expired(self) -> None:
        """Forgets the commitments that the block's time has ended."""
        now = int(self._now().timestamp())
        for made, fact in self.state.items(OWN).items():
            if 0 < fact["until"] <= now:
                self.state.drop(OWN, made)

    def _end(self, some: Iterable[str]) -> None:
        with self.state.together():
            for made in some:
                self.waiting.add("revoke", bytes.fromhex(made))
                self.state.drop(OWN, made)

    def _consents(self, chain: Chain, standing: Iterable[Yes]) -> tuple[int | None, Sent | None]:
        """Anchors the root over all consents that hold, if it is another than the newest on this contract."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        size, root = self.tree.write(self._leaves(standing))
        before = self.state.get("anchor", "consents")
        if before and (before["root"], before["contract"]) == (root.hex(), chain.contract):
            return None, None
        (number,) = chain.ask("consent_count")
        sent = None
        if not number or chain.ask("consents", number - 1)[1] != root:
            sent, number = chain.send("consent", size, root), number + 1
        fact = {"number": number - 1, "root": root.hex(), "size": size, "contract": chain.contract}
        self.state.put("anchor", "consents", fact)
        return size, sent

    def _leaves(self, standing: Iterable[Yes]) -> Iterable[bytes]:
        """The leaf of each yes; of an erased person's there is none."""
        purposes = {1 << p.bit: (p.name, Terms.of(p).digest()) for p in self.config.purposes.values()}
        hers = {key: [(bit, end) for bit, _, end in yes] for key, yes in groupby(standing, key=lambda y: y[1])}
        for key, salt in self.vault.salts(sorted(hers)):
            hidden = Hidden(self._master, salt)
            for bit, end in hers[key]:
                name, terms = purposes[bit]
                yield leaf(committed(hidden.salt(name, terms, end), hidden.token, name, terms, end), end)
        self.vault.flush()

    def _place(self) -> Place:
        """The contract in use: as the last anchor had it, if tessera.yaml still means that one; else the chain is asked."""
        asked, known = self.asked, self.state.get("anchor", "place")
        if asked is not None and known is not None:
            place = msgspec.convert(known, Place)
            if place.kind == asked.kind and asked.contract.lower() in ("", place.contract.lower()):
                return place
        chain = self.chain()
        return Place(chain.kind, chain.number, chain.contract)

    def _opening(self, place: Place, key: int, purpose: Purpose, expiry: int, serial: int) -> Opening:
        terms = Terms.of(purpose)
        ((_, salt),) = self.vault.salts([key])
        hidden = Hidden(self._master, salt)
        told, digest = hidden.salt(purpose.name, terms.digest(), expiry, serial), terms.digest()
        made = committed(told, hidden.token, purpose.name, digest, expiry)
        return Opening(
            commitment=made.hex(), salt=told.hex(), token=hidden.token.hex(), terms=terms, expiry=expiry, kind=place.kind,
            chain=place.chain, contract=place.contract,
        )

    def _caught_up(self, chain: Chain, sent: Sent | None = None) -> AnchoredHead | None:
        """Notes the heads on the chain that we do not know yet, of which `sent` made the last; returns the newest.

        Raises BadChain if the newest is no head of this ledger: then nothing is added to another log's anchors.
        """
        place = msgspec.to_builtins(Place(chain.kind, chain.number, chain.contract))
        self.state.put_many("anchor", {"contract": chain.contract, "place": place})
        known, (count,) = self.heads(), chain.ask("count")
        if count < len(known):
            raise BadChain(f"{_fewer(count, len(known))}. Put it back; or begin with a new contract: tessera anchor deploy")
        fresh = list(heads_on(chain, len(known)))
        if sent and fresh:
            fresh[-1] = msgspec.structs.replace(fresh[-1], transaction=sent.transaction, block=sent.block, gas=sent.gas)
        newest = (known + fresh)[-1] if known or fresh else None
        if newest is not None and (newest.size > len(self.ledger) or self.ledger.root_of(newest.size) != newest.root):
            raise BadChain(
                f"anchor {newest.number} on contract {chain.contract} holds {newest.size} entries of another log. This ledger "
                "was set back, or the contract is another's. See docs/contract.md; for a new one: tessera anchor deploy"
            )
        facts = {f"{chain.contract}:{head.number:08d}": msgspec.to_builtins(head) for head in fresh}
        self.state.put_many(ANCHORS, facts)
        return newest

    def _opened(self, contract: str | None = None) -> Chain:
        asked = self.asked
        if asked is None:
            raise BadChain("none is in use. Begin with the embedded one (tessera anchor now), or name a node in tessera.yaml.")
        if asked.kind == "embedded":
            return self._embedded()
        key = filled(asked.key, os.environ) if asked.key else None
        return ethereum(filled(asked.url, os.environ), asked.contract if contract is None else contract, key)

    def _embedded(self) -> Chain:
        return embedded(self.folder, self._secrets.derive("chain-key"), self.clock)

    def _now(self) -> datetime:
        return self.clock().astimezone(UTC)


def _fewer(there: int, known: int) -> str:
    return f"the chain has {there} anchors where {known} were made: it was set back, or is another"
