"""What a customer finds behind her own door: what is known of her, her uses with proofs, her choices. Nothing of others.

Who she is comes from her session alone: no route here takes a person's number. What another room adds for her (requests
for a copy, a correction, an erasure) is a router of its own with the same `her`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, Field

from tessera.app import App
from tessera.doors.auth import NotSignedIn
from tessera.doors.entries import facts
from tessera.doors.http.api import seen_of
from tessera.doors.http.callers import Customer, known_query, site_of
from tessera.doors.http.models import Choice, EntryNumber, Form, PersonSeen
from tessera.trust.access import Reader

T = TypeVar("T")
router = APIRouter(prefix="/v1/me", tags=["customer"], dependencies=[Depends(known_query)])
SHOWN = ("seq", "at", "role", "act", "purpose", "verdict", "reason", "tables", "categories")
"""What she is told of a use: in which role it was done, and not by which colleague."""


class Chosen(Form):
    """Her answer as it stands now."""

    purpose: str
    state: str = Field(pattern="^(given|refused|withdrawn)$")
    until: AwareDatetime | None
    once: bool


async def her(request: Request, customer: Customer, work: Callable[[App, Reader, int], T]) -> T:
    """Does a piece of work for the customer who is signed in; NotSignedIn if she is nobody's any more."""
    key = customer[1]

    def worked(app: App) -> T:
        reader = app.people.subject(key)
        if reader is None:
            raise NotSignedIn
        return work(app, reader, key)

    return await site_of(request).desk.run(worked)


def number(reader: Reader) -> int:
    """Her number."""
    assert reader.subject
    return reader.subject.person


@router.get("", summary="What is known of you")
async def known(request: Request, customer: Customer) -> PersonSeen:
    """All of it in clear, each value with the source that gave it."""
    return await her(request, customer, lambda app, reader, _: seen_of(app.people.portrait_for(reader, number(reader))))


@router.get("/uses", summary="Who used your data, for what")
async def uses(
    request: Request, customer: Customer, limit: Annotated[int, Query(ge=1, le=500)] = 30
) -> list[dict[str, Any]]:
    """Newest first; also what was refused."""

    def work(app: App, reader: Reader, _: int) -> list[dict[str, Any]]:
        return [{f: facts(e)[f] for f in SHOWN} for e in app.people.uses_of(number(reader), limit)]

    return await her(request, customer, work)


@router.get("/uses/{entry}/proof", summary="The proof that a use is in the ledger, and held you")
async def proof(request: Request, entry: EntryNumber, customer: Customer) -> dict[str, Any]:
    """To be checked with the public key alone. An entry that did not hold her is not there."""

    def work(app: App, reader: Reader, _: int) -> dict[str, Any]:
        made: dict[str, Any] = msgspec.to_builtins(app.people.proof(entry, number(reader)))
        return made

    return await her(request, customer, work)


@router.get("/consents", summary="Your choices")
async def consents(request: Request, customer: Customer) -> dict[str, Any]:
    """A record after ISO/IEC TS 27560, whose number stands in the ledger."""
    return await her(request, customer, lambda app, reader, _: app.people.receipt_for(reader, number(reader)))


@router.put("/consents/{purpose}", summary="Agree to a purpose, or withdraw")
async def choose(request: Request, purpose: str, customer: Customer, choice: Choice) -> Chosen:
    """Holds from the next read on, either way. A yes may end at a moment, or with its first use; what was held for it alone
    then burns."""

    def work(app: App, reader: Reader, key: int) -> Chosen:
        state = app.answer(
            reader, key, purpose, agree=choice.agree, language=choice.language, until=choice.until, once=choice.once
        )
        return Chosen(purpose=purpose, state=state, until=choice.until, once=choice.once)

    return await her(request, customer, work)
