"""The words of the contract: its functions by name, arguments to bytes, bytes to answers; from the compiled Tessera.json."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from eth_abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils import is_address, to_checksum_address

from tessera.errors import BadChain
from tessera.trust.chain import tame

tame()
CONTRACT = Path(__file__).parent / "contract"

ERROR = bytes.fromhex("08c379a0")
"""The selector of Error(string), in which a contract says why it refused."""


class Words:
    """What can be said to the contract that this package ships, and what it says."""

    def __init__(self) -> None:
        document = json.loads((CONTRACT / "Tessera.json").read_text("utf-8"))
        self.bytecode = bytes.fromhex(document["bytecode"].removeprefix("0x"))
        self.runtime = bytes.fromhex(document["runtime"].removeprefix("0x"))
        self._selectors = {n: bytes.fromhex(s.removeprefix("0x")) for n, s in document["selectors"].items()}
        functions = [f for f in document["abi"] if f["type"] == "function"]
        self._takes = {f["name"]: [a["type"] for a in f["inputs"]] for f in functions}
        self._gives = {f["name"]: [a["type"] for a in f["outputs"]] for f in functions}

    def call(self, function: str, args: tuple[Any, ...]) -> bytes:
        """The data of a call. Raises BadChain if an argument is not of its type."""
        try:
            return self._selectors[function] + bytes(encode(self._takes[function], args))
        except EncodingError as wrong:
            raise BadChain(f"the contract's {function} does not take these arguments ({type(wrong).__name__}).") from None

    def answer(self, function: str, data: bytes) -> tuple[Any, ...]:
        """What an answer's bytes say. Raises BadChain if they are none, as where there is no contract."""
        try:
            return tuple(decode(self._gives[function], data))
        except DecodingError:
            raise BadChain("at this address no Tessera contract answers.") from None


@lru_cache(maxsize=1)
def words() -> Words:
    """The contract's words, read once."""
    return Words()


def refusal(data: bytes) -> str:
    """The contract's reason in what it returned when it refused."""
    try:
        return str(decode(["string"], data[4:])[0]) if data[:4] == ERROR else "it gave no reason"
    except DecodingError:
        return "it gave no reason"


def checksummed(address: bytes | str) -> str:
    """An address with its checksum. Raises BadChain if it is none."""
    if not is_address(address):
        raise BadChain("the contract's address is none: expected 0x and 40 hexadecimal digits.")
    return str(to_checksum_address(address))
