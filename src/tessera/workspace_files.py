"""The files of a workspace that are changed through us: which they are, what stands in them, and putting one in its place."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tessera.config import Config
from tessera.errors import BadInput

ALLOWED = re.compile(r"(segments|insight|purposes|access)\.yaml|decisions/[a-z0-9][a-z0-9_-]{0,60}\.yaml")
"""The files that may be changed here. tessera.yaml is none of them: it says where the machine listens and what it may take; a
source's contract neither: it says which files of the machine are read, and which secrets go to whom (`new_source` writes new
ones within limits)."""

CONFIG = ("*.yaml", "decisions/*.y*ml", "sources/*.y*ml", "tracking-plans/*")
"""What a workspace is read from."""

_WRITING = ".tessera-change-"

Opens = Callable[[Path], Config]


def listed(root: Path) -> list[str]:
    """Those that are there."""
    found = sorted([*root.glob("*.yaml"), *root.glob("decisions/*.yaml")])
    return [name for p in found if ALLOWED.fullmatch(name := p.relative_to(root).as_posix())]


def digest(text: str) -> str:
    """SHA-256 of a file's text; empty for one that is not there."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def place(root: Path, file: str) -> Path:
    """Where a file lies. Raises BadInput for one that may not be changed here, and for one that is a link: what is behind it
    may lie outside of the workspace."""
    if not ALLOWED.fullmatch(file):
        raise BadInput("This file is not changed here: segments, insight, purposes, access and decisions/ are.")
    path = root / file
    if path.is_symlink() or (path.parent != root and path.parent.is_symlink()):
        raise BadInput(f"{file} is a link to another place. Change it there.")
    if path.exists() and not path.is_file():
        raise BadInput(f"{file} is no file.")
    return path


def current(root: Path, file: str) -> str:
    """What stands in a file now; empty where there is none."""
    try:
        return place(root, file).read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (UnicodeDecodeError, OSError):
        raise BadInput(f"{file} cannot be read as UTF-8 text. Mend it where it is kept.") from None


def would_be(root: Path, file: str, text: str, opens: Opens) -> Config:
    """What `opens` says of the workspace with this text in the file's place: of a folder with its settings and nothing else."""
    place(root, file)
    with tempfile.TemporaryDirectory(prefix="tessera-change-") as made:
        beside = Path(made)
        for pattern in CONFIG:
            for path in root.glob(pattern):
                name = path.relative_to(root)
                (beside / name).parent.mkdir(exist_ok=True)
                (beside / name).symlink_to(path.absolute())
        (beside / file).parent.mkdir(exist_ok=True)
        (beside / file).unlink(missing_ok=True)
        (beside / file).write_bytes(text.encode())
        return opens(beside)


def write(root: Path, file: str, text: str) -> None:
    """Puts a text in a file's place in one act: whoever reads, and whoever finds it after a kill, has the old or the new one
    whole. It keeps its mode."""
    path = place(root, file)
    path.parent.mkdir(exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(prefix=_WRITING, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode())
            out.flush()
            os.fchmod(out.fileno(), mode)
            os.fsync(out.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def swept(root: Path) -> None:
    """Removes what a kill left half written."""
    for folder in (root, root / "decisions"):
        for left in folder.glob(f"{_WRITING}*"):
            left.unlink()


def checkout(root: Path) -> bool:
    """Whether the workspace lies in a git checkout."""
    return any((folder / ".git").exists() for folder in (root, *root.parents))
