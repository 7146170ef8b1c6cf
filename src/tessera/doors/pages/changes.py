"""Changes of the workspace's files: proposed in a form with its text beside it, reviewed as a difference, applied."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.changes import MOST_WHY, Applying, Proposal
from tessera.config import Config
from tessera.difference import counted, lines, pairs, patch
from tessera.doors import auth
from tessera.doors.pages import change_files, change_form, change_tree
from tessera.doors.pages.change_told import would_do
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visit, Visitor, fields, go
from tessera.errors import BadInput, BadWorkspace, NotAllowed
from tessera.workspace_files import ALLOWED, checkout
from tessera.yamledit import data, revised

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
CHANGES = Page(
    name="changes", path="/changes", title=N_("Changes"), icon="file-diff", group="govern", function="change", key="n"
)
REVIEW = Page(name="changes", path="/changes", title=N_("Changes"), icon="file-diff", listed=False)
"""One proposal: open also to whoever may apply it and propose nothing."""
PAGES = (CHANGES,)

MOST_FIELDS, MOST_LISTED = 3_000, 50
Shape = Literal["one", "two"]

FILES: dict[str, tuple[str, str, str]] = {
    "segments.yaml": ("shapes", N_("Segments"), N_("Who belongs together: groups by rule, and those that are learned.")),
    "decisions": ("route", N_("Decision points"), N_("What is shown to whom: rules, caps and candidates.")),
    "purposes.yaml": ("hand", N_("Purposes"), N_("Why data is used, in the customer's words; on what basis, and how long.")),
    "access.yaml": ("shield", N_("Access"), N_("Who may see what, for what; who works here, in which role.")),
    "insight.yaml": ("sliders-horizontal", N_("Models"), N_("How models are fitted, and which are left out.")),
}
"""The first part of a file's name: icon, title, what it says."""


@router.get(CHANGES.path)
async def listed(visit: Visitor) -> Response:
    """What waits, what was, and which files can be changed."""

    def work(room: Room) -> dict[str, Any]:
        changes = room.app.changes
        found = changes.all()
        there = changes.files()
        return {
            "waiting": [_row(room, p) for p in found if p.open],
            "ended": [_row(room, p) for p in found if not p.open][:MOST_LISTED],
            "files": [(kind, [f for f in there if f.partition("/")[0] == kind], *words) for kind, words in FILES.items()],
            "git": checkout(changes.root), "standing": room.app.standing,
        }  # fmt: skip

    return await visit.page(CHANGES, "changes.html", work)


@router.get("/changes/new")
async def begun(
    visit: Visitor, file: Annotated[str, Query(max_length=100)] = "", name: Annotated[str, Query(max_length=60)] = ""
) -> Response:
    """The form of a file as it stands, or of a new decision by its name."""
    file = file or f"decisions/{name}.yaml"

    def work(room: Room) -> dict[str, Any]:
        _known(file)
        return _draft(room, file, room.app.changes.text(file) or _first(file), {})

    return await visit.page(CHANGES, "change_new.html", work)


@router.get("/changes/{number}/edit")
async def reopened(visit: Visitor, number: int) -> Response:
    """The form of an open proposal of one's own."""

    def work(room: Room) -> dict[str, Any]:
        found = room.app.changes.get(number)
        text = room.app.changes.merged(found).text or room.app.changes.texts(found).text
        return _draft(room, found.file, text, {"why": [found.why], "number": [str(number)]})

    return await visit.page(CHANGES, "change_new.html", work)


@router.post("/changes/draft")
async def drafted(visit: Visitor) -> Response:
    """What was filled in, as text and as form, and what is wrong with it or what it would do; or the proposal."""
    given = await fields(visit.request, MOST_FIELDS)

    def work(room: Room) -> dict[str, Any]:
        file = _one(given, "file")
        _known(file)
        text, told = _taken(room, file, given)
        facts = {**visit.frame(room, CHANGES), **_draft(room, file, text, given, told)}
        if _one(given, "do") == "propose" and not facts["mistakes"] and not told:
            made = _proposed(room, file, text, given)
            if isinstance(made, Proposal):
                return {"made": made.number}
            facts["told"] = made
        return facts

    facts = await visit.run(CHANGES, work)
    return go(f"/changes/{facts['made']}") if "made" in facts else visit.show("change_new.html", facts)


@router.get("/changes/{number}")
async def shown(visit: Visitor, number: int, shape: Shape = "two") -> Response:
    """One proposal: its difference, what it would do, and what can be done with it."""
    return await _shown(visit, number, shape)


@router.post("/changes/{number}/apply")
async def applied(visit: Visitor, number: int) -> Response:
    """Writes the file and opens the workspace with it; puts it back where that fails."""
    given = await fields(visit.request)
    taken: list[Applying] = []

    def work(room: Room) -> None:
        role = auth.duty(room.app, visit.caller, "approve", room.lens.role)
        taken.append(room.app.changes.begin(number, _one(given, "seen"), visit.caller.actor, role, room.app.config.access))

    try:
        await visit.run(REVIEW, work, reopens=lambda _: True, undo=lambda error: taken[0].undo(error))
    except BadInput as no:
        return await _shown(visit, number, "two", no)
    except NotAllowed as no:
        return await _shown(visit, number, "two", no)
    if why := taken[0].told:
        await visit.run(REVIEW, lambda room: room.app.changes.failed(number, why))
    return go(f"/changes/{number}")


@router.post("/changes/{number}/withdraw")
async def withdrawn(visit: Visitor, number: int) -> Response:
    """Ends a proposal: whose it is, or whoever may apply it."""

    def work(room: Room) -> None:
        mine = room.app.changes.get(number).by == visit.caller.actor
        role = auth.duty(room.app, visit.caller, "change" if mine else "approve", room.lens.role)
        room.app.changes.withdraw(number, visit.caller.actor, role)

    return await _done(visit, number, work)


@router.post("/changes/{number}/rebase")
async def rebased(visit: Visitor, number: int) -> Response:
    """Takes a stale proposal onto the file as it stands."""

    def work(room: Room) -> None:
        role = auth.duty(room.app, visit.caller, "change", room.lens.role)
        room.app.changes.rebase(number, visit.caller.actor, role)

    return await _done(visit, number, work)


async def _done(visit: Visit, number: int, work: Any) -> Response:
    try:
        await visit.run(REVIEW, work)
    except BadInput as no:
        return await _shown(visit, number, "two", no)
    return go(f"/changes/{number}")


async def _shown(visit: Visit, number: int, shape: Shape, no: BadInput | NotAllowed | None = None) -> Response:
    def work(room: Room) -> dict[str, Any]:
        if not room.may("change"):
            auth.duty(room.app, visit.caller, "approve", room.lens.role)
        changes = room.app.changes
        found = changes.get(number)
        kept = changes.texts(found)
        stale = changes.stale(found)
        facts: dict[str, Any] = {
            "p": found, "shape": shape, "stale": stale, "git": checkout(changes.root), "told": "", "faults": (), "merged": None,
            "rows": pairs(kept.base, kept.text) if shape == "two" else lines(kept.base, kept.text),
            "counts": counted(kept.base, kept.text), "patch": patch(kept.base, kept.text, found.file),
            "mine": found.by == visit.caller.actor, "can_apply": room.may("approve"), "can_change": room.may("change"),
            "second": room.app.config.access.changes is not None, "waits": _waits(room, found), "effects": None,
        }  # fmt: skip
        if no is not None:
            facts |= {"told": str(no), "faults": no.faults if isinstance(no, BadWorkspace) else ()}
        if stale:
            now = changes.text(found.file)
            facts |= {"merged": changes.merged(found), "meanwhile": lines(kept.base, now)}
        if found.status == "proposed" and not stale:
            try:
                facts["effects"] = would_do(room, found.file, changes.check(found.file, kept.text))
            except BadWorkspace as bad:
                facts["faults"] = bad.faults
        return facts

    return await visit.page(REVIEW, "change.html", work, status=200 if no is None else 409)


# one draft


def _draft(room: Room, file: str, text: str, given: Mapping[str, list[str]], told: str = "") -> dict[str, Any]:
    """The facts of the form: its controls, the text, what is wrong at which line, and what it would do."""
    base = room.app.changes.text(file)
    mistakes: list[tuple[int, str]] = []
    elsewhere: list[str] = []
    found: Config | None = None
    try:
        found = room.app.changes.check(file, text)
    except BadWorkspace as bad:
        for fault in bad.faults:
            line, sentence = _placed(file, fault)
            if sentence:
                mistakes.append((line, sentence))
            else:
                elsewhere.append(fault)
    said: Any = None
    with suppress(BadWorkspace):
        said = data(text, file)
    return {
        "file": file, "text": text, "base": base, "was": _print(text), "readable": said is not None,
        "form": change_files.form(file, said, found or room.app.config),
        "mistakes": [*mistakes, *((0, e) for e in elsewhere)], "wrong": {n for n, _ in mistakes if n},
        "told": told, "why": _one(given, "why"), "amends": _one(given, "number"), "most_why": MOST_WHY,
        "counts": counted(base, text), "same": base == text, "group": change_tree.group, "ops": change_tree.OPS,
        "effects": would_do(room, file, found) if found is not None and text != base else None,
        "kind": file.partition("/")[0], "titles": FILES, "here": "/changes/new", "query": f"file={file}",
    }  # fmt: skip


def _taken(room: Room, file: str, given: Mapping[str, list[str]]) -> tuple[str, str]:
    """The text after what was filled in or pressed, and what went wrong with that."""
    base = room.app.changes.text(file)
    text = "\n".join(_one(given, "text").splitlines()) + "\n"
    if "\r\n" in base:
        text = text.replace("\n", "\r\n")
    if base and not base.endswith("\n"):
        text = text.rstrip("\r\n")
    do = _one(given, "do")
    try:
        said = data(text, file)
        form = change_files.form(file, said, room.app.config)
        wanted = said
        # Whichever side was changed last counts: a text that is not the one the form was made from comes before the form.
        if do != "text" and _one(given, "was") == _print(text):
            wanted = change_form.filled(form, said, given)
        if ":" in do:
            wanted = change_form.acted(change_files.form(file, wanted, room.app.config), wanted, do, given)
        return revised(text, wanted, file), ""
    except BadWorkspace:
        return text, ""
    except BadInput:
        return text, room.tongue("The form cannot change a text that is laid out so. Change the text itself.")


def _proposed(room: Room, file: str, text: str, given: Mapping[str, list[str]]) -> Proposal | str:
    """The proposal, or why there is none."""
    why, number = " ".join(_one(given, "why").split()), _one(given, "number")
    if not why:
        return room.tongue("Say why: whoever reviews it needs to know, and it stays in the ledger.")
    actor, role = room.caller.actor, room.lens.role
    try:
        if number.isdecimal():
            return room.app.changes.amend(int(number), text, why, actor, role)
        return room.app.changes.propose(file, text, why, actor, role)
    except BadInput as no:
        return str(no)


def _known(file: str) -> None:
    if not ALLOWED.fullmatch(file):
        raise BadInput("This file is not changed in the pages.")


def _first(file: str) -> str:
    """What a new file begins with."""
    templates = files("tessera").joinpath("templates")
    if not file.startswith("decisions/"):
        return templates.joinpath(file).read_text("utf-8")
    name = file.removeprefix("decisions/").removesuffix(".yaml").replace("-", "_")
    return (
        f"decision: {name}\npurpose: personalise\ncontrol: 0.1\ncandidates:\n"
        "  - id: welcome\n    when: orders = 0\n    show: {title: {en: Welcome, zh: 欢迎}}\n"
    )


def _placed(file: str, fault: str) -> tuple[int, str]:
    """A mistake of this file: its line (0: the file as a whole) and its sentence; no sentence for one of another file."""
    name, _, rest = fault.partition(":")
    if name != file:
        return 0, ""
    line, _, said = rest.partition(":")
    return (int(line), said.strip()) if line.strip().isdecimal() else (0, rest.strip())


def _print(text: str) -> str:
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()[:16]


def _one(given: Mapping[str, list[str]], name: str) -> str:
    return given.get(name, [""])[0]


# rows of lists


def _row(room: Room, proposal: Proposal) -> dict[str, Any]:
    kept = room.app.changes.texts(proposal)
    come, gone = counted(kept.base, kept.text)
    last = proposal.history[-1] if proposal.history else None
    return {"p": proposal, "come": come, "gone": gone, "stale": room.app.changes.stale(proposal), "last": last}


def _waits(room: Room, proposal: Proposal) -> bool:
    """Whether an applied change of access is not in force yet: people have to approve it."""
    return (
        proposal.status == "applied" and proposal.file in ("access.yaml", "purposes.yaml")
        and room.app.standing.waiting is not None
    )
