"""Through which lens staff look: one of their roles, for one purpose. Each page's questions are asked so, and say so."""

from __future__ import annotations

from dataclasses import dataclass

from tessera.app import App
from tessera.config import Access
from tessera.data.profiles import PROFILES
from tessera.doors import auth
from tessera.doors.auth import Caller
from tessera.errors import NotAllowed
from tessera.trust import access

COOKIE = "tessera-lens"


@dataclass(frozen=True, kw_only=True)
class Lens:
    """role, purpose: the lens. choices: role -> the purposes that access.yaml names for it."""

    role: str
    purpose: str
    choices: dict[str, list[str]]

    @property
    def cookie(self) -> str:
        """What her browser keeps."""
        return f"{self.role}/{self.purpose}"


def of(app: App, caller: Caller, kept: str) -> Lens:
    """The lens of somebody who is signed in: the one she kept, where it is still hers. Raises NotAllowed without a role."""
    held = auth.roles_of(app, caller)
    if not held:
        raise NotAllowed(f"{caller.actor} has no role here.", f"Ask {app.config.access.contact} (access.yaml, actors).")
    choices = {role: purposes(app, role) for role in held}
    role, _, purpose = kept.partition("/")
    if role not in choices:
        role = next((r for r in held if choices[r]), held[0])
        purpose = ""
    if purpose not in choices[role]:
        purpose = _first(app, role, choices[role])
    return Lens(role=role, purpose=purpose, choices=choices)


def purposes(app: App, role: str) -> list[str]:
    """The purposes for which some line of access.yaml gives the role anything, in the order of purposes.yaml."""
    lines: Access = app.config.access
    named = {p for g in lines.grants if role in g.roles or "*" in g.roles for p in g.purposes}
    return [p for p in app.config.purposes if "*" in named or p in named]


def _first(app: App, role: str, among: list[str]) -> str:
    """The first for which the role sees people; else the first."""
    person = app.gate.presented()[PROFILES.name].column("person_id").category
    for purpose in among:
        if access.verdict(app.config.access, role, app.config.purposes[purpose], person).verdict != "hidden":
            return purpose
    return next(iter(among), "operate")
