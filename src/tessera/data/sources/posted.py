"""Any JSON that comes by itself (a webhook's body, a device's message) -> the lines of its rows, and what is no row.

A row is an object, as it was sent: no number is read and written again. Nothing here knows of people or of the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from tessera.config import Contract
from tessera.data import expressions
from tessera.data.generalised_rows import Places
from tessera.data.sources.blocks import REJECT_BYTES
from tessera.data.tracking import Refused

ROWS_MOST = 10_000
"""Rows in one body."""

AROUND = "%"
"""The member of a row under which that stands what was around its list: `%.id`, as JSONata writes a parent."""

RECEIVED = "receivedAt"

_raw = msgspec.json.Decoder(msgspec.Raw).decode
_listed = msgspec.json.Decoder(list[msgspec.Raw]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encoded = msgspec.json.Encoder().encode

BROKEN = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


@dataclass(frozen=True, kw_only=True)
class Posted:
    """lines: of its rows. refused: what is no row. whole: why nothing in it could be taken, for who sent it; else empty."""

    lines: list[bytes] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    whole: str = ""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How the rows of a source stand in what it sends. rows: the list's path. around: members of the body around the list
    that the contract names. received: whether it asks for the moment when we had it. places: of what is generalised."""

    rows: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    received: bool = False
    places: Places = field(default_factory=Places)

    @classmethod
    def of(cls, contract: Contract) -> Form:
        """As a contract says it."""
        told = contract.webhook or contract.mqtt
        named: list[tuple[str | int, ...]] = [tuple(f.where.split(".")) for f in contract.fields if not f.expression]
        named += [p.steps for f in contract.fields if f.expression for p in expressions.compiled(f.expression).places]
        around = dict.fromkeys(str(steps[1]) for steps in named if steps[0] == AROUND and len(steps) > 1)
        return cls(
            rows=tuple(told.rows.split(".")) if told and told.rows else (),
            around=tuple(around), received=any(steps[0] == RECEIVED for steps in named), places=Places.of(contract),
        )  # fmt: skip

    def read(self, data: bytes, received_at: datetime, said: Mapping[str, str] | None = None) -> Posted:
        """The rows of what was sent. said: fields that are known beside it (of its topic); they win over what it says."""
        try:
            body = bytes(_raw(msgspec.json.format(data, indent=-1)))
        except BROKEN as wrong:
            return _none(data, "Datatype-Mismatch", f"The body is no JSON: {_plain(wrong)}")
        own: dict[str, Any] = dict(said or {})
        if self.rows:
            try:
                listed, around = self._inside(body)
            except BROKEN:
                return _none(body, "Required-Missing", f"There is no list at {'.'.join(self.rows)} in the body.")
            if around:
                own[AROUND] = around
        else:
            listed = _listed(body) if body.startswith(b"[") else [msgspec.Raw(body)]
        if len(listed) > ROWS_MOST:
            return _none(body, "Unknown-Violation", f"The body holds {len(listed):,} rows; at most {ROWS_MOST:,} are taken.")
        lines, refused = list[bytes](), list[Refused]()
        for text in map(bytes, listed):
            try:
                lines.append(self._row(text, own, received_at))
            except BROKEN:
                refused.append(_refused(text, "Datatype-Mismatch", "a row is an object of text in UTF-8"))
        return Posted(lines=lines, refused=refused)

    def _inside(self, body: bytes) -> tuple[list[msgspec.Raw], dict[str, msgspec.Raw]]:
        """The list's elements, and the named members of the body."""
        whole = at = _members(body)
        for name in self.rows[:-1]:
            at = _members(at.get(name, b"null"))
        return _listed(at.get(self.rows[-1], b"null")), {name: whole[name] for name in self.around if name in whole}

    def _row(self, text: bytes, own: Mapping[str, Any], received_at: datetime) -> bytes:
        if not text.startswith(b"{") or own or self.received:
            row: dict[str, Any] = _members(text)
            if self.received:
                row.setdefault(RECEIVED, received_at.isoformat(timespec="milliseconds"))
            text = _encoded({**row, **own})
        return self.places.generalise(text)


def _none(text: bytes, reason: str, why: str) -> Posted:
    return Posted(refused=[_refused(text, reason, why)], whole=why)


def _refused(text: bytes, reason: str, why: str) -> Refused:
    return Refused(text=text[:REJECT_BYTES], reason=reason, detail=why)


def _plain(wrong: Exception) -> str:
    return "it is nested too deeply" if isinstance(wrong, RecursionError) else str(wrong)
