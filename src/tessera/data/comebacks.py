"""The one way back after an erasure: her own act at our door, with a new choice; no source can do it for her.

A sign-up or sign-in that a door has verified, and that answers at least one purpose anew, lifts the suppression of exactly
the identifiers that she gave there. She comes back as somebody new: under new numbers, with no row of before. Rows of sources
that are older than her act, or do not say how old they are, stay refused for her.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal, Protocol, get_args

import numpy as np

from tessera.config import Config
from tessera.data.landing import Landing
from tessera.data.landing_batch import KIND_CODES
from tessera.data.raw import CHOSEN, LINKS
from tessera.errors import BadInput, NotFound, nearest
from tessera.lake.engine import Connection
from tessera.lake.store import Mode, Staged
from tessera.trust import traces
from tessera.trust.tables import CONSENTS
from tessera.words import KINDS, Clock, Erased, Proof, spelt

RETURNING = "returning"
"""The state's space of acts that are under way: the hashes whose suppression they lift. A kill lifts nothing."""

Act = Literal["sign-up", "sign-in"]
"""What she can have done at our door; nothing else is an act of hers, whatever a caller names it."""

Answer = Literal["given", "refused"]


class Vault(Protocol):
    """What is asked of the vault."""

    def mark(self, kind: str, value: str) -> bytes: ...
    def lift(self, kind: str, value: str) -> bool: ...
    def hush(self, hashes: list[bytes]) -> list[int]: ...
    def resolve(self, kind: str, values: list[str], *, mint: bool = True) -> np.ndarray[Any, Any]: ...
    def erase(self, key_ids: Iterable[int], record_ids: Iterable[int] = ()) -> object: ...


class Comebacks:
    """The only caller of Vault.lift. A store that forgets."""

    name = "comebacks"

    def __init__(self, config: Config, vault: Vault, landing: Landing, con: Connection, clock: Clock) -> None:
        self.config, self.vault, self.landing, self.con, self.clock = config, vault, landing, con, clock
        self.state, self.lake = landing.state, landing.lake

    def welcome(
        self, act: Act, identifiers: Mapping[str, str], choices: Mapping[str, Answer], *, wording: str, language: str
    ) -> list[int]:
        """Lets her in, and returns her keys. Whoever calls has verified the identifiers, and may write tables.

        identifiers: kind -> value, as she gave them in this act. choices: purpose -> her answer in this act. Raises BadInput
        for an act or an answer that is none of ours, and without an identifier or a choice; NotFound for a kind or a purpose
        that there is not.
        """
        given = self._checked(act, identifiers, choices)
        at = self.clock().astimezone(UTC)
        number = self.state.next("batch")
        marks = [self.vault.mark(kind, value) for kind, value in given.items()]
        with self.state.together():
            self.state.put(RETURNING, str(number), [m.hex() for m in marks])
            self.state.put("open", str(number), at.isoformat())
        lifted = [self.vault.lift(kind, value) for kind, value in given.items()]
        keys = [int(self.vault.resolve(kind, [value])[0]) for kind, value in given.items()]
        answers = list(_answers(keys[0], choices, at, number, wording, language))
        tables: dict[str, tuple[Mode, Sequence[Staged]]] = {
            CONSENTS.name: ("append", self.lake.stage_rows(self.con, CONSENTS.name, answers))
        }
        if pairs := list(_pairs(list(zip(given, keys, strict=True)), at, number)):
            tables[LINKS.name] = ("append", self.lake.stage_rows(self.con, LINKS.name, pairs))
        since = [[traces.LIFTED, str(k), at.isoformat()] for k, was in zip(keys, lifted, strict=True) if was]
        with self.state.together():
            # Before any row of hers can land: what is older stays out.
            self.state.put_many(traces.LIFTED, {key: moment for _, key, moment in since})
            manifest = self.landing.note(number, f"{act}, batch {number}", tables, [*since, [RETURNING, str(number), None]])
            self.state.drop(RETURNING, str(number))
        self.landing.commit(number, manifest)
        return keys

    def recover(self) -> None:
        """Takes back what a kill has cut off: she is as she was, and may act again."""
        for number, marks in self.state.items(RETURNING).items():
            back = self.vault.hush([bytes.fromhex(m) for m in marks])
            self.vault.erase(back)
            self.state.drop(RETURNING, number)

    def forget(self, who: Erased) -> Proof:
        """Forgets that erased people had come back; see words.Forgets."""
        mine = [key for key in self.state.items(traces.LIFTED) if int(key) in who.keys]
        for key in mine:
            self.state.drop(traces.LIFTED, key)
        return Proof(store=self.name, removed=len(mine), complete=True)

    def _checked(self, act: Act, identifiers: Mapping[str, str], choices: Mapping[str, Answer]) -> dict[str, str]:
        for what, words, known in (("act", [act], get_args(Act)), ("answer", choices.values(), get_args(Answer))):
            for word in words:
                if word not in known:
                    raise BadInput(f"{word!r} is no {what} of hers, so nothing is lifted. {nearest(word, known)}")
        for kind in identifiers:
            if kind not in KINDS:
                raise NotFound("Kind of identifier", kind, KINDS)
        for purpose in choices:
            if purpose not in self.config.purposes:
                raise NotFound("Purpose", purpose, self.config.purposes)
        given = {kind: spelling for kind in KINDS if (spelling := spelt(kind, identifiers.get(kind, "")))}
        asked = [p for p in choices if self.config.purposes[p].needs_consent]
        if not given or not asked:
            raise BadInput("A comeback needs an identifier of hers, and a new choice to a purpose that asks for consent.")
        return given


def _answers(
    key: int, choices: Mapping[str, Answer], at: datetime, batch: int, wording: str, language: str
) -> Iterable[dict[str, Any]]:
    for purpose, answer in choices.items():
        yield {
            "key_id": key, "purpose": purpose, "state": answer, "occurred_at": at, "until": None, "wording": wording,
            "language": language, "source": CHOSEN, "record_id": None, "batch": batch,
        }  # fmt: skip


def _pairs(keys: list[tuple[str, int]], at: datetime, batch: int) -> Iterable[dict[str, Any]]:
    """The identifiers of one act are one person; they come strongest first."""
    for (kind_a, a), (kind_b, b) in pairwise(keys):
        yield {
            "key_a": a, "kind_a": KIND_CODES[kind_a], "key_b": b, "kind_b": KIND_CODES[kind_b], "source": CHOSEN,
            "occurred_at": at, "rows": 1, "batch": batch,
        }  # fmt: skip
