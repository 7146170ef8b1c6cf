"""Server-sent events as an answer: sent as they come, a beat where none comes, ended when the page has gone or we end it.

Raw ASGI: a stream outlives the time that a request may take.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Send

BEAT_S, RETRY_MS = 15.0, 3000
HEAD = [
    (b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]  # fmt: skip
BEGIN = b"retry: %d\n\n" % RETRY_MS
BEAT = b": still here\n\n"


def event(document: Mapping[str, Any], name: str = "", number: str = "") -> bytes:
    """One event. name: its type, where a page asks for it by one; number: what the page resumes by.

    >>> event({"kind": "tables"}, number="a.7")
    b'id: a.7\\ndata: {"kind": "tables"}\\n\\n'
    """
    head = (f"id: {number}\n" if number else "") + (f"event: {name}\n" if name else "")
    return f"{head}data: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


async def served(receive: Receive, send: Send, events: AsyncIterator[bytes]) -> None:
    """Sends events until there are no more, or whoever asked has gone; in either case `events` is closed."""
    await send({"type": "http.response.start", "status": 200, "headers": HEAD})
    speaking, gone = asyncio.ensure_future(_said(send, events)), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((speaking, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (speaking, gone):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await speaking


async def _said(send: Send, events: AsyncIterator[bytes]) -> None:
    await send({"type": "http.response.body", "body": BEGIN, "more_body": True})
    async for one in events:
        await send({"type": "http.response.body", "body": one, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
