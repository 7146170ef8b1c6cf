"""Who may ask for decisions, known in memory: the good API keys, what each may do, and for which purposes.

Asking the workspace for each request would make the fastest door wait for the slowest. What changes (a key that is revoked, a
role that is taken) holds with the end of the request or command that changed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tessera.app import App
from tessera.doors.auth import BEARER, Caller, NotSignedIn, roles_of
from tessera.errors import NotAllowed
from tessera.trust import functions
from tessera.trust.apikeys import ApiKey, ApiKeys, proved
from tessera.trust.entries import Use
from tessera.words import Clock

DECIDE, SHOW = "decide", "show"
MOST_NOES = 100
"""Refusals that wait for the ledger; further ones of the same kind add nothing to know."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a key. ends: when it does. may: of DECIDE and SHOW, what she may do. role: the one in which she decides."""

    key: ApiKey
    ends: datetime
    may: frozenset[str]
    role: str


class Callers:
    """The holders of keys, as of the last look at the workspace."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, Holder] = {}
        self._contact = ""
        self._noes: dict[tuple[str, str], Use] = {}

    def open(self, app: App) -> None:
        """Looks anew, and writes into the ledger who was turned away since the last look."""
        access, held = app.config.access, dict[str, Holder]()
        for key in ApiKeys(app.state, app.clock).listed():
            if not key.good(app.clock()):
                continue
            roles = roles_of(app, Caller(actor=key.actor, roles=key.roles, purposes=key.purposes))
            deciding = functions.allowed(access, roles, DECIDE)
            may = {function for function in (DECIDE, SHOW) if functions.allowed(access, roles, function)}
            role, ends = (deciding or roles or [""])[0], datetime.fromisoformat(key.ends)
            held[key.id] = Holder(key=key, ends=ends, may=frozenset(may), role=role)
        self._held, self._contact = held, access.contact
        noes, self._noes = self._noes, {}
        for use in noes.values():
            app.ledger.append(use)

    @property
    def refused(self) -> bool:
        """Whether somebody was turned away since the last look."""
        return bool(self._noes)

    def find(self, authorization: str) -> Holder:
        """The holder of the key in an Authorization header. Raises NotSignedIn."""
        given = authorization[len(BEARER) :].strip() if authorization[: len(BEARER)].lower() == BEARER else ""
        key = proved(given, lambda number: held.key if (held := self._held.get(number)) else None)
        if key is None or self._clock() >= (found := self._held[key.id]).ends:
            raise NotSignedIn
        return found

    def check(self, holder: Holder, function: str, purpose: str = "") -> None:
        """Returns if she may do this for a purpose (empty: for any). Raises NotAllowed, which the ledger is told of."""
        why = ""
        if function not in holder.may:
            why = f"No line of access.yaml (functions) lets {holder.key.actor} {functions.WORDS[function]}."
        elif purpose and purpose not in holder.key.purposes:
            why = f"{holder.key.actor} is good for {', '.join(holder.key.purposes)}, and not for this purpose."
        if not why:
            return
        if len(self._noes) < MOST_NOES:
            self._noes[holder.key.actor, f"{function} {purpose}"] = Use(
                actor=holder.key.actor, role=holder.role, act=function, purpose=purpose or "operate", verdict="refused",
                reason=why, note="http",
            )  # fmt: skip
        raise NotAllowed(why, f"Ask {self._contact}.")
