"""Write the demo shop's workspace: its settings, purposes, roles and one data contract for each source in world/."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from tessera.account import account


def write(root: Path, *, user: str | None = None) -> list[Path]:
    """Write the workspace's files below `root`, over those of an earlier demo; returns them in their order.

    user: the account of this machine that becomes owner with all roles (None: who runs this process). The sources'
    data itself comes from `world.make(root / "world")`.
    """
    owner = json.dumps(f"user:{user or account()}")
    written = []
    for name, template in _templates(files("tessera.demo") / "acme", ""):
        target = root / (".gitignore" if name == "gitignore" else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(template.read_text(encoding="utf-8").replace('"user:@USER@"', owner), encoding="utf-8")
        written.append(target)
    return written


def _templates(folder: Traversable, path: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.is_dir():
            found += _templates(item, f"{path}{item.name}/")
        else:
            found.append((path + item.name, item))
    return found
