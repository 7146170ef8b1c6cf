"""Events as they pass, before they are landed: what a reader may see of each. Never more than of the table they go to.

No view can be opened on what is in no table yet, so its conditions are kept here, event by event: whoever is erased, restricted
or has objected is not shown; a purpose that needs consent shows whom it knows to have given it; a role whose rows are cut sees
nothing; a column shows by its category's verdict, and what no contract names is not shown. Each look is an entry of the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tessera.config import Config, Contract, Field, Verdict
from tessera.data.intake_secrets import PHONE
from tessera.data.raw import RAW
from tessera.data.sources.door import event_of
from tessera.errors import BadInput, NotAllowed
from tessera.trust import access
from tessera.trust.access import VEIL, Reader
from tessera.trust.permits import Permits
from tessera.trust.vault import Vault
from tessera.words import KINDS, spelt

_PHONE = re.compile(PHONE)
_ENDS = ("email", "phone")
"""What a generalised text of keeps a part that many have in common."""


@dataclass(kw_only=True)
class Shown:
    """Some events as a reader sees them: values by the contract's property. keys: of those in them. withheld: how many of
    whom she may see nothing. refused: how many were no events."""

    events: list[dict[str, Any]] = field(default_factory=list)
    keys: set[int] = field(default_factory=set)
    withheld: int = 0
    refused: int = 0


class Passing:
    """What one reader sees of the events of one source at the tracking door. hidden, veiled: the properties of which she sees
    nothing, and less than what was sent."""

    def __init__(self, config: Config, contract: Contract, reader: Reader) -> None:
        """Raises BadInput for a source that is not sent to the door, NotAllowed for a reader who would see nothing."""
        if contract.kind != "http":
            raise BadInput(f"{contract.name} is no source at the tracking door (server type api), so nothing of it passes by.")
        self.contract, self.reader = contract, reader
        table = RAW[contract.record]
        if access.row_rules(config.access, reader, table):
            raise NotAllowed(f"A row rule cuts what {reader.role} sees of {table.name}, and what passes is in no table yet.")
        verdicts = {
            f.name: access.verdict(config.access, reader.role, reader.purpose, f.category).verdict for f in contract.fields
        }
        self._shown: list[tuple[Field, Verdict]] = [
            (f, verdicts[f.name]) for f in contract.fields if verdicts[f.name] != "hidden" and not f.consents
        ]
        if not self._shown:
            raise NotAllowed(
                f"No property of {contract.name} is open to {reader.role} for {reader.purpose.name}.",
                f"Ask {config.access.contact}.",
            )
        self.hidden = [f.name for f in contract.fields if verdicts[f.name] == "hidden" and not f.consents]
        self.veiled = [f.name for f, seen in self._shown if seen != "clear"]
        self._called = next((f for f, seen in self._shown if f.maps_to == "event" and seen == "clear"), None)
        self._kinds = sorted((f for f in contract.fields if f.identifier), key=lambda f: KINDS.index(str(f.identifier)))

    @property
    def names_events(self) -> bool:
        """Whether she sees in clear what an event is called."""
        return self._called is not None

    def called(self, lines: Sequence[bytes], name: str) -> list[bytes]:
        """Of some lines those of events of this name; all of them where she may not see names."""
        if self._called is None:
            return list(lines)
        where = self._called.where
        events = ((line, event_of(line)) for line in lines)
        return [line for line, event in events if event is not None and _at(msgspec.json.decode(event), where) == name]

    @property
    def categories(self) -> tuple[str, ...]:
        """The data categories that she sees something of."""
        return tuple(sorted({f.category for f, _ in self._shown}))

    def shown(self, lines: Sequence[bytes], vault: Vault, permits: Permits) -> Shown:
        """What she sees of some lines of the journal. Identifiers that are new get their key here, as they would at landing."""
        made, purpose = Shown(), self.reader.purpose
        events: list[dict[str, Any]] = [msgspec.json.decode(e) for e in map(event_of, lines) if e is not None]
        made.refused = len(lines) - len(events)
        held = [self._keys(event, vault) for event in events]
        barred = permits.blocked_keys | permits.bars(purpose, "key")
        agreed = permits.ids(purpose, "key") if purpose.needs_consent else None
        for event, keys in zip(events, held, strict=True):
            # A key of -1 is an erased person's; the first is the event's own, by whom consent is asked.
            if any(k < 0 or k in barred for k in keys) or (agreed is not None and keys and keys[0] not in agreed):
                made.withheld += 1
                continue
            made.keys.update(keys)
            made.events.append({f.name: _veiled(f, _at(event, f.where), seen) for f, seen in self._shown})
        return made

    def _keys(self, event: dict[str, Any], vault: Vault) -> list[int]:
        found = []
        for f in self._kinds:
            value = _at(event, f.where)
            if isinstance(value, str | int) and (spelling := spelt(str(f.identifier), str(value))):
                found.append(int(vault.resolve(str(f.identifier), [spelling])[0]))
        return found


def _at(event: dict[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    found: Any = event.get(path)
    if found is None and "." in path:
        found = event
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    return found


def _veiled(f: Field, value: Any, seen: Verdict) -> Any:
    if value is None or isinstance(value, dict | list):
        return None if value is None else VEIL
    if seen == "clear":
        return VEIL if isinstance(value, str) and _leaks(f, value) else value
    kind = f.identifier or f.maps_to or f.name
    if not isinstance(value, str) or (seen == "generalised" and kind not in _ENDS):
        return VEIL
    return access.veiled(kind, value, seen)


def _leaks(f: Field, text: str) -> bool:
    """Whether a text that was declared harmless holds an identifier: at landing it would be moved into the seal."""
    return not (f.identifier or f.sealed) and ("@" in text or _PHONE.search(text) is not None)
