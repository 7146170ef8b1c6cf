"""A customer at her own pages: whom to be, her session, and her pages asked as she asks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from given_pages import Open, Told

from tessera.app import App
from tessera.doors import opening
from tessera.doors.http.callers import CUSTOMER_COOKIE
from tessera.trust.access import SUBJECT
from tessera.trust.sessions import Sessions

PAGES = (
    "/me", "/me/data", "/me/uses", "/me/requests", "/me/copy", "/me/correct", "/me/delete", "/me/check",
)  # fmt: skip


@dataclass(frozen=True)
class She:
    """One customer who is signed in."""

    house: Open
    person: int
    cookie: str

    def get(self, path: str, **more: Any) -> Told:
        """A page of hers."""
        return self.house.get(path, signed_in=False, cookies=self.cookie, **more)

    def post(self, path: str, form: Mapping[str, Any], **more: Any) -> Told:
        """A form of hers."""
        return self.house.post(path, form, signed_in=False, cookies=self.cookie, **more)


def somebody(house: Open, *, among: int = 0, allows: tuple[str, ...] = ("analytics", "personalise")) -> int:
    """A person who allows these purposes and is known well: with an e-mail, orders and visits."""

    def work(app: App) -> list[int]:
        asked = "SELECT person_id FROM profiles WHERE orders > 0 AND events > 0 AND email IS NOT NULL ORDER BY person_id"
        found = app.answers.ask(asked, app.reader("owner", "operate")).table.column(0).to_pylist()
        open_ = [app.permits.ids(app.config.purposes[p], "person") for p in allows]
        return [p for p in found if all(p in ids for ids in open_)]

    found: int = house.run(work)[among]
    return found


def entered(house: Open, person: int) -> She:
    """She, by a session of hers."""

    def work(app: App) -> str:
        return Sessions(app.state, app.clock).begin("customer", SUBJECT, app.people.keys(person)[0])

    return She(house, person, f"{CUSTOMER_COOKIE}={house.run(work)}")


def window(house: Open, context: Any, person: int, *, lang: str = "en", theme: str = "light") -> Any:
    """A window of a browser at her own page, let in as `tessera open --customer` does it: Chromium takes a __Host- cookie over
    plain HTTP from this machine's own server alone."""
    context.add_cookies([{"name": "tessera-taste", "value": f"{lang}.{theme}", "url": house.url}])
    token = house.run(lambda app: opening.mint(app, app.me, customer=person))
    page = context.new_page()
    page.goto(f"{house.url}{opening.PATH}?token={token}", wait_until="load")
    return page
