"""The pages (API3, API5): every place x role x person: no value in the bytes of a page that its viewer may not see in clear."""

from __future__ import annotations

import gzip

from tessera.doors.drill.report import Trial
from tessera.doors.drill.shop import CLEAR, FUNCTIONS, PURPOSE
from tessera.doors.drill.target import Target
from tessera.doors.pages import places

MORE = (
    "/customers?sort=revenue", "/customers/{person}", "/customers?q={email}", "/segments/{word}", "/models/{word}",
    "/decisions/{word}", "/uses/0", "/lineage/profiles", "/lineage/profiles?column=email", "/explore?table=profiles",
    "/quality?department={word}", "/sources/crm", "/requests/new",
)  # fmt: skip
"""Addresses below the places, with {person}, {email} and {word} to be filled in."""

KNOWN = (200, 303, 400, 403, 404, 410, 422)


def seen(target: Target, trial: Trial) -> None:
    """Asked by each role's key for its purpose; nobody who is not signed in sees anything."""
    assert target.shop
    listed = [page.path for page in places.MENU.pages if "{" not in page.path]
    person = target.shop.people[0]
    below = [
        at.format(person=p.number, email=p.email, word="none")
        for at in MORE for p in target.shop.people if "{" in at or p is person
    ]
    for path in sorted({*listed, *below}):
        told = target.ask("GET", path)
        led = told.status == 303 and told.headers.get("location", "").startswith("/sign-in")
        trial.that(led or told.status == 404, f"{_bare(path)} is answered {told.status} to nobody")
        for role, key in target.shop.keys.items():
            headers = {"Cookie": f"tessera-lens={role}/{PURPOSE[role]}", "Accept-Encoding": "gzip"}
            told = target.ask("GET", path, key=key, headers=headers)
            trial.that(told.status in KNOWN, f"{role}: {_bare(path)} is answered {told.status}")
            body = gzip.decompress(told.body) if told.headers.get("content-encoding") == "gzip" else told.body
            for one in target.shop.people:
                hers = one.values()
                open_ = CLEAR[role] if one.seen_by(role) and FUNCTIONS[role] else set[str]()
                # What she wrote into the address herself is no secret to her.
                for field in hers.keys() - open_:
                    shown = hers[field].encode() in body and hers[field] not in path
                    trial.that(not shown, f"{role}: {_bare(path)} shows {field} of somebody, which she may not see in clear")


def _bare(path: str) -> str:
    """An address without what stands for a person."""
    return path.partition("?")[0]
