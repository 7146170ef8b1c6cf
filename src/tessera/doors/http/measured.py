"""The metrics at the door itself: for a program with an API key whose role may read them (function `metrics`)."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tessera.app import App
from tessera.doors import auth
from tessera.doors.http.callers import Staff, known_query, site_of
from tessera.doors.metrics import TYPE

router = APIRouter(tags=["about"], dependencies=[Depends(known_query)])


@router.get(
    "/metrics", summary="What the server counts, in Prometheus' form", response_class=Response,
    responses={200: {"content": {TYPE.partition(";")[0]: {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def metrics(request: Request, caller: Staff) -> Response:
    """Counts by source, status and outcome; no person, no key and no address is in them."""
    site = site_of(request)

    def may(app: App) -> None:
        auth.duty(app, caller, "metrics")

    await site.desk.run(may)
    return Response(site.metrics.text() if site.metrics else b"", media_type=TYPE)
