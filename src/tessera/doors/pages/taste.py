"""How a reader wants pages: language and theme, from the address, her cookie, or what her browser prefers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from fastapi import Request
from starlette.responses import Response

from tessera.doors.http.callers import check_query
from tessera.doors.http.her_words import preferred
from tessera.doors.pages.tongue import NAMES, Language

COOKIE = "tessera-taste"
YEAR_S = 365 * 86_400
Theme = Literal["", "light", "dark"]
ASKED = ("lang", "theme")


@dataclass(frozen=True)
class Taste:
    """theme: empty follows the system."""

    language: Language
    theme: Theme

    @property
    def cookie(self) -> str:
        """What her browser keeps."""
        return f"{self.language}.{self.theme}"


def of(request: Request) -> Taste:
    """Her taste; whatever is not one of ours counts as not said."""
    kept, _, theme = request.cookies.get(COOKIE, "").partition(".")
    language = request.query_params.get("lang", kept)
    if language not in NAMES:
        language = kept if kept in NAMES else preferred(request.headers.get("accept-language", ""))
    theme = request.query_params.get("theme", theme)
    return Taste(language, cast(Theme, theme if theme in ("light", "dark") else ""))


def keep(request: Request, response: Response) -> Response:
    """Notes what the address asked for, so that the next page has it too."""
    if any(name in request.query_params for name in ASKED):
        response.set_cookie(COOKIE, of(request).cookie, max_age=YEAR_S, secure=True, httponly=True, samesite="lax", path="/")
    return response


def known_query(request: Request) -> None:
    """Refuses a query with a name that neither the page nor every page knows, or one given twice."""
    check_query(request, ASKED)
