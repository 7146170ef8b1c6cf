"""The checkpoints of a ledger that witnesses co-signed, kept beside its heads: one file for each size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tessera.errors import BadInput, BrokenTrail
from tessera.trust.checkpoint import Checkpoint, Cosigned, cosigned_by, read_checkpoint
from tessera.trust.note import MOST_LINES, NamedKey
from tessera.trust.setfiles import write_once

FOLDER = "checkpoints"


class CosignedCheckpoints:
    """The folder of them within a ledger's folder, which need not be there."""

    def __init__(self, ledger: Path, key: Ed25519PublicKey) -> None:
        """key: the ledger's own."""
        self.folder, self._key = ledger / FOLDER, key

    def __iter__(self) -> Iterator[Checkpoint]:
        """All of them, the smallest first. Raises BrokenTrail at one that was altered."""
        return map(self._read, self._sizes())

    def add(self, text: str) -> Checkpoint:
        """Keep what a witness returned, with the signatures on the same checkpoint that are kept already.

        Who the witnesses are is for the reader to know, so their signatures are kept unverified. Raises BadInput if the
        text is no checkpoint or nobody co-signed it, BrokenTrail if it is not the ledger's.
        """
        found = read_checkpoint(text, self._key)
        if len(found.note.signatures) < 2:
            raise BadInput("Nobody co-signed this checkpoint. A witness does: tessera ledger witness sign DIR FILE")
        note = found.note
        if self._path(found.size).exists():
            kept = self._read(found.size)
            if kept.root != found.root:
                raise BrokenTrail(f"two checkpoints of {found.size} entries have different roots")
            note = kept.note.plus(*note.signatures)
        if len(note.signatures) > MOST_LINES:
            raise BadInput(f"A checkpoint takes at most {MOST_LINES} signatures.")
        self.folder.mkdir(mode=0o700, exist_ok=True)
        write_once(self._path(found.size), str(note).encode())
        return Checkpoint(found.size, found.root, note)

    def newest(self) -> Checkpoint | None:
        """The one of most entries, if there is any."""
        return self._read(sizes[-1]) if (sizes := self._sizes()) else None

    def over(self, seq: int) -> Checkpoint | None:
        """The first one that holds an entry, if any does."""
        return next((self._read(size) for size in self._sizes() if size > seq), None)

    def by(self, witness: NamedKey) -> list[Cosigned]:
        """Those that this witness co-signed, verified, the smallest first."""
        return [said for checkpoint in self if (said := cosigned_by(checkpoint, witness))]

    def _sizes(self) -> list[int]:
        return sorted(int(f.stem) for f in self.folder.glob("*.txt")) if self.folder.exists() else []

    def _path(self, size: int) -> Path:
        return self.folder / f"{size}.txt"

    def _read(self, size: int) -> Checkpoint:
        try:
            found = read_checkpoint(self._path(size).read_text("utf-8"), self._key)
        except (BadInput, UnicodeDecodeError):
            raise BrokenTrail(f"the co-signed checkpoint of {size} entries was altered") from None
        if found.size != size:
            raise BrokenTrail(f"the co-signed checkpoint of {size} entries is that of {found.size}")
        return found
