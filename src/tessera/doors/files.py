"""Small files that are named on the command line: texts to write, keys and proofs to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def handed(call: Call, made: dict[str, Any], page: Callable[[dict[str, Any], str], str]) -> None:
    """A receipt as the command's --format, --language and -o ask for it: JSON or a page, to stdout or into a file."""
    args = call.args
    if args.file is None and args.format == "json":
        call.show.document(made)
        return
    text = page(made, args.language) if args.format == "html" else json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    if args.file is None:
        call.show.line(text.rstrip("\n"))
    else:
        written(call, Path(args.file), text)


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
