"""Errors at the HTTP door: the tree of errors -> a status and the same document everywhere; what is unforeseen, a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tessera.doors import failures
from tessera.doors.auth import NotSignedIn
from tessera.doors.http.desk import Away
from tessera.errors import BadInput, Busy, Expired, NotFound, Refused, TesseraError, TooMuch

WORDS = {
    400: "This request cannot be read.", 404: "There is nothing at this address.",
    405: "This address does not take that method.", 413: "This request is larger than the door takes.",
    415: "This door takes application/json, as it is.", 421: "This server is not called that.",
    429: "Too many requests. Ask again later.", 431: "The headers of this request are too large.",
    503: "The work took too long, or the workspace is busy. Ask again in a moment.",
}  # fmt: skip
"""What a status says where there is nothing more to say."""


class TooMany(TesseraError):
    """One who asks too often; `retry_s` says when to ask again."""

    def __init__(self, retry_s: float) -> None:
        self.retry_s = max(1, int(retry_s + 0.999))
        super().__init__(WORDS[429])


def told(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error's document."""
    return JSONResponse({"error": {"kind": kind, "message": message}}, status, headers)


def plain(status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error that has nothing more to say than its status."""
    return told(status, "Request", WORDS.get(status, "This request was refused."), headers)


def of(error: TesseraError, var: Path) -> JSONResponse:
    """An error that was raised on purpose. What is ours to mend goes to the log: its sentence may name folders."""
    kind, message = type(error).__name__, str(error)
    if isinstance(error, NotSignedIn):
        return told(401, kind, message, {"WWW-Authenticate": 'Bearer realm="tessera"'})
    if isinstance(error, TooMany):
        return told(429, kind, message, {"Retry-After": str(error.retry_s)})
    if isinstance(error, Away | Busy):
        return told(503, "Busy", WORDS[503], {"Retry-After": "1"})
    if isinstance(error, Expired):
        return told(410, kind, message)
    if isinstance(error, Refused):
        return told(403, kind, message)
    if isinstance(error, NotFound):
        return told(404, kind, message)
    if isinstance(error, TooMuch):
        return told(422, kind, message)
    if isinstance(error, BadInput):
        return told(400, kind, message)
    return unforeseen(error, var)


def unforeseen(error: BaseException, var: Path) -> JSONResponse:
    """An error that nobody expects; its stack is in the log, under the reference that the caller is given."""
    reference, _ = failures.logged(error, var)
    return told(500, "Unexpected", f"This failed in a way that we have to look into. Reference: {reference}")


async def http_error(request: Request, error: Exception) -> JSONResponse:
    """What the router refuses: no such address, no such method."""
    assert isinstance(error, HTTPException)
    return plain(error.status_code, dict(error.headers or {}))


async def misread(request: Request, error: Exception) -> JSONResponse:
    """A body or parameter that is not of its declared form: where it stands, and never what came."""
    assert isinstance(error, RequestValidationError)
    faults: list[Any] = list(error.errors())[:5]
    said = "; ".join(f"{'.'.join(str(p) for p in f['loc'])[:80]}: {_form(f)}" for f in faults)
    return told(422, "BadRequest", f"This request is not of the declared form. {said}. See /v1/openapi.json")


def _form(fault: dict[str, Any]) -> str:
    known = {"missing": "it is missing", "extra_forbidden": "nobody knows this field", "json_invalid": "this is no JSON"}
    return known.get(fault["type"], f"expected another value ({fault['type']})")
