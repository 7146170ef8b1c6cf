"""What is kept of network addresses and user agents in rows that come by themselves, by what their contract says of a field.

The same as at the tracking door (data/generalised.py), before a row lies in the journal: a field of the category
`user.device.ip_address` keeps its network, one that fills `device` the browser and the system. Nothing else of a row is read:
its text stays as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tessera.config import Contract, Field
from tessera.data import expressions, generalised

ADDRESS = "user.device.ip_address"
DEVICE = "device"
_AGENT = re.compile(r"[A-Za-z][\w.+-]*/\d")
"""How a user agent begins: a product and its version. Other words for a device (`mobile`) are no user agents, and stay."""

Steps = tuple[str | int, ...]
Change = Callable[[str], str | None]

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_listed = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encoded = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Places:
    """Where in a row such values stand."""

    found: tuple[tuple[Steps, Change], ...] = ()

    @classmethod
    def of(cls, contract: Contract) -> Places:
        """As a contract names them; what identifies somebody stays as it is, for it is never stored in clear."""
        told = [(steps, change) for f in contract.fields if (change := _change(f)) for steps in _steps(f)]
        return cls(tuple(dict.fromkeys(told)))

    def generalise(self, row: bytes) -> bytes:
        """A row (the JSON of an object) as it may be kept. Raises msgspec.MsgspecError or RecursionError where it is none."""
        for steps, change in self.found:
            row = _changed(row, steps, change)
        return row


def _change(field: Field) -> Change | None:
    if field.identifier:
        return None
    if field.category == ADDRESS:
        return _network_if_any if field.expression else _network
    return _agent if field.maps_to == DEVICE else None


def _steps(field: Field) -> list[Steps]:
    if field.expression:
        return [place.steps for place in expressions.compiled(field.expression).places]
    return [tuple(field.where.split("."))]


def _network(text: str) -> str | None:
    """Of what is no address nothing: it is told to be one."""
    return generalised.address(text.strip())


def _network_if_any(text: str) -> str:
    """Of what an expression reads beside addresses, that too: it may choose by it."""
    return _network(text) or text


def _agent(text: str) -> str:
    return generalised.agent(text) if _AGENT.match(text) else text


def _changed(raw: bytes, steps: Steps, change: Change) -> bytes:
    """A value with what stands at a place in it changed; the value itself where nothing stands there."""
    if not steps:
        if not raw.startswith(b'"'):
            return raw
        text = msgspec.json.decode(raw, type=str)
        kept = change(text)
        return raw if kept == text else _encoded(kept)
    step, rest = steps[0], steps[1:]
    if isinstance(step, int) and raw.startswith(b"["):
        values = _listed(raw)
        if step >= len(values) or (new := _changed(bytes(values[step]), rest, change)) == values[step]:
            return raw
        values[step] = msgspec.Raw(new)
        return _encoded(values)
    if isinstance(step, str) and raw.startswith(b"{"):
        members = _members(raw)
        if step not in members or (new := _changed(bytes(members[step]), rest, change)) == members[step]:
            return raw
        members[step] = msgspec.Raw(new)
        return _encoded(members)
    return raw
