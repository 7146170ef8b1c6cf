"""What the ledger asks of a chain: a small protocol, and the two that speak it, opened here.

One is an EVM of our own in a file (chain_embedded), the other any node that speaks Ethereum's JSON-RPC (chain_ethereum).
Their packages are the extra `chain`, and are imported when a workspace uses them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from tessera.errors import BadChain
from tessera.words import Clock

MOST = 128
"""The most commitments that one transaction takes, as the contract has it."""

Kind = Literal["embedded", "ethereum"]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that is in a block: its hash, the block's number and time (seconds, UTC), and what gas it took."""

    transaction: str
    block: int
    at: int
    gas: int


class Chain(Protocol):
    """One contract (contract/Tessera.vy) on one chain. Every method raises BadChain if the chain is not reached, or says no."""

    kind: Kind
    number: int
    """The chain's id."""
    contract: str
    """The contract's address, with its checksum; empty before it was deployed."""

    def ask(self, function: str, *args: Any) -> tuple[Any, ...]:
        """What a view of the contract answers now."""

    def send(self, function: str, *args: Any) -> Sent:
        """Calls a function of the contract as its owner; returns when the transaction is in a block."""

    def deploy(self) -> Sent:
        """Puts a new contract on the chain, which is `contract` from then on."""

    def close(self) -> None: ...


def embedded(folder: Path, key: bytes, clock: Clock) -> Chain:
    """The embedded chain in a folder (see chain_embedded). Raises BadChain, also if the extra is not installed."""
    with _installed():
        from tessera.trust.chain_embedded import Embedded

    return Embedded(folder, key, clock)


def ethereum(url: str, contract: str = "", key: str | None = None) -> Chain:
    """A contract on a node's chain (see chain_ethereum). Raises BadChain, also if the extra is not installed."""
    with _installed():
        from tessera.trust.chain_ethereum import Ethereum

    return Ethereum(url, contract, key)


DEPTH = 1_000
"""How deep Python calls may nest, as Python itself has it."""


def tame() -> None:
    """Undoes what py-evm and py_ecc do on import: they let calls nest a hundred times as deep, and then a bomb of nested JSON
    (200,000 brackets in a row of a source) overflows the C stack and ends the process. Each module that imports them calls it.
    """
    sys.setrecursionlimit(min(sys.getrecursionlimit(), DEPTH))


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as gone:
        if (gone.name or "").startswith("tessera"):
            raise
        missing = f"the parts that speak to a chain are not installed ({gone.name} is missing)"
        raise BadChain(f"{missing}. Install them: pip install 'tessera-cdp[chain]'") from None
