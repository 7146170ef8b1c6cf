"""What the raw doors do not foresee: a reference for who asks, the stack in our log, and the error's text, which may quote
somebody's value, nowhere. (uvicorn would write it to stderr, and give no reference.) The API has its `Shield`."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessera.doors import failures
from tessera.doors.collect import Answer
from tessera.doors.http import answers


class Guard:
    """var: where the log lies."""

    def __init__(self, var: Path) -> None:
        self._var = var

    async def asgi(self, door: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a door answer a request; an answer that has begun is cut."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await door(scope, receive, noted)
        except Exception as error:
            if begun:
                failures.logged(error, self._var)
            else:
                await answers.unforeseen(error, self._var)(scope, receive, send)

    async def whole(self, answer: Awaitable[Answer]) -> Answer:
        """The same for a request that came in whole (`wire.Posts`)."""
        try:
            return await answer
        except Exception as error:
            made = answers.unforeseen(error, self._var)
            return made.status_code, made.raw_headers, bytes(made.body)
