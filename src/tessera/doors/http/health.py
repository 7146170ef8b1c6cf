"""Whether the server answers: for whoever watches it. Tells nothing else."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from tessera.doors.http.callers import known_query

router = APIRouter(prefix="/v1", tags=["about"], dependencies=[Depends(known_query)])


class Health(BaseModel):
    """The one answer."""

    model_config = ConfigDict(extra="forbid")
    status: Literal["ok"] = "ok"


@router.get("/health", summary="Whether the server answers")
async def health() -> Health:
    """Needs no sign-in; does not touch the workspace."""
    return Health()
