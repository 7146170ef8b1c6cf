"""The drill's shop, made once; a server over it for tests that only read."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from given_served import Served, served

from given_once import once
from tessera.doors.drill import shop
from tessera.doors.drill.shop import Shop


@pytest.fixture(scope="session")
def drill_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    def make(folder: Path) -> None:
        told = shop.make(folder)
        (folder / "shop.pickle").write_bytes(pickle.dumps(told))

    folder = once(tmp_path_factory, "drill", make)
    found: Shop = pickle.loads((folder / "shop.pickle").read_bytes())
    return found


@pytest.fixture(scope="module")
def door(drill_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The shop, served to whoever reads only; nobody else has it meanwhile."""
    from given_served import copied

    with served(copied(drill_shop, tmp_path_factory.mktemp("served") / "shop")) as up:
        yield up
