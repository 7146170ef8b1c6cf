"""Tessera, a customer data platform: trust -> data -> insight -> action, on your own machine.

A step is a function from views that the gate opened to tables; nothing else reads people's data. The floors, imports go
down only:

    doors/     9  every way in and out              demo/      9  a made-up shop with the truth known
    app.py     8  opens a workspace                 loop.py    7  STEPS and turn()
    action/    6  what we do about it               insight/   5  what it means
    data/      4  what happened, to whom            trust/     3  who may use what for what
    lake/      2  where it lies                     words.py, errors.py, config.py, workspace.py  1

From Python: `tessera.init("acme")` writes a workspace, `with tessera.open("acme") as app:` opens it. Nothing heavy is
imported before one of them is called.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from tessera._version import VERSION as __version__

if TYPE_CHECKING:
    from tessera.app import App
    from tessera.words import Clock

__all__ = ["__version__", "init", "open"]


def open(path: str | PathLike[str] | None = None, *, wait_s: float = 60.0, clock: Clock | None = None) -> App:
    """The workspace in the folder `path`; without one, the nearest from here upward. Close it, or use `with`.

    wait_s: how long to wait while another process owns it. Raises NotFound, BadWorkspace, Busy or BrokenVault.
    """
    from tessera.app import App, find

    root = find(Path.cwd()) if path is None else Path(path).absolute()
    return App(root, wait_s=wait_s, clock=clock, doing="python")


def init(path: str | PathLike[str]) -> list[Path]:
    """Writes a new workspace into a new or empty folder; returns the files written. Raises BadInput for a full one."""
    from tessera.scaffold import init as write

    return write(Path(path))
