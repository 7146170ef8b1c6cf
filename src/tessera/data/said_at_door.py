"""What an event says itself of its sender's consent, read at the door by the mapping that landing has: the contract's.

Segment's `context.consent.categoryPreferences` and RudderStack's `context.consentManagement` become one form; `Sec-GPC: 1`
is written where the contract's property with `signal: gpc` looks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tessera.config import Contract, Field
from tessera.data import signals
from tessera.data.intake import ANSWERS
from tessera.fideslang import covers

Event = dict[str, Any]

PREFERENCES = ("context", "consent", "categoryPreferences")
GPC_PLACE = ("context", "gpc")
"""Where `Sec-GPC` is written if no property of the contract says where."""

UPDATED = "Segment Consent Preference Updated"
"""The event by which consent managers tell a choice: it is the record of a no, and so is never refused for it."""

NO = frozenset((*ANSWERS["refused"], *ANSWERS["withdrawn"]))
ABOUT_HER = ("identify", "group", "alias")
"""Types of events that mean nothing without who it was."""

ALWAYS = (("type",), ("event",), ("timestamp",), ("receivedAt",))
"""What an event without identity keeps, whatever its contract names."""


def one_form(event: Event) -> None:
    """RudderStack's lists of allowed and denied categories as Segment's map, which a contract's paths can name."""
    context = event.get("context")
    if not isinstance(context, dict) or not isinstance(told := context.get("consentManagement"), dict):
        return
    if isinstance(context.get("consent"), dict):
        return
    given, denied = (told.get(name) for name in ("allowedConsentIds", "deniedConsentIds"))
    categories = {c: True for c in given if isinstance(c, str)} if isinstance(given, list) else {}
    categories |= {c: False for c in denied if isinstance(c, str)} if isinstance(denied, list) else {}
    context["consent"] = {"categoryPreferences": categories}


class Consents:
    """A contract's answers, compiled. purposes: which of them the source is collected for; empty: all that it answers."""

    def __init__(self, contract: Contract) -> None:
        door = contract.door
        answers = [f for f in contract.fields if f.consent]
        self.wanted = frozenset(door.purposes or (str(f.consent) for f in answers))
        self._readers = [[_reader(f) for f in answers if f.consent == purpose] for purpose in sorted(self.wanted)]
        gpc = next((f for f in answers if f.signal == signals.GPC), None)
        self._gpc = tuple(gpc.where.split(".")) if gpc else GPC_PLACE
        self._kept = [*ALWAYS, *(path for f in contract.fields if _tells_nobody(f) for path in [tuple(f.where.split("."))])]
        self._named = {tuple(f.where.split(".")) for f in contract.fields if f.maps_to == "message_id"} | {("messageId",)}

    def note_gpc(self, event: Event) -> None:
        """Writes down that the request said `Sec-GPC: 1`."""
        _put(event, self._gpc, "1")

    def refused(self, event: Event) -> bool:
        """Whether the event says no to every purpose that the source is collected for. Silence is no refusal."""
        if not self.wanted or (event.get("type") == "track" and event.get("event") == UPDATED):
            return False
        for readers in self._readers:
            for says_no in readers:
                if says_no(event):
                    break
            else:
                return False
        return True

    def anonymous(self, event: Event, message_id: str) -> Event | None:
        """The event without identity: what its contract names and says what was done, never who did it, under another message
        id. None where nothing would be left to tell."""
        if event.get("type") in ABOUT_HER:
            return None
        made: Event = {}
        for path in self._kept:
            if (value := dig(event, path)) is not None and not isinstance(value, dict | list):
                _put(made, path, value)
        for path in self._named:
            _put(made, path, message_id)
        return made


def refusals(contract: Contract) -> list[tuple[str, Callable[[Event], bool]]]:
    """By purpose that a contract's rows answer: whether an event says no to it. Silence is no refusal."""
    return [(f.consent, _reader(f)) for f in contract.fields if f.consent]


def dig(event: Mapping[str, Any], path: Sequence[str]) -> Any:
    """The value at a path, or None."""
    found: Any = event
    for part in path:
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


def _put(event: Event, path: Sequence[str], value: Any) -> None:
    """Sets a value at a path; what is no object on the way is replaced by one."""
    for part in path[:-1]:
        below = event.get(part)
        if not isinstance(below, dict):
            below = event[part] = {}
        event = below
    event[path[-1]] = value


def _reader(f: Field) -> Callable[[Event], bool]:
    path = tuple(f.where.split("."))
    if f.signal == signals.TCF:
        return lambda event: signals.tcf_answer(dig(event, path), f.tcf_purposes) == "refused"
    if f.signal == signals.GPC:
        return lambda event: _word(dig(event, path)) in ("1", "true")
    if path[:-1] == PREFERENCES:
        return lambda event: _no_category(event, path[-1])
    return lambda event: _word(dig(event, path)) in NO


def _no_category(event: Event, category: str) -> bool:
    """Of a map of categories: one that is missing is refused; where there is no map, nothing is said (Segment's rule)."""
    told = dig(event, PREFERENCES)
    return isinstance(told, dict) and (answer := told.get(category)) is not True and (answer is None or _word(answer) in NO)


def _word(value: Any) -> str:
    return str(value).strip().lower() if isinstance(value, str | int) else ""


def _tells_nobody(f: Field) -> bool:
    """Whether a property says what was done and never who did it."""
    who = f.identifier or f.sealed or f.hidden or f.consents or f.maps_to == "message_id"
    return not who and (not f.personal or covers("user.behavior", f.category))
