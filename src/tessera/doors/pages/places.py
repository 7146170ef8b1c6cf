"""Every page there is: the routes, and the menu in its order. Another page adds its module here."""

from __future__ import annotations

from types import ModuleType

from fastapi import APIRouter

from tessera.doors.pages import assets, customers, entrance, her_data, her_entrance, her_requests, her_uses, home, me, person
from tessera.doors.pages.menu import Menu

MODULES: tuple[ModuleType, ...] = (home, customers, person)
"""Each has a `router`, and its places in PAGES."""

HERS: tuple[ModuleType, ...] = (her_entrance, me, her_data, her_uses, her_requests)
"""The customer's own, below /me: each has a `router`; the staff's menu knows nothing of them."""

MENU = Menu(tuple(page for module in MODULES for page in module.PAGES))
ROUTERS: tuple[APIRouter, ...] = (assets.router, entrance.router, *(module.router for module in (*MODULES, *HERS)))
