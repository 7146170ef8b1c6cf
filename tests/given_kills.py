"""Deaths for tests: a workspace whose n-th durable act is its last, as if the process were killed there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tessera.app import App

ACTS = (
    ("lake", "stage"),
    ("lake", "commit"),
    ("state", "put_many"),
    ("state", "drop"),
    ("vault", "seal"),
    ("vault", "flush"),
    ("vault", "erase"),
    ("vault", "forget"),
    ("lake", "vacuum"),
)
"""What a landing, a turn, an erasure and a sweep do that outlives them."""


class Killed(BaseException):
    """The process is gone: nobody catches it."""


@contextmanager
def at_act(app: App, number: int, do: Callable[[str], None], *, after: bool = False) -> Iterator[list[str]]:
    """Calls `do` with its name before (or after) the number-th act; yields the list of acts as they come."""
    seen: list[str] = []
    for part, method in ACTS:
        room = getattr(app, part)
        setattr(room, method, _hooked(getattr(room, method), f"{part}.{method}", seen, number, do, after))
    try:
        yield seen
    finally:
        for part, method in ACTS:
            delattr(getattr(app, part), method)


def _hooked(
    real: Callable[..., Any], act: str, seen: list[str], number: int, do: Callable[[str], None], after: bool
) -> Callable[..., Any]:
    def hooked(*args: Any, **kwargs: Any) -> Any:
        seen.append(act)
        mine = len(seen) == number
        if mine and not after:
            do(act)
        done = real(*args, **kwargs)
        if mine and after:
            do(act)
        return done

    return hooked


def kill(_: str) -> None:
    """Dies."""
    raise Killed


def abandon(app: App) -> None:
    """What the kernel does for a process that is gone: its files are closed, and nothing is finished or signed."""
    app.con.close()
    app.state._db.close()
    app.vault._file._db.close()
    app.vault._file._keeper.close()
    app.owner.release()
