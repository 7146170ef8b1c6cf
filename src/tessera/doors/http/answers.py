"""Errors at the HTTP door: the tree of errors -> a status and the same document everywhere; what is unforeseen, a reference.

`hers`, wherever it is asked for, is the language of a customer at her own door (her_words.at); None elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tessera.doors import failures
from tessera.doors.auth import NotSignedIn
from tessera.doors.http import her_words
from tessera.doors.http.desk import Away
from tessera.doors.http.her_words import Language
from tessera.errors import BadInput, Busy, Expired, NotFound, Refused, TesseraError, TooMuch

WORDS = {
    400: "This request cannot be read.", 404: "There is nothing at this address.",
    405: "This address does not take that method.", 413: "This request is larger than the door takes.",
    415: "This door takes application/json, as it is.", 421: "This server is not called that.",
    429: "Too many requests. Ask again later.", 431: "The headers of this request are too large.",
    503: "The work took too long, or the workspace is busy. Ask again in a moment.",
}  # fmt: skip
"""What a status says where there is nothing more to say."""


KNOCKED: dict[int | str, dict[str, Any]] = {401: {}, 403: {}}
"""What a route says in FastAPI's `responses` that lets somebody in; the document has the rest (openapi.py)."""

FROM_OUTSIDE: dict[int | str, dict[str, Any]] = {403: {}}
"""The same of one that only our own pages may ask."""


class TooMany(TesseraError):
    """One who asks too often; `retry_s` says when to ask again."""

    def __init__(self, retry_s: float) -> None:
        self.retry_s = max(1, int(retry_s + 0.999))
        super().__init__(WORDS[429])


def told(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error's document."""
    return JSONResponse({"error": {"kind": kind, "message": message}}, status, headers)


def plain(status: int, headers: dict[str, str] | None = None, hers: Language | None = None) -> JSONResponse:
    """An error that has nothing more to say than its status."""
    said = her_words.sentence(status, hers) if hers else WORDS.get(status, "This request was refused.")
    return told(status, "Request", said, headers)


def of(error: TesseraError, var: Path, hers: Language | None = None) -> JSONResponse:
    """An error that was raised on purpose. What is ours to mend goes to the log: its sentence may name folders."""
    status, headers = _status(error)
    if status == 500:
        return unforeseen(error, var, hers)
    kind, message = ("Busy", WORDS[503]) if status == 503 else (type(error).__name__, str(error))
    if hers:
        message = her_words.sentence(status, hers, message, headers.get("Retry-After", ""))
    return told(status, kind, message, headers)


def _status(error: TesseraError) -> tuple[int, dict[str, str]]:
    """The status of an error, and what its answer carries."""
    if isinstance(error, NotSignedIn):
        return 401, {"WWW-Authenticate": 'Bearer realm="tessera"'}
    if isinstance(error, TooMany):
        return 429, {"Retry-After": str(error.retry_s)}
    if isinstance(error, Away | Busy):
        return 503, {"Retry-After": "1"}
    # The first that fits: the tree's narrower classes stand before the wider.
    statuses = ((Expired, 410), (Refused, 403), (NotFound, 404), (TooMuch, 422), (BadInput, 400))
    return next((status for kind, status in statuses if isinstance(error, kind)), 500), {}


def unforeseen(error: BaseException, var: Path, hers: Language | None = None) -> JSONResponse:
    """An error that nobody expects; its stack is in the log, under the reference that the caller is given."""
    reference, _ = failures.logged(error, var)
    said = f"This failed in a way that we have to look into. Reference: {reference}"
    return told(500, "Unexpected", her_words.sentence(500, hers, fact=reference) if hers else said)


async def http_error(request: Request, error: Exception) -> JSONResponse:
    """What the router refuses: no such address, no such method."""
    assert isinstance(error, HTTPException)
    return plain(error.status_code, dict(error.headers or {}), her_words.at(request.scope))


async def misread(request: Request, error: Exception) -> JSONResponse:
    """A body or parameter that is not of its declared form: where it stands, and never what came."""
    assert isinstance(error, RequestValidationError)
    faults: list[Any] = list(error.errors())[:5]
    hers = her_words.at(request.scope)
    if hers:
        places = ", ".join(str(f["loc"][-1])[:80] for f in faults)
        return told(422, "BadRequest", her_words.sentence(422, hers, fact=places))
    said = "; ".join(f"{'.'.join(str(p) for p in f['loc'])[:80]}: {_form(f)}" for f in faults)
    return told(422, "BadRequest", f"This request is not of the declared form. {said}. See /v1/openapi.json")


def _form(fault: dict[str, Any]) -> str:
    known = {"missing": "it is missing", "extra_forbidden": "nobody knows this field", "json_invalid": "this is no JSON"}
    return known.get(fault["type"], f"expected another value ({fault['type']})")
