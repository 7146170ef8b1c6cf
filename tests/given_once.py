"""What takes long to make is made once in a run, by whichever of its workers comes first; the others wait for it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` has filled. It is everybody's: to be copied, and neither opened nor written."""
    base = factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    base.mkdir(parents=True, exist_ok=True)
    folder = base / "made"
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            (base / "done").touch()
    return folder
