"""What comes due while the server runs: sweeps of erasures, ends of consents, terms of sources; a turn does the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from tessera.doors.http.desk import Away, Desk
from tessera.doors.log import Log
from tessera.errors import TesseraError

EVERY_S = 60.0

Look = Callable[[Desk], None]
"""Something else that is looked at as often; what it raises is told as trouble of the upkeep is."""


class Upkeep:
    """Looks every minute, in a thread, for the time of a `with`. A look that the workspace has no time for is left out."""

    def __init__(
        self, desk: Desk, every_s: float = EVERY_S, log: Log | None = None, looks: Sequence[Look] = ()
    ) -> None:  # fmt: skip
        self._desk, self._every_s, self._log = desk, every_s, log or Log()
        self._looks: tuple[Look, ...] = (_due, *looks)
        self._stop, self._told = threading.Event(), dict[int, str]()
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def __enter__(self) -> Upkeep:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._every_s):
            for number, look in enumerate(self._looks):
                self._looked(number, look)

    def _looked(self, number: int, look: Look) -> None:
        try:
            look(self._desk)
            self._told.pop(number, None)
        except Away:
            pass
        except (TesseraError, OSError) as error:
            # The next look tries again; the same trouble is told once.
            told = str(error) if isinstance(error, TesseraError) else f"{error.strerror}"
            if told != self._told.get(number):
                self._told[number] = told
                self._log.say("error", "upkeep.failed", message=told)


def _due(desk: Desk) -> None:
    with desk.app() as app:
        app.upkeep()
