"""One customer: four figures, why at risk, what happened, the best next step, what she agreed to, who she is."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from tessera.doors.pages.menu import Page
from tessera.doors.pages.taste import known_query

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
PAGES: tuple[Page, ...] = ()
