"""What comes due while the server runs: sweeps of erasures, ends of consents, terms of sources; a turn does the same."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from types import TracebackType

from tessera.doors.http.desk import Away, Desk
from tessera.errors import TesseraError

EVERY_S = 60.0


class Upkeep:
    """Looks every minute, in a thread, for the time of a `with`. A look that the workspace has no time for is left out."""

    def __init__(self, desk: Desk, every_s: float = EVERY_S) -> None:
        self._desk, self._every_s = desk, every_s
        self._stop, self._told = threading.Event(), ""
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def __enter__(self) -> Upkeep:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                with self._desk.app() as app:
                    app.upkeep()
                self._told = ""
            except Away:
                continue
            except (TesseraError, OSError) as error:
                # The next look tries again; the same trouble is told once.
                if str(error) != self._told:
                    self._told = str(error)
                    with suppress(OSError):
                        sys.stderr.write(f"tessera serve: upkeep failed, and is tried again. {error}\n")
