"""A chain of our own: an Ethereum machine (py-evm) in this process, with its blocks and state in one SQLite file.

Blocks, transactions and gas are those of Ethereum's Shanghai rules; there is one account, derived from the master key,
and a block is one transaction. A block is committed to the file, on the disk, before its transaction counts as sent; a
kill leaves the chain at the block before. Who has the file can write another: it proves nothing to people outside.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from eth.chains.base import MiningChain
from eth.exceptions import PyEVMError
from eth.vm.forks.shanghai import ShanghaiVM
from eth.vm.spoof import SpoofTransaction
from eth_keys import keys
from eth_utils import ValidationError

from tessera.errors import BadChain
from tessera.trust.chain import Kind, Sent, tame
from tessera.trust.chain_pages import Pages
from tessera.trust.chain_words import checksummed, refusal, words
from tessera.words import Clock

tame()
FILE = "chain.db"
CHAIN_ID = 1337
"""The id that test chains commonly have: nobody takes this one for a public chain."""

BLOCK_GAS = 30_000_000
_RICH = 10**40
"""What the account has from the start, so that gas is counted and never runs out."""

_Blocks = MiningChain.configure("Embedded", vm_configuration=((0, ShanghaiVM),), chain_id=CHAIN_ID)


class Embedded:
    """The embedded chain in a folder, with the contract deployed; made if it is not there. Safe between threads."""

    kind: Kind = "embedded"
    number = CHAIN_ID

    def __init__(self, folder: Path, key: bytes, clock: Clock) -> None:
        """key: 32 secret bytes, always the same. clock: aware times. Raises BadChain: another key, a file that is damaged."""
        self._lock, self._clock = RLock(), clock
        self._key = keys.PrivateKey(key)
        self._account = self._key.public_key.to_canonical_address()
        self.path = folder / FILE
        self.contract = ""
        with self._told():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._pages = Pages(self.path)
            try:
                self._open()
            except BaseException:
                self._pages.close()
                raise

    def _open(self) -> None:
        owner = self._pages.fact("owner")
        if owner is None:
            with self._pages.together():
                self._chain = _genesis(self._pages, self._account, self._now())
                self._pages.note("owner", self._account)
                self._deploy()
        elif owner != self._account:
            raise BadChain("the embedded chain in var/chain belongs to another master key. Move it away to begin a new one.")
        else:
            self._as_it_is()

    def ask(self, function: str, *args: Any) -> tuple[Any, ...]:
        """What a view answers, with the clock's time as the block's."""
        with self._lock, self._told():
            return words().answer(function, self._run(words().call(function, args)))

    def gas(self, function: str, *args: Any) -> int:
        """What gas a view would take as a transaction, refunds left out; for measuring."""
        with self._lock:
            free, computation = self._tried(words().call(function, args))
            return int(free.intrinsic_gas + computation.get_gas_used())

    def send(self, function: str, *args: Any) -> Sent:
        """Calls a function in a block of its own, unless the contract refuses: then there is no block."""
        data = words().call(function, args)
        with self._lock, self._told():
            self._run(data)
            with self._pages.together(self._as_it_is):
                return self._mined(self._to, data)[0]

    def deploy(self) -> Sent:
        """A new contract; the one before stays on the chain, and nobody asks it any more."""
        with self._lock, self._told(), self._pages.together(self._as_it_is):
            return self._deploy()

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._pages.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What file or machine cannot do, as BadChain."""
        try:
            yield
        except (sqlite3.Error, OSError) as no:
            mend = "Look at the disk; or restore var/chain from a backup, or move it away to begin a new chain"
            raise BadChain(f"{self.path} does not work ({type(no).__name__}). {mend}.") from None
        except (ValidationError, PyEVMError, KeyError, IndexError) as no:
            mend = "Restore var/chain from a backup, or move it away to begin a new chain"
            raise BadChain(f"{self.path} is damaged ({type(no).__name__}). {mend}.") from None

    @property
    def _to(self) -> bytes:
        return bytes.fromhex(self.contract.removeprefix("0x"))

    def _as_it_is(self) -> None:
        """The chain as the file has it; also after a write that failed."""
        self._chain = _Blocks(self._pages)
        self.contract = checksummed(self._pages.fact("contract") or b"")

    def _deploy(self) -> Sent:
        sent, computation = self._mined(b"", words().bytecode)
        address = computation.msg.storage_address
        self._pages.note("contract", address)
        self.contract = checksummed(address)
        return sent

    def _mined(self, to: bytes, data: bytes) -> tuple[Sent, Any]:
        """One transaction in a block; within `together`."""
        chain, header = self._chain, self._header()
        unsigned = chain.create_unsigned_transaction(
            nonce=chain.get_vm().state.get_nonce(self._account), gas_price=2 * header.base_fee_per_gas, gas=BLOCK_GAS,
            to=to, value=0, data=data,
        )  # fmt: skip
        signed = unsigned.as_signed_transaction(self._key, chain_id=CHAIN_ID)
        chain.header = header
        made, receipts, computations = chain.mine_all([signed])
        if computations[0].is_error:
            raise BadChain(f"the contract refused: {refusal(computations[0].output)}.")
        block = made.imported_block.header
        return Sent(
            transaction="0x" + signed.hash.hex(), block=block.block_number, at=block.timestamp, gas=receipts[0].gas_used
        ), computations[0]

    def _run(self, data: bytes) -> bytes:
        """What a call returns, without a trace on the chain. Raises BadChain with the contract's reason."""
        _, computation = self._tried(data)
        if computation.is_error:
            raise BadChain(f"the contract refused: {refusal(computation.output)}.")
        return bytes(computation.output)

    def _tried(self, data: bytes) -> tuple[Any, Any]:
        """A free transaction in a block that nobody keeps, and what came of it."""
        state = self._chain.get_vm(self._header().copy(base_fee_per_gas=0)).state
        unsigned = self._chain.create_unsigned_transaction(
            nonce=state.get_nonce(self._account), gas_price=0, gas=BLOCK_GAS, to=self._to, value=0, data=data
        )
        free = SpoofTransaction(unsigned, from_=self._account)
        return free, state.costless_execute_transaction(free)

    def _header(self) -> Any:
        """The next block's header, at the clock's time and after its parent's; its room for gas stays as it was."""
        header, parent = self._chain.header, self._chain.get_canonical_head()
        return header.copy(timestamp=max(parent.timestamp + 1, self._now()), gas_limit=BLOCK_GAS)

    def _now(self) -> int:
        return int(self._clock().timestamp())


def _genesis(pages: Pages, account: bytes, at: int) -> Any:
    """A new chain with one rich account."""
    params = {
        "difficulty": 0, "extra_data": b"", "gas_limit": BLOCK_GAS, "nonce": bytes(8), "mix_hash": bytes(32),
        "timestamp": at, "coinbase": bytes(20),
    }  # fmt: skip
    return _Blocks.from_genesis(pages, params, {account: {"balance": _RICH, "nonce": 0, "code": b"", "storage": {}}})
