"""What the customer asks for: a copy, a correction, a stop, a deletion; and how far each of it is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tessera.copy_words import column
from tessera.data.profiles import CONTESTABLE
from tessera.desk import FILED
from tessera.doors.http.callers import site_of
from tessera.doors.http.me_requests import BY, asked_for, copied, one, sent
from tessera.doors.http.models import RequestNumber
from tessera.doors.pages import her_sayings
from tessera.doors.pages.her_visit import Her, HerRoom
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import form, go
from tessera.errors import BadInput
from tessera.request_receipt import told
from tessera.trust.requests import Kind, due
from tessera.trust.requests import Request as Asked

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
LIST = "/me/requests"

KINDS: dict[str, tuple[str, str]] = {
    "access": (N_("A copy of your data"), "download"), "portability": (N_("Your data to take with you"), "download"),
    "correction": (N_("A correction"), "pencil"), "restriction": (N_("Store my data, do not use it"), "pause"),
    "objection": (N_("An objection"), "hand"), "erasure": (N_("Delete my data"), "trash-2"),
}  # fmt: skip
STEPS: tuple[tuple[str, str], ...] = (
    ("received", N_("Received")), ("verifying", N_("We make sure it is you")), ("in progress", N_("In progress")),
    ("done", N_("Done")),
)  # fmt: skip


@router.get(LIST)
async def listed(her: Her) -> Response:
    """The newest first, and what else she may ask for."""

    def work(room: HerRoom) -> dict[str, Any]:
        return {"requests": [_shown(room, r) for r in room.requests], "restricted": any(_restricts(r) for r in room.requests)}

    return await her.page("me_requests.html", work)


@router.get(LIST + "/{asked}")
async def followed(her: Her, asked: RequestNumber) -> Response:
    """One request; another's is not there."""

    def work(room: HerRoom) -> dict[str, Any]:
        found = one(room.app, room.her, asked)
        made = room.app.desk.receipt(found.id, by=BY)
        acts = [(told(e["act"], found.kind, room.tongue.language), e["at"]) for e in made["history"]]
        return {
            "r": _shown(room, found), "reasons": list(made["reasons"].values()), "acts": acts,
            "outcome": _outcome(room, found), "steps": _steps(room, found),
        }  # fmt: skip

    return await her.page("me_request.html", work)


@router.get(LIST + "/{asked}/receipt")
async def receipt(her: Her, asked: RequestNumber) -> Response:
    """The signed receipt, to be checked with the public key."""
    made: dict[str, Any] = await her.run(lambda room: room.app.desk.receipt(one(room.app, room.her, asked).id, by=BY))
    headers = {"Content-Disposition": f'attachment; filename="receipt-{asked}.json"'}
    return JSONResponse(made, headers=headers)


@router.get(LIST + "/{asked}/copy")
async def copy(her: Her, asked: RequestNumber, request: Request) -> Response:
    """The copy, made now."""
    folder = site_of(request).desk.root / "var" / "spill"
    path = await her.run(lambda room: copied(room.app, room.her, asked, folder, room.tongue.language))
    return sent(path, asked)


@router.get("/me/copy")
async def copy_asked(her: Her) -> Response:
    """What a copy holds."""
    return await her.page("me_copy.html", lambda room: {"rows": sum(h.rows for h in room.known.held)})


@router.get("/me/correct")
async def correct_asked(her: Her) -> Response:
    """The fields that she may correct, as we have them."""
    return await her.page("me_correct.html", lambda room: {"fields": _fields(room), "wrong": False})


@router.get("/me/delete")
async def delete_asked(her: Her) -> Response:
    """The one question before her data is deleted: what goes, what a law keeps, when."""

    def work(room: HerRoom) -> dict[str, Any]:
        waiting = next((r for r in room.requests if r.kind == "erasure" and r.open), None)
        day = due(room.now, room.app.config.requests)
        return {
            "rows": sum(h.rows for h in room.known.held), "until": day, "waiting": waiting,
            "sweep_days": room.app.config.sweep_days,
            "kept": [
                {"what": " · ".join(her_sayings.table(t, room.tongue) for t in p.holds), "why": room.tongue.pick(p.sentence)}
                for p in room.app.rights.duties.holding
            ],
        }

    return await her.page("me_delete.html", work)


@router.post("/me/copy")
async def copy_wanted(her: Her) -> RedirectResponse:
    """A copy."""
    return await _opened(her, "access")


@router.post("/me/delete")
async def delete_wanted(her: Her) -> RedirectResponse:
    """An erasure; an officer runs it, for nobody can take it back."""
    return await _opened(her, "erasure")


@router.post("/me/restrict")
async def restrict_wanted(her: Her) -> RedirectResponse:
    """Store, and do not use: at once."""
    return await _opened(her, "restriction")


@router.post("/me/object")
async def object_wanted(her: Her) -> RedirectResponse:
    """One purpose is closed to her data: at once."""
    return await _opened(her, "objection", purpose=(await form(her.request)).get("purpose", ""))


@router.post("/me/correct")
async def correct_wanted(her: Her) -> Response:
    """New values for the fields that she filled in."""
    fields = await form(her.request)
    changes = {f: fields[f].strip() for f in CONTESTABLE if fields.get(f, "").strip()}
    try:
        return await _opened(her, "correction", changes=changes)
    except BadInput:
        return await her.page("me_correct.html", lambda room: {"fields": _fields(room, changes), "wrong": True}, status=400)


async def _opened(
    her: Her, kind: Kind, *, purpose: str | None = None, changes: dict[str, str] | None = None
) -> RedirectResponse:
    made: Asked = await her.run(lambda room: asked_for(room.app, room.her, kind, purpose, changes))
    return go(f"{LIST}/{made.id}")


def _fields(room: HerRoom, given: dict[str, str] | None = None) -> list[dict[str, Any]]:
    made = room.app.people.portrait_for(room.her, room.person)
    known = {t.field: t.value for t in made.traits}
    return [
        {
            "name": f, "label": column(f, room.tongue.language, "profiles"), "value": known.get(f),
            "given": (given or {}).get(f, ""),
            "type": {"email": "email", "phone": "tel"}.get(f, "text"),
        }
        for f in CONTESTABLE
    ]  # fmt: skip


def _shown(room: HerRoom, asked: Asked) -> dict[str, Any]:
    """A request as a line of the list has it."""
    name, icon = KINDS[asked.kind]
    named = room.app.config.purposes.get(asked.purpose or "")
    done = next((e.at for e in reversed(asked.history) if e.act.startswith((f"{asked.kind} done", "refused"))), "")
    return {
        "id": asked.id, "name": room.tongue(name), "icon": icon, "status": asked.status, "opened": asked.opened_at,
        "due": asked.due, "left": room.app.desk.days_left(asked), "extended": asked.extended, "kind": asked.kind,
        "done_at": done, "purpose": room.tongue.pick(named.sentence) if named else "",
        "file": asked.kind in FILED and asked.status != "refused", "lifted": bool(asked.outcome.get("lifted")),
    }  # fmt: skip


def _steps(room: HerRoom, asked: Asked) -> list[dict[str, str]]:
    """The status line. A refused one ends with its no."""
    order = [name for name, _ in STEPS]
    at = order.index(asked.status) if asked.status in order else len(order) - 1
    when = [asked.opened_at, asked.check.at, "", ""]
    found = []
    for n, (name, title) in enumerate(STEPS):
        refused = asked.status == "refused" and name == "done"
        state = "no" if refused else "past" if n < at or asked.status == "done" else "now" if n == at else ""
        said = room.tongue(N_("Answered with a no")) if refused else room.tongue(title)
        found.append({"title": said, "state": state, "at": when[n]})
    return found


def _outcome(room: HerRoom, asked: Asked) -> list[str]:
    """What came of it, in sentences; texts of reasons stand in the receipt."""
    tongue, outcome = room.tongue, asked.outcome
    if asked.status != "done":
        return []
    said: list[str] = []
    if asked.kind in FILED:
        many = sum(outcome.get("rows", {}).values())
        said.append(tongue.many("Your copy has one record.", "Your copy has {n} records.", many))
    if asked.kind == "correction":
        fields = ", ".join(column(f, tongue.language, "profiles") for f in outcome.get("fields", ()))
        said.append(tongue("Corrected: {fields}. It shows in your profile with the next computation.", fields=fields))
    if asked.kind == "restriction":
        said.append(tongue("From now on your data is stored and not used."))
    if asked.kind == "objection":
        said.append(tongue("From now on your data is not used for this."))
    if outcome.get("lifted"):
        said.append(tongue("This has ended since; the receipt says why."))
    if asked.kind == "erasure":
        said.append(tongue("Nobody can read your data any more."))
        if outcome.get("sweep"):
            said.append(tongue("The last traces leave our disks by {day}.", day=tongue.day(outcome["sweep"], "long")))
    return said


def _restricts(asked: Asked) -> bool:
    return asked.kind == "restriction" and asked.status == "done" and not asked.outcome.get("lifted")

