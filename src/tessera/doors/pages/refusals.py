"""What a page says when it cannot show what was asked for: the rule, who can help, a reference; never a stack."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from tessera.doors import failures
from tessera.doors.auth import NotSignedIn
from tessera.doors.http import her_words
from tessera.doors.http.answers import TooMany
from tessera.doors.http.desk import Away
from tessera.doors.pages import render, taste
from tessera.doors.pages.tongue import N_, Tongue
from tessera.doors.pages.visit import frame
from tessera.errors import Busy, Expired, NotFound, Refused, TesseraError

SAID: dict[int, tuple[str, str]] = {
    400: (N_("This cannot be read"), N_("Something in this request is not as the page expects it.")),
    401: (N_("You are not signed in"), N_("Your session has ended. Sign in again, and you come back here.")),
    403: (N_("This is not open to you"), N_("Your role may not see this for this purpose. Nothing was shown.")),
    404: (N_("There is nothing here"), N_("Nothing has this address, or your role does not see it.")),
    405: (N_("This cannot be read"), N_("Something in this request is not as the page expects it.")),
    410: (N_("This is no longer kept"), N_("It was erased, and nothing of it is left to show.")),
    413: (N_("This is too large"), N_("More was sent than this page takes.")),
    422: (N_("This asks for too much"), N_("The answer would be larger, or take longer, than one page may.")),
    429: (N_("Too many requests"), N_("Wait a moment, then ask again.")),
    500: (N_("Something failed here"), N_("It is in the log under this reference; everything else goes on.")),
    503: (N_("Busy for a moment"), N_("Other work has the workspace, a turn perhaps. This page asks again by itself.")),
}
"""Status -> its title and its sentence."""


HERS: dict[int, str] = {401: N_("Please ask for a new link"), 403: N_("We cannot do this here")}
"""Titles of her own where the others' say too much of roles."""


class Erased(Expired):
    """Somebody who was erased. at: when; nothing else of her is left to tell."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        Refused.__init__(self, "This person was erased.")


def serves(path: str) -> bool:
    """Whether an address is a page's, and not the API's."""
    return not path.startswith(("/v1/", "/metrics", "/static/", "/health", "/ready", "/live/", "/me/live")) and path != "/v1"


def is_hers(path: str) -> bool:
    """Whether an address is one of the customer's own pages."""
    return path == "/me" or path.startswith("/me/")


def status_of(error: TesseraError) -> int:
    """The status of an error that was raised on purpose."""
    statuses = ((NotSignedIn, 401), (TooMany, 429), (Away, 503), (Busy, 503), (Expired, 410), (Refused, 403), (NotFound, 404))
    return next((status for kind, status in statuses if isinstance(error, kind)), 400)


def of(request: Request, error: TesseraError, var: Path) -> Response:
    """The page of an error. Its own sentence stands below ours as the detail that whoever runs the house needs."""
    from tessera.errors import BadInput, TooMuch

    status = 422 if isinstance(error, TooMuch) else status_of(error)
    if status == 400 and not isinstance(error, BadInput):
        return unforeseen(request, error, var)
    if isinstance(error, Erased):
        return plain(request, status, when=error.at)
    return plain(request, status, str(error))


def plain(
    request: Request, status: int, detail: str = "", reference: str = "", when: datetime | None = None
) -> Response:
    """The page of a status. when: what is gone went."""
    title, sentence = SAID.get(status, SAID[400])
    language, hers = taste.of(request).language, is_hers(request.url.path)
    if hers:  # her words, and nothing of what helps whoever runs the house
        title = HERS.get(status, title)
        sentence, detail = her_words.sentence(status, language, detail, fact=reference), ""
    facts = {**frame(request), "status": status, "title": title, "sentence": sentence, "detail": detail, "reference": reference,
             "when": when}  # fmt: skip
    facts |= {"hers": hers}
    if status == 404:  # the address is whatever somebody wrote, and is not repeated
        facts |= {"here": "/me" if hers else "/", "query": ""}
    made = render.answer(request, "refused.html", Tongue(language), facts, status)
    if status == 503:
        made.headers["retry-after"] = "2"
    return made


def unforeseen(request: Request, error: BaseException, var: Path) -> Response:
    """The page of an error that nobody expects."""
    reference, _ = failures.logged(error, var)
    return plain(request, 500, reference=reference)
