"""Which matrix is in force: its version, kept in var/; and who must approve a change that gives anybody anything.

A change acts when the workspace is next opened, and is an entry of the ledger (act "access"). Where the matrix in force
asks for approval (access.yaml, `changes`), one that gives waits, and the old matrix stays in force, until so many
different people have approved it; one that only takes acts at once. An approval is for a digest, so a file that changes
again starts anew. The entry is written first: a kill before the version is kept lets the next opening say it again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from typing import Literal, Protocol

import msgspec

from tessera.config import Access, Approval, Config, SegmentsConfig
from tessera.errors import BadWorkspace, NotAllowed, NotFound
from tessera.lake.state import State
from tessera.trust.entries import Entry, Use
from tessera.trust.matrix import Change, Matrix, compare, digest
from tessera.words import Clock

SPACE = "access"
SHOWN = 12
"""How many characters of a digest stand in notes; so many, or more, name a change."""


class Ledger(Protocol):
    """What is asked of the ledger."""

    def append(self, use: Use) -> Entry: ...


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A change that is not in force: its digest, what it would change, who approved it, and how many must."""

    digest: str
    change: Change
    approved: tuple[str, ...]
    needs: Approval

    @property
    def enough(self) -> bool:
        """Whether nobody is missing any more."""
        return len(self.approved) >= self.needs.people


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The version in force, since when (ISO 8601, UTC), what waits, and a sentence on it (empty if nothing is new)."""

    version: int
    digest: str
    at: str
    waiting: Waiting | None = None
    told: str = ""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The matrix in force, as it lies in var/."""

    version: int
    digest: str
    at: str
    matrix: Matrix


class Versions:
    """The versions of one workspace's matrix."""

    def __init__(self, state: State, ledger: Ledger, clock: Clock) -> None:
        self.state, self.ledger, self.clock = state, ledger, clock

    def settle(self, config: Config, actor: str) -> tuple[Config, Standing]:
        """The settings under which the workspace works, given what its files say; and how the matrix stands.

        actor: who opened the workspace; a change that acts at once is told under that name.
        """
        new = Matrix(access=config.access, purposes=config.purposes)
        kept = self._kept()
        if kept is None:
            return config, replace(self._adopt(None, new, actor, "the first"), told="")
        if kept.digest == digest(new):
            self._taken_back(kept, actor)
            return config, Standing(version=kept.version, digest=kept.digest, at=kept.at)
        change, needs = compare(kept.matrix, new), kept.matrix.access.changes
        if needs is None or not change.gives:
            return config, self._adopt(kept, new, actor, f"{change.counted()}; at once")
        waiting = self._proposed(kept, new, change, needs, actor)
        if waiting.enough:  # a kill came between the last approval and the version
            return config, self._adopt(kept, new, waiting.approved[-1], _approved(change, waiting))
        return _under(config, kept.matrix), _standing(kept, waiting)

    def approve(
        self, config: Config, standing: Standing, named: str, actor: str, roles: Collection[str] | None = None
    ) -> Standing:
        """Approves the change that waits; with the last approval it is in force from the next opening on.

        config: what the files say. named: the first characters of the change's digest, at least SHOWN. roles: those of the
        actor's in which she may approve here (None: all of hers). Raises NotFound if no such change waits, NotAllowed for
        somebody without the role, or who approved it already.
        """
        new, kept, waiting = Matrix(access=config.access, purposes=config.purposes), self._kept(), standing.waiting
        if waiting is None or kept is None or digest(new) != waiting.digest:
            raise NotFound("Change", named)
        if len(named) < SHOWN or not waiting.digest.startswith(named):
            raise NotFound("Change", named, [waiting.digest[:SHOWN]])
        role = self._role(kept.matrix.access, waiting, actor, roles)
        approved = (*waiting.approved, actor)
        waiting = replace(waiting, approved=approved)
        note = f"approves {waiting.digest[:SHOWN]}: {len(approved)} of {waiting.needs.people}"
        self.ledger.append(Use(actor=actor, role=role, act="access", purpose="operate", note=note))
        self.state.put(SPACE, "waiting", {"digest": waiting.digest, "approved": approved})
        if waiting.enough:
            return self._adopt(kept, new, actor, _approved(waiting.change, waiting), role)
        return _standing(kept, waiting)

    def _role(self, access: Access, waiting: Waiting, actor: str, roles: Collection[str] | None) -> str:
        """The role by which somebody may approve, under the matrix in force."""
        needed = waiting.needs.roles
        held = next((a.roles for a in access.actors if a.name == actor), ())
        role = next((r for r in held if r in needed and (roles is None or r in roles)), None)
        if role is None:
            raise NotAllowed(f"{actor} may not approve a change of access.", f"Ask somebody with: {', '.join(needed)}.")
        if actor in waiting.approved:
            raise NotAllowed(f"{actor} stands behind this change already.", "Somebody else has to approve it.")
        return role

    def _adopt(self, kept: _Kept | None, new: Matrix, actor: str, how: str, role: str = "") -> Standing:
        """Puts a matrix in force: the entry first, then the version."""
        version, print_ = (kept.version + 1 if kept else 1), digest(new)
        step = f"version {version - 1} -> {version}" if kept else f"version {version}"
        note = f"{step}: {print_[:SHOWN]}; {how}"
        self.ledger.append(Use(actor=actor, role=role, act="access", purpose="operate", note=note))
        at = self.clock().astimezone(UTC).isoformat()
        made = {"version": version, "digest": print_, "at": at, "matrix": asdict(new)}
        with self.state.together():
            self.state.put(SPACE, "in_force", made)
            self.state.drop(SPACE, "waiting")
        told = f"Access: version {version} is in force: {how}."
        return Standing(version=version, digest=print_, at=at, told=told)

    def _proposed(self, kept: _Kept, new: Matrix, change: Change, needs: Approval, actor: str) -> Waiting:
        """The change that waits, with its approvals; a change seen for the first time is an entry."""
        print_ = digest(new)
        found = self.state.get(SPACE, "waiting") or {}
        if found.get("digest") != print_:
            note = f"version {kept.version + 1} waits for {needs.people} people: {print_[:SHOWN]}; {change.counted()}"
            self._say(actor, note, "refused")
            found = {"digest": print_, "approved": []}
            self.state.put(SPACE, "waiting", found)
        return Waiting(digest=print_, change=change, approved=tuple(found["approved"]), needs=needs)

    def _taken_back(self, kept: _Kept, actor: str) -> None:
        """The files say again what is in force."""
        if waiting := self.state.get(SPACE, "waiting"):
            self._say(actor, f"{waiting['digest'][:SHOWN]} was taken back; version {kept.version} stays", "allowed")
            self.state.drop(SPACE, "waiting")

    def _say(self, actor: str, note: str, verdict: Literal["allowed", "refused"]) -> None:
        reason = "a change that gives waits for approval" if verdict == "refused" else ""
        use = Use(
            actor=actor, role="", act="access", purpose="operate", verdict=verdict, reason=reason, note=note
        )  # fmt: skip
        self.ledger.append(use)

    def _kept(self) -> _Kept | None:
        found = self.state.get(SPACE, "in_force")
        if found is None:
            return None
        try:
            return msgspec.convert(found, _Kept)
        except msgspec.ValidationError:
            raise BadWorkspace(
                ["var/state.db: the access matrix in force cannot be read, so nobody may see anything. Restore var/."]
            ) from None


def _under(config: Config, matrix: Matrix) -> Config:
    """What the files say, under the matrix in force; segments fall back where their purpose is not in force yet."""
    known = config.segments.purpose in matrix.purposes
    segments = config.segments if known else replace(config.segments, purpose=SegmentsConfig.purpose)
    return replace(config, access=matrix.access, purposes=matrix.purposes, segments=segments)


def _standing(kept: _Kept, waiting: Waiting) -> Standing:
    told = (
        f"Access: a change waits for approval ({len(waiting.approved)} of {waiting.needs.people}); until then version "
        f"{kept.version} is in force, and reasons name its lines. See: tessera access changes"
    )
    return Standing(version=kept.version, digest=kept.digest, at=kept.at, waiting=waiting, told=told)


def _approved(change: Change, waiting: Waiting) -> str:
    return f"{change.counted()}; approved by {len(waiting.approved)} people"
