"""Every page there is: the routes, and the menu in its order. Another page adds its module here."""

from __future__ import annotations

from types import ModuleType

from fastapi import APIRouter

from tessera.doors.pages import (
    access,
    assets,
    attribution,
    changes,
    consent,
    customers,
    decisions,
    entrance,
    explore,
    her_data,
    her_entrance,
    her_requests,
    her_uses,
    home,
    lineage,
    live,
    me,
    models,
    person,
    quality,
    quarantine,
    questions,
    requests,
    requests_acts,
    retention,
    segment,
    segments,
    sources,
    status,
    turning,
    uses,
    welcome,
)
from tessera.doors.pages.menu import Menu

MODULES: tuple[ModuleType, ...] = (
    home, customers, person, segments, segment, attribution, retention, models, live, decisions, consent, requests_acts,
    requests, uses, changes, explore, questions, lineage, quality, access, sources, quarantine, status, turning, welcome,
)  # fmt: skip
"""Each has a `router`, and its places in PAGES."""

HERS: tuple[ModuleType, ...] = (her_entrance, me, her_data, her_uses, her_requests)
"""The customer's own, below /me: each has a `router`; the staff's menu knows nothing of them."""

MENU = Menu(tuple(page for module in MODULES for page in module.PAGES))
ROUTERS: tuple[APIRouter, ...] = (assets.router, entrance.router, *(module.router for module in (*MODULES, *HERS)))
