"""A new workspace: its files with comments, the initiator as owner, and var/ for the machine alone."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from tessera.account import account
from tessera.errors import BadInput

_FILES = {
    "tessera.yaml": "tessera.yaml",
    "purposes.yaml": "purposes.yaml",
    "access.yaml": "access.yaml",
    "segments.yaml": "segments.yaml",
    "insight.yaml": "insight.yaml",
    "interests.yaml": "interests.yaml",
    "sources/example.odcs.yaml.txt": "sources/example.odcs.yaml.txt",
    ".gitignore": "gitignore",
}
"""What is written, and the template it comes from."""

_MAY_BE_THERE = {".git", ".DS_Store"}


def init(root: Path, *, user: str | None = None) -> list[Path]:
    """Write a workspace into a new or empty folder; its name is the folder's. Returns the files written.

    user: the initiator, who becomes owner with all roles (None: who runs this process).
    Raises BadInput if there is a file at `root`, something in the folder, or no right to write there.
    """
    root = root.absolute()
    try:
        _refuse_full(root)
        words = {'"@NAME@"': _quoted(root.name or "tessera"), '"user:@USER@"': _quoted(f"user:{user or account()}")}
        templates = files("tessera") / "templates"
        written = []
        for name, template in _FILES.items():
            text = (templates / template).read_text(encoding="utf-8")
            for mark, value in words.items():
                text = text.replace(mark, value)
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            written.append(target)
        (root / "var").mkdir(mode=0o700)
        (root / "var").chmod(0o700)
    except OSError as e:
        raise BadInput(f"Cannot write a workspace to {root}: {e.strerror}.") from e
    return written


def _refuse_full(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise BadInput(f"{root} is a file. Name a new or empty folder.")
    there = sorted(p.name for p in root.iterdir()) if root.exists() else []
    if "tessera.yaml" in there:
        raise BadInput(f"{root} is a workspace already. Open it, or name another folder.")
    if others := [name for name in there if name not in _MAY_BE_THERE]:
        raise BadInput(f"{root} is not empty (it has {', '.join(others[:3])}). Name a new or empty folder.")


def _quoted(text: str) -> str:
    """A YAML string on one line, whatever it holds."""
    return json.dumps(text.replace("\n", " "), ensure_ascii=False)
