"""One shop after its first turn, made once; each test that changes it gets a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from given_gate import workspace

from given_people import NOW, Shop
from tessera.app import App


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "shop"
    root.mkdir()
    workspace(root)
    return root


@pytest.fixture(scope="module")
def still(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The shop, for tests that only read."""
    root = tmp_path_factory.mktemp("still") / "shop"
    shutil.copytree(made, root)
    with App(root, clock=lambda: NOW) as app:
        yield app


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Shop:
    """A copy of the shop's folder; its rows can be changed and written again."""
    shutil.copytree(made, tmp_path / "shop")
    return Shop(tmp_path / "shop")
