"""/v1/openapi.json: every route there is, what each answers, and what it asks to be shown; the tracking door's paths too.

FastAPI describes what a route answers when all goes well. What else it answers is one form for all of them (`answers`), and
stands here once: which of these answers a route has follows from what it declares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from tessera.doors.http import callers, openapi_decide, openapi_tracking
from tessera.doors.http.answers import WORDS
from tessera.doors.http.models import Failure

ALWAYS = (400, 413, 415, 421, 429, 500, 503)
"""What any route may answer: refused by the shield, or for its query; nobody's fault but ours; no time."""

SIGNED = (401, 403)
MISREAD = (422,)
OURS = {
    401: "Nobody is signed in, or not by this.", 403: "The answer is no, with the reason.",
    404: "There is no such thing, or not for who asks.", 410: "It is no longer kept.",
    422: "The request is not of the declared form, or asks for too much at once.",
    500: "This failed in a way that we have to look into; the message has a reference.",
}  # fmt: skip
HEADERS = {
    401: {"WWW-Authenticate": {"description": "How to show who one is.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds until one may ask again.", "schema": {"type": "string"}}},
    503: {"Retry-After": {"description": "Seconds until one may ask again.", "schema": {"type": "string"}}},
}
SCHEMES = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "A program's key: `tessera apikey new`."},
    "staff": {"type": "apiKey", "in": "cookie", "name": callers.STAFF_COOKIE, "description": "The session of staff."},
    "customer": {"type": "apiKey", "in": "cookie", "name": callers.CUSTOMER_COOKIE, "description": "A customer's session."},
}
_FASTAPIS = ("HTTPValidationError", "ValidationError")
"""Forms of errors that FastAPI would answer with, and we do not."""


def document(app: FastAPI, routers: Sequence[APIRouter]) -> dict[str, Any]:
    """The document of an application whose routers these are, and of the tracking door beside it."""
    told = app.openapi()
    parts = told.setdefault("components", {})
    for strange in _FASTAPIS:
        parts.get("schemas", {}).pop(strange, None)
    parts["schemas"]["Failure"] = Failure.model_json_schema(ref_template="#/components/schemas/{model}")
    parts["schemas"] |= parts["schemas"]["Failure"].pop("$defs")
    parts["responses"] = {f"Refused{status}": _refused(status) for status in sorted({*WORDS, *OURS})}
    parts["securitySchemes"] = {**SCHEMES, **openapi_tracking.SCHEMES}
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    asked = {(method.lower(), route.path): set(_asked(route.dependant)) for route in routes for method in route.methods or ()}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            _tell(operation, asked.get((method, path), set()))
    openapi_tracking.add(told)
    openapi_decide.add(told)
    return told


def _tell(operation: dict[str, Any], asked: set[Any]) -> None:
    """Adds to a route's description what it answers besides, and who may ask. asked: what the route asks of a request."""
    answers: dict[str, Any] = operation["responses"]
    read = answers.pop("422", None) is not None
    statuses = [*ALWAYS, *(MISREAD if read else ())]
    if asked & {callers.staff, callers.customer}:
        statuses += [*SIGNED, 404, 410]
        operation["security"] = [{"apiKey": []}, {"staff": []}] if callers.staff in asked else [{"customer": []}]
    statuses += [int(status) for status, told in answers.items() if int(status) >= 400 and "content" not in told]
    for status in sorted(set(statuses)):
        if "content" not in answers.get(str(status), ()):
            answers[str(status)] = {"$ref": f"#/components/responses/Refused{status}"}


def _asked(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for one in dependant.dependencies:
        yield from _asked(one)


def _refused(status: int) -> dict[str, Any]:
    form = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    made: dict[str, Any] = {"description": OURS.get(status) or WORDS[status], "content": form}
    return made | ({"headers": HEADERS[status]} if status in HEADERS else {})
