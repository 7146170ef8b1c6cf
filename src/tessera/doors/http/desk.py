"""The workspace behind the HTTP door: one piece of work at a time, within a cap of time; lent to commands in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import anyio.to_thread

from tessera.app import App
from tessera.doors.log import Log
from tessera.errors import Busy, TesseraError
from tessera.owner import Lender

T = TypeVar("T")
LEND_WAIT_S = 10.0
"""How long the server waits for the workspace after it was lent: another command may be quicker."""


class Away(TesseraError):
    """The workspace is lent, or a request has waited too long for its turn; ask again in a moment."""

    def __init__(self, retry_s: int = 1) -> None:
        self.retry_s = retry_s
        super().__init__("The workspace is busy with other work. Ask again in a moment.")


class Beside(Protocol):
    """What goes on beside the workspace, also while it is lent: told when it is open, and before it is let go."""

    def open(self, app: App) -> None: ...
    def worked(self, app: App) -> None: ...
    def roll(self) -> None: ...


class Desk:
    """Owns a workspace for a server. open_: opens it (tests give a clock of their own)."""

    def __init__(
        self, root: Path, *, wait_s: float = 5.0, open_: Callable[[], App] | None = None, beside: Beside | None = None,
        log: Log | None = None,
    ) -> None:  # fmt: skip
        self.root, self.wait_s, self._beside, self._log = root, wait_s, beside, log or Log()
        self._open = open_ or partial(App, root, wait_s=LEND_WAIT_S, doing="tessera serve")
        self._turn = threading.Lock()
        self._app: App | None = self._opened()
        self._lender: Lender | None = Lender(self._app.config.var, self._lent, self._taken_back)

    def close(self) -> None:
        """Lends no more, waits for what is under way, and lets the workspace go."""
        if self._lender is not None:
            self._lender.stop()
            self._lender = None
        with self._turn:
            if self._app is not None:
                self._app.close()
                self._app = None

    @contextmanager
    def app(self) -> Iterator[App]:
        """The open workspace, for this thread alone. Raises Away where it is not its turn within `wait_s`."""
        if not self._turn.acquire(timeout=self.wait_s):
            raise Away
        try:
            if self._app is None:
                raise Away
            yield self._app
        finally:
            self._turn.release()

    async def run(
        self, work: Callable[[App], T], *, reopens: Callable[[T], bool] | None = None,
        undo: Callable[[Exception], None] | None = None,
    ) -> T:
        """Does a piece of work on the workspace in a thread, and waits for it. reopens: told what came of it, says whether the
        workspace is opened anew before anybody else has it. undo: takes the work back where that cannot be."""

        def worked() -> T:
            with self.app() as app:
                done = work(app)
                if reopens is not None and reopens(done):
                    self._reopen(app, undo)
                elif self._beside is not None:
                    self._beside.worked(app)
                return done

        return await anyio.to_thread.run_sync(worked, abandon_on_cancel=True)

    def _opened(self) -> App:
        app = self._open()
        try:
            if self._beside is not None:
                self._beside.open(app)
        except BaseException:
            app.close()
            raise
        return app

    def _reopen(self, app: App, undo: Callable[[Exception], None] | None = None) -> None:
        """Closes the workspace and opens it, for whoever has the turn; once more after `undo`, if there is one. Where it cannot
        be opened, it is tried again without the caller, whose work is done."""
        self._app = None
        try:
            app.close()
            try:
                self._app = self._opened()
            except Exception as error:
                if undo is None:
                    raise
                undo(error)
                self._app = self._opened()
        except TesseraError as error:
            told = self._say_closed(error)
            threading.Thread(target=self._taken_back, args=(told,), name="reopening", daemon=True).start()

    def _say_closed(self, error: TesseraError) -> str:
        """Tells that the workspace cannot be opened, and gives what was told."""
        self._log.say("error", "workspace.closed", message=f"the workspace cannot be opened, and is tried again. {error}")
        return str(error)

    def _lent(self) -> None:
        with self._turn:
            if self._beside is not None:
                self._beside.roll()
            if self._app is not None:
                self._app.close()
                self._app = None

    def _taken_back(self, told: str = "") -> None:
        """Opens it again; where that fails (a file with a mistake), it says so, unless that was `told`, and tries again until
        it can."""
        while self._lender is not None:
            try:
                with self._turn:
                    if self._app is None and self._lender is not None:
                        self._app = self._opened()
                return
            except Busy:  # the next command has it already, and ends
                continue
            except TesseraError as error:
                if str(error) != told:
                    told = self._say_closed(error)
                time.sleep(2)
