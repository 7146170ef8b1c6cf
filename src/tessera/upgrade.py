"""An older workspace -> the present format: what is derived is made anew from the raw tables, which keep their shape.

Each step may be killed at any point and is done again by the next call: the format is written last. A format that lies further
back than MIGRATIONS reach needs the Tessera that wrote it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tessera.app import App
from tessera.config import Config
from tessera.errors import BadWorkspace
from tessera.house import settings
from tessera.lake.state import FORMAT, State
from tessera.lake.store import Lake
from tessera.loop import STEPS, tables
from tessera.owner import Owner
from tessera.words import Clock, Progress, silent

MIGRATIONS: dict[int, tuple[str, ...]] = {4: ("activity",)}
"""Format -> the derived tables whose shape differs in the next one. 4: a partial had the name of its row."""


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    """found, made: formats before and after. remade: derived tables that are made anew, in the order of STEPS."""

    found: int
    made: int
    remade: tuple[str, ...]


def plan(found: int) -> Upgraded:
    """What an upgrade from a format does. Raises BadWorkspace if there is no way from it."""
    if found > FORMAT:
        raise BadWorkspace([f"var/ was made by a newer Tessera (format {found}, this one writes {FORMAT}). Use that one."])
    if absent := [f for f in range(found, FORMAT) if f not in MIGRATIONS]:
        raise BadWorkspace(
            [
                f"var/ has format {found}, and this Tessera knows no way on from format {absent[0]} (it writes {FORMAT}). "
                "Use the Tessera that wrote it, or move var/ away and make it anew with `tessera turn`."
            ]
        )
    wanted = {table for f in range(found, FORMAT) for table in MIGRATIONS[f]}
    return Upgraded(found=found, made=FORMAT, remade=tuple(s.writes.name for s in STEPS if s.writes.name in wanted))


def upgrade(
    root: Path, *, dry_run: bool = False, wait_s: float = 60.0, clock: Clock | None = None, progress: Progress = silent
) -> Upgraded:
    """Brings a workspace to the present format, and its tables up to date by a turn that lands nothing. A workspace that is
    of that format is left as it is. Raises BadWorkspace, or Busy where another process has it."""
    config, now = settings(root), clock or (lambda: datetime.now(UTC))
    done = _migrated(config, wait_s, now, dry_run)
    if done.found == done.made or dry_run:
        return done
    with App(root, wait_s=wait_s, clock=clock, doing="tessera upgrade") as app:
        app.turn(sync=False, progress=progress)
        app.note("upgrade", f"format {done.found} -> {done.made}")
    return done


def _migrated(config: Config, wait_s: float, now: Callable[[], datetime], dry_run: bool) -> Upgraded:
    if not (config.var / "state.db").exists():
        return Upgraded(found=FORMAT, made=FORMAT, remade=())
    owner = Owner(config.var)
    owner.take(wait_s, "tessera upgrade")
    try:
        state = State(config.var / "state.db")
        try:
            done = plan(int(state.get("workspace", "format", FORMAT)))
            if not dry_run and done.found != done.made:
                _remake(Lake(config.var / "lake", tables(), state, now), state, done)
            return done
        finally:
            state.close()
    finally:
        owner.release()


def _remake(lake: Lake, state: State, done: Upgraded) -> None:
    """Lets the tables go, and what the steps that make or read them know of their last run: the next turn makes all anew."""
    for table in done.remade:
        lake.drop(table)
    stale = [s.name for s in STEPS if s.writes.name in done.remade or set(s.reads) & set(done.remade)]
    with state.together():
        for name in stale:
            state.drop("runs", name)
        state.put("workspace", "format", done.made)
