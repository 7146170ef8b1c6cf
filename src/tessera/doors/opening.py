"""A link that opens the pages for whoever works on this machine: good once, for minutes; `tessera open` makes it.

In a demo, whose people are made up, it may open the page of one of them instead (`tessera open --customer`). Nowhere else: who
can come in as a customer can agree in her name, and then no consent in the ledger would prove anything.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from tessera.app import App
from tessera.errors import NotAllowed, NotFound

SPACE = "opening"
GOOD = timedelta(minutes=10)
PATH = "/enter"
AT = ("server", "url")
"""Where the address of the server is noted that ran here last."""

USUAL = "https://127.0.0.1:8000"
"""The address of a server that nobody has told anything else."""


MADE_UP = "world/truth/counts.json"
"""What `tessera demo` leaves in a workspace whose people are made up."""


@dataclass(frozen=True)
class Opened:
    """Whom a token lets in: an actor; or, with the key of a made-up customer, that actor at her page."""

    actor: str
    key: int = 0


def mint(app: App, actor: str, good: timedelta = GOOD, customer: int = 0) -> str:
    """A token that lets an actor in once. What is kept is its hash. customer: the number of the made-up person whose page it
    opens. Raises NotAllowed for one where people are real, NotFound for a number of nobody."""
    key = _key(app, customer) if customer else 0
    token, now = secrets.token_urlsafe(32), app.clock().astimezone(UTC)
    for old, kept in app.state.items(SPACE).items():
        if datetime.fromisoformat(kept["ends"]) <= now:
            app.state.drop(SPACE, old)
    app.state.put(SPACE, _hash(token), {"actor": actor, "key": key, "ends": (now + good).isoformat()})
    return token


def link(url: str, token: str, page: str = "/") -> str:
    """What a browser is given: the address of the server at which the token is used up, and the page to go on to.

    >>> link("http://127.0.0.1:8000/", "t0ken", "/customers/17")
    'http://127.0.0.1:8000/enter?token=t0ken&to=%2Fcustomers%2F17'
    """
    where = {"token": token, **({"to": page} if page != "/" else {})}
    return f"{url.rstrip('/')}{PATH}?{urlencode(where)}"


def use(app: App, token: str) -> Opened | None:
    """Whom a token lets in; it is used up. None for one that is unknown, used or old."""
    kept = app.state.get(SPACE, _hash(token))
    if kept is None:
        return None
    app.state.drop(SPACE, _hash(token))
    good = datetime.fromisoformat(kept["ends"]) > app.clock().astimezone(UTC)
    return Opened(str(kept["actor"]), int(kept.get("key", 0))) if good else None


def _key(app: App, person: int) -> int:
    if not (app.config.root / MADE_UP).is_file():
        raise NotAllowed(
            "Her page opens to a customer alone, and this workspace is no demo.",
            "She asks for a letter with a link at /me/sign-in; a demo is made by: tessera demo",
        )
    keys = app.people.keys(person)
    if not keys:
        raise NotFound("Person", str(person))
    return keys[0]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
