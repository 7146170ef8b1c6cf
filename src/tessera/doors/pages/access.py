"""Access: who may see what for what, cell by cell, and which line says so; who has which role; what waits."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.category_words import category
from tessera.doors import auth
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.trust_words import BASES, FUNCTIONS, VERDICTS
from tessera.doors.pages.visit import Visitor, form, go
from tessera.errors import NotAllowed, NotFound
from tessera.trust import functions
from tessera.trust.entries import Filter
from tessera.trust.explained import Cell
from tessera.trust.versions import Standing

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
ACCESS = Page(
    name="access", path="/access", title=N_("Access"), icon="key-round", group="govern", function="explain", key="k"
)
PAGES = (ACCESS,)

Word = Annotated[str, Query(max_length=80)]
PAST, LOOKED = 8, 50_000
"""Entries of former versions that are shown, and how far back they are looked for."""


@router.get(ACCESS.path)
async def access(
    visit: Visitor, purpose: Word = "", table: Word = "", role: Word = "", what: Word = ""
) -> Response:
    """The matrix for a purpose: by data category, or by the columns of a table. role, what: the cell that is explained, by
    category or column."""
    return await visit.page(ACCESS, "access.html", lambda room: _shown(room, purpose, table, role, what))


@router.post("/access/approve")
async def approve(visit: Visitor) -> Response:
    """Approves the change that waits, in the viewer's own name; with the last approval it is in force for whoever asks next."""
    fields = await form(visit.request)

    def work(room: Room) -> dict[str, Any] | Standing:
        try:
            return auth.approve(room.app, visit.caller, fields.get("change", "")[:64])
        except NotFound as no:
            said = N_("No such change waits any more; it was taken back, or is in force.")
            return _hitched(visit, room, said, str(no))
        except NotAllowed as no:
            said = N_("You cannot approve this change: somebody else with the right role has to.")
            return _hitched(visit, room, said, str(no))

    done = await visit.run(ACCESS, work, reopens=lambda made: isinstance(made, Standing) and made.waiting is None)
    return go(ACCESS.path) if isinstance(done, Standing) else visit.show("access.html", done, status=403)


def _hitched(visit: Any, room: Room, sentence: str, detail: str) -> dict[str, Any]:
    return {**visit.frame(room, ACCESS), **_shown(room), "hitch": sentence, "detail": detail}


def _shown(room: Room, purpose: str = "", table: str = "", role: str = "", what: str = "") -> dict[str, Any]:
    app, config = room.app, room.app.config
    if purpose and purpose not in config.purposes:
        raise NotFound("Purpose", purpose, config.purposes)
    chosen = purpose or room.lens.purpose
    rows = _by_column(room, chosen, table) if table else _by_category(room, chosen)
    asked = next((cells.get(role) for name, cells in rows.items() if name == what), None)
    said = config.purposes[chosen]
    return {
        "purpose": chosen, "sentence": room.tongue.pick(said.sentence), "basis": room.tongue(BASES[said.basis]),
        "needs_consent": said.needs_consent, "names": list(config.purposes), "table": table, "verdicts": VERDICTS,
        "tables": sorted(app.gate.presented()), "roles": list(config.access.roles), "rows": rows, "role": role, "what": what,
        "why": _why(room, asked) if asked else None, "about": {n: _about(room, n, table) for n in rows},
        "actors": config.access.actors, "rules": config.access.row_rules, "functions": _functions(room),
        "standing": app.standing,
        "approves": _approves(room), "past": _past(room), "changes": config.access.changes, "hitch": "", "detail": "",
    }  # fmt: skip


def _by_category(room: Room, purpose: str) -> dict[str, dict[str, Cell]]:
    """Category -> role -> its cell; categories in which no role sees anything come last."""
    found: dict[str, dict[str, Cell]] = {}
    for cell in room.app.matrix(purpose=purpose):
        found.setdefault(cell.category, {})[cell.role] = cell
    return found


def _by_column(room: Room, purpose: str, table: str) -> dict[str, dict[str, Cell]]:
    """Column -> role -> its cell. Raises UnknownTable."""
    found: dict[str, dict[str, Cell]] = {}
    for role in room.app.config.access.roles:
        for cell in room.app.explain(role, table, purpose=purpose).columns:
            found.setdefault(cell.column, {})[role] = cell
    return found


def _about(room: Room, name: str, table: str) -> str:
    """What a row is, in small: of a category its plain name, of a column its category."""
    if table:
        return room.app.gate.presented()[table].column(name).category
    return category(name, room.tongue.language)


def _why(room: Room, cell: Cell) -> Row:
    """The cell in words: what decided it, by file and line."""
    tongue = room.tongue
    file, _, line = cell.where.partition(":")
    facts = {"role": cell.role, "category": cell.category, "purpose": cell.purpose, "verdict": tongue(VERDICTS[cell.verdict])}
    if file == "access.yaml":
        said = tongue("Line {line} of access.yaml gives {role} {category} for {purpose}: {verdict}.", line=line, **facts)
    elif file:
        del facts["role"], facts["verdict"]
        said = tongue("{purpose} may not use {category} at all: line {line} of purposes.yaml.", line=line, **facts)
    else:
        said = tongue("No line of access.yaml speaks of it, and what no line allows is hidden.")
    held = [a.name for a in room.app.config.access.actors if cell.role in a.roles]
    return {"cell": cell, "said": said, "where": cell.where, "held": held, "verdict": cell.verdict}


def _functions(room: Room) -> list[tuple[str, dict[str, bool]]]:
    """Function -> role -> whether it may use it at the door."""
    config = room.app.config.access
    return [
        (room.tongue(name), {r: bool(functions.allowed(config, [r], function)) for r in config.roles})
        for function, name in FUNCTIONS.items()
    ]


def _approves(room: Room) -> bool:
    """Whether the viewer may approve what waits, and has not yet."""
    waiting = room.app.standing.waiting
    if waiting is None or room.caller.actor in waiting.approved:
        return False
    held = functions.allowed(room.app.config.access, auth.roles_of(room.app, room.caller), "approve")
    return any(r in waiting.needs.roles for r in held)


def _past(room: Room) -> list[Any]:
    return list(islice(room.app.ledger.matching(Filter(act="access"), most=LOOKED), PAST))
