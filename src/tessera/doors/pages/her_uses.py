"""Her uses one by one: what was done, in plain words, and its proof: to keep, to check here, or anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.category_words import category
from tessera.doors.http.models import EntryNumber
from tessera.doors.pages import her_feed, her_sayings
from tessera.doors.pages.her_visit import Her, HerRoom
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_, Tongue
from tessera.doors.pages.visit import form
from tessera.errors import BadInput, BrokenTrail
from tessera.trust import proofs, trail
from tessera.trust.checkpoint import fingerprint
from tessera.trust.entries import Entry
from tessera.trust.proofs import Proof, Proved

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
A_PAGE = 100
BROKEN: tuple[tuple[str, str], ...] = (
    ("", N_("What it says of the use is not what stands in the signed record.")),
    ("another public key", N_("It names another key than ours.")),
    ("checkpoint", N_("The signed head of the record in it was changed.")),
    ("in the set", N_("It does not show that the use was about you.")),
    ("anchor", N_("It names a place on the chain that does not hold it.")),
)  # fmt: skip
"""What of an error's reason tells what is wrong -> that in her words."""



@router.get("/me/uses")
async def listed(her: Her, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
    """All of them, newest first."""

    def work(room: HerRoom) -> dict[str, Any]:
        found = list(islice(room.app.people.uses(room.person), (page - 1) * A_PAGE, page * A_PAGE + 1))
        lines = her_feed.lines(room, found[:A_PAGE], room.lately.kept_back)
        return {"lines": lines, "place": page, "more": len(found) > A_PAGE}

    return await her.page("me_uses.html", work)


@router.get("/me/uses/{entry}")
async def use(her: Her, entry: EntryNumber, check: Annotated[Literal["", "yes"], Query()] = "") -> Response:
    """One use. check: whether its proof is checked now. An entry that did not hold her is not there."""

    def work(room: HerRoom) -> dict[str, Any]:
        proof = room.app.people.proof(entry, room.person)
        found = room.app.ledger.some([entry])[0]
        checked = _checked(room, proof) if check else None
        return {**_told(room, found), "entry": found, "checked": checked, "head": proof.checkpoint, **_key(room)}

    return await her.page("me_use.html", work)


@router.get("/me/uses/{entry}/proof")
async def proof(her: Her, entry: EntryNumber) -> Response:
    """The proof as a file, to be checked with the public key alone."""
    made: Proof = await her.run(lambda room: room.app.people.proof(entry, room.person))
    headers = {"Content-Disposition": f'attachment; filename="proof-of-use-{entry}.json"'}
    return Response(msgspec.json.format(msgspec.json.encode(made)), 200, headers, "application/json")


@router.get("/me/public-key")
async def key(her: Her) -> Response:
    """The ledger's public key, as `tessera ledger proof --check` and others take it."""
    pem: bytes = await her.run(lambda room: trail.pem_of(room.app.ledger.public_key))
    return Response(pem, 200, {"Content-Disposition": 'attachment; filename="public.pem"'}, "application/x-pem-file")


@router.get("/me/check")
async def asked(her: Her) -> Response:
    """The form for a proof that she kept."""
    return await her.page("me_check.html", lambda room: {"given": "", "checked": None, **_key(room)})


@router.post("/me/check")
async def checked(her: Her) -> Response:
    """What a proof that she kept shows: it may be of today or of years ago."""
    given = (await form(her.request)).get("proof", "")

    def work(room: HerRoom) -> dict[str, Any]:
        try:
            found = proofs.read_proof(given)
        except BadInput:
            none = {"ok": False, "says": [(False, room.tongue("This is no proof of a use."), "")]}
            return {"given": given, "checked": none, **_key(room)}
        return {"given": given, "checked": _checked(room, found), **_key(room)}

    return await her.page("me_check.html", work)


def _key(room: HerRoom) -> dict[str, str]:
    return {"key": fingerprint(room.app.ledger.public_key)}


def _told(room: HerRoom, entry: Entry) -> dict[str, Any]:
    tongue, config, out = room.tongue, room.app.config, entry.seq in room.lately.kept_back
    purpose = config.purposes.get(entry.purpose)
    title, hue, icon = her_feed.said(entry, out)
    return {
        "title": tongue(title), "hue": hue, "icon": icon, "kept_back": out,
        "by": her_sayings.by(entry.role, config, tongue), "act": her_sayings.act(entry.act, tongue),
        "purpose": tongue.pick(purpose.sentence) if purpose else entry.purpose,
        "tables": [her_sayings.table(t, tongue) for t, _ in entry.tables],
        "categories": [category(c, tongue.language) for c in entry.categories if c.startswith("user")],
        "wide": entry.keys is not None and entry.keys.bound != "exact",
    }  # fmt: skip


def _checked(room: HerRoom, proof: Proof) -> dict[str, Any]:
    """What was checked, step by step, each with whether it holds; at the first that does not, checking ends."""
    tongue, ledger = room.tongue, room.app.ledger
    try:
        found = proofs.check(proof, ledger.public_key)
    except BrokenTrail as broken:
        why = next((said for part, said in BROKEN[1:] if part in broken.reason), BROKEN[0][1])
        no = tongue("This proof does not hold: it was altered, or is not from us.")
        return {"ok": False, "says": [(False, no, tongue(why))]}
    says = [step(tongue, proof, found) for step in STEPS]
    ids = {"key": room.her.subject.keys, "person": {room.person}} if room.her.subject else {}
    if proof.member is not None and proof.member.id in ids[proof.member.unit]:
        says.append((True, tongue("It is about you: your number is in the sealed set of this use."), ""))
    else:
        says.append((False, tongue("It is genuine, but not about you as we know you now."), ""))
    if found.checkpoint.size <= len(ledger):
        if ledger.root_of(found.checkpoint.size) == found.checkpoint.root.hex():
            same = tongue("The record of today still begins as it did then: nothing before was changed or taken out.")
            says.append((True, same, ""))
        else:
            says.append((False, tongue("The record of today is not the one that this proof was made from."), ""))
    return {"ok": all(ok for ok, _, _ in says), "says": says}


def _signed(tongue: Tongue, proof: Proof, found: Proved) -> tuple[bool, str, str]:
    said = tongue("Our signature over the record of {n} entries is genuine.", n=tongue.number(found.checkpoint.size))
    return True, said, tongue("Key {key}", key=proof.key)


def _inside(tongue: Tongue, proof: Proof, found: Proved) -> tuple[bool, str, str]:
    said = tongue("This use is entry {n} of that record, word for word.", n=tongue.number(proof.entry))
    return True, said, tongue.many("by {n} link of the chain of hashes", "by {n} links of the chain of hashes", len(proof.path))


STEPS: tuple[Callable[[Tongue, Proof, Proved], tuple[bool, str, str]], ...] = (_signed, _inside)
