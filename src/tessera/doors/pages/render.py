"""From a template and what it shows to an answer: HTML, packed where the browser takes it, kept by nobody."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tessera.doors.pages.assets import address
from tessera.doors.pages.tongue import NAMES, Tongue

PACKED_FROM = 1_400
"""Bytes from which on packing saves a packet."""


@cache
def environment() -> Environment:
    """The templates, each compiled once. A name that nobody gave is an error, and never an empty place."""
    made = Environment(
        loader=PackageLoader("tessera.doors.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    made.globals.update(asset=address, languages=NAMES, i=icon)
    return made


def icon(name: str) -> Markup:
    """An icon of the sprite; it says nothing that the words beside it do not."""
    return Markup('<svg class="i" aria-hidden="true"><use href="{}#i-{}"/></svg>').format(address("icons.svg"), name)


def words(tongue: Tongue) -> dict[str, Callable[..., str]]:
    """What templates say and write with: `_` and `many` for sentences, the rest for numbers and times."""
    return {
        "_": tongue, "many": tongue.many, "number": tongue.number, "short": tongue.short, "percent": tongue.percent,
        "money": tongue.money, "day": tongue.day, "moment": tongue.moment, "clock": tongue.clock, "ago": tongue.ago,
        "lasting": tongue.lasting, "pick": tongue.pick, "titled": lambda page: replace(tongue, group=page.words)(page.title),
    }  # fmt: skip


def answer(request: Request, template: str, tongue: Tongue, facts: Mapping[str, Any], status: int = 200) -> Response:
    """The page as an answer."""
    text = environment().get_template(template).render(**words(tongue), tongue=tongue, **facts).encode()
    headers = {"vary": "accept-encoding"}
    if len(text) >= PACKED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        text, headers["content-encoding"] = gzip.compress(text, 5), "gzip"
    return Response(text, status, headers, "text/html; charset=utf-8")
