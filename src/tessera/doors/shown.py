"""The way from a filled demo to a customer's page: whom to look at, the server in the background, and the link."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tessera.app import App
from tessera.doors import background, opening
from tessera.doors.background import Started
from tessera.errors import TesseraError

IDLE_MINUTES = 60
TELLING = ("churn", "customer_value", "next_products", "interests", "device_health", "segments")
"""Tables that a customer's page is made of beside her profile: the more of them know her, the more there is to see."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A served demo. person: whose page the link leads to; None: to the list."""

    started: Started
    link: str
    person: int | None


def worth(app: App) -> int | None:
    """The customer whose page shows most: known to most tables, then with most at stake; None where nobody is to be seen. It is
    asked as any question is: through the gate, with its entry."""
    made = [t for t in TELLING if app.lake.version(t) is not None]
    known = " + ".join(["0", *(f"(p.person_id IN (SELECT person_id FROM {t}))::INT" for t in made)])
    stake = "p.revenue_cents" if "churn" not in made else "c.probability * p.revenue_cents"
    joined = "" if "churn" not in made else " LEFT JOIN churn c ON c.person_id = p.person_id"
    try:
        found = app.sql(
            f"SELECT p.person_id FROM profiles p{joined} WHERE p.orders > 0 "
            f"ORDER BY {known} DESC, {stake} DESC NULLS LAST, p.person_id LIMIT 1",
            purpose="operate",
        ).rows()
    except TesseraError:  # an owner may have closed any of it: then the link leads to the list
        return None
    return int(found[0][0]) if found else None


def page_of(person: int | None) -> str:
    """Where her page is."""
    return f"/customers/{person}" if person is not None else "/customers"


def served(root: Path, token: str, person: int | None) -> Shown:
    """Starts the server of a workspace for this machine alone, or finds it; and the link to it. Raises BadInput."""
    started = background.start(root, ["--plain-http", "--idle-minutes", str(IDLE_MINUTES)])
    return Shown(started=started, link=opening.link(started.note.url, token, page_of(person)), person=person)
