"""A filled shop, served to whoever reads only; one that a module may change; Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from given_pages import Open, browser, made, opened

from given_once import once


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a made-up shop after its first turn; to be copied, never opened."""
    return once(tmp_path_factory, "pages", made)


@pytest.fixture(scope="module")
def house(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """A copy of it, served for the time of a module; what one test changes, the module's next ones see."""
    root = tmp_path_factory.mktemp("house") / "shop"
    shutil.copytree(filled, root, ignore=shutil.ignore_patterns("*.sock"))
    with opened(root) as up:
        yield up


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for a module. Playwright keeps a loop running in its thread, in which no other module's asyncio.run could."""
    with browser() as one:
        yield one


@pytest.fixture
def page(house: Open, chromium: Any) -> Iterator[Any]:
    """A signed-in window of 1440 px: `page.goto(house.url + PATH)`. Another lens, language or theme: `house.sign_in`."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    yield house.sign_in(context)
    context.close()
