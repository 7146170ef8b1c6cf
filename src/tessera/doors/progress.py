"""How far long work is, on stderr: a moving bar on a terminal, else one line for each stage and each tenth of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tessera.words import Progress, silent


@contextmanager
def progress(*, quiet: bool = False, color: bool = True) -> Iterator[Progress]:
    """A Progress for the time of a `with`; nothing is drawn if quiet."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bars(color) as bars:
            yield Bars(bars)
    else:
        yield Lines()


class Lines:
    """A line when a stage begins, and one whenever another tenth of it is done."""

    def __init__(self) -> None:
        self.stage, self.tenth = "", 0

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        tenth = 10 * done // total if total else 0
        if stage == self.stage and tenth <= self.tenth:
            return
        share = f" {10 * tenth} %" if total and tenth else ""
        self.stage, self.tenth = stage, tenth
        sys.stderr.write(f"{stage}{share}\n")
        sys.stderr.flush()


class Bars:
    """The stage under way on a bar that moves; earlier ones leave the screen."""

    def __init__(self, bars: Any) -> None:
        self.bars, self.stage, self.task = bars, "", None

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        if stage != self.stage:
            if self.task is not None:
                self.bars.remove_task(self.task)
            self.stage, self.task = stage, self.bars.add_task(stage, total=total)
        self.bars.update(self.task, completed=done, total=total)


def _bars(color: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr, no_color=not color),
        transient=True,
    )
