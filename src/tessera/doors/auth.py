"""Who is at the door: an API key or a signed-in session -> an actor, and what that actor may do there.

Roles come from access.yaml alone, at each request: whoever loses a role has lost it everywhere. A key narrows them to its
own; it never adds one. What is refused is an entry of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

from tessera.app import App
from tessera.errors import NotAllowed, Refused
from tessera.trust import functions
from tessera.trust.access import Reader
from tessera.trust.apikeys import ApiKeys
from tessera.trust.entries import Use
from tessera.trust.sessions import Sessions
from tessera.trust.versions import Standing

BEARER = "bearer "


class NotSignedIn(Refused):
    """Nobody whom we know; the same for no credentials, wrong ones, and those that have ended."""

    def __init__(self) -> None:
        super().__init__("Nobody is signed in here.", "Sign in, or send an API key: Authorization: Bearer KEY.")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An actor at the door. roles, purposes: what a key is narrowed to; None: all of the actor's."""

    actor: str
    roles: tuple[str, ...] | None = None
    purposes: tuple[str, ...] | None = None


def by_key(app: App, authorization: str) -> Caller | None:
    """The caller whose API key an Authorization header holds."""
    if authorization[: len(BEARER)].lower() != BEARER:
        return None
    key = ApiKeys(app.state, app.clock).find(authorization[len(BEARER) :].strip())
    return Caller(actor=key.actor, roles=key.roles, purposes=key.purposes) if key else None


def by_session(app: App, token: str, *, used: bool = True) -> Caller | None:
    """The member of staff whose session a cookie holds. used: see `Sessions.find`."""
    session = Sessions(app.state, app.clock).find(token, "staff", used=used) if token else None
    return Caller(actor=session.actor) if session else None


def roles_of(app: App, caller: Caller) -> list[str]:
    """The roles that the caller has now, in the order of access.yaml."""
    held = next((a.roles for a in app.config.access.actors if a.name == caller.actor), ())
    return [r for r in held if caller.roles is None or r in caller.roles]


def duty(app: App, caller: Caller, function: str, role: str | None = None) -> str:
    """The role in which the caller may use a function: the one named, else her first that may. Raises NotAllowed."""
    try:
        return _duty(app, caller, function, role)
    except Refused as no:
        _refused(app, caller, function, role, "operate", no)
        raise


def reader(app: App, caller: Caller, function: str, role: str | None, purpose: str) -> Reader:
    """The caller as a reader, for a function that reads people's data. Raises NotAllowed, or NotFound for a purpose."""
    try:
        chosen = _duty(app, caller, function, role)
        if caller.purposes is not None and purpose not in caller.purposes:
            raise NotAllowed(f"{caller.actor} is good for {', '.join(caller.purposes)}, and not for this purpose.")
        return app.reader(chosen, purpose, caller.actor)
    except Refused as no:
        _refused(app, caller, function, role, purpose, no)
        raise


def approve(app: App, caller: Caller, change: str) -> Standing:
    """Approves a change of access in the caller's own name, in a role of hers that may use the function. See App.approve."""
    try:
        _duty(app, caller, "approve", None)
        return app.approve(change, caller.actor, functions.allowed(app.config.access, roles_of(app, caller), "approve"))
    except Refused as no:
        _refused(app, caller, "approve", None, "operate", no)
        raise


def _duty(app: App, caller: Caller, function: str, role: str | None) -> str:
    access, held = app.config.access, roles_of(app, caller)
    if role is not None and role not in held:
        raise NotAllowed(f"{caller.actor} may not act in that role here.", f"Ask {access.contact} (access.yaml, actors).")
    if not held:
        raise NotAllowed(f"{caller.actor} has no role here.", f"Ask {access.contact} (access.yaml, actors).")
    able = functions.allowed(access, [role] if role else held, function)
    if not able:
        functions.check(access, role or held[0], function)
    return able[0]


def _refused(app: App, caller: Caller, function: str, role: str | None, purpose: str, no: Refused) -> None:
    """An entry that somebody was turned away; of what she sent it holds only words that are ours."""
    known = role if role in app.config.access.roles else ""
    named = purpose if purpose in app.config.purposes else "operate"
    use = Use(
        actor=caller.actor, role=known or "", act=function, purpose=named, verdict="refused", reason=no.reason, note="http"
    )
    app.ledger.append(use)
