"""A workspace folder with `in/`, its state, and a database server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessera.lake.state import State

sys.path.insert(0, str(Path(__file__).parents[2]))

from servers import postgres as postgres


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / "state.sqlite")
    yield made
    made.close()
