"""Law: a process that is killed anywhere and run again leaves the same tables as one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from given_tiny import Tiny, loose
from laws.picture import picture
from laws.shop import UNIVERSE, contents, known, orphans, twin, waiting

CHILD = """
import os, signal, sys
from pathlib import Path
from given_kills import at_act
from tessera.app import App
app = App(Path(sys.argv[1]), wait_s=30)
with at_act(app, int(sys.argv[2]), lambda _: os.kill(os.getpid(), signal.SIGKILL), after=sys.argv[3] == "after"):
    app.turn()
app.close()
"""
PATHS = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")])


def run(tiny: Tiny, act: int, when: str) -> int:
    """A turn in a process of its own that is killed, really, at one act."""
    command = [sys.executable, "-c", CHILD, str(tiny.root), str(act), when]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": PATHS}, capture_output=True, timeout=120).returncode


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tiny, dict, dict]:  # type: ignore[type-arg]
    """The shop before its second day, and what that day makes of it undisturbed."""
    tiny = known(tmp_path_factory.mktemp("calm") / "shop")
    waiting(tiny)
    still = twin(tiny, tiny.root.parent / "still")
    with still.open() as app:
        app.turn()
        assert not orphans(app)
        return tiny, contents(app), picture(app, UNIVERSE)


def ends_as(tiny: Tiny, tables: dict, people: dict) -> None:  # type: ignore[type-arg]
    with tiny.open() as app:
        app.turn()
        made = contents(app)
        for table in tables:
            assert made[table] == tables[table], table
        assert picture(app, UNIVERSE) == people
        assert not loose(app), "files that no version has"
        assert not orphans(app), "sealed records that no row names"
        assert not app.state.items("open") and not app.state.items("manifest")
        assert app.ledger.verify().ok


def test_kills_in_every_stage_of_one_day_lose_and_double_nothing(calm, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tiny, tables, people = calm
    wild = twin(tiny, tmp_path / "wild")
    deaths = [run(wild, act, when) for act, when in ((7, "before"), (12, "after"), (20, "before"))]
    assert deaths == [-signal.SIGKILL] * 3
    ends_as(wild, tables, people)


@pytest.mark.heavy
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_each_act_loses_and_doubles_nothing(calm, when: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tiny, tables, people = calm
    act = 0
    while True:
        act += 1
        wild = twin(tiny, tmp_path / f"wild{act}")
        died = run(wild, act, when)
        ends_as(wild, tables, people)
        if died == 0:
            break
    assert act > 30


@pytest.mark.heavy
def test_a_kill_at_any_moment_loses_and_doubles_nothing(calm, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tiny, tables, people = calm
    for tenths in range(6, 40, 2):
        wild = twin(tiny, tmp_path / f"wild{tenths}")
        command = [sys.executable, "-c", CHILD, str(wild.root), "0", "before"]
        child = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": PATHS}, stderr=subprocess.DEVNULL)
        try:
            child.wait(tenths / 10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        ends_as(wild, tables, people)
