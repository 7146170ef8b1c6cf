"""A link that opens the pages for whoever works on this machine: good once, for minutes; `tessera open` makes it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from tessera.app import App

SPACE = "opening"
GOOD = timedelta(minutes=10)
PATH = "/enter"
AT = ("server", "url")
"""Where the address of the server is noted that ran here last."""

USUAL = "https://127.0.0.1:8000"
"""The address of a server that nobody has told anything else."""


def mint(app: App, actor: str, good: timedelta = GOOD) -> str:
    """A token that lets an actor in once. What is kept is its hash."""
    token, now = secrets.token_urlsafe(32), app.clock().astimezone(UTC)
    for old, kept in app.state.items(SPACE).items():
        if datetime.fromisoformat(kept["ends"]) <= now:
            app.state.drop(SPACE, old)
    app.state.put(SPACE, _hash(token), {"actor": actor, "ends": (now + good).isoformat()})
    return token


def link(url: str, token: str, page: str = "/") -> str:
    """What a browser is given: the address of the server at which the token is used up, and the page to go on to.

    >>> link("http://127.0.0.1:8000/", "t0ken", "/customers/17")
    'http://127.0.0.1:8000/enter?token=t0ken&to=%2Fcustomers%2F17'
    """
    where = {"token": token, **({"to": page} if page != "/" else {})}
    return f"{url.rstrip('/')}{PATH}?{urlencode(where)}"


def use(app: App, token: str) -> str | None:
    """The actor whom a token lets in; it is used up. None for one that is unknown, used or old."""
    kept = app.state.get(SPACE, _hash(token))
    if kept is None:
        return None
    app.state.drop(SPACE, _hash(token))
    good = datetime.fromisoformat(kept["ends"]) > app.clock().astimezone(UTC)
    return str(kept["actor"]) if good else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
