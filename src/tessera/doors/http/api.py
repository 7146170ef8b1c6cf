"""The API for those who work with us: questions, persons, the ledger, the matrix. Each route: a function, a role, one call.

What a route may do says access.yaml (functions); what it shows, the matrix. A person whom the caller's role and purpose do
not show is not there: the same answer as for a number that nobody has.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request

from tessera.app import App
from tessera.doors import auth
from tessera.doors.entries import facts
from tessera.doors.http.callers import Staff, count, known_query, site_of
from tessera.doors.http.models import (
    AccessStanding,
    Answered,
    Approval,
    ColumnSeen,
    EntryNumber,
    Found,
    Looked,
    PersonId,
    PersonSeen,
    Purpose,
    Question,
    Role,
    TableSeen,
    TraitSeen,
    Verified,
)
from tessera.doors.http.values import jsonable
from tessera.doors.names import unique
from tessera.doors.standing import facts as standing
from tessera.errors import NotConsented, NotFound, Refused
from tessera.portrait import Portrait
from tessera.trust.access import Reader

router = APIRouter(prefix="/v1", tags=["staff"], dependencies=[Depends(known_query)])
Limit = Annotated[int, Query(ge=1, le=500, description="At most so many")]


@router.post("/sql", summary="One SELECT through the gate")
async def sql(request: Request, asked: Question, caller: Staff) -> Answered:
    """Rows whose people have not agreed to the purpose are not there; columns show what access.yaml gives the role."""
    caps = site_of(request).limits.answer

    def work(app: App) -> Answered:
        reader = auth.reader(app, caller, "sql", asked.role, asked.purpose)
        answer = app.answers.ask(asked.question, reader, caps)
        columns = [c.to_pylist() for c in answer.table.columns]
        rows = [[jsonable(v) for v in row] for row in zip(*columns, strict=True)]
        names = unique(answer.table.column_names)
        return Answered(columns=names, rows=rows, entry=answer.entry, veiled=answer.veiled)

    return await site_of(request).desk.run(work)


@router.get("/tables", summary="The tables and columns that a role sees for a purpose")
async def tables(request: Request, caller: Staff, purpose: Purpose, role: Role = None) -> list[TableSeen]:
    """Columns that are hidden are not in the list, and tables of which nothing is left."""

    def work(app: App) -> list[TableSeen]:
        reader = auth.reader(app, caller, "tables", role, purpose)
        found = []
        for table in app.gate.presented().values():
            seen = [(c, app.gate.seen(table, c.name, reader).verdict) for c in table.columns]
            columns = [
                ColumnSeen(name=c.name, type=c.type, category=c.category, verdict=v) for c, v in seen if v != "hidden"
            ]
            if columns:
                rows, version = app.lake.rows(table.name), app.lake.version(table.name)
                found.append(
                    TableSeen(
                        name=table.name, about=table.reason, note=table.note, rows=rows, version=version, columns=columns
                    )
                )
        return found

    return await site_of(request).desk.run(work)


@router.post("/persons/find", summary="Whom an identifier belongs to")
async def find(request: Request, asked: Looked, caller: Staff) -> Found:
    """By identifiers of a kind that is clear for the role and purpose; persons whom they do not show are left out."""

    def work(app: App) -> Found:
        reader = auth.reader(app, caller, "find", asked.role, asked.purpose)
        return Found(persons=app.people.acting(caller.actor).find_for(reader, asked.identifier))

    return await site_of(request).desk.run(work)


@router.get("/persons/{person}", summary="What a role may see of a person for a purpose")
async def show(request: Request, person: PersonId, caller: Staff, purpose: Purpose, role: Role = None) -> PersonSeen:
    """Each value with the source that gave it; what is masked or closed is listed with the reason."""

    def work(app: App) -> PersonSeen:
        reader = auth.reader(app, caller, "show", role, purpose)
        try:
            return seen_of(app.people.acting(caller.actor).portrait_for(reader, person))
        except (NotConsented, NotFound):
            raise NotFound("Person", str(person)) from None
        except Refused:
            if _shows_anybody(app, reader):
                raise NotFound("Person", str(person)) from None
            raise

    return await site_of(request).desk.run(work)


@router.get("/persons/{person}/consents", summary="What a person has said to each purpose")
async def consents(
    request: Request, person: PersonId, caller: Staff, purpose: Purpose, role: Role = None
) -> dict[str, Any]:
    """A record after ISO/IEC TS 27560; its digest is an entry of the ledger."""

    def work(app: App) -> dict[str, Any]:
        reader = auth.reader(app, caller, "consents", role, purpose)
        people = app.people.acting(caller.actor)
        if not people.visible(reader, [person]):
            raise NotFound("Person", str(person))
        return people.receipt_for(reader, person)

    return await site_of(request).desk.run(work)


@router.get("/ledger", summary="The newest entries of the ledger")
async def ledger(
    request: Request, caller: Staff, limit: Limit = 30, before: Annotated[int | None, Query(ge=0, lt=2**53)] = None
) -> list[dict[str, Any]]:
    """Newest first; the next page ends before the last number of this one."""

    def work(app: App) -> list[dict[str, Any]]:
        auth.duty(app, caller, "ledger")
        most = min(limit, site_of(request).limits.page_rows)
        return [facts(e) for e in app.ledger.entries(before=before, limit=most, newest_first=True)]

    return await site_of(request).desk.run(work)


@router.post("/ledger/verify", summary="Read the whole ledger again and check it")
async def verify(request: Request, caller: Staff) -> Verified:
    """Costs a read of all of it, so it may be asked a few times only."""
    count(request, "verify", caller.actor)

    def work(app: App) -> Verified:
        auth.duty(app, caller, "ledger")
        return Verified(**msgspec.to_builtins(app.ledger.verify()))

    return await site_of(request).desk.run(work)


@router.get("/ledger/{entry}/proof", summary="The proof of one entry, to be checked with the public key alone")
async def proof(request: Request, entry: EntryNumber, caller: Staff) -> dict[str, Any]:
    """As `tessera ledger proof` writes it; it holds nobody's number."""

    def work(app: App) -> dict[str, Any]:
        auth.duty(app, caller, "ledger")
        made: dict[str, Any] = msgspec.to_builtins(app.people.proof(entry))
        return made

    return await site_of(request).desk.run(work)


@router.get("/access/explain", summary="What a role sees of a table for a purpose, and which line says so")
async def explain(
    request: Request,
    caller: Staff,
    purpose: Purpose,
    of_role: Annotated[str, Query(min_length=1, max_length=40, description="A role of access.yaml")],
    table: Annotated[str, Query(min_length=1, max_length=80)],
    column: Annotated[str | None, Query(min_length=1, max_length=80)] = None,
) -> dict[str, Any]:
    """Shows nobody's data."""

    def work(app: App) -> dict[str, Any]:
        auth.duty(app, caller, "explain")
        return asdict(app.explain(of_role, table, column, purpose=purpose))

    return await site_of(request).desk.run(work)


@router.get("/access/changes", summary="The version of the matrix in force, and what waits for approval")
async def changes(request: Request, caller: Staff) -> AccessStanding:
    """Cell by cell, with who approved so far; nobody's data. A file that is written meanwhile counts with the next opening."""

    def work(app: App) -> AccessStanding:
        auth.duty(app, caller, "explain")
        return AccessStanding.model_validate(standing(app.standing))

    return await site_of(request).desk.run(work)


@router.post("/access/approve", summary="Approve the change of access that waits")
async def approve(request: Request, asked: Approval, caller: Staff) -> AccessStanding:
    """In the caller's own name. With the last approval it is in force for whoever asks next."""

    def work(app: App) -> AccessStanding:
        return AccessStanding.model_validate(standing(auth.approve(app, caller, asked.change)))

    return await site_of(request).desk.run(work, reopens=lambda now: now.waiting is None)


def seen_of(portrait: Portrait) -> PersonSeen:
    """A portrait in the API's form."""
    plain: dict[str, Any] = jsonable(asdict(portrait))
    traits = [TraitSeen(**t) for t in plain.pop("traits")]
    return PersonSeen(fields=traits, **plain)


def _shows_anybody(app: App, reader: Reader) -> bool:
    """Whether the role sees profiles at all for the purpose: else the reason of the refusal is no secret."""
    profiles = app.gate.presented()["profiles"]
    return app.gate.seen(profiles, "person_id", reader).verdict != "hidden"
