"""A witness: a second party who co-signs a ledger's checkpoints, each only if it goes on from the one signed before.

Its folder, which lies with the witness and never with the operator of the ledger:

key            the witness's private key, 32 bytes as hexadecimal digits, mode 0600
witness.pub    its public key with its name, to be given to whoever checks ledgers
ledger.pem     the public key of the one ledger that it watches
signed.txt     the newest checkpoint that it co-signed; losing it means to start anew with another key

Source: C2SP tlog-witness (c2sp.org), by files instead of HTTP.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tessera.errors import BadInput, BrokenTrail, NotFound
from tessera.trust.checkpoint import Checkpoint, check_path, cosign, cosigned_by, read_checkpoint, read_request
from tessera.trust.merkle import EMPTY
from tessera.trust.note import WITNESS, NamedKey, Note
from tessera.trust.setfiles import write_once
from tessera.trust.trail import pem_of, read_pem
from tessera.words import Clock

KEY, PUBLIC, LEDGER, SIGNED = "key", "witness.pub", "ledger.pem", "signed.txt"


class Witness:
    """A witness in its folder."""

    def __init__(self, folder: Path) -> None:
        """Open the witness of a folder. Raises NotFound if there is none, BrokenTrail if its files do not agree."""
        self.folder = folder
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex((folder / KEY).read_text("ascii")))
            self.public = NamedKey.read((folder / PUBLIC).read_text("utf-8"))
        except FileNotFoundError:
            raise NotFound("Witness", str(folder)) from None
        except ValueError:
            raise BrokenTrail("the witness's key cannot be read") from None
        if NamedKey.of(self.public.name, WITNESS, self._key) != self.public:
            raise BrokenTrail(f"the witness's {PUBLIC} is not that of its key")
        self._ledger = read_pem((folder / LEDGER).read_bytes(), LEDGER)

    @classmethod
    def init(cls, folder: Path, name: str, ledger: Ed25519PublicKey) -> Witness:
        """Make a witness of one ledger with a key of its own. Raises BadInput if the folder has one, or for the name."""
        key = Ed25519PrivateKey.generate()
        public = NamedKey.of(name, WITNESS, key)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise BadInput(f"{folder} has a witness already; its key is never overwritten.") from None
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(key.private_bytes_raw().hex() + "\n")
        write_once(folder / LEDGER, pem_of(ledger))
        write_once(folder / PUBLIC, f"{public}\n".encode())
        return cls(folder)

    def last(self) -> Checkpoint:
        """The newest checkpoint that it co-signed; of the empty log if it signed none. Raises BrokenTrail if it was altered."""
        path = self.folder / SIGNED
        if not path.exists():
            return Checkpoint(0, EMPTY, Note(""))
        found = read_checkpoint(path.read_text("utf-8"), self._ledger)
        if cosigned_by(found, self.public) is None:
            raise BrokenTrail(f"the witness's {SIGNED} does not carry its own signature")
        return found

    def sign(self, request: str, clock: Clock) -> Checkpoint:
        """Co-sign the checkpoint of a request, and remember it on disk before anybody has the signature.

        Raises BrokenTrail, which names it, for a fork, a rollback, or another ledger; BadInput for a request that goes
        on from another size than that of the last checkpoint, which says from which to ask for one.
        """
        with self._alone():
            asked, last = read_request(request, self._ledger), self.last()
            if asked.checkpoint.size >= last.size and asked.old != last.size:
                raise BadInput(
                    f"The request goes on from {asked.old} entries; this witness signed {last.size} last. "
                    f"Ask for: tessera ledger head --since {last.size} -o FILE"
                )
            check_path(last, asked.checkpoint, asked.path)
            checkpoint = asked.checkpoint
            note = checkpoint.note.plus(cosign(checkpoint, self.public, self._key, clock()))
            write_once(self.folder / SIGNED, str(note).encode())
            return Checkpoint(checkpoint.size, checkpoint.root, note)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time signs: two who see the same last checkpoint could sign two futures of it."""
        with (self.folder / KEY).open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
