"""What the ledger asks of a chain, and the words of the contract on it (contract/Tessera.vy).

Two chains speak this protocol: an EVM of our own in a file (chain_embedded), and any node that speaks Ethereum's
JSON-RPC (chain_ethereum). Both are imported when a workspace uses them.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from tessera.errors import BadChain

CONTRACT = Path(__file__).parent / "contract"
MOST = 128
"""The most commitments that one transaction takes, as the contract has it."""

MISSING = "The parts that speak to a chain are not installed. Install them: pip install 'tessera-cdp[chain]'"

_ERROR = bytes.fromhex("08c379a0")
"""The selector of Error(string), in which a contract says why it refused."""


Kind = Literal["embedded", "ethereum"]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that is in a block: its hash, the block's number and time (seconds, UTC), and what gas it took."""

    transaction: str
    block: int
    at: int
    gas: int


class Chain(Protocol):
    """One contract on one chain. Every method raises BadChain if the chain is not reached, or says no."""

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


class Words:
    """The contract's functions by name: arguments to bytes, bytes to answers."""

    def __init__(self) -> None:
        document = json.loads((CONTRACT / "Tessera.json").read_text("utf-8"))
        self.bytecode = bytes.fromhex(document["bytecode"].removeprefix("0x"))
        self.runtime = bytes.fromhex(document["runtime"].removeprefix("0x"))
        self.compiler = str(document["compiler"])
        self._selectors = {n: bytes.fromhex(s.removeprefix("0x")) for n, s in document["selectors"].items()}
        functions = [f for f in document["abi"] if f["type"] == "function"]
        self._takes = {f["name"]: [a["type"] for a in f["inputs"]] for f in functions}
        self._gives = {f["name"]: [a["type"] for a in f["outputs"]] for f in functions}

    def call(self, function: str, args: tuple[Any, ...]) -> bytes:
        """The data of a call. Raises BadChain if an argument is not of its type."""
        from eth_abi import encode
        from eth_abi.exceptions import EncodingError

        try:
            return self._selectors[function] + bytes(encode(self._takes[function], args))
        except EncodingError as wrong:
            raise BadChain(f"the contract's {function} does not take these arguments ({type(wrong).__name__}).") from None

    def answer(self, function: str, data: bytes) -> tuple[Any, ...]:
        """What an answer's bytes say. Raises BadChain if they are none, as where there is no contract."""
        from eth_abi import decode
        from eth_abi.exceptions import DecodingError

        try:
            return tuple(decode(self._gives[function], data))
        except DecodingError:
            raise BadChain("at this address no Tessera contract answers.") from None

    def refusal(self, data: bytes) -> str:
        """The contract's reason in what it returned when it refused; a word for none."""
        from eth_abi import decode
        from eth_abi.exceptions import DecodingError

        try:
            return str(decode(["string"], data[4:])[0]) if data[:4] == _ERROR else "it gave no reason"
        except DecodingError:
            return "it gave no reason"


@lru_cache(maxsize=1)
def words() -> Words:
    """The contract that this package ships. Raises BadChain if the extra `chain` is not installed."""
    try:
        import eth_abi  # noqa: F401
    except ImportError:
        raise BadChain(MISSING) from None
    return Words()
