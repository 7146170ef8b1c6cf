"""Looks: pages that show nobody, in both languages and themes, wide and narrow, as they were when somebody last looked at them.

After a change that is meant: `TESSERA_SHOTS=write pytest tests/doors/pages/test_shots.py`, and look at what git shows.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from given_pages import Open, from_then, opened
from given_shots import COMPARED, KEPT, Shot, compared, window

MEAN, WORST, TALLER = 0.03, 0.5, 0.08
"""How far a picture may be from the kept one: colours on the whole, in one block, its height. A face of another version passes;
a card that has gone does not."""


@pytest.fixture(scope="module")
def still(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """The shop behind a server whose clock begins where the shop's does."""
    root = tmp_path_factory.mktemp("still") / "shop"
    shutil.copytree(filled, root, ignore=shutil.ignore_patterns("*.sock"))
    with opened(root, clock=from_then()) as up:
        yield up


@pytest.fixture(scope="module")
def unasked(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """The same where staff ask nothing: a customer's own page shows each question that held her."""
    root = tmp_path_factory.mktemp("unasked") / "shop"
    shutil.copytree(filled, root, ignore=shutil.ignore_patterns("*.sock"))
    with opened(root, clock=from_then()) as up:
        yield up


@pytest.mark.parametrize(
    ("lang", "theme", "width"),
    [
        pytest.param(*look, marks=[] if look in (("en", "light", 1280), ("zh", "dark", 390)) else [pytest.mark.heavy])
        for look in product(("en", "zh"), ("light", "dark"), (1280, 390))
    ],
)
@pytest.mark.parametrize("shot", COMPARED, ids=lambda s: s.name)
def test_a_page_looks_as_it_did(
    request: pytest.FixtureRequest, chromium: Any, shot: Shot, lang: str, theme: str, width: int
) -> None:
    house: Open = request.getfixturevalue("unasked" if shot.hers else "still")
    page = window(house, chromium, shot, lang=lang, theme=theme, width=width)
    picture = page.screenshot(full_page=True)
    page.context.close()
    file = KEPT / f"{shot.name}-{lang}-{theme}-{width}.png"
    if os.environ.get("TESSERA_SHOTS") == "write":
        KEPT.mkdir(exist_ok=True)
        file.write_bytes(compared(chromium, picture, None)["made"])
        return
    found = compared(chromium, picture, file.read_bytes())
    told = {name: round(found[name], 3) for name in ("mean", "worst", "taller")}
    assert found["mean"] < MEAN and found["worst"] < WORST and found["taller"] < TALLER, told
