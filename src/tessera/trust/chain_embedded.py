"""A chain of our own: an Ethereum machine (py-evm) in this process, with its blocks and state in one SQLite file.

Blocks, transactions and gas are those of Ethereum's Shanghai rules; there is one account, derived from the master key,
and a block is one transaction. A block is committed to the file, on the disk, before its transaction counts as sent; a
kill leaves the chain at the block before. Who has the file can write another: it proves nothing to people outside.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Any

from tessera.errors import BadChain
from tessera.trust.chain import MISSING, Kind, Sent, words
from tessera.words import Clock

FILE = "chain.db"
CHAIN_ID = 1337
"""The id that test chains commonly have: nobody takes this one for a public chain."""

BLOCK_GAS = 30_000_000
_RICH = 10**40
"""What the account has from the start, so that gas is counted and never runs out."""


class Embedded:
    """The embedded chain in a folder, with the contract deployed; made if it is not there. Safe between threads."""

    kind: Kind = "embedded"
    number = CHAIN_ID

    def __init__(self, folder: Path, key: bytes, clock: Clock) -> None:
        """key: 32 secret bytes, always the same. clock: aware times. BadChain: not installed, another key, damaged."""
        try:
            self._parts = _parts()
        except ImportError:
            raise BadChain(MISSING) from None
        self._lock, self._clock = RLock(), clock
        self._key = self._parts.keys.PrivateKey(key)
        self._account = self._key.public_key.to_canonical_address()
        self.path = folder / FILE
        self.contract = ""
        with self._told():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = self._parts.pages(self.path)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        owner = self._db.fact("owner")
        if owner is None:
            with self._db.together():
                self._chain = self._parts.genesis(self._db, self._account, self._now())
                self._db.note("owner", self._account)
                self._deploy()
        elif owner != self._account:
            raise BadChain("the embedded chain in var/chain belongs to another master key. Move it away to begin a new one.")
        else:
            self._chain = self._parts.chain(self._db)
            self.contract = _checksummed(self._db.fact("contract") or b"")

    def ask(self, function: str, *args: Any) -> tuple[Any, ...]:
        """What a view answers, with the clock's time as the block's."""
        with self._lock, self._told():
            return words().answer(function, self._run(self._to, words().call(function, args)))

    def gas(self, function: str, *args: Any) -> int:
        """What gas a view would take as a transaction, refunds left out; for measuring."""
        with self._lock:
            free, computation = self._tried(self._to, words().call(function, args))
            return int(free.intrinsic_gas + computation.get_gas_used())

    def send(self, function: str, *args: Any) -> Sent:
        """Calls a function in a block of its own, unless the contract refuses: then there is no block."""
        data = words().call(function, args)
        with self._lock, self._told():
            self._run(self._to, data)
            with self._db.together(self._again):
                return self._mined(self._to, data)[0]

    def deploy(self) -> Sent:
        """A new contract; the one before stays on the chain, and nobody asks it any more."""
        with self._lock, self._told(), self._db.together(self._again):
            return self._deploy()

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What file or machine cannot do, as BadChain."""
        try:
            yield
        except (sqlite3.Error, OSError) as no:
            mend = "Look at the disk; or restore var/chain from a backup, or move it away to begin a new chain"
            raise BadChain(f"{self.path} does not work ({type(no).__name__}). {mend}.") from None
        except self._parts.errors as no:
            mend = "Restore var/chain from a backup, or move it away to begin a new chain"
            raise BadChain(f"{self.path} is damaged ({type(no).__name__}). {mend}.") from None

    @property
    def _to(self) -> bytes:
        return bytes.fromhex(self.contract.removeprefix("0x"))

    def _deploy(self) -> Sent:
        sent, computation = self._mined(b"", words().bytecode)
        address = computation.msg.storage_address
        self._db.note("contract", address)
        self.contract = _checksummed(address)
        return sent

    def _again(self) -> None:
        """After a write that failed: the chain as the file has it."""
        self._chain = self._parts.chain(self._db)
        self.contract = _checksummed(self._db.fact("contract") or b"")

    def _mined(self, to: bytes, data: bytes) -> tuple[Sent, Any]:
        """One transaction in a block; within `together`."""
        chain = self._chain
        header, state = self._header(), chain.get_vm().state
        unsigned = chain.create_unsigned_transaction(
            nonce=state.get_nonce(self._account), gas_price=2 * header.base_fee_per_gas, gas=BLOCK_GAS, to=to, value=0,
            data=data,
        )
        signed = unsigned.as_signed_transaction(self._key, chain_id=CHAIN_ID)
        chain.header = header
        made, receipts, computations = chain.mine_all([signed])
        if computations[0].is_error:
            raise BadChain(f"the contract refused: {words().refusal(computations[0].output)}.")
        block = made.imported_block.header
        return Sent(
            transaction="0x" + signed.hash.hex(), block=block.block_number, at=block.timestamp, gas=receipts[0].gas_used
        ), computations[0]

    def _run(self, to: bytes, data: bytes) -> bytes:
        """What a call returns, without a trace on the chain. Raises BadChain with the contract's reason."""
        _, computation = self._tried(to, data)
        if computation.is_error:
            raise BadChain(f"the contract refused: {words().refusal(computation.output)}.")
        return bytes(computation.output)

    def _tried(self, to: bytes, data: bytes) -> tuple[Any, Any]:
        """A free transaction in a block that nobody keeps, and what came of it."""
        state = self._chain.get_vm(self._header().copy(base_fee_per_gas=0)).state
        unsigned = self._chain.create_unsigned_transaction(
            nonce=state.get_nonce(self._account), gas_price=0, gas=BLOCK_GAS, to=to, value=0, data=data
        )
        free = self._parts.spoofed(unsigned, self._account)
        return free, state.costless_execute_transaction(free)

    def _header(self) -> Any:
        """The next block's header, at the clock's time and after its parent's; its room for gas stays as it was."""
        header, parent = self._chain.header, self._chain.get_canonical_head()
        return header.copy(timestamp=max(parent.timestamp + 1, self._now()), gas_limit=BLOCK_GAS)

    def _now(self) -> int:
        return int(self._clock().timestamp())


def _checksummed(address: bytes) -> str:
    from eth_utils import to_checksum_address

    return str(to_checksum_address(address)) if address else ""


class _Parts:
    """What we take of py-evm, which takes a second to import."""

    def __init__(self) -> None:
        from eth.chains.base import MiningChain
        from eth.db.atomic import AtomicDBWriteBatch
        from eth.db.backends.base import BaseAtomicDB
        from eth.exceptions import PyEVMError
        from eth.vm.forks.shanghai import ShanghaiVM
        from eth.vm.spoof import SpoofTransaction
        from eth_keys import keys
        from eth_utils import ValidationError

        self.keys, self._spoof, self.errors = keys, SpoofTransaction, (ValidationError, PyEVMError, KeyError, IndexError)
        self._chain = MiningChain.configure("Embedded", vm_configuration=((0, ShanghaiVM),), chain_id=CHAIN_ID)

        class Pages(BaseAtomicDB):  # type: ignore[misc]
            """The machine's store (hash -> node) as rows of a SQLite file; every block is one transaction of it."""

            def __init__(self, path: Path) -> None:
                path.touch(mode=0o600)
                os.chmod(path, 0o600)
                self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                # No write-ahead log: between two blocks the file is whole, and a backup may copy it.
                for pragma in ("journal_mode=DELETE", "synchronous=FULL"):
                    self._db.execute(f"PRAGMA {pragma}")
                self._db.execute("CREATE TABLE IF NOT EXISTS page(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
                self._db.execute("CREATE TABLE IF NOT EXISTS fact(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")

            def __getitem__(self, key: bytes) -> bytes:
                row = self._db.execute("SELECT value FROM page WHERE key = ?", (key,)).fetchone()
                if row is None:
                    raise KeyError(key)
                return bytes(row[0])

            def __setitem__(self, key: bytes, value: bytes) -> None:
                self._db.execute("INSERT OR REPLACE INTO page VALUES (?, ?)", (key, value))

            def __delitem__(self, key: bytes) -> None:
                self._db.execute("DELETE FROM page WHERE key = ?", (key,))

            def _exists(self, key: bytes) -> bool:
                return self._db.execute("SELECT 1 FROM page WHERE key = ?", (key,)).fetchone() is not None

            @contextmanager
            def atomic_batch(self) -> Iterator[Any]:
                with AtomicDBWriteBatch._commit_unless_raises(self) as batch:
                    yield batch

            @contextmanager
            def together(self, after: Any = lambda: None) -> Iterator[None]:
                """All writes inside are on the disk together, or none is, and `after` is called."""
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._db.execute("COMMIT")
                except BaseException:
                    self._db.execute("ROLLBACK")
                    after()
                    raise

            def fact(self, name: str) -> bytes | None:
                row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
                return bytes(row[0]) if row else None

            def note(self, name: str, value: bytes) -> None:
                self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

            def close(self) -> None:
                self._db.close()

        self.pages = Pages

    def chain(self, db: Any) -> Any:
        """The chain that a store has."""
        return self._chain(db)

    def genesis(self, db: Any, account: bytes, at: int) -> Any:
        """A new chain with one rich account."""
        params = {
            "difficulty": 0, "extra_data": b"", "gas_limit": BLOCK_GAS, "nonce": bytes(8), "mix_hash": bytes(32),
            "timestamp": at, "coinbase": bytes(20),
        }  # fmt: skip
        rich = {"balance": _RICH, "nonce": 0, "code": b"", "storage": {}}
        return self._chain.from_genesis(db, params, {account: rich})

    def spoofed(self, unsigned: Any, account: bytes) -> Any:
        return self._spoof(unsigned, from_=account)


@lru_cache(maxsize=1)
def _parts() -> _Parts:
    return _Parts()
