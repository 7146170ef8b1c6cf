"""Questions that people keep: for themselves, or shared with a role of theirs. They lie sealed in the state.

A file in the workspace would be the other place. But what goes into git stays there for good, where no erasure reaches it, and
what somebody tries out belongs to nobody else. So they lie with the machine, and none that names a person is kept at all.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from tessera.errors import BadInput, NotAllowed, NotFound
from tessera.lake.state import State
from tessera.trust import traces
from tessera.trust.secrets import Secrets
from tessera.words import Clock

SPACE = "questions"
MOST, LONGEST_NAME, LONGEST = 200, 80, 20_000
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?")


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A question that is kept. role, purpose: the lens through which it was asked. shared: the role whose people see it too;
    empty: her own. chart: how its answer is drawn ("kind/x/y"), or empty."""

    id: int
    name: str
    text: str
    owner: str
    role: str
    purpose: str
    at: datetime
    shared: str = ""
    chart: str = ""


class Questions:
    """The kept questions of a workspace."""

    def __init__(self, state: State, secrets: Secrets, clock: Clock) -> None:
        self.state, self.secrets, self.clock = state, secrets, clock

    def seen_by(self, actor: str, roles: Collection[str]) -> list[Saved]:
        """Her own and those that are shared with a role of hers, by name."""
        found = (self._open(int(number), sealed) for number, sealed in self.state.items(SPACE).items())
        mine = [s for s in found if s.owner == actor or s.shared in roles]
        return sorted(mine, key=lambda s: (s.name.lower(), s.id))

    def get(self, number: int, actor: str, roles: Collection[str]) -> Saved:
        """One that she sees; NotFound otherwise."""
        sealed = self.state.get(SPACE, str(number))
        saved = self._open(number, sealed) if sealed else None
        if saved is None or not (saved.owner == actor or saved.shared in roles):
            raise NotFound("Question", str(number))
        return saved

    def keep(
        self, name: str, text: str, *, actor: str, roles: Collection[str], role: str, purpose: str, shared: str = "",
        chart: str = "",
    ) -> Saved:  # fmt: skip
        """Keeps a question. Raises BadInput for one that may name a person, has no name, or is too long; NotAllowed for a role
        that is not hers."""
        if shared and shared not in roles:
            raise NotAllowed("A question can be shared with a role of your own only.")
        if not text.strip() or len(text) > LONGEST:
            raise BadInput(f"A question that is kept has between 1 and {LONGEST:,} characters.")
        _check(text, "This question")
        if sum(s.owner == actor for s in self.seen_by(actor, ())) >= MOST:
            raise BadInput(f"You keep {MOST} questions, which is the most. Delete one first.")
        saved = Saved(
            id=self.state.next("question"), name=_named(name), text=text, owner=actor, role=role, purpose=purpose,
            at=self.clock(), shared=shared, chart=chart[:200],
        )  # fmt: skip
        self._put(saved)
        return saved

    def rename(self, number: int, name: str, actor: str) -> Saved:
        """Gives one of her own another name."""
        saved = replace(self._own(number, actor), name=_named(name))
        self._put(saved)
        return saved

    def drop(self, number: int, actor: str) -> None:
        """Deletes one of her own."""
        self._own(number, actor)
        self.state.drop(SPACE, str(number))

    def _own(self, number: int, actor: str) -> Saved:
        saved = self.get(number, actor, ())
        if saved.owner != actor:
            raise NotAllowed("Only whoever keeps a question may change it.")
        return saved

    def _put(self, saved: Saved) -> None:
        plain = asdict(saved) | {"at": saved.at.isoformat()}
        sealed = self.secrets.seal(SPACE, json.dumps(plain).encode(), str(saved.id).encode())
        self.state.put(SPACE, str(saved.id), base64.b64encode(sealed).decode())

    def _open(self, number: int, sealed: str) -> Saved:
        plain = json.loads(self.secrets.open(SPACE, base64.b64decode(sealed), str(number).encode()))
        return Saved(**plain | {"at": datetime.fromisoformat(plain["at"])})


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise BadInput(f"A question that is kept has a name of 1 to {LONGEST_NAME} characters.")
    _check(name, "This name")
    return name


def _check(text: str, what: str) -> None:
    """Refuses what may hold an identifier: an erasure would not find it here. Days and moments are none."""
    if traces.like_identifier(_DAY.sub("", text)):
        raise BadInput(f"{what} may name a person (an e-mail, a phone or another long number). Ask it, but do not keep it.")
