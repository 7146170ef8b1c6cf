"""Small files that are named on the command line: texts to write, keys and proofs to read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tessera.doors.call import Call
from tessera.errors import BadInput, NotFound

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_MOST = 1_000_000


def written(call: Call, path: Path, text: str) -> None:
    """Writes a text, and says so. Raises BadInput if the file cannot be written."""
    try:
        path.write_text(text, "utf-8")
    except OSError as refused:
        raise BadInput(f"{path} cannot be written ({refused.strerror}).") from None
    call.show.note(f"written: {path}")


def text_of(path: Path) -> str:
    """The text of a file. Raises NotFound if it is not there, BadInput if it is no text of at most a million bytes."""
    try:
        if path.stat().st_size > _MOST:
            raise BadInput(f"{path} is too large.")
        return path.read_bytes().decode()
    except OSError:
        raise NotFound("File", str(path)) from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is no text.") from None


def public_key(path: Path) -> Ed25519PublicKey:
    """The key of a PEM file. Raises NotFound if it is not there, or holds none."""
    from tessera.errors import BrokenTrail
    from tessera.trust.trail import read_pem

    try:
        return read_pem(text_of(path).encode(), str(path))
    except (BadInput, BrokenTrail):
        raise NotFound("Ed25519 public key", str(path)) from None
