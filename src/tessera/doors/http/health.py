"""Whether the server answers, and whether it takes events: for whoever watches it. Tells nothing else."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict

from tessera.doors.http.callers import known_query, site_of

router = APIRouter(tags=["about"], dependencies=[Depends(known_query)])


class Health(BaseModel):
    """The one answer."""

    model_config = ConfigDict(extra="forbid")
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether events are taken. not ready: the disk has just refused some."""

    model_config = ConfigDict(extra="forbid")
    status: Literal["ready", "not ready"]


@router.get("/v1/health", summary="Whether the server answers")
@router.get("/healthz", summary="Whether the server answers, under the name that orchestrators ask for")
async def health() -> Health:
    """Needs no sign-in; does not touch the workspace."""
    return Health()


@router.get("/readyz", summary="Whether the server takes events", responses={503: {"model": Readiness}})
async def ready(request: Request, response: Response) -> Readiness:
    """Needs no sign-in; does not touch the workspace. While a turn or a command has the workspace, events are taken all the
    same, so the server stays ready; 503 says that what is sent now cannot be kept."""
    site = site_of(request)
    if site.accepts():
        return Readiness(status="ready")
    response.status_code = 503
    return Readiness(status="not ready")
