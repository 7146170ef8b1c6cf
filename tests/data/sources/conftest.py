"""A workspace folder with `in/`, and its state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tessera.lake.state import State


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / "state.sqlite")
    yield made
    made.close()
