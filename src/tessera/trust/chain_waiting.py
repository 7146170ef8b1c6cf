"""What waits for the chain: commitments to grant, to revoke and to burn, noted durably until they are in a block.

What went is looked up on the chain before it is sent again, so a kill between a block and our note of it sends nothing
twice. Names in this space are hashes; none is beside a key or a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from tessera.lake.state import State
from tessera.trust.chain import MOST, Chain, Sent
from tessera.words import Clock

SPACE = "chain"


class Waiting:
    """The queue of one workspace, in its state: (act, hash) -> number, which is an expiry or a size."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def add(self, act: str, what: bytes, number: int = 0) -> None:
        """Notes that it has to go. act: grant (number: expiry), revoke, or burn (number: size)."""
        self._state.put(SPACE, f"{act}:{what.hex()}", number)

    def of(self, act: str) -> dict[str, int]:
        """What waits, by hash."""
        return {
            name.partition(":")[2]: number
            for name, number in self._state.items(SPACE).items()
            if name.startswith(f"{act}:")
        }

    def send(self, chain: Chain) -> dict[str, int]:
        """Sends all that waits; returns how many went by act, and their gas. Raises BadChain: the rest stays.

        Revocations first: what is revoked is never granted any more, wherever a kill has fallen.
        """
        went = {"revoke": 0, "grant": 0, "burn": 0, "gas": 0}
        for some in self._some("revoke"):
            self._sent(went, "revoke", some, chain.send("revoke", [bytes.fromhex(h) for h in some]))
        now = int(self._clock().timestamp())
        for some in self._some("grant"):
            fresh = {h: end for h, end in some.items() if (not end or end > now) and not chain.ask("held", bytes.fromhex(h))[0]}
            sent = chain.send("grant", [bytes.fromhex(h) for h in fresh], list(fresh.values())) if fresh else None
            self._sent(went, "grant", some, sent, len(fresh))
        for root, size in self.of("burn").items():
            there = chain.ask("burned", bytes.fromhex(root))[0]
            sent = None if there else chain.send("burn", bytes.fromhex(root), size)
            self._sent(went, "burn", {root: size}, sent, 0 if there else 1)
        return went

    def _some(self, act: str) -> Iterator[dict[str, int]]:
        """What waits, so many at a time as a transaction takes."""
        waiting = iter(self.of(act).items())
        while some := dict(islice(waiting, MOST)):
            yield some

    def _sent(self, went: dict[str, int], act: str, some: dict[str, int], sent: Sent | None, many: int | None = None) -> None:
        went[act] += len(some) if many is None else many
        went["gas"] += sent.gas if sent else 0
        with self._state.together():
            for name in some:
                self._state.drop(SPACE, f"{act}:{name}")
