"""Every page there is: the routes, and the menu in its order. Another page adds its module here."""

from __future__ import annotations

from types import ModuleType

from fastapi import APIRouter

from tessera.doors.pages import assets, customers, entrance, home, person, quarantine, sources, status, turning, welcome
from tessera.doors.pages.menu import Menu

MODULES: tuple[ModuleType, ...] = (home, customers, person, sources, quarantine, status, turning, welcome)
"""Each has a `router`, and its places in PAGES."""

MENU = Menu(tuple(page for module in MODULES for page in module.PAGES))
ROUTERS: tuple[APIRouter, ...] = (assets.router, entrance.router, *(module.router for module in MODULES))
