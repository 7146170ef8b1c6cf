"""Heads of the ledger as a chain has them, and whether they are heads of our log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from tessera.trust.chain import Chain, Kind


class AnchoredHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head on a chain. number: from 0. root: hexadecimal. at: the block's time (seconds since 1970, UTC).

    transaction, block, gas: what is known of the transaction; empty and 0 where another process had sent it.
    """

    kind: Kind
    chain: int
    contract: str
    number: int
    size: int
    root: str
    at: int
    transaction: str = ""
    block: int = 0
    gas: int = 0


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Anchored heads beside a log. heads: how many there are. size: of the newest. reason: empty if all are of the log."""

    heads: int
    size: int
    reason: str


def head_on(chain: Chain, number: int) -> AnchoredHead:
    """One anchored head. Raises BadChain if there is none of that number."""
    size, root, at = chain.ask("head", number)
    return AnchoredHead(
        kind=chain.kind, chain=chain.number, contract=chain.contract, number=number, size=size, root=root.hex(), at=at
    )


def heads_on(chain: Chain, first: int = 0) -> Iterator[AnchoredHead]:
    """All anchored heads from a number on, oldest first."""
    (count,) = chain.ask("count")
    return (head_on(chain, number) for number in range(first, count))


def compared(chain: Chain, roots: Mapping[int, str], entries: int) -> Compared:
    """Whether each anchored head is a signed head of the log. roots: size -> root of its heads. entries: how many it has."""
    heads, size, reason = 0, 0, ""
    for head in heads_on(chain):
        heads, size = heads + 1, head.size
        if not reason and head.size > entries:
            reason = f"anchor {head.number} holds {head.size} entries, the log has {entries}: it was cut, or set back"
        elif not reason and roots.get(head.size) != head.root:
            reason = f"anchor {head.number} of {head.size} entries is not a head of this log: it is another log, or rewritten"
    return Compared(heads=heads, size=size, reason=reason)
