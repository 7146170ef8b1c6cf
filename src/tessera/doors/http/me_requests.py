"""What a customer asks for behind her own door: a copy, a correction, a restriction, an objection, an erasure; with receipts.

Her session has made sure who she is. What acts on her data at once is done at once; a copy is made when she fetches it; an
erasure, which nobody can take back, waits for an officer (`tessera request run`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import StreamingResponse

from tessera.app import App
from tessera.desk import FILED
from tessera.doors.http.callers import Customer, known_query, site_of
from tessera.doors.http.me_data import her, number
from tessera.doors.http.models import Form, RequestNumber, Sent
from tessera.errors import NotFound
from tessera.trust.access import Reader
from tessera.trust.requests import Kind
from tessera.trust.requests import Request as Asked

BY, CHANNEL = "customer", "own door"
AT_ONCE = ("correction", "restriction", "objection")
COPY = "copy-"
"""How the name of a copy begins that is on its way out; in var/spill, which a start empties of it."""

CHUNK = 1 << 16
router = APIRouter(prefix="/v1/me/requests", tags=["customer"], dependencies=[Depends(known_query)])


class Wish(Sent):
    """What she asks for. purpose: what an objection is to. changes: of a correction, field -> value."""

    kind: str = Field(pattern="^(access|portability|correction|restriction|objection|erasure)$")
    purpose: str | None = Field(default=None, min_length=1, max_length=40)
    changes: dict[str, str] = Field(default_factory=dict, max_length=20)


class Standing(Form):
    """A request of hers as it stands."""

    id: int
    kind: str
    status: str
    opened_at: str
    due: str
    days_left: int
    purpose: str | None
    outcome: dict[str, Any]


@router.get("", summary="What you have asked for")
async def listed(request: Request, customer: Customer) -> list[Standing]:
    """Newest first."""
    return await her(
        request, customer, lambda app, reader, _: [_standing(app, r) for r in sorted(hers(app, reader), key=lambda r: -r.id)]
    )


@router.post("", summary="Ask for a copy, a correction, a restriction, an objection or an erasure", status_code=201)
async def ask(request: Request, customer: Customer, wish: Wish) -> Standing:
    """A correction, a restriction and an objection are done when this answers."""

    def work(app: App, reader: Reader, _: int) -> Standing:
        return _standing(app, asked_for(app, reader, wish.kind, wish.purpose, wish.changes))  # type: ignore[arg-type]

    return await her(request, customer, work)


@router.get("/{asked}/receipt", summary="The signed receipt of a request")
async def receipt(request: Request, asked: RequestNumber, customer: Customer) -> dict[str, Any]:
    """What was asked, when, what came of it; to be checked with the public key."""
    return await her(request, customer, lambda app, reader, _: app.desk.receipt(one(app, reader, asked).id, by=BY))


@router.get(
    "/{asked}/copy", summary="The copy that you asked for, as a zip", response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)  # fmt: skip
async def copy(
    request: Request, asked: RequestNumber, customer: Customer,
    language: Annotated[str, Query(pattern="^(en|zh)$")] = "en",
) -> StreamingResponse:
    """Made now: a page to read, JSON, CSV, a manifest. The file is gone from our disk before its first byte leaves. What asks
    for something else has no copy, and nothing is done about it here."""
    folder = site_of(request).desk.root / "var" / "spill"

    path = await her(request, customer, lambda app, reader, _: copied(app, reader, asked, folder, language))
    return sent(path, asked)


def asked_for(
    app: App, reader: Reader, kind: Kind, purpose: str | None = None, changes: Mapping[str, str] | None = None
) -> Asked:
    """Opens a request of hers and notes who she is; what can be done at once is done."""
    opened = app.desk.open(
        kind, person=number(reader), channel=CHANNEL, purpose=purpose, changes=changes, by=BY
    )
    opened = app.desk.verify(opened.id, "account", by=BY)
    return app.desk.run(opened.id, by=BY) if kind in AT_ONCE else opened


def copied(app: App, reader: Reader, asked: int, folder: Path, language: str) -> Path:
    """Makes the copy that a request of hers asks for; NotFound for one that asks for something else."""
    wish = one(app, reader, asked)
    if wish.kind not in FILED:
        raise NotFound("Copy", f"of request {asked}")
    path = folder / f"{COPY}{secrets.token_hex(8)}.zip"
    app.desk.run(wish.id, path, language=language, by=BY)
    return path


def sent(path: Path, asked: int) -> StreamingResponse:
    """A copy on its way out; the file is gone from our disk before its first byte is."""
    file = path.open("rb")
    path.unlink()
    headers = {"Content-Disposition": f'attachment; filename="tessera-request-{asked}.zip"'}
    return StreamingResponse(iter(lambda: file.read(CHUNK), b""), media_type="application/zip", headers=headers)


def hers(app: App, reader: Reader) -> list[Asked]:
    """What she has asked for."""
    assert reader.subject
    return [r for r in app.desk.all(by=BY) if r.key is not None and r.key in reader.subject.keys]


def one(app: App, reader: Reader, asked: int) -> Asked:
    """Her request of that number; another's is not there."""
    found = next((r for r in hers(app, reader) if r.id == asked), None)
    if found is None:
        raise NotFound("Request", str(asked))
    return found


def _standing(app: App, request: Asked) -> Standing:
    return Standing(
        id=request.id, kind=request.kind, status=request.status, opened_at=request.opened_at, due=request.due,
        days_left=app.desk.days_left(request), purpose=request.purpose, outcome=request.outcome,
    )  # fmt: skip
